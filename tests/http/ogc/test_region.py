"""The OGC APIs, tiles and live changes of a region: cities in its process, and elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from conurb.app import build_host
from conurb.config import Settings
from conurb.federation.region import registrations_of
from conurb.http.app import build_app
from conurb.model.tiles.layer import POINTS_MAX
from conurb.model.time import shown_us, system_clock
from conurb.node.host import Host
from conurb.regions.bringup import registration_of
from tests.contracts.tiles import Feature, read_tile
from tests.federation.served import Served, served
from tests.http.ogc.conftest import BASE, STATIONS, put, station

KIND = "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved"
COLLECTION = "/ogc/collections/AirQualityObserved"
WHOLE = f"{COLLECTION}/tiles/WebMercatorQuad/5/13/26"


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a region with two cities in its process."""
    settings = Settings(store=str(tmp_path / "region.db"), outbound=("loopback",), node_id="yrd")
    host = build_host(settings)
    await host.open()
    app = build_app(host, settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for city in ("wuxi", "huzhou"):
            await host.node(city, create=True)
            await registrations_of(await host.node()).put(registration_of("yrd", city))
        await put(client, station("w", 120.3, 31.5, pm25=1), **{"NGSILD-Tenant": "wuxi"})
        await put(client, station("h", 120.1, 30.9, pm25=2), **{"NGSILD-Tenant": "huzhou"})
        client.host = host  # type: ignore[attr-defined]
        yield client
    await host.close()


async def tile(client: httpx.AsyncClient, url: str = WHOLE) -> tuple[list[Feature], Any]:
    response = await client.get(url)
    assert response.status_code == 200, response.text
    features = read_tile(response.content).get("AirQualityObserved", [])
    return features, response.headers


def names(features: list[Feature]) -> set[str]:
    return {one.properties["id"].rpartition(":")[2] for one in features}


async def test_a_region_gives_the_features_of_its_cities(region: httpx.AsyncClient) -> None:
    response = await region.get(f"{STATIONS}/items", params={"limit": 1})
    assert response.headers["conurb-completeness"].startswith("3/3")
    document = response.json()
    assert document["numberMatched"] == 2
    [following] = [one["href"] for one in document["links"] if one["rel"] == "next"]
    found = [*document["features"], *(await region.get(following)).json()["features"]]
    assert [one["properties"]["pm25"] for one in found] == [2, 1]
    alone = await region.get(f"{STATIONS}/items", headers={"NGSILD-Tenant": "wuxi"})
    assert alone.json()["numberMatched"] == 1
    assert (await region.get(f"{STATIONS}/items", params={"local": "true"})).status_code == 404


async def test_an_object_that_two_cities_have_is_drawn_once_as_it_is_newest(
    region: httpx.AsyncClient,
) -> None:
    async def drawn(url: str) -> tuple[Any, Any]:
        features, headers = await tile(region, url)
        [both] = [one for one in features if one.properties["id"].endswith(":both")]
        assert headers["conurb-tile-points"] == str(len(features))
        return both.properties["pm25"], both.parts

    await put(region, station("both", 120.0, 31.0, pm25=1), **{"NGSILD-Tenant": "huzhou"})
    before = shown_us(system_clock())
    older = await drawn(WHOLE)
    await put(region, station("both", 120.2, 31.2, pm25=2), **{"NGSILD-Tenant": "wuxi"})
    newer = await drawn(WHOLE)
    assert (older[0], newer[0]) == (1, 2)
    assert older[1] != newer[1]
    await put(region, station("both", 120.0, 31.0, pm25=3), **{"NGSILD-Tenant": "huzhou"})
    assert await drawn(WHOLE) == (3, older[1])
    assert await drawn(f"{WHOLE}?datetime={before}") == older
    assert (await drawn(f"{WHOLE}?filter=pm25=3"))[0] == 3


async def test_a_tile_of_a_region_is_that_of_all_its_cities(region: httpx.AsyncClient) -> None:
    features, headers = await tile(region)
    assert names(features) == {"w", "h"}
    assert headers["conurb-completeness"].startswith("3/3")
    unchanged = {"If-None-Match": headers["etag"]}
    assert (await region.get(WHOLE, headers=unchanged)).status_code == 304
    await put(region, station("w2", 120.4, 31.5), **{"NGSILD-Tenant": "wuxi"})
    assert names((await tile(region))[0]) == {"w", "h", "w2"}


async def test_points_of_many_cities_count_by_the_same_cells(region: httpx.AsyncClient) -> None:
    half = POINTS_MAX // 2 + 10
    for city, longitude in (("wuxi", 120.0), ("huzhou", 120.001)):
        many = [station(f"{city}{n}", longitude + n % 40 * 0.01, 31.0) for n in range(half)]
        await put(region, *many, **{"NGSILD-Tenant": city})
    features, _ = await tile(region)
    assert sum(one.properties.get("point_count", 1) for one in features) == 2 * half + 2
    numbers = [one.number for one in features if one.number is not None]
    assert len(numbers) == len(set(numbers)) < 40


async def test_a_region_says_what_all_its_cities_have(region: httpx.AsyncClient) -> None:
    layers = (await region.get("/map/layers")).json()["layers"]
    [layer] = [one for one in layers if one["collection"] == "AirQualityObserved"]
    assert layer["count"] == 2
    assert layer["bbox"] == pytest.approx([120.1, 30.9, 120.3, 31.5], abs=1e-4)
    assert layer["title"] == {"en": "Air quality observed", "zh": "空气质量观测"}
    [only] = (await region.get(layer["tiles"].format(z=7, y=52, x=106))).content and [1]
    assert only


async def test_a_city_of_the_region_that_is_gone_is_named(region: httpx.AsyncClient) -> None:
    host: Host = region.host  # type: ignore[attr-defined]
    await host.drop("huzhou")
    features, headers = await tile(region)
    assert names(features) == {"w"}
    assert headers["conurb-completeness"].startswith("2/3")
    assert "huzhou" in headers["ngsild-warning"]
    strict = await region.get(WHOLE, params={"strict": "true"})
    assert strict.status_code == 503


# ── nodes elsewhere ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Served, Served, AsyncExitStack]]:
    """Give a region, a city on a port of its own that it has registered, and what ends the city."""
    async with served(tmp_path, "region") as home, AsyncExitStack() as elsewhere:
        city = await elsewhere.enter_async_context(served(tmp_path, "city"))
        await home.register(
            city.url, information=[{"entities": [{"type": KIND}]}], registrationName="city"
        )
        await put(city.client, station("away", 120.3, 31.5, pm25=7))
        await put(home.client, station("home", 120.5, 31.5, pm25=8))
        yield home, city, elsewhere


async def test_a_city_elsewhere_draws_its_part_of_a_tile(
    pair: tuple[Served, Served, AsyncExitStack],
) -> None:
    home, city, elsewhere = pair
    url = WHOLE + "?properties=pm25"
    features, headers = await tile(home.client, url)
    assert {one.properties["pm25"] for one in features} == {7, 8}
    assert headers["conurb-completeness"].startswith("2/2")
    layers = (await home.client.get("/map/layers")).json()["layers"]
    assert [one["count"] for one in layers if one["collection"] == "AirQualityObserved"] == [2]
    past = await home.client.get(url + "&datetime=2100-01-01")
    assert len(read_tile(past.content)["AirQualityObserved"]) == 2
    assert city.url
    await elsewhere.aclose()
    features, headers = await tile(home.client, url)
    assert {one.properties["pm25"] for one in features} == {8}
    assert headers["conurb-completeness"].startswith("1/2")


async def test_changes_of_a_city_elsewhere_are_told_too(
    pair: tuple[Served, Served, AsyncExitStack],
) -> None:
    home, city, _ = pair
    seen: list[Any] = []

    async def listen() -> None:
        params = {"types": "AirQualityObserved"}
        async with home.client.stream("GET", "/live", params=params) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(15):
        for number in range(100):
            # The city is heard as soon as it has answered; until then nothing is missed here.
            await put(city.client, station("away", 120.3 + number / 100, 31.5))
            await asyncio.sleep(0.1)
            told = [f for one in seen for f in one.get("features", ())]
            if told:
                break
    listening.cancel()
    await asyncio.wait([listening])
    assert told[0]["id"] == "urn:ngsi-ld:AirQualityObserved:away"
    assert told[0]["collections"] == ["AirQualityObserved"]
