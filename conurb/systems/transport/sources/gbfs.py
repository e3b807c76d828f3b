"""GBFS, versions 1 to 3: docking stations of shared bicycles, where they are and what they have.

Two of the standard's files are read, each by itself: `station_information` (place, name, capacity)
and `station_status` (bicycles, free docks). Times are POSIX seconds before version 3 and RFC 3339
since; truth was 1 and 0 in version 1. Bicycles that stand freely aren't read: their ids change so
that nobody is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.entity import Entity, Instance
from conurb.model.time import parse_us, shown_us
from conurb.systems.transport.objects import Maker, names, point, some

TERM: Final = "BikeHireDockingStation"
US: Final = 1_000_000
STATIONS_MAX: Final = 100_000


def read_stations(body: bytes, maker: Maker, *, at_us: int) -> list[Entity]:
    """Read a file of stations as objects; `at_us` is the time of what says none.

    Raises InvalidRequestError for what is no file of stations, BadRequestDataError naming the
    member that is missing or out of bounds.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"not JSON: {error}") from error
    data = document.get("data") if isinstance(document, dict) else None
    stations = data.get("stations") if isinstance(data, dict) else None
    if not isinstance(stations, list):
        raise InvalidRequestError(
            "not station_information nor station_status of GBFS: data.stations is missing"
        )
    if len(stations) > STATIONS_MAX:
        raise BadRequestDataError(f"{len(stations)} stations; at most {STATIONS_MAX} are taken")
    updated_us = _time(document.get("last_updated"), at_us)
    return [_station(one, maker, updated_us) for one in stations]


def _station(told: Any, maker: Maker, updated_us: int) -> Entity:
    if not isinstance(told, Mapping) or not told.get("station_id"):
        raise BadRequestDataError(f"{told!r:.80}: a station needs station_id")
    attrs = _placed(told) if "lat" in told else _state(told, updated_us)
    return maker.make(TERM, str(told["station_id"]), attrs)


def _placed(told: Mapping[str, Any]) -> dict[str, Instance | None]:
    lon, lat = _number(told, "lon", low=-180, high=180), _number(told, "lat", low=-90, high=90)
    name = told.get("name")
    if isinstance(name, list):
        by_language = {
            str(one["language"]): str(one["text"])
            for one in name
            if isinstance(one, Mapping) and {"language", "text"} <= one.keys()
        }
        said = names(**by_language)
    else:
        said = some(name)
    return {
        "name": said,
        "location": None if lon is None or lat is None else point(lon, lat),
        "totalSlotNumber": _count(told, "capacity"),
    }


def _state(told: Mapping[str, Any], updated_us: int) -> dict[str, Instance | None]:
    at_us = _time(told.get("last_reported"), updated_us)
    # Version 3 has vehicles, of which a bicycle is one.
    had = "num_vehicles_available" if "num_vehicles_available" in told else "num_bikes_available"
    bicycles = _count(told, had, at_us=at_us)
    docks = _count(told, "num_docks_available", at_us=at_us)
    return {
        "availableBikeNumber": bicycles,
        "freeSlotNumber": docks,
        "status": some(_word(told, bicycles, docks), at_us=at_us),
        "dateObserved": some(shown_us(at_us), at_us=at_us),
    }


def _word(told: Mapping[str, Any], bicycles: Instance | None, docks: Instance | None) -> str:
    """Say a station's state in a word of the Smart Data Model."""
    works = told.get("is_renting", True) or told.get("is_returning", True)
    if not told.get("is_installed", True) or not works:
        return "outOfService"
    if bicycles is not None and bicycles["value"] == 0:
        return "empty"
    return "full" if docks is not None and docks["value"] == 0 else "working"


def _time(told: Any, otherwise_us: int) -> int:
    if told is None:
        return otherwise_us
    if isinstance(told, str):
        return parse_us(told, name="last_updated")
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told < 1e11:
        raise BadRequestDataError(f"{told!r:.60} is neither POSIX seconds nor a time of RFC 3339")
    return round(told * US)


def _count(told: Mapping[str, Any], name: str, *, at_us: int | None = None) -> Instance | None:
    value = _number(told, name, low=0, high=1e6)
    return None if value is None else some(int(value), at_us=at_us)


def _number(told: Mapping[str, Any], name: str, *, low: float, high: float) -> float | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadRequestDataError(f"{name}: {value!r:.60} is not a number from {low:g} to {high:g}")
    return float(value)
