"""A node elsewhere: what a region asks of a node, asked of a context source over HTTP.

The source may be any NGSI-LD broker. What it can't be asked, because a name has no term in the
@context or because the source orders its answers otherwise, is done here on what it gives. Answers
are read as strictly as what callers write; a source that gives what isn't NGSI-LD is missing from
the answer (clause 6.3.17).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from conurb.errors import (
    ContextUnavailableError,
    ConurbError,
    InputError,
    SourceError,
)
from conurb.federation import spans
from conurb.federation.asking import (
    GEO,
    OF_QUERIES,
    bared,
    ordering,
    query_params,
    restricted,
    selected,
    temporal_params,
)
from conurb.federation.completeness import (
    Absence,
    Completeness,
    FederatedAnswer,
    FederatedEvolutionPage,
)
from conurb.federation.legs import Leg
from conurb.federation.reading import read_entity, read_evolution, truncated_at
from conurb.federation.remote_discovery import RemoteDiscovery
from conurb.federation.remote_source import Went, check, count_of, warnings_of
from conurb.federation.wire import Reply, Wire, Wording
from conurb.federation.wording import UnwritableError
from conurb.model.entity import Entity
from conurb.model.evolution import Evolution
from conurb.model.query.match import admits, matches
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import (
    Query,
    Restriction,
    Selector,
    TemporalQuery,
)
from conurb.node.consume import Answer
from conurb.store.contract import EvolutionPage
from conurb.store.together import Run

if TYPE_CHECKING:
    from conurb.access.caller import Caller

PAGE: Final = 1000
"""Entities asked for at a time when all of them are wanted."""
DRAINED_MAX: Final = 100_000
"""Entities of one source that are read to be ordered or filtered here."""
RETRIEVALS_MAX: Final = 16
"""Entities retrieved from one source at a time."""
URL_IDS_MAX: Final = 100
"""Ids in one URL; more go by POST."""
SAFE_IN_PATH: Final = ":@!$&'()*+,;=~-._"


@dataclass(slots=True)
class _Given:
    """One page of what a source gives."""

    entities: list[Entity]
    more: bool
    total: int | None
    said: tuple[Absence, ...] = ()
    runs: tuple[Run, ...] | None = None


class RemotePeer(RemoteDiscovery):
    """A context source on the other end of a wire, for one request."""

    def __init__(self, leg: Leg, wire: Wire, went: Went) -> None:
        super().__init__(leg, wire, went)
        self._drained: list[Entity] | None = None

    # ── entities ──────────────────────────────────────────────────────────────────────────────

    async def query(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> Answer:
        """Query its entities, in the order of the query."""
        if at_us is not None or known_at_us is not None:
            raise SourceError("can't be asked for its state at a time")
        narrowed = self._leg.narrowed(query)
        if narrowed is None:
            return Answer([], total=0 if query.count else None)
        restriction = caller.require("read")
        asked = restricted(narrowed, restriction)
        if order_attributes(query) - set(asked.attributes):
            asked = self._leg.unprojected(asked)
        wording = await self._wire.wording(self.registration, caller)
        if self._drained is None:
            try:
                given = await self._page(caller, asked, wording)
            except UnwritableError:
                bare = bared(self._leg.unprojected(asked))
                self._drained = await self._drain(caller, bare, wording, query)
            else:
                kept = self._kept(given.entities, restriction)
                if not given.more or _is_ordered(kept, query):
                    kept.sort(key=lambda one: order_key(one, query.order))
                    return FederatedAnswer(
                        kept,
                        total=given.total,
                        more=given.more,
                        completeness=Completeness(missing=given.said),
                        runs=given.runs,
                    )
                self._drained = await self._drain_whole(caller, asked, wording, query)
        part = self._drained[query.offset : query.offset + query.limit]
        more = query.offset + query.limit < len(self._drained)
        return Answer(part, total=len(self._drained) if query.count else None, more=more)

    async def _drain_whole(
        self, caller: Caller, asked: Query, wording: Wording, query: Query
    ) -> list[Entity]:
        """Read everything that a source has of a query that it orders in its own way."""
        whole = self._leg.unprojected(asked)
        try:
            return await self._drain(caller, whole, wording, query)
        except UnwritableError:
            return await self._drain(caller, bared(whole), wording, query)

    async def _drain(
        self, caller: Caller, asked: Query, wording: Wording, query: Query
    ) -> list[Entity]:
        """Read everything that a source has, filter it and put it in order."""
        found: dict[str, Entity] = {}
        more = True
        offset = 0
        while more:
            page = replace(asked, limit=PAGE, offset=offset, order=(), count=False)
            given = await self._page(caller, page, wording)
            before = len(found)
            for entity in self._kept(given.entities, caller.restriction):
                found.setdefault(entity.id, entity)
            offset += len(given.entities)
            more = given.more and len(found) > before
            if offset > DRAINED_MAX:
                raise SourceError(f"gives more than {DRAINED_MAX} entities in an order of its own")
        whole = replace(query, restriction=Restriction(), limit=1, offset=0)
        kept = [one for one in found.values() if matches(one, whole)]
        kept.sort(key=lambda one: order_key(one, query.order))
        return kept

    def _kept(self, entities: Sequence[Entity], restriction: Restriction) -> list[Entity]:
        """Keep what the source is registered for and the caller may see."""
        kept = (self._leg.within(one) for one in entities)
        return [one for one in kept if one is not None and admits(restriction, one)]

    async def _page(self, caller: Caller, asked: Query, wording: Wording) -> _Given:
        many = sum(len(one.ids) for one in asked.selectors) > URL_IDS_MAX
        by_get = self._leg.supports("queryEntity") and len(asked.selectors) <= 1 and not many
        if not by_get and self._leg.supports("queryBatch"):
            reply = await self._post(caller, asked, wording)
        else:
            params = query_params(asked, wording.of_url)
            reply = await self.send(caller, "GET", "/entities", wording, params=params)
        check(reply)
        if reply.status == 404 or reply.document is None:
            return _Given([], False, 0 if asked.count else None, warnings_of(reply))
        document = reply.document if isinstance(reply.document, list) else [reply.document]
        entities = [await self._read(one, wording) for one in document]
        whole = len(entities) > asked.limit or len(entities) < asked.limit
        more = 'rel="next"' in reply.headers.get("link", "") or not whole
        total = count_of(reply) if asked.count else None
        runs = spans.read(reply.headers.get(spans.HEADER.lower(), ""))
        return _Given(entities, more, total, warnings_of(reply), runs)

    async def _post(self, caller: Caller, asked: Query, wording: Wording) -> Reply:
        terms = wording.terms
        params = query_params(replace(asked, selectors=()), terms)
        document: dict[str, Any] = {"type": "Query"}
        entities = [selected(one, terms) for one in asked.selectors]
        if entities:
            document["entities"] = [item for items in entities for item in items]
        if "attrs" in params:
            document["attrs"] = params.pop("attrs").split(",")
        for name in ("q", "scopeQ"):
            if name in params:
                document[name] = params.pop(name)
        geo = {name: params.pop(name) for name in GEO if name in params}
        if geo:
            document["geoQ"] = geo
        ordered = ordering(params)
        if ordered:
            document["ordering"] = ordered
        return await self.send(
            caller, "POST", "/entityOperations/query", wording, params=params, document=document
        )

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> Answer:
        """Give those of its entities that there are, and what it says of sources behind it."""
        wording = await self._wire.wording(self.registration, caller)
        restriction = caller.require("read")
        gate = asyncio.Semaphore(RETRIEVALS_MAX)

        async def one(entity_id: str) -> _Given:
            async with gate:
                return await self._retrieve(caller, entity_id, wording)

        found = await asyncio.gather(*(one(entity_id) for entity_id in entity_ids))
        kept = self._kept([entity for given in found for entity in given.entities], restriction)
        said = tuple(dict.fromkeys(absence for given in found for absence in given.said))
        return FederatedAnswer(kept, completeness=Completeness(missing=said))

    async def _retrieve(self, caller: Caller, entity_id: str, wording: Wording) -> _Given:
        if not self._leg.supports("retrieveEntity"):
            selectors = (Selector(ids=(entity_id,)),)
            narrowed = self._leg.narrowed(Query(selectors=selectors, limit=1))
            if narrowed is None:
                return _Given([], False, None)
            given = await self._page(caller, narrowed, wording)
            given.entities = [one for one in given.entities if one.id == entity_id][:1]
            return given
        params = {"options": "sysAttrs"}
        attributes = self._leg.attributes
        if attributes is not None:
            params["attrs"] = ",".join(sorted(map(wording.of_url.compact, attributes)))
        path = "/entities/" + quote(entity_id, safe=SAFE_IN_PATH)
        reply = await self.send(caller, "GET", path, wording, params=params)
        check(reply)
        there = reply.status != 404 and reply.document is not None
        entities = [await self._read(reply.document, wording)] if there else []
        return _Given(entities, False, None, warnings_of(reply))

    async def _read(self, document: Any, wording: Wording) -> Entity:
        try:
            terms = await self._wire.terms_of(document, wording)
            return read_entity(document, terms)
        except (InputError, ContextUnavailableError, RecursionError) as error:
            said = error.detail if isinstance(error, ConurbError) else "nested too deep"
            raise SourceError(f"the answer isn't NGSI-LD: {said:.300}", code=111) from error

    # ── history ───────────────────────────────────────────────────────────────────────────────

    async def evolution(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Query the history of its entities."""
        narrowed = self._leg.narrowed(query.query)
        if narrowed is None:
            return EvolutionPage([], total=0 if query.query.count else None)
        restriction = caller.require("read")
        asked = replace(query, query=restricted(narrowed, restriction))
        wording = await self._wire.wording(self.registration, caller)
        terms = wording.of_url
        try:
            params = {**query_params(asked.query, terms), **temporal_params(asked)}
        except UnwritableError as error:
            raise SourceError(f"can't be asked for this: {error.detail}") from error
        ids = [one for selector in asked.query.selectors for one in selector.ids]
        alone = len(ids) == 1 and self._leg.supports("retrieveTemporal")
        if alone and (asked.window.relation is None or not self._leg.supports("queryTemporal")):
            path = "/temporal/entities/" + quote(ids[0], safe=SAFE_IN_PATH)
            only = {name: params[name] for name in params if name not in OF_QUERIES}
            reply = await self.send(caller, "GET", path, wording, params=only)
        elif self._leg.supports("queryTemporal"):
            if asked.window.relation is None:
                params |= {"timerel": "after", "timeAt": "0001-01-01T00:00:00Z"}
            reply = await self.send(caller, "GET", "/temporal/entities", wording, params=params)
        else:
            raise SourceError("offers no history of this")
        check(reply)
        said = Completeness(missing=warnings_of(reply))
        if reply.status == 404 or reply.document is None:
            total = 0 if query.query.count else None
            return FederatedEvolutionPage([], total=total, completeness=said)
        document = reply.document if isinstance(reply.document, list) else [reply.document]
        evolutions = [await self._read_evolution(one, wording, query) for one in document]
        kept = [one for one in evolutions if self._leg.covers(one.id, one.types)]
        kept.sort(key=lambda one: one.id)
        total = count_of(reply) if query.query.count else None
        page = FederatedEvolutionPage(kept, total=total, completeness=said)
        page.more = 'rel="next"' in reply.headers.get("link", "")
        if reply.status == 206:
            page.truncated_at_us = truncated_at(reply.headers.get("content-range", ""))
        return page

    async def _read_evolution(
        self, document: Any, wording: Wording, query: TemporalQuery
    ) -> Evolution:
        try:
            terms = await self._wire.terms_of(document, wording)
            return read_evolution(document, terms, aggregated=query.aggregation is not None)
        except (InputError, ContextUnavailableError, RecursionError) as error:
            said = error.detail if isinstance(error, ConurbError) else "nested too deep"
            raise SourceError(f"the answer isn't NGSI-LD: {said:.300}", code=111) from error


def _is_ordered(entities: Sequence[Entity], query: Query) -> bool:
    keys = [order_key(one, query.order) for one in entities]
    return all(one <= other for one, other in pairwise(keys))


def order_attributes(query: Query) -> set[str]:
    """Give the attributes that entities are ordered by."""
    steps = (one.path.steps[0] for one in query.order)
    return {step for step in steps if isinstance(step, str) and ":" in step}
