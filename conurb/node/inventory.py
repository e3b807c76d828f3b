"""What a node has of each type, without counting again: measured once, kept by its journal."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING, Final

from conurb.model.time import US_PER_S
from conurb.store.survey import Survey, take

if TYPE_CHECKING:
    from conurb.model.time import Clock
    from conurb.store.contract import Store

RECORDS: Final = 1_000
BEHIND_MAX: Final = 50_000
"""Entries of the journal over which it is measured anew instead."""

ATTEMPTS: Final = 3
ANEW_S: Final = 3_600
"""How long something that has gone may still widen a box or a time."""


class Inventory:
    """What one node has."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._survey: Survey | None = None
        self._seq = 0
        self._measured_us = 0
        self._shrunk = False
        self._reading = asyncio.Lock()

    async def survey(self) -> Survey:
        """Give what there is now; the caller may change what it is given."""
        async with self._reading:
            end = await self._store.journal_end()
            if self._survey is None or self._is_stale(end):
                await self._measure(end)
            await self._follow(end)
            return deepcopy(self._survey or {})

    def _is_stale(self, end: int) -> bool:
        age_s = (self._clock() - self._measured_us) / US_PER_S
        return (
            end < self._seq
            or end - self._seq > BEHIND_MAX
            or (self._shrunk and not 0 <= age_s < ANEW_S)
        )

    async def _measure(self, end: int) -> None:
        # What is written while it is measured is in it or isn't; measured again, it is. Where
        # something is written all the time, a few may be missing until it is measured anew.
        for _ in range(ATTEMPTS):
            self._survey = await self._store.survey()
            before, end = end, await self._store.journal_end()
            if before == end:
                break
        self._seq, self._measured_us, self._shrunk = end, self._clock(), before != end

    async def _follow(self, end: int) -> None:
        while self._survey is not None and self._seq < end:
            records = await self._store.journal(after=self._seq, limit=RECORDS)
            if not records:  # pruned
                await self._measure(end)
                return
            for record in records:
                take(self._survey, record)
                self._shrunk |= record.kind != "created"
            self._seq = records[-1].seq
