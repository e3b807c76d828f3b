"""What a node has of each type, without counting again: measured once, kept by its journal.

Whoever asks waits for what has been written before, but not for long: where much has been written,
or where it has to be measured anew, they are told what was known last, and of when that is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.model.time import US_PER_S
from conurb.store.survey import Survey, merged, take

if TYPE_CHECKING:
    from conurb.model.time import Clock
    from conurb.store.contract import Store

RECORDS: Final = 500
BEHIND_MAX: Final = 5_000
"""Entries of the journal over which it is measured anew instead."""

ANEW_S: Final = 3_600
"""How long something that has gone may still widen a box or a time."""

WAIT_S: Final = 0.5
"""How long somebody who asks waits for what is newer, when something is known."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What a node has, as of `at_us`."""

    survey: Survey
    at_us: int


class Inventory:
    """What one node has."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._survey: Survey | None = None
        self._seq = 0
        self._at_us = 0
        self._measured_us = 0
        self._shrunk = False
        self._work: asyncio.Task[None] | None = None

    async def survey(self) -> Stock:
        """Give what there is; the caller may change what it is given."""
        end = await self._store.journal_end()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        while self._survey is None or self._seq < end or self._is_stale(end):
            left = None if self._survey is None else deadline - loop.time()
            work = self._begin()
            if left is not None and left <= 0:
                return Stock(merged([self._survey or {}]), self._at_us)
            await asyncio.wait({work}, timeout=left)
            if work.done():
                work.result()
        return Stock(merged([self._survey]), self._clock())

    async def close(self) -> None:
        """Leave off what is under way."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})

    def _begin(self) -> asyncio.Task[None]:
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._catch_up(), name="inventory")
            # Whoever waits for it is told; when nobody does, the next one who asks tries again.
            self._work.add_done_callback(lambda work: work.cancelled() or work.exception())
        return self._work

    async def _catch_up(self) -> None:
        end = await self._store.journal_end()
        if self._survey is None or self._is_stale(end) or end - self._seq > BEHIND_MAX:
            await self._measure()
        while self._survey is not None and self._seq < end:
            records = await self._store.journal(after=self._seq, limit=RECORDS)
            if not records or records[0].seq > self._seq + 1:  # pruned
                await self._measure()
                return
            for record in records:
                take(self._survey, record)
                self._shrunk |= record.kind != "created"
            self._seq, self._at_us = records[-1].seq, records[-1].at_us

    def _is_stale(self, end: int) -> bool:
        age_s = (self._clock() - self._measured_us) / US_PER_S
        return end < self._seq or (self._shrunk and not 0 <= age_s < ANEW_S)

    async def _measure(self) -> None:
        begun = self._clock()
        measured = await self._store.survey()
        self._survey, self._seq = measured.survey, measured.seq
        self._at_us = self._measured_us = begun
        self._shrunk = False
