"""Connections of one store: one that writes, and those that read.

Reads by primary key take some ten microseconds, less than the way to another thread and back, so
the event loop has a connection of its own for them. Queries run in a small pool of threads that
all stores of the process share; each thread opens its connection to a store when it first needs
it. Writers share a pool too: group commit lets one piece of a store's work run at a time, and a
thread that waits for the disk costs memory. Forty-one stores in one process must stay small, so
caches are.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from conurb.errors import TooComplexQueryError, UnavailableError
from conurb.store.sqlite import functions, schema

READER_THREADS: Final = 4
"""Threads that run queries, for all stores of the process together."""

IDLE_MAX: Final = READER_THREADS
"""Leased connections to one file that are kept for the next reader."""

WRITER_THREADS: Final = 8
"""Threads that write, for all stores of the process together."""

READER_CACHE_KIB: Final = 1_024
WRITER_CACHE_KIB: Final = 4_096

QUERY_TIME_MAX_S: Final = 60.0
"""A query that runs longer is stopped."""

_PROGRESS_STEPS: Final = 500_000
"""Steps of SQLite's machine between two looks at the clock."""

INLINE_TIME_MAX_S: Final = 0.001
"""A query that isn't done on the event loop after this goes to a thread, and begins anew."""

_INLINE_STEPS: Final = 2_000

T = TypeVar("T")


class InlineOverrunError(Exception):
    """A query takes longer than the event loop may stand still."""


_readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="conurb-read")
_writers = ThreadPoolExecutor(WRITER_THREADS, thread_name_prefix="conurb-write")


@dataclass(slots=True)
class Lease:
    """A connection that a reader has to itself, and what it was told in the file's `version`.

    `known` are answers to questions that hold until the file changes (`sources.Reach`).
    """

    connection: apsw.Connection
    version: int = -1
    known: dict[Any, Any] = field(default_factory=dict)


async def in_readers(work: Callable[[], T]) -> T:
    """Run work in the pool of threads that all stores of the process read with."""
    return await asyncio.get_running_loop().run_in_executor(_readers, work)


def help_reading(work: Callable[[], object]) -> None:
    """Have another thread of that pool do the same work, when one is free."""
    _readers.submit(work)


class Connections:
    """Opens, lends and closes the connections to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[apsw.Connection] = []
        self._inline: apsw.Connection | None = None
        self._idle: list[Lease] = []
        self._lock_file: int | None = None

    # ── reading ───────────────────────────────────────────────────────────────────────────────

    def inline(self) -> apsw.Connection:
        """Give the event loop's connection, for reads of microseconds."""
        if self._inline is None:
            self._inline = self._open_reader()
        return self._inline

    def read_inline(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run a query on the event loop; raise InlineOverrunError when it isn't a quick one."""
        connection = self.inline()
        deadline = time.perf_counter() + INLINE_TIME_MAX_S
        connection.execute("BEGIN")
        connection.set_progress_handler(lambda: time.perf_counter() > deadline, _INLINE_STEPS)
        try:
            return work(connection)
        except apsw.InterruptError as error:
            raise InlineOverrunError from error
        finally:
            # Interrupted, a COMMIT would leave its transaction open for whoever comes next.
            connection.set_progress_handler(None)
            connection.execute("COMMIT")

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run a query in the pool of readers, on one consistent view."""
        return await in_readers(lambda: self._read(work))

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open_reader()
        deadline = time.monotonic() + QUERY_TIME_MAX_S
        connection.execute("BEGIN")
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS_STEPS)
        try:
            return work(connection)
        except apsw.InterruptError as error:
            raise TooComplexQueryError(
                f"the query takes longer than the {QUERY_TIME_MAX_S:.0f} s that are allowed"
            ) from error
        finally:
            # Interrupted, a COMMIT would leave its transaction open for whoever comes next.
            connection.set_progress_handler(None)
            connection.execute("COMMIT")

    def lease(self) -> Lease:
        """Give a connection to read with until it is given back, in any thread."""
        try:
            return self._idle.pop()
        except IndexError:
            return Lease(self._open_reader())

    def give_back(self, lease: Lease) -> None:
        """Take back a connection that was leased; it has no open transaction."""
        if len(self._idle) < IDLE_MAX:
            self._idle.append(lease)
            return
        with self._lock, contextlib.suppress(ValueError):
            self._open.remove(lease.connection)
        lease.connection.close()

    def _open_reader(self) -> apsw.Connection:
        connection = self.connect(write=False)
        functions.register(connection)
        with self._lock:
            self._open.append(connection)
        return connection

    def connect(self, *, write: bool) -> apsw.Connection:
        """Open a connection; the caller closes it."""
        try:
            connection = apsw.Connection(str(self.path), statementcachesize=64)
        except apsw.Error as error:
            raise UnavailableError(f"store {self.path}: {error}") from error
        cache_kib = WRITER_CACHE_KIB if write else READER_CACHE_KIB
        schema.prepare(connection, cache_kib=cache_kib, write=write)
        return connection

    # ── writing ───────────────────────────────────────────────────────────────────────────────

    async def in_writer(self, work: Callable[[], T]) -> T:
        """Run work of the writer; the caller lets one piece at a time run."""
        return await asyncio.get_running_loop().run_in_executor(_writers, work)

    def claim(self) -> None:
        """Become the one process that writes to this file.

        Raises UnavailableError when another one is.
        """
        if self._lock_file is not None:
            return
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise UnavailableError(
                f"store {self.path}: another process writes to it already"
            ) from error
        self._lock_file = descriptor

    def close(self) -> None:
        """Close everything that is open."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(apsw.ThreadingViolationError):
                    connection.close()
            self._open.clear()
        self._inline = None
        self._idle = []
        self._local = threading.local()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
