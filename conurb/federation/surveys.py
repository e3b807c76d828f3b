"""Keeping what is known of where the objects of nodes lie (`extents.py` decides by it).

Measuring goes on in the background: the question that finds nothing measured yet, or something too
old, asks everybody and has it measured for the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConurbError
from conurb.federation.completeness import Skip
from conurb.federation.envoy import Envoy
from conurb.federation.extents import lies_elsewhere, read
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.store.extent import Extent, Extents, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conurb.access.caller import Caller
    from conurb.federation.legs import Leg
    from conurb.federation.peers import Open
    from conurb.federation.wire import Wire
    from conurb.model.query.tree import Query
    from conurb.node.node import Node

EXTENTS_PATH: Final = "/federation/extents"
AGE_MAX_S: Final = 60.0
"""How old the measure of a node elsewhere may be; after half of that it is asked for again."""
PAUSE_S: Final = 5.0
PAUSE_S_MAX: Final = 600.0
"""How long a node isn't measured again after it was: at first, and when it keeps changing before
the measure could be used. To ask it costs less than to measure it all the time."""
KNOWN_MAX: Final = 10_000
"""Nodes elsewhere of which a measure is kept."""
REASON: Final = "none of its objects lie there"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a node elsewhere said, when, and how old it was then."""

    kinds: Mapping[Kind, Extent]
    told_s: float
    age_s: float

    def age_now_s(self) -> float:
        return self.age_s + monotonic() - self.told_s


class Surveys:
    """What one node knows of where its sources' objects lie."""

    def __init__(self, node: Node, *, open_node: Open, wire: Wire | None) -> None:
        self._node = node
        self._open_node = open_node
        self._wire = wire
        self._measured: dict[str | None, Extents] = {}
        self._told: dict[str, _Told] = {}
        self._paused_s: dict[str, float] = {}
        self._pauses_s: dict[str, float] = {}
        self._one_at_a_time = asyncio.Semaphore(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Start with nothing measured."""

    async def close(self) -> None:
        """Stop measuring."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def settled(self) -> None:
        """Wait until what is being measured has been."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def own(self) -> Extents:
        """Give where this node's own objects lie, measured again if it has changed."""
        return await self._measure(self._node)

    async def skip(self, caller: Caller, leg: Leg, query: Query) -> Skip | bool:
        """Say why a source needn't be asked, or whether that could be decided at all."""
        registration = leg.registration
        if registration.endpoint == THIS_PROCESS:
            return await self._skip_local(caller, leg, query)
        told = self._told.get(registration.id)
        age_s = None if told is None else told.age_now_s()
        is_due = age_s is None or age_s > AGE_MAX_S / 2
        if is_due and self._wire is not None and self._wire.is_kin(registration):
            self._begin(registration.id, lambda: self._ask(registration))
        if told is None or age_s is None or age_s > AGE_MAX_S:
            return False
        self._pauses_s.pop(registration.id, None)
        return Skip(leg.name, REASON, age_s) if lies_elsewhere(told.kinds, query) else True

    async def _skip_local(self, caller: Caller, leg: Leg, query: Query) -> Skip | bool:
        tenant = leg.registration.tenant
        try:
            node = await self._open_node(tenant)
        except ConurbError:
            return False
        if not await node.consume.is_alone(caller):
            return False
        known = self._measured.get(tenant)
        key = f"tenant {tenant}"
        if known is None or known.seq != await node.store.journal_end():
            self._begin(key, lambda: self._remeasure(tenant, node))
            return False
        self._pauses_s.pop(key, None)
        return Skip(leg.name, REASON) if lies_elsewhere(known.kinds, query) else True

    # ── measuring ─────────────────────────────────────────────────────────────────────────────

    def _begin(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Measure in the background, unless that goes on already or was done just now."""
        now = monotonic()
        if key in self._tasks or self._paused_s.get(key, 0.0) > now:
            return
        if len(self._paused_s) >= KNOWN_MAX:
            self._paused_s.clear()
            self._pauses_s.clear()
        pause_s = self._pauses_s.get(key, PAUSE_S)
        self._pauses_s[key] = min(pause_s * 2, PAUSE_S_MAX)
        self._paused_s[key] = now + pause_s
        task = asyncio.create_task(work(), name=f"measuring {key}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _remeasure(self, tenant: str | None, node: Node) -> None:
        try:
            async with self._one_at_a_time:
                self._measured[tenant] = await node.store.extents()
        except ConurbError as error:
            _log.info("where the objects of %s lie: %s", tenant, error.detail)

    async def _measure(self, node: Node) -> Extents:
        known = self._measured.get(node.tenant)
        if known is None or known.seq != await node.store.journal_end():
            known = self._measured[node.tenant] = await node.store.extents()
        return known

    async def _ask(self, registration: Registration) -> None:
        token = registration.told("Authorization")
        envoy = Envoy(
            self._node.delivery.outbound,
            registration.endpoint.rstrip("/").removesuffix("/ngsi-ld/v1"),
            tenant=registration.tenant,
            token=None if token is None else token.removeprefix("Bearer "),
        )
        try:
            document = await envoy.ask("GET", EXTENTS_PATH)
            kinds = read(document["extents"])
            age_s = float(document["age"])
        except (ConurbError, ValueError, TypeError, KeyError) as error:
            _log.info("where the objects of %s lie: %s", registration.name, error)
            self._told.pop(registration.id, None)
            return
        if len(self._told) >= KNOWN_MAX:
            self._told.clear()
        self._told[registration.id] = _Told(kinds, monotonic(), age_s)
