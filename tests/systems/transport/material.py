"""Where the tests of transport find real data, and small timetables made for them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conurb.systems.transport.gtfs.tables import (
    Agency,
    Calendar,
    Frequency,
    Route,
    Row,
    Stop,
    StopTime,
    Trip,
)
from conurb.systems.transport.gtfs.timetable import Timetable

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
SAMPLE = DATA / "standards" / "gtfs" / "gtfs" / "spec" / "en" / "examples"
SIRI = DATA / "standards" / "siri"
LINES = DATA / "metro" / "yrd_metro_lines_wgs84.geojson"
STATIONS = DATA / "metro" / "yrd_metro_stations_wgs84.geojson"
TRAINS = DATA / "rail" / "thaddywu_schedulers.json"
ROADS = DATA / "roads" / "osm_bridge_anhui.geojson"
INDICES = DATA / "transport_samples" / "shanghai_2015"

NOON_US = 1_780_286_400_000_000
"""2026-06-01T12:00:00+08:00, a Monday."""

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the public data of the development set isn't there: {DATA}"
)


def small_timetable() -> Timetable:
    """Make a timetable of three stops: a bus with two trips, and a shuttle every ten minutes."""
    day = date(2026, 1, 1), date(2026, 12, 31)
    tables: dict[type[Row], list[Row]] = {
        Agency: [
            Agency(
                agency_id="A",
                agency_name="Bus",
                agency_url="https://example.org",
                agency_timezone="Asia/Shanghai",
                agency_lang="zh",
            )
        ],
        Stop: [
            Stop(stop_id="a", stop_name="Alpha", stop_lat=31.0, stop_lon=121.0),
            Stop(stop_id="b", stop_name="Beta", stop_lat=31.0, stop_lon=121.1),
            Stop(stop_id="c 1", stop_name="丙", stop_lat=31.1, stop_lon=121.1),
        ],
        Calendar: [
            Calendar(
                service_id="weekdays",
                monday=1,
                tuesday=1,
                wednesday=1,
                thursday=1,
                friday=1,
                saturday=0,
                sunday=0,
                start_date=day[0],
                end_date=day[1],
            )
        ],
        Route: [
            Route(route_id="R", agency_id="A", route_short_name="1", route_type=3),
            Route(route_id="S", agency_id="A", route_short_name="S", route_type=3),
        ],
        Trip: [
            Trip(route_id="R", service_id="weekdays", trip_id="t1", trip_headsign="丙"),
            Trip(route_id="R", service_id="weekdays", trip_id="t2", trip_headsign="丙"),
            Trip(route_id="S", service_id="weekdays", trip_id="s1", trip_headsign="Beta"),
        ],
        StopTime: [
            *calls("t1", 12 * 3600 + 300, ("a", "b", "c 1")),
            *calls("t2", 13 * 3600 + 300, ("a", "b", "c 1")),
            *calls("s1", 6 * 3600, ("a", "b")),
        ],
        Frequency: [
            Frequency(
                trip_id="s1",
                start_time=6 * 3600,
                end_time=22 * 3600,
                headway_secs=600,
                exact_times=0,
            )
        ],
    }
    return Timetable(tables)


def calls(trip: str, start: int, stops: tuple[str, ...]) -> list[StopTime]:
    """Make the calls of a trip that takes ten minutes from stop to stop."""
    return [
        StopTime(
            trip_id=trip,
            arrival_time=start + number * 600,
            departure_time=start + number * 600,
            stop_id=stop,
            stop_sequence=number + 1,
            timepoint=1,
        )
        for number, stop in enumerate(stops)
    ]
