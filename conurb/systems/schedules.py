"""Runs a schedule: at multiples of its period, and each time once, also across a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from conurb.model.time import US_PER_S
from conurb.systems.contract import Schedule
from conurb.systems.standing import keep_going
from conurb.systems.writing import Pen

if TYPE_CHECKING:
    from conurb.systems.contract import Site

SLEEP_S_MAX: Final = 5.0
"""How long it sleeps at a time, so that a clock that is set forward is noticed."""


class ScheduleTask:
    """One schedule at one site."""

    def __init__(self, schedule: Schedule, site: Site, pen: Pen) -> None:
        self._schedule = schedule
        self._site = site
        self._pen = pen
        self._period_us = max(1, int(schedule.every_s * US_PER_S))

    async def run(self) -> None:
        """Run until cancelled."""
        await keep_going(self._run, self._pen.standing)

    async def _run(self) -> None:
        done = await self._pen.position()
        if self._pen.standing.state == "starting":
            self._pen.standing.going()
        while True:
            now = self._site.now_us()
            due = now // self._period_us
            if due <= done:
                left_s = ((done + 1) * self._period_us - now) / US_PER_S
                await asyncio.sleep(min(SLEEP_S_MAX, max(0.001, left_s)))
                continue
            await self._once(due)
            done = due

    async def _once(self, due: int) -> None:
        """Do one run; one that fails or takes too long is over, and the next is due in time."""
        standing = self._pen.standing
        standing.read += 1
        try:
            async with asyncio.timeout(self._schedule.timeout_s):
                operations = await self._schedule.run(self._site, due * self._period_us)
        except TimeoutError:
            standing.failed(TimeoutError(f"took over {self._schedule.timeout_s:g} s"))
            operations = ()
        except Exception as error:  # whatever one run meets, the next one is another
            standing.failed(error)
            operations = ()
        else:
            standing.going()
        await self._pen.write(operations, seq=due)
