"""What the page asks to draw itself: layers, coverage, search."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from conurb.model.portrayal import Layer, layer_document
from conurb.model.time import parse_us, system_clock
from conurb.regions.layers import KIND, portrayal_of
from conurb.regions.pack import read_pack
from conurb.store.contract import Document
from tests.http.ogc.conftest import put, station


@pytest.fixture(scope="module")
def portrayal() -> dict[str, Any]:
    return portrayal_of(read_pack("yrd"))


async def layers(web: httpx.AsyncClient) -> dict[str, Any]:
    response = await web.get("/map/layers")
    assert response.status_code == 200, response.text
    return {one["id"]: one for one in response.json()["layers"]}


async def test_a_type_that_nobody_speaks_for_has_a_plain_layer(web: httpx.AsyncClient) -> None:
    await put(web, {"id": "urn:x:1", "type": "Device"})  # nowhere, so on no map
    listed = await layers(web)
    assert set(listed) == {"air-quality-observed"}
    plain = listed["air-quality-observed"]
    assert plain["title"] == {"en": "Air quality observed", "zh": "空气质量观测"}
    assert (plain["form"], plain["label"], plain["count"]) == ("circle", "name", 3)
    assert plain["bbox"] == pytest.approx([120.0, 30.0, 122.0, 31.0])
    assert plain["time"] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    fields = set(
        layer_document(
            Layer("a", "B", {"en": "x", "zh": "y"}, {"en": "x", "zh": "y"}, "fill", "", "")
        )
    )
    assert fields <= set(plain)
    assert (await web.get(plain["items"])).status_code == 200


async def test_layers_follow_what_is_written_and_deleted(web: httpx.AsyncClient) -> None:
    await layers(web)
    area = {"type": "Polygon", "coordinates": [[[10, 10], [20, 10], [20, 20], [10, 10]]]}
    road = {"id": "urn:x:2", "type": "Road", "location": {"type": "GeoProperty", "value": area}}
    await put(web, road, station("d", 123.0, 32.0))
    listed = await layers(web)
    assert listed["road"]["form"] == "fill"
    assert listed["road"]["bbox"] == pytest.approx([10, 10, 20, 20], abs=1e-4)
    assert listed["air-quality-observed"]["count"] == 4
    assert listed["air-quality-observed"]["bbox"] == pytest.approx([120, 30, 123, 32], abs=1e-4)
    await web.delete("/ngsi-ld/v1/entities/urn:x:2")
    assert "road" not in await layers(web)


async def test_a_region_pack_shows_its_cities_with_every_figure(
    web: httpx.AsyncClient, app: Any, portrayal: dict[str, Any]
) -> None:
    node = await app.state.host.node()
    await node.store.put_document(Document(KIND, "yrd", portrayal))
    response = (await web.get("/map/layers")).json()
    assert response["region"]["title"]["zh"] == "长江三角洲"
    cities = response["layers"][0]
    assert (cities["id"], cities["form"], cities["visible"]) == ("cities", "choropleth", True)
    figures = {one["attribute"]: one for one in cities["indicators"]}
    assert figures["population"]["unit"] == "IE"
    assert figures["co2@edgar-v8:prefecture"]["label"]["zh"] == "二氧化碳排放量"
    assert figures["co2@edgar-v8:prefecture"]["years"][0] == 2000
    assert all(one["source"] and one["licence"] for one in figures.values())


async def test_a_layer_without_objects_is_an_empty_collection(
    web: httpx.AsyncClient, app: Any, portrayal: dict[str, Any]
) -> None:
    node = await app.state.host.node()
    await node.store.put_document(Document(KIND, "yrd", portrayal))
    cities = (await layers(web))["cities"]
    assert (cities["count"], cities["bbox"], cities["provenance"]) == (0, None, None)
    page = (await web.get(cities["items"])).json()
    assert (page["type"], page["features"], page["numberMatched"]) == ("FeatureCollection", [], 0)
    tile = await web.get(cities["tiles"].format(z=4, y=6, x=13))
    assert (tile.status_code, tile.content) == (200, b"")
    collections = (await web.get("/ogc/collections")).json()["collections"]
    assert {one["id"]: one["itemCount"] for one in collections}["City"] == 0
    for path in ("", "/queryables", "/tiles", "/tiles/WebMercatorQuad", "/items?f=csv"):
        response = await web.get(f"/ogc/collections/City{path}")
        assert response.status_code == 200, path
    assert (await web.get("/ogc/collections/Nothing/items")).status_code == 404


async def test_a_layer_says_so_when_its_objects_are_simulated_or_replayed(
    web: httpx.AsyncClient,
) -> None:
    assert (await layers(web))["air-quality-observed"]["provenance"] is None
    mark = {"type": "Property", "value": True}
    for name in ("replayed", "simulated"):
        pm25 = {"type": "Property", "value": 1, name: mark}
        await put(web, station(name, 121.0, 31.0, pm25=pm25))
        assert (await layers(web))["air-quality-observed"]["provenance"] == name
    told = (await web.get("/map/coverage")).json()
    assert told["types"][0]["marks"] == ["replayed", "simulated"]
    assert parse_us(told["asOf"], name="asOf") <= system_clock()


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Tai", "object", "urn:ngsi-ld:AirQualityObserved:a"),
        ("tai", "object", "urn:ngsi-ld:AirQualityObserved:a"),
        ("太湖", "object", "urn:ngsi-ld:AirQualityObserved:a"),
        ("urn:ngsi-ld:AirQualityObserved:b", "object", "urn:ngsi-ld:AirQualityObserved:b"),
        ("空气", "type", "AirQualityObserved"),
        ("QUALITY", "type", "AirQualityObserved"),
        ("二氧化碳", "dataset", "cities:co2@edgar-v8:prefecture"),
        ("城市", "layer", "cities"),
    ],
)
async def test_what_is_called_so_is_found(
    web: httpx.AsyncClient,
    app: Any,
    portrayal: dict[str, Any],
    text: str,
    kind: str,
    found: str,
) -> None:
    node = await app.state.host.node()
    await node.store.put_document(Document(KIND, "yrd", portrayal))
    finds = (await web.get("/map/search", params={"q": text})).json()["finds"]
    matching = [one for one in finds if one["id"] == found]
    assert [one["kind"] for one in matching] == [kind]
    assert set(matching[0]["title"]) == {"en", "zh"}


async def test_an_object_that_is_found_says_where_and_when(web: httpx.AsyncClient) -> None:
    [one] = (await web.get("/map/search", params={"q": "Tai Lake"})).json()["finds"]
    assert one["bbox"] == [120.0, 31.0, 120.0, 31.0]
    assert one["title"] == {"en": "Tai Lake", "zh": "太湖"}
    assert one["time"] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    assert (await web.get(one["item"])).status_code == 200


@pytest.mark.parametrize("text", ["", " ", "x" * 201])
async def test_nothing_is_not_looked_for(web: httpx.AsyncClient, text: str) -> None:
    assert (await web.get("/map/search", params={"q": text})).status_code == 400
