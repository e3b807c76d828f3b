"""Whom a node reaches: itself, and the nodes that it has registered.

A request that comes by again (its caller has passed this node already) is answered from this node
alone, so that nodes that register each other don't ask in circles (clause 4.3.6.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conurb.access.caller import Caller
from conurb.errors import UnavailableError
from conurb.federation.completeness import Absence, Skip
from conurb.federation.extents import may_move
from conurb.federation.legs import Leg
from conurb.federation.peers import LocalPeer, Open, Peer, Reads, peer_of
from conurb.federation.registration_subscriptions import RegistrationSubscriptions
from conurb.federation.registrations import Registrations
from conurb.federation.surveys import Surveys
from conurb.federation.wire import Wire
from conurb.model.query.tree import Query, TimeWindow
from conurb.node.node import Node

QUERYING = ("queryEntity", "queryBatch")
RETRIEVING = ("retrieveEntity", *QUERYING)
TYPES = ("retrieveEntityTypes", "retrieveEntityTypeDetails")
TYPE = ("retrieveEntityTypeInfo",)
ATTRIBUTES = ("retrieveAttrTypes", "retrieveAttrTypeDetails")
ATTRIBUTE = ("retrieveAttrTypeInfo",)
HISTORY = ("queryTemporal", "retrieveTemporal")


@dataclass(slots=True)
class Choice:
    """Whom a request concerns, who of them can't be asked, and who needn't be."""

    peers: list[Peer]
    absences: list[Absence]
    skipped: list[Skip]


class Reach:
    """The nodes that one node can ask, with its own reads as they were before it federated.

    `name` is what answers call the node itself, `alias` what a Via header calls it. `wire` leads to
    nodes of other processes. `backed` puts copies behind a node, where some are kept.
    """

    def __init__(
        self,
        node: Node,
        *,
        name: str,
        open_node: Open,
        alias: str | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.registrations = Registrations(
            node.store, clock=node.clock, outbound=node.delivery.outbound
        )
        self.registration_subscriptions = RegistrationSubscriptions(
            node.store,
            self.registrations,
            node.contexts,
            node.delivery,
            clock=node.clock,
            tenant=node.tenant,
        )
        self.name = name
        self.alias = alias or name
        self.wire = wire
        self.open_node = open_node
        self.surveys = Surveys(node, open_node=open_node, wire=wire)
        self.backed: Callable[[Peer], Peer] = lambda peer: peer
        own = Reads(node.consume, node.temporal, node.store)

        async def itself() -> Reads:
            return own

        self._itself = LocalPeer(name, itself)

    async def is_alone(self, caller: Caller) -> bool:
        """Whether this node answers alone: it has no registrations, or was passed already."""
        return self.alias in caller.via or not await self.registrations.any()

    def passed(self, caller: Caller) -> Caller:
        """Note on a request that it has passed this node."""
        return replace(caller, via=(*caller.via, self.alias))

    async def peers(
        self, caller: Caller, query: Query, operations: Sequence[str] = QUERYING
    ) -> tuple[list[Peer], list[Absence]]:
        """Give the nodes that a query concerns, this one first, and those that can't be asked.

        They offer one of `operations` at least.
        """
        choice = await self.choose(caller, query, operations)
        return choice.peers, choice.absences

    async def choose(
        self,
        caller: Caller,
        query: Query,
        operations: Sequence[str] = QUERYING,
        *,
        window: TimeWindow | None = None,
        past: bool = False,
    ) -> Choice:
        """Choose the nodes that a query concerns, this one first.

        They offer one of `operations` at least. A question of the past, or of history, goes to
        nodes wherever their objects are now.
        """
        choice = Choice([self._itself], [], [])
        anywhere = query if query.geo is None else replace(query, geo=None)
        declared = None
        for match in await self.registrations.find(anywhere, window=window, passed=caller.via):
            leg = Leg(match.registration, match.information)
            if not any(map(leg.supports, operations)):
                continue
            if query.geo is not None and not past:
                if declared is None:
                    declared = await self._declared(caller, query)
                skip = await self._skip(caller, leg, query, declared)
                if skip is not None:
                    choice.skipped.append(skip)
                    continue
            try:
                peer = peer_of(leg, self.open_node, self.wire, self.went)
            except UnavailableError as error:
                choice.absences.append(Absence(leg.name, error.detail))
                continue
            choice.peers.append(self.backed(peer))
        return choice

    async def _declared(self, caller: Caller, query: Query) -> frozenset[str]:
        """Give the ids of registrations whose declared area a question has to do with."""
        found = await self.registrations.find(query, passed=caller.via)
        return frozenset(match.registration.id for match in found)

    async def _skip(
        self, caller: Caller, leg: Leg, query: Query, declared: frozenset[str]
    ) -> Skip | None:
        """Say why a node needn't be asked a geographic question; None when it has to be.

        Where its objects were measured decides; where that isn't known, the area that it was
        registered for, but not for what may move.
        """
        measured = await self.surveys.skip(caller, leg, query)
        if isinstance(measured, Skip):
            return measured
        if measured or leg.registration.id in declared or may_move(query):
            return None
        return Skip(leg.name, "registered for another area")

    def went(self, registration_id: str, ok: bool) -> None:
        """Count a request to a source."""
        self.registrations.went(registration_id, ok=ok)


def proxied(peers: Sequence[Peer]) -> list[Leg]:
    """Give what is registered in mode exclusive or redirect, of the nodes asked."""
    return [peer.leg for peer in peers if peer.leg is not None and peer.leg.is_proxied]
