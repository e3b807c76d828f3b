"""The feed of a source that a system reads by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from conurb.systems.connect.feed import Reading
from conurb.systems.sources import Message, Stream


class StreamFeed:
    """Streams what the system's own function gives."""

    def __init__(self, source: Stream, reading: Reading) -> None:
        self._source = source
        self._reading = reading

    async def messages(self) -> AsyncIterator[Message]:
        """Stream messages from the position on, each with the source's provenance."""
        position = await self._reading.position("")
        async for message in self._source.open(self._reading.site, position):
            self._reading.standing.going()
            yield replace(message, provenance=self._source.provenance)

    async def stored(self, messages: Sequence[Message]) -> None:
        """Nothing: the position is what the store keeps."""

    async def close(self) -> None:
        """Nothing is held."""
