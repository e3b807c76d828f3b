"""Ask a store for all objects of a type that satisfy a condition, page by page and bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from conurb.errors import TooComplexQueryError
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    Moment,
    Operator,
    Query,
    Scalar,
    Selector,
    TypeIs,
)
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.entity import Entity
    from conurb.systems.contract import Site

PAGE: Final = 1_000
OBJECTS_MAX: Final = 20_000
"""Objects that one question may give."""


def compare(term: str, operator: Operator, value: Scalar) -> Compare:
    """Make a condition on an attribute."""
    return Compare(AttributePath((platform_terms().expand(term),)), operator, value)


def has(term: str) -> Exists:
    """Make the condition that an attribute is there."""
    return Exists(AttributePath((platform_terms().expand(term),)))


def after(term: str, us: int) -> Compare:
    """Make the condition that an attribute's time is after a time."""
    return compare(term, ">", Moment(shown_us(us), us))


def query_of(type_term: str, *conditions: Condition) -> Query:
    """Make the query for all objects of a type that satisfy all conditions."""
    condition = conditions[0] if len(conditions) == 1 else And(conditions) if conditions else None
    types = TypeIs(platform_terms().expand(type_term))
    return Query(selectors=(Selector(types=types),), condition=condition, limit=PAGE)


async def own_objects(site: Site, query: Query) -> list[Entity]:
    """List what the site's own store holds, as the site itself; raise TooComplexQueryError."""
    found: list[Entity] = []
    while True:
        page = await site.node.store.query(replace(query, offset=len(found)))
        found += page.entities
        _check(len(found))
        if not page.more:
            return found


async def count(site: Site, query: Query) -> int:
    """Count what the site's own store holds."""
    page = await site.node.store.query(replace(query, limit=0, count=True))
    return page.total or 0


async def region_objects(site: Site, caller: Caller, query: Query) -> list[Entity]:
    """List what the site and the members of its region hold, as a caller may see it."""
    found: list[Entity] = []
    limit = min(PAGE, site.node.bounds.page_max)
    while True:
        paged = replace(query, limit=limit, offset=len(found))
        answer = await site.node.consume.query(caller, paged)
        found += answer.entities
        _check(len(found))
        if not answer.more:
            return found


def _check(count: int) -> None:
    if count > OBJECTS_MAX:
        raise TooComplexQueryError(f"{count} objects; {OBJECTS_MAX} are looked at at most")
