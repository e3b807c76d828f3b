"""A region whose ways break, whose clocks differ and whose nodes ask in circles.

Nodes are processes of their own, guarded by tokens. The clock of one city is five minutes ahead of
the region's, that of the other five minutes behind, throughout; the way to the first, and the way
back to the region, are proxies that inject faults. In each: who is missing is said, nothing hangs,
memory stays bounded, what is copied arrives whole and once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.faults.proxy import Fault, Proxy, proxy
from tests.federation.nodes import ADMIN, Place, joined, place, put, running
from tests.services.receiver import Receiver, receiving

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

API = "/ngsi-ld/v1"
SKEW_S = 300
TIMEOUT_S = 1.0
"""How long the region waits for a city, so that the tests needn't take ten seconds a fault."""
ANSWER_S_MAX = TIMEOUT_S + 3.0
"""Within this an answer has to come whatever a city does, also on a machine that is busy."""
ARRIVAL_S = 60.0
GROWTH_BYTES_MAX = 96 * 1024 * 1024
"""What memory may grow by while a city answers without end: some answers of 16 MiB at once."""
TIMES = "options=sysAttrs"


@dataclass
class Scene:
    region: Place
    wuxi: Place
    suzhou: Place
    way: Proxy
    back: Proxy

    async def ask(self, path: str, here: Place | None = None, **more: Any) -> httpx.Response:
        async with (here or self.region).client() as client:
            return await client.get(API + path, **more)


def bus(local: str, **attributes: Any) -> dict[str, object]:
    return {"id": f"urn:ngsi-ld:Bus:{local}", "type": "Bus", **attributes}


def speed(value: int, observed_at: str) -> dict[str, object]:
    return {"type": "Property", "value": value, "observedAt": observed_at}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("faults")
    region, wuxi, suzhou = (place(folder, name) for name in ("delta", "wuxi", "suzhou"))
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(proxy(wuxi.port))
        back = await stack.enter_async_context(proxy(region.port))
        with (region.folder / "node.toml").open("a") as settings:
            settings.write(f'public_url = "{back.url}"\n')
        for here, ahead_s in ((region, 0), (wuxi, SKEW_S), (suzhou, -SKEW_S)):
            await stack.enter_async_context(running(here, ahead_s=ahead_s))
        await put(wuxi, bus("wuxi:1", speed=1), bus("wuxi:2", speed=2))
        await put(suzhou, bus("suzhou:1", speed=3))
        for city, more in ((wuxi, {"endpoint": way.url}), (suzhou, {})):
            response = await joined(city, region, types=["Bus"], copies=True, **more)
            assert response.status_code == 201, response.text
        async with region.client() as client:
            for city in ("wuxi", "suzhou"):
                path = f"{API}/csourceRegistrations/{registration(city)}"
                document = {"management": {"timeout": round(TIMEOUT_S * 1000)}}
                response = await client.patch(path, json=document)
                assert response.status_code == 204, response.text
        yield Scene(region, wuxi, suzhou, way, back)


def registration(city: str) -> str:
    return f"urn:ngsi-ld:ContextSourceRegistration:member:{city}"


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["id"].removeprefix("urn:ngsi-ld:Bus:") for one in response.json()]


async def resident_bytes(here: Place) -> int:
    async with here.client() as client:
        text = (await client.get("/metrics")).text
    [line] = [one for one in text.splitlines() if one.startswith("conurb_resident_bytes ")]
    return int(line.split()[1])


FAULTS: list[tuple[Fault, str]] = [
    ("refused", "199"),
    ("silent", "199"),
    ("slow", "199"),
    ("garbage", "111"),
    ("cut", "199"),
    ("endless", "111"),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
async def test_a_broken_way_is_said_holds_nobody_up_and_heals_by_itself(
    scene: Scene, fault: Fault, code: str
) -> None:
    before = await resident_bytes(scene.region)
    await scene.way.be(fault)
    try:
        started = perf_counter()
        response = await scene.ask("/entities?type=Bus&count=true&q=speed>0")
        assert perf_counter() - started < ANSWER_S_MAX
        assert ids(response) == ["suzhou:1"]
        assert response.headers["Conurb-Completeness"] == "2/3"
        assert response.headers["NGSILD-Warning"].startswith(f"{code} wuxi ")
        retrieved = await scene.ask("/entities/urn:ngsi-ld:Bus:wuxi:1")
        assert retrieved.status_code == 404
        assert "wuxi" in retrieved.headers["NGSILD-Warning"]
        strict = await scene.ask("/entities?type=Bus&strict=true")
        assert strict.status_code == 503
        assert "wuxi" in strict.json()["detail"]
        assert await resident_bytes(scene.region) - before < GROWTH_BYTES_MAX
    finally:
        await scene.way.be("none")
    healed = await scene.ask("/entities?type=Bus&strict=true&count=true")
    assert ids(healed) == ["suzhou:1", "wuxi:1", "wuxi:2"]
    assert healed.headers["Conurb-Completeness"] == "3/3"
    assert healed.headers["NGSILD-Results-Count"] == "3"


async def test_history_of_a_city_that_is_cut_off_is_said_to_be_missing(scene: Scene) -> None:
    window = "timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=createdAt"
    path = f"/temporal/entities?type=Bus&{window}"
    await scene.way.be("cut")
    try:
        response = await scene.ask(path)
        assert ids(response) == ["suzhou:1"]
        assert response.headers["Conurb-Completeness"] == "2/3"
    finally:
        await scene.way.be("none")
    assert ids(await scene.ask(path)) == ["suzhou:1", "wuxi:1", "wuxi:2"]


async def test_of_what_two_cities_say_the_later_observation_counts_whatever_their_clocks_say(
    scene: Scene,
) -> None:
    one, later = "2026-01-01T08:00:00Z", "2026-01-01T08:01:00Z"
    await put(scene.wuxi, bus("both", speed=speed(1, one)))
    await put(scene.suzhou, bus("both", speed=speed(2, later)))
    response = await scene.ask("/entities/urn:ngsi-ld:Bus:both")
    assert response.json()["speed"]["value"] == 2
    counted = await scene.ask("/entities?type=Bus&limit=0&count=true")
    assert counted.headers["NGSILD-Results-Count"] == "4"
    for city in (scene.wuxi, scene.suzhou):
        async with city.client() as client:
            await client.delete(f"{API}/entities/urn:ngsi-ld:Bus:both")


async def test_three_nodes_that_register_each_other_give_each_object_once(scene: Scene) -> None:
    """The region knows both cities; now the first knows the second, and the second the region."""
    ways = ((scene.wuxi, scene.suzhou), (scene.suzhou, scene.region))
    for here, there in ways:
        document = {
            "id": "urn:ngsi-ld:ContextSourceRegistration:circle",
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": "Bus"}]}],
            "endpoint": there.url,
            "contextSourceAlias": there.name,
            "contextSourceInfo": [{"key": "Authorization", "value": f"Bearer {ADMIN}"}],
        }
        async with here.client() as client:
            response = await client.post(f"{API}/csourceRegistrations", json=document)
            assert response.status_code == 201, response.text
    try:
        for here in (scene.region, scene.wuxi, scene.suzhou):
            started = perf_counter()
            response = await scene.ask("/entities?type=Bus&count=true&limit=2", here)
            assert perf_counter() - started < ANSWER_S_MAX * 2
            assert ids(response) == ["suzhou:1", "wuxi:1"], here.name
            assert response.headers["NGSILD-Results-Count"] == "3"
            answered, _, asked = response.headers["Conurb-Completeness"].partition("/")
            assert answered == asked
    finally:
        for here, _ in ways:
            async with here.client() as client:
                path = f"{API}/csourceRegistrations/urn:ngsi-ld:ContextSourceRegistration:circle"
                await client.delete(path)


async def test_a_subscriber_is_told_once_of_each_thing_that_a_city_wrote_during_a_split(
    scene: Scene,
) -> None:
    subscription = "urn:ngsi-ld:Subscription:split"
    written = [bus(f"wuxi:split:{number}", speed=number) for number in range(20)]
    names = [str(one["id"]) for one in written]
    async with receiving() as receiver, scene.region.client() as client:
        document = {
            "id": subscription,
            "type": "Subscription",
            "entities": [{"type": "Bus"}],
            "notification": {"endpoint": {"uri": receiver.url}},
        }
        response = await client.post(f"{API}/subscriptions", json=document)
        assert response.status_code == 201, response.text
        async with asyncio.timeout(ARRIVAL_S):
            while not (await scene.ask("/subscriptions", scene.wuxi)).json():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await scene.back.be("refused")
        for one in written:
            await put(scene.wuxi, one)
        await scene.back.be("none")
        async with asyncio.timeout(ARRIVAL_S):
            while set(names) - set(told(receiver)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert sorted(told(receiver)) == sorted(names)
        await client.delete(f"{API}/subscriptions/{subscription}")
    async with scene.wuxi.client() as client:
        await client.post(f"{API}/entityOperations/delete", json=names)


def told(receiver: Receiver) -> list[str]:
    return [one["id"] for post in receiver.posts for one in post.document["data"]]


async def standing(region: Place) -> dict[str, Any]:
    async with region.client() as client:
        rows = (await client.get("/federation/replicas")).json()
    return {one["city"]: one for one in rows}


async def copied(scene: Scene) -> dict[str, Any]:
    """Wait until the region has read all that the city has written."""
    async with scene.wuxi.client() as client:
        end = (await client.get("/health")).json()["journal"]
    async with asyncio.timeout(ARRIVAL_S):
        while (one := (await standing(scene.region))["wuxi"])["seq"] < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return dict(one)


async def test_copies_catch_up_after_a_split_with_nothing_lost_and_nothing_doubled(
    scene: Scene,
) -> None:
    async with scene.region.client() as client:
        response = await client.put("/federation/replicas/wuxi", json={"types": []})
        assert response.status_code == 204, response.text
    await copied(scene)
    written = 0
    for fault in ("cut", "refused", "silent"):
        written = await write(scene.wuxi, written)
        await scene.way.be(fault)
        written = await write(scene.wuxi, written)
        response = await scene.ask("/entities?type=Bus&limit=1000")
        assert response.headers["Conurb-Completeness"] == "3/3"
        [age] = response.headers.get_list("Conurb-Copies")
        assert age.startswith("wuxi; age=")
        assert 0 <= int(age.removeprefix("wuxi; age=")) < ARRIVAL_S
        async with scene.region.client() as client:
            metrics = (await client.get("/metrics")).text
        assert 'conurb_copies_age_seconds{city="wuxi"}' in metrics
        await scene.way.be("none")
        one = await copied(scene)
        assert one["behind"] == 0
        assert one["error"] is None
    there = await scene.ask("/entities?type=Bus&limit=1000&" + TIMES, scene.wuxi)
    here = await scene.ask(
        "/entities?type=Bus&limit=1000&" + TIMES, headers={"NGSILD-Tenant": "replica.wuxi"}
    )
    assert here.json() == there.json()
    assert len(there.json()) == written + 2
    assert await most_statements(scene) == 2


async def write(city: Place, number: int) -> int:
    """Write thirty buses, each twice."""
    for start in range(number, number + 30, 5):
        some = [bus(f"wuxi:w{one:03}", speed=0) for one in range(start, start + 5)]
        await put(city, *some)
        await put(city, *({**one, "speed": 1} for one in some))
    return number + 30


async def most_statements(scene: Scene) -> int:
    """Give how many statements the copies hold on one object at most: it was written twice."""
    path = "/temporal/entities?type=Bus&attrs=speed&limit=1000&timeproperty=modifiedAt"
    window = "&timerel=after&timeAt=2020-01-01T00:00:00Z"
    response = await scene.ask(path + window, headers={"NGSILD-Tenant": "replica.wuxi"})
    assert response.status_code == 200, response.text
    found = [one["speed"] for one in response.json()]
    return max(len(one) if isinstance(one, list) else 1 for one in found)
