"""Group commit: writes that wait together commit together, on one writer per node.

A durable commit costs a wait for the disk, however much it holds. So while one group commits, the
requests that arrive collect, and they are the next group; when nothing is under way, a request
commits at once and alone. Both engines stand on this; what a commit does is theirs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from conurb.errors import UnavailableError
from conurb.model.changes import Operation
from conurb.store.contract import Document, Outcome, Position

GROUP_OPERATIONS_MAX: Final = 1_000
"""A group takes requests until it has this many operations; a larger request goes alone. More make
more memory to go through, which costs what the saved waits for the disk gain."""

WAITING_OPERATIONS_MAX: Final = 200_000
"""More operations than this don't wait for the writer: the caller is told to come again."""

T = TypeVar("T")


@dataclass(slots=True)
class Request:
    """What one caller asks the writer to commit.

    `atomic` makes the operations all or nothing: the first error is the result of the request.
    `put` and `delete` are documents, `position` a reader's place in the journal.
    """

    operations: Sequence[Operation] = ()
    atomic: bool = False
    position: Position | None = None
    put: Document | None = None
    delete: tuple[str, str] | None = None


@dataclass(slots=True)
class Result:
    """What became of a request: outcomes in order, or `error` when it was atomic and failed.

    `deleted` says whether there was a document to delete.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    error: BaseException | None = None
    deleted: bool = False


Commit = Callable[[Sequence[Request]], Awaitable[Sequence[Result]]]
"""Writes requests in one transaction, in order; gives one result each. Raising fails them all."""


@dataclass(slots=True)
class _Waiting:
    request: Request | None
    exclusive: Callable[[], Awaitable[Any]] | None
    future: asyncio.Future[Any]


class GroupCommit:
    """Collects requests and commits them in groups, one group at a time, in order of arrival."""

    def __init__(self, commit: Commit, *, name: str) -> None:
        self._commit = commit
        self._name = name
        self._waiting: deque[_Waiting] = deque()
        self._operations = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, request: Request) -> Result:
        """Commit a request; return when it is durable.

        Raises UnavailableError when too many operations wait or the writer is closed, and
        whatever the commit raises.
        """
        count = len(request.operations)
        if self._waiting and self._operations + count > WAITING_OPERATIONS_MAX:
            raise UnavailableError(
                f"store {self._name}: {self._operations} writes wait already, "
                f"at most {WAITING_OPERATIONS_MAX} may"
            )
        self._operations += count
        result: Result = await self._enqueue(request, None)
        if result.error is not None:
            raise result.error
        return result

    async def exclusive(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run other work of the writer between two groups, in order of arrival."""
        outcome: T = await self._enqueue(None, work)
        return outcome

    async def close(self) -> None:
        """Finish what was accepted, and accept nothing more."""
        self._closed = True
        if self._task is not None:
            await asyncio.shield(self._task)

    def _enqueue(
        self, request: Request | None, work: Callable[[], Awaitable[Any]] | None
    ) -> asyncio.Future[Any]:
        if self._closed:
            raise UnavailableError(f"store {self._name} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Waiting(request, work, future))
        if self._task is None:
            self._task = loop.create_task(self._run(), name=f"writer of {self._name}")
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._waiting[0].exclusive is not None:
                    await self._run_exclusive(self._waiting.popleft())
                else:
                    await self._run_group(self._take())
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting:
            request = self._waiting[0].request
            if request is None or (group and size + len(request.operations) > GROUP_OPERATIONS_MAX):
                break
            size += len(request.operations)
            group.append(self._waiting.popleft())
        self._operations -= size
        return group

    async def _run_group(self, group: list[_Waiting]) -> None:
        requests = [waiting.request for waiting in group if waiting.request is not None]
        try:
            results = await self._commit(requests)
        except BaseException as error:
            for waiting in group:
                _fail(waiting.future, error)
            if not isinstance(error, Exception):
                raise
            return
        for waiting, result in zip(group, results, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(result)

    async def _run_exclusive(self, waiting: _Waiting) -> None:
        assert waiting.exclusive is not None  # noqa: S101 - says it to the type checker
        try:
            outcome = await waiting.exclusive()
        except BaseException as error:
            _fail(waiting.future, error)
            if not isinstance(error, Exception):
                raise
            return
        if not waiting.future.done():
            waiting.future.set_result(outcome)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
