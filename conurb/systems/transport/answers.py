"""Answers to questions about transport: departures, travel times, dead ends, how it all is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson

from conurb.errors import BadRequestDataError
from conurb.model.entity import Entity
from conurb.model.time import parse_us, shown_us
from conurb.systems.contract import Asked, Response
from conurb.systems.transport.network.departures import Departure, departures
from conurb.systems.transport.network.graph import BY
from conurb.systems.transport.objects import is_marked, text_of, value_of
from conurb.systems.transport.reading import Heard, Reader, read_board
from conurb.systems.transport.regional import Built, network_at

MINUTES_MAX: Final = 24 * 60
LIMIT_MAX: Final = 1_000
GAPS_MAX: Final = 10_000


def _json(document: Mapping[str, Any], heard: Heard) -> Response:
    """Answer with a document, and who of a region is missing from it."""
    told = {**document, "missing": heard.listed()}
    return Response(orjson.dumps(told), headers=heard.headers())


def _number(asked: Asked, name: str, *, low: float, high: float, default: float | None) -> float:
    said = asked.params.get(name)
    if said is None and default is not None:
        return default
    try:
        value = float(said or "")
    except ValueError as error:
        raise BadRequestDataError(f"{name}: {said!r} is not a number") from error
    if not (math.isfinite(value) and low <= value <= high):
        raise BadRequestDataError(f"{name}: {said} is not from {low:g} to {high:g}")
    return value


def _by(asked: Asked, default: str) -> str:
    by = asked.params.get("by", default)
    if by not in BY:
        raise BadRequestDataError(f"by: {by!r} is none of {', '.join(BY)}")
    return by


def _needed(asked: Asked, name: str) -> str:
    said = asked.params.get(name)
    if not said:
        raise BadRequestDataError(f"{name}: a value is needed")
    return said


async def _built(asked: Asked) -> Built:
    said = asked.params.get("day")
    try:
        day = date.fromisoformat(said) if said else None
    except ValueError as error:
        raise BadRequestDataError(f"day: {said!r} is not a day such as 2026-01-31") from error
    return await network_at(asked.site, asked.caller, day)


async def departures_at(asked: Asked) -> Response:
    """List what leaves a stop next."""
    stop = _needed(asked, "stop")
    minutes = _number(asked, "minutes", low=1, high=MINUTES_MAX, default=60)
    limit = int(_number(asked, "limit", low=1, high=LIMIT_MAX, default=50))
    said = asked.params.get("from")
    from_us = parse_us(said, name="from") if said else asked.site.now_us()
    reader = Reader(asked.site, asked.caller)
    board, told = await read_board(reader, stop)
    found = departures(
        board,
        told.calls,
        from_us=from_us,
        to_us=from_us + round(minutes * 60) * 1_000_000,
        zone=await reader.zone(),
        limit=limit,
    )
    routes = {
        one.id: one for one in await reader.many(("GtfsRoute",), (each.route for each in found))
    }
    document = {"stop": stop, "departures": [_departure(one, routes) for one in found]}
    return _json(document, reader.heard)


def _departure(one: Departure, routes: Mapping[str, Entity]) -> dict[str, Any]:
    route = routes.get(one.route)
    line = "" if route is None else text_of(route, "shortName") or text_of(route, "name")
    return {
        "line": line,
        "headSign": one.head_sign,
        "planned": shown_us(one.planned_us),
        "expected": None if one.expected_us is None else shown_us(one.expected_us),
        "delay": one.delay_s,
        "status": one.status,
        "trip": one.trip,
        "route": one.route,
    }


async def matrix_of_cities(asked: Asked) -> Response:
    """Give the travel times between the cities of the region."""
    from conurb.systems.transport.network.reach import matrix

    by = _by(asked, "any")
    built = await _built(asked)
    found = await asyncio.to_thread(matrix, built.network, built.cities, by=by)
    return _json(
        {
            **_about(built, by),
            "cities": list(found.ids),
            "seconds": [_seconds(row) for row in found.seconds.tolist()],
            "estimated": found.estimated.tolist(),
        },
        built.heard,
    )


def _about(built: Built, by: str) -> dict[str, Any]:
    return {
        "by": by,
        "day": built.day.isoformat(),
        "asOf": shown_us(built.built_us),
        "stops": built.stops,
        "trips": built.trips,
    }


def _seconds(row: Sequence[float]) -> list[int | None]:
    return [round(one) if math.isfinite(one) else None for one in row]


async def isochrone_around(asked: Asked) -> Response:
    """Give what can be reached from a place within some minutes, as GeoJSON."""
    from conurb.systems.transport.network.reach import isochrone

    lon = _number(asked, "lon", low=-180, high=180, default=None)
    lat = _number(asked, "lat", low=-85, high=85, default=None)
    said = asked.params.get("minutes", "15,30,45,60")
    try:
        minutes = [int(one) for one in said.split(",")]
    except ValueError as error:
        raise BadRequestDataError(f"minutes: {said!r} is not such as 15,30") from error
    by = _by(asked, "transit")
    built = await _built(asked)
    bands = await asyncio.to_thread(
        isochrone, built.network, lon=lon, lat=lat, minutes=minutes, by=by
    )
    features = [
        {
            "type": "Feature",
            "properties": {"minutes": one.minutes, "stops": one.stops},
            "geometry": one.area,
        }
        for one in reversed(bands)
    ]
    document = {
        "type": "FeatureCollection",
        **_about(built, by),
        "missing": built.heard.listed(),
        "features": features,
    }
    media = "application/geo+json"
    return Response(orjson.dumps(document), media, headers=built.heard.headers())


async def way_between(asked: Asked) -> Response:
    """Give the fastest way from one city or stop to another, step by step."""
    from conurb.systems.transport.network.reach import path

    start, end, by = _needed(asked, "from"), _needed(asked, "to"), _by(asked, "any")
    built = await _built(asked)
    steps = await asyncio.to_thread(path, built.network, start, end, by=by)
    return _json(
        {
            **_about(built, by),
            "seconds": round(steps[-1][2]) if steps else None,
            "steps": [_step(*one) for one in steps],
        },
        built.heard,
    )


def _step(node: str, mode: str, seconds: float) -> dict[str, Any]:
    """Say one step: at a stop or a city, or aboard a route's vehicle."""
    route, aboard, _ = node.partition("/") if "#" in node else (node, "", "")
    place = {"aboard": route} if aboard else {"at": node}
    return {**place, "by": mode, "seconds": round(seconds)}


async def dead_ends(asked: Asked) -> Response:
    """List the dead-end roads that were found, the costliest first."""
    limit = int(_number(asked, "limit", low=1, high=LIMIT_MAX, default=100))
    found = []
    reader = Reader(asked.site, asked.caller)
    async for entity in reader.objects(("RoadGap",)):
        found.append(entity)
        if len(found) >= GAPS_MAX:
            break
    found.sort(key=lambda one: (-(value_of(one, "gapScore") or 0), one.id))
    document = {"count": len(found), "gaps": [_gap(one) for one in found[:limit]]}
    return _json(document, reader.heard)


def _gap(entity: Entity) -> dict[str, Any]:
    return {
        "id": entity.id,
        "name": text_of(entity, "name"),
        "gapLength": value_of(entity, "gapLength"),
        "detourLength": value_of(entity, "detourLength"),
        "peopleServed": value_of(entity, "peopleServed"),
        "gapScore": value_of(entity, "gapScore"),
        "connects": value_of(entity, "connects") or [],
        "location": value_of(entity, "location"),
        "note": text_of(entity, "note"),
    }


_COUNTED: Final = {
    "roads": ("TrafficFlowObserved", "trafficState"),
    "vehicles": ("Vehicle", "location"),
    "carParks": ("OffStreetParking", "availableSpotNumber"),
    "tollStations": ("TollStation", "queueLength"),
}


async def state(asked: Asked) -> Response:
    """Say how roads, vehicles, car parks and toll stations are now: the whole on one page."""
    reader = Reader(asked.site, asked.caller)
    now_us = asked.site.now_us()
    document: dict[str, Any] = {"at": shown_us(now_us)}
    for name, (term, attribute) in _COUNTED.items():
        entities = await reader.listed((term,))
        document[name] = _summary(entities, attribute)
    document["disruptions"] = sum(
        text_of(one, "category") == "traffic" for one in await reader.listed(("Alert",))
    )
    return _json(document, reader.heard)


def _summary(entities: Sequence[Entity], attribute: str) -> dict[str, Any]:
    told = {"count": len(entities)}
    for mark in ("replayed", "simulated"):
        told[mark] = sum(is_marked(one, attribute, mark) for one in entities)
    values = [value_of(one, attribute) for one in entities]
    if attribute == "trafficState":
        states = sorted({one for one in values if isinstance(one, str)})
        return {**told, "states": {one: values.count(one) for one in states}}
    numbers = [one for one in values if isinstance(one, int | float)]
    return {**told, "total": sum(numbers)} if numbers else told
