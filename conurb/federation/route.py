"""Which registrations a request concerns (clauses 4.3.6.1 and 5.12).

A registration concerns a request when one of its pieces of information may hold what is asked for.
Doubt counts as yes: a source that is asked in vain costs a call, one that isn't asked costs data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conurb.model.query.automaton import search
from conurb.model.query.tree import Query, Selector, TypeIs, TypeSelection
from conurb.model.registration import EntityInfo, Information, Registration


def routes(
    registrations: Iterable[Registration], query: Query, *, now_us: int
) -> list[Registration]:
    """Give the registrations that may hold entities which a query selects, in their order."""
    return [
        one
        for one in registrations
        if (one.expires_us is None or one.expires_us > now_us)
        and any(_concerns(info, query.selectors, query.attributes) for info in one.information)
    ]


def retrieval(
    entity_id: str, *, types: TypeSelection | None = None, attributes: Sequence[str] = ()
) -> Query:
    """Say the retrieval of one entity as a query, for routing."""
    return Query(selectors=(Selector(ids=(entity_id,), types=types),), attributes=tuple(attributes))


def _concerns(
    information: Information, selectors: Sequence[Selector], attributes: Sequence[str]
) -> bool:
    if information.attributes and attributes and not set(information.attributes) & set(attributes):
        return False
    if not information.entities or not selectors:
        return True
    return any(_meets(info, one) for info in information.entities for one in selectors)


def _meets(info: EntityInfo, selector: Selector) -> bool:
    """Whether an entity of `info` may be one that the selector takes.

    Two patterns may always have an id in common. An entity may have more types than those that a
    registration names, so every type that a selection mentions leads there.
    """
    if selector.types is not None and not set(info.types) & set(_mentioned(selector.types)):
        return False
    if info.id is not None:
        if selector.ids and info.id not in selector.ids:
            return False
        return selector.id_pattern is None or search(selector.id_pattern, info.id)
    if info.id_pattern is not None and selector.ids:
        return any(search(info.id_pattern, one) for one in selector.ids)
    return True


def _mentioned(selection: TypeSelection) -> Iterable[str]:
    if isinstance(selection, TypeIs):
        yield selection.iri
    else:
        for item in selection.items:
            yield from _mentioned(item)
