"""Entity maps: which entities a query found, kept so that its pages stay the same (clause 5.14).

A map fixes the candidates and their order; each page checks the filters again, leaves out what no
longer fits, removes it from the map, and is filled up from what follows (clause 5.5.9.3). Maps are
kept in memory: they are short-lived, and a client whose map is gone makes another (clause 5.5.14).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from conurb.access.caller import Caller
from conurb.errors import NotFoundError
from conurb.model.entity import Entity
from conurb.model.query.tree import Query, Restriction, Selector, TemporalQuery
from conurb.model.time import US_PER_S, Clock
from conurb.node.bounds import Bounds
from conurb.node.consume import Answer, Consumption
from conurb.node.join import Join
from conurb.node.selecting import LOCAL, select_ids, select_temporal_ids

if TYPE_CHECKING:
    from conurb.store.contract import Store

LIFETIME_US: Final = 3600 * US_PER_S
"""How long a map is kept when its maker doesn't say."""

LIFETIME_US_MAX: Final = 24 * 3600 * US_PER_S
"""How long a map is kept at most, from its making or its last update."""


@dataclass(slots=True)
class EntityMap:
    """The candidates of one query, in order: entity id to the registrations it came by.

    `linked` are the maps of other nodes by registration. `seen_by` is the restriction of the
    caller who made it: a map shows ids, so nobody else's may be shown to a narrower caller.
    """

    id: str
    expires_us: int
    sources: dict[str, tuple[str, ...]]
    linked: dict[str, str]
    seen_by: Restriction


class EntityMaps:
    """The entity maps of one node."""

    def __init__(
        self,
        store: Store,
        consume: Consumption,
        bounds: Bounds,
        clock: Clock,
        *,
        new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:EntityMap:{uuid4()}",
    ) -> None:
        self._store = store
        self._consume = consume
        self._bounds = bounds
        self._clock = clock
        self._new_id = new_id
        self._maps: OrderedDict[str, EntityMap] = OrderedDict()

    async def create(
        self, caller: Caller, query: Query, *, lifetime_us: int | None = None
    ) -> EntityMap:
        """Make the map of a query (clause 5.14.4).

        Raises TooComplexQueryError when it selects more entities than a map may have.
        """
        restricted = replace(query, restriction=caller.require("read"))
        sources = await select_ids(
            self._store,
            restricted,
            page=self._bounds.page_max,
            ids_max=self._bounds.entity_map_max,
        )
        return self._keep(caller, sources, lifetime_us)

    async def create_temporal(
        self, caller: Caller, query: TemporalQuery, *, lifetime_us: int | None = None
    ) -> EntityMap:
        """Make the map of a query over history (clause 5.14.5)."""
        inner = replace(query.query, restriction=caller.require("read"))
        ids = await select_temporal_ids(
            self._store,
            replace(query, query=inner),
            page=self._bounds.page_max,
            ids_max=self._bounds.entity_map_max,
        )
        return self._keep(caller, dict.fromkeys(ids, (LOCAL,)), lifetime_us)

    def get(self, caller: Caller, map_id: str) -> EntityMap:
        """Give a map (clause 5.14.1); raise NotFoundError when there is none, or no longer."""
        restriction = caller.require("read")
        found = self._maps.get(map_id)
        if found is not None and found.expires_us <= self._clock():
            del self._maps[map_id]
            found = None
        if found is None or restriction not in (found.seen_by, Restriction()):
            raise NotFoundError(f"entity map {map_id!r} doesn't exist here")
        return found

    def update(self, caller: Caller, map_id: str, *, expires_us: int | None) -> EntityMap:
        """Set when a map expires, within the bound of the node (clause 5.14.2)."""
        found = self.get(caller, map_id)
        if expires_us is not None:
            found.expires_us = min(expires_us, self._clock() + LIFETIME_US_MAX)
        return found

    def delete(self, caller: Caller, map_id: str) -> None:
        """Delete a map (clause 5.14.3); raise NotFoundError when there is none."""
        del self._maps[self.get(caller, map_id).id]

    async def query(
        self, caller: Caller, map_id: str, query: Query, *, join: Join | None = None
    ) -> Answer:
        """Give a page of a query over the candidates of its map (clause 5.5.9.3).

        Raises NotFoundError when the map is gone.
        """
        found = self.get(caller, map_id)
        restriction = caller.require("read")
        asked = replace(query, restriction=restriction)
        total = await self._recheck(found, asked) if query.count else None
        entities: list[Entity] = []
        ids = list(found.sources)
        position = query.offset
        while len(entities) < query.limit and position < len(ids):
            chunk = ids[position : position + query.limit - len(entities)]
            fitting = await self._fitting(asked, chunk)
            for gone in [one for one in chunk if one not in fitting]:
                found.sources.pop(gone, None)
                ids.remove(gone)
            entities += fitting.values()
            position += len(fitting)
        answer = Answer(entities, total=total, more=position < len(ids))
        return await self._consume.joined(answer, join, restriction)

    async def _recheck(self, found: EntityMap, query: Query) -> int:
        """Remove every candidate that no longer fits; give how many are left."""
        ids = list(found.sources)
        for start in range(0, len(ids), self._bounds.page_max):
            chunk = ids[start : start + self._bounds.page_max]
            fitting = await self._fitting(query, chunk)
            for gone in (one for one in chunk if one not in fitting):
                found.sources.pop(gone, None)
        return len(found.sources)

    async def _fitting(self, query: Query, ids: Sequence[str]) -> dict[str, Entity]:
        """Give those of `ids` that the query selects now, in the order of `ids`."""
        selectors = tuple(
            replace(one, ids=chosen)
            for one in query.selectors or (Selector(),)
            if (chosen := tuple(x for x in ids if not one.ids or x in one.ids))
        )
        if not selectors:
            return {}
        page = await self._store.query(
            replace(query, selectors=selectors, order=(), limit=len(ids), offset=0, count=False)
        )
        by_id = {entity.id: entity for entity in page.entities}
        return {one: by_id[one] for one in ids if one in by_id}

    def _keep(
        self, caller: Caller, sources: dict[str, tuple[str, ...]], lifetime_us: int | None
    ) -> EntityMap:
        """Store a new map; the oldest go when there are too many."""
        lifetime = LIFETIME_US if lifetime_us is None else min(lifetime_us, LIFETIME_US_MAX)
        made = EntityMap(
            self._new_id(),
            self._clock() + lifetime,
            sources,
            {},
            caller.restriction,
        )
        self._maps[made.id] = made
        kept = sum(len(one.sources) for one in self._maps.values())
        while len(self._maps) > self._bounds.entity_maps_max or (
            kept > self._bounds.entity_maps_ids_max and len(self._maps) > 1
        ):
            kept -= len(self._maps.popitem(last=False)[1].sources)
        return made
