"""`kill -9` of PostgreSQL itself, with all of its processes, during a stream of writes.

With fsync and `synchronous_commit` on, nothing acknowledged is lost; and a node outlives its
database: it says that it is unavailable, and goes on when the database is back.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from conurb.errors import UnavailableError
from conurb.model.changes import Change
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity
from conurb.store.engines import open_store
from tests.services.postgres import PostgresServer

KILLS = 8
ALIVE_S = (0.05, 0.4)
WRITERS = 8
VALUE = "https://example.org/value"

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def _entity(number: int) -> Entity:
    attrs = {VALUE: [{"type": "Property", "value": number}]}
    return Entity(f"urn:x:{number}", ("https://example.org/T",), attrs)


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    durable_postgres_server: PostgresServer,
) -> None:
    server = durable_postgres_server
    chance = random.Random(11)
    store = open_store(server.url(schema="killed"))
    await store.open()
    acknowledged: set[int] = set()
    wrote, killed = asyncio.Event(), asyncio.Event()
    numbers = iter(range(1_000_000))

    async def write_until_it_fails() -> None:
        while True:
            number = next(numbers)
            try:
                (outcome,) = await store.apply([CreateEntity(_entity(number))])
            except UnavailableError:
                if killed.is_set():
                    return
                await asyncio.sleep(0.02)  # the connections of the last life are given up here
                continue
            assert isinstance(outcome, Change)
            acknowledged.add(number)
            wrote.set()

    for _ in range(KILLS):
        wrote.clear()
        killed.clear()
        writers = [asyncio.create_task(write_until_it_fails()) for _ in range(WRITERS)]
        async with asyncio.timeout(30):
            await wrote.wait()
        await asyncio.sleep(chance.uniform(*ALIVE_S))
        killed.set()
        await asyncio.to_thread(server.kill)
        await asyncio.wait_for(asyncio.gather(*writers), 30)
        with pytest.raises(UnavailableError):
            await store.find("urn:x:0")
        await asyncio.to_thread(server.start)
    entities = await store.find_many([f"urn:x:{number}" for number in sorted(acknowledged)])
    assert [e.attrs[VALUE][0]["value"] for e in entities] == sorted(acknowledged)
    records = await store.journal(after=0, limit=1_000_000)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert acknowledged <= {int(record.entity_id.removeprefix("urn:x:")) for record in records}
    assert await store.check() == []
    await store.close()
