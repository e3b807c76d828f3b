"""The reads of a region: what `conurb.node.consume` gives for one node, of all nodes together.

A drop-in for a node's own `consume`: the protocols call it without knowing. It asks the node's own
store and every registered node that may hold what is asked for, merges, and says who answered.
Conditions of a query are evaluated by each node on what it holds of an entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.federation.completeness import (
    LOOP,
    Absence,
    Behind,
    Completeness,
    FederatedAnswer,
    NotFoundHereError,
    completeness_of,
)
from conurb.federation.discovery import FederatedDiscovery
from conurb.federation.fleet import Cluster, Fleet, muster
from conurb.federation.gather import Gathered, Portion, Wish, gather
from conurb.federation.modes import Part, merge_parts
from conurb.federation.peers import Peer, ask
from conurb.federation.reach import RETRIEVING, Choice, Reach, proxied
from conurb.federation.route import retrieval
from conurb.model.entity import Entity
from conurb.model.query.match import matches
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import Query, Restriction, Selector, TypeSelection
from conurb.node.consume import DEFAULT_DATASET, Answer, Consumption
from conurb.node.guard import is_of
from conurb.node.join import Join, inline, walk
from conurb.node.node import Node

if TYPE_CHECKING:
    from conurb.federation.cascade import Cascade

SPLIT_MAX: Final = 50_000
"""Entities that are put together of their parts for one query."""


def reader(restriction: Restriction) -> Caller:
    """Give a caller who may read within a restriction that has been decided already."""
    return Caller("region", frozenset({"read"}), restriction)


class FederatedConsumption(FederatedDiscovery):
    """The reads of a node and of those that it has registered."""

    def __init__(self, node: Node, own: Consumption, reach: Reach, cascade: Cascade) -> None:
        super().__init__(node, own, reach)
        self.cascade = cascade
        self.registrations = reach.registrations
        self.registration_subscriptions = reach.registration_subscriptions

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
        wanted = retrieval(entity_id, types=types, attributes=attributes)
        choice = await self._reach.choose(caller, wanted, RETRIEVING)
        found, missing, behind = await self._find(caller, choice.peers, [entity_id])
        completeness = replace(
            completeness_of(choice.peers, [*choice.absences, *missing], choice.skipped),
            notes=behind.notes,
        )
        if types is not None:
            found = [one for one in found if is_of(one.entity.types, types)]
        if not found:
            raise NotFoundHereError(f"entity {entity_id!r} doesn't exist here", completeness)
        entity = merge_parts(found, proxied(choice.peers))
        if attributes and not _has_any(entity, attributes, datasets):
            raise NotFoundHereError(
                f"entity {entity_id!r} has none of the attributes asked for", completeness
            )
        answer = FederatedAnswer([entity], completeness=completeness)
        return await self.joined(answer, join, restriction)

    async def _find(
        self, caller: Caller, peers: Sequence[Peer], ids: Sequence[str]
    ) -> tuple[list[Part], list[Absence], Behind]:
        """Give what nodes have of some entities, who didn't answer, and what they say of others."""
        wanted = Query((Selector(ids=tuple(ids)),))
        mustered = await muster(peers, caller, wanted)
        behind = Behind()

        async def find(source: Fleet | Peer) -> list[Part]:
            if isinstance(source, Fleet):
                parts, unread = await source.find_many(caller, ids)
                mustered.absences += unread
                return parts
            answer = await source.find_many(caller, ids)
            behind.hear(answer)
            return [Part(source.leg, entity) for entity in answer.entities]

        answers, missing = await ask(mustered.sources, find, caller=caller)
        found = [part for _, parts in answers for part in parts]
        missing = [*mustered.absences, *mustered.named(missing), *behind.absences]
        return found, missing, behind

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
        past = at_us is not None or known_at_us is not None
        choice = await self._reach.choose(caller, query, past=past)
        asking = _Asking(caller, query, choice, at_us, known_at_us)
        wish = Wish(query.limit, query.offset, query.count)
        page = await asking.page(wish, chunk_max=self._bounds.page_max)
        owned = proxied(choice.peers)
        parts = [_parts(clusters) for clusters in page.groups]
        answer = FederatedAnswer(
            [merge_parts(one, owned) for one in parts],
            total=page.total,
            more=page.more,
            completeness=replace(asking.completeness(page), count_is_exact=page.exact),
            runs=asking.runs,
            parts=parts,
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
        choice = await self._reach.choose(caller, bare)
        asking = _Asking(caller, bare, choice, at_us, known_at_us)
        page = await asking.page(Wish(SPLIT_MAX), chunk_max=self._bounds.page_max)
        if page.more:
            raise TooComplexQueryError(
                f"splitEntities: more than {SPLIT_MAX} entities would have to be put together; "
                "narrow it by type or id"
            )
        owned = proxied(choice.peers)
        parts = {one[0].id: one for one in map(_parts, page.groups)}
        wholes = [merge_parts(one, owned) for one in parts.values()]
        whole = replace(query, restriction=caller.require("read"), sources=None, split=False)
        found = [one for one in wholes if matches(one, whole)]
        found.sort(key=lambda one: order_key(one, query.order))
        chosen = found[query.offset : query.offset + query.limit]
        return FederatedAnswer(
            chosen,
            total=len(found) if query.count else None,
            more=query.offset + query.limit < len(found),
            completeness=asking.completeness(page),
            parts=[parts[one.id] for one in chosen],
        )

    async def joined(self, answer: Answer, join: Join | None, restriction: Restriction) -> Answer:
        """Add to an answer what its entities are linked to, wherever it lives."""
        if join is None or not answer.entities:
            return answer
        if join.level > self._bounds.join_level_max:
            raise BadRequestDataError(
                f"joinLevel: {join.level} is over the {self._bounds.join_level_max} of this node"
            )
        caller = self._reach.passed(reader(restriction))

        async def look_up(ids: Sequence[str]) -> list[Entity]:
            wanted = Query(selectors=(Selector(ids=tuple(ids)),))
            peers, _ = await self._reach.peers(caller, wanted, RETRIEVING)
            parts: dict[str, list[Part]] = {}
            for part in (await self._find(caller, peers, ids))[0]:
                parts.setdefault(part.id, []).append(part)
            owned = proxied(peers)
            return [merge_parts(parts[one], owned) for one in ids if one in parts]

        linked = await walk(
            answer.entities, join, look_up, entities_max=self._bounds.join_entities_max
        )
        if join.form == "flat":
            return replace(answer, linked=list(linked.values()))
        return replace(answer, entities=inline(answer.entities, linked, join))


class _Asking:
    """One query on its way to the nodes that were chosen for it."""

    def __init__(
        self,
        caller: Caller,
        query: Query,
        choice: Choice,
        at_us: int | None,
        known_at_us: int | None,
    ) -> None:
        self._caller = caller
        self._query = query
        self._choice = choice
        self._at_us, self._known_at_us = at_us, known_at_us
        self._absences: list[Absence] = []
        self._behind = Behind()
        self.runs: tuple[tuple[str, str], ...] | None = None

    async def page(self, wish: Wish, *, chunk_max: int) -> Gathered[Cluster]:
        """Ask for a page of the whole."""
        mustered = await muster(self._choice.peers, self._caller, self._query)
        self._absences = mustered.absences
        self._wanted = min(wish.offset + wish.limit + 1, chunk_max)
        self._is_fleet_alone = not mustered.others
        page = await gather(
            mustered.sources,
            self._fetch,
            wish,
            key=lambda cluster: order_key(cluster.parts[0].entity, self._query.order),
            caller=self._caller,
            chunk_max=chunk_max,
        )
        page.absences = mustered.named(page.absences)
        return page

    async def _fetch(self, source: Fleet | Peer, wish: Wish) -> Portion[Cluster]:
        if isinstance(source, Fleet):
            if not self._is_fleet_alone and wish.limit:
                # It has what all of its nodes have: its share of the page isn't one node's.
                wish = replace(wish, limit=max(wish.limit, self._wanted))
            portion = await source.query(
                self._caller, wish, at_us=self._at_us, known_at_us=self._known_at_us
            )
            if self._is_fleet_alone:
                self.runs = portion.runs
            return portion
        asked = replace(self._query, limit=wish.limit, offset=wish.offset, count=wish.count)
        found = await source.query(
            self._caller, asked, at_us=self._at_us, known_at_us=self._known_at_us
        )
        self._behind.hear(found)
        leg = source.leg
        return Portion(
            [Cluster(entity.id, (Part(leg, entity),)) for entity in found.entities],
            found.more,
            found.total,
            runs=_runs(found) or (None if leg is None else leg.runs),
        )

    def completeness(self, page: Gathered[Cluster]) -> Completeness:
        """Say who was asked, who is missing, and who was left out."""
        choice = self._choice
        missing = [*choice.absences, *self._absences, *page.absences, *self._behind.absences]
        said = completeness_of(choice.peers, missing, choice.skipped)
        return replace(said, notes=self._behind.notes)


def _parts(clusters: Sequence[Cluster]) -> Sequence[Part]:
    if len(clusters) == 1:
        return clusters[0].parts
    return [part for cluster in clusters for part in cluster.parts]


def _runs(answer: Answer) -> tuple[tuple[str, str], ...] | None:
    return answer.runs if isinstance(answer, FederatedAnswer) else None


def _has_any(entity: Entity, attributes: Sequence[str], datasets: Sequence[str]) -> bool:
    """Whether an entity has one of the attributes, in one of the datasets when they are given."""
    return any(
        not datasets or (instance.get("datasetId") or DEFAULT_DATASET) in datasets
        for attribute in attributes
        for instance in entity.attrs.get(attribute, ())
    )
