"""`kill -9` during a stream of acknowledged writes, at random moments, on every engine.

The process that writes is killed; PostgreSQL itself is killed in its own tests. Loss of power isn't
tried here: what protects from it is `synchronous = FULL` and fsync, which the tests of the engines
look at.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conurb.errors import UnavailableError
from conurb.store.contract import Position, Store
from conurb.store.engines import open_store
from tests.faults.writer import BATCH, COPY, READER, SIZE, entity_id

KILLS = 50
ALIVE_S = (0.0, 0.5)
"""How long the writer lives after it is ready."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "node.db")
    found: str = request.getfixturevalue("postgres_node_url")
    return found


def _write_until_killed(url: str, first: int, alive_s: float) -> tuple[int, int]:
    """Let a process write, kill it; give the last acknowledged batch and reader position."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writer", url, str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    ready = process.stdout.readline()
    if not ready.startswith(b"ready"):
        raise AssertionError(process.stderr.read().decode()[-2000:])
    try:
        process.wait(alive_s)
    except subprocess.TimeoutExpired:
        process.kill()
    lines = process.stdout.read().split(b"\n")
    process.wait()
    whole = [line for line in lines[:-1] if line]  # what follows the last newline is cut off
    if not whole:
        return first - 1, 0
    batch, seq = whole[-1].split()
    return int(batch), int(seq)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_half_written_when_killed(url: str) -> None:
    chance = random.Random(7)
    acknowledged, position = -1, 0
    for kill in range(KILLS):
        alive_s = chance.uniform(*ALIVE_S)
        batch, seq = await asyncio.to_thread(_write_until_killed, url, acknowledged + 1, alive_s)
        acknowledged, position = max(acknowledged, batch), max(position, seq)
        store = open_store(url)
        await store.open()
        try:
            await _let_the_dead_finish(store)
            written = await _last_batch(store, acknowledged)
            assert written in (acknowledged, acknowledged + 1), f"kill {kill}"
            await _look_at(store, written, position)
            if kill % 10 == 9 or kill == KILLS - 1:
                assert await store.check() == []
        finally:
            await store.close()
        acknowledged = written
    assert acknowledged > KILLS, "the writer hardly wrote: the test shows nothing"


async def _let_the_dead_finish(store: Store) -> None:
    """Wait for the writer's place: PostgreSQL may still be committing for a client that is gone."""
    for _ in range(100):
        try:
            await store.set_position(Position("barrier", 0))
        except UnavailableError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the killed process is still writing")


async def _last_batch(store: Store, acknowledged: int) -> int:
    """Find whether the batch under way when it was killed was committed: whole or not at all."""
    following = [entity_id(acknowledged + 1, number) for number in range(SIZE)]
    found = await store.find_many(following)
    assert len(found) in (0, SIZE), "half a batch"
    return acknowledged + 1 if found else acknowledged


async def _look_at(store: Store, last: int, position: int) -> None:
    """Every entity of every batch is there, as the batch and its successor left it."""
    for first in range(0, last + 1, 200):
        batches = range(first, min(first + 200, last + 1))
        ids = [entity_id(batch, number) for batch in batches for number in range(SIZE)]
        entities = await store.find_many(ids)
        assert [entity.id for entity in entities] == ids
        for index, entity in enumerate(entities):
            batch = batches[index // SIZE]
            assert entity.attrs[BATCH][0]["value"] == batch
            assert entity.attrs[COPY][0]["value"] == min(batch + 1, last)
    await _look_at_journal(store, last, position)


async def _look_at_journal(store: Store, last: int, position: int) -> None:
    """The journal has an entry per operation in order; the reader is at what it committed."""
    expected = (last + 1) * SIZE + last * SIZE if last >= 0 else 0
    assert await store.journal_end() == expected
    reader = await store.position(READER)
    assert position <= reader <= expected
    after = max(0, expected - 4 * SIZE)
    records = await store.journal(after=after)
    assert [record.seq for record in records] == list(range(after + 1, expected + 1))
    if last > 0:
        ids = {entity_id(last, number) for number in range(SIZE)}
        assert {record.entity_id for record in records if record.kind == "created"} >= ids
