"""Whom a node reaches: itself, and the nodes that it has registered.

A request that comes by again (its caller has passed this node already) is answered from this node
alone, so that nodes that register each other don't ask in circles (clause 4.3.6.4).
"""

from __future__ import annotations

from dataclasses import replace

from conurb.access.caller import Caller
from conurb.errors import UnavailableError
from conurb.federation.completeness import Absence
from conurb.federation.peers import LocalPeer, Open, Peer, Reads, peer_of
from conurb.federation.registrations import Registrations
from conurb.model.query.tree import Query
from conurb.node.node import Node


class Reach:
    """The nodes that one node can ask, with its own reads as they were before it federated."""

    def __init__(self, node: Node, *, name: str, open_node: Open) -> None:
        self.registrations = Registrations(
            node.store, clock=node.clock, outbound=node.delivery.outbound
        )
        self.name = name
        self._open_node = open_node
        own = Reads(node.consume, node.temporal, node.store)

        async def itself() -> Reads:
            return own

        self._itself = LocalPeer(name, itself)

    async def is_alone(self, caller: Caller) -> bool:
        """Whether this node answers alone: it has no registrations, or was passed already."""
        return self.name in caller.via or not await self.registrations.any()

    def passed(self, caller: Caller) -> Caller:
        """Note on a request that it has passed this node."""
        return replace(caller, via=(*caller.via, self.name))

    async def peers(self, query: Query) -> tuple[list[Peer], list[Absence]]:
        """Give the nodes that a query concerns, this one first, and those that can't be asked."""
        peers: list[Peer] = [self._itself]
        absences: list[Absence] = []
        for match in await self.registrations.find(query):
            try:
                peers.append(peer_of(match.registration, self._open_node))
            except UnavailableError as error:
                absences.append(Absence(match.registration.name, error.detail))
        return peers, absences
