"""Writes go to whom they belong, in parts if need be, and say what became of each part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.federation.served import API, Served, bus, faulty, served

ID = "urn:ngsi-ld:Bus:1"
ONE = f"{API}/entities/{ID}"
SPEED: list[dict[str, Any]] = [
    {"entities": [{"id": ID, "type": "Bus"}], "propertyNames": ["speed"]}
]


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Served, Served]]:
    """A region and a city."""
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(served(tmp_path, name)) for name in ("region", "suzhou")
        ]
        yield started[0], started[1]


async def redirected(region: Served, to: str, **members: Any) -> str:
    return await region.register(
        to, **{"mode": "redirect", "operations": ["redirectionOps"], **members}
    )


def attributes(entity: dict[str, Any] | None) -> set[str]:
    assert entity is not None
    return entity.keys() - {"id", "type", "@context"}


async def test_creating_what_is_registered_elsewhere_creates_it_there(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    response = await region.client.post(f"{API}/entities", json=bus("1", speed=1))
    assert response.status_code == 201
    assert await region.has(ID) is None
    assert attributes(await suzhou.has(ID)) == {"speed"}


async def test_creating_is_shared_out_by_attributes(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, mode="exclusive", information=SPEED)
    response = await region.client.post(f"{API}/entities", json=bus("1", speed=1, line="a"))
    assert response.status_code == 201
    assert attributes(await region.has(ID)) == {"line"}
    assert attributes(await suzhou.has(ID)) == {"speed"}
    whole = (await region.client.get(ONE)).json()
    assert attributes(whole) == {"speed", "line"}


async def test_an_inclusive_source_gets_a_copy_if_it_takes_writes(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await region.register(suzhou.url, operations=["createEntity"])
    await region.client.post(f"{API}/entities", json=bus("1", speed=1))
    assert attributes(await region.has(ID)) == attributes(await suzhou.has(ID)) == {"speed"}


async def test_a_source_that_does_not_offer_the_operation_is_a_conflict(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, operations=["queryEntity"])
    response = await region.client.post(f"{API}/entities", json=bus("1", speed=1))
    assert response.status_code == 409
    assert response.json()["type"].endswith("/Conflict")
    assert await region.has(ID) is None


async def test_updating_in_parts_says_which_part_failed_and_why(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await region.put(bus("1", line="a"))
    registration = await redirected(
        region, "http://127.0.0.1:9", information=SPEED, mode="exclusive"
    )
    fragment = {"speed": {"type": "Property", "value": 2}, "line": {"value": "b"}}
    response = await region.client.patch(ONE + "/attrs", json=fragment)
    assert response.status_code == 207
    body = response.json()
    assert [one.rsplit("/", 1)[1] for one in body["updated"]] == ["line"]
    assert body["notUpdated"][0]["attributeName"].endswith("/speed")
    changed = await region.has(ID)
    assert changed is not None
    assert changed["line"]["value"] == "b"
    await region.client.delete(f"{API}/csourceRegistrations/{registration}")
    await redirected(region, suzhou.url, information=SPEED, mode="exclusive")
    await suzhou.put(bus("1", speed=1))
    assert (await region.client.patch(ONE + "/attrs", json=fragment)).status_code == 204
    there = await suzhou.has(ID)
    assert there is not None
    assert there["speed"]["value"] == 2


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_one_attribute_is_written_where_it_is_held(
    method: str, nodes: tuple[Served, Served]
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, information=SPEED)
    await suzhou.put(bus("1", speed=1))
    path = f"{ONE}/attrs/speed"
    response = await region.client.request(method, path, json={"type": "Property", "value": 5})
    assert response.status_code == 204, response.text
    there = await suzhou.has(ID)
    assert there is not None
    assert there["speed"]["value"] == 5
    assert (await region.client.delete(path)).status_code == 204
    assert attributes(await suzhou.has(ID)) == set()
    assert (await region.client.delete(path)).status_code == 404


async def test_merging_keeps_the_kinds_of_attributes_that_are_held_elsewhere(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    named = bus("1")
    named["name"] = {"type": "LanguageProperty", "languageMap": {"zh": "一", "en": "one"}}
    await suzhou.put(named)
    response = await region.client.patch(ONE, json={"name": "uno"}, params={"lang": "it"})
    assert response.status_code == 204, response.text
    there = await suzhou.has(ID)
    assert there is not None
    assert there["name"]["languageMap"] == {"zh": "一", "en": "one", "it": "uno"}


async def test_replacing_is_shared_out(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, information=SPEED)
    await region.put(bus("1", line="a"))
    await suzhou.put(bus("1", speed=1))
    response = await region.client.put(ONE, json=bus("1", speed=2, doors=3))
    assert response.status_code == 204, response.text
    assert attributes(await region.has(ID)) == {"doors"}
    assert attributes(await suzhou.has(ID)) == {"speed"}


async def test_deleting_deletes_everywhere_and_misses_nobody_who_may_not_have_it(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    await suzhou.put(bus("1", speed=1))
    assert (await region.client.delete(ONE)).status_code == 204
    assert await suzhou.has(ID) is None
    assert (await region.client.delete(ONE)).status_code == 404


async def test_a_source_that_should_have_an_entity_and_does_not_is_told_of(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await region.put(bus("1", speed=1))
    registration = await region.register(
        suzhou.url,
        operations=["deleteEntity"],
        information=[{"entities": [{"id": ID, "type": "Bus"}]}],
    )
    response = await region.client.delete(ONE)
    assert response.status_code == 207
    [error] = response.json()["errors"]
    assert error["error"]["status"] == 404
    assert error["registrationId"] == registration
    assert await region.has(ID) is None


async def test_purging_purges_there_too(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, information=SPEED)
    await suzhou.put(bus("1", speed=1), bus("2", speed=1))
    await region.put(bus("3", speed=1))
    response = await region.client.delete(f"{API}/entities", params={"type": "Bus"})
    assert response.status_code == 204, response.text
    assert await suzhou.has(ID) is None
    assert await suzhou.has("urn:ngsi-ld:Bus:2") is not None
    assert await region.has("urn:ngsi-ld:Bus:3") is None


@pytest.mark.parametrize(
    "operations", [["redirectionOps"], ["redirectionOps", "createBatch", "deleteBatch"]]
)
async def test_a_batch_is_shared_out_whole_or_one_by_one(
    operations: list[str], nodes: tuple[Served, Served]
) -> None:
    region, suzhou = nodes
    await redirected(
        region,
        suzhou.url,
        operations=operations,
        information=[{"entities": [{"idPattern": ".*:s.", "type": "Bus"}]}],
    )
    batch = [bus("s1", speed=1), bus("r1", speed=1), bus("s2", speed=1)]
    response = await region.client.post(f"{API}/entityOperations/create", json=batch)
    assert response.status_code == 201
    assert sorted(response.json()) == sorted(one["id"] for one in batch)
    assert await suzhou.has(batch[0]["id"]) is not None
    assert await region.has(batch[0]["id"]) is None
    assert await region.has(batch[1]["id"]) is not None
    again = await region.client.post(f"{API}/entityOperations/create", json=batch[:2])
    assert again.status_code == 207
    assert [one["error"]["status"] for one in again.json()["errors"]] == [409, 409]
    ids = [one["id"] for one in batch]
    gone = await region.client.post(f"{API}/entityOperations/delete", json=ids)
    assert gone.status_code == 204, gone.text
    assert await suzhou.has(batch[2]["id"]) is None


async def test_a_batch_with_a_dead_source_writes_the_rest(nodes: tuple[Served, Served]) -> None:
    region, _ = nodes
    await redirected(
        region,
        "http://127.0.0.1:9",
        information=[{"entities": [{"idPattern": ".*:s.", "type": "Bus"}]}],
    )
    batch = [bus("s1", speed=1), bus("r1", speed=1)]
    response = await region.client.post(f"{API}/entityOperations/upsert", json=batch)
    assert response.status_code == 207
    body = response.json()
    assert body["success"] == [batch[1]["id"]]
    assert [one["entityId"] for one in body["errors"]] == [batch[0]["id"]]


@pytest.mark.parametrize(("mode", "speed"), [("replace", {"speed"}), ("update", {"speed", "line"})])
async def test_upserting_falls_back_to_what_the_source_offers(
    mode: str, speed: set[str], nodes: tuple[Served, Served]
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    await suzhou.put(bus("1", line="a"))
    batch = [bus("1", speed=1), bus("2", speed=1)]
    response = await region.client.post(
        f"{API}/entityOperations/upsert", json=batch, params={"options": mode}
    )
    assert response.status_code == 201, response.text
    assert response.json() == ["urn:ngsi-ld:Bus:2"]
    assert attributes(await suzhou.has(ID)) == speed


async def test_a_write_that_comes_back_is_a_loop(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    await redirected(suzhou, region.url)
    response = await region.client.post(f"{API}/entities", json=bus("1", speed=1))
    assert response.status_code == 508
    assert await region.has(ID) is None
    assert await suzhou.has(ID) is None


async def test_a_write_that_says_local_stays_here(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await region.register(suzhou.url, operations=["createEntity", "deleteEntity"])
    await region.put(bus("1", speed=1))
    assert await suzhou.has(ID) is None
    assert (await region.client.delete(ONE, params={"local": "true"})).status_code == 204


async def test_a_slow_source_fails_its_part_in_its_time(nodes: tuple[Served, Served]) -> None:
    region, _ = nodes
    async with faulty("slow") as source:
        await redirected(region, source.url, management={"timeout": 300})
        response: httpx.Response = await region.client.post(
            f"{API}/entities", json=bus("1", speed=1)
        )
        assert response.status_code == 504
        assert response.elapsed.total_seconds() < 3


TEMPORAL = [
    "upsertTemporal",
    "appendAttrsTemporal",
    "deleteAttrsTemporal",
    "updateAttrInstanceTemporal",
    "deleteAttrInstanceTemporal",
    "deleteTemporal",
    "retrieveTemporal",
    "queryTemporal",
]


def evolution(*hours: int) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "Bus",
        "speed": [
            {"type": "Property", "value": hour, "observedAt": f"2026-01-01T0{hour}:00:00Z"}
            for hour in hours
        ],
        "line": [{"type": "Property", "value": "a", "observedAt": "2026-01-01T00:00:00Z"}],
    }


async def test_history_is_written_where_it_belongs(nodes: tuple[Served, Served]) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url, information=SPEED, operations=TEMPORAL)
    path = f"{API}/temporal/entities"
    here = {"local": "true"}
    assert (await region.client.post(path, json=evolution(1, 2))).status_code == 201
    assert attributes((await region.client.get(f"{path}/{ID}", params=here)).json()) == {"line"}
    there = (await suzhou.client.get(f"{path}/{ID}")).json()
    assert [one["value"] for one in there["speed"]] == [1, 2]
    more = {"speed": evolution(3)["speed"]}
    added = await region.client.post(f"{path}/{ID}/attrs", json=more)
    assert added.status_code == 204, added.text
    whole = (await region.client.get(f"{path}/{ID}")).json()
    assert [one["value"] for one in whole["speed"]] == [1, 2, 3]
    instance = f"{path}/{ID}/attrs/speed/{whole['speed'][0]['instanceId']}"
    changed = {"speed": [{**evolution(1)["speed"][0], "value": 9}]}
    assert (await region.client.patch(instance, json=changed)).status_code == 204
    whole = (await region.client.get(f"{path}/{ID}")).json()
    assert [one["value"] for one in whole["speed"]] == [9, 2, 3]
    assert (await region.client.delete(instance)).status_code == 204
    gone = await region.client.delete(f"{path}/{ID}/attrs/speed", params={"deleteAll": "true"})
    assert gone.status_code == 204, gone.text
    assert (await region.client.delete(f"{path}/{ID}")).status_code == 204
    assert (await suzhou.client.get(f"{path}/{ID}")).status_code == 404
    assert (await region.client.get(f"{path}/{ID}")).status_code == 404


async def test_history_that_a_source_alone_holds_and_does_not_take_is_a_conflict(
    nodes: tuple[Served, Served],
) -> None:
    region, suzhou = nodes
    await redirected(region, suzhou.url)
    response = await region.client.post(f"{API}/temporal/entities", json=evolution(1))
    assert response.status_code == 409
