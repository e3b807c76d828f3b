"""Snapshots: frozen copies of what queries gave, each a small node of its own (clause 5.16).

A snapshot has its own store, filled in the background, so that everything that can be done with a
node can be done with it: query it while the world moves on, or change it to ask 'what if'
(clause 4.3.7). The node keeps a document of each; the host opens and drops their stores.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

from conurb.access.caller import Caller
from conurb.errors import (
    AlreadyExistsError,
    ConflictError,
    ConurbError,
    NotFoundError,
    OperationNotSupportedError,
    TooComplexQueryError,
)
from conurb.model.entity import Entity
from conurb.model.operations.entity import PlaceEntity
from conurb.model.operations.temporal import PlaceEvolution
from conurb.model.query.tree import Condition, Query, Restriction, TemporalQuery
from conurb.model.time import US_PER_S, Clock
from conurb.node.bounds import Bounds
from conurb.node.freezing import Look, StoreLook
from conurb.node.outcomes import BatchResult
from conurb.node.snapshot import (
    KIND,
    PRIORITY,
    Detail,
    Outcome,
    Snapshot,
    SnapshotOrder,
    SnapshotPatch,
    check_condition,
    overall,
    satisfies,
)
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.node.node import Node
    from conurb.store.contract import Store

LIFETIME_US: Final = 3600 * US_PER_S
"""How long a snapshot is kept when its maker doesn't say."""

LIFETIME_US_MAX: Final = 30 * 24 * 3600 * US_PER_S
"""How long a snapshot is kept at most."""

USE_US: Final = 10 * US_PER_S
"""How exact `lastUsedAt` is: a use within this time of the last one isn't written."""

Announce = Callable[[Snapshot], Awaitable[None]]
"""Tells a snapshot's endpoint of its status (clause 5.16.6)."""

_log = logging.getLogger(__name__)


class Rooms(Protocol):
    """Where the stores of snapshots stand: gives their nodes, and drops them."""

    async def open(self, place: str) -> Node:
        """Give the open node of a place, made when it isn't there."""
        ...

    async def drop(self, place: str) -> None:
        """Close a place and take it away for good."""
        ...

    async def close(self) -> None:
        """Close every place."""
        ...


class NoRooms:
    """The rooms of a node that takes no snapshots."""

    async def open(self, place: str) -> Node:
        """Raise OperationNotSupportedError."""
        raise OperationNotSupportedError("this node takes no snapshots")

    async def drop(self, place: str) -> None:
        """Do nothing: there is none."""

    async def close(self) -> None:
        """Do nothing: there is none."""


async def say_nothing(snapshot: Snapshot) -> None:
    """Announce to nobody."""


class Snapshots:
    """The snapshots of one node."""

    def __init__(
        self,
        store: Store,
        rooms: Rooms,
        bounds: Bounds,
        clock: Clock,
        *,
        announce: Announce = say_nothing,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self.announce = announce
        self._store = store
        self._look: Look = StoreLook(store)
        self._rooms = rooms
        self._bounds = bounds
        self._clock = clock
        self._new_id = new_id
        self._known: dict[str, Snapshot] = {}
        self._filling: dict[str, asyncio.Task[None]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def look_through(self, look: Look) -> None:
        """Have snapshots freeze what `look` gives, in the place of what the store holds."""
        self._look = look

    async def open(self) -> None:
        """Take in the snapshots that the store knows; those that were being filled have failed."""
        for document in await self._store.list_documents(KIND):
            snapshot = Snapshot.of(document.body)
            self._known[snapshot.id] = snapshot
            if snapshot.status == "preparing":
                snapshot.status = "failure"
                await self._save(snapshot)

    async def close(self) -> None:
        """Stop filling and telling."""
        for task in [*self._filling.values(), *self._telling]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._filling.clear()
        await self._rooms.close()

    async def create(self, caller: Caller, order: SnapshotOrder) -> Snapshot:
        """Make a snapshot and begin to fill it (clause 5.16.1).

        Raises AlreadyExistsError when there is one of its id.
        """
        seen_by = caller.require("read")
        caller.require("write")
        snapshot = self._new(order, seen_by)
        await self._make_room()
        await self._save(snapshot)
        self._start(snapshot, self._fill(snapshot, order))
        return snapshot

    async def clone(self, caller: Caller, snapshot_id: str, order: SnapshotOrder) -> Snapshot:
        """Copy a snapshot with everything in it (clause 5.16.2).

        Raises NotFoundError when there is none, ConflictError when it is still being filled,
        AlreadyExistsError when there is one of the new id.
        """
        source = self.get(caller, snapshot_id)
        caller.require("write")
        if source.status == "preparing":
            raise ConflictError(f"snapshot {snapshot_id!r} is still being filled")
        snapshot = self._new(order, source.seen_by)
        snapshot.queries, snapshot.temporal_queries = source.queries, source.temporal_queries
        await self._make_room(but=source.id)
        await self._save(snapshot)
        self._start(snapshot, self._copy(source, snapshot))
        return snapshot

    def get(self, caller: Caller, snapshot_id: str) -> Snapshot:
        """Give a snapshot (clause 5.16.3); raise NotFoundError when there is none, or no longer."""
        restriction = caller.require("read")
        found = self._known.get(snapshot_id)
        gone = found is None or found.expires_us <= self._clock()
        if found is None or gone or restriction not in (found.seen_by, Restriction()):
            raise NotFoundError(f"snapshot {snapshot_id!r} doesn't exist here")
        return found

    async def node(self, caller: Caller, snapshot_id: str) -> Node:
        """Give the node that a snapshot is, and remember the use (clause 5.5.15)."""
        snapshot = self.get(caller, snapshot_id)
        now = self._clock()
        if now - snapshot.used_us > USE_US:
            snapshot.used_us = now
            await self._save(snapshot)
        return await self._rooms.open(snapshot.place)

    async def update(self, caller: Caller, snapshot_id: str, patch: SnapshotPatch) -> Snapshot:
        """Change what may be changed in a snapshot (clause 5.16.4)."""
        snapshot = self.get(caller, snapshot_id)
        caller.require("write")
        if patch.lifetime_us is not None:
            snapshot.expires_us = self._expiry(patch.lifetime_us)
        if patch.priority is not None:
            snapshot.priority = patch.priority
        if patch.endpoint is not None:
            snapshot.endpoint = patch.endpoint
        if patch.receiver_info is not None:
            snapshot.receiver_info = list(patch.receiver_info)
        snapshot.modified_us = self._clock()
        await self._save(snapshot)
        telling = asyncio.create_task(self._announced(snapshot))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        return snapshot

    async def delete(self, caller: Caller, snapshot_id: str) -> None:
        """Delete a snapshot with everything in it (clause 5.16.5)."""
        snapshot = self.get(caller, snapshot_id)
        caller.require("write")
        await self._drop(snapshot)

    async def purge(self, caller: Caller, condition: Condition) -> BatchResult:
        """Delete the snapshots that satisfy a condition on their members (clause 5.16.7).

        Raises BadRequestDataError when it asks of anything else, NotFoundError when none does.
        """
        restriction = caller.require("write")
        check_condition(condition)
        chosen = [
            one
            for one in self._known.values()
            if restriction in (one.seen_by, Restriction()) and satisfies(one, condition)
        ]
        if not chosen:
            raise NotFoundError("no snapshot here satisfies q")
        result = BatchResult()
        for snapshot in chosen:
            try:
                await self._drop(snapshot)
            except ConurbError as error:
                result.errors.append((snapshot.id, error))
            else:
                result.success.append(snapshot.id)
        return result

    async def sweep(self) -> None:
        """Drop the snapshots whose time is over."""
        now = self._clock()
        for snapshot in [one for one in self._known.values() if one.expires_us <= now]:
            await self._drop(snapshot)

    # ── how ───────────────────────────────────────────────────────────────────────────────────

    def _new(self, order: SnapshotOrder, seen_by: Restriction) -> Snapshot:
        key = self._new_id()
        snapshot_id = order.id or f"urn:ngsi-ld:Snapshot:{key}"
        if snapshot_id in self._known:
            raise AlreadyExistsError(f"snapshot {snapshot_id!r} exists already")
        now = self._clock()
        snapshot = Snapshot(
            snapshot_id,
            f"snapshot-{key}",
            now,
            now,
            now,
            self._expiry(order.lifetime_us),
            priority=PRIORITY if order.priority is None else order.priority,
            queries=list(order.documents),
            temporal_queries=list(order.temporal_documents),
            endpoint=order.endpoint,
            receiver_info=list(order.receiver_info),
            seen_by=seen_by,
        )
        self._known[snapshot_id] = snapshot
        return snapshot

    def _expiry(self, lifetime_us: int | None) -> int:
        return self._clock() + min(lifetime_us or LIFETIME_US, LIFETIME_US_MAX)

    async def _make_room(self, *, but: str | None = None) -> None:
        """Drop the least important, least used snapshots when there are too many (5.5.15)."""
        while len(self._known) > self._bounds.snapshots_max:
            ready = [
                one
                for one in self._known.values()
                if one.id not in self._filling and one.status != "preparing" and one.id != but
            ]
            if not ready:
                return
            await self._drop(min(ready, key=lambda one: (one.priority, one.used_us)))

    async def _announced(self, snapshot: Snapshot) -> None:
        await self.announce(snapshot)

    async def _save(self, snapshot: Snapshot) -> None:
        await self._store.put_document(Document(KIND, snapshot.id, snapshot.body()))

    async def _drop(self, snapshot: Snapshot) -> None:
        task = self._filling.pop(snapshot.id, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._known.pop(snapshot.id, None)
        await self._store.delete_document(KIND, snapshot.id)
        await self._rooms.drop(snapshot.place)

    def _start(self, snapshot: Snapshot, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except ConurbError as error:
                _log.warning("snapshot %s: %s", snapshot.id, error.detail)
                snapshot.status = "failure"
            finally:
                self._filling.pop(snapshot.id, None)
            snapshot.modified_us = self._clock()
            await self._save(snapshot)
            await self.announce(snapshot)

        self._filling[snapshot.id] = asyncio.create_task(run(), name=f"snapshot {snapshot.id}")

    async def _fill(self, snapshot: Snapshot, order: SnapshotOrder) -> None:
        target = (await self._rooms.open(snapshot.place)).store
        for query in order.queries:
            try:
                entities, missing = await self._frozen(query, snapshot.seen_by)
                await target.apply_all([PlaceEntity(entity) for entity in entities])
                detail = _detail("success" if entities else "empty", missing)
            except ConurbError as error:
                detail = Detail("failure", type(error).__name__, error.detail)
            snapshot.details.append(detail)
        for asked in order.temporal_queries:
            try:
                count, missing = await self._place_histories(asked, snapshot.seen_by, target)
                detail = _detail("success" if count else "empty", missing)
            except ConurbError as error:
                detail = Detail("failure", type(error).__name__, error.detail)
            snapshot.temporal_details.append(detail)
        snapshot.status = overall([*snapshot.details, *snapshot.temporal_details])

    async def _frozen(
        self, query: Query, restriction: Restriction
    ) -> tuple[list[Entity], str | None]:
        """Give all that a query selects, and who was missing."""
        bound = self._bounds.snapshot_max
        page, missing = await self._look.query(
            replace(query, restriction=restriction, order=(), limit=bound, offset=0, count=False)
        )
        if page.more:
            raise TooComplexQueryError(f"a snapshot takes {bound} entities of a query at most")
        return page.entities, missing

    async def _place_histories(
        self, asked: TemporalQuery, restriction: Restriction, target: Store
    ) -> tuple[int, str | None]:
        """Copy the histories that a query selects; give of how many entities, and who missed."""
        count, more = 0, True
        missing: str | None = None
        while more:
            query = replace(
                asked.query,
                restriction=restriction,
                limit=self._bounds.page_max,
                offset=count,
                count=False,
            )
            page, lost = await self._look.evolution(replace(asked, query=query, aggregation=None))
            missing = missing or lost
            if page.truncated_at_us is not None or count > self._bounds.snapshot_max:
                raise TooComplexQueryError(
                    "a snapshot can't take so much history; narrow the query"
                )
            await target.apply_all([PlaceEvolution(one) for one in page.evolutions])
            count += len(page.evolutions)
            more = page.more
        return count, missing

    async def _copy(self, source: Snapshot, snapshot: Snapshot) -> None:
        origin = (await self._rooms.open(source.place)).store
        target = (await self._rooms.open(snapshot.place)).store
        await target.restore(origin.export())
        snapshot.details = list(source.details)
        snapshot.temporal_details = list(source.temporal_details)
        snapshot.status = source.status


def _detail(status: Outcome, missing: str | None) -> Detail:
    """Say what became of a query, and who didn't answer it."""
    return Detail(status) if missing is None else Detail(status, "UnavailableError", missing)
