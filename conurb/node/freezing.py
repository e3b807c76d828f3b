"""Where snapshots find what they freeze: the node's own store, or what other rooms put there.

`conurb.federation.frozen` looks at all nodes of a region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from conurb.model.query.tree import Query, TemporalQuery
    from conurb.store.contract import EvolutionPage, Page, Store


class Look(Protocol):
    """Where a snapshot finds what it freezes; with each page comes who was missing, if anybody."""

    async def query(self, query: Query) -> tuple[Page, str | None]:
        """Give the first entities that a query selects, up to its limit."""
        ...

    async def evolution(self, query: TemporalQuery) -> tuple[EvolutionPage, str | None]:
        """Give a page of histories."""
        ...


class StoreLook:
    """What a store holds, from one view of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def query(self, query: Query) -> tuple[Page, str | None]:
        """Give the first entities that a query selects, up to its limit."""
        return await self._store.query(query), None

    async def evolution(self, query: TemporalQuery) -> tuple[EvolutionPage, str | None]:
        """Give a page of histories."""
        return await self._store.evolution(query), None
