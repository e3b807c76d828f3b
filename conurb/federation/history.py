"""The history reads of a region: what `conurb.node.temporal` gives for one node, of all of them.

Histories are heavy, so a page is read in two steps: first which objects are on it, from a light
query of every node that may hold some; then their histories, from the nodes that have them. The
bound of instances is shared out between these nodes. Writes stay with the node itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.errors import TooComplexQueryError
from conurb.federation.completeness import Absence, Completeness, completeness_of
from conurb.federation.gather import Portion, Wish, gather
from conurb.federation.merge import merge_evolutions
from conurb.federation.peers import Peer, ask
from conurb.federation.reach import HISTORY, Reach
from conurb.model.changes import HistoryInstance
from conurb.model.evolution import Evolution
from conurb.model.query.tree import Selector, TemporalQuery
from conurb.model.time import fixed_us
from conurb.node.temporal import Temporal
from conurb.store.contract import EvolutionPage

if TYPE_CHECKING:
    from conurb.node.node import Node


@dataclass(slots=True)
class FederatedEvolutionPage(EvolutionPage):
    """Histories of several nodes, and who gave them."""

    completeness: Completeness = field(default_factory=Completeness)


@dataclass(slots=True)
class _Found:
    """An object that a node has a history of."""

    id: str
    peer: Peer


class FederatedTemporal(Temporal):
    """The history of a node and of those that it has registered, in inclusive mode."""

    def __init__(self, node: Node, own: Temporal, reach: Reach) -> None:
        super().__init__(node.store, node.bounds)
        self._own = own
        self._reach = reach

    @property
    def own(self) -> Temporal:
        """Give the history of this node alone."""
        return self._own

    async def query(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Give the page of all nodes' histories that a query selects (clause 5.7.4).

        Raises what the history of one node raises.
        """
        caller.require("read")
        if await self._reach.is_alone(caller):
            return await self._own.query(caller, query)
        wanted = query.query
        if wanted.limit > self._bounds.page_max:
            raise TooComplexQueryError(
                f"limit: {wanted.limit} is more than the {self._bounds.page_max} that this node "
                "gives at once"
            )
        caller = self._reach.passed(caller)
        peers, absences = await self._reach.peers(caller, wanted, HISTORY, window=query.window)

        async def fetch(peer: Peer, wish: Wish) -> Portion[_Found]:
            inner = replace(wanted, limit=wish.limit, offset=wish.offset, count=wish.count)
            probe = replace(query, query=inner, last_n=1, aggregation=None)
            page = await peer.evolution(caller, probe)
            found = [_Found(one.id, peer) for one in page.evolutions]
            return Portion(found, page.more, page.total)

        wish = Wish(wanted.limit, wanted.offset, wanted.count)
        page = await gather(
            peers,
            fetch,
            wish,
            key=lambda found: (found.id,),
            chunk_max=self._bounds.page_max,
        )
        absences += page.absences
        given, lost = await self._histories(caller, query, page.groups)
        completeness = completeness_of(peers, [*absences, *lost])
        merged = FederatedEvolutionPage(
            [],
            total=page.total,
            more=page.more,
            completeness=replace(completeness, count_is_exact=page.exact),
        )
        return _assembled(merged, given, [group[0].id for group in page.groups], query)

    async def _histories(
        self, caller: Caller, query: TemporalQuery, groups: Sequence[Sequence[_Found]]
    ) -> tuple[list[EvolutionPage], list[Absence]]:
        """Read the histories of the objects found, each from the nodes that have it."""
        ids: dict[str, list[str]] = {}
        holders: dict[str, Peer] = {}
        for group in groups:
            for found in group:
                ids.setdefault(found.peer.name, []).append(found.id)
                holders[found.peer.name] = found.peer
        share = max(1, query.instance_limit // max(1, len(holders)))

        async def read(peer: Peer) -> EvolutionPage:
            inner = query.query
            own = tuple(ids[peer.name])
            selectors = inner.selectors or (Selector(),)
            narrowed = replace(
                inner,
                selectors=tuple(replace(one, ids=own) for one in selectors),
                limit=len(own),
                offset=0,
                count=False,
            )
            return await peer.evolution(
                caller, replace(query, query=narrowed, instance_limit=share)
            )

        answers, lost = await ask(list(holders.values()), read)
        return [page for _, page in answers], lost


def _assembled(
    page: FederatedEvolutionPage,
    given: Sequence[EvolutionPage],
    order: Sequence[str],
    query: TemporalQuery,
) -> FederatedEvolutionPage:
    """Put histories together, up to the time that all of them reach."""
    latest_first = query.last_n is not None
    ends = [one.truncated_at_us for one in given if one.truncated_at_us is not None]
    parts: dict[str, list[Evolution]] = {}
    for one in given:
        for evolution in one.evolutions:
            parts.setdefault(evolution.id, []).append(evolution)
    page.evolutions = [
        merge_evolutions(parts[entity_id], latest_first=latest_first, last_n=query.last_n)
        for entity_id in order
        if entity_id in parts
    ]
    if ends:
        end = max(ends) if latest_first else min(ends)
        page.truncated_at_us = end
        for evolution in page.evolutions:
            evolution.instances = {
                attribute: kept
                for attribute, items in evolution.instances.items()
                if (kept := [one for one in items if _within(one, end, query)])
            }
    return page


def _within(item: HistoryInstance, end_us: int, query: TemporalQuery) -> bool:
    """Whether an instance lies on the given side of the end, by the query's time property."""
    name = query.window.timeproperty
    time = item.at_us
    if name in {"createdAt", "modifiedAt"} and item.instance is not None:
        time = fixed_us(item.instance[name])
    return time >= end_us if query.last_n is not None else time <= end_us
