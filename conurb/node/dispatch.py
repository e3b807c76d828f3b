"""The reader of the journal: hands each record to the couriers of the subscriptions it concerns.

One reader per node, whatever the number of subscriptions. It stores two positions: `READER`, which
every courier has passed, so that the journal may be pruned up to there; and `HEAD`, which every
courier has passed that isn't behind, so that after a restart a dead receiver's backlog holds up
nobody. Both only ever tell what is delivered for sure. Without subscriptions it sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.errors import ConurbError
from conurb.model.query.match import matches
from conurb.model.query.tree import link_depth
from conurb.node.notify import Index, fires, subject, touches
from conurb.store.contract import Document, Position

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.subscription import Subscription
    from conurb.model.time import Clock
    from conurb.node.courier import Courier
    from conurb.node.notify import Touches
    from conurb.store.contract import Record, Store

READER: Final = "subscriptions"
HEAD: Final = "subscriptions.head"
STANDING_KIND: Final = "subscription-standing"

PAGE: Final = 500
"""Records read at once."""
WAIT_S: Final = 60.0
"""How long the reader sleeps when nothing happens."""
RETRY_S: Final = 1.0
"""How long it waits when the store doesn't answer."""
FLUSH_S: Final = 0.2
"""How long standings are collected before they are stored together."""
HEAD_FLUSH_S: Final = 5.0
"""How long a position waits to be stored that no delivery depends on."""
PASS_S: Final = 1.0
"""How long a change of a subscription waits for the reader to finish with what was before it."""
GRACE_S: Final = 1.0
"""How long receivers may take with what is under way when the node stops."""
STRIDE: Final = 50
"""How many records are dispatched before others get their turn on the event loop."""
STEPS_MAX: Final = 32
"""How many rounds of look-ups one condition over linked entities may take."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many subscriptions a node has, how many are behind, and how many failed last."""

    subscriptions: int
    behind: int
    failing: int


class Dispatcher:
    """Reads one node's journal for its couriers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._couriers: dict[str, Courier] = {}
        self._index = Index()
        self._head = 0
        self._reading = 0
        self._stored = {READER: 0, HEAD: 0}
        self._dirty: set[Courier] = set()
        self._awake = asyncio.Event()
        self._advanced = asyncio.Event()
        self._moved = asyncio.Event()
        self._pressing = asyncio.Event()
        self._storing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Take up where the positions are; couriers are given by `put` before `start`."""
        self._stored = {name: await self._store.position(name) for name in (READER, HEAD)}
        self._head = self._reading = self._stored[HEAD]

    def start(self) -> None:
        """Start reading."""
        waiting = self._cursors()
        if waiting:
            self._advance(min(waiting))
        for courier in self._couriers.values():
            courier.start()
        self._tasks = [
            asyncio.create_task(self._run(), name="subscriptions"),
            asyncio.create_task(self._keep(), name="subscriptions-standing"),
        ]

    async def close(self) -> None:
        """Stop reading and delivering; store how everything stands."""
        self._closing = True  # for waiting on a future may swallow a cancellation (Python 3.11)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []
        await asyncio.gather(
            *(courier.stop(grace_s=GRACE_S) for courier in self._couriers.values())
        )
        with contextlib.suppress(ConurbError):
            await self.flush()

    # ── couriers ──────────────────────────────────────────────────────────────────────────────

    def put(self, courier: Courier) -> None:
        """Add a courier, or take notice that its subscription has changed."""
        self._couriers[courier.charge.id] = courier
        subscription = courier.charge.subscription
        # A periodic subscription doesn't wait for changes, a paused one misses them (5.8.6).
        if subscription.interval_us is None and subscription.is_active:
            self._index.put(subscription)
        else:
            self._index.drop(subscription.id)
        self._awake.set()

    async def drop(self, courier: Courier) -> None:
        """Take a courier out and forget how it stood."""
        self._couriers.pop(courier.charge.id, None)
        self._index.drop(courier.charge.id)
        await courier.stop()
        async with self._storing:
            self._dirty.discard(courier)
            await self._store.delete_document(STANDING_KIND, courier.charge.id)

    def find(self, subscription_id: str) -> Courier | None:
        """Find the courier of a subscription."""
        return self._couriers.get(subscription_id)

    def changed(self, courier: Courier) -> None:
        """Take notice that a courier stands otherwise."""
        self._dirty.add(courier)
        self._moved.set()
        self._pressing.set()

    def reading(self) -> int:
        """Give the number of the record that is read at present."""
        return self._reading

    async def passed(self, seq: int) -> None:
        """Wait until the reader has come to a record, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PASS_S):
                while len(self._index) and self._head < seq:
                    self._advanced.clear()
                    await self._advanced.wait()

    def figures(self) -> Figures:
        """Count subscriptions, and those whose receivers don't keep up or fail."""
        standings = [courier.standing for courier in self._couriers.values()]
        return Figures(
            subscriptions=len(standings),
            behind=sum(one.behind for one in standings),
            failing=sum(one.status == "failed" for one in standings),
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        while not self._closing:
            try:
                if not len(self._index):
                    await self._rest()
                elif await self._store.wait_for_journal(self._head, WAIT_S):
                    await self._read()
            except ConurbError as error:
                _log.warning("reading the journal: %s; next try in %s s", error.detail, RETRY_S)
                await asyncio.sleep(RETRY_S)
            except Exception:  # the reader of a node must not die silently
                _log.exception("reading the journal; next try in %s s", RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def _rest(self) -> None:
        """Sleep until there is a subscription that waits for changes; let the journal be pruned."""
        self._awake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._awake.wait()
        end = await self._store.journal_end()
        self._advance(min((end, *self._cursors())))

    def _cursors(self) -> list[int]:
        """Give how far those have come that wait for the reader."""
        return [
            courier.done(0)
            for name, courier in self._couriers.items()
            if name in self._index and not courier.standing.behind
        ]

    async def _read(self) -> None:
        records = await self._store.journal(after=self._head, limit=PAGE)
        for number, record in enumerate(records):
            self._reading = record.seq
            await self._dispatch(record)
            self._advance(record.seq)
            if number % STRIDE == STRIDE - 1:
                await asyncio.sleep(0)

    def _advance(self, seq: int) -> None:
        self._head = self._reading = max(self._head, seq)
        self._advanced.set()
        self._moved.set()

    async def _dispatch(self, record: Record) -> None:
        touched = touches(record)
        for subscription in self._index.candidates(record, touched):
            courier = self._couriers[subscription.id]
            if not courier.wants(record.seq):
                continue
            concerned = await self.concerns(subscription, record, touched)
            # The courier may have changed while linked entities were looked up.
            if concerned and courier.wants(record.seq):
                courier.offer(record)

    async def concerns(self, subscription: Subscription, record: Record, touched: Touches) -> bool:
        """Whether a record concerns a subscription (clause 5.8.6).

        Linked entities that its q speaks of are looked up as they are now.
        """
        if subscription.status(self._clock()) != "active":
            return False
        if not fires(subscription, record, touched):
            return False
        entity, query = subject(record), subscription.query
        if not link_depth(query.condition):
            return matches(entity, query)
        known: dict[str, Entity | None] = {}
        for _ in range(STEPS_MAX):
            missing: dict[str, None] = {}

            def find(entity_id: str, missing: dict[str, None] = missing) -> Entity | None:
                if entity_id not in known:
                    missing[entity_id] = None
                return known.get(entity_id)

            holds = matches(entity, query, linked=find)
            if not missing:
                return holds
            known.update(dict.fromkeys(missing))
            found = await self._store.find_many(list(missing), query.restriction)
            known.update((one.id, one) for one in found)
        return False

    # ── storing how everything stands ─────────────────────────────────────────────────────────

    async def _keep(self) -> None:
        while True:
            await self._moved.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEAD_FLUSH_S):
                    await self._pressing.wait()
            await asyncio.sleep(FLUSH_S)
            self._moved.clear()
            self._pressing.clear()
            try:
                await self.flush()
            except ConurbError as error:
                _log.warning("storing how subscriptions stand: %s", error.detail)
                self._moved.set()
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Store how couriers stand that have moved, then the positions."""
        async with self._storing:
            dirty, self._dirty = self._dirty, set()
            try:
                await asyncio.gather(*(self._store_standing(courier) for courier in dirty))
            except BaseException:
                self._dirty |= dirty
                raise
            lows = [courier.done(self._head) for courier in self._couriers.values()]
            heads = [
                courier.done(self._head)
                for courier in self._couriers.values()
                if not courier.behind_is_stored
            ]
            for name, seqs in ((READER, lows), (HEAD, heads)):
                seq = min(seqs, default=self._head)
                if seq > self._stored[name]:
                    await self._store.set_position(Position(name, seq))
                    self._stored[name] = seq

    async def _store_standing(self, courier: Courier) -> None:
        standing = courier.standing
        standing.seq = courier.done(self._head)
        # What the head has passed already, the courier has to remember by itself.
        behind = standing.behind or standing.seq < self._stored[HEAD]
        body = {**standing.body(), "behind": behind}
        if not behind:
            courier.behind_is_stored = False
        await self._store.put_document(Document(STANDING_KIND, courier.charge.id, body))
        courier.behind_is_stored = behind
