"""Schedules: each time once, missed times made up for by one run, also across a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from conurb.model.changes import Operation
from conurb.model.operations.entity import UpsertEntity
from conurb.systems.contract import Schedule, Site
from tests.systems.places import entity, open_host, running, system, until


async def test_a_time_that_was_served_is_not_served_again_after_a_restart(tmp_path: Path) -> None:
    served: list[int] = []

    async def run(site: Site, due_us: int) -> Sequence[Operation]:
        served.append(due_us)
        document = {"id": f"urn:ngsi-ld:Alert:t:{due_us}", "type": "Alert", "note": "due"}
        return [UpsertEntity(entity(document))]

    hourly = system(schedules=(Schedule("hourly", 3600.0, run),))
    async with open_host(tmp_path) as host:
        node = await host.node()
        for _ in range(3):
            async with running(node, tmp_path, hourly) as at:
                await until(lambda at=at: at.part("hourly").state == "running")
                await asyncio.sleep(0.05)
        assert len(served) in (1, 2), "twice at most, when the test runs across a full hour"
        assert served[0] % 3_600_000_000 == 0
        assert await node.store.journal_end() == len(served)


async def test_a_run_that_fails_or_hangs_is_over_and_the_next_one_comes(tmp_path: Path) -> None:
    runs = 0

    async def run(site: Site, due_us: int) -> Sequence[Operation]:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("not today")
        if runs == 2:
            await asyncio.sleep(60)
        return ()

    often = system(schedules=(Schedule("often", 0.05, run, timeout_s=0.02),))
    async with open_host(tmp_path) as host, running(await host.node(), tmp_path, often) as at:
        await until(lambda: runs >= 4)
        assert at.part("often").failures == 2
        assert at.part("often").state == "running"
