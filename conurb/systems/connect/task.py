"""Runs a connector: reads a source, hands each message to the reader, stores what comes of it.

Messages that wait together are stored together, up to a bound, with the source's position in the
same transaction; then the source is told. What can't be read is set aside before the position moves
on. Behind a store that is slow, the source is read more slowly: little waits in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.errors import ConurbError, InvalidRequestError, UnavailableError
from conurb.systems.connect.feed import Feed, Reading
from conurb.systems.connect.files import FileFeed
from conurb.systems.connect.poll import PollFeed
from conurb.systems.connect.replay import RecordingFeed, SimulationFeed
from conurb.systems.connect.stream import StreamFeed
from conurb.systems.provenance import marked
from conurb.systems.sources import (
    Connector,
    FileWatch,
    HttpPoll,
    Message,
    MqttTopics,
    Recording,
    Simulation,
    Source,
    Stream,
)
from conurb.systems.standing import keep_going
from conurb.systems.writing import Pen

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.contract import Site

LINGER_S: Final = 0.01
"""How long more messages are waited for, when they come in numbers."""

_log = logging.getLogger(__name__)

GARBAGE = (ConurbError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What a reader raises for a message that isn't what it should be; anything else is a fault of the
reader's, and is logged besides."""


@dataclass(frozen=True, slots=True)
class _End:
    """Says in the queue that the source has ended, or why it went away."""

    error: BaseException | None


class ConnectorTask:
    """One connector at one site."""

    def __init__(self, connector: Connector, site: Site, pen: Pen) -> None:
        self._connector = connector
        self._site = site
        self._pen = pen
        self._busy = False

    async def run(self) -> None:
        """Run until cancelled, or the source has ended for good."""
        await keep_going(self._run, self._pen.standing)

    async def _run(self) -> None:
        reading = Reading(self._site, self._connector.name, self._pen.position, self._pen.standing)
        feed = feed_of(self._connector.source, reading)
        queue: asyncio.Queue[Message | _End] = asyncio.Queue(self._connector.batch_max)
        pump = asyncio.create_task(_pump(feed, queue), name=f"reading {self._connector.name}")
        try:
            while (batch := await self._next(queue)) is not None:
                await self._store(batch)
                await feed.stored(batch)
        finally:
            pump.cancel()
            await asyncio.wait([pump])
            if not pump.cancelled() and pump.exception() is not None:
                _log.debug("%s was left: %r", self._connector.name, pump.exception())
            await feed.close()

    async def _next(self, queue: asyncio.Queue[Message | _End]) -> list[Message] | None:
        """Wait for messages and give those that wait; None when the source has ended.

        While messages come in numbers, more are waited for a moment: a commit costs the same for
        one as for many. One that comes alone is stored at once.
        """
        batch: list[Message] = []
        lingered = False
        while len(batch) < self._connector.batch_max:
            if batch and queue.empty():
                if lingered or not self._busy:
                    break
                lingered = True
                await asyncio.sleep(LINGER_S)
                continue
            item = await queue.get()
            if isinstance(item, _End):
                if batch:
                    queue.put_nowait(item)
                    break
                if item.error is not None:
                    raise item.error
                return None
            batch.append(item)
        self._busy = len(batch) > 1
        return batch

    async def _store(self, batch: Sequence[Message]) -> None:
        """Store a batch: one transaction for each run of messages of one key."""
        start = 0
        for index, message in enumerate(batch):
            last = index + 1 == len(batch)
            if last or batch[index + 1].key != message.key:
                await self._store_run(batch[start : index + 1])
                start = index + 1

    async def _store_run(self, messages: Sequence[Message]) -> None:
        operations: list[Operation] = []
        for message in messages:
            operations += marked(await self._read(message), message.provenance)
        last = messages[-1]
        seq = last.position or None
        await self._pen.write(operations, seq=seq, key=last.key)
        self._pen.standing.read += len(messages)
        self._pen.standing.last_us = self._site.now_us()

    async def _read(self, message: Message) -> Sequence[Operation]:
        try:
            if message.fault:
                raise InvalidRequestError(message.fault)
            return await self._connector.read(message, self._site)
        except UnavailableError:
            raise
        except Exception as error:  # one message must not stop all that come after it
            if not isinstance(error, GARBAGE):
                _log.exception("%s can't read a message", self._connector.name)
            await self._pen.set_aside(
                error, body=message.body, topic=message.topic, position=message.position
            )
            return ()


async def _pump(feed: Feed, queue: asyncio.Queue[Message | _End]) -> None:
    """Put what the source gives into the queue, which holds it back when it is full."""
    error: BaseException | None = None
    messages: AsyncIterator[Message] = feed.messages()
    try:
        async for message in messages:
            await queue.put(message)
    except Exception as caught:  # the task that stores decides what it means
        error = caught
    finally:
        closing = getattr(messages, "aclose", None)
        if closing is not None:
            await closing()
    await queue.put(_End(error))


def feed_of(source: Source, reading: Reading) -> Feed:
    """Give the feed of a source."""
    match source:
        case HttpPoll():
            return PollFeed(source, reading)
        case MqttTopics():
            from conurb.systems.connect.mqtt import MqttFeed

            return MqttFeed(source, reading)
        case FileWatch():
            return FileFeed(source, reading)
        case Recording():
            return RecordingFeed(source, reading)
        case Simulation():
            return SimulationFeed(source, reading)
        case Stream():
            return StreamFeed(source, reading)
