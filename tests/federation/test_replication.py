"""A region keeps copies of a city's types: nothing lost, nothing doubled, their age said."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.federation.nodes import ADMIN, Place, command, joined, kill, place, put, running

API = "/ngsi-ld/v1"
ARRIVAL_S = 60.0
BUS = "https://uri.etsi.org/ngsi-ld/default-context/Bus"


def bus(number: int, speed: int = 0) -> dict[str, object]:
    return {"id": f"urn:ngsi-ld:Bus:wuxi:{number:03}", "type": "Bus", "speed": speed}


async def ask(here: Place, method: str, path: str, **more: Any) -> httpx.Response:
    async with here.client(more.pop("token", ADMIN)) as client:
        return await client.request(method, path, **more)


async def standing(region: Place) -> dict[str, Any]:
    response = await ask(region, "GET", "/federation/replicas")
    assert response.status_code == 200, response.text
    [one] = response.json()
    return dict(one)


async def copied(region: Place, city: Place) -> dict[str, Any]:
    """Wait until the region has read all that the city has written."""
    end = (await ask(city, "GET", "/health")).json()["journal"]
    async with asyncio.timeout(ARRIVAL_S):
        while (one := await standing(region))["seq"] < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return one


async def keep(region: Place, *types: str) -> None:
    response = await ask(region, "PUT", "/federation/replicas/wuxi", json={"types": list(types)})
    assert response.status_code == 204, response.text


async def speeds(here: Place, **headers: str) -> dict[str, int]:
    response = await ask(
        here,
        "GET",
        f"{API}/entities?type=Bus&limit=1000&options=keyValues",
        headers=headers,
    )
    assert response.status_code == 200, response.text
    return {one["id"]: one["speed"] for one in response.json()}


@pytest.mark.slow
async def test_copies_answer_while_the_city_is_down_and_say_how_old_they_are(
    tmp_path: Path,
) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region):
        async with running(city) as process:
            await put(city, bus(1), bus(2), bus(3))
            await put(city, {"id": "urn:ngsi-ld:Tram:wuxi:1", "type": "Tram"})
            assert (await joined(city, region, copies=True)).status_code == 201
            await keep(region, "Bus")
            await copied(region, city)
            await put(city, bus(2, 50))
            gone = await ask(city, "DELETE", f"{API}/entities/{bus(3)['id']}")
            assert gone.status_code == 204
            one = await copied(region, city)
            assert (one["behind"], one["error"], one["types"]) == (0, None, [BUS])

            response = await ask(region, "GET", f"{API}/entities?type=Bus&count=true")
            assert response.headers["NGSILD-Results-Count"] == "2", "copies don't count"
            assert "Conurb-Copies" not in response.headers
            await kill(process)

        response = await ask(region, "GET", f"{API}/entities?type=Bus&count=true&options=keyValues")
        assert response.headers["NGSILD-Results-Count"] == "2"
        assert {one["id"]: one["speed"] for one in response.json()} == {
            bus(1)["id"]: 0,
            bus(2)["id"]: 50,
        }
        assert response.headers["Conurb-Completeness"].startswith("2/2")
        name, _, age = response.headers["Conurb-Copies"].partition("; age=")
        assert name == "wuxi"
        assert 0 <= int(age) < 60
        response = await ask(region, "GET", f"{API}/entities/{bus(2)['id']}")
        assert response.json()["speed"]["value"] == 50
        assert response.headers["Conurb-Copies"].startswith("wuxi")
        for path in ("/entities?type=Tram", "/entities?type=Tram,Bus"):
            response = await ask(region, "GET", API + path)
            assert response.headers["Conurb-Completeness"].startswith("1/2"), "trams aren't copied"
            assert "Conurb-Copies" not in response.headers

        await put(region, bus(7))
        async with running(city):
            await put(city, bus(4))
            await copied(region, city)
            async with asyncio.timeout(ARRIVAL_S):
                while len(await speeds(region)) < 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_a_region_that_is_killed_while_it_copies_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    written = 0
    async with running(city):
        async with running(region) as process:
            response = await joined(city, region, copies=True, types=["Bus"])
            assert response.status_code == 201
            await keep(region)
            written = await write(city, written)
            await kill(process)
        for _ in range(2):
            written = await write(city, written)
            async with running(region) as process:
                written = await write(city, written)
                await asyncio.sleep(0.05)
                await kill(process)
        async with running(region):
            await copied(region, city)
            there = await speeds(city)
            assert await speeds(region, **{"NGSILD-Tenant": "replica.wuxi"}) == there
            assert len(there) == written
    births = await births_of(region)
    assert births == Counter(there.keys())


async def write(city: Place, number: int) -> int:
    """Write ninety buses, each twice."""
    for start in range(number, number + 90, 3):
        some = [bus(one) for one in range(start, start + 3)]
        await put(city, *some)
        await put(city, *({**one, "speed": 1} for one in some))
    return number + 90


async def births_of(region: Place) -> Counter[str]:
    """Count how often each copy came into being, by the journal of the copies."""
    from conurb.node.shelf import SUFFIX
    from conurb.store.engines import open_store

    [file] = region.folder.rglob(f"*replica*{SUFFIX}")
    store = open_store(str(file))
    await store.open()
    births: Counter[str] = Counter()
    after = 0
    while records := await store.journal(after=after):
        births.update(one.entity_id for one in records if one.kind == "created")
        after = records[-1].seq
    await store.close()
    return births


@pytest.mark.slow
async def test_copies_are_kept_by_consent_and_go_with_the_membership(tmp_path: Path) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region), running(city):
        await put(city, bus(1))
        assert (await joined(city, region)).status_code == 201
        refused = await ask(region, "PUT", "/federation/replicas/wuxi", json={})
        assert refused.status_code == 409
        assert (await ask(city, "DELETE", "/federation/memberships/delta")).json()["told"]

        assert (await joined(city, region, copies=True)).status_code == 201
        await keep(region)
        await copied(region, city)
        assert await speeds(region, **{"NGSILD-Tenant": "replica.wuxi"}) == {bus(1)["id"]: 0}
        assert list(region.folder.rglob("*replica*"))
        left = await ask(city, "DELETE", "/federation/memberships/delta")
        assert left.json() == {"told": True}
        assert (await ask(region, "GET", "/federation/replicas")).json() == []
        assert list(region.folder.rglob("*replica*")) == []
        headers = {"NGSILD-Tenant": "replica.wuxi"}
        gone = await ask(region, "GET", f"{API}/entities?type=Bus", headers=headers)
        assert gone.status_code == 404


@pytest.mark.slow
async def test_the_commands_keep_list_and_drop_copies(tmp_path: Path) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region), running(city):
        await put(city, bus(1))
        assert (await joined(city, region, copies=True)).status_code == 201
        _, said = await command(region, "copy", "wuxi", "--types", "Bus")
        assert "kept from now on" in said
        await copied(region, city)
        listed, _ = await command(region, "copies", "--json")
        [one] = json.loads(listed)
        assert (one["city"], one["behind"], one["error"]) == ("wuxi", 0, None)
        await command(region, "copy", "wuxi", "--drop")
        assert await command(region, "copies") == ("", "no copies are kept here\n")


@pytest.mark.slow
@pytest.mark.postgres
async def test_two_nodes_on_postgresql_join_copy_and_part(
    tmp_path: Path, postgres_url: str
) -> None:
    region, city = (
        place(tmp_path, name, store=f"{postgres_url}?schema=join_{name}")
        for name in ("delta", "wuxi")
    )
    async with running(region):
        async with running(city) as process:
            await put(city, bus(1), bus(2))
            assert (await joined(city, region, copies=True)).status_code == 201
            await keep(region, "Bus")
            await copied(region, city)
            await kill(process)
        assert len(await speeds(region)) == 2, "by the copies"
        gone = await ask(region, "DELETE", "/federation/members/wuxi")
        assert gone.json() == {"told": False}
        assert await speeds(region) == {}
        there = await ask(region, "GET", f"{API}/types", headers={"NGSILD-Tenant": "replica.wuxi"})
        assert there.status_code == 404
        async with running(city):
            assert len(await speeds(city)) == 2
            assert (await joined(city, region, copies=True)).status_code == 409
            left = await ask(city, "DELETE", "/federation/memberships/delta")
            assert left.json() == {"told": False}
            assert (await joined(city, region, copies=True)).status_code == 201
            await keep(region)
            assert (await copied(region, city))["error"] is None


@pytest.mark.slow
async def test_changes_are_given_to_callers_who_may_federate_alone(tmp_path: Path) -> None:
    from conurb.access.tokens import Token, digest_of

    city = place(tmp_path, "wuxi")
    for name, rights in (("reader", {"read", "write"}), ("region", {"read", "federate"})):
        bounds = (BUS,) if name == "region" else None
        city.tokens.add(Token(name, digest_of(name), frozenset(rights), bounds))  # type: ignore[arg-type]
    async with running(city):
        await put(city, bus(1), {"id": "urn:ngsi-ld:Tram:wuxi:1", "type": "Tram"})
        refused = await ask(city, "GET", "/federation/changes", token="reader")
        assert refused.status_code == 403
        given = (await ask(city, "GET", "/federation/changes", token="region")).json()
        assert [one["id"] for one in given["changes"]] == [bus(1)["id"]]
        assert given["next"] == given["end"] == 2
        beyond = await ask(city, "GET", "/federation/changes?after=99", token="region")
        assert beyond.status_code == 409
