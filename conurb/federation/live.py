"""What changes in a region while somebody looks: one reader per node's journal, many listeners.

The journals of the node and of its members in the same process are read while anybody listens, once
for all listeners; members elsewhere that are of this program tell by the same protocol. A listener
gets the latest state of each object that has changed since it was last told; what it has not been
told yet is bounded. It can come back: a token says how far it was told, for every node.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from conurb.access.caller import Caller
from conurb.errors import ConurbError, InvariantError, UnavailableError
from conurb.federation.live_remote import RemoteFeed
from conurb.federation.live_token import read_token, write_token
from conurb.model.query.match import admits
from conurb.model.query.tree import Restriction
from conurb.model.registration import THIS_PROCESS
from conurb.model.scope import is_within

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.model.entity import Entity
    from conurb.node.node import Node
    from conurb.store.contract import Record, Store

LISTENERS_MAX: Final = 200
"""Listeners of one node at a time."""

OBJECTS_MAX: Final = 20_000
"""Objects that have changed and that a listener hasn't been told of."""

RECORDS: Final = 500
"""Entries of a journal that are read at a time."""

MISSED_MAX: Final = 50_000
"""Entries of a journal that are read for a listener that comes back."""

WAIT_S: Final = 20.0
PAUSE_S: Final = 2.0
"""How long is waited after a journal couldn't be read."""

LOOK_S: Final = 10.0
"""How often it is looked who belongs to the region."""

LINGER_S: Final = 60.0
"""How long journals are read on after the last listener has left."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveChange:
    """The latest state of an object: what it is now, or that it is gone (None)."""

    seq: int
    at_us: int
    id: str
    types: tuple[str, ...]
    scope: tuple[str, ...]
    entity: Entity | None


@dataclass(slots=True)
class Told:
    """What a listener is told at once, with the token of how far it then was told.

    `reset` says why it has to look at everything anew; `dropped`, why it isn't told any more.
    """

    changes: list[LiveChange]
    token: str
    reset: str | None = None
    dropped: str | None = None


@dataclass(eq=False, slots=True)
class Listener:
    """One who listens: to objects of `types` (IRIs; none: any) within a restriction."""

    types: frozenset[str]
    restriction: Restriction
    positions: dict[str, int]
    _pending: dict[str, LiveChange] = field(default_factory=dict)
    _from: dict[str, str] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _reset: str | None = None
    _dropped: str | None = None

    def offer(self, source: str, change: LiveChange) -> None:
        """Take note of a change."""
        if change.seq > self.positions.get(source, 0):
            self.positions[source] = change.seq
        if self._dropped is not None or not self._concerns(change):
            return
        known = self._pending.pop(change.id, None)
        if known is not None and self._from[change.id] == source and known.seq > change.seq:
            change = known
        self._pending[change.id] = change
        self._from[change.id] = source
        if len(self._pending) > OBJECTS_MAX:
            self._dropped = f"too slow: {OBJECTS_MAX} objects have changed that weren't taken yet"
            self._pending.clear()
            self._from.clear()
        self._news.set()

    def passed(self, source: str, seq: int) -> None:
        """Take note that a journal was read up to a number."""
        if seq > self.positions.get(source, 0):
            self.positions[source] = seq

    def start_anew(self, reason: str) -> None:
        """Say that what happened meanwhile can't be told."""
        self._reset = reason
        self._news.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to tell; False when the time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def find_token(self) -> str | None:
        """Give the token of now; None while there is something to tell first."""
        return None if self._news.is_set() else write_token(self.positions)

    def take(self) -> Told:
        """Take what is to be told."""
        told = Told(
            list(self._pending.values()),
            write_token(self.positions),
            reset=self._reset,
            dropped=self._dropped,
        )
        self._pending.clear()
        self._from.clear()
        self._reset = None
        self._news.clear()
        return told

    def _concerns(self, change: LiveChange) -> bool:
        if self.types and not self.types & set(change.types):
            return False
        if change.entity is not None:
            return admits(self.restriction, change.entity)
        types, scopes = self.restriction.types, self.restriction.scopes
        return (types is None or bool(set(types) & set(change.types))) and (
            scopes is None or any(is_within(held, root) for held in change.scope for root in scopes)
        )


class Live:
    """The listeners of one node, and the journals that are read for them."""

    def __init__(self, node: Node, reach: Reach) -> None:
        self._node = node
        self._reach = reach
        self._listeners: set[Listener] = set()
        self._feeds: dict[str, _Feed | RemoteFeed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._lingering: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Do nothing: journals are read while somebody listens."""

    async def close(self) -> None:
        """Stop reading."""
        if self._lingering is not None:
            self._lingering.cancel()
            await asyncio.wait([self._lingering])
        await self._stop()

    @property
    def sources(self) -> list[str]:
        """List the nodes that are listened to."""
        return list(self._feeds)

    @property
    def silent(self) -> dict[str, str]:
        """Give the nodes that can't be listened to at present, and why."""
        return {name: feed.error for name, feed in self._feeds.items() if feed.error is not None}

    async def listen(
        self, caller: Caller, *, types: frozenset[str], token: str | None = None
    ) -> Listener:
        """Begin to listen; with a token, from where it says.

        Raises ForbiddenError without the right, BadRequestDataError for what isn't a token,
        UnavailableError when too many listen.
        """
        restriction = caller.require("read")
        known = read_token(token) if token else {}
        if len(self._listeners) >= LISTENERS_MAX:
            raise UnavailableError(f"{LISTENERS_MAX} listen already; more can't be told")
        listener = Listener(types, restriction, {})
        self._listeners.add(listener)
        try:
            await self._start()
            await self._catch_up(listener, known)
        except BaseException:
            await self.leave(listener)
            raise
        return listener

    async def leave(self, listener: Listener) -> None:
        """Stop to listen."""
        self._listeners.discard(listener)
        if not self._listeners and self._lingering is None:
            self._lingering = asyncio.create_task(self._linger(), name="live: lingering")

    async def _linger(self) -> None:
        """Go on reading for a while: whoever was cut off comes back at once."""
        await asyncio.sleep(LINGER_S)
        self._lingering = None
        if not self._listeners:
            await self._stop()

    def publish(self, source: str, change: LiveChange) -> None:
        """Tell all who listen."""
        for listener in self._listeners:
            listener.offer(source, change)

    def passed(self, source: str, seq: int) -> None:
        """Tell all who listen how far a journal was read."""
        for listener in self._listeners:
            listener.passed(source, seq)

    def start_anew(self, reason: str) -> None:
        """Tell all who listen that something can't be told."""
        for listener in self._listeners:
            listener.start_anew(reason)

    # ── the journals ──────────────────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        async with self._lock:
            if self._looking is None:
                await self._look()
                self._looking = asyncio.create_task(self._look_again(), name="live: looking")

    async def _stop(self) -> None:
        async with self._lock:
            tasks = list(self._tasks.values())
            if self._looking is not None:
                tasks.append(self._looking)
            self._looking = None
            self._tasks.clear()
            self._feeds.clear()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except ConurbError as error:
                _log.info("live: who belongs to the region isn't known: %s", error.detail)

    async def _look(self) -> None:
        """Begin to read the journals of nodes that have come, stop with those that went."""
        found = await self._members()
        for name in self._feeds.keys() - found.keys():
            self._tasks.pop(name).cancel()
            del self._feeds[name]
        for name in found.keys() - self._feeds.keys():
            feed = found[name]
            await feed.begin()
            self._feeds[name] = feed
            self._tasks[name] = asyncio.create_task(feed.run(), name=f"live: {name}")

    async def _members(self) -> dict[str, _Feed | RemoteFeed]:
        own = self._reach.name
        members: dict[str, _Feed | RemoteFeed] = {own: _Feed(own, self._node.store, self)}
        for registration in await self._reach.registrations.all():
            name = registration.name
            if name in members:
                continue
            if registration.endpoint != THIS_PROCESS:
                members[name] = RemoteFeed(
                    registration,
                    self._node.delivery.outbound,
                    self,
                    # Greater than whatever an earlier feed has counted: its tokens are told apart.
                    seq=self._node.clock(),
                )
                continue
            try:
                node = await self._reach.open_node(registration.tenant)
            except ConurbError as error:
                _log.info("live: %s can't be listened to: %s", name, error.detail)
                continue
            members[name] = _Feed(name, node.store, self)
        return members

    async def _catch_up(self, listener: Listener, known: Mapping[str, int]) -> None:
        """Tell a listener that comes back what it has missed, or that it was too much."""
        for name, feed in list(self._feeds.items()):
            listener.passed(name, feed.seq)
            after = known.get(name)
            if after is None:
                continue
            reason = await feed.repeat(listener, after)
            if reason is not None:
                listener.start_anew(f"{name}: {reason}")


class _Feed:
    """The journal of one node of this process."""

    def __init__(self, name: str, store: Store, live: Live) -> None:
        self.name = name
        self.seq = 0
        self.error: str | None = None
        self._store = store
        self._live = live

    async def begin(self) -> None:
        """Begin with what happens from now on."""
        self.seq = await self._store.journal_end()

    async def run(self) -> None:
        """Read until it is cancelled."""
        while True:
            try:
                await self._step()
                self.error = None
            except ConurbError as error:
                self.error = error.detail
                await asyncio.sleep(PAUSE_S)

    async def _step(self) -> None:
        if not await self._store.wait_for_journal(self.seq, WAIT_S):
            return
        records = await self._store.journal(after=self.seq, limit=RECORDS)
        if not records:
            self.seq = await self._store.journal_end()
            self._live.start_anew(f"{self.name}: its journal was pruned before it was read")
            return
        for record in records:
            self._live.publish(self.name, change_of(record))
        self.seq = records[-1].seq
        self._live.passed(self.name, self.seq)

    async def repeat(self, listener: Listener, after: int) -> str | None:
        """Tell a listener what came after a number, up to now; give why that can't be."""
        end = self.seq
        if after > end:
            return "the token is of another journal"
        if end - after > MISSED_MAX:
            return f"{end - after} changes were missed, over {MISSED_MAX}"
        while after < end:
            records = await self._store.journal(after=after, limit=RECORDS)
            if not records or records[0].seq != after + 1:
                return "what was missed isn't in the journal any more"
            for record in records:
                if record.seq <= end:
                    listener.offer(self.name, change_of(record))
            after = records[-1].seq
        return None


def change_of(record: Record) -> LiveChange:
    """Give the state that an entry of the journal led to."""
    return LiveChange(
        record.seq, record.at_us, record.entity_id, record.types, record.scope, record.after
    )


def live_of(node: Node) -> Live:
    """Give what tells of a node's changes; it has been federated."""
    for one in node.companions:
        if isinstance(one, Live):
            return one
    raise InvariantError(f"node {node.id!r} isn't federated")
