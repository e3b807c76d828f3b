"""Every id that a query selects: for purges and entity maps, page after page within a bound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conurb.errors import TooComplexQueryError
from conurb.model.query.tree import Query, TemporalQuery

if TYPE_CHECKING:
    from conurb.store.contract import Store


async def select_ids(store: Store, query: Query, *, page: int, ids_max: int) -> list[str]:
    """Give the ids of all entities that a query selects, in its order.

    Its limit and offset don't count. Raises TooComplexQueryError over `ids_max`.
    """
    ids: list[str] = []
    more = True
    while more:
        part = await store.query(replace(query, limit=page, offset=len(ids), count=False))
        ids += (entity.id for entity in part.entities)
        more = part.more
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
