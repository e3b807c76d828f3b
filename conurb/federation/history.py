"""The history reads of a region: what `conurb.node.temporal` gives for one node, of all of them.

Histories are heavy, so a page is read in two steps: first which objects are on it, from a light
query of every node that may hold some; then their histories, from the nodes that have them.
Co-located nodes do both in one job. What one node alone has of an object is aggregated there; where
several have parts of its history, their instances are put together here, so that nothing counts
twice. The bound of instances is shared out between the nodes. Writes stay with the node itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from conurb.access.caller import Caller
from conurb.errors import TooComplexQueryError
from conurb.federation.aggregates import aggregated
from conurb.federation.completeness import (
    Absence,
    Behind,
    FederatedEvolutionPage,
    completeness_of,
)
from conurb.federation.fleet import Fleet, Muster, muster
from conurb.federation.gather import Portion, Wish, gather
from conurb.federation.merge import merge_evolutions
from conurb.federation.peers import Peer, ask
from conurb.federation.reach import HISTORY, Choice, Reach
from conurb.model.changes import HistoryInstance
from conurb.model.evolution import Evolution
from conurb.model.query.tree import OrderBy, Query, Selector, TemporalQuery
from conurb.model.time import fixed_us
from conurb.node.temporal import Temporal, check_eligible
from conurb.store.contract import EvolutionPage
from conurb.store.together import INSTANCES_MAX

if TYPE_CHECKING:
    from conurb.node.node import Node

ROUNDS_MAX: Final = 200
"""Answers of one node that are asked for until its instances are all there."""


@dataclass(slots=True)
class _Found:
    """An object that somebody has a history of."""

    id: str
    source: Fleet | Peer


@dataclass(slots=True)
class _Given:
    """What a source gave: histories by object, and up to when they go if they were cut."""

    evolutions: list[Evolution]
    truncated_at_us: int | None = None


class FederatedTemporal(Temporal):
    """The history of a node and of those that it has registered."""

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
        choice = await self._reach.choose(caller, wanted, HISTORY, window=query.window, past=True)
        page = await _Asking(caller, query, choice, self._bounds.page_max).page()
        if query.aggregation is not None:
            for evolution in page.evolutions:
                check_eligible(evolution, query.aggregation, query.attributes)
        return page


@dataclass(slots=True)
class _Asking:
    """One temporal query on its way to the nodes that were chosen for it."""

    caller: Caller
    query: TemporalQuery
    choice: Choice
    chunk_max: int
    behind: Behind = field(default_factory=Behind)
    absences: list[Absence] = field(default_factory=list)
    mustered: Muster = field(default_factory=lambda: Muster(None, [], []))

    async def page(self) -> FederatedEvolutionPage:
        """Ask for the page."""
        mustered = await muster(self.choice.peers, self.caller, self.query.query)
        self.absences = [*self.choice.absences, *mustered.absences]
        self.mustered = mustered
        if mustered.fleet is not None and not mustered.others:
            return await self._of_fleet(mustered.fleet)
        wanted = self.query.query
        found = await gather(
            mustered.sources,
            self._probe,
            Wish(wanted.limit, wanted.offset, wanted.count),
            key=lambda one: _place(one.id, wanted.order),
            caller=self.caller,
            chunk_max=self.chunk_max,
        )
        self.absences += found.absences
        given = await self._histories(found.groups)
        page = FederatedEvolutionPage([], total=found.total, more=found.more)
        self._assemble(page, given, [group[0].id for group in found.groups])
        self._complete(page, exact=found.exact)
        return page

    async def _of_fleet(self, fleet: Fleet) -> FederatedEvolutionPage:
        """Have co-located nodes alone answer: what they give is the page."""
        answers, lost = await ask(
            [fleet], lambda one: one.evolution(self.caller, self.query), caller=self.caller
        )
        self.absences += lost
        page = FederatedEvolutionPage([], total=0 if self.query.query.count else None)
        exact = True
        for _, (joint, absences) in answers:
            self.absences += absences
            page.total, page.more, exact = joint.total, joint.more, joint.exact
            page.truncated_at_us = joint.truncated_at_us
            page.evolutions = [
                self._whole([evolution for _, evolution in group]) for group in joint.groups
            ]
        self._complete(page, exact=exact)
        return page

    def _complete(self, page: FederatedEvolutionPage, *, exact: bool) -> None:
        missing = [*self.mustered.named(self.absences), *self.behind.absences]
        said = completeness_of(self.choice.peers, missing, self.choice.skipped)
        page.completeness = replace(said, count_is_exact=exact, notes=self.behind.notes)

    # ── which objects ─────────────────────────────────────────────────────────────────────────

    async def _probe(self, source: Fleet | Peer, wish: Wish) -> Portion[_Found]:
        wanted = replace(self.query.query, limit=wish.limit, offset=wish.offset, count=wish.count)
        probe = replace(self.query, query=wanted, last_n=1, aggregation=None)
        if isinstance(source, Fleet):
            joint, absences = await source.evolution(self.caller, probe)
            ids = [group[0][1].id for group in joint.groups]
            return Portion(
                [_Found(one, source) for one in ids],
                joint.more,
                joint.total,
                exact=joint.exact,
                absences=absences,
            )
        page = await source.evolution(self.caller, probe)
        self.behind.hear(page)
        found = [_Found(one.id, source) for one in page.evolutions]
        leg = source.leg
        runs = None if leg is None else leg.runs
        return Portion(found, page.more, page.total, runs=runs)

    # ── their histories ───────────────────────────────────────────────────────────────────────

    async def _histories(self, groups: Sequence[Sequence[_Found]]) -> list[_Given]:
        """Read the histories of the objects found, each from those that have it."""
        alone: dict[str, list[str]] = {}
        shared: dict[str, list[str]] = {}
        holders: dict[str, Fleet | Peer] = {}
        for group in groups:
            several = len(group) > 1 and self.query.aggregation is not None
            for found in group:
                ids = shared if several else alone
                ids.setdefault(found.source.name, []).append(found.id)
                holders[found.source.name] = found.source
        share = max(1, self.query.instance_limit // max(1, len(holders)))

        async def read(source: Fleet | Peer) -> list[_Given]:
            given = []
            if own := alone.get(source.name):
                given.append(
                    await self._read(source, own, replace(self.query, instance_limit=share))
                )
            if own := shared.get(source.name):
                given.append(await self._instances(source, own))
            return given

        answers, lost = await ask(list(holders.values()), read, caller=self.caller)
        self.absences += lost
        return [one for _, given in answers for one in given]

    async def _read(self, source: Fleet | Peer, ids: Sequence[str], query: TemporalQuery) -> _Given:
        own = tuple(ids)
        if isinstance(source, Fleet):
            joint, absences = await source.only(own).evolution(
                self.caller, replace(query, query=_only(query.query, own))
            )
            self.absences += absences
            parts = [self._whole([part for _, part in group], query) for group in joint.groups]
            return _Given(parts, joint.truncated_at_us)
        page = await source.evolution(self.caller, replace(query, query=_only(query.query, own)))
        self.behind.hear(page)
        return _Given(page.evolutions, page.truncated_at_us)

    async def _instances(self, source: Fleet | Peer, ids: Sequence[str]) -> _Given:
        """Read all instances in the window of objects that others have parts of too."""
        query = replace(self.query, aggregation=None, last_n=None, instance_limit=INSTANCES_MAX)
        parts: dict[str, list[Evolution]] = {}
        count = 0
        for _ in range(ROUNDS_MAX):
            given = await self._read(source, ids, query)
            for evolution in given.evolutions:
                parts.setdefault(evolution.id, []).append(evolution)
                count += sum(map(len, evolution.instances.values()))
            if given.truncated_at_us is None:
                return _Given([self._joined(own) for own in parts.values()])
            if count > INSTANCES_MAX:
                break
            after = given.truncated_at_us + 1
            window = query.window
            bounded = window.relation in ("before", "between")
            end = window.end_us if window.relation == "between" else window.at_us
            query = replace(
                query,
                window=replace(
                    window,
                    relation="between" if bounded else "after",
                    at_us=after,
                    end_us=end if bounded else None,
                ),
            )
        raise TooComplexQueryError(
            f"the histories of {len(ids)} objects lie with several nodes, and have more than "
            f"{INSTANCES_MAX} instances in this window to be put together; ask for less time"
        )

    @staticmethod
    def _joined(parts: Sequence[Evolution]) -> Evolution:
        return merge_evolutions(parts, latest_first=False)

    # ── putting together ──────────────────────────────────────────────────────────────────────

    def _whole(self, parts: Sequence[Evolution], query: TemporalQuery | None = None) -> Evolution:
        """Put the parts of one history together; several parts hold instances."""
        query = query or self.query
        merged = merge_evolutions(parts, latest_first=query.last_n is not None, last_n=query.last_n)
        return merged if len(parts) == 1 else aggregated(merged, query)

    def _assemble(
        self, page: FederatedEvolutionPage, given: Sequence[_Given], order: Sequence[str]
    ) -> None:
        """Put histories together, up to the time that all of them reach."""
        latest_first = self.query.last_n is not None
        ends = [one.truncated_at_us for one in given if one.truncated_at_us is not None]
        parts: dict[str, list[Evolution]] = {}
        for one in given:
            for evolution in one.evolutions:
                parts.setdefault(evolution.id, []).append(evolution)
        page.evolutions = [self._whole(parts[one]) for one in order if one in parts]
        if not ends:
            return
        end = page.truncated_at_us = max(ends) if latest_first else min(ends)
        for evolution in page.evolutions:
            evolution.instances = {
                attribute: kept
                for attribute, items in evolution.instances.items()
                if (kept := [one for one in items if _within(one, end, self.query)])
            }


def _only(query: Query, ids: tuple[str, ...]) -> Query:
    """Ask for some objects alone."""
    selectors = query.selectors or (Selector(),)
    return replace(
        query,
        selectors=tuple(replace(one, ids=ids) for one in selectors),
        limit=len(ids),
        offset=0,
        count=False,
    )


def _place(entity_id: str, order: Sequence[OrderBy]) -> tuple[object, ...]:
    """Give where an object stands in the order by id, turned round when that is asked for."""
    if order and order[0].descending:
        return (*(-ord(character) for character in entity_id), 1)
    return (entity_id,)


def _within(item: HistoryInstance, end_us: int, query: TemporalQuery) -> bool:
    """Whether an instance lies on the given side of the end, by the query's time property."""
    name = query.window.timeproperty
    time = item.at_us
    if name in {"createdAt", "modifiedAt"} and item.instance is not None:
        time = fixed_us(item.instance[name])
    return time >= end_us if query.last_n is not None else time <= end_us
