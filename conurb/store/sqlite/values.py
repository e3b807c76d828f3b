r"""The value of an attribute in the form that SQL compares at once: `flat`, and `val` in history.

Most attributes have one instance with one number or text. Such a *regular* value is kept beside
the document, so that a comparison is one expression, which an index can stand on:

- a number as it is;
- a text as it is, when it is short and begins with none of the marks below;
- `\x01t` and `\x01f` for true and false, so that they are no numbers;
- `\x02` and the URI for a relationship with one object, so that it is no text;
- `IRREGULAR` for everything else: the general predicate over the document decides.

Numbers come before texts in SQLite's order, and marks before every other text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from conurb.model.entity import Entity, Instance

IRREGULAR: Final = "\x01*"
TRUE: Final = "\x01t"
FALSE: Final = "\x01f"
LINK: Final = "\x02"
TEXT_FIRST: Final = "\x03"
"""The least text that is a regular value."""

REGULAR_LENGTH_MAX: Final = 200
"""Characters of a text that is kept beside the document."""

_INTEGER_BOUND: Final = 2**53

_SCALAR_MEMBERS: Final = {"Property": "value", "VocabProperty": "vocab", "JsonProperty": "json"}


def regular(instance: Instance) -> str | int | float:
    """Give an instance's value in comparable form, `IRREGULAR` when it has none."""
    kind = instance["type"]
    member = _SCALAR_MEMBERS.get(kind)
    if member is None:
        target = instance.get("object") if kind == "Relationship" else None
        if isinstance(target, str) and len(target) <= REGULAR_LENGTH_MAX and "\0" not in target:
            return LINK + target
        return IRREGULAR
    return _scalar(instance.get(member))


def flat(entity: Entity, term: Callable[[str], int]) -> dict[str, str | int | float]:
    """Give the comparable values of an entity, by the short names of its attributes."""
    return {
        f"a{term(attribute)}": regular(instances[0]) if len(instances) == 1 else IRREGULAR
        for attribute, instances in entity.attrs.items()
    }


def stated(value: str | int | float) -> str | int | float | bool:
    """Give the value back of which a regular one is the comparable form.

    >>> stated(TRUE), stated("open")
    (True, 'open')
    """
    if not isinstance(value, str) or value >= TEXT_FIRST:
        return value
    return value[1:] if value.startswith(LINK) else value == TRUE


def _scalar(value: Any) -> str | int | float:
    if isinstance(value, str):
        if value >= TEXT_FIRST and len(value) <= REGULAR_LENGTH_MAX and "\0" not in value:
            return value
        return IRREGULAR
    if value is True:
        return TRUE
    if value is False:
        return FALSE
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if -_INTEGER_BOUND <= value <= _INTEGER_BOUND else float(value)
    return IRREGULAR
