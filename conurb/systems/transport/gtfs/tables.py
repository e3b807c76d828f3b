"""The files of a GTFS feed as values: one class per file, one field per column.

A column is named as in the reference. Its kind says how a cell is read and written:

| kind | in a file | as a value |
|---|---|---|
| text, id, url | text | str, `""` when absent |
| int, enum | digits | int, None when absent; an enum is one of its choices |
| float, lat, lon | decimal | float, None when absent |
| date | YYYYMMDD | datetime.date |
| clock | H:MM:SS, hours may pass 24 | int: seconds since noon minus 12 hours of the service day |
| colour | six hexadecimal digits | str, upper case |

What isn't listed (fares, pathways, translations) is left alone: it has no Smart Data Model.
"""

# ruff: noqa: RUF009 -- `_column` makes a field, as `dataclasses.field` does.
from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Final, Literal

Kind = Literal["text", "id", "url", "int", "enum", "float", "lat", "lon", "date", "clock", "colour"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: its name, how its cells are read, and whether a row needs it."""

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[int, ...] = ()


def _column(
    kind: Kind, *, required: bool = False, choices: tuple[int, ...] = (), default: Any = ...
) -> Any:
    """Make a dataclass field that is a column; a column that isn't required has a default."""
    metadata = {"kind": kind, "required": required, "choices": choices}
    if required:
        return field(metadata=metadata)
    empty = "" if kind in ("text", "id", "url", "colour") else None
    return field(default=empty if default is ... else default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of any file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency(Row):
    """A row of agency.txt: who runs the lines."""

    agency_id: str = _column("id")
    agency_name: str = _column("text", required=True)
    agency_url: str = _column("url", required=True)
    agency_timezone: str = _column("text", required=True)
    agency_lang: str = _column("text")
    agency_phone: str = _column("text")
    agency_fare_url: str = _column("url")
    agency_email: str = _column("text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Row):
    """A row of stops.txt: a platform (0), a station (1), an entrance (2), a node (3), an area."""

    stop_id: str = _column("id", required=True)
    stop_code: str = _column("text")
    stop_name: str = _column("text")
    stop_desc: str = _column("text")
    stop_lat: float | None = _column("lat")
    stop_lon: float | None = _column("lon")
    zone_id: str = _column("id")
    stop_url: str = _column("url")
    location_type: int | None = _column("enum", choices=(0, 1, 2, 3, 4))
    parent_station: str = _column("id")
    stop_timezone: str = _column("text")
    wheelchair_boarding: int | None = _column("enum", choices=(0, 1, 2))
    platform_code: str = _column("text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Row):
    """A row of routes.txt: a line as its riders know it."""

    route_id: str = _column("id", required=True)
    agency_id: str = _column("id")
    route_short_name: str = _column("text")
    route_long_name: str = _column("text")
    route_desc: str = _column("text")
    route_type: int = _column("int", required=True)
    route_url: str = _column("url")
    route_color: str = _column("colour")
    route_text_color: str = _column("colour")
    route_sort_order: int | None = _column("int")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip(Row):
    """A row of trips.txt: one run along a route."""

    route_id: str = _column("id", required=True)
    service_id: str = _column("id", required=True)
    trip_id: str = _column("id", required=True)
    trip_headsign: str = _column("text")
    trip_short_name: str = _column("text")
    direction_id: int | None = _column("enum", choices=(0, 1))
    block_id: str = _column("id")
    shape_id: str = _column("id")
    wheelchair_accessible: int | None = _column("enum", choices=(0, 1, 2))
    bikes_allowed: int | None = _column("enum", choices=(0, 1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTime(Row):
    """A row of stop_times.txt: a trip calls at a stop. Times are seconds of the service day."""

    trip_id: str = _column("id", required=True)
    arrival_time: int | None = _column("clock")
    departure_time: int | None = _column("clock")
    stop_id: str = _column("id", required=True)
    stop_sequence: int = _column("int", required=True)
    stop_headsign: str = _column("text")
    pickup_type: int | None = _column("enum", choices=(0, 1, 2, 3))
    drop_off_type: int | None = _column("enum", choices=(0, 1, 2, 3))
    shape_dist_traveled: float | None = _column("float")
    timepoint: int | None = _column("enum", choices=(0, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar(Row):
    """A row of calendar.txt: the days of the week on which a service runs, between two dates."""

    service_id: str = _column("id", required=True)
    monday: int = _column("enum", required=True, choices=(0, 1))
    tuesday: int = _column("enum", required=True, choices=(0, 1))
    wednesday: int = _column("enum", required=True, choices=(0, 1))
    thursday: int = _column("enum", required=True, choices=(0, 1))
    friday: int = _column("enum", required=True, choices=(0, 1))
    saturday: int = _column("enum", required=True, choices=(0, 1))
    sunday: int = _column("enum", required=True, choices=(0, 1))
    start_date: date = _column("date", required=True)
    end_date: date = _column("date", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDate(Row):
    """A row of calendar_dates.txt: a day on which a service runs (1) or doesn't (2)."""

    service_id: str = _column("id", required=True)
    date: date = _column("date", required=True)
    exception_type: int = _column("enum", required=True, choices=(1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapePoint(Row):
    """A row of shapes.txt: one point of the path of trips."""

    shape_id: str = _column("id", required=True)
    shape_pt_lat: float = _column("lat", required=True)
    shape_pt_lon: float = _column("lon", required=True)
    shape_pt_sequence: int = _column("int", required=True)
    shape_dist_traveled: float | None = _column("float")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency(Row):
    """A row of frequencies.txt: a trip repeats every `headway_secs` between two times."""

    trip_id: str = _column("id", required=True)
    start_time: int = _column("clock", required=True)
    end_time: int = _column("clock", required=True)
    headway_secs: int = _column("int", required=True)
    exact_times: int | None = _column("enum", choices=(0, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Row):
    """A row of transfers.txt: how one changes between two stops."""

    from_stop_id: str = _column("id", required=True)
    to_stop_id: str = _column("id", required=True)
    transfer_type: int | None = _column("enum", choices=(0, 1, 2, 3, 4, 5))
    min_transfer_time: int | None = _column("int")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInfo(Row):
    """The row of feed_info.txt: who publishes the feed, in which language, for which days."""

    feed_publisher_name: str = _column("text", required=True)
    feed_publisher_url: str = _column("url", required=True)
    feed_lang: str = _column("text", required=True)
    feed_start_date: date | None = _column("date")
    feed_end_date: date | None = _column("date")
    feed_version: str = _column("text")
    feed_contact_email: str = _column("text")
    feed_contact_url: str = _column("url")


FILES: Final[dict[type[Row], str]] = {
    Agency: "agency.txt",
    FeedInfo: "feed_info.txt",
    Stop: "stops.txt",
    Route: "routes.txt",
    Calendar: "calendar.txt",
    CalendarDate: "calendar_dates.txt",
    ShapePoint: "shapes.txt",
    Trip: "trips.txt",
    StopTime: "stop_times.txt",
    Frequency: "frequencies.txt",
    Transfer: "transfers.txt",
}
"""Class of a row to the file that holds it, in the order in which references are resolved."""

REQUIRED_FILES: Final = ("agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt")
"""Without these there is no feed; a calendar is needed too, in one of its two files."""


def columns_of(row: type[Row]) -> tuple[Column, ...]:
    """Give the columns of a file, in order."""
    return tuple(
        Column(one.name, one.metadata["kind"], one.metadata["required"], one.metadata["choices"])
        for one in fields(row)
    )


def clock_text(seconds: int) -> str:
    """Write seconds of the service day as HH:MM:SS.

    >>> clock_text(25 * 3600 + 61)
    '25:01:01'
    """
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
