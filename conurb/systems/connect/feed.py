"""What a running source gives: messages, and a way to tell it that they have been stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from conurb.systems.contract import Message, Site
    from conurb.systems.standing import Standing


@dataclass(frozen=True, slots=True)
class Reading:
    """What a feed works with: where it runs, its connector's name and how far it was read.

    `position` gives how far the source, or one of its files (`key`), has been read.
    """

    site: Site
    connector: str
    position: Callable[[str], Awaitable[int]]
    standing: Standing


class Feed(Protocol):
    """A source that is being read; it may end, or fail with UnavailableError, and is read anew."""

    def messages(self) -> AsyncIterator[Message]:
        """Stream messages from where the source was left."""
        ...

    async def stored(self, messages: Sequence[Message]) -> None:
        """Hear that messages have been stored, or set aside."""
        ...

    async def close(self) -> None:
        """Let go of the source."""
        ...
