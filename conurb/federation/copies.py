"""Answers from copies: what a region gives of a member that doesn't answer, and how old it is.

A peer that asks the member first. Once the member has failed within a request, its copies answer
for the rest of it, if they hold every type that is asked for; else the member is missing, as
without copies. What is known of types, attributes and history alone isn't answered from copies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from conurb.access.caller import Caller
from conurb.errors import SourceError, SourceTimeoutError
from conurb.federation.deadlines import COPIES_SHARE, left_s
from conurb.federation.peers import LocalPeer, Peer, Reads
from conurb.federation.reach import Reach
from conurb.federation.replication import Replica, Replication
from conurb.model.query.tree import Query, TemporalQuery, TypeAll, TypeAny, TypeIs, TypeSelection
from conurb.node.consume import Answer

if TYPE_CHECKING:
    from conurb.federation.legs import Leg
    from conurb.node.host import Host
    from conurb.node.node import Node
    from conurb.store.contract import AttributeInfo, EvolutionPage, TypeInfo

T = TypeVar("T")
COPY_S: Final = 5.0
"""How long the copies may take when the member didn't answer in its time."""


def keep_copies(node: Node, reach: Reach, host: Host) -> None:
    """Wire a federated node to keep copies of its members, and to answer from them."""
    replication = Replication(node, host)
    node.companions.append(replication)

    def backed(peer: Peer) -> Peer:
        if isinstance(peer, LocalPeer) or not replication.any():
            return peer
        return BackedPeer(peer, replication)

    reach.backed = backed


class BackedPeer:
    """A member of the region with copies behind it, for one request.

    `copied_age_s` is how old the copies are that it answered from, None when it answered itself.
    """

    def __init__(self, home: Peer, replication: Replication) -> None:
        self._home = home
        self._replication = replication
        self._replica: tuple[Replica, LocalPeer] | None = None
        self.copied_age_s: float | None = None

    @property
    def leg(self) -> Leg | None:
        """Give what it is registered for."""
        return self._home.leg

    @property
    def name(self) -> str:
        """Give the name by which answers call it."""
        return self._home.name

    @property
    def timeout_s(self) -> float:
        """Give how long its answer is waited for."""
        return self._home.timeout_s + COPY_S

    async def query(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> Answer:
        """Query its own entities, or the copies of them."""

        def has(replica: Replica) -> bool:
            return at_us is None and known_at_us is None and holds(replica, query)

        return await self._first(
            caller,
            lambda peer: peer.query(caller, query, at_us=at_us, known_at_us=known_at_us),
            has,
        )

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> Answer:
        """Give those of its own entities that there are, or the copies of them.

        Raises what the member failed with when there is none: it may have one that isn't copied.
        """
        found = await self._first(
            caller, lambda peer: peer.find_many(caller, entity_ids), lambda _: True
        )
        if self._replica is not None and not found.entities:
            self.copied_age_s = None
            raise SourceTimeoutError("didn't answer, and its copies have nothing of it")
        return found

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its own entities."""
        return await self._home.list_types(caller)

    async def find_type(self, caller: Caller, iri: str) -> TypeInfo | None:
        """Describe a type of its own entities; None when it has none of it."""
        return await self._home.find_type(caller, iri)

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its own entities."""
        return await self._home.list_attributes(caller)

    async def find_attribute(self, caller: Caller, iri: str) -> AttributeInfo | None:
        """Describe an attribute of its own entities; None when none has it."""
        return await self._home.find_attribute(caller, iri)

    async def evolution(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Query the history of its own entities."""
        return await self._home.evolution(caller, query)

    async def _first(
        self, caller: Caller, ask: Callable[[Peer], Awaitable[T]], has: Callable[[Replica], bool]
    ) -> T:
        if self._replica is not None:
            return await ask(self._replica[1])
        left = left_s(caller)
        within_s = self._home.timeout_s
        if left is not None:
            # What is left has to be enough for the copies.
            within_s = min(within_s, left * COPIES_SHARE)
        try:
            async with asyncio.timeout(within_s):
                return await ask(self._home)
        except (SourceError, TimeoutError) as error:
            copies = await self._copies(has)
            if copies is None:
                if isinstance(error, TimeoutError):
                    raise SourceTimeoutError(f"no answer in {within_s:.3g} s") from error
                raise
            return await ask(copies)

    async def _copies(self, has: Callable[[Replica], bool]) -> LocalPeer | None:
        leg = self._home.leg
        found = None if leg is None else await self._replication.find(leg.registration.id)
        if found is None or not has(found[0]):
            return None
        replica, self.copied_age_s = found

        async def opened() -> Reads:
            node = await self._replication.node_of(replica)
            return Reads(node.consume, node.temporal, node.store)

        peer = LocalPeer(self.name, opened, COPY_S, leg)
        self._replica = (replica, peer)
        return peer


def holds(replica: Replica, query: Query) -> bool:
    """Whether the copies hold everything that a query may find of their member."""
    return bool(query.selectors) and all(
        one.types is not None and _within(one.types, replica.types) for one in query.selectors
    )


def _within(selection: TypeSelection, types: Sequence[str]) -> bool:
    match selection:
        case TypeIs(iri):
            return iri in types
        case TypeAny(items):
            return all(_within(item, types) for item in items)
        case TypeAll(items):
            return any(_within(item, types) for item in items)
