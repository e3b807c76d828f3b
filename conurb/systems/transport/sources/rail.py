"""Trains between cities, as a timetable: schedules by city of `thaddywu/RailwayVIS` (JSON).

A train there calls at cities, not at stations: its stops are the cities' centres, which the stop's
description says. Times of a train count on from the day it set out, and may pass 24 hours; here
they count from the day on which it enters the region.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import orjson

from conurb.errors import InvalidRequestError
from conurb.systems.transport.gtfs.reading import Problem, Problems
from conurb.systems.transport.gtfs.tables import (
    Agency,
    Calendar,
    Route,
    Row,
    Stop,
    StopTime,
    Trip,
)
from conurb.systems.transport.gtfs.timetable import Timetable

SOURCE: Final = "thaddywu/RailwayVIS (Apache-2.0): trains by city, of the years before 2021"
AGENCY: Final = "CR"
RAIL: Final = 2
DAY_S: Final = 86_400
NAME: Final = "schedulers.json"

CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "高速动车": ("G", "High-speed"),
    "城际动车": ("C", "Intercity"),
    "动车组": ("D", "Multiple unit"),
    "直达特快": ("Z", "Direct express"),
    "特快": ("T", "Express"),
    "快速": ("K", "Fast"),
    "普快": ("P", "Ordinary"),
}
"""Class of a train to its letter and its English name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A city where trains call: its id, its names, its centre."""

    id: str
    zh: str
    en: str
    lon: float
    lat: float


def read_timetable(path: Path, places: Mapping[str, Place], *, start: date, end: date) -> Timetable:
    """Read the trains that call at two or more of the places; `places` go by Chinese name.

    Raises InvalidRequestError when the file isn't such a JSON.
    """
    try:
        document = orjson.loads(path.read_bytes())
        trains = sorted(document.items())
        return _timetable(path.name, trains, places, start=start, end=end)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"{path} isn't a JSON of trains by city: {error}") from error


def _timetable(
    file: str,
    trains: Sequence[tuple[str, Mapping[str, Any]]],
    places: Mapping[str, Place],
    *,
    start: date,
    end: date,
) -> Timetable:
    problems = Problems()
    trips: list[Row] = []
    calls: list[Row] = []
    called: Counter[str] = Counter()
    classes: dict[str, None] = {}
    for number, train in trains:
        here = [one for one in train["route"] if one["city"] in places]
        if len(here) < 2:
            continue
        times = [_call(one) for one in here]
        rows = _stop_times(number, here, times, places)
        if rows is None:
            problems.add(Problem(file, 0, number, "", "times that run backwards", lost=True))
            continue
        kind = train["service"]
        classes[kind] = None
        trips.append(
            Trip(
                route_id=_letter(kind),
                service_id="daily",
                trip_id=number,
                trip_short_name=number,
                trip_headsign=places[here[-1]["city"]].zh,
            )
        )
        calls += rows
        called.update(one["city"] for one in here)
    return Timetable(
        {
            Agency: [
                Agency(
                    agency_id=AGENCY,
                    agency_name="中国铁路",
                    agency_url="https://www.12306.cn",
                    agency_timezone="Asia/Shanghai",
                    agency_lang="zh",
                )
            ],
            Stop: [_stop(place) for zh, place in places.items() if zh in called],
            Calendar: [_daily(start, end)],
            Route: [_route(kind) for kind in classes],
            Trip: trips,
            StopTime: calls,
        },
        problems,
    )


def _daily(start: date, end: date) -> Calendar:
    return Calendar(
        service_id="daily",
        monday=1,
        tuesday=1,
        wednesday=1,
        thursday=1,
        friday=1,
        saturday=1,
        sunday=1,
        start_date=start,
        end_date=end,
    )


def _letter(kind: str) -> str:
    return CLASSES[kind][0] if kind in CLASSES else kind


def _route(kind: str) -> Route:
    english = CLASSES[kind][1] if kind in CLASSES else ""
    return Route(
        route_id=_letter(kind),
        agency_id=AGENCY,
        route_short_name=_letter(kind),
        route_long_name=f"{kind} {english}".strip(),
        route_type=RAIL,
    )


def _stop(place: Place) -> Stop:
    return Stop(
        stop_id=place.id,
        stop_name=place.zh,
        stop_desc=f"Centre of {place.en}: the source tells cities, not stations",
        stop_lat=place.lat,
        stop_lon=place.lon,
    )


def _call(call: Mapping[str, str]) -> tuple[int, int]:
    """Give arrival and departure in seconds; a terminus has only one of them."""
    arrival, departure = (_seconds(call[name]) for name in ("arrival", "departure"))
    if arrival is None and departure is None:
        raise ValueError(f"{call!r} has no time")
    return (
        arrival if arrival is not None else departure,  # type: ignore[return-value]
        departure if departure is not None else arrival,
    )


def _seconds(clock: str) -> int | None:
    if clock == "-":
        return None
    hours, _, minutes = clock.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


def _stop_times(
    trip: str,
    calls: Sequence[Mapping[str, str]],
    times: Sequence[tuple[int, int]],
    places: Mapping[str, Place],
) -> list[Row] | None:
    """Make the rows of a train's calls; None when its times run backwards."""
    flat = [one for pair in times for one in pair]
    if flat != sorted(flat):
        return None
    shift = times[0][1] // DAY_S * DAY_S
    return [
        StopTime(
            trip_id=trip,
            arrival_time=max(arrival - shift, 0),
            departure_time=departure - shift,
            stop_id=places[call["city"]].id,
            stop_sequence=number,
            timepoint=1,
        )
        for number, (call, (arrival, departure)) in enumerate(zip(calls, times, strict=True), 1)
    ]
