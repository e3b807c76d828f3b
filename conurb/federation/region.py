"""Makes a node a region: its reads, writes and history become those of all nodes together.

Drop-ins for a node's own parts: the protocols call them without knowing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from conurb.errors import InvariantError
from conurb.federation.cascade import Cascade
from conurb.federation.completeness import FederatedAnswer
from conurb.federation.consumption import FederatedConsumption, reader
from conurb.federation.distribute import FederatedProvision
from conurb.federation.distribute_temporal import DistributedTemporal
from conurb.federation.live import Live
from conurb.federation.peers import Open
from conurb.federation.reach import Reach
from conurb.federation.registration_subscriptions import RegistrationSubscriptions
from conurb.federation.registrations import Registrations
from conurb.federation.tiles import FederatedTiles
from conurb.federation.wire import Wire
from conurb.node.consume import Consumption
from conurb.node.entity_maps import EntityMaps
from conurb.node.node import Node
from conurb.node.selecting import LOCAL, SourcedPage
from conurb.store.contract import Page

if TYPE_CHECKING:
    from conurb.federation.modes import Part
    from conurb.model.query.tree import Query, TemporalQuery
    from conurb.node.temporal import Temporal
    from conurb.store.contract import EvolutionPage, Store


def federate(
    node: Node,
    *,
    name: str,
    open_node: Open,
    alias: str | None = None,
    wire: Wire | None = None,
) -> None:
    """Make a node answer for every node that it has registered.

    `name` is what answers call the node itself, `alias` what a Via header calls it, `open_node`
    gives the nodes of its process, `wire` leads to those of others. A node without registrations
    answers as before.
    """
    reach = Reach(node, name=name, open_node=open_node, alias=alias, wire=wire)
    node.companions += [reach.registrations, reach.registration_subscriptions, reach.surveys]
    cascade = Cascade(node, reach)
    node.companions += [cascade, Live(node, reach)]
    node.provide = FederatedProvision(node, node.provide, reach)
    node.consume = FederatedConsumption(node, node.consume, reach, cascade)
    node.temporal = DistributedTemporal(node, node.temporal, reach)
    node.tiles = FederatedTiles(node, node.tiles, reach)
    whole = cast("Store", _Whole(node.consume, node.temporal))
    node.entity_maps = EntityMaps(whole, node.consume, node.bounds, node.clock)

    async def look(query: Query) -> Page:
        return await whole.query(replace(query, limit=min(query.limit, node.bounds.page_max)))

    node.subscriptions.look_through(look)


def registration_subscriptions_of(node: Node) -> RegistrationSubscriptions:
    """Give the subscriptions to a node's registrations; it has been federated."""
    if isinstance(node.consume, FederatedConsumption):
        return node.consume.registration_subscriptions
    raise InvariantError(f"node {node.id!r} isn't federated")


def cascade_of(node: Node) -> Cascade:
    """Give what a node's subscriptions have at other nodes; it has been federated."""
    if isinstance(node.consume, FederatedConsumption):
        return node.consume.cascade
    raise InvariantError(f"node {node.id!r} isn't federated")


def reach_of(node: Node) -> Reach:
    """Give whom a node reaches; it has been federated."""
    if isinstance(node.consume, FederatedConsumption):
        return node.consume.reach
    raise InvariantError(f"node {node.id!r} isn't federated")


def registrations_of(node: Node) -> Registrations:
    """Give the registrations by which a node answers; it has been federated."""
    if isinstance(node.consume, FederatedConsumption):
        return node.consume.registrations
    raise InvariantError(f"node {node.id!r} isn't federated")


class _Whole:
    """What an entity map asks of a store, answered by all nodes."""

    def __init__(self, consume: Consumption, temporal: Temporal) -> None:
        self._consume = consume
        self._temporal = temporal

    async def query(self, query: Query) -> Page:
        answer = await self._consume.query(reader(query.restriction), query)
        page = SourcedPage(answer.entities, answer.total, answer.more)
        if isinstance(answer, FederatedAnswer):
            page.sources = {parts[0].id: tuple(map(_source, parts)) for parts in answer.parts}
        return page

    async def evolution(self, query: TemporalQuery) -> EvolutionPage:
        return await self._temporal.query(reader(query.query.restriction), query)


def _source(part: Part) -> str:
    return LOCAL if part.leg is None else part.leg.registration.id
