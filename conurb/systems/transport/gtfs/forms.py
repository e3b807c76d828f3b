"""Which object stands for a row, attribute by attribute: one table, read in both directions.

Types and attributes are those of the Smart Data Models' UrbanMobility. A kind says how a value
crosses over: `text` and `number` as they are, `flag` 0/1 to false/true, `day` a date to ISO 8601,
`clock` seconds to HH:MM:SS, `code` an enum to its text, and a table's class a relationship to the
object of that row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from conurb.systems.transport.gtfs.tables import (
    Agency,
    Calendar,
    CalendarDate,
    Frequency,
    Route,
    Row,
    Stop,
    StopTime,
    Transfer,
    Trip,
)

Kind = str | type[Row]
SERVICE: Final = "GtfsService"
"""A service has no file of its own: it is what calendars speak of."""

AGENCY_UNNAMED: Final = "agency"
"""Stands for the agency of a feed that has only one and gives it no id."""


@dataclass(frozen=True, slots=True)
class Form:
    """How rows of a file are objects of a type.

    `key` gives the local id of a row. `members` are (column, term, kind).
    """

    term: str
    key: Callable[[Row], str]
    members: tuple[tuple[str, str, Kind], ...]


def _key(*columns: str) -> Callable[[Row], str]:
    def key(row: Row) -> str:
        return "@".join(str(getattr(row, column)) for column in columns)

    return key


FORMS: Final[dict[type[Row], Form]] = {
    Agency: Form(
        "GtfsAgency",
        lambda row: getattr(row, "agency_id", "") or AGENCY_UNNAMED,
        (
            ("agency_name", "name", "text"),
            ("agency_url", "page", "text"),
            ("agency_timezone", "timezone", "text"),
            ("agency_lang", "language", "text"),
            ("agency_phone", "phone", "text"),
        ),
    ),
    Stop: Form(
        "GtfsStop",
        _key("stop_id"),
        (
            ("stop_code", "code", "text"),
            ("stop_name", "name", "text"),
            ("stop_desc", "description", "text"),
            ("zone_id", "zoneCode", "text"),
            ("stop_url", "page", "text"),
            ("parent_station", "hasParentStation", Stop),
            ("wheelchair_boarding", "wheelChairAccessible", "code"),
        ),
    ),
    Route: Form(
        "GtfsRoute",
        _key("route_id"),
        (
            ("agency_id", "operatedBy", Agency),
            ("route_short_name", "shortName", "text"),
            ("route_long_name", "name", "text"),
            ("route_desc", "description", "text"),
            ("route_type", "routeType", "code"),
            ("route_url", "page", "text"),
            ("route_color", "routeColor", "text"),
            ("route_text_color", "routeTextColor", "text"),
            ("route_sort_order", "routeSortOrder", "number"),
        ),
    ),
    Trip: Form(
        "GtfsTrip",
        _key("trip_id"),
        (
            ("route_id", "hasRoute", Route),
            ("service_id", "hasService", SERVICE),
            ("trip_headsign", "headSign", "text"),
            ("trip_short_name", "shortName", "text"),
            ("direction_id", "direction", "number"),
            ("block_id", "block", "text"),
            ("shape_id", "hasShape", "GtfsShape"),
            ("wheelchair_accessible", "wheelChairAccessible", "code"),
            ("bikes_allowed", "bikesAllowed", "code"),
        ),
    ),
    StopTime: Form(
        "GtfsStopTime",
        _key("trip_id", "stop_sequence"),
        (
            ("trip_id", "hasTrip", Trip),
            ("arrival_time", "arrivalTime", "clock"),
            ("departure_time", "departureTime", "clock"),
            ("stop_id", "hasStop", Stop),
            ("stop_sequence", "stopSequence", "number"),
            ("stop_headsign", "stopHeadsign", "text"),
            ("pickup_type", "pickupType", "code"),
            ("drop_off_type", "dropOffType", "code"),
            ("shape_dist_traveled", "distanceTravelled", "number"),
            ("timepoint", "timepoint", "code"),
        ),
    ),
    Calendar: Form(
        "GtfsCalendarRule",
        _key("service_id"),
        (
            ("service_id", "hasService", SERVICE),
            ("monday", "monday", "flag"),
            ("tuesday", "tuesday", "flag"),
            ("wednesday", "wednesday", "flag"),
            ("thursday", "thursday", "flag"),
            ("friday", "friday", "flag"),
            ("saturday", "saturday", "flag"),
            ("sunday", "sunday", "flag"),
            ("start_date", "startDate", "day"),
            ("end_date", "endDate", "day"),
        ),
    ),
    CalendarDate: Form(
        "GtfsCalendarDateRule",
        _key("service_id", "date"),
        (
            ("service_id", "hasService", SERVICE),
            ("date", "appliesOn", "day"),
            ("exception_type", "exceptionType", "code"),
        ),
    ),
    Frequency: Form(
        "GtfsFrequency",
        _key("trip_id", "start_time"),
        (
            ("trip_id", "hasTrip", Trip),
            ("start_time", "startTime", "clock"),
            ("end_time", "endTime", "clock"),
            ("headway_secs", "headwaySeconds", "number"),
            ("exact_times", "exactTimes", "flag"),
        ),
    ),
    Transfer: Form(
        "GtfsTransferRule",
        _key("from_stop_id", "to_stop_id"),
        (
            ("from_stop_id", "hasOrigin", Stop),
            ("to_stop_id", "hasDestination", Stop),
            ("transfer_type", "transferType", "code"),
            ("min_transfer_time", "minimumTransferTime", "number"),
        ),
    ),
}

STATION_TYPES: Final = {0: "GtfsStop", 1: "GtfsStation", 2: "GtfsAccessPoint"}
"""location_type to type; nodes inside of stations and boarding areas have none."""
