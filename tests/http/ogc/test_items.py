"""OGC API Features over the objects of a node."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pyproj import Transformer

from tests.http.ogc.conftest import BASE, OGC, STATIONS, put, station


async def items(web: httpx.AsyncClient, **params: Any) -> Any:
    response = await web.get(f"{STATIONS}/items", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def local(document: Any) -> list[str]:
    return [one["id"].rpartition(":")[2] for one in document["features"]]


async def test_features_have_flat_properties_and_a_geometry(web: httpx.AsyncClient) -> None:
    document = await items(web)
    assert document["numberMatched"] == document["numberReturned"] == 3
    one, two, three = document["features"]
    assert one["geometry"] == {"type": "Point", "coordinates": [120.0, 31.0]}
    assert one["properties"] == {"pm25": 30, "name": "Tai Lake"}
    assert two["properties"] == {"pm25": 60, "refDevice": "urn:d:1"}
    assert three["properties"] == {"pm25": 90, "co2": 5}


async def test_properties_are_chosen_with_their_members_in_a_language(
    web: httpx.AsyncClient,
) -> None:
    params = {"properties": "pm25,name,modifiedAt", "with": "unitCode,observedAt", "lang": "zh"}
    first = (await items(web, **params))["features"][0]["properties"]
    assert first.pop("modifiedAt").endswith("Z")
    assert first == {
        "pm25": 30,
        "pm25.unitCode": "GQ",
        "pm25.observedAt": "2026-01-01T00:00:00Z",
        "name": "太湖",
    }


async def test_next_links_stay_right_whatever_is_written_meanwhile(web: httpx.AsyncClient) -> None:
    page = await items(web, limit=2, properties="pm25")
    assert local(page) == ["a", "b"]
    [following] = [one["href"] for one in page["links"] if one["rel"] == "next"]
    await put(web, station("0", 120.0, 31.0), station("aa", 120.0, 31.0))
    rest = (await web.get(following)).json()
    assert local(rest) == ["c"]
    assert rest["features"][0]["properties"] == {"pm25": 90}
    assert not [one for one in rest["links"] if one["rel"] == "next"]


async def test_a_limit_over_the_node_s_is_the_node_s(web: httpx.AsyncClient) -> None:
    assert len((await items(web, limit=1_000_000))["features"]) == 3
    assert (await web.get(f"{STATIONS}/items", params={"limit": 0})).status_code == 400


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"bbox": "119.5,30.5,121.5,31.5"}, "ab"),
        ({"bbox": "119.5,30.5,0,121.5,31.5,9"}, "ab"),
        ({"bbox": "30.5,119.5,31.5,121.5", "bbox-crs": "EPSG:4326"}, "ab"),
        ({"bbox": "170,0,-170,40"}, ""),
        ({"filter": "pm25 > 50"}, "bc"),
        ({"filter": "pm25 > 50", "bbox": "119.5,30.5,121.5,31.5"}, "b"),
        ({"filter": "S_INTERSECTS(location, BBOX(119.5,30.5,121.5,31.5)) AND pm25 < 50"}, "a"),
        (
            {"filter": "S_INTERSECTS(location, POINT(122 30))", "bbox": "119,29,123,32"},
            "c",
        ),
        ({"filter": "NOT S_INTERSECTS(location, POINT(122 30)) AND pm25 > 50"}, "b"),
        ({"filter": "S_INTERSECTS(location, POINT(122 30)) OR pm25 = 30"}, "ac"),
        ({"filter": "name = '太湖'"}, "a"),
        (
            {
                "filter": json.dumps({"op": "<", "args": [{"property": "pm25"}, 50]}),
                "filter-lang": "cql2-json",
            },
            "a",
        ),
        ({"q": "pm25>50;pm25<80"}, "b"),
        ({"q": "pm25>50", "filter": "pm25 > 80"}, "c"),
    ],
)
async def test_what_is_asked_for_is_found(
    web: httpx.AsyncClient, params: dict[str, str], found: str
) -> None:
    document = await items(web, **params)
    assert "".join(local(document)) == found
    assert document["numberMatched"] == len(found)


async def test_the_state_at_a_time_is_given(web: httpx.AsyncClient) -> None:
    for year, value in ((2020, 10), (2024, 20)):
        again = station("a", 120.0, 31.0)
        again["pm25"] = {
            "type": "Property",
            "value": value,
            "observedAt": f"{year}-06-30T00:00:00Z",
        }
        response = await web.post(
            "/ngsi-ld/v1/temporal/entities",
            json={
                "id": again["id"],
                "type": "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved",
                "https://smartdatamodels.org/dataModel.Environment/pm25": [again["pm25"]],
            },
        )
        assert response.status_code in (201, 204), response.text

    async def then(datetime: str) -> Any:
        return (await items(web, datetime=datetime, properties="pm25", filter="id LIKE '%:a'"))[
            "features"
        ]

    assert [one["properties"]["pm25"] for one in await then("2020-12-31")] == [10]
    assert [one["properties"]["pm25"] for one in await then("2024-06-30T00:00:00Z")] == [20]
    assert [one["properties"]["pm25"] for one in await then("2024-06-29T00:00:00Z/..")] == [30]
    assert [one["properties"]["pm25"] for one in await then("../2025-01-01")] == [20]
    assert await then("2019-01-01") == []
    one = await web.get(
        f"{STATIONS}/items/urn:ngsi-ld:AirQualityObserved:a", params={"datetime": "2020-12-31"}
    )
    assert one.json()["properties"]["pm25"] == 10


async def test_coordinates_are_given_in_the_system_asked_for(web: httpx.AsyncClient) -> None:
    for code in ("3857", "4326"):
        uri = f"http://www.opengis.net/def/crs/EPSG/0/{code}"
        response = await web.get(f"{STATIONS}/items", params={"crs": uri, "limit": 1})
        assert response.headers["content-crs"] == f"<{uri}>"
        x, y = response.json()["features"][0]["geometry"]["coordinates"]
        wanted = Transformer.from_crs("OGC:CRS84", f"EPSG:{code}").transform(120.0, 31.0)
        assert (x, y) == pytest.approx(wanted, rel=1e-9)


async def test_one_feature_is_given_by_its_id(web: httpx.AsyncClient) -> None:
    url = f"{STATIONS}/items/urn:ngsi-ld:AirQualityObserved:b"
    response = await web.get(url)
    assert response.headers["content-type"] == "application/geo+json"
    assert response.json()["properties"]["pm25"] == 60
    missing = await web.get(f"{STATIONS}/items/urn:ngsi-ld:AirQualityObserved:x")
    assert missing.status_code == 404
    # Another collection doesn't have it.
    assert (await web.get(url.replace("AirQualityObserved/", "City/", 1))).status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/collections/City/items", 404, "ResourceNotFound"),
        ("/collections/City", 404, "ResourceNotFound"),
        ("/collections/City/queryables", 404, "ResourceNotFound"),
        ("/nothing", 404, "ResourceNotFound"),
        ("/collections/AirQualityObserved/items?nonsense=1", 400, "InvalidRequest"),
        ("/collections/AirQualityObserved/items?bbox=1,2,3", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?bbox=1,9,3,4", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?bbox=1,x,3,4", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?datetime=now", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?datetime=2026-02-01/2026-01-01", 400, None),
        ("/collections/AirQualityObserved/items?filter=pm25", 200, None),
        ("/collections/AirQualityObserved/items?filter=pm25%20%3E", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?filter-lang=cql2-json", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?crs=EPSG:2154", 400, "BadRequestData"),
        ("/collections/AirQualityObserved/items?q=refDevice{City:name}==1", 400, None),
    ],
)
async def test_errors_are_exceptions_of_the_ogc_apis(
    web: httpx.AsyncClient, path: str, status: int, code: str | None
) -> None:
    response = await web.get(OGC + path)
    assert response.status_code == status, response.text
    if status >= 400:
        document = response.json()
        assert document["description"] == document["detail"]
        assert code is None or document["code"] == code


async def test_links_lead_from_the_landing_page_to_every_resource(web: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    todo = [OGC]
    while todo:
        url = todo.pop()
        if url in seen or not url.startswith(BASE) or "{" in url or url == f"{BASE}/":
            continue
        seen.add(url)
        response = await web.get(url)
        assert response.status_code == 200, url
        document = response.json()
        links = [*document.get("links", [])]
        for inner in (*document.get("collections", []), *document.get("tilesets", [])):
            links += inner["links"]
        todo += [one["href"] for one in links]
    endings = {"conformance", "openapi.json", "items", "queryables", "tiles", "tilejson.json"}
    assert endings <= {url.rpartition("/")[2] for url in seen}


async def test_a_collection_says_how_much_where_and_when(web: httpx.AsyncClient) -> None:
    document = (await web.get(STATIONS, params={"lang": "zh"})).json()
    assert document["title"] == "空气质量观测"
    assert document["itemCount"] == 3
    assert document["extent"]["spatial"]["bbox"] == [pytest.approx([120.0, 30.0, 122.0, 31.0])]
    assert document["extent"]["temporal"]["interval"] == [["2026-01-01T00:00:00Z"] * 2]


async def test_queryables_name_what_filters_may_ask(web: httpx.AsyncClient) -> None:
    properties = (await web.get(f"{STATIONS}/queryables")).json()["properties"]
    assert set(properties) == {"id", "location", "pm25", "name", "refDevice", "co2"}
    assert properties["location"]["format"] == "geometry-any"
    assert properties["name"]["type"] == "string"


async def test_a_type_without_a_term_is_a_collection_by_its_iri(web: httpx.AsyncClient) -> None:
    strange = {"id": "urn:x:1", "type": "https://example.org/Kiosk"}
    await web.post("/ngsi-ld/v1/entities", json=strange)
    listed = (await web.get(f"{OGC}/collections")).json()["collections"]
    [kiosk] = [one for one in listed if one["id"] == "https://example.org/Kiosk"]
    [href] = [one["href"] for one in kiosk["links"] if one["rel"] == "items"]
    document = (await web.get(href)).json()
    assert document["features"][0]["geometry"] is None


async def test_every_resource_takes_the_form_that_clients_ask_for(web: httpx.AsyncClient) -> None:
    below = ("", "/queryables", "/tiles", "/tiles/WebMercatorQuad", "/items")
    item = "/items/urn:ngsi-ld:AirQualityObserved:a"
    paths = [f"{STATIONS}{path}" for path in (*below, item, "/tiles/WebMercatorQuad/tilejson.json")]
    for path in (OGC, f"{OGC}/conformance", f"{OGC}/collections", *paths):
        assert (await web.get(path, params={"f": "json"})).status_code == 200, path
        assert (await web.get(path, params={"f": "html"})).status_code == 400, path
    tile = f"{STATIONS}/tiles/WebMercatorQuad/5/13/26"
    assert (await web.get(tile, params={"f": "mvt"})).content == (await web.get(tile)).content
