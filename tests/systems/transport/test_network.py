"""The graph: what it costs by hand, against networkx, and on the Delta's real timetables."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from random import Random

import networkx as nx
import numpy as np
import pytest
import shapely

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.regions.pack import read_pack
from conurb.systems.transport.gtfs.tables import Frequency, Stop, StopTime, Trip
from conurb.systems.transport.measure import distance_m
from conurb.systems.transport.network.building import (
    BOARD_S,
    PLANNED_WAIT_S,
    CityPlace,
    RoadPiece,
    Service,
    add_cities,
    add_roads,
    add_service,
    add_walks,
    neighbours,
    patterns_of,
    walk_s,
)
from conurb.systems.transport.network.graph import MODES, Builder, Network
from conurb.systems.transport.network.reach import isochrone, matrix, path, travel_times
from conurb.systems.transport.sources import metro, rail
from tests.systems.transport.material import (
    LINES,
    STATIONS,
    TRAINS,
    calls,
    needs_data,
    small_timetable,
)
from tests.systems.transport.test_sources import DAYS


def service() -> Service:
    rows = small_timetable()
    return Service(
        list(rows.rows(Stop)),
        list(rows.rows(Trip)),
        list(rows.rows(StopTime)),
        list(rows.rows(Frequency)),
    )


def network(*services: Service) -> Network:
    builder = Builder()
    for one in services or (service(),):
        add_service(builder, one)
    add_walks(builder)
    return builder.network()


def test_trips_that_do_the_same_are_one_pattern_with_its_wait() -> None:
    bus, shuttle = sorted(patterns_of(service()), key=lambda one: -len(one.stops))
    assert bus.stops == ("a", "b", "c 1")
    assert bus.rides_s == (600.0, 600.0)
    # Two trips an hour apart: half an hour, but nobody waits longer than planned.
    assert bus.wait_s == PLANNED_WAIT_S
    assert shuttle.wait_s == 300.0


def test_calls_without_times_are_spaced_between_those_that_have_one() -> None:
    rows = calls("t", 0, ("a", "b", "c", "d"))
    bare = [replace(one, arrival_time=None, departure_time=None) for one in rows[1:3]]
    made = Service([], [Trip(route_id="R", service_id="W", trip_id="t")], [rows[0], *bare, rows[3]])
    assert patterns_of(made)[0].rides_s == (600.0, 600.0, 600.0)
    cut = Service([], made.trips, [rows[0], *bare])
    assert patterns_of(cut) == []


def test_a_way_costs_its_wait_its_ride_and_a_change_another_wait() -> None:
    found = network()
    ways = {(one, other): path(found, one, other) for one in ("a", "b") for other in ("b", "c 1")}
    # By shuttle: 300 s wait; by bus 900 s.
    assert ways["a", "b"][-1][2] == 300 + BOARD_S + 600 + BOARD_S
    assert ways["a", "c 1"][-1][2] == 900 + BOARD_S + 1200 + BOARD_S
    assert [mode for _, mode, _ in ways["a", "c 1"]] == ["start", "board", "ride", "ride", "board"]
    assert path(found, "c 1", "a") == []
    with pytest.raises(NotFoundError, match="nowhere"):
        path(found, "nowhere", "a")


def test_neighbouring_stops_are_a_walk_apart() -> None:
    near = Stop(stop_id="near", stop_lat=31.0, stop_lon=121.1 + 300 / 95_000)
    found = network(replace(service(), stops=[*service().stops, near]))
    metres = distance_m(121.1, 31.0, 121.1 + 300 / 95_000, 31.0)
    [_, (_, mode, seconds)] = path(found, "b", "near")
    assert mode == "walk"
    # The plane about the stops' middle latitude is right to a per mille here.
    assert seconds == pytest.approx(walk_s(metres), rel=2e-3)


def test_the_fastest_of_several_edges_counts_and_keeps_its_mode() -> None:
    builder = Builder()
    a, b = (builder.node(name, "stop", 0.0, 0.0) for name in "ab")
    for cost, mode in ((50, "walk"), (20, "ride"), (90, "road")):
        builder.edge(a, b, cost, mode)  # type: ignore[arg-type]
    made = builder.network()
    assert made.matrix[a, b] == 20
    assert made.mode_of(a, b) == "ride"
    assert made.only("car").matrix.nnz == 0
    assert made.only("transit").matrix.nnz == 1


@pytest.mark.parametrize("seed", range(5))
def test_travel_times_are_those_of_networkx(seed: int) -> None:
    random = Random(seed)
    builder, other = Builder(), nx.DiGraph()
    nodes = [builder.node(str(n), "stop", random.random(), random.random()) for n in range(60)]
    for _ in range(240):
        a, b, cost = random.choice(nodes), random.choice(nodes), random.uniform(1, 100)
        if a != b:
            builder.edge(a, b, cost, random.choice(MODES))
            if not other.has_edge(a, b) or other[a][b]["weight"] > cost:
                other.add_edge(a, b, weight=cost)
    other.add_nodes_from(nodes)
    times = travel_times(builder.network(), nodes)
    for a in nodes:
        reached = nx.single_source_dijkstra_path_length(other, a)
        for b in nodes:
            assert times[a, b] == pytest.approx(reached.get(b, math.inf))


def test_a_road_takes_the_time_of_its_speed_and_one_way_only_if_it_is_one() -> None:
    builder = Builder()
    line = ((121.0, 31.0), (121.05, 31.0), (121.1, 31.0))
    add_roads(
        builder, [RoadPiece("r", line, 60.0), RoadPiece("o", (line[-1], (121.2, 31.0)), 60.0, True)]
    )
    found = builder.network()
    length = distance_m(121.0, 31.0, 121.1, 31.0)
    ends = [f"road@{lon},31.0" for lon in (121.0, 121.1, 121.2)]
    assert path(found, ends[0], ends[1])[-1][2] == pytest.approx(length / (60 / 3.6), rel=1e-6)
    assert path(found, ends[0], ends[2])
    assert path(found, ends[2], ends[0]) == []


@pytest.fixture(scope="module")
def delta() -> tuple[Network, list[str]]:
    pack = read_pack("yrd")
    builder = Builder()
    places = {
        one.name["zh"].removesuffix("市"): rail.Place(one.id, "", "", *one.centre)
        for one in pack.cities
    }
    tables = [("rail", rail.read_timetable(TRAINS, places, start=DAYS[0], end=DAYS[1]))]
    tables += [
        (one.adcode, metro.timetable(one, metro.Assumptions(*DAYS)))
        for one in metro.read_networks(LINES, STATIONS)
    ]
    for name, rows in tables:
        add_service(
            builder,
            Service(
                [replace(one, stop_id=f"{name}:{one.stop_id}") for one in rows.rows(Stop)],
                [replace(one, trip_id=f"{name}:{one.trip_id}") for one in rows.rows(Trip)],
                [
                    replace(one, trip_id=f"{name}:{one.trip_id}", stop_id=f"{name}:{one.stop_id}")
                    for one in rows.rows(StopTime)
                ],
                [replace(one, trip_id=f"{name}:{one.trip_id}") for one in rows.rows(Frequency)],
            ),
        )
    add_walks(builder)
    add_cities(builder, [CityPlace(one.id, *one.centre, one.boundary) for one in pack.cities])
    return builder.network(), [one.id for one in pack.cities]


@needs_data
def test_every_city_reaches_every_other_and_says_where_a_road_is_supposed(
    delta: tuple[Network, list[str]],
) -> None:
    found, cities = delta
    answer = matrix(found, cities)
    assert np.isfinite(answer.seconds).all()
    assert (np.diag(answer.seconds) == 0).all()
    at = {city: number for number, city in enumerate(cities)}
    hours = answer.seconds / 3600
    # High-speed trains take 1 h to 1 h 40 between these, to which waiting and access come.
    assert 1.0 < hours[at["shanghai"], at["nanjing"]] < 2.0
    assert 0.8 < hours[at["shanghai"], at["hangzhou"]] < 1.8
    assert not answer.estimated[at["shanghai"], at["nanjing"]]
    assert answer.estimated[at["shanghai"], at["zhoushan"]]
    # By train alone the cities without one in the source aren't reached.
    transit = matrix(found, cities, by="transit").seconds
    assert np.isinf(transit[at["shanghai"], at["zhoushan"]])
    assert not np.isinf(transit[at["shanghai"], at["hefei"]])
    # What one may travel by more can't take longer.
    assert (answer.seconds <= transit + 1e-6).all()
    assert (answer.seconds <= matrix(found, cities, by="car").seconds + 1e-6).all()


@needs_data
def test_a_way_never_takes_longer_through_a_third_city(delta: tuple[Network, list[str]]) -> None:
    found, cities = delta
    seconds = matrix(found, cities).seconds
    for middle in range(len(cities)):
        through = seconds[:, middle, None] + seconds[None, middle, :]
        assert (seconds <= through + 1e-6).all()


@needs_data
def test_an_island_has_its_nearest_neighbour_and_others_those_they_border_on() -> None:
    pack = read_pack("yrd")
    cities = [CityPlace(one.id, *one.centre, one.boundary) for one in pack.cities]
    pairs = {(cities[a].id, cities[b].id) for a, b in neighbours(cities)}
    touching = {one for pair in pairs for one in pair}
    assert touching == {one.id for one in cities}
    assert ("ningbo", "zhoushan") in pairs or ("zhoushan", "ningbo") in pairs
    assert not {("shanghai", "hefei"), ("hefei", "shanghai")} & pairs


@needs_data
def test_isochrones_grow_with_time_and_hold_the_start(delta: tuple[Network, list[str]]) -> None:
    found, _ = delta
    bands = isochrone(found, lon=121.473, lat=31.233, minutes=[60, 15, 30])
    assert [one.minutes for one in bands] == [15, 30, 60]
    areas = [shapely.geometry.shape(one.area) for one in bands]
    start = shapely.Point(121.473, 31.233)
    for inner, outer in pairwise(areas):
        assert inner.is_valid
        # Simplified to 30 m.
        assert inner.difference(outer).area < 0.02 * inner.area
        assert inner.contains(start)
    assert [one.stops for one in bands] == sorted(one.stops for one in bands)
    assert bands[-1].stops > 150


def test_an_isochrone_without_stops_is_a_walk() -> None:
    [band] = isochrone(network(), lon=100.0, lat=30.0, minutes=[12])
    assert band.stops == 0
    area = shapely.geometry.shape(band.area)
    west, _, east, _ = area.bounds
    radius = 12 * 60 * 1.2 / 1.3
    assert distance_m(west, 30.0, east, 30.0) == pytest.approx(2 * radius, rel=0.01)


@pytest.mark.parametrize(
    "asked", [{"minutes": []}, {"minutes": [0]}, {"minutes": [9999]}, {"lat": 89.0}]
)
def test_an_isochrone_out_of_bounds_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(BadRequestDataError):
        isochrone(network(), **{"lon": 121.0, "lat": 31.0, "minutes": [10], **asked})  # type: ignore[arg-type]
