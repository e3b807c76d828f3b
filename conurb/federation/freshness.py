"""Promises of freshness, kept or not: the region measures them, shows them, and says when not.

A periodic job of a node that has registered others. Each round it reads the agreements that the
nodes state (and its own), measures those that are due, and raises, follows or closes the objects of
type FreshnessBreach. What it knows is kept in documents of its store, so that after a restart it
goes on where it was, also for a node that doesn't answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConurbError, InvariantError, SourceTimeoutError
from conurb.federation.agreements import (
    AGREEMENT,
    Standing,
    agreement_of,
    measure_of,
)
from conurb.federation.breaches import by_agreement, changes, open_breaches
from conurb.federation.measuring import (
    LocalSource,
    RemoteSource,
    Source,
    measure,
    read_agreements,
)
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.registration import THIS_PROCESS
from conurb.model.time import US_PER_S
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.model.registration import Registration
    from conurb.node.node import Node
    from conurb.store.contract import Store

KIND: Final = "freshness"
PERIOD_S: Final = 60.0
"""How often promises are looked at, unless the settings say otherwise."""
FIRST_S: Final = 2.0
"""How long after the start they are looked at first."""
PARTS: Final = 10
"""A promise is measured this often within the age that it promises, but not in every round."""
DUE_S_MAX: Final = 600.0
"""How long it is left unmeasured at most."""
NODES_AT_ONCE_MAX: Final = 8
"""Nodes that are measured at a time; each one promise after the other."""
NODE_S_MAX: Final = 30.0
"""How long one node may take in one round."""
STANDINGS_MAX: Final = 10_000
"""Promises of all nodes together."""
FAULTS_MAX: Final = 100
"""Faults of agreements that are shown."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sourced:
    """A node that may have promised something, and the way to ask it."""

    name: str
    registration: str | None
    source: Source


class Freshness:
    """The promises that the nodes of a region have made, and how they stand."""

    def __init__(self, node: Node, reach: Reach, *, period_s: float = PERIOD_S) -> None:
        """Take the node that looks; a `period_s` of 0 never does."""
        self._node = node
        self._reach = reach
        self._period_s = period_s
        self._standings: dict[str, Standing] = {}
        self._faults: dict[str, list[str]] = {}
        self._offsets_s: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Take up what was known, and go on looking."""
        for stored in await self._node.store.list_documents(KIND):
            self._standings[stored.id] = _standing_of(stored)
        if self._period_s > 0:
            self._task = asyncio.create_task(self._tend(), name="freshness")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _tend(self) -> None:
        await asyncio.sleep(min(FIRST_S, self._period_s))
        while True:
            try:
                await self.look()
            except ConurbError as error:
                _log.warning("freshness: %s", error.detail)
            except Exception:  # a job that dies would be silent for ever
                _log.exception("freshness")
            await asyncio.sleep(self._period_s)

    # ── one round ─────────────────────────────────────────────────────────────────────────────

    async def look(self) -> None:
        """Read what is promised, measure what is due, and write what follows."""
        if not await self._reach.registrations.any() and not self._standings:
            return
        sources = await self._sources()
        gate = asyncio.Semaphore(NODES_AT_ONCE_MAX)

        async def one(sourced: Sourced) -> list[Standing]:
            async with gate:
                return await self._look_at(sourced)

        found: dict[str, Standing] = {}
        for standings in await asyncio.gather(*map(one, sources)):
            for standing in standings:
                if len(found) < STANDINGS_MAX:
                    found.setdefault(standing.agreement.id, standing)
        await self._keep(found)
        await self._follow()

    async def _sources(self) -> list[Sourced]:
        """Give this node and those that it has registered for agreements, each once."""
        wanted = Query(selectors=(Selector(types=TypeIs(AGREEMENT)),))
        found: dict[tuple[str, str | None], Sourced] = {}

        async def own() -> Store:
            return self._node.store

        here = Sourced(self._reach.name, None, LocalSource(own))
        for match in await self._reach.registrations.find(wanted, operation="queryBatch"):
            registration = match.registration
            source = self._source(registration)
            if source is not None and registration.mode != "auxiliary":
                place = (registration.endpoint, registration.tenant)
                found.setdefault(place, Sourced(registration.name, registration.id, source))
        return [here, *found.values()]

    def _source(self, registration: Registration) -> Source | None:
        wire, reach = self._reach.wire, self._reach
        if registration.endpoint == THIS_PROCESS:

            async def opened() -> Store:
                return (await reach.open_node(registration.tenant)).store

            return LocalSource(opened)
        if wire is None:
            return None
        return RemoteSource(registration, wire, alias=reach.alias, clock=self._node.clock)

    async def _look_at(self, sourced: Sourced) -> list[Standing]:
        """Give how the promises of a node stand; of one that doesn't answer, those known."""
        ends_s = asyncio.get_running_loop().time() + NODE_S_MAX
        known = [one for one in self._standings.values() if _is_of(one, sourced)]
        try:
            async with _until(ends_s):
                agreements, faults = await read_agreements(sourced.source)
        except ConurbError as error:
            return [self._silent(one, error) for one in known]
        self._faults[sourced.name] = faults[:FAULTS_MAX]
        before = {one.agreement.id: one for one in known}
        standings = []
        for agreement in agreements:
            was = before.get(agreement.id)
            if was is None or was.agreement != agreement:
                was = Standing(
                    agreement=agreement, node=sourced.name, registration=sourced.registration
                )
            standings.append(await self._measured(sourced, was, ends_s))
        self._offsets_s[sourced.name] = sourced.source.offset_us / US_PER_S
        return standings

    async def _measured(self, sourced: Sourced, standing: Standing, ends_s: float) -> Standing:
        """Measure a promise when it is due; `ends_s` is by when, on the loop's clock."""
        agreement, last = standing.agreement, standing.measure
        now_us = self._node.clock()
        if not agreement.holds_at(now_us):
            return standing
        due_us = min(agreement.max_age_us / PARTS, DUE_S_MAX * US_PER_S)
        is_due = last is None or now_us - last.at_us >= due_us or not last.keeps(agreement)
        if not is_due and standing.silent_since_us is None:
            return standing
        try:
            async with _until(ends_s):
                found = await measure(sourced.source, agreement, clock=self._node.clock)
        except ConurbError as error:
            return self._silent(standing, error)
        return replace(standing, measure=found, silent_since_us=None, error=None)

    def _silent(self, standing: Standing, error: ConurbError) -> Standing:
        since_us = standing.silent_since_us
        if since_us is None:
            since_us = self._node.clock()
        return replace(standing, silent_since_us=since_us, error=error.detail[:500])

    async def _keep(self, found: dict[str, Standing]) -> None:
        """Keep what was found in the place of what was known."""
        store = self._node.store
        for agreement_id in [one for one in self._standings if one not in found]:
            await store.delete_document(KIND, agreement_id)
            del self._standings[agreement_id]
        for agreement_id, standing in found.items():
            if self._standings.get(agreement_id) != standing:
                self._standings[agreement_id] = standing
                await store.put_document(_stored(standing))

    async def _follow(self) -> None:
        """Raise, follow and close breaches: objects of this node itself."""
        store = self._node.store
        opened = by_agreement((await store.query(open_breaches())).entities)
        standings = list(self._standings.values())
        operations = list(
            changes(standings, opened, owner=self._node.id, now_us=self._node.clock())
        )
        if not operations:
            return
        for outcome in await store.apply(operations):
            if isinstance(outcome, ConurbError):
                _log.warning("freshness: a breach can't be written: %s", outcome.detail)

    # ── what is shown ─────────────────────────────────────────────────────────────────────────

    @property
    def period_s(self) -> float:
        """Give how often promises are looked at; 0 for never."""
        return self._period_s

    def list_standings(self) -> list[Standing]:
        """List how promises stand, by node and type."""
        return sorted(
            self._standings.values(),
            key=lambda one: (one.node, one.agreement.type, one.agreement.id),
        )

    def list_faults(self) -> list[tuple[str, str]]:
        """List what is wrong with agreements that aren't measured: node, and what."""
        return [(node, fault) for node, faults in self._faults.items() for fault in faults]

    def offset_s(self, node: str) -> float:
        """Give how far a node's clock was ahead of this one's; 0 within what can be told."""
        return self._offsets_s.get(node, 0.0)


@asynccontextmanager
async def _until(ends_s: float) -> AsyncIterator[None]:
    """Bound what a node may take; raise SourceTimeoutError when it takes longer."""
    try:
        async with asyncio.timeout_at(ends_s):
            yield
    except TimeoutError as error:
        raise SourceTimeoutError(f"can't be measured in {NODE_S_MAX:g} s") from error


def _is_of(standing: Standing, sourced: Sourced) -> bool:
    return standing.registration == sourced.registration


def _stored(standing: Standing) -> Document:
    body: dict[str, Any] = {
        "agreement": standing.agreement.document(),
        "node": standing.node,
        "registration": standing.registration,
        "measure": None if standing.measure is None else standing.measure.document(),
        "silentSince": standing.silent_since_us,
        "error": standing.error,
    }
    return Document(KIND, standing.agreement.id, body)


def _standing_of(stored: Document) -> Standing:
    body = stored.body
    return Standing(
        agreement=agreement_of(body["agreement"]),
        node=body["node"],
        registration=body["registration"],
        measure=None if body["measure"] is None else measure_of(body["measure"]),
        silent_since_us=body["silentSince"],
        error=body["error"],
    )


def watch_freshness(node: Node, reach: Reach, *, period_s: float = PERIOD_S) -> None:
    """Wire a federated node to look after the promises that its nodes make."""
    node.companions.append(Freshness(node, reach, period_s=period_s))


def freshness_of(node: Node) -> Freshness:
    """Give how the promises of a node's nodes stand; it has been wired to look after them."""
    for one in node.companions:
        if isinstance(one, Freshness):
            return one
    raise InvariantError(f"node {node.id!r} looks after no promises")
