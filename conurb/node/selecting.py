"""Every id that a query selects: for purges and entity maps, page after page within a bound."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from conurb.errors import TooComplexQueryError
from conurb.model.query.tree import Query, TemporalQuery
from conurb.store.contract import Page

if TYPE_CHECKING:
    from conurb.store.contract import Store


LOCAL: Final = "@none"
"""The source of an entity that this node itself holds (clause 5.2.39)."""


@dataclass(slots=True)
class SourcedPage(Page):
    """A page of several nodes: by id, the registrations by which an entity came, or `LOCAL`."""

    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def select_ids(
    store: Store, query: Query, *, page: int, ids_max: int
) -> dict[str, tuple[str, ...]]:
    """Give the ids of all entities that a query selects, in its order, and where each came from.

    Its limit and offset don't count. Raises TooComplexQueryError over `ids_max`.
    """
    ids: dict[str, tuple[str, ...]] = {}
    more, offset = True, 0
    while more:
        part = await store.query(replace(query, limit=page, offset=offset, count=False))
        known = part.sources if isinstance(part, SourcedPage) else {}
        ids |= {entity.id: known.get(entity.id, (LOCAL,)) for entity in part.entities}
        more = part.more
        offset += len(part.entities)
        _check(len(ids), ids_max)
    return ids


async def select_temporal_ids(
    store: Store, query: TemporalQuery, *, page: int, ids_max: int
) -> list[str]:
    """Give the ids of all entities whose history a temporal query selects.

    The limit and offset of its query don't count. Raises TooComplexQueryError over `ids_max`.
    """
    ids: list[str] = []
    more = True
    while more:
        inner = replace(query.query, limit=page, offset=len(ids), count=False)
        part = await store.evolution(replace(query, query=inner, last_n=1, aggregation=None))
        ids += (evolution.id for evolution in part.evolutions)
        more = part.more
        _check(len(ids), ids_max)
    return ids


def _check(count: int, ids_max: int) -> None:
    if count > ids_max:
        raise TooComplexQueryError(
            f"the query selects more than the {ids_max} entities taken at once; narrow it"
        )
