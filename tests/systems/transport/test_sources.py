"""The Delta's sources: metro, trains, Shanghai's indices, car parks; and what is made up."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import orjson
import pytest

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.regions.pack import read_pack
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.gtfs.tables import Frequency, Route, Stop, StopTime, Trip
from conurb.systems.transport.importing import metro_bundles, rail_bundle
from conurb.systems.transport.live_objects import state_of
from conurb.systems.transport.measure import distance_m
from conurb.systems.transport.objects import Maker, is_marked, text_of, value_of
from conurb.systems.transport.sources import metro, shanghai, simulated
from conurb.systems.transport.sources.gbfs import US, read_stations
from conurb.systems.transport.sources.points import read_points
from tests.systems.transport.material import (
    INDICES,
    LINES,
    NOON_US,
    STATIONS,
    TRAINS,
    needs_data,
)

DAYS = (date(2026, 1, 1), date(2026, 12, 31))
MAKER = Maker("shanghai", "a test", "f")


@pytest.fixture(scope="module")
def networks() -> dict[str, metro.Network]:
    return {one.adcode: one for one in metro.read_networks(LINES, STATIONS)}


@needs_data
def test_ten_cities_have_their_metro(networks: dict[str, metro.Network]) -> None:
    assert len(networks) == 10
    assert sum(len(one.stations) for one in networks.values()) == 1102
    assert sum(len(one.lines) for one in networks.values()) == 57
    calls = sum(len(line.stations) for one in networks.values() for line in one.lines)
    # Interchanges are in the file once, with one of their lines; every line calls there.
    assert calls > 1102
    for network in networks.values():
        for line in network.lines:
            assert len(line.stations) > 1, line.name


@needs_data
def test_a_line_that_runs_on_into_the_next_city_calls_there(
    networks: dict[str, metro.Network],
) -> None:
    shanghai = networks["310000"]
    abroad = [one.zh for one in shanghai.stations if one.id.startswith("320500")]
    assert abroad == ["兆丰路", "光明路", "花桥"]
    [line] = [
        one
        for one in shanghai.lines
        if one.stations[0].zh == "花桥" or one.stations[-1].zh == "花桥"
    ]
    assert line.name == "地铁11号线"
    assert not any(one.zh == "花桥" for one in networks["320500"].stations)


@needs_data
def test_the_ring_closes_and_no_other_line_does(networks: dict[str, metro.Network]) -> None:
    rings = [
        (city, line.name)
        for city, one in networks.items()
        for line in one.lines
        if line.stations[0] is line.stations[-1]
    ]
    assert rings == [("310000", "地铁4号线")]


@needs_data
def test_branches_of_a_line_are_one_route_and_what_is_supposed_says_so(
    networks: dict[str, metro.Network],
) -> None:
    rows = metro.timetable(networks["310000"], metro.Assumptions(*DAYS))
    routes = list(rows.rows(Route))
    assert len(routes) == 17
    assert len(list(rows.rows(Trip))) == 40
    assert {one.headway_secs for one in rows.rows(Frequency)} == {metro.HEADWAY_S}
    objects = list(objects_of(rows, MAKER, assumed=metro.ASSUMED))
    assert rows.problems.count == 0
    calls = [one for one in objects if one.types[0].endswith("GtfsStopTime")]
    assert all(is_marked(one, "arrivalTime", "simulated") for one in calls)
    assert not any(is_marked(one, "stopSequence", "simulated") for one in calls)


@needs_data
def test_each_city_gets_its_own_metro_with_names_in_both_languages() -> None:
    pack = read_pack("yrd")
    bundles = {one.tenant: list(one.objects) for one in metro_bundles(LINES, STATIONS, pack, DAYS)}
    assert len(bundles) == 10
    assert {"shanghai", "nanjing", "hangzhou", "hefei", "wenzhou"} <= set(bundles)
    stops = [one for one in bundles["shanghai"] if one.types[0].endswith("GtfsStop")]
    found = {text_of(one, "name"): text_of(one, "name", language="en") for one in stops}
    assert found["人民广场"]
    assert len(stops) == 346
    assert stops[0].id.startswith("urn:ngsi-ld:GtfsStop:shanghai:metro:")


@needs_data
def test_trains_of_the_region_call_at_its_cities_in_order() -> None:
    from conurb.systems.transport.sources import rail

    pack = read_pack("yrd")
    places = {
        one.name["zh"].removesuffix("市"): rail.Place(one.id, "x", "x", *one.centre)
        for one in pack.cities
    }
    rows = rail.read_timetable(TRAINS, places, start=DAYS[0], end=DAYS[1])
    assert len(list(rows.rows(Trip))) == 1783
    assert len(list(rows.rows(Stop))) == 24
    calls: dict[str, list[StopTime]] = {}
    for call in rows.rows(StopTime):
        calls.setdefault(call.trip_id, []).append(call)
    assert sum(map(len, calls.values())) == 7385
    for trip, members in calls.items():
        times = [t for one in members for t in (one.arrival_time, one.departure_time)]
        assert times == sorted(times), trip  # type: ignore[type-var]
        assert 0 <= members[0].departure_time < 86_400  # type: ignore[operator]
    bundle = rail_bundle(TRAINS, pack, "yrd", DAYS)
    assert bundle.tenant is None
    assert len(list(bundle.objects)) == 1783 + 7385 + 24 + 7 + 1 + 1 + 1


@needs_data
def test_the_recorded_indices_are_read_to_the_last_row() -> None:
    sections = shanghai.read_sections(INDICES / shanghai.SECTIONS)
    assert len(sections) == 42
    assert all(len(one.path) > 1 for one in sections.values())
    steps = shanghai.read_steps(INDICES)
    assert [one.recorded_us for one in steps] == sorted(one.recorded_us for one in steps)
    flows = [
        flow
        for step in steps
        for flow in shanghai.read_flows(step.file, step.body, sections, at_us=NOON_US)
    ]
    texts = [(INDICES / name).read_text() for name in (shanghai.ELEVATED, shanghai.SURFACE)]
    assert len(flows) == sum(len(text.splitlines()) - 1 for text in texts) == 2_000
    assert all(one.at_us == NOON_US and "recorded 2014-08" in one.note for one in flows)
    assert {state_of(one.index) for one in flows if one.index is not None} == {
        "smooth", "slow", "crowded", "blocked",
    }  # fmt: skip


@needs_data
def test_a_section_of_a_ring_runs_the_short_way_between_its_junctions() -> None:
    sections = shanghai.read_sections(INDICES / shanghai.SECTIONS)
    east = next(one for one in sections.values() if "内侧(共和新路立交-杨浦大桥" in one.title)
    length = sum(distance_m(*a, *b) for a, b in zip(east.path, east.path[1:], strict=False))
    assert length < 12_000
    assert east.path[0] == (121.457, 31.265)
    assert east.path[-1] == (121.540, 31.260)


def test_rows_that_are_no_index_are_refused_and_an_index_out_of_bounds_left_out() -> None:
    good = b'"X","2014-08-08 10:40:00","59.10","1.00","33.50"\n'
    bad = good.replace(b"59.10", b"159.10")
    flows = shanghai.read_flows(shanghai.ELEVATED, good + bad, {}, at_us=NOON_US)
    assert [one.index for one in flows] == [59.1]
    with pytest.raises(InvalidRequestError, match="traffic index"):
        shanghai.read_flows(shanghai.ELEVATED, b"a,b\n", {}, at_us=NOON_US)


PARK = {
    "kind": "parking",
    "id": "p 1",
    "lon": 121.5,
    "lat": 31.2,
    "at": "2026-06-01T12:00:00+08:00",
}


def test_a_car_park_and_a_toll_station_become_objects() -> None:
    toll = {**PARK, "kind": "toll", "lanes": 6, "queue_m": 120.5, "status": "open"}
    parking, station = read_points(orjson.dumps([{**PARK, "total": 200, "free": 12}, toll]), MAKER)
    assert parking.types[0].endswith("OffStreetParking")
    assert value_of(parking, "availableSpotNumber") == 12
    assert parking.id == "urn:ngsi-ld:OffStreetParking:shanghai:f:p%201"
    assert value_of(station, "queueLength") == 120.5
    assert value_of(station, "dateObserved") == "2026-06-01T04:00:00Z"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lat": 100}, "lat"),
        ({"free": -1}, "free"),
        ({"free": "12"}, "free"),
        ({"free": True}, "free"),
        ({"kind": "garage"}, "kind"),
        ({"at": "noon"}, "at"),
    ],
)
def test_a_state_that_can_not_be_names_its_member(change: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequestDataError, match=named):
        read_points(orjson.dumps({**PARK, **change}), MAKER)


def test_a_state_without_what_it_needs_is_refused() -> None:
    for name in ("kind", "id", "lon", "lat", "at"):
        with pytest.raises(BadRequestDataError, match=name):
            read_points(orjson.dumps({k: v for k, v in PARK.items() if k != name}), MAKER)
    with pytest.raises(InvalidRequestError):
        read_points(b"{", MAKER)


@needs_data
def gbfs(version: str, updated: object, *stations: dict[str, object]) -> bytes:
    head = {"last_updated": updated, "ttl": 60, "version": version}
    return orjson.dumps({**head, "data": {"stations": stations}})


def test_docking_stations_are_read_in_the_forms_of_all_versions() -> None:
    where = {"station_id": "s1", "lat": 31.2, "lon": 121.5, "capacity": 20}
    named = [{"language": "zh", "text": "人民广场"}, {"language": "en", "text": "People's Square"}]
    [old] = read_stations(gbfs("2.3", 0, {**where, "name": "人民广场"}), MAKER, at_us=0)
    [new] = read_stations(gbfs("3.0", 0, {**where, "name": named}), MAKER, at_us=0)
    assert old.id == new.id == "urn:ngsi-ld:BikeHireDockingStation:shanghai:f:s1"
    assert value_of(old, "name") == "人民广场"
    assert value_of(new, "name") == {"zh": "人民广场", "en": "People's Square"}
    assert value_of(new, "totalSlotNumber") == 20
    state = {"station_id": "s1", "num_docks_available": 8, "is_installed": 1, "is_renting": 1}
    first = {**state, "num_bikes_available": 0, "is_returning": 0, "last_reported": NOON_US // US}
    third = {**state, "num_vehicles_available": 12, "last_reported": "2026-06-01T12:00:00+08:00"}
    for told, bicycles, word in ((first, 0, "empty"), (third, 12, "working")):
        [one] = read_stations(gbfs("3.0", "2026-06-01T00:00:00Z", told), MAKER, at_us=0)
        assert (value_of(one, "availableBikeNumber"), value_of(one, "status")) == (bicycles, word)
        assert value_of(one, "dateObserved") == "2026-06-01T04:00:00Z"
    [away] = read_stations(gbfs("2.3", 0, {**first, "is_installed": False}), MAKER, at_us=0)
    assert value_of(away, "status") == "outOfService"


@pytest.mark.parametrize(
    ("station", "named"),
    [
        ({"lat": 31, "lon": 121}, "station_id"),
        ({"station_id": "a", "lat": 100, "lon": 121}, "lat"),
        ({"station_id": "a", "num_bikes_available": -1}, "num_bikes_available"),
        ({"station_id": "a", "last_reported": True}, "POSIX"),
    ],
)
def test_a_station_that_can_not_be_names_its_member(station: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequestDataError, match=named):
        read_stations(gbfs("2.3", 0, station), MAKER, at_us=0)


def test_another_file_of_gbfs_is_refused_saying_which_are_read() -> None:
    with pytest.raises(InvalidRequestError, match="station_status"):
        read_stations(b'{"data": {"feeds": []}}', MAKER, at_us=0)


def test_made_up_trains_run_on_their_lines_and_arrive(networks: dict[str, metro.Network]) -> None:
    tracks = simulated.tracks_of(networks["320400"])
    now = simulated.trains(tracks, NOON_US).positions
    later = simulated.trains(tracks, NOON_US + 30_000_000).positions
    assert now == simulated.trains(tracks, NOON_US).positions
    assert len({one.vehicle for one in now}) == len(now) > 10
    moved = {one.vehicle: one for one in later}
    for train in now:
        other = moved.get(train.vehicle)
        if other is not None:
            metres = distance_m(train.lon, train.lat, other.lon, other.lat)
            # 35 km/h for 30 s is 292 m; a corner between two stations makes it less.
            assert metres <= 293
        near = min(
            distance_m(train.lon, train.lat, s.lon, s.lat) for t in tracks for s in t.stations
        )
        assert near < 3_000
        assert "(simulated)" in train.label


def test_made_up_car_parks_keep_within_their_spots_and_say_what_they_are() -> None:
    for seed in range(20):
        body = simulated.points(121.47, 31.23, NOON_US, Random(seed))
        told = orjson.loads(body)
        assert body == simulated.points(121.47, 31.23, NOON_US, Random(seed))
        assert len(read_points(body, MAKER)) == simulated.PARKS + simulated.TOLLS
        assert all("simulated" in one["name"] for one in told)
        assert all(0 <= one["free"] <= one["total"] for one in told if one["kind"] == "parking")


def test_files_that_are_not_metro_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "lines.geojson"
    wrong.write_text('{"features": [{"properties": {}}]}')
    with pytest.raises(InvalidRequestError, match=r"lines\.geojson"):
        metro.read_networks(wrong, wrong)
