"""The values of an entity that SQL can compare at once: `flat`.

Most attributes have one instance with one number, text or boolean. `flat` maps the term of each
attribute to that value, so that a comparison is one expression, which an index can stand on:

- a number, a boolean, and a text of at most `REGULAR_LENGTH_MAX` characters as they are;
- `[URI]` for a relationship with one object, so that it is no text;
- null for everything else: the general predicate over the document decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from conurb.errors import BadRequestDataError
from conurb.model.aggregates import find_number
from conurb.model.entity import Attributes, Instance

REGULAR_LENGTH_MAX: Final = 200
"""Characters of a text that is kept beside the document."""

_SCALAR_MEMBER: Final = {"Property": "value", "VocabProperty": "vocab", "JsonProperty": "json"}
_SCALARS: Final = frozenset({int, float, bool})

NUL: Final = "\\u0000"
"""How JSON writes the character that PostgreSQL can't hold."""


def flatten(attrs: Attributes, tid: Callable[[str], int]) -> dict[str, Any]:
    """Give `flat` of an entity's attributes."""
    return {
        str(tid(attribute)): regular(instances[0]) if len(instances) == 1 else None
        for attribute, instances in attrs.items()
    }


def regular(instance: Instance) -> Any:
    """Give an instance's value in comparable form, None when it has none."""
    kind = instance["type"]
    member = _SCALAR_MEMBER.get(kind)
    if member is None:
        target = instance.get("object") if kind == "Relationship" else None
        return [target] if isinstance(target, str) and len(target) <= REGULAR_LENGTH_MAX else None
    value = instance.get(member)
    if value.__class__ in _SCALARS or (value.__class__ is str and len(value) <= REGULAR_LENGTH_MAX):
        return value
    return None


def number_of(instance: Instance) -> float | None:
    """Give what an aggregate computes with: a number, 0 or 1, or the length of a list.

    None for everything else.
    """
    number = find_number(instance)
    return None if number is None else float(number)


def json_text(value: Any, entity_id: str) -> str:
    """Write JSON; raise BadRequestDataError when it can't be stored."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise BadRequestDataError(f"{entity_id}: can't be stored as JSON: {error}") from error
    if NUL in text:
        check_storable(text, entity_id)
    return text


def check_storable(text: str, entity_id: str) -> None:
    """Raise BadRequestDataError when a JSON text holds the character U+0000.

    PostgreSQL has no text with it. The escape of a backslash before `u0000` is another matter.
    """
    at = text.find(NUL)
    while at >= 0:
        backslashes = 0
        while at - backslashes > 0 and text[at - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            raise BadRequestDataError(
                f"{entity_id}: a text holds the character U+0000, which can't be stored"
            )
        at = text.find(NUL, at + 1)
