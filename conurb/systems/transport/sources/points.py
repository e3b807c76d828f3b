"""The state of car parks and toll stations, as their operators send it: JSON, a line or an array.

| member | car park (`kind` "parking") | toll station (`kind` "toll") |
|---|---|---|
| `id`, `lon`, `lat`, `at` | needed: which, where, when (ISO 8601 with offset) | the same |
| `name` | a text | a text |
| `total`, `free` | spots | - |
| `lanes`, `queue_m` | - | lanes open, metres of queue |
| `status` | a word (open, closed ...) | the same |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.entity import Entity, Instance
from conurb.model.time import parse_us, shown_us
from conurb.systems.transport.objects import Maker, point, some

TERMS: Final = {"parking": "OffStreetParking", "toll": "TollStation"}
_NUMBERS: Final[Mapping[str, Mapping[str, tuple[str, str | None]]]] = {
    "parking": {
        "total": ("totalSpotNumber", None),
        "free": ("availableSpotNumber", None),
    },
    "toll": {"lanes": ("laneOpenNumber", None), "queue_m": ("queueLength", "MTR")},
}


def read_points(body: bytes, maker: Maker) -> list[Entity]:
    """Read the state of car parks and toll stations as objects.

    Raises InvalidRequestError for what isn't JSON, BadRequestDataError naming the member that is
    missing or out of bounds.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"not JSON: {error}") from error
    told = document if isinstance(document, list) else [document]
    return [_object(one, maker) for one in told]


def _object(told: Any, maker: Maker) -> Entity:
    if not isinstance(told, Mapping):
        raise BadRequestDataError(f"{told!r:.80} is not an object")
    for name in ("kind", "id", "lon", "lat", "at"):
        if name not in told:
            raise BadRequestDataError(f"{dict(told)!r:.120}: it needs {name!r}")
    kind = told["kind"]
    if kind not in TERMS:
        raise BadRequestDataError(f"kind: {kind!r} is none of {', '.join(TERMS)}")
    at_us = parse_us(told["at"], name="at")
    lon, lat = _number(told, "lon", low=-180, high=180), _number(told, "lat", low=-90, high=90)
    attrs: dict[str, Instance | None] = {
        "name": some(told.get("name")),
        "location": point(lon, lat),
        "status": some(told.get("status"), at_us=at_us),
        "dateObserved": some(shown_us(at_us), at_us=at_us),
    }
    for name, (term, unit) in _NUMBERS[kind].items():
        if name in told:
            value = _number(told, name, low=0, high=1e7)
            whole = int(value) if value == int(value) else value
            attrs[term] = some(whole, unit=unit, at_us=at_us)
    return maker.make(TERMS[kind], str(told["id"]), attrs)


def _number(told: Mapping[str, Any], name: str, *, low: float, high: float) -> float:
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadRequestDataError(f"{name}: {value!r:.60} is not a number from {low:g} to {high:g}")
    return float(value)
