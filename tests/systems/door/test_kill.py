"""`kill -9` amid reading and reacting: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.systems.door.worker import worker_system
from tests.systems.places import open_host, running, until

KILLS = 4
LINES = 400
"""Lines that are added before each start."""
ROOT = Path(__file__).resolve().parents[3]


def _run_until_killed(folder: Path, alive_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.systems.door.worker", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdout.readline() != b"ready\n":
        raise AssertionError(process.stderr.read().decode()[-2000:])
    try:
        process.wait(alive_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


async def test_a_process_that_is_killed_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    chance = random.Random(11)
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.txt"
    unfinished = 0
    for kill in range(KILLS):
        with file.open("a") as out:
            out.writelines(f"{kill * LINES + number}\n" for number in range(LINES))
        await asyncio.to_thread(_run_until_killed, tmp_path, chance.uniform(0.01, 0.15))
        async with open_host(tmp_path) as host:
            end = await (await host.node()).store.journal_end()
            unfinished += end < 2 * LINES * (kill + 1)
    assert unfinished >= KILLS // 2, "the process was hardly ever killed amid its work"
    total = KILLS * LINES
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, worker_system(tmp_path)):

            async def finished() -> bool:
                return await node.store.journal_end() >= 2 * total

            await until(finished)
        records = await node.store.journal(after=0, limit=4 * total)
        assert await node.store.check() == []
    counted = Counter(record.entity_id for record in records)
    assert len(counted) == 2 * total, "lost"
    assert set(counted.values()) == {1}, "done twice"
