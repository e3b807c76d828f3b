"""Make the graph: rides of timetables, walks between stops, roads, and the way into a city.

A pattern is a route's trips that call at the same stops. It has a node of its own at each of its
stops: boarding there costs the expected wait, riding what the timetable's trips take in the median,
alighting next to nothing. So a change of vehicle costs a wait, staying on board doesn't.

| what is supposed | value |
|---|---|
| walking | 1.2 m/s along a way 1.3 times as long as the beeline |
| wait for a line that runs every h | h/2, at most 15 minutes where there is a timetable |
| into and out of a city's centre | 6 m/s as the crow flies, 5 minutes at least |
| road between neighbouring cities | beeline times 1.3 at 70 km/h; mode `estimate` |
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from conurb.systems.transport.gtfs.tables import Frequency, Stop, StopTime, Trip
from conurb.systems.transport.measure import Plane, distance_m
from conurb.systems.transport.network.graph import Builder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WALK_MPS: Final = 1.2
WALK_DETOUR: Final = 1.3
WALK_M_MAX: Final = 600.0
"""Between two stops, as the crow flies."""

PLANNED_WAIT_S: Final = 900.0
BOARD_S: Final = 30.0
ACCESS_M_MAX: Final = 15_000.0
ACCESS_STOPS_MAX: Final = 25
ACCESS_MPS: Final = 6.0
ACCESS_S_MIN: Final = 300.0
ROAD_MPS: Final = 70 / 3.6
ROAD_DETOUR: Final = 1.3
NEIGHBOURS_APART_M: Final = 2_000.0
"""Two cities whose boundaries come this close are neighbours: boundaries are generalised."""

JUNCTION_DECIMALS: Final = 4
"""Ends of road segments that agree to 10 m are one junction."""

SPEED_KMH_DEFAULT: Final = 50.0


@dataclass(frozen=True, slots=True)
class CityPlace:
    """A city: its object's id, its centre, its boundary (GeoJSON) if it is known."""

    id: str
    lon: float
    lat: float
    boundary: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RoadPiece:
    """A piece of road: its points, and the speed at which it is travelled now."""

    id: str
    path: tuple[tuple[float, float], ...]
    speed_kmh: float | None = None
    oneway: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """The part of a timetable that runs on the day asked for; ids of stops are the graph's."""

    stops: Sequence[Stop]
    trips: Sequence[Trip]
    calls: Sequence[StopTime]
    frequencies: Sequence[Frequency] = ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A route's trips that call at the same stops: how long they ride, how long one waits.

    `rides_s` is the time from each stop's arrival to the next one's.
    """

    route: str
    stops: tuple[str, ...]
    rides_s: tuple[float, ...]
    wait_s: float


def patterns_of(service: Service) -> list[Pattern]:
    """Put trips together that do the same.

    Calls without a time lie between two that have one; they are spaced evenly.
    """
    routes = {one.trip_id: f"{one.route_id}/{one.direction_id}" for one in service.trips}
    by_trip: defaultdict[str, list[StopTime]] = defaultdict(list)
    for call in service.calls:
        if call.trip_id in routes:
            by_trip[call.trip_id].append(call)
    repeats: defaultdict[str, list[Frequency]] = defaultdict(list)
    for one in service.frequencies:
        repeats[one.trip_id].append(one)
    grouped: defaultdict[tuple[str, tuple[str, ...]], list[tuple[str, list[float]]]]
    grouped = defaultdict(list)
    for trip, calls in by_trip.items():
        calls.sort(key=lambda one: one.stop_sequence)
        times = _filled(calls)
        if len(calls) > 1 and times is not None:
            stops = tuple(one.stop_id for one in calls)
            grouped[routes[trip], stops].append((trip, times))
    return [
        Pattern(route, stops, _rides(runs), _wait(runs, repeats))
        for (route, stops), runs in grouped.items()
    ]


def _filled(calls: Sequence[StopTime]) -> list[float] | None:
    """Give a time for each call; None when the first or the last has none."""
    known = [
        (number, one.arrival_time if one.arrival_time is not None else one.departure_time)
        for number, one in enumerate(calls)
    ]
    timed = [(number, time) for number, time in known if time is not None]
    if len(timed) < 2 or timed[0][0] != 0 or timed[-1][0] != len(calls) - 1:
        return None
    times = [float(timed[0][1])]
    for (a, from_s), (b, to_s) in itertools.pairwise(timed):
        times += [from_s + (to_s - from_s) * step / (b - a) for step in range(1, b - a + 1)]
    return times


def _rides(runs: Sequence[tuple[str, list[float]]]) -> tuple[float, ...]:
    rides = zip(*(_differences(times) for _, times in runs), strict=True)
    return tuple(median(one) for one in rides)


def _differences(times: Sequence[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(times)]


def _wait(
    runs: Sequence[tuple[str, list[float]]], repeats: Mapping[str, Sequence[Frequency]]
) -> float:
    """Give the expected wait for a pattern: half of the mean time between two vehicles."""
    headways = [float(one.headway_secs) for trip, _ in runs for one in repeats.get(trip, ())]
    if headways:
        return min(headways) / 2
    starts = sorted(times[0] for _, times in runs)
    if len(starts) < 2:
        return PLANNED_WAIT_S
    return min((starts[-1] - starts[0]) / (len(starts) - 1) / 2, PLANNED_WAIT_S)


def add_service(builder: Builder, service: Service) -> int:
    """Add stops and rides; give how many patterns there are."""
    for stop in service.stops:
        if stop.stop_lat is not None and stop.stop_lon is not None:
            builder.node(stop.stop_id, "stop", stop.stop_lon, stop.stop_lat)
    patterns = patterns_of(service)
    for number, pattern in enumerate(patterns):
        if any(name not in builder.places for name in pattern.stops):
            continue
        before: int | None = None
        for place, name in enumerate(pattern.stops):
            at = builder.places[name]
            lon, lat = builder.lonlat[at]
            aboard = builder.node(f"{pattern.route}#{number}@{place}", "vehicle", lon, lat)
            if before is not None:
                builder.edge(before, aboard, pattern.rides_s[place - 1], "ride")
                builder.edge(aboard, at, BOARD_S, "board")
            if place < len(pattern.stops) - 1:
                builder.edge(at, aboard, pattern.wait_s + BOARD_S, "board")
            before = aboard
    return len(patterns)


def add_walks(builder: Builder) -> None:
    """Join stops that lie within a walk, and stops to the junctions of roads beside them."""
    numbers, places = _at(builder, ("stop",))
    if len(numbers) < 2:
        return
    from scipy.spatial import cKDTree

    for a, b in cKDTree(places).query_pairs(WALK_M_MAX):
        cost = walk_s(float(((places[a] - places[b]) ** 2).sum() ** 0.5))
        builder.edge(numbers[a], numbers[b], cost, "walk")
        builder.edge(numbers[b], numbers[a], cost, "walk")


def walk_s(beeline_m: float) -> float:
    """Give how long one walks between two points that are so far apart, as the crow flies.

    >>> round(walk_s(600))
    650
    """
    return beeline_m * WALK_DETOUR / WALK_MPS


def _at(builder: Builder, kinds: tuple[str, ...]) -> tuple[list[int], NDArray[np.float64]]:
    """Give the numbers and the places, in metres, of the nodes of some kinds."""
    import numpy as np

    numbers = [number for number, kind in enumerate(builder.kinds) if kind in kinds]
    lonlat = np.array([builder.lonlat[number] for number in numbers]).reshape(-1, 2)
    middle = float(lonlat[:, 1].mean()) if len(lonlat) else 0.0
    return numbers, Plane(middle).to_plane(lonlat)


def add_roads(builder: Builder, pieces: Iterable[RoadPiece]) -> int:
    """Add roads at the speed at which they are travelled; give how many pieces there are."""
    count = 0
    for piece in pieces:
        if len(piece.path) < 2:
            continue
        length = sum(distance_m(*a, *b) for a, b in zip(piece.path, piece.path[1:], strict=False))
        seconds = length / ((piece.speed_kmh or SPEED_KMH_DEFAULT) / 3.6)
        start, end = (_junction(builder, place) for place in (piece.path[0], piece.path[-1]))
        builder.edge(start, end, seconds, "road")
        if not piece.oneway:
            builder.edge(end, start, seconds, "road")
        count += 1
    return count


def _junction(builder: Builder, place: tuple[float, float]) -> int:
    lon, lat = (round(one, JUNCTION_DECIMALS) for one in place)
    return builder.node(f"road@{lon},{lat}", "junction", lon, lat)


def add_cities(builder: Builder, cities: Sequence[CityPlace]) -> None:
    """Add cities, tie them to the stops and junctions near them, and neighbours to each other."""
    numbers, _places = _at(builder, ("stop", "junction"))
    ends = [builder.node(city.id, "city", city.lon, city.lat) for city in cities]
    if numbers:
        _add_access(builder, cities, ends, numbers)
    for a, b in neighbours(cities):
        beeline = distance_m(cities[a].lon, cities[a].lat, cities[b].lon, cities[b].lat)
        builder.edges(
            [(ends[a], ends[b])], [ACCESS_S_MIN + beeline * ROAD_DETOUR / ROAD_MPS], "estimate"
        )


def _add_access(
    builder: Builder, cities: Sequence[CityPlace], ends: Sequence[int], numbers: Sequence[int]
) -> None:
    for city, end in zip(cities, ends, strict=True):
        near = sorted(
            (distance_m(city.lon, city.lat, *builder.lonlat[number]), number) for number in numbers
        )
        for away, number in near[:ACCESS_STOPS_MAX]:
            if away <= ACCESS_M_MAX:
                cost = max(ACCESS_S_MIN, away / ACCESS_MPS)
                builder.edge(end, number, cost, "walk")
                builder.edge(number, end, cost, "walk")


def neighbours(cities: Sequence[CityPlace]) -> list[tuple[int, int]]:
    """Give the pairs of cities that border on each other; an island has its nearest city."""
    import shapely

    known = [number for number, city in enumerate(cities) if city.boundary is not None]
    if len(known) < 2:
        return []
    plane = Plane(sum(cities[number].lat for number in known) / len(known))
    shapes = [
        plane.flatten(shapely.from_geojson(_text(cities[number].boundary))) for number in known
    ]
    tree = shapely.STRtree(shapes)
    pairs = set()
    for a, shape in enumerate(shapes):
        near = [int(b) for b in tree.query(shape, "dwithin", NEIGHBOURS_APART_M) if b != a]
        if not near:
            near = [min((b for b in range(len(shapes)) if b != a), key=_apart(shapes, a))]
        pairs |= {(min(a, b), max(a, b)) for b in near}
    return sorted((known[a], known[b]) for a, b in pairs)


def _apart(shapes: Sequence[Any], a: int) -> Any:
    return lambda b: shapes[a].distance(shapes[b])


def _text(geometry: Mapping[str, Any] | None) -> str:
    import json

    return json.dumps(geometry)
