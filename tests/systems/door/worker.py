"""A process of the tests that reads lines and reacts to what comes of them, until it is killed.

`python -m tests.systems.door.worker FOLDER`: the lines of FOLDER/in/*.txt become objects, and a
reaction answers each object with another one. Both write by upsert, so that whatever is done twice
can be seen in the journal.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from conurb.model.changes import Operation
from conurb.model.operations.entity import UpsertEntity
from conurb.store.contract import Record
from conurb.systems.contract import Connector, FileWatch, Message, Reaction, Site, System
from tests.systems.places import entity, open_host, running, system


async def read(message: Message, site: Site) -> Sequence[Operation]:
    line = message.body.decode()
    document = {"id": f"urn:ngsi-ld:Device:t:{line}", "type": "Device", "value": line}
    return [UpsertEntity(entity(document))]


async def answer(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    return [
        UpsertEntity(entity({"id": f"{one.entity_id}:answer", "type": "Alert", "note": "seen"}))
        for one in records
    ]


def worker_system(folder: Path) -> System:
    source = FileWatch(folder / "in", "*.txt", lines=True, every_s=0.01)
    return system(
        reactions=(Reaction("answer", answer, types=("Device",), batch_max=7),),
        connectors=lambda site: (Connector("lines", source, read, batch_max=5),),
    )


async def main(folder: Path) -> None:
    async with open_host(folder) as host:
        node = await host.node()
        async with running(node, folder, worker_system(folder)):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
