"""Make a feed's rows of objects again: what `gtfs.objects` made, or anybody's by these models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, Final

from conurb.model.entity import Entity
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.gtfs.forms import FORMS, STATION_TYPES
from conurb.systems.transport.gtfs.reading import read_clock
from conurb.systems.transport.gtfs.tables import Row, ShapePoint, Stop, columns_of
from conurb.systems.transport.objects import position_of, target_of, text_of, value_of

Shorten = Callable[[str], str]
"""Gives the id in a feed of an object's id."""


def rows_of(
    table: type[Row], entities: Iterable[Entity], shorten: Shorten, *, language: str = "zh"
) -> Iterator[Row]:
    """Stream the rows of one file out of the objects that stand for them.

    An object that lacks what a row needs gives none. Names come in `language` where they have
    several.
    """
    if table is ShapePoint:
        for entity in entities:
            yield from _shape_points(entity, shorten)
        return
    required = [one.name for one in columns_of(table) if one.required]
    for entity in entities:
        values = _values(table, entity, shorten, language)
        if all(values.get(name) not in (None, "") for name in required):
            yield table(**values)


def terms_of(table: type[Row]) -> tuple[str, ...]:
    """Give the types of the objects that make the rows of one file."""
    if table is Stop:
        return tuple(STATION_TYPES.values())
    return ("GtfsShape",) if table is ShapePoint else (FORMS[table].term,)


def _values(table: type[Row], entity: Entity, shorten: Shorten, language: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column, term, kind in FORMS[table].members:
        if isinstance(kind, str) and kind in _BACK:
            value = value_of(entity, term)
            if kind == "text":
                value = text_of(entity, term, language=language)
            if value not in (None, ""):
                values[column] = _BACK[kind](value)
        else:
            target = target_of(entity, term)
            if target is not None:
                values[column] = shorten(target)
    own = _OWN_ID.get(table.__name__)
    if own is not None:
        values[own] = shorten(entity.id)
    if table is Stop:
        values |= _place(entity)
    return values


def _place(entity: Entity) -> dict[str, Any]:
    position = position_of(entity)
    compact = platform_terms().compact
    kinds = {compact(iri) for iri in entity.types}
    kind = next((code for code, term in STATION_TYPES.items() if term in kinds), 0)
    place: dict[str, Any] = {"location_type": kind}
    if position is not None:
        place["stop_lon"], place["stop_lat"] = position
    return place


def _shape_points(entity: Entity, shorten: Shorten) -> Iterator[Row]:
    line = value_of(entity, "location")
    if not isinstance(line, dict) or line.get("type") != "LineString":
        return
    distances = value_of(entity, "distanceTravelled")
    for number, (lon, lat, *_) in enumerate(line["coordinates"]):
        yield ShapePoint(
            shape_id=shorten(entity.id),
            shape_pt_lat=lat,
            shape_pt_lon=lon,
            shape_pt_sequence=number,
            shape_dist_traveled=distances[number] if isinstance(distances, list) else None,
        )


_OWN_ID: Final = {"Agency": "agency_id", "Stop": "stop_id", "Route": "route_id", "Trip": "trip_id"}

_BACK: Final[dict[str, Callable[[Any], Any]]] = {
    "text": str,
    "number": lambda value: value,
    "flag": int,
    "day": date.fromisoformat,
    "clock": read_clock,
    "code": int,
}
