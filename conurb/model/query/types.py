"""Read a selection of entity types (ETSI GS CIM 009 v1.9.1, clause 4.17)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.query.tree import Selector, TypeAll, TypeAny, TypeIs, TypeSelection

if TYPE_CHECKING:
    from conurb.model.context import Terms

TYPES_LENGTH_MAX: Final = 16_384
"""Characters of one selection."""
TYPES_MAX: Final = 200
"""Types in one selection."""
ANY_TYPE: Final = "*"
"""Selects every entity, of whatever type (table 6.4.3.2-1)."""

_GROUP: Final = re.compile(r"\(([^()|,]+)\)|([^()|,;]+)")


def parse_types(text: str, terms: Terms) -> TypeSelection | None:
    """Read a selection such as `(Home;Vehicle)|Motorhome`; None for `*`, which is any type.

    Raises BadRequestDataError with the position, TooComplexQueryError over the bounds.
    """
    if len(text) > TYPES_LENGTH_MAX:
        raise TooComplexQueryError(
            f"type has {len(text)} characters; at most {TYPES_LENGTH_MAX} are taken"
        )
    if text == ANY_TYPE:
        return None
    choices: list[TypeSelection] = []
    at, count = 0, 0
    while True:
        match = _GROUP.match(text, at)
        if match is None:
            raise _fault(text, at, "expected a type, or types in parentheses separated by ';'")
        names = match[1].split(";") if match[1] else [match[2]]
        count += len(names)
        if count > TYPES_MAX:
            raise TooComplexQueryError(f"type, position {at}: more than {TYPES_MAX} types")
        if "" in names:
            raise _fault(text, at, "a type is missing between ';'")
        items = tuple(TypeIs(terms.expand(name)) for name in names)
        choices.append(items[0] if len(items) == 1 else TypeAll(items))
        at = match.end()
        if at == len(text):
            return choices[0] if len(choices) == 1 else TypeAny(tuple(choices))
        if text[at] not in "|,":
            raise _fault(text, at, "expected '|' or ',' between types; ';' only in parentheses")
        at += 1


def together(selectors: tuple[Selector, ...]) -> tuple[Selector, ...]:
    """Put selectors that ask for types only into one that means the same, which an index serves.

    >>> together((Selector(types=TypeIs("a")), Selector(types=TypeIs("b"))))[0].types
    TypeAny(items=(TypeIs(iri='a'), TypeIs(iri='b')))
    """
    types = tuple(one.types for one in selectors if one.types is not None)
    if len(selectors) < 2 or len(types) < len(selectors):
        return selectors
    if any(one.ids or one.id_pattern is not None for one in selectors):
        return selectors
    return (Selector(types=TypeAny(types)),)


def _fault(text: str, at: int, reason: str) -> BadRequestDataError:
    return BadRequestDataError(f"type {text!r:.200}, position {at}: {reason}")
