"""SensorThings over the node's objects: addresses, filters, deep inserts, arrays, rights."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.federation.region import registrations_of
from conurb.http.app import build_app
from conurb.regions.bringup import registration_of
from conurb.systems.monitoring.sensorthings.filters import holds, parse
from conurb.systems.monitoring.sensorthings.kinds import KINDS
from conurb.systems.monitoring.sensorthings.options import read_options
from conurb.systems.monitoring.sensorthings.service import segments_of

BASE = "http://node.test/sensorthings/v1.1"
SENSOR = {"name": "s", "description": "d", "encodingType": "text/html", "metadata": "m"}
OBSERVED = {"name": "level", "definition": "https://example.org/level", "description": "d"}
LINK = (
    "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)
UNIT = {"name": "metre", "symbol": "m", "definition": "https://example.org/m"}


def stream(name: str, results: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": "d",
        "observationType": "OM_Measurement",
        "unitOfMeasurement": UNIT,
        "Sensor": SENSOR,
        "ObservedProperty": OBSERVED,
        "Observations": [
            {"phenomenonTime": f"2026-06-01T{hour:02d}:00:00Z", "result": result}
            for hour, result in enumerate(results)
        ],
        **more,
    }


def thing(name: str, *streams: dict[str, Any], at: tuple[float, float] = (120, 31)) -> Any:
    place = {
        "name": f"place of {name}",
        "description": "d",
        "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": list(at)},
    }
    return {"name": name, "description": "d", "Locations": [place], "Datastreams": list(streams)}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        store=str(tmp_path / "n.db"), data_folder=tmp_path, node_id="node", systems=("monitoring",)
    )
    host = build_host(settings)
    await host.open()
    await host.node("wuxi", create=True)
    await host.node("suzhou", create=True)
    region = registrations_of(await host.node())
    await region.put(registration_of("yrd", "suzhou"))
    transport = httpx.ASGITransport(app=build_app(host, settings))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as opened:
        yield opened
    await host.close()


async def made(client: httpx.AsyncClient, path: str, body: Any) -> str:
    """Create an entity; give its address."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


async def got(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


DOCUMENT = {
    "@iot.id": "urn:x:1",
    "name": "Tai Lake's west",
    "result": 3.5,
    "count": 7,
    "phenomenonTime": "2026-06-01T08:30:00Z/2026-06-01T09:00:00Z",
    "resultTime": "2026-06-01T17:00:00+08:00",
    "location": {"type": "Point", "coordinates": [120.2, 31.2]},
    "nothing": None,
    "properties": {"depth": 2, "tags": {"kind": "lake"}},
    "Datastreams": [{"@iot.id": "urn:x:2", "name": "a"}, {"@iot.id": "urn:x:3", "name": "b"}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name eq 'Tai Lake''s west'", True),
        ("id eq 'urn:x:1'", True),
        ("result gt 3 and result lt 4", True),
        ("result gt 3 and not (result lt 4)", False),
        ("result eq 3.5 or nothing eq 1", True),
        ("nothing eq null", True),
        ("result ne null", True),
        ("absent gt 1", False),
        ("absent ne 1", True),
        ("result add 1 eq 4.5 and count mod 4 eq 3", True),
        ("count div 2 eq 3 and 2 add 3 mul 4 eq 14", True),
        ("count sub -1 eq 8", True),
        ("substringof('Lake', name)", True),
        ("startswith(tolower(name), 'tai') and endswith(name, 'west')", True),
        ("length(name) eq 15 and indexof(name, 'Lake') eq 4", True),
        ("substring(name, 4, 4) eq 'Lake' and concat('a', 'b') eq 'ab'", True),
        ("trim('  x ') eq 'x' and toupper('x') eq 'X'", True),
        ("round(result) eq 4 and floor(result) eq 3 and ceiling(result) eq 4", True),
        ("resultTime eq 2026-06-01T09:00:00Z", True),
        ("year(resultTime) eq 2026 and month(resultTime) eq 6 and hour(resultTime) eq 9", True),
        ("date(resultTime) eq '2026-06-01' and minute(resultTime) eq 0", True),
        ("phenomenonTime gt 2026-06-01T08:00:00Z", True),
        ("phenomenonTime lt 2026-06-01T08:45:00Z", False),
        ("phenomenonTime le 2026-06-01T09:00:00Z", True),
        ("resultTime add duration'PT1H' eq 2026-06-01T10:00:00Z", True),
        ("resultTime lt now()", True),
        ("properties/depth ge 2 and properties/tags/kind eq 'lake'", True),
        ("Datastreams/name eq 'b'", True),
        ("Datastreams/name eq 'c'", False),
        ("Datastreams/id eq 'urn:x:3'", True),
        ("st_within(location, geography'POLYGON((120 31, 121 31, 121 32, 120 32, 120 31))')", True),
        ("geo.distance(location, geography'POINT(120.2 31.3)') lt 0.2", True),
        ("geo.intersects(location, geography'POINT(0 0)')", False),
        ("length(count) eq 1", False),
    ],
)
def test_a_filter_is_read_and_decides(text: str, expected: bool) -> None:
    assert holds(parse(text), DOCUMENT) is expected


@pytest.mark.parametrize(
    "text", ["", "name eq", "name eq 'x", "(name eq 'x'", "frobnicate(1)", "name eq 'x' 'y'"]
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadRequestDataError, match="filter"):
        parse(text)


def test_hostile_filters_end_early() -> None:
    with pytest.raises(TooComplexQueryError):
        parse("(" * 40 + "1 eq 1" + ")" * 40)
    with pytest.raises(TooComplexQueryError):
        parse(" or ".join(["1 eq 1"] * 1000))
    with pytest.raises(TooComplexQueryError):
        read_options(KINDS["Things"], {"$expand": "Datastreams/Thing/" * 4 + "Datastreams"})


def test_addresses_are_split_before_they_are_decoded() -> None:
    [one, other] = segments_of("Things('urn:a:%2F(b')/Datastreams")
    assert (one.entity_id, other.name) == ("urn:a:/(b", "Datastreams")


async def test_the_root_names_every_set(client: httpx.AsyncClient) -> None:
    sets = (await got(client, ""))["value"]
    assert {one["name"] for one in sets} == set(KINDS)
    for one in sets:
        assert (await got(client, one["url"]))["value"] == []


async def test_every_link_of_every_entity_leads_somewhere(client: httpx.AsyncClient) -> None:
    await made(client, "/Things", thing("gauge", stream("level", [1.0, 2.0])))
    followed = 0
    for name, kind in KINDS.items():
        for entity in (await got(client, f"/{name}"))["value"]:
            assert (await got(client, entity["@iot.selfLink"]))["@iot.id"] == entity["@iot.id"]
            for link in kind.navigations:
                answer = await got(client, entity[f"{link}@iot.navigationLink"])
                assert answer.get("value", True) or link == "HistoricalLocations"
                followed += 1
    assert followed >= 16


async def test_a_deep_insert_is_all_or_nothing(client: httpx.AsyncClient) -> None:
    broken = thing("gauge", stream("level", [1.0]), {"name": "half a datastream"})
    answer = await client.post("/Things", json=broken)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Datastream: description is missing"
    for name in ("Things", "Locations", "Datastreams", "Sensors"):
        assert (await got(client, f"/{name}"))["value"] == []


async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient,
) -> None:
    await made(client, "/Things", thing("a", stream("x", list(range(9)))))
    await made(client, "/Things", thing("b", stream("y", list(range(9)))))
    for order in ("phenomenonTime", "phenomenonTime desc", "result", "result desc"):
        link, seen = f"/Observations?$top=4&$orderby={order}&$count=true", []
        while link:
            page = await got(client, link)
            assert page["@iot.count"] == 18
            seen += page["value"]
            link = page.get("@iot.nextLink", "")
        assert len({one["@iot.id"] for one in seen}) == 18
        results = [one["result"] for one in seen]
        assert results == sorted(results, reverse="desc" in order)


async def test_filters_reach_across_links(client: httpx.AsyncClient) -> None:
    await made(client, "/Things", thing("a", stream("x", [1, 9])))
    await made(client, "/Things", thing("b", stream("y", [2, 3]), at=(121, 32)))
    one = await got(client, "/Things?$filter=Datastreams/Observations/result gt 5&$select=name")
    assert one["value"] == [{"name": "a"}]
    square = "POLYGON((120.5 31.5,122 31.5,122 33,120.5 33,120.5 31.5))"
    near = f"st_within(Locations/location, geography'{square}')"
    assert [t["name"] for t in (await got(client, f"/Things?$filter={near}"))["value"]] == ["b"]
    by_link = await got(client, "/Observations?$filter=Datastream/Thing/name eq 'b'&$count=true")
    assert (by_link["@iot.count"], [o["result"] for o in by_link["value"]]) == (2, [2, 3])


async def test_properties_values_and_references_have_addresses(client: httpx.AsyncClient) -> None:
    address = await made(client, "/Things", thing("gauge", stream("level", [4.5])))
    assert await got(client, f"{address}/name") == {"name": "gauge"}
    assert (await client.get(f"{address}/name/$value")).text == "gauge"
    [link] = (await got(client, f"{address}/Datastreams/$ref"))["value"]
    unit = await client.get(f"{link['@iot.selfLink']}/unitOfMeasurement/symbol/$value")
    assert unit.text == "m"
    assert (await client.get("/Observations/$count")).text == "1"
    assert (await client.get(f"{address}/nothing")).status_code == 404
    assert (await client.get("/Nothings")).status_code == 404
    assert (await client.put("/Things", json={})).status_code == 405


async def test_observations_come_in_arrays(client: httpx.AsyncClient) -> None:
    address = await made(client, "/Things", thing("gauge", stream("level", [])))
    [found] = (await got(client, f"{address}/Datastreams"))["value"]
    rows = [[f"2026-06-01T00:{minute:02d}:00Z", minute / 10] for minute in range(30)]
    body = [
        {
            "Datastream": {"@iot.id": found["@iot.id"]},
            "components": ["phenomenonTime", "result"],
            "dataArray": rows,
        }
    ]
    answer = await client.post("/CreateObservations", json=body)
    assert (answer.status_code, len(answer.json())) == (201, 30)
    path = f"{found['@iot.selfLink']}/Observations?$resultFormat=dataArray&$top=3"
    [group] = (await got(client, path))["value"]
    assert [row[3] for row in group["dataArray"]] == [0.0, 0.1, 0.2]


async def test_results_that_are_no_numbers_are_kept_as_they_are(client: httpx.AsyncClient) -> None:
    results = [True, "open", {"a": [1]}, 4]
    address = await made(client, "/Things", thing("gate", stream("state", results)))
    [found] = (await got(client, f"{address}/Datastreams?$expand=Observations"))["value"]
    assert [one["result"] for one in found["Observations"]] == results


async def test_an_observation_of_another_feature_keeps_it(client: httpx.AsyncClient) -> None:
    address = await made(client, "/Things", thing("boat", stream("depth", [1.0])))
    [found] = (await got(client, f"{address}/Datastreams"))["value"]
    feature = {
        "name": "Meiliang Bay",
        "description": "d",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [120.15, 31.45]},
    }
    made_at = await made(
        client,
        f"{found['@iot.selfLink']}/Observations",
        {"phenomenonTime": "2026-06-02T00:00:00Z", "result": 2.0, "FeatureOfInterest": feature},
    )
    assert (await got(client, f"{made_at}/FeatureOfInterest"))["name"] == "Meiliang Bay"
    bays = await got(
        client, "/FeaturesOfInterest?$filter=name eq 'Meiliang Bay'&$expand=Observations"
    )
    assert [one["result"] for one in bays["value"][0]["Observations"]] == [2.0]


async def test_a_city_of_the_region_has_an_address_of_its_own(client: httpx.AsyncClient) -> None:
    city = "http://node.test/tenants/wuxi/sensorthings/v1.1"
    address = await made(client, f"{city}/Things", thing("in wuxi"))
    assert re.match(r"http://node.test/tenants/wuxi/.*urn:ngsi-ld:Device:wuxi:", address)
    assert (await got(client, address))["name"] == "in wuxi"
    assert (await got(client, "/Things"))["value"] == []


async def test_a_region_gives_the_observations_of_its_members(client: httpx.AsyncClient) -> None:
    city = "http://node.test/tenants/suzhou/sensorthings/v1.1"
    await made(client, f"{city}/Things", thing("far", stream("x", [1.0, 2.0, 3.0])))
    await made(client, "/Things", thing("near", stream("y", [4.0])))
    asked = "/Things?$orderby=name&$expand=Datastreams($expand=Observations($count=true))"
    found = (await got(client, asked))["value"]
    assert [one["name"] for one in found] == ["far", "near"]
    assert found[0]["Datastreams"][0]["Observations@iot.count"] == 3
    latest = await got(client, "/Observations?$orderby=result desc&$top=2&$count=true")
    assert (latest["@iot.count"], [one["result"] for one in latest["value"]]) == (4, [4.0, 3.0])
    [far] = (await got(client, "/Datastreams?$filter=Thing/name eq 'far'"))["value"]
    assert far["phenomenonTime"] == "2026-06-01T00:00:00Z/2026-06-01T02:00:00Z"


async def test_history_that_came_by_ngsi_ld_is_read_as_observations(
    client: httpx.AsyncClient,
) -> None:
    document = {
        "id": "urn:ngsi-ld:DeviceMeasurement:wuxi:well-1",
        "type": "DeviceMeasurement",
        "name": {"type": "LanguageProperty", "languageMap": {"en": "well 1", "zh": "1号井"}},
        "numValue": [
            {"type": "Property", "value": value, "observedAt": f"2026-06-0{day}T00:00:00Z"}
            for day, value in ((1, 3.1), (2, 3.2))
        ],
    }
    answer = await client.post(
        "http://node.test/ngsi-ld/v1/temporal/entities", json=document, headers={"Link": LINK}
    )
    assert answer.status_code == 201
    [found] = (await got(client, "/Datastreams?$expand=Observations"))["value"]
    assert found["name"] == "well 1"
    assert found["phenomenonTime"] == "2026-06-01T00:00:00Z/2026-06-02T00:00:00Z"
    assert [one["result"] for one in found["Observations"]] == [3.1, 3.2]


async def test_its_layers_are_on_the_map_and_lead_to_their_objects(
    client: httpx.AsyncClient,
) -> None:
    await made(client, "/Things", thing("gauge", stream("level", [1.0])))
    layers = (await client.get("http://node.test/map/layers")).json()["layers"]
    ours = {one["id"]: one for one in layers if one["id"].startswith("monitoring-")}
    assert set(ours) == {"monitoring-alarms", "monitoring-measurements", "monitoring-devices"}
    for name, count in (("monitoring-measurements", 1), ("monitoring-devices", 1)):
        features = (await client.get(f"http://node.test{_path(ours[name]['items'])}")).json()
        assert len(features["features"]) == count
    alarm = {
        "id": "urn:ngsi-ld:Alert:node:1",
        "type": "Alert",
        "alertState": "active",
        "severity": "high",
        "refDetectionRule": {"type": "Relationship", "object": "urn:ngsi-ld:DetectionRule:node:r"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [120, 31]}},
    }
    written = await client.post(
        "http://node.test/ngsi-ld/v1/entities", json=alarm, headers={"Link": LINK}
    )
    assert written.status_code == 201
    place = ours["monitoring-alarms"]["tiles"].format(z=0, x=0, y=0)
    tile = await client.get(f"http://node.test{_path(place)}")
    assert tile.status_code == 200
    assert b"high" in tile.content


def _path(url: str) -> str:
    return url.removeprefix("http://node.test")
