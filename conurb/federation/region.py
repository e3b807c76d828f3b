"""The reads of a region: what `conurb.node.consume` gives for one node, of all nodes together.

A drop-in for a node's own `consume`: the protocols call it without knowing. It asks the node's own
store and every registered node that may hold what is asked for, merges, and says who answered.
Conditions of a query are evaluated by each node on what it holds of an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, InvariantError, TooComplexQueryError
from conurb.federation.cascade import Cascade
from conurb.federation.catalogue import merge_attributes, merge_types
from conurb.federation.completeness import (
    LOOP,
    Absence,
    Behind,
    Completeness,
    FederatedAnswer,
    NotFoundHereError,
    completeness_of,
)
from conurb.federation.distribute import FederatedProvision
from conurb.federation.distribute_temporal import DistributedTemporal
from conurb.federation.gather import Portion, Wish, gather
from conurb.federation.modes import Part, merge_parts
from conurb.federation.peers import Open, Peer, ask
from conurb.federation.reach import (
    ATTRIBUTE,
    ATTRIBUTES,
    RETRIEVING,
    TYPE,
    TYPES,
    Reach,
    proxied,
)
from conurb.federation.registration_subscriptions import RegistrationSubscriptions
from conurb.federation.registrations import Registrations
from conurb.federation.route import retrieval
from conurb.federation.wire import Wire
from conurb.model.entity import Entity
from conurb.model.query.match import matches
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import (
    Query,
    Restriction,
    Selector,
    TemporalQuery,
    TypeIs,
    TypeSelection,
)
from conurb.node.consume import DEFAULT_DATASET, Answer, Consumption
from conurb.node.entity_maps import EntityMaps
from conurb.node.guard import is_of
from conurb.node.join import Join, inline, walk
from conurb.node.node import Node
from conurb.store.contract import Page

if TYPE_CHECKING:
    from conurb.node.temporal import Temporal
    from conurb.store.contract import AttributeInfo, EvolutionPage, Store, TypeInfo

SPLIT_MAX: Final = 50_000
"""Entities that are put together of their parts for one query."""


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
    node.companions += [reach.registrations, reach.registration_subscriptions]
    cascade = Cascade(node, reach)
    node.companions.append(cascade)
    node.provide = FederatedProvision(node, node.provide, reach)
    node.consume = FederatedConsumption(node, node.consume, reach, cascade)
    node.temporal = DistributedTemporal(node, node.temporal, reach)
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
        answer = await self._consume.query(_reader(query.restriction), query)
        return Page(answer.entities, answer.total, answer.more)

    async def evolution(self, query: TemporalQuery) -> EvolutionPage:
        return await self._temporal.query(_reader(query.query.restriction), query)


def _reader(restriction: Restriction) -> Caller:
    """Give a caller who may read within a restriction that has been decided already."""
    return Caller("region", frozenset({"read"}), restriction)


class FederatedConsumption(Consumption):
    """The reads of a node and of those that it has registered, in inclusive mode."""

    def __init__(self, node: Node, own: Consumption, reach: Reach, cascade: Cascade) -> None:
        super().__init__(node.store, node.bounds)
        self._own = own
        self._reach = reach
        self.cascade = cascade
        self.registrations = reach.registrations
        self.registration_subscriptions = reach.registration_subscriptions

    @property
    def reach(self) -> Reach:
        """Give whom the node reaches."""
        return self._reach

    @property
    def own(self) -> Consumption:
        """Give the reads of this node alone."""
        return self._own

    async def retrieve(
        self,
        caller: Caller,
        entity_id: str,
        *,
        types: TypeSelection | None = None,
        attributes: Sequence[str] = (),
        datasets: Sequence[str] = (),
        join: Join | None = None,
    ) -> Answer:
        """Give one entity as all nodes together know it (clause 5.7.1).

        Raises NotFoundError when none that answered has it, saying who didn't answer.
        """
        restriction = caller.require("read")
        if await self._reach.is_alone(caller):
            return await self._own.retrieve(
                caller,
                entity_id,
                types=types,
                attributes=attributes,
                datasets=datasets,
                join=join,
            )
        caller = self._reach.passed(caller)
        peers, absences = await self._reach.peers(
            caller, retrieval(entity_id, types=types, attributes=attributes), RETRIEVING
        )
        answers, missing = await ask(peers, lambda peer: peer.find_many(caller, [entity_id]))
        completeness = completeness_of(peers, [*absences, *missing])
        found = [Part(peer.leg, entity) for peer, entities in answers for entity in entities]
        if found and types is not None:
            found = [one for one in found if is_of(one.entity.types, types)]
        if not found:
            raise NotFoundHereError(f"entity {entity_id!r} doesn't exist here", completeness)
        entity = merge_parts(found, proxied(peers))
        if attributes and not _has_any(entity, attributes, datasets):
            raise NotFoundHereError(
                f"entity {entity_id!r} has none of the attributes asked for", completeness
            )
        answer = FederatedAnswer([entity], completeness=completeness)
        return await self.joined(answer, join, restriction)

    async def query(
        self,
        caller: Caller,
        query: Query,
        *,
        join: Join | None = None,
        at_us: int | None = None,
        known_at_us: int | None = None,
    ) -> Answer:
        """Give the page of all nodes' entities that a query selects, in order (clause 5.7.2).

        Limit, offset and count are those of the whole. Raises TooComplexQueryError when the page
        is larger than this node gives.
        """
        restriction = caller.require("read")
        if await self._reach.is_alone(caller):
            answer = await self._own.query(
                caller, query, join=join, at_us=at_us, known_at_us=known_at_us
            )
            return await self._looped(caller, query, answer)
        if query.limit > self._bounds.page_max:
            raise TooComplexQueryError(
                f"limit: {query.limit} is more than the {self._bounds.page_max} that this node "
                "gives at once"
            )
        caller = self._reach.passed(caller)
        if query.split:
            answer = await self._put_together(caller, query, at_us=at_us, known_at_us=known_at_us)
            return await self.joined(answer, join, restriction)
        peers, absences = await self._reach.peers(caller, query)
        behind = Behind()

        async def fetch(peer: Peer, wish: Wish) -> Portion[Part]:
            asked = replace(query, limit=wish.limit, offset=wish.offset, count=wish.count)
            found = await peer.query(caller, asked, at_us=at_us, known_at_us=known_at_us)
            behind.hear(found)
            parts = [Part(peer.leg, entity) for entity in found.entities]
            return Portion(parts, found.more, found.total)

        page = await gather(
            peers,
            fetch,
            Wish(query.limit, query.offset, query.count),
            key=lambda part: order_key(part.entity, query.order),
            chunk_max=self._bounds.page_max,
        )
        completeness = completeness_of(peers, [*absences, *page.absences, *behind.absences])
        owned = proxied(peers)
        answer = FederatedAnswer(
            [merge_parts(parts, owned) for parts in page.groups],
            total=page.total,
            more=page.more,
            completeness=replace(completeness, count_is_exact=page.exact, notes=behind.notes),
        )
        return await self.joined(answer, join, restriction)

    async def _looped(self, caller: Caller, query: Query, answer: Answer) -> Answer:
        """Say of an answer that it is this node's alone because the request came by before."""
        reach = self._reach
        if reach.alias not in caller.via or not await reach.registrations.find(query):
            return answer
        note = Absence(reach.alias, LOOP)
        return FederatedAnswer(
            answer.entities,
            linked=answer.linked,
            total=answer.total,
            more=answer.more,
            completeness=Completeness((reach.name,), notes=(note,)),
        )

    async def _put_together(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> FederatedAnswer:
        """Answer a query of entities that may be spread over nodes (clause 4.3.6.7).

        The nodes give every entity that is meant, whatever its values; they are put together here,
        and then asked. Raises TooComplexQueryError when that are too many.
        """
        bare = Query(selectors=query.selectors, datasets=query.datasets, sources=query.sources)
        peers, absences = await self._reach.peers(caller, bare)
        behind = Behind()

        async def fetch(peer: Peer, wish: Wish) -> Portion[Part]:
            asked = replace(bare, limit=wish.limit, offset=wish.offset)
            found = await peer.query(caller, asked, at_us=at_us, known_at_us=known_at_us)
            behind.hear(found)
            parts = [Part(peer.leg, entity) for entity in found.entities]
            return Portion(parts, found.more, found.total)

        page = await gather(
            peers,
            fetch,
            Wish(SPLIT_MAX),
            key=lambda part: (part.id,),
            chunk_max=self._bounds.page_max,
        )
        if page.more:
            raise TooComplexQueryError(
                f"splitEntities: more than {SPLIT_MAX} entities would have to be put together; "
                "narrow it by type or id"
            )
        owned = proxied(peers)
        wholes = [merge_parts(parts, owned) for parts in page.groups]
        whole = replace(query, restriction=caller.require("read"), sources=None, split=False)
        found = [one for one in wholes if matches(one, whole)]
        found.sort(key=lambda one: order_key(one, query.order))
        return FederatedAnswer(
            found[query.offset : query.offset + query.limit],
            total=len(found) if query.count else None,
            more=query.offset + query.limit < len(found),
            completeness=replace(
                completeness_of(peers, [*absences, *page.absences, *behind.absences]),
                notes=behind.notes,
            ),
        )

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types that exist in any of the nodes (clauses 5.7.5, 5.7.6)."""
        if await self._reach.is_alone(caller):
            return await self._own.list_types(caller)
        caller = self._reach.passed(caller)
        peers, _ = await self._reach.peers(caller, Query(), TYPES)
        answers, _ = await ask(peers, lambda peer: peer.list_types(caller))
        return merge_types(info for _, infos in answers for info in infos)

    async def get_type(self, caller: Caller, iri: str) -> TypeInfo:
        """Give one type; raise NotFoundError when no entity of any node has it (clause 5.7.7)."""
        if await self._reach.is_alone(caller):
            return await self._own.get_type(caller, iri)
        caller = self._reach.passed(caller)
        query = Query(selectors=(Selector(types=TypeIs(iri)),))
        peers, absences = await self._reach.peers(caller, query, TYPE)
        answers, missing = await ask(peers, lambda peer: peer.find_type(caller, iri))
        found = merge_types(info for _, info in answers if info is not None)
        if not found:
            completeness = completeness_of(peers, [*absences, *missing])
            raise NotFoundHereError(f"no entity of type {iri!r} exists here", completeness)
        return found[0]

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes that exist in any of the nodes (clauses 5.7.8, 5.7.9)."""
        if await self._reach.is_alone(caller):
            return await self._own.list_attributes(caller)
        caller = self._reach.passed(caller)
        peers, _ = await self._reach.peers(caller, Query(), ATTRIBUTES)
        answers, _ = await ask(peers, lambda peer: peer.list_attributes(caller))
        return merge_attributes(info for _, infos in answers for info in infos)

    async def get_attribute(self, caller: Caller, iri: str) -> AttributeInfo:
        """Give one attribute; raise NotFoundError when no entity has it (clause 5.7.10)."""
        if await self._reach.is_alone(caller):
            return await self._own.get_attribute(caller, iri)
        caller = self._reach.passed(caller)
        peers, absences = await self._reach.peers(caller, Query(attributes=(iri,)), ATTRIBUTE)
        answers, missing = await ask(peers, lambda peer: peer.find_attribute(caller, iri))
        found = merge_attributes(info for _, info in answers if info is not None)
        if not found:
            completeness = completeness_of(peers, [*absences, *missing])
            raise NotFoundHereError(
                f"no entity with the attribute {iri!r} exists here", completeness
            )
        return found[0]

    async def joined(self, answer: Answer, join: Join | None, restriction: Restriction) -> Answer:
        """Add to an answer what its entities are linked to, wherever it lives."""
        if join is None or not answer.entities:
            return answer
        if join.level > self._bounds.join_level_max:
            raise BadRequestDataError(
                f"joinLevel: {join.level} is over the {self._bounds.join_level_max} of this node"
            )
        caller = self._reach.passed(_reader(restriction))

        async def look_up(ids: Sequence[str]) -> list[Entity]:
            wanted = Query(selectors=(Selector(ids=tuple(ids)),))
            peers, _ = await self._reach.peers(caller, wanted, RETRIEVING)
            answers, _ = await ask(peers, lambda peer: peer.find_many(caller, ids))
            parts: dict[str, list[Part]] = {}
            for peer, entities in answers:
                for entity in entities:
                    parts.setdefault(entity.id, []).append(Part(peer.leg, entity))
            owned = proxied(peers)
            return [merge_parts(parts[one], owned) for one in ids if one in parts]

        linked = await walk(
            answer.entities, join, look_up, entities_max=self._bounds.join_entities_max
        )
        if join.form == "flat":
            return replace(answer, linked=list(linked.values()))
        return replace(answer, entities=inline(answer.entities, linked, join))


def _has_any(entity: Entity, attributes: Sequence[str], datasets: Sequence[str]) -> bool:
    """Whether an entity has one of the attributes, in one of the datasets when they are given."""
    return any(
        not datasets or (instance.get("datasetId") or DEFAULT_DATASET) in datasets
        for attribute in attributes
        for instance in entity.attrs.get(attribute, ())
    )
