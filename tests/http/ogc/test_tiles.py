"""OGC API Tiles over the objects of a node: kept, and let go of when something on them changes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from conurb.model.tiles.layer import POINTS_MAX
from tests.contracts.tiles import Feature, read_tile
from tests.http.ogc.conftest import STATIONS, put, station

TILES = f"{STATIONS}/tiles/WebMercatorQuad"
HERE = f"{TILES}/7/52/106"
"""118.1 to 120.9 east, 30.7 to 33.1 north: the first station alone."""


async def tile(web: httpx.AsyncClient, url: str = HERE, **params: Any) -> list[Feature]:
    response = await web.get(url, params=params or None)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    return read_tile(response.content).get("AirQualityObserved", [])


async def test_a_tile_has_what_lies_on_it(web: httpx.AsyncClient) -> None:
    [feature] = await tile(web, properties="pm25,name", lang="zh")
    assert feature.properties == {
        "id": "urn:ngsi-ld:AirQualityObserved:a",
        "pm25": 30,
        "name": "太湖",
    }
    assert await tile(web, f"{TILES}/7/0/0") == []
    assert len(await tile(web, f"{TILES}/0/0/0")) == 3


async def test_a_tile_that_has_not_changed_is_not_sent_again(web: httpx.AsyncClient) -> None:
    first = await web.get(HERE)
    tag = first.headers["etag"]
    again = await web.get(HERE, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    # What happens elsewhere doesn't matter.
    await put(web, station("far", 100.0, 10.0))
    assert (await web.get(HERE, headers={"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize("params", [{}, {"properties": "pm25"}, {"filter": "pm25 < 100"}])
async def test_a_kept_tile_follows_every_change_at_once(
    web: httpx.AsyncClient, params: dict[str, str]
) -> None:
    async def shown() -> dict[str, Any]:
        found = await tile(web, **params)
        return {f.properties["id"].rpartition(":")[2]: f.properties.get("pm25") for f in found}

    assert await shown() == {"a": 30}
    await put(web, station("d", 119.0, 31.5, pm25=1))
    assert await shown() == {"a": 30, "d": 1}
    await put(web, station("d", 119.0, 31.5, pm25=2))
    assert await shown() == {"a": 30, "d": 2}
    await put(web, station("d", 100.0, 31.5, pm25=2))  # moved away
    assert await shown() == {"a": 30}
    await put(web, station("d", 119.5, 31.5, pm25=3))  # and back
    assert await shown() == {"a": 30, "d": 3}
    await web.delete("/ngsi-ld/v1/entities/urn:ngsi-ld:AirQualityObserved:d")
    assert await shown() == {"a": 30}


async def test_tiles_show_the_state_at_a_time(web: httpx.AsyncClient) -> None:
    moved = station("m", 119.0, 31.5)
    kind = "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved"
    places = [
        {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [longitude, 31.5]},
            "observedAt": f"{year}-01-01T00:00:00Z",
        }
        for year, longitude in ((2020, 119.0), (2024, 100.0))
    ]
    document = {"id": moved["id"], "type": kind, "location": places}
    assert (await web.post("/ngsi-ld/v1/temporal/entities", json=document)).status_code == 201

    async def shown(datetime: str) -> set[str]:
        return {
            f.properties["id"].rpartition(":")[2] for f in await tile(web, datetime=datetime)
        } - {"a"}

    assert await shown("2019-01-01") == set()
    assert await shown("2021-01-01") == {"m"}
    assert await shown("2025-01-01") == set()
    # An observation that arrives late changes the past, also where it was kept.
    late = {**places[0], "observedAt": "2025-06-01T00:00:00Z"}
    assert await shown("2025-12-01") == set()
    url = f"/ngsi-ld/v1/temporal/entities/{moved['id']}/attrs/"
    assert (await web.post(url, json={"location": [late]})).status_code == 204
    assert await shown("2025-12-01") == {"m"}


async def test_many_points_are_counted_by_cell(web: httpx.AsyncClient) -> None:
    count = POINTS_MAX + 10
    many = [station(str(n), 119.0 + n % 40 * 0.01, 31.0 + n // 40 * 0.01) for n in range(count)]
    for first in range(0, count, 400):
        await put(web, *many[first : first + 400])
    features = await tile(web)
    assert sum(one.properties.get("point_count", 1) for one in features) == count + 1
    assert "conurb-tile-points" not in (await web.get(HERE)).headers
    few = await web.get(HERE, params={"filter": "id LIKE '%:1_'"})
    assert few.headers["conurb-tile-points"] == "10"
    assert len(await tile(web, filter="id LIKE '%:1_'", thin="true")) < 11


@pytest.mark.parametrize("path", ["30/0/0", "1/2/0", "1/0/-1", "x/0/0", "1/0"])
async def test_there_is_no_tile_beyond_the_world(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(f"{TILES}/{path}")).status_code == 404


async def test_tilejson_leads_to_tiles_with_the_same_question(web: httpx.AsyncClient) -> None:
    document = (await web.get(f"{TILES}/tilejson.json", params={"properties": "pm25"})).json()
    url = document["tiles"][0].format(z=7, y=52, x=106)
    [feature] = await tile(web, url)
    assert set(feature.properties) == {"id", "pm25"}
    assert document["vector_layers"][0]["id"] == "AirQualityObserved"
