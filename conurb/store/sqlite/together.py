"""Several files read in one job: one compilation, one merge of their rows, the page's objects only.

The job runs in a thread of the readers' pool, with connections that are leased for it. SQLite lets
go of the interpreter's lock while it steps, so when the files take long to give their first row, a
second thread helps to begin with them; merging and loading is one thread's work.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Final

import apsw

from conurb.errors import InvariantError, UnavailableError
from conurb.store.sqlite.connections import Lease, help_reading, in_readers
from conurb.store.sqlite.disjoint import meeting, runs_of
from conurb.store.sqlite.engine import SqliteStore
from conurb.store.sqlite.select import Plan, load_current, selection
from conurb.store.sqlite.sources import Parameters, Reach
from conurb.store.together import COUNTED_MAX, Asked, Joint, Run

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.query.tree import Query

HELP_AFTER_S: Final = 0.003
"""When beginning with the files takes longer than this, another thread helps."""

PROGRESS_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock."""


async def query_stores(
    asked: Sequence[Asked], *, within_s: float, at_us: int | None, known_at_us: int | None
) -> Joint:
    """Query several files; see `conurb.store.together.query_together`."""
    job = _QueryJob(asked, time.monotonic() + within_s, at_us=at_us, known_at_us=known_at_us)
    joint = await in_readers(job.run)
    for attribute, store in job.unindexed:
        store.door.index_soon(attribute)
    return joint


@dataclass(slots=True)
class Begun:
    """A file that is being read: its connection in a transaction, and its rows as they come."""

    number: int
    store: SqliteStore
    query: Query
    lease: Lease
    plan: Plan | None = None
    rows: Iterator[tuple[Any, ...]] = field(default_factory=lambda: iter(()))
    count: int = 0

    @property
    def connection(self) -> apsw.Connection:
        """Give the connection that it is read with."""
        return self.lease.connection

    def reach(self, now_us: int) -> Reach:
        """Give what a compilation needs of the file."""
        terms = self.store.door.terms
        return Reach(self.connection, terms, Parameters(), now_us, known=self.lease.known)

    def has_changed(self) -> bool:
        """Whether the file isn't what it was when answers were kept, which are forgotten then.

        Asked after the first statement of a transaction, from which on the file stands still.
        """
        version = self.connection.data_version()
        if version == self.lease.version:
            return False
        self.lease.version = version
        self.lease.known.clear()
        return True


class Job:
    """What every job on several files does: begin with each, also with help, and end with all."""

    def __init__(self, asked: Sequence[Asked], deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._started_s = time.monotonic()
        self._waiting: deque[tuple[int, Asked]] = deque(enumerate(asked))
        self._busy = threading.Condition()
        self._beginning = 0
        self._helped = False
        self.begun: list[Begun] = []
        self.failures: dict[int, str] = {}
        self.errors: list[Exception] = []

    def begin(self, one: Begun) -> None:
        """Bring one file to its first row."""
        raise NotImplementedError

    def begin_all(self) -> None:
        """Begin with every file; raise what the query itself is refused for."""
        self._work()
        with self._busy:
            while self._beginning:
                self._busy.wait()
        if self.errors:
            raise self.errors[0]
        self.begun.sort(key=lambda one: one.number)

    def _work(self) -> None:
        while True:
            with self._busy:
                if not self._waiting:
                    return
                number, asked = self._waiting.popleft()
                self._beginning += 1
            try:
                self._begin(number, asked)
            finally:
                with self._busy:
                    self._beginning -= 1
                    self._busy.notify_all()
            if not self._helped and time.monotonic() - self._started_s > HELP_AFTER_S:
                self._helped = True
                help_reading(self._work)

    def _begin(self, number: int, asked: Asked) -> None:
        if not isinstance(asked.store, SqliteStore):
            raise InvariantError(f"{asked.store!r} can't be read together with others")
        try:
            one = Begun(number, asked.store, asked.query, asked.store.door.connections.lease())
            self.begun.append(one)
            one.connection.set_progress_handler(self._is_late, PROGRESS_STEPS)
            one.connection.execute("BEGIN")
            self.begin(one)
        except apsw.Error as error:
            self.failures[number] = self._reason(error)
        except UnavailableError as error:
            self.failures[number] = error.detail
        except Exception as error:  # raised by whoever waits for all files
            self.errors.append(error)

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline_s

    def _reason(self, error: apsw.Error) -> str:
        if isinstance(error, apsw.InterruptError):
            return f"no answer in {self._deadline_s - self._started_s:g} s"
        return str(error)

    @contextlib.contextmanager
    def failing(self, one: Begun) -> Iterator[None]:
        """Note an error of one file as its failure."""
        try:
            yield
        except apsw.Error as error:
            self.fail(one, error)

    def fail(self, one: Begun, error: apsw.Error) -> None:
        """Note that one file gives no more."""
        self.failures[one.number] = self._reason(error)
        one.rows = iter(())

    def end(self) -> None:
        """Give every connection back."""
        for one in self.begun:
            connection = one.connection
            try:
                connection.set_progress_handler(None)
                close = getattr(one.rows, "close", None)
                if close is not None:
                    close(True)
                connection.execute("COMMIT")
            except apsw.Error:
                connection.close(True)
            else:
                one.store.door.connections.give_back(one.lease)


class _QueryJob(Job):
    """One page of current state, or of the state at a time."""

    def __init__(
        self,
        asked: Sequence[Asked],
        deadline_s: float,
        *,
        at_us: int | None,
        known_at_us: int | None,
    ) -> None:
        super().__init__(asked, deadline_s)
        self._at_us, self._known_at_us = at_us, known_at_us
        first = asked[0]
        assert isinstance(first.store, SqliteStore)  # noqa: S101 - the caller has looked
        self._now_us = first.store.door.clock()
        self._wish = first.query
        self._plans: dict[int, list[Plan]] = {}
        # Each file gives as many rows as the page could need of it alone, as they are asked for.
        end = self._wish.offset + self._wish.limit if self._wish.limit else 0
        different = {id(one.query): one.query for one in asked}
        self._queries = {
            key: replace(query, limit=end, offset=0) for key, query in different.items()
        }
        self.unindexed: list[tuple[str, SqliteStore]] = []

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
        """Compile, or take over what was compiled for a file like this; give its first row."""
        self._execute(one)
        if one.has_changed():
            self._execute(one)
        assert one.plan is not None  # noqa: S101 - it has just been made
        self.unindexed += [(attribute, one.store) for attribute in one.plan.unindexed]

    def _execute(self, one: Begun) -> None:
        plan = one.plan = self._plan(one)
        if plan.count is not None:
            one.count = int(one.connection.execute(plan.count, plan.values).get)
        if plan.page is not None:
            one.rows = one.connection.execute(plan.page, plan.values)

    def _plan(self, one: Begun) -> Plan:
        query = self._queries[id(one.query)]
        reach = one.reach(self._now_us)
        plans = self._plans.setdefault(id(query), [])
        for known in plans:
            if reach.holds(known.answers):
                return known
        made = selection(reach, query, at_us=self._at_us, known_at_us=self._known_at_us)
        plan = made.compile()
        plans.append(plan)
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
        key = _key_of(self.begun[0].plan) if self.begun else None
        heap: list[tuple[Any, int, Begun, tuple[Any, ...]]] = []
        for one in self.begun:
            row = self._next(one)
            if row is not None and key is not None:
                heap.append((key(row), one.number, one, row))
        heapq.heapify(heap)
        while heap and key is not None:
            _, number, one, row = heap[0]
            yield one, row[0], row[1]
            following = self._next(one)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (key(following), number, one, following))

    def _next(self, one: Begun) -> tuple[Any, ...] | None:
        try:
            return next(one.rows, None)
        except apsw.Error as error:
            self.fail(one, error)
            return None

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
        reach = Reach(one.connection, one.store.door.terms, Parameters(), self._now_us)
        past = selection(reach, one.query, at_us=self._at_us, known_at_us=self._known_at_us)
        return past.load(eids)

    # ── the count ─────────────────────────────────────────────────────────────────────────────

    def _count(self, joint: Joint) -> None:
        counted = [one for one in self.begun if one.count and one.number not in self.failures]
        tally = count_of(self, counted, self._ids)
        joint.total, joint.exact, joint.runs = tally.total, tally.exact, tally.runs

    def _ids(self, one: Begun) -> Iterator[tuple[str]]:
        plan = one.plan
        assert plan is not None  # noqa: S101 - it has been counted
        return one.connection.execute(plan.ids, plan.values)


@dataclass(frozen=True, slots=True)
class Tally:
    """A count of several files, and in which runs the counted ids lie."""

    total: int
    exact: bool
    runs: tuple[Run, ...] | None


def count_of(job: Job, counted: Sequence[Begun], ids: Any) -> Tally:
    """Add up the counts of files; those that may hold ids in common are looked through for them."""
    runs: dict[int, tuple[Run, ...] | None] = {}
    by_number = {one.number: one for one in counted}
    for one in counted:
        with job.failing(one):
            runs[one.number] = runs_of(one.reach(0), one.query, fine=False)
    groups = meeting(runs)
    if len(counted) > 1 and any(len(group) > 1 for group in groups):
        for group in groups:
            for number in group if len(group) > 1 else ():
                one = by_number[number]
                with job.failing(one):
                    runs[number] = runs_of(one.reach(0), one.query, fine=True)
        groups = meeting(runs)
    total, exact = 0, True
    for group in groups:
        summed = sum(by_number[number].count for number in group)
        if len(group) == 1:
            total += summed
        elif summed > COUNTED_MAX:
            total += summed
            exact = False
        else:
            distinct: set[str] = set()
            for number in group:
                with job.failing(by_number[number]):
                    distinct.update(row[0] for row in ids(by_number[number]))
            total += len(distinct)
    everywhere = any(own is None for own in runs.values())
    known = tuple(run for own in runs.values() for run in own or ())
    return Tally(total, exact, None if everywhere else known)


# ── order ─────────────────────────────────────────────────────────────────────────────────────


@total_ordering
class _Descending:
    """A sort key turned round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.key == other.key)

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.key < self.key)

    __hash__ = None  # type: ignore[assignment]


def _key_of(plan: Plan | None) -> Any:
    """Give what rows (eid, id, terms) are ordered by, as SQLite orders them."""
    descending = () if plan is None else plan.descending
    if not descending:
        return lambda row: row[1]

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        terms = (
            _Descending(_sorted_as(term)) if turned else _sorted_as(term)
            for term, turned in zip(row[2:], descending, strict=True)
        )
        return (*terms, row[1])

    return key


def _sorted_as(term: Any) -> tuple[int, Any]:
    """Give a value its place among values of other types: NULL, numbers, texts."""
    if term is None:
        return 0, 0
    return (2, term) if isinstance(term, str) else (1, term)
