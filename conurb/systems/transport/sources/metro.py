"""Metro lines and stations of cities, as a timetable: GeoJSON of lines and of stations in WGS84.

The files are those that `generate-china-subways-geojson` makes of a map service: a line's vertices
are its stations in order, and each line and station says its city by `adcode`. They hold no times,
so that running speed and headway are supposed; what follows from them is marked `simulated` when
objects are made (`ASSUMED`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from conurb.errors import InvalidRequestError
from conurb.systems.transport.gtfs.tables import (
    Agency,
    Calendar,
    Frequency,
    Route,
    Row,
    ShapePoint,
    Stop,
    StopTime,
    Trip,
)
from conurb.systems.transport.gtfs.timetable import Timetable
from conurb.systems.transport.measure import distance_m

ASSUMED: Final = frozenset({"arrivalTime", "departureTime", "headwaySeconds"})
"""Terms that stand for what was supposed."""

SOURCE: Final = "luxueyan/generate-china-subways-geojson (ISC), December 2020"
AGENCY_URL: Final = "https://github.com/luxueyan/generate-china-subways-geojson"
SUBWAY: Final = 1
NOT_AVAILABLE: Final = 1
"""Of pickup_type and drop_off_type: there is none."""

SAME_STATION_M: Final = 250.0
"""Within this distance a line's vertex is a station, though another line gave its name."""

LOOP_CLOSING_M_MAX: Final = 2_500.0
LOOP_LENGTH_M_MIN: Final = 15_000.0
SPEED_KMH: Final = 35.0
"""Supposed commercial speed, stops included."""

HEADWAY_S: Final = 300
FIRST_S: Final = 6 * 3600
LAST_S: Final = 22 * 3600 + 1800


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the files don't say: how fast and how often trains run, and on which days."""

    start: date
    end: date
    speed_kmh: float = SPEED_KMH
    headway_s: int = HEADWAY_S


@dataclass(frozen=True, slots=True)
class Station:
    """A station: names for people, and its place."""

    id: str
    zh: str
    en: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a branch of one: its stations in order; a loop ends where it began."""

    id: str
    name: str
    colour: str
    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """The metro of one city."""

    adcode: str
    city: str
    lines: tuple[Line, ...]
    stations: tuple[Station, ...]


def read_networks(lines_file: Path, stations_file: Path) -> list[Network]:
    """Read the metro networks of every city in two GeoJSON files.

    A line that runs on into the next city calls at stations there, which are its own network's
    then. Raises InvalidRequestError when a file isn't such a GeoJSON.
    """
    try:
        lines = _by_city(lines_file)
        stations = {code: _stations(found) for code, found in _by_city(stations_file).items()}
        abroad = [one for found in stations.values() for one in found[1]]
        return [
            _network(code, name, lines.get(code, []), own, abroad)
            for code, (name, own) in stations.items()
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(
            f"{lines_file} and {stations_file} aren't GeoJSON of metro lines and stations: {error}"
        ) from error


def _by_city(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    cities: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for feature in orjson.loads(path.read_bytes())["features"]:
        cities[feature["properties"]["adcode"]].append(feature)
    return dict(sorted(cities.items()))


def _stations(features: Sequence[Mapping[str, Any]]) -> tuple[str, list[Station]]:
    """Read a city's name and its stations."""
    found = []
    code = features[0]["properties"]["adcode"]
    for number, feature in enumerate(features, 1):
        said = feature["properties"]
        lon, lat = feature["geometry"]["coordinates"][:2]
        name = f"{code}-{number:03d}"
        found.append(Station(name, said["name"], said.get("en") or "", lon, lat))
    return str(features[0]["properties"]["name_zh"]), found


def _network(
    code: str,
    name: str,
    lines: Sequence[Mapping[str, Any]],
    own: Sequence[Station],
    every: Sequence[Station],
) -> Network:
    """Put a city's network together: its lines, and the stations at which they call."""
    read = tuple(_line(one, own, every) for one in lines)
    called = {station.id: station for line in read for station in line.stations}
    return Network(code, name, read, tuple(called[key] for key in sorted(called)))


def _line(feature: Mapping[str, Any], own: Sequence[Station], every: Sequence[Station]) -> Line:
    said = feature["properties"]
    order: list[Station] = []
    for lon, lat in ((one[0], one[1]) for one in feature["geometry"]["coordinates"]):
        station = _at(lon, lat, own) or _at(lon, lat, every)
        if station is not None and (not order or order[-1] is not station):
            order.append(station)
    if len(order) > 2 and _is_loop(order):
        order.append(order[0])
    return Line(said["ls"], said["name"], said.get("color", ""), tuple(order))


def _at(lon: float, lat: float, stations: Sequence[Station]) -> Station | None:
    """Find the station at a place: the nearest within `SAME_STATION_M`."""
    nearest = min(stations, key=lambda one: distance_m(one.lon, one.lat, lon, lat))
    near = distance_m(nearest.lon, nearest.lat, lon, lat) <= SAME_STATION_M
    return nearest if near else None


def _is_loop(order: Sequence[Station]) -> bool:
    closing = _between(order[-1], order[0])
    length = sum(_between(a, b) for a, b in pairwise(order))
    return closing <= LOOP_CLOSING_M_MAX and length >= LOOP_LENGTH_M_MIN


def _between(a: Station, b: Station) -> float:
    return distance_m(a.lon, a.lat, b.lon, b.lat)


def timetable(network: Network, assumed: Assumptions) -> Timetable:
    """Make the timetable of a city's metro: one trip per line and direction, repeated."""
    tables: dict[type[Row], list[Row]] = {
        Agency: [
            Agency(
                agency_id=network.adcode,
                agency_name=f"{network.city}轨道交通",
                agency_url=AGENCY_URL,
                agency_timezone="Asia/Shanghai",
                agency_lang="zh",
            )
        ],
        Stop: [
            Stop(stop_id=one.id, stop_name=one.zh, stop_lat=one.lat, stop_lon=one.lon)
            for one in network.stations
        ],
        Calendar: [
            Calendar(
                service_id="daily",
                monday=1,
                tuesday=1,
                wednesday=1,
                thursday=1,
                friday=1,
                saturday=1,
                sunday=1,
                start_date=assumed.start,
                end_date=assumed.end,
            )
        ],
        Route: list(_routes(network)),
        ShapePoint: [],
        Trip: [],
        StopTime: [],
        Frequency: [],
    }
    firsts = _routes_by_name(network)
    for line in network.lines:
        if len(line.stations) > 1:
            for direction in (0, 1):
                _add_trip(tables, firsts[line.name], line, direction, assumed)
    return Timetable(tables)


def _routes(network: Network) -> Iterator[Route]:
    """Give one route per name: branches of a line are trips of it."""
    firsts = _routes_by_name(network)
    for number, line in enumerate(network.lines, 1):
        if firsts.get(line.name) == line.id:
            yield Route(
                route_id=line.id,
                agency_id=network.adcode,
                route_short_name=short_name(line.name),
                route_type=SUBWAY,
                route_color=line.colour.upper(),
                route_text_color=_readable(line.colour),
                route_sort_order=number,
            )


def _routes_by_name(network: Network) -> dict[str, str]:
    """Give for each name of a line the id of its first branch, which is the route's."""
    firsts: dict[str, str] = {}
    for line in network.lines:
        if len(line.stations) > 1:
            firsts.setdefault(line.name, line.id)
    return firsts


def short_name(name: str) -> str:
    """Give a line's name without what every line of the city is called.

    >>> short_name("轨道交通4号线支线")
    '4号线支线'
    """
    for prefix in ("轨道交通", "地铁"):
        name = name.removeprefix(prefix)
    return name.partition("(")[0]


def _readable(colour: str) -> str:
    """Choose black or white for text on a colour, whichever has more contrast (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "000000" if luminance > 0.179 else "FFFFFF"


def _add_trip(
    tables: dict[type[Row], list[Row]],
    route: str,
    line: Line,
    direction: int,
    assumed: Assumptions,
) -> None:
    stations = line.stations if direction == 0 else line.stations[::-1]
    trip = f"{line.id}-{direction}"
    tables[Trip].append(
        Trip(
            route_id=route,
            service_id="daily",
            trip_id=trip,
            trip_headsign=stations[-1].zh,
            direction_id=direction,
            shape_id=trip,
        )
    )
    tables[Frequency].append(
        Frequency(
            trip_id=trip,
            start_time=FIRST_S,
            end_time=LAST_S,
            headway_secs=assumed.headway_s,
            exact_times=0,
        )
    )
    metres = 0.0
    for number, station in enumerate(stations):
        if number:
            metres += _between(stations[number - 1], station)
        at = FIRST_S + round(metres / (assumed.speed_kmh / 3.6))
        tables[ShapePoint].append(
            ShapePoint(
                shape_id=trip,
                shape_pt_lat=station.lat,
                shape_pt_lon=station.lon,
                shape_pt_sequence=number,
                shape_dist_traveled=round(metres, 1),
            )
        )
        tables[StopTime].append(
            StopTime(
                trip_id=trip,
                arrival_time=at,
                departure_time=at,
                stop_id=station.id,
                stop_sequence=number,
                # Nobody gets off where a trip sets out, or on where it ends.
                pickup_type=NOT_AVAILABLE if number == len(stations) - 1 else None,
                drop_off_type=NOT_AVAILABLE if number == 0 else None,
                shape_dist_traveled=round(metres, 1),
                timepoint=0,
            )
        )
