"""Copies of a member's objects, kept by the region for when the member doesn't answer.

For each member whose types are copied a puller reads the member's changes and writes them, together
with how far it has read, in one transaction of a store of their own: so a change that is read twice
after a crash has its effect once. The copies of a city are a tenant, `replica.CITY`; they never
count among the region's objects, and go as a whole. When a member doesn't answer,
`conurb.federation.copies` answers from them and says how old they are.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from conurb.access.caller import Caller
from conurb.access.tokens import digest_of
from conurb.errors import (
    BadRequestDataError,
    ConflictError,
    ConurbError,
    InvariantError,
    NotFoundError,
    UnavailableError,
)
from conurb.federation.changes import CHANGES_PATH, Feed, FeedChange, read_feed
from conurb.federation.envoy import TIMEOUT_S, Envoy
from conurb.federation.members import MEMBER, Member, read_member
from conurb.federation.region import registrations_of
from conurb.model.operations.entity import DeleteEntity, PlaceEntity
from conurb.model.time import US_PER_S, shown_us
from conurb.node.host import TENANT
from conurb.store.contract import Document, Position

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.node.node import Node
    from conurb.store.contract import Store

REPLICA: Final = "replica"
COPIES: Final = "replica."
"""What the names of tenants begin with that hold copies."""
READER: Final = "replica"
"""The reader of the member's journal, as whose position the store of the copies keeps it."""
AS_OF: Final = "replica-as-of"
WAIT_S: Final = 20.0
"""How long the member holds a request when nothing changes."""
PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 30.0
"""How long is waited after a failure: at first, and at most, each shortened by up to half."""
AS_OF_S: Final = 5.0
"""How often it is stored that nothing has changed."""

_log = logging.getLogger(__name__)


class Tenants(Protocol):
    """The tenants of a process (`conurb.node.host.Host`)."""

    async def node(self, tenant: str | None = None, *, create: bool = False) -> Node:
        """Give the node of a tenant."""
        ...

    async def drop(self, tenant: str) -> None:
        """Take a tenant away for good."""
        ...


@dataclass(frozen=True, slots=True)
class Replica:
    """What is copied of a member: objects of these types."""

    city: str
    types: tuple[str, ...]

    @property
    def tenant(self) -> str:
        """Give the tenant that holds the copies."""
        return tenant_of(self.city)

    def stored(self) -> Document:
        """Write it as a document of a store."""
        return Document(REPLICA, self.city, {"types": list(self.types)})


def tenant_of(city: str) -> str:
    """Name the tenant that holds the copies of a city; a name that can't stand becomes its hash."""
    name = f"{COPIES}{city}"
    return name if TENANT.fullmatch(name) else f"{COPIES}{digest_of(city)[:32]}"


def holds_copies(tenant: str) -> bool:
    """Whether a tenant is one of those that hold copies."""
    return tenant.startswith(COPIES)


@dataclass(slots=True)
class Progress:
    """How far copying has come: entry `seq` of `end` of the member's journal.

    The copies are the member's state at `as_of_us` (None: not yet known). `error` is why copying
    doesn't go on at present.
    """

    seq: int = 0
    end: int = 0
    as_of_us: int | None = None
    error: str | None = None


Read = Callable[[int], Awaitable[Feed]]
"""Reads the member's changes after a number."""


class Puller:
    """Copies one member, for as long as it runs."""

    def __init__(
        self,
        replica: Replica,
        *,
        read: Read,
        store: Callable[[], Awaitable[Store]],
        clock: Callable[[], int],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.replica = replica
        self.progress = Progress()
        self._read = read
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._stored_us = 0

    async def run(self) -> None:
        """Copy until it is cancelled; what fails is tried again, ever less often."""
        pause_s = PAUSE_S
        while True:
            try:
                await self.recall()
                while True:
                    await self.step()
                    self.progress.error, pause_s = None, PAUSE_S
            except ConurbError as error:
                self.progress.error = error.detail
            except Exception as error:  # a puller that dies would be silent for ever
                _log.exception("copying %s", self.replica.city)
                self.progress.error = repr(error)
            await asyncio.sleep(pause_s * (1 - self._jitter() / 2))
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def recall(self) -> None:
        """Take up where the store says that copying has come to."""
        store = await self._store()
        self.progress.seq = await store.position(READER)
        known = await store.find_document(AS_OF, self.replica.city)
        if known is not None:
            self.progress.as_of_us = known.body["us"]

    async def step(self) -> None:
        """Read one page of changes and store it, with how far it goes, at once."""
        progress, store = self.progress, await self._store()
        feed = await self._read(progress.seq)
        now = self._clock()
        operations = [self._operation(one) for one in feed.changes]
        if operations:
            position = Position(READER, feed.next)
            for outcome in await store.apply(operations, position=position):
                # What is gone already needn't be deleted; anything else would be lost.
                if isinstance(outcome, ConurbError) and not isinstance(outcome, NotFoundError):
                    raise InvariantError(f"a copy can't be stored: {outcome.detail}")
        elif feed.next > progress.seq:
            await store.set_position(Position(READER, feed.next))
        moved = feed.next > progress.seq
        progress.seq, progress.end = feed.next, feed.end
        as_of_us = now if feed.next >= feed.end else feed.at_us
        if as_of_us is not None:
            progress.as_of_us = as_of_us
            if moved or now - self._stored_us >= AS_OF_S * US_PER_S:
                body = {"us": as_of_us}
                await store.put_document(Document(AS_OF, self.replica.city, body))
                self._stored_us = now

    def _operation(self, change: FeedChange) -> Operation:
        if change.entity is None:
            return DeleteEntity(change.entity_id)
        if not set(self.replica.types) & set(change.entity.types):
            raise UnavailableError(f"{change.entity_id} isn't of the types that are copied")
        return PlaceEntity(change.entity)


class Replication:
    """The copies that a region keeps: which, and the pullers that keep them up."""

    def __init__(self, node: Node, tenants: Tenants) -> None:
        self._node = node
        self._tenants = tenants
        self._registrations = registrations_of(node)
        self._pullers: dict[str, tuple[Puller, asyncio.Task[None]]] = {}

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Go on copying what is to be copied."""
        for stored in await self._node.store.list_documents(REPLICA):
            self._start(Replica(stored.id, tuple(stored.body["types"])))

    async def close(self) -> None:
        """Stop copying."""
        for city in list(self._pullers):
            await self._halt(city)

    def _start(self, replica: Replica) -> None:
        async def store() -> Store:
            return (await self._tenants.node(replica.tenant)).store

        puller = Puller(
            replica,
            read=lambda after: self._changes(replica, after),
            store=store,
            clock=self._node.clock,
        )
        task = asyncio.create_task(puller.run(), name=f"copying {replica.city}")
        self._pullers[replica.city] = (puller, task)

    async def _halt(self, city: str) -> None:
        found = self._pullers.pop(city, None)
        if found is not None:
            found[1].cancel()
            await asyncio.wait([found[1]])

    async def _changes(self, replica: Replica, after: int) -> Feed:
        member = await self._member(replica.city)
        registered = {one.id: one for one in await self._registrations.all()}
        registration = registered.get(member.registration_id)
        if registration is None:
            raise UnavailableError(f"{replica.city} isn't registered any more")
        envoy = Envoy(
            self._node.delivery.outbound,
            member.endpoint,
            tenant=member.tenant,
            token=(registration.told("Authorization") or "").removeprefix("Bearer "),
        )
        params = {
            "after": str(after),
            "wait": f"{WAIT_S:g}",
            "types": ",".join(replica.types),
        }
        answer = await envoy.ask("GET", CHANGES_PATH, params=params, timeout_s=WAIT_S + TIMEOUT_S)
        return read_feed(answer, after)

    async def _member(self, city: str) -> Member:
        stored = await self._node.store.find_document(MEMBER, city)
        if stored is None:
            raise NotFoundError(f"{city!r:.100} is not a member of this region")
        return read_member(stored)

    # ── operations ────────────────────────────────────────────────────────────────────────────

    async def keep(self, caller: Caller, city: str, types: Sequence[str]) -> None:
        """Start to keep copies of a member's types (none: all that it shares).

        Raises ForbiddenError without the right `admin`, NotFoundError for a city that isn't a
        member, ConflictError when it doesn't allow copies or they are kept already,
        BadRequestDataError for types that it doesn't share.
        """
        caller.require("admin")
        member = await self._member(city)
        if not member.copies:
            raise ConflictError(f"{city} allows no copies; it has to join with copies allowed")
        if city in self._pullers:
            raise ConflictError(f"copies of {city} are kept already; drop them first")
        strange = [one for one in types if one not in member.types]
        if strange:
            raise BadRequestDataError(f"types: {strange[:10]} aren't shared by {city}")
        replica = Replica(city, tuple(types) or member.types)
        await self._tenants.node(replica.tenant, create=True)
        await self._node.store.put_document(replica.stored())
        self._start(replica)

    async def drop(self, caller: Caller, city: str) -> None:
        """Drop the copies of a city; raise NotFoundError when there are none."""
        caller.require("admin")
        if city not in self._pullers:
            raise NotFoundError(f"no copies of {city!r:.100} are kept here")
        await self.forget(city)

    async def forget(self, city: str) -> None:
        """Drop the copies of a city, if there are any: it is no member any more."""
        if city in self._pullers:
            await self._halt(city)
            await self._node.store.delete_document(REPLICA, city)
            await self._tenants.drop(tenant_of(city))

    def any(self) -> bool:
        """Whether any copies are kept."""
        return bool(self._pullers)

    def list_standings(self) -> list[dict[str, Any]]:
        """List what is copied and how far it has come: behind in changes, age in seconds."""
        return [self._standing(puller) for puller, _ in self._pullers.values()]

    def _standing(self, puller: Puller) -> dict[str, Any]:
        progress = puller.progress
        as_of_us = progress.as_of_us
        return {
            "city": puller.replica.city,
            "types": list(puller.replica.types),
            "seq": progress.seq,
            "behind": max(0, progress.end - progress.seq),
            "asOf": None if as_of_us is None else shown_us(as_of_us),
            "age": None if as_of_us is None else self._age_s(as_of_us),
            "error": progress.error,
        }

    def _age_s(self, as_of_us: int) -> float:
        return max(0, self._node.clock() - as_of_us) / US_PER_S

    async def find(self, registration_id: str) -> tuple[Replica, float] | None:
        """Find the copies of a registered node, and their age in seconds; None without any."""
        for puller, _ in self._pullers.values():
            as_of_us = puller.progress.as_of_us
            if as_of_us is None:
                continue
            stored = await self._node.store.find_document(MEMBER, puller.replica.city)
            if stored is not None and read_member(stored).registration_id == registration_id:
                return puller.replica, self._age_s(as_of_us)
        return None

    async def node_of(self, replica: Replica) -> Node:
        """Give the node that holds the copies."""
        return await self._tenants.node(replica.tenant)


def replication_of(node: Node) -> Replication:
    """Give the copies that a node keeps; it has been wired to keep some."""
    for one in node.companions:
        if isinstance(one, Replication):
            return one
    raise InvariantError(f"node {node.id!r} keeps no copies")
