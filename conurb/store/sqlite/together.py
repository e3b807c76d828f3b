"""Several files read in one job: one compilation, one merge of their rows, the page's objects only.

Rows come in order from every file; as many are taken of each as the page needs.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial, total_ordering
from typing import TYPE_CHECKING, Any, Final

from conurb.store.sqlite.connections import InlineOverrunError, in_readers
from conurb.store.sqlite.disjoint import States, least_of, runs_of
from conurb.store.sqlite.engine import INLINE_LIMIT_MAX, Door
from conurb.store.sqlite.job import Begun, Job, count_of, door_of
from conurb.store.sqlite.select import Plan, load_current, selection
from conurb.store.sqlite.sources import Parameters, Reach
from conurb.store.together import Asked, Joint, Run

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.query.tree import Query
    from conurb.store.contract import Store

INLINE_S_MAX: Final = 0.004
"""A job that isn't done on the event loop after this much work begins anew in a thread."""
INLINE_WAIT_S_MAX: Final = 0.02
"""The same when it has to wait, for the disk or for the processor."""


async def query_stores(
    asked: Sequence[Asked], *, within_s: float, at_us: int | None, known_at_us: int | None
) -> Joint:
    """Query several files; see `conurb.store.together.query_together`."""
    now_s = time.monotonic()
    make = partial(_QueryJob, asked, at_us=at_us, known_at_us=known_at_us)
    job = make(now_s + INLINE_WAIT_S_MAX, inline_s=INLINE_S_MAX)
    try:
        if asked[0].query.limit > INLINE_LIMIT_MAX or within_s < INLINE_WAIT_S_MAX:
            raise InlineOverrunError
        joint = job.run()
    except InlineOverrunError:
        job = make(now_s + within_s)
        joint = await in_readers(job.run)
    for attribute, door in job.unindexed:
        door.index_soon(attribute)
    return joint


def runs_of_store(store: Store, query: Query) -> tuple[Run, ...] | None:
    """Give where the ids of a query's types lie in one file; on the event loop: they are seeks."""
    door = door_of(Asked(store, query))
    reach = Reach(door.connections.inline(), door.terms, Parameters(), 0)
    return runs_of(reach, query, fine=False)


class _QueryJob(Job):
    """One page of current state, or of the state at a time."""

    def __init__(
        self,
        asked: Sequence[Asked],
        deadline_s: float,
        *,
        at_us: int | None,
        known_at_us: int | None,
        inline_s: float | None = None,
    ) -> None:
        super().__init__(asked, deadline_s, inline_s=inline_s)
        self._at_us, self._known_at_us = at_us, known_at_us
        self._now_us = door_of(asked[0]).clock()
        self._wish = asked[0].query
        self._plans: dict[int, list[Plan]] = {}
        # Each file gives as many rows as the page could need of it alone, as they are asked for.
        end = self._wish.offset + self._wish.limit if self._wish.limit else 0
        different = {id(one.query): one.query for one in asked}
        self._queries = {
            key: replace(query, limit=end, offset=0) for key, query in different.items()
        }
        is_now = at_us is None and known_at_us is None
        self._is_lazy = is_now and self._wish.limit > 0 and not self._wish.order
        self._states: States = "current" if is_now else "past"
        self.unindexed: list[tuple[str, Door]] = []

    def run(self) -> Joint:
        """Read the page, in this thread."""
        try:
            self.begin_all()
            joint = Joint()
            if self._wish.count:
                self._count(joint)
            if self._wish.limit:
                self._fill(joint)
            joint.failures = self.failures
            return joint
        finally:
            self.end()

    def begin(self, one: Begun) -> None:
        """Count what one file has, and bring it to its first row, or say where it may begin."""
        if self._wish.count:
            self._count_one(one)
            if one.has_changed():
                one.plan = None
                self._count_one(one)
        else:
            one.stand_still()
        if self._is_lazy:
            # In order of id, a file isn't read before its ids are reached.
            one.least = least_of(one.reach(0), one.query)
        elif self._wish.limit:
            self._open(one)

    def _count_one(self, one: Begun) -> None:
        plan = self._plan(one)
        one.count = int(one.connection.execute(plan.count or "", plan.values).get)

    def _open(self, one: Begun) -> None:
        plan = self._plan(one)
        one.rows = one.connection.execute(plan.page or "", plan.values)

    def _plan(self, one: Begun) -> Plan:
        """Compile, or take over what was compiled for a file like this."""
        if one.plan is not None:
            return one.plan
        query = self._queries[id(one.query)]
        reach = one.reach(self._now_us)
        plans = self._plans.setdefault(id(query), [])
        for known in plans:
            if reach.holds(known.answers):
                plan = known
                break
        else:
            made = selection(reach, query, at_us=self._at_us, known_at_us=self._known_at_us)
            plan = made.compile()
            plans.append(plan)
        one.plan = plan
        self.unindexed += [(attribute, one.door) for attribute in plan.unindexed]
        return plan

    # ── the page ──────────────────────────────────────────────────────────────────────────────

    def _fill(self, joint: Joint) -> None:
        """Merge rows until the page is full, then load what is on it."""
        offset, limit = self._wish.offset, self._wish.limit
        page: dict[str, list[tuple[Begun, int]]] = {}
        seen: set[str] = set()
        for one, eid, entity_id in self._merged():
            known = page.get(entity_id)
            if known is not None:
                known.append((one, eid))
            elif entity_id not in seen:
                if len(page) == limit:
                    joint.more = True
                    break
                if len(seen) >= offset:
                    page[entity_id] = [(one, eid)]
                seen.add(entity_id)
        entities = self._loaded(page.values())
        for parts in page.values():
            group = [
                (one.number, entities[one.number, eid])
                for one, eid in parts
                if (one.number, eid) in entities
            ]
            if group:
                joint.groups.append(group)

    def _merged(self) -> Iterator[tuple[Begun, int, str]]:
        """Stream the rows of all files in order, as they are asked for."""
        plans = [one.plan for one in self.begun if one.plan is not None]
        key = _key_of(() if self._is_lazy or not plans else plans[0].descending)
        heap: list[tuple[Any, int, Begun, tuple[Any, ...] | None]] = []
        for one in self.begun:
            if self._is_lazy:
                if one.least is not None and one.number not in self.failures:
                    heap.append((one.least, one.number, one, None))
                continue
            row = self.next_row(one)
            if row is not None:
                heap.append((key(row), one.number, one, row))
        heapq.heapify(heap)
        while heap:
            _, number, one, row = heap[0]
            if row is None:
                with self.failing(one):
                    self._open(one)
            else:
                yield one, row[0], row[1]
            following = self.next_row(one)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (key(following), number, one, following))

    def _loaded(self, groups: Any) -> dict[tuple[int, int], Entity]:
        wanted: dict[int, tuple[Begun, list[int]]] = {}
        for parts in groups:
            for one, eid in parts:
                wanted.setdefault(one.number, (one, []))[1].append(eid)
        loaded: dict[tuple[int, int], Entity] = {}
        for number, (one, eids) in wanted.items():
            with self.failing(one):
                for eid, entity in self._load(one, eids).items():
                    loaded[number, eid] = entity
        return loaded

    def _load(self, one: Begun, eids: list[int]) -> dict[int, Entity]:
        if self._at_us is None and self._known_at_us is None:
            return load_current(one.connection, eids)
        reach = one.reach(self._now_us)
        past = selection(reach, one.query, at_us=self._at_us, known_at_us=self._known_at_us)
        return past.load(eids)

    # ── the count ─────────────────────────────────────────────────────────────────────────────

    def _count(self, joint: Joint) -> None:
        counted = [one for one in self.begun if one.count and one.number not in self.failures]
        tally = count_of(self, counted, self._ids, self._states)
        joint.total, joint.exact, joint.runs = tally.total, tally.exact, tally.runs

    def _ids(self, one: Begun) -> Iterator[tuple[str]]:
        plan = one.plan
        assert plan is not None  # noqa: S101 - it has been counted
        return one.connection.execute(plan.ids, plan.values)


# ── order ─────────────────────────────────────────────────────────────────────────────────────


@total_ordering
class Descending:
    """A sort key turned round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and bool(self.key == other.key)

    def __lt__(self, other: Descending) -> bool:
        return bool(other.key < self.key)

    __hash__ = None  # type: ignore[assignment]


def _key_of(descending: Sequence[bool]) -> Any:
    """Give what rows (eid, id, terms) are ordered by, as SQLite orders them."""
    if not descending:
        return lambda row: row[1]

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        terms = (
            Descending(_sorted_as(term)) if turned else _sorted_as(term)
            for term, turned in zip(row[2:], descending, strict=True)
        )
        return (*terms, row[1])

    return key


def _sorted_as(term: Any) -> tuple[int, Any]:
    """Give a value its place among values of other types: NULL, numbers, texts."""
    if term is None:
        return 0, 0
    return (2, term) if isinstance(term, str) else (1, term)
