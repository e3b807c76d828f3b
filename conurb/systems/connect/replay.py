"""Replays a recording as if it happened now, and makes up what is simulated.

Both say so: their messages are "replayed" or "simulated", and the runner marks what comes of them.
The position of a recording is the number of the entry, over all rounds; of a simulation the tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final

from conurb.errors import UnavailableError
from conurb.model.time import US_PER_S
from conurb.systems.connect.feed import Reading
from conurb.systems.sources import Message, Recorded, Recording, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEP_S_MAX: Final = 5.0
ROUND_GAP_US: Final = US_PER_S
"""How much time lies between the end of a recording and its next beginning."""


class RecordingFeed:
    """The feed of a recording."""

    def __init__(self, source: Recording, reading: Reading) -> None:
        self._source = source
        self._reading = reading

    async def messages(self) -> AsyncIterator[Message]:
        """Stream the entries, each when it is due: the first that wasn't stored yet is due now."""
        number = await self._reading.position("")
        site, speed = self._reading.site, self._source.speed
        while True:
            began_us: int | None = None
            first_us = last_us = 0
            skipped = await self._skipped(number)
            for entry in skipped:
                if began_us is None:
                    began_us, first_us = site.now_us(), entry.at_us
                due_us = began_us + int((entry.at_us - first_us) / speed)
                await self._until(due_us)
                number += 1
                last_us = due_us
                self._reading.standing.going()
                yield Message(
                    entry.body,
                    topic=entry.topic,
                    at_us=due_us,
                    recorded_us=entry.at_us,
                    provenance="replayed",
                    position=number,
                )
            if not self._source.repeat:
                return
            if began_us is None:
                raise UnavailableError("the recording is empty")
            await self._until(last_us + ROUND_GAP_US)

    async def _skipped(self, number: int) -> Iterator[Recorded]:
        """Open the recording at an entry's number, rounds counted."""

        def opened() -> Iterator[Recorded]:
            if number == 0:
                return iter(self._source.entries())
            count = sum(1 for _ in self._source.entries())
            start = number % count if self._source.repeat and count else number
            return islice(iter(self._source.entries()), start, None)

        return await asyncio.to_thread(opened)

    async def _until(self, due_us: int) -> None:
        left_us = due_us - self._reading.site.now_us()
        while left_us > 0:
            await asyncio.sleep(min(SLEEP_S_MAX, left_us / US_PER_S))
            left_us = due_us - self._reading.site.now_us()

    async def stored(self, messages: Sequence[Message]) -> None:
        """Nothing: the number of the entry is what the store keeps."""

    async def close(self) -> None:
        """Nothing is held."""


class SimulationFeed:
    """The feed of what is made up."""

    def __init__(self, source: Simulation, reading: Reading) -> None:
        self._source = source
        self._reading = reading

    async def messages(self) -> AsyncIterator[Message]:
        """Stream what each tick gives; ticks that were missed are left out."""
        site = self._reading.site
        period_us = max(1, int(self._source.every_s * US_PER_S))
        done = await self._reading.position("")
        while True:
            now = site.now_us()
            tick = now // period_us
            if tick <= done:
                left_s = ((done + 1) * period_us - now) / US_PER_S
                await asyncio.sleep(min(SLEEP_S_MAX, max(0.001, left_s)))
                continue
            random = Random(f"{site.owner}/{self._reading.connector}/{tick}")  # noqa: S311
            at_us = tick * period_us
            bodies = self._source.step(tick, at_us, random)
            self._reading.standing.going()
            for index, body in enumerate(bodies, 1):
                # Only the last message of a tick moves the position: a crash within repeats it.
                yield Message(
                    body,
                    at_us=at_us,
                    provenance="simulated",
                    position=tick if index == len(bodies) else done,
                )
            done = tick

    async def stored(self, messages: Sequence[Message]) -> None:
        """Nothing: the tick is what the store keeps."""

    async def close(self) -> None:
        """Nothing is held."""
