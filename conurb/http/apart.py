"""Big batches are read in a process of their own.

Reading a thousand entities takes the interpreter some twenty milliseconds: on the event loop they
would hold up every look-up, and the writer besides. So bodies from `APART_BYTES_MIN` on go through
a pipe to a process that does nothing but `conurb.http.reading.read_batch`; what comes back is
marshalled, which the interpreter takes in five times as fast as it reads. The process starts with
the first such body and ends when its input does, however this process ends. Until it is there, and
where it can't be had, batches are read here.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import marshal
import pickle
import signal
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, Final

from conurb import errors
from conurb.errors import ConurbError, InvariantError
from conurb.http.reading import BatchRead, Limits, read_batch
from conurb.model.context import Terms
from conurb.model.entity import Attributes, Entity
from conurb.model.text import EntityText, TextEntity, write_out
from conurb.store.sqlite.values import regular

APART_BYTES_MIN: Final = 100_000
"""Bodies from this size on are read apart: going there and back costs as much as reading less."""

TERMS_MAX: Final = 64
"""Compiled @contexts that the other process keeps; over that it starts anew with none."""

ENDING_S: Final = 2
"""How long the process may take to end once its input has ended."""

COLLECTION_THRESHOLDS: Final = (200_000, 20, 20)
"""Of garbage, in the other process: a batch is many objects that live as long as it does."""

PIPE_BYTES: Final = 1 << 20
"""Asked of the system for each pipe, so that a batch crosses in few pieces."""

READY: Final = True
"""What the other process says first."""

_LENGTH_BYTES: Final = 8

log = logging.getLogger(__name__)


class ApartReader:
    """Reads batches, the big ones in a process of their own.

    One batch is read at a time. It is to be closed; else the process ends with the reader.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._started: asyncio.Future[None] | None = None
        self._child: _Child | None = None
        self._end: weakref.finalize[..., Any] | None = None
        self._numbers: dict[int, tuple[int, Terms]] = {}

    async def read(self, body: bytes, terms: Terms, limits: Limits) -> BatchRead:
        """Read the entities of a batch of application/json; raise as `read_batch` does."""
        if len(body) < APART_BYTES_MIN:
            return read_batch(body, terms, limits)
        if not self.start().done():
            return await asyncio.to_thread(read_batch, body, terms, limits)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._read, body, terms, limits)

    def start(self) -> asyncio.Future[None]:
        """Start the process unless it was; what is given is done when it can read."""
        if self._started is None:
            loop = asyncio.get_running_loop()
            self._started = loop.run_in_executor(self._thread, self._start)
        return self._started

    def close(self) -> None:
        """End the process."""
        self._drop()
        self._thread.shutdown(wait=False)

    def _read(self, body: bytes, terms: Terms, limits: Limits) -> BatchRead:
        try:
            said = self._ask(body, terms, limits)
        except (OSError, EOFError, ValueError) as error:
            log.warning("the process that reads batches is gone: %s", error or "it ended")
            self._drop()
            return read_batch(body, terms, limits)
        return _taken(said)

    def _ask(self, body: bytes, terms: Terms, limits: Limits) -> Any:
        child = self._child
        if child is None:
            raise EOFError
        known = self._numbers.get(id(terms))
        compiled = None
        if known is None:
            if len(self._numbers) >= TERMS_MAX:
                self._numbers.clear()
            known = self._numbers[id(terms)] = len(self._numbers), terms
            compiled = pickle.dumps(terms)
        _put(child.asked, (known[0], compiled, limits.depth_max, limits.batch_max, body))
        return _take(child.answers)

    def _start(self) -> None:
        try:
            self._child = child = _Child()
            self._end = weakref.finalize(self, child.end)
            _take(child.answers)
        except (OSError, EOFError, ValueError) as error:
            log.warning("there is no process that reads batches: %s", error or "it ended")
            self._drop()

    def _drop(self) -> None:
        if self._end is not None:
            self._end()
        self._child = self._end = self._started = None
        self._numbers.clear()


class _Child:
    """The other process, and the pipes to and from it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.asked: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self.answers: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        for pipe in (self.asked, self.answers):
            with suppress(OSError, AttributeError):  # no such thing here, or over a bound
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def end(self) -> None:
        """End the process by ending its input."""
        for pipe in (self.asked, self.answers):
            with suppress(OSError):  # what it had yet to be told is lost with it
                pipe.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _put(pipe: IO[bytes], message: Any) -> None:
    data = marshal.dumps(message)
    pipe.write(len(data).to_bytes(_LENGTH_BYTES, "big"))
    pipe.write(data)
    pipe.flush()


def _take(pipe: IO[bytes]) -> Any:
    """Take a message; raise EOFError when there is none or it breaks off."""
    length = int.from_bytes(_take_bytes(pipe, _LENGTH_BYTES), "big")
    return marshal.loads(_take_bytes(pipe, length))  # noqa: S302 - from our own process


def _take_bytes(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _taken(said: Any) -> BatchRead:
    """Make of an answer what `read_batch` gives, or raise what it raised."""
    entities, failures, refused = said
    if refused is not None:
        raise _error(*refused)
    return BatchRead(
        [_entity(*one) for one in entities],
        [(entity_id, _error(name, detail)) for entity_id, name, detail in failures],
    )


def _crossing(entity: Entity, shared: dict[Any, Any]) -> tuple[Any, ...]:
    """Give an entity as it crosses the pipe: written out, or its attributes when it can't be.

    Marshal writes the same object once, so what most entities have in common is `shared`.
    """
    text = write_out(entity.attrs, regular)
    types = shared.setdefault(entity.types, entity.types)
    if text is None:
        return entity.id, types, entity.scope, entity.expires_at, None, entity.attrs
    attributes = shared.setdefault(text.attributes, text.attributes)
    plain = tuple(text._replace(attributes=attributes))
    return entity.id, types, entity.scope, entity.expires_at, plain, None


def _entity(
    entity_id: str,
    types: tuple[str, ...],
    scope: tuple[str, ...],
    expires_at: int | None,
    text: Any,
    attrs: Attributes | None,
) -> Entity:
    """Make of what has crossed the pipe the entity that it was."""
    if text is None:
        return Entity(entity_id, types, attrs or {}, scope, expires_at=expires_at)
    return TextEntity(
        entity_id, types, scope=scope, expires_at=expires_at, text=EntityText._make(text)
    )


def _error(name: str, detail: str) -> ConurbError:
    made = getattr(errors, name)(detail)
    if not isinstance(made, ConurbError):
        raise InvariantError(f"{name} is no error of ours")
    return made


def answer(message: Any, known: dict[int, Terms]) -> Any:
    """Read one batch, in the other process; give what crosses the pipe."""
    number, compiled, depth_max, batch_max, body = message
    if compiled is not None:
        if number == 0:
            known.clear()
        known[number] = pickle.loads(compiled)  # noqa: S301 - from the process that started us
    try:
        read = read_batch(body, known[number], Limits(depth_max, batch_max))
    except ConurbError as error:
        return [], [], (type(error).__name__, error.detail)
    shared: dict[Any, Any] = {}
    return (
        [_crossing(entity, shared) for entity in read.entities],
        [(entity_id, type(error).__name__, error.detail) for entity_id, error in read.failures],
        None,
    )


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    known: dict[int, Terms] = {}
    _put(sys.stdout.buffer, READY)
    while True:
        try:
            message = _take(sys.stdin.buffer)
        except EOFError:
            return
        _put(sys.stdout.buffer, answer(message, known))


if __name__ == "__main__":
    main()
