"""A member of the region that is elsewhere is heard by its feed of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from conurb.access.caller import LOCAL
from conurb.federation.changes import read_changes
from conurb.model.changes import Operation
from conurb.model.operations.entity import CreateEntity, DeleteEntity
from conurb.model.vocabulary import platform_terms
from conurb.store.contract import Record
from conurb.systems.contract import Reaction, Site
from conurb.systems.dead_letters import DeadLetters
from conurb.systems.journals import MemberJournal
from conurb.systems.reactions import ReactionTask
from conurb.systems.standing import Standing
from conurb.systems.writing import Pen, reader_name
from tests.systems.places import entity, open_host, running, system, until


def device(number: int) -> CreateEntity:
    document = {"id": f"urn:ngsi-ld:Device:far:{number}", "type": "Device", "value": number}
    return CreateEntity(entity(document))


async def test_changes_of_a_far_member_are_heard_each_once(tmp_path: Path) -> None:
    heard: list[tuple[str, str, bool]] = []

    async def hear(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        heard.extend((one.entity_id, one.kind, one.after is not None) for one in records)
        return [
            CreateEntity(entity({"id": f"{one.entity_id}:{one.kind}", "type": "Alert"}))
            for one in records
        ]

    reaction = Reaction("hear", hear, types=("Device",), attributes=("value",), hears="region")
    for name in ("far", "here"):
        (tmp_path / name).mkdir()
    async with open_host(tmp_path / "far") as far, open_host(tmp_path / "here") as here:
        member, node = await far.node(), await here.node()

        async def ask(after: int) -> object:
            types = [platform_terms().expand("Device")]
            feed = await read_changes(member, LOCAL, after=after, types=types, wait_s=0.05)
            return feed.document()

        async with running(node, tmp_path, system(reactions=())) as run:
            site = run.site

            def task(standing: Standing) -> ReactionTask:
                letters = DeadLetters(tmp_path / "dead.jsonl")
                reader = reader_name("test", "reaction", "hear", elsewhere=False)
                pen = Pen(site, node.store, standing, letters, reader=reader)
                return ReactionTask(reaction, site, pen, MemberJournal(ask), key="far")

            for operations in ([device(1), device(2)], [DeleteEntity(device(1).entity_id)]):
                await member.store.apply(operations)
                standing = Standing("reaction", "hear")
                listening = asyncio.create_task(task(standing).run(standing))
                due, part = len(operations), standing
                await until(lambda part=part, due=due: part.read >= due)
                listening.cancel()
                await asyncio.wait([listening])
        assert heard == [
            ("urn:ngsi-ld:Device:far:1", "updated", True),
            ("urn:ngsi-ld:Device:far:2", "updated", True),
            ("urn:ngsi-ld:Device:far:1", "deleted", False),
        ]
        assert await node.store.journal_end() == 3
        assert await node.store.check() == [], "a far journal's position isn't this journal's"
