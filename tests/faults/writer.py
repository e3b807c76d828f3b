"""A process that writes to a store until it is killed, and says what was acknowledged.

Each line on its output, `batch reader_seq`, is written after `apply` has returned. Batch n creates
the entities `n:0` to `n:SIZE-1` and updates one attribute of the entities of batch n-1, so that a
half-written group would show; a reader of the journal follows in the same transactions.
"""

from __future__ import annotations

import asyncio
import os
import sys

from conurb.model.changes import Operation
from conurb.model.entity import Entity
from conurb.model.operations.attribute import ReplaceAttribute
from conurb.model.operations.entity import CreateEntity
from conurb.store.contract import Position, Store
from conurb.store.engines import open_store

SIZE = 5
TYPE = "https://example.org/Counter"
BATCH = "https://example.org/batch"
COPY = "https://example.org/copy"
PLACE = "https://example.org/place"
READER = "follower"


def entity_id(batch: int, number: int) -> str:
    return f"urn:ngsi-ld:Counter:{batch}:{number}"


def _property(value: object) -> dict[str, object]:
    return {"type": "Property", "value": value}


def operations_of(batch: int) -> list[Operation]:
    """Give what a batch writes."""
    made: list[Operation] = []
    for number in range(SIZE):
        place = {"type": "Point", "coordinates": [120 + batch % 1000 / 1000, 30 + number / 10]}
        attrs = {
            BATCH: [_property(batch)],
            COPY: [_property(batch)],
            PLACE: [{"type": "GeoProperty", "value": place}],
        }
        made.append(CreateEntity(Entity(entity_id(batch, number), (TYPE,), attrs)))
        if batch > 0:
            earlier = entity_id(batch - 1, number)
            made.append(ReplaceAttribute(earlier, COPY, (_property(batch),)))
    return made


async def write(store: Store, first: int) -> None:
    """Write batch after batch until the process is killed."""
    batch = first
    while True:
        seq = await store.position(READER)
        records = await store.journal(after=seq, limit=40)
        seen = Position(READER, records[-1].seq if records else seq)
        # Followed in the same transaction: a position that commits without its batch would skip.
        outcomes = await store.apply(operations_of(batch), position=seen)
        if any(isinstance(outcome, Exception) for outcome in outcomes):
            raise RuntimeError(f"batch {batch}: {outcomes}")
        print(batch, seen.seq, flush=True)
        batch += 1


async def main(url: str, first: int) -> None:
    store = open_store(url)
    await store.open()
    print("ready", os.getpid(), flush=True)
    await write(store, first)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
