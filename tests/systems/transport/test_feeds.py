"""Live sources at a node: what they send comes in once, whatever they do; and recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from conurb.errors import ConfigError
from conurb.systems.contract import EVERYWHERE, NODE, OWN, REGION
from conurb.systems.transport.gtfs.realtime import write_message
from conurb.systems.transport.live import Batch, Notice, Position
from conurb.systems.transport.objects import is_marked, value_of
from conurb.systems.transport.reading import Reader
from conurb.systems.transport.regional import roads_of
from conurb.systems.transport.system import SYSTEM
from tests.systems.places import Running, open_host, running
from tests.systems.transport.material import DATA, NOON_US, needs_data

WAIT_S = 0.02
WAITS_MAX = 3_000


async def until(done: Callable[[], bool]) -> None:
    """Wait until something holds: longer than elsewhere, thousands of objects are brought in."""
    for _ in range(WAITS_MAX):
        if done():
            return
        await asyncio.sleep(WAIT_S)
    raise TimeoutError


def stands(system: Running, name: str, **least: int) -> bool:
    """Whether a part is there and has come so far."""
    found = [one for one in system.runner.running[0].standings if one.name == name]
    return any(all(getattr(one, key) >= low for key, low in least.items()) for one in found)


def is_ready(system: Running) -> bool:
    """Whether what runs before everything else is over."""
    found = system.runner.running[0].standings
    return any(one.name == "prepare" and one.state == "ended" for one in found)


async def test_a_source_may_send_garbage_twice_and_late_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    feeds = [{"kind": "gtfs-rt", "name": "bus", "folder": str(inbox)}]
    first = Batch(
        positions=(Position("v", NOON_US, 121.0, 31.0), Position("w", NOON_US, 121.0, 31.0))
    )
    second = Batch(positions=(Position("v", NOON_US + 9_000_000, 121.1, 31.0),))
    bodies = {
        "1.pb": write_message(first, at_us=NOON_US),
        "2.pb": write_message(first, at_us=NOON_US),
        "3.pb": b"garbage",
        "4.pb": write_message(second, at_us=NOON_US + 9_000_000),
        "5.pb": write_message(first, at_us=NOON_US),
    }
    for name, body in bodies.items():
        (inbox / name).write_bytes(body)
    async with open_host(tmp_path) as host:
        node = await host.node("wuxi", create=True)
        options = {"transport": {"feeds": feeds}}
        async with running(node, tmp_path, SYSTEM, options=options) as system:
            await until(lambda: stands(system, "gtfs-rt-bus", read=5))
            assert system.part("gtfs-rt-bus").dead == 1
            vehicles = await Reader(system.site, OWN).listed(("Vehicle",))
            assert len(vehicles) == 2
            [moved] = [one for one in vehicles if one.id.endswith(":v")]
            assert value_of(moved, "location")["coordinates"] == [121.1, 31.0]
            location = "https://uri.etsi.org/ngsi-ld/location"
            history = await node.store.history(moved.id, [location])
            seen = [one.at_us for one in history if one.superseded_us is None]
            assert sorted(set(seen)) == [NOON_US, NOON_US + 9_000_000]
        async with running(node, tmp_path, SYSTEM, options=options) as again:
            (inbox / "6.pb").write_bytes(bodies["4.pb"])
            await until(lambda: stands(again, "gtfs-rt-bus", read=1))
            assert len(await Reader(again.site, OWN).listed(("Vehicle",))) == 2


async def test_alerts_of_a_feed_by_itself_are_over_when_it_tells_them_no_more(
    tmp_path: Path,
) -> None:
    inboxes = [tmp_path / "vehicles", tmp_path / "alerts"]
    feeds = [{"kind": "gtfs-rt", "name": "bus", "folder": str(one)} for one in inboxes]
    for one in inboxes:
        one.mkdir()
    vehicles = write_message(Batch((Position("v", NOON_US, 121.0, 31.0),)), at_us=NOON_US)
    far_us = NOON_US + 300 * 86_400_000_000
    alerts = [Notice("works", NOON_US, to_us=far_us), Notice("ice", NOON_US, to_us=far_us)]
    async with open_host(tmp_path) as host:
        node = await host.node("wuxi", create=True)
        async with running(
            node, tmp_path, SYSTEM, options={"transport": {"feeds": feeds}}
        ) as system:

            async def told() -> set[str]:
                found = await Reader(system.site, OWN).listed(("Alert",))
                return {one.id.rpartition(":")[2] for one in found}

            (inboxes[1] / "1.pb").write_bytes(
                write_message(Batch(notices=(*alerts,)), at_us=NOON_US)
            )
            await until(lambda: stands(system, "gtfs-rt-bus-2", read=1))
            (inboxes[0] / "1.pb").write_bytes(vehicles)
            await until(lambda: stands(system, "gtfs-rt-bus", read=1))
            assert len(await told()) == 2
            left = write_message(Batch(notices=(alerts[0],)), at_us=NOON_US + 1_000_000)
            (inboxes[1] / "2.pb").write_bytes(left)
            await until(lambda: stands(system, "gtfs-rt-bus-2", read=2))
            assert [one for one in await told() if "ice" in one] == []
            assert len(await told()) == 1


@pytest.mark.parametrize(
    ("feed", "named"),
    [
        ({"kind": "fax"}, "'fax'"),
        ({"kind": "siri"}, "url, folder or mqtt"),
        ({"kind": "siri", "evry_s": 5}, "'evry_s'"),
        ({"kind": "points", "mqtt": "broker.example.org"}, "mqtt://HOST"),
        ({"kind": "points", "mqtt": "mqtt://h", "topics": []}, "no topics"),
    ],
)
async def test_a_source_without_a_kind_or_a_place_is_refused_at_the_start(
    tmp_path: Path, feed: dict[str, object], named: str
) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node("wuxi", create=True)
        with pytest.raises(ConfigError, match=named):
            async with running(node, tmp_path, SYSTEM, options={"transport": {"feeds": [feed]}}):
                pass


async def test_the_state_of_car_parks_comes_in_by_file(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    told = {"kind": "parking", "id": "p", "lon": 121.5, "lat": 31.2, "free": 7, "total": 90}
    (inbox / "a.json").write_bytes(orjson.dumps({**told, "at": "2026-06-01T12:00:00+08:00"}))
    options = {"transport": {"feeds": [{"kind": "points", "name": "p", "folder": str(inbox)}]}}
    async with open_host(tmp_path) as host:
        node = await host.node("wuxi", create=True)
        async with running(node, tmp_path, SYSTEM, options=options, check_types=True) as system:
            await until(lambda: stands(system, "points-p", stored=1))
            [park] = await Reader(system.site, OWN).listed(("OffStreetParking",))
    assert value_of(park, "availableSpotNumber") == 7
    assert not is_marked(park, "availableSpotNumber", "simulated")


async def test_two_files_of_gbfs_are_one_station(tmp_path: Path) -> None:
    where = {"station_id": "s", "lat": 31.2, "lon": 121.5, "name": "站"}
    state = {"station_id": "s", "num_bikes_available": 3, "num_docks_available": 5}
    feeds = []
    for name, station in (("information", where), ("status", state)):
        (tmp_path / name).mkdir()
        document = {"last_updated": NOON_US // 1_000_000, "data": {"stations": [station]}}
        (tmp_path / name / "a.json").write_bytes(orjson.dumps(document))
        feeds.append({"kind": "gbfs", "name": "bike", "folder": str(tmp_path / name)})
    options = {"transport": {"feeds": feeds}}
    async with open_host(tmp_path) as host:
        node = await host.node("wuxi", create=True)
        async with running(node, tmp_path, SYSTEM, options=options, check_types=True) as system:
            await until(lambda: stands(system, "gbfs-bike", read=1))
            await until(lambda: stands(system, "gbfs-bike-2", read=1))
            [station] = await Reader(system.site, OWN).listed(("BikeHireDockingStation",))
    assert (value_of(station, "name"), value_of(station, "availableBikeNumber")) == ("站", 3)


# ── recordings ────────────────────────────────────────────────────────────────────────────────


@needs_data
async def test_a_city_replays_its_recordings_and_everything_says_so(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node("shanghai", create=True)
        replayed = {"replay": True, "recordings": DATA}
        async with running(node, tmp_path, SYSTEM, places=NODE, **replayed) as system:
            await until(lambda: stands(system, "road-index", stored=43))
            await until(lambda: stands(system, "simulated-trains", stored=100))
            await until(lambda: stands(system, "simulated-points", stored=9))
            reader = Reader(system.site, OWN)
            flows = await reader.listed(("TrafficFlowObserved",))
            assert len(flows) >= 43
            assert all(is_marked(one, "trafficIndex", "replayed") for one in flows)
            assert all(is_marked(one, "name", "replayed") for one in flows)
            trains = await reader.listed(("Vehicle",))
            assert trains
            assert all(is_marked(one, "location", "simulated") for one in trains)
            parks = await reader.listed(("OffStreetParking", "TollStation"))
            assert all(is_marked(one, "location", "simulated") for one in parks)
            assert len(await reader.listed(("GtfsStop",))) == 346
            assert await reader.listed(("RoadSegment",))
            # Their places are estimated: no dead end is sought in them.
            assert await roads_of(reader) == []
            trip = value_of(trains[0], "hasTrip")
            assert await reader.many(("GtfsTrip",), [trip])
        end = await node.store.journal_end()
        async with running(node, tmp_path, SYSTEM, places=NODE) as quiet:
            # Without --replay nothing runs, and nothing is brought in again.
            await until(lambda: is_ready(quiet))
            assert await node.store.journal_end() == end


@needs_data
async def test_the_region_has_the_trains_between_its_cities(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node(None)
        replayed = {"replay": True, "recordings": DATA}
        async with running(node, tmp_path, SYSTEM, places=REGION, **replayed) as system:
            await until(lambda: is_ready(system))
            assert len(await Reader(system.site, OWN).listed(("GtfsTrip",))) == 1783
            end = await node.store.journal_end()
        async with running(node, tmp_path, SYSTEM, places=EVERYWHERE, **replayed) as again:
            await until(lambda: is_ready(again))
        assert await node.store.journal_end() == end
