"""A job on several files: begun with each, also with help, read from, counted, and ended with all.

It runs in a thread of the readers' pool, with connections that are leased for it. SQLite lets go of
the interpreter's lock while it steps, so when the files take long to give their first row, a second
thread helps to begin with them; what comes after is one thread's work.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import apsw

from conurb.errors import InvariantError, UnavailableError
from conurb.store.sqlite.connections import InlineOverrunError, Lease, help_reading
from conurb.store.sqlite.disjoint import States, runs_of
from conurb.store.sqlite.engine import Door
from conurb.store.sqlite.sources import Parameters, Reach
from conurb.store.together import COUNTED_MAX, Asked, Run, meeting

if TYPE_CHECKING:
    from conurb.model.query.tree import Query
    from conurb.store.sqlite.select import Plan

HELP_AFTER_S: Final = 0.003
"""When beginning with the files takes longer than this, another thread helps."""

INLINE_STEPS: Final = 2_000
"""The same for a job on the event loop."""

PROGRESS_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at the clock."""

_LOOK: Final = "SELECT 1 FROM term WHERE id = 1"
"""From the first statement on a transaction sees the file as it is then."""


@dataclass(slots=True)
class Begun:
    """A file that is being read: its connection in a transaction, and its rows as they come.

    `least` is an id before which it has none, where that is asked for.
    """

    number: int
    door: Door
    query: Query
    lease: Lease
    plan: Plan | None = None
    rows: Iterator[tuple[Any, ...]] = field(default_factory=lambda: iter(()))
    count: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    least: str | None = None

    @property
    def connection(self) -> apsw.Connection:
        """Give the connection that it is read with."""
        return self.lease.connection

    def reach(self, now_us: int) -> Reach:
        """Give what a compilation needs of the file."""
        terms = self.door.terms
        return Reach(self.connection, terms, Parameters(), now_us, known=self.lease.known)

    def stand_still(self) -> None:
        """See the file as it is now, to the end; forget answers if it isn't what it was."""
        self.connection.execute(_LOOK).fetchone()
        self.has_changed()

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


def door_of(asked: Asked) -> Door:
    """Give the way into a store that can be read together with others."""
    door = getattr(asked.store, "door", None)
    if not isinstance(door, Door):
        raise InvariantError(f"{asked.store!r} can't be read together with others")
    return door


class Job:
    """What every job on several files does: begin with each, also with help, and end with all."""

    def __init__(
        self, asked: Sequence[Asked], deadline_s: float, *, inline_s: float | None = None
    ) -> None:
        """Take what is asked.

        A job that runs on the event loop, for `inline_s` of processor time, is given up as a whole
        when it is late.
        """
        self._deadline_s = deadline_s
        self._inline = inline_s is not None
        self._spent_s = time.thread_time() + (inline_s or 0.0)
        self._started_s = time.monotonic()
        self._waiting: deque[tuple[int, Asked]] = deque(enumerate(asked))
        self._helpers = threading.Condition()
        self._helping = 0
        self._called = False
        self.begun: list[Begun] = []
        self.failures: dict[int, str] = {}
        self.errors: list[Exception] = []

    def begin(self, one: Begun) -> None:
        """Bring one file to its first row."""
        raise NotImplementedError

    def begin_all(self) -> None:
        """Begin with every file; raise what the query itself is refused for."""
        self._work()
        if self._called:
            with self._helpers:
                while self._helping:
                    self._helpers.wait()
            self.begun.sort(key=lambda one: one.number)
        if self.errors:
            raise self.errors[0]

    def _work(self) -> None:
        """Begin with one file after the other until none is left; call for help if it takes long.

        Whoever takes a file off the queue has it to themselves.
        """
        while True:
            try:
                number, asked = self._waiting.popleft()
            except IndexError:
                return
            if self._inline and self._is_late():
                raise InlineOverrunError
            self._begin(number, asked)
            if (
                not self._inline
                and not self._called
                and time.monotonic() - self._started_s > HELP_AFTER_S
            ):
                self._called = True
                help_reading(self._help)

    def _help(self) -> None:
        with self._helpers:
            self._helping += 1
        try:
            self._work()
        finally:
            with self._helpers:
                self._helping -= 1
                self._helpers.notify_all()

    def _begin(self, number: int, asked: Asked) -> None:
        try:
            door = door_of(asked)
            one = Begun(number, door, asked.query, door.connections.lease())
            self.begun.append(one)
            steps = INLINE_STEPS if self._inline else PROGRESS_STEPS
            one.connection.set_progress_handler(self._is_late, steps)
            one.connection.execute("BEGIN")
            self.begin(one)
        except apsw.Error as error:
            self._note(number, error)
        except UnavailableError as error:
            self.failures[number] = error.detail
        except Exception as error:  # raised by whoever waits for all files
            self.errors.append(error)

    def _is_late(self) -> bool:
        if self._inline and time.thread_time() > self._spent_s:
            return True
        return time.monotonic() > self._deadline_s

    def _note(self, number: int, error: apsw.Error) -> None:
        if not isinstance(error, apsw.InterruptError):
            self.failures[number] = str(error)
        elif self._inline:
            raise InlineOverrunError from error
        else:
            self.failures[number] = f"no answer in {self._deadline_s - self._started_s:.3g} s"

    @contextlib.contextmanager
    def failing(self, one: Begun) -> Iterator[None]:
        """Note an error of one file as its failure."""
        try:
            yield
        except apsw.Error as error:
            self.fail(one, error)

    def fail(self, one: Begun, error: apsw.Error) -> None:
        """Note that one file gives no more."""
        self._note(one.number, error)
        one.rows = iter(())

    def next_row(self, one: Begun) -> tuple[Any, ...] | None:
        """Give a file's next row; None at the end, also when it fails."""
        try:
            return next(one.rows, None)
        except apsw.Error as error:
            self.fail(one, error)
            return None

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
                one.door.connections.give_back(one.lease)


@dataclass(frozen=True, slots=True)
class Tally:
    """A count of several files, and in which runs the counted ids lie."""

    total: int
    exact: bool
    runs: tuple[Run, ...] | None


def count_of(
    job: Job,
    counted: Sequence[Begun],
    ids: Callable[[Begun], Iterable[tuple[str]]],
    states: States = "current",
) -> Tally:
    """Add up the counts of files; those that may hold ids in common are looked through for them."""
    by_number = {one.number: one for one in counted}
    runs: dict[int, tuple[Run, ...] | None] = {}

    def measure(numbers: Iterable[int], *, fine: bool) -> None:
        for number in numbers:
            one = by_number[number]
            runs[number] = None
            with job.failing(one):
                runs[number] = runs_of(one.reach(0), one.query, fine=fine, states=states)

    measure(by_number, fine=False)
    groups = meeting(runs)
    close = [number for group in groups if len(group) > 1 for number in group]
    if close:
        measure(close, fine=True)
        groups = meeting(runs)
    total, exact = 0, True
    for group in groups:
        summed = sum(by_number[number].count for number in group)
        if len(group) == 1 or summed > COUNTED_MAX:
            total += summed
            exact &= len(group) == 1
            continue
        distinct: set[str] = set()
        for number in group:
            with job.failing(by_number[number]):
                distinct.update(row[0] for row in ids(by_number[number]))
        total += len(distinct)
    unknown = any(own is None for own in runs.values())
    known = tuple(run for own in runs.values() for run in own or ())
    return Tally(total, exact, None if unknown else known)
