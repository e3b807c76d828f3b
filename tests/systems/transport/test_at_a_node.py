"""Transport at nodes: a region of two cities, asked over HTTP."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from conurb.app import build_host
from conurb.config import Settings
from conurb.federation.region import registrations_of
from conurb.http.app import build_app
from conurb.model.entity import Entity
from conurb.node.host import Host
from conurb.regions.bringup import registration_of
from conurb.regions.objects import CENTRE, city_id
from conurb.systems.contract import OWN
from conurb.systems.runner import Runner
from conurb.systems.transport.deadends.roads import RoadLine
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.gtfs.reading import Feed
from conurb.systems.transport.gtfs.realtime import read_message
from conurb.systems.transport.gtfs.tables import Stop, Trip
from conurb.systems.transport.importing import road_objects
from conurb.systems.transport.live import Batch, Call, Flow, Notice, Position
from conurb.systems.transport.live_objects import entities_of
from conurb.systems.transport.measure import distance_m
from conurb.systems.transport.objects import Maker
from conurb.systems.transport.observing import Observe
from conurb.systems.transport.regional import network_at
from conurb.systems.transport.seeking import seek
from conurb.systems.transport.siri.reading import read
from tests.systems.places import entity
from tests.systems.transport.material import NOON_US, SIRI, needs_data, small_timetable

NOW_US = NOON_US
BUS = Maker("west", "a test", "bus")
STOP = BUS.urn("GtfsStop", "a")
WEST, EAST = city_id("west"), city_id("east")


def now() -> int:
    return NOW_US


def city(name: str, west: float, centre: tuple[float, float], people: int) -> Entity:
    east = west + 1
    ring = [[west, 30.5], [east, 30.5], [east, 31.5], [west, 31.5], [west, 30.5]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    point = {"type": "Point", "coordinates": list(centre)}
    return entity(
        {
            "id": city_id(name),
            "type": "City",
            "name": {"type": "LanguageProperty", "languageMap": {"en": name}},
            "population": people,
            "location": [
                {"type": "GeoProperty", "value": shape},
                {"type": "GeoProperty", "value": point, "datasetId": CENTRE},
            ],
        }
    )


LIVE = Batch(
    positions=(
        Position("v1", NOW_US, 121.02, 31.0, 90.0, 36.0, "t1", "R", "b", 2, "IN_TRANSIT_TO"),
        Position("silent", NOW_US - 3_600_000_000, 121.02, 31.0),
    ),
    calls=(Call("t1", "a", NOW_US, 1, "R", departure_us=NOW_US + 420_000_000),),
    notices=(Notice("n1", NOW_US, cause="ACCIDENT", effect="DETOUR", headline={"en": "Detour"}),),
)


@dataclass
class Region:
    """Two cities of one process, and the region they form."""

    host: Host
    http: httpx.AsyncClient

    async def get(self, path: str, tenant: str | None = None, **params: Any) -> httpx.Response:
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        return await self.http.get(path, params=params, headers=headers)

    async def json(self, path: str, tenant: str | None = None, **params: Any) -> Any:
        answer = await self.get(path, tenant, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[Region]:
    settings = Settings(
        store=str(tmp_path / "node.db"),
        data_folder=tmp_path,
        systems=("transport",),
        check_types=True,
    )
    host = build_host(settings, clock=now)
    await host.open()
    home = await host.node(None)
    for name, west, centre in (("west", 120.5, (121.0, 31.0)), ("east", 121.5, (122.0, 31.0))):
        node = await host.node(name, create=True)
        await node.store.apply_all([Observe(city(name, west, centre, 1_000_000))])
        await registrations_of(home).put(registration_of("r", name))
    west_node = await host.node("west")
    objects = [*objects_of(small_timetable(), BUS), *entities_of(LIVE, BUS)]
    await west_node.store.apply_all([Observe(one) for one in objects])
    transport = httpx.ASGITransport(app=build_app(host, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        yield Region(host, client)
    await host.close()


async def test_a_stop_shows_what_leaves_it_as_told(region: Region) -> None:
    for tenant in ("west", None):
        document = await region.json("/transport/departures", tenant, stop=STOP, minutes=30)
        found = {one["trip"]: one for one in reversed(document["departures"])}
        bus = found[BUS.urn("GtfsTrip", "t1")]
        assert (bus["line"], bus["headSign"], bus["delay"]) == ("1", "丙", 120)
        assert bus["planned"] == "2026-06-01T04:05:00Z"
        assert bus["expected"] == "2026-06-01T04:07:00Z"
        assert found[BUS.urn("GtfsTrip", "s1")]["status"] == "assumed"


async def test_nothing_leaves_a_terminus_and_what_is_no_stop_is_not_found(region: Region) -> None:
    last = BUS.urn("GtfsStop", "c 1")
    assert (await region.json("/transport/departures", "west", stop=last))["departures"] == []
    for stop in ("urn:ngsi-ld:GtfsStop:west:bus:nowhere", WEST):
        assert (await region.get("/transport/departures", "west", stop=stop)).status_code == 404


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("departures", {}),
        ("departures", {"stop": STOP, "minutes": "0"}),
        ("departures", {"stop": STOP, "from": "noon"}),
        ("departures", {"stop": STOP, "line": "1"}),
        ("matrix", {"by": "boat"}),
        ("matrix", {"day": "today"}),
        ("isochrone", {"lon": "121"}),
        ("isochrone", {"lon": "121", "lat": "nan"}),
        ("isochrone", {"lon": "121", "lat": "31", "minutes": "ten"}),
        ("siri/sm", {}),
    ],
)
async def test_a_wrong_question_is_refused(
    region: Region, path: str, params: dict[str, str]
) -> None:
    answer = await region.get(f"/transport/{path}", "west", **params)
    assert answer.status_code == 400, answer.text


async def test_the_region_s_network_crosses_the_border_and_a_city_s_does_not(
    region: Region,
) -> None:
    whole = await region.json("/transport/matrix")
    assert whole["cities"] == [EAST, WEST]
    assert whole["day"] == "2026-06-01"
    assert whole["seconds"][0][1] is not None
    assert whole["estimated"][0][1] is True
    assert (await region.json("/transport/matrix", by="transit"))["seconds"][0][1] is None
    assert (await region.json("/transport/matrix", "west"))["cities"] == [WEST]
    sunday = await region.json("/transport/matrix", day="2026-06-07")
    assert (sunday["trips"], whole["trips"]) == (0, 3)
    way = await region.json("/transport/way", **{"from": EAST, "to": BUS.urn("GtfsStop", "b")})
    assert [one["by"] for one in way["steps"]][:2] == ["start", "estimate"]
    aboard = [one["aboard"] for one in way["steps"] if "aboard" in one]
    assert set(aboard) == {BUS.urn("GtfsRoute", "S")}


async def test_an_answer_of_the_region_says_who_was_missing(region: Region) -> None:
    whole = await region.get("/transport/matrix")
    assert whole.headers["conurb-completeness"] == "3/3"
    assert whole.json()["missing"] == []
    home = await region.host.node(None)
    gone = replace(registration_of("r", "gone"), endpoint="http://127.0.0.1:9")
    await registrations_of(home).put(gone)
    (await runner_of(region.host)).running[0].site.memory.clear()
    for path in ("/transport/matrix", "/transport/state", "/transport/deadends"):
        part = await region.get(path)
        assert part.status_code == 200
        assert [one["node"] for one in part.json()["missing"]] == ["gone"], path
        assert part.headers["conurb-completeness"] == "3/4"
    alone = await region.get("/transport/state", "west")
    assert alone.json()["missing"] == []


async def test_an_isochrone_is_geojson(region: Region) -> None:
    answer = await region.get("/transport/isochrone", lon=121.0, lat=31.0, minutes="10,30")
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert [one["properties"]["minutes"] for one in features] == [30, 10]
    assert features[0]["properties"]["stops"] == 2


async def test_the_timetable_goes_out_as_it_came_in(region: Region) -> None:
    answer = await region.get("/transport/gtfs.zip", "west", feed="bus")
    assert answer.headers["content-type"] == "application/zip"
    feed = Feed(io.BytesIO(answer.content))
    meant = small_timetable()
    assert {one.stop_id for one in feed.rows(Stop)} == {"a", "b", "c 1"}
    assert sorted(map(str, feed.rows(Trip))) == sorted(map(str, meant.rows(Trip)))
    assert feed.problems.count == 0
    whole = Feed(io.BytesIO((await region.get("/transport/gtfs.zip")).content))
    assert {one.stop_id for one in whole.rows(Stop)} == {
        "west:bus:a",
        "west:bus:b",
        "west:bus:c 1",
    }
    assert (await region.get("/transport/gtfs.zip", "east")).status_code == 404


async def test_live_feeds_tell_what_is_fresh_with_the_timetable_s_ids(region: Region) -> None:
    answer = await region.get("/transport/gtfs-rt/all.pb", "west", feed="bus")
    batch = read_message(answer.content, at_us=0)
    assert [one.vehicle for one in batch.positions] == ["v1"]
    assert [(one.trip, one.stop) for one in batch.calls] == [("t1", "a")]
    assert [one.cause for one in batch.notices] == ["ACCIDENT"]
    assert (await region.get("/transport/gtfs-rt/fares", "west")).status_code == 404
    only = await region.get("/transport/gtfs-rt/alerts", "west")
    assert read_message(only.content, at_us=0).positions == ()


@needs_data
async def test_siri_is_answered_and_every_answer_is_valid(region: Region) -> None:
    schema = etree.XMLSchema(etree.parse(SIRI / "xsd" / "siri.xsd"))
    bodies = {}
    for service in ("sm", "vm", "et", "sx"):
        answer = await region.get(f"/transport/siri/{service}", "west", stop=STOP, feed="bus")
        assert answer.headers["content-type"].startswith("application/xml")
        schema.assertValid(etree.fromstring(answer.content))
        bodies[service] = read(answer.content, at_us=0).batch
    assert bodies["vm"].positions == LIVE.positions[:1]
    assert BUS.urn("GtfsTrip", "t1") in {one.trip for one in bodies["sm"].calls}
    assert len(bodies["sx"].notices) == 1
    for example in sorted((SIRI / "examples").rglob("*equest*.xml")):
        answer = await region.http.post("/transport/siri", content=example.read_bytes())
        assert answer.status_code == 200, example.name
        schema.assertValid(etree.fromstring(answer.content))


async def test_a_siri_request_is_answered_for_the_stop_it_names(region: Region) -> None:
    body = (
        '<Siri xmlns="http://www.siri.org.uk/siri" version="2.0"><ServiceRequest>'
        "<RequestTimestamp>2026-06-01T04:00:00Z</RequestTimestamp><RequestorRef>x</RequestorRef>"
        '<StopMonitoringRequest version="2.0"><RequestTimestamp>2026-06-01T04:00:00Z'
        f"</RequestTimestamp><MonitoringRef>{STOP}</MonitoringRef></StopMonitoringRequest>"
        "</ServiceRequest></Siri>"
    )
    answer = await region.http.post("/transport/siri", content=body.encode())
    assert BUS.urn("GtfsTrip", "t1") in {
        one.trip for one in read(answer.content, at_us=0).batch.calls
    }
    assert (await region.http.post("/transport/siri", content=b"no")).status_code == 400


async def test_the_state_of_everything_is_one_page(region: Region) -> None:
    document = await region.json("/transport/state", "west")
    assert document["vehicles"] == {"count": 2, "replayed": 0, "simulated": 0}
    assert document["disruptions"] == 1


async def test_a_road_takes_as_long_as_traffic_on_it_does(region: Region) -> None:
    node = await region.host.node("west")
    road = RoadLine("motorway", ((121.0, 31.0), (121.5, 31.0), (122.0, 31.0)), name="高速")
    maker = Maker("west", "a test", "roads")
    await node.store.apply_all([Observe(one) for one in road_objects([road], maker)])
    runner = await runner_of(region.host)
    asked = {"from": WEST, "to": EAST, "by": "car"}
    seconds = []
    for at, speed_kmh in enumerate((None, 120.0, 60.0)):
        if speed_kmh is not None:
            flow = Flow("loop", NOW_US + at, speed_kmh=speed_kmh, road="motorway")
            told = entities_of(Batch(flows=(flow,)), maker)
            await node.store.apply_all([Observe(one) for one in told])
        runner.running[0].site.memory.clear()
        way = await region.json("/transport/way", **asked)
        seconds.append([one["seconds"] for one in way["steps"]][-1])
    length = distance_m(121.0, 31.0, 121.5, 31.0) + distance_m(121.5, 31.0, 122.0, 31.0)
    beeline = distance_m(121.0, 31.0, 122.0, 31.0)
    # Where nothing is known of it, the road that neighbours are supposed to have is as good; else
    # five minutes into and out of each centre, and the road at its speed.
    supposed = round(300 + beeline * 1.3 / (70 / 3.6))
    assert seconds == [supposed, *(round(600 + length / (kmh / 3.6)) for kmh in (120.0, 60.0))]


async def runner_of(host: Host) -> Runner:
    home = await host.node(None)
    return next(one for one in home.companions if isinstance(one, Runner))


async def test_who_asks_while_a_network_is_built_anew_is_answered_by_the_last_one(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = (await runner_of(region.host)).running[0].site
    first = await network_at(site, OWN)
    assert await network_at(site, OWN) is first
    monkeypatch.setattr("conurb.systems.transport.regional.LIFE_S", -1.0)
    assert await network_at(site, OWN) is first
    [built] = site.memory["networks"].values()
    assert await network_at(site, OWN) is first
    assert [*site.memory["networks"].values()] == [built], "one is built for both"
    monkeypatch.undo()
    second = await built
    assert second is not first
    assert await network_at(site, OWN) is second
    assert site.memory["networks-before"] == {}


LEFT = RoadLine("l", ((121.4, 31.0), (121.495, 31.0)), name="快速路", road_class="trunk")
RIGHT = RoadLine("r", ((121.505, 31.0), (121.6, 31.0)), name="快速路", road_class="trunk")


async def test_dead_ends_are_found_in_the_region_s_roads_and_go_when_they_are_joined(
    region: Region,
) -> None:
    for name, road in (("west", LEFT), ("east", RIGHT)):
        node = await region.host.node(name)
        maker = Maker(name, "a test", "roads")
        await node.store.apply_all([Observe(one) for one in road_objects([road], maker)])
    home = await region.host.node(None)
    site = (await runner_of(region.host)).running[0].site
    await home.store.apply_all(list(await seek(site)))
    found = await region.json("/transport/deadends")
    assert found["count"] == 1
    [gap] = found["gaps"]
    assert sorted(gap["connects"]) == [EAST, WEST]
    assert gap["name"] == "快速路: west | east" or gap["name"] == "快速路: east | west"
    assert gap["peopleServed"] > 0
    assert "no way round" in gap["note"]
    assert all(
        outcome.kind is None for outcome in await home.store.apply_all(list(await seek(site)))
    )
    joined = RoadLine("m", ((121.495, 31.0), (121.505, 31.0)))
    west = await region.host.node("west")
    roads = road_objects([joined], Maker("west", "a test", "roads"))
    await west.store.apply_all([Observe(one) for one in roads])
    await home.store.apply_all(list(await seek(site)))
    assert (await region.json("/transport/deadends"))["gaps"] == []
