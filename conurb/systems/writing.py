"""How a part of a system writes: operations and how far it has read, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from conurb.errors import AlreadyExistsError, ConurbError, InvariantError
from conurb.model.time import shown_us
from conurb.store.contract import ELSEWHERE, Position
from conurb.systems.dead_letters import DeadLetters
from conurb.systems.standing import Standing

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.store.contract import Store
    from conurb.systems.contract import Site

T = TypeVar("T")
OPERATIONS_MAX: Final = 100_000
"""How many operations one step may lead to."""


class Pen:
    """Writes for one part, named by its reader, and counts what became of it."""

    def __init__(
        self, site: Site, store: Store, standing: Standing, letters: DeadLetters, *, reader: str
    ) -> None:
        self.site = site
        self.standing = standing
        self.letters = letters
        self._store = store
        self._reader = reader

    def reader(self, key: str = "") -> str:
        """Name the reader of a part, or of one of the things besides that it reads."""
        if not key:
            return self._reader
        return f"{ELSEWHERE}{self._reader.removeprefix(ELSEWHERE)}/{key}"

    async def position(self, key: str = "") -> int:
        """Give how far has been read; 0 for nothing yet."""
        return await self._store.position(self.reader(key))

    async def write(
        self, operations: Sequence[Operation], *, seq: int | None, key: str = ""
    ) -> None:
        """Store operations and the position; what the store refuses becomes a dead letter.

        What exists already was done before. Raises UnavailableError when nothing could be stored.
        """
        if len(operations) > OPERATIONS_MAX:
            raise InvariantError(
                f"{self._reader}: {len(operations)} operations at once, over {OPERATIONS_MAX}"
            )
        position = None if seq is None else Position(self.reader(key), seq)
        if not operations:
            if position is not None:
                await to_the_end(self._store.set_position(position))
            return
        outcomes = await to_the_end(self._store.apply(operations, position=position))
        for operation, outcome in zip(operations, outcomes, strict=True):
            if isinstance(outcome, AlreadyExistsError):
                self.standing.repeated += 1
            elif isinstance(outcome, ConurbError):
                await self.set_aside(outcome, object=operation.entity_id)
            else:
                self.standing.stored += 1
        self.standing.last_us = self.site.now_us()

    async def set_aside(self, error: Exception, *, body: bytes = b"", **about: object) -> None:
        """Put what couldn't be read or stored into the dead-letter file."""
        why = error.detail if isinstance(error, ConurbError) else repr(error)
        self.standing.dead += 1
        await self.letters.put(
            at=shown_us(self.site.now_us()), why=why, body=body, part=self.standing.name, **about
        )


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await work that is finished also when the waiting is cancelled.

    The store commits what it was given in any case; whoever starts anew must find it committed.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def reader_name(system: str, kind: str, part: str, *, elsewhere: bool) -> str:
    """Name the reader of a part: under it the store keeps how far it has come."""
    return f"{ELSEWHERE if elsewhere else ''}system:{system}:{kind}:{part}"
