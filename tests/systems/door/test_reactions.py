"""Reactions: told of what concerns them, in order, their writes stored with how far they read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from conurb.errors import BadRequestDataError, UnavailableError
from conurb.federation.region import registrations_of
from conurb.model.changes import Operation
from conurb.model.operations.entity import CreateEntity, UpsertEntity
from conurb.regions.bringup import registration_of
from conurb.store.contract import Record
from conurb.systems.contract import NODE, REGION, Reaction, Site
from tests.systems.places import entity, open_host, running, system, until


def device(number: int, **attributes: object) -> CreateEntity:
    document = {"id": f"urn:ngsi-ld:Device:t:{number}", "type": "Device", "value": number}
    return CreateEntity(entity({**document, **attributes}))


async def note(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    return [
        CreateEntity(entity({"id": f"{one.entity_id}:note", "type": "Alert", "note": "seen"}))
        for one in records
    ]


async def test_only_what_concerns_it_reaches_a_reaction(tmp_path: Path) -> None:
    seen: list[str] = []

    async def look(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        seen.extend(record.entity_id.rsplit(":", 1)[1] for record in records)
        return ()

    reaction = Reaction("look", look, types=("Device",), attributes=("value",))
    async with open_host(tmp_path) as host:
        node = await host.node()
        road = CreateEntity(entity({"id": "urn:ngsi-ld:Road:t:r", "type": "Road", "value": 1}))
        nameless = entity({"id": "urn:ngsi-ld:Device:t:9", "type": "Device", "name": "no value"})
        await node.store.apply([device(1), road, CreateEntity(nameless), device(2)])
        async with running(node, tmp_path, system(reactions=(reaction,))):
            await until(lambda: len(seen) >= 2)
            await node.store.apply([device(3)])
            await until(lambda: len(seen) >= 3)
    assert seen == ["1", "2", "3"]


async def test_a_reaction_goes_on_where_it_was(tmp_path: Path) -> None:
    noting = system(reactions=(Reaction("note", note, types=("Device",)),))
    async with open_host(tmp_path) as host:
        node = await host.node()
        for numbers in (range(5), range(5, 9)):
            await node.store.apply([device(number) for number in numbers])
            async with running(node, tmp_path, noting) as run:
                await until(lambda run=run: run.part("note").stored >= len(numbers))  # noqa: B023
                assert run.part("note").repeated == 0
                assert run.part("note").read == len(numbers)


async def test_a_reaction_may_begin_with_what_happens_next(tmp_path: Path) -> None:
    late = Reaction("note", note, types=("Device",), from_start=False)
    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply([device(1)])
        async with running(node, tmp_path, system(reactions=(late,))) as run:
            await until(lambda: run.part("note").state == "running" or run.part("note").seq == 1)
            await node.store.apply([device(2)])
            await until(lambda: run.part("note").stored == 1)
        assert await node.store.find("urn:ngsi-ld:Device:t:1:note") is None
        assert await node.store.find("urn:ngsi-ld:Device:t:2:note") is not None


async def test_a_record_that_cannot_be_understood_is_set_aside_alone(tmp_path: Path) -> None:
    async def picky(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        if any(record.entity_id.endswith(":2") for record in records):
            raise BadRequestDataError("two is not for me")
        return await note(records, site)

    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply([device(number) for number in range(5)])
        reaction = Reaction("picky", picky, types=("Device",))
        async with running(node, tmp_path, system(reactions=(reaction,))) as run:
            await until(lambda: run.part("picky").stored == 4)
            assert run.part("picky").dead == 1
            assert run.part("picky").state == "running"
        letter = tmp_path / "systems" / "test" / "_" / "dead" / "reaction-picky.jsonl"
        [line] = letter.read_bytes().splitlines()
        assert orjson.loads(line)["object"] == "urn:ngsi-ld:Device:t:2"
        assert orjson.loads(line)["why"] == "two is not for me"


async def test_what_it_needs_being_away_is_waited_for(tmp_path: Path) -> None:
    tries = 0

    async def later(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnavailableError("the neighbour doesn't answer")
        return await note(records, site)

    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply([device(1)])
        reaction = Reaction("later", later, types=("Device",))
        async with running(node, tmp_path, system(reactions=(reaction,))) as run:
            await until(lambda: run.part("later").state == "waiting")
            health = await run.runner.health(run.runner.running[0])
            assert health.status == "degraded"
            assert "the neighbour doesn't answer" in health.detail
            await until(lambda: run.part("later").stored == 1)
            assert run.part("later").failures == 2
            assert run.part("later").dead == 0


async def test_a_reaction_of_the_region_hears_its_members(tmp_path: Path) -> None:
    async def gather(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        return [
            UpsertEntity(
                entity({"id": f"{one.entity_id}:at-region", "type": "Alert", "note": "heard"})
            )
            for one in records
        ]

    hearing = system(
        reactions=(Reaction("gather", gather, types=("Device",), hears="region"),),
        runs_on=REGION,
    )
    async with open_host(tmp_path) as host:
        region = await host.node()
        for city in ("wuxi", "suzhou"):
            node = await host.node(city, create=True)
            await registrations_of(region).put(registration_of("yrd", city))
            found = entity({"id": f"urn:ngsi-ld:Device:{city}:1", "type": "Device", "value": 1})
            await node.store.apply([CreateEntity(found)])
        wanted = [f"urn:ngsi-ld:Device:{city}:1:at-region" for city in ("wuxi", "suzhou")]

        async def heard() -> bool:
            return len(await region.store.find_many(wanted)) == 2

        async with running(region, tmp_path, hearing, places=REGION):
            await until(heard)
        end = await region.store.journal_end()
        async with running(region, tmp_path, hearing, places=REGION) as run:
            own = entity({"id": "urn:ngsi-ld:Device:yrd:1", "type": "Device", "value": 1})
            await region.store.apply([CreateEntity(own)])
            await until(lambda: run.part("gather").stored == 1)
            assert run.part("gather").read == 1, "what had been heard was heard again"
        assert await region.store.journal_end() == end + 2
        assert await region.store.check() == []
        async with running(region, tmp_path, hearing, places=NODE) as run:
            assert run.runner.running == ()
