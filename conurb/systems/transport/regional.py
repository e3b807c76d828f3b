"""The network of a site: built of its objects, kept for a while, built anew when they may differ.

A region's site sees the objects of its members, so its network crosses their borders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from conurb.model.entity import Entity, instance_value
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.deadends.roads import Area, RoadLine
from conurb.systems.transport.gtfs.calendar import local_day, services_on
from conurb.systems.transport.gtfs.tables import (
    Calendar,
    CalendarDate,
    Frequency,
    Stop,
    StopTime,
    Trip,
)
from conurb.systems.transport.network.building import (
    CityPlace,
    RoadPiece,
    Service,
    add_cities,
    add_roads,
    add_service,
    add_walks,
)
from conurb.systems.transport.network.graph import Builder, Network
from conurb.systems.transport.objects import is_marked, target_of, text_of, value_of
from conurb.systems.transport.reading import Heard, Reader

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.systems.contract import Site

LIFE_S: Final = 300.0
"""How long a network is used before it is built anew."""

LIFE_IN_PART_S: Final = 20.0
"""The same for one that lacks a member's objects: it may answer again soon."""

STALE_S: Final = 3_600.0
"""How old a network may be to answer who asks while the next one is built."""

NETWORKS_MAX: Final = 8
"""Networks kept at a site: of several days, of callers who may see different things."""

CENTRE: Final = "urn:ngsi-ld:dataset:region-pack:centre"
"""Names the instance of a city's location that is its centre point."""


@dataclass(frozen=True, slots=True)
class Built:
    """A network, the cities in it, when it was built, and the day whose services it holds.

    `heard` says whose objects it was built of.
    """

    network: Network
    cities: tuple[str, ...]
    built_us: int
    day: date
    stops: int
    trips: int
    heard: Heard


async def network_at(site: Site, caller: Caller, day: date | None = None) -> Built:
    """Give the network of a site on a day (today).

    It is as of `LIFE_S` ago at most; when it has become older, whoever asks starts the next one and
    is answered by what there is, up to `STALE_S` old, until that is built. Only a network of which
    no node was missing is kept so.
    """
    reader = Reader(site, caller)
    today = day or local_day(site.now_us(), await reader.zone())
    kept: dict[Any, asyncio.Task[Built]] = site.memory.setdefault("networks", {})
    older: dict[Any, Built] = site.memory.setdefault("networks-before", {})
    key = (today, caller.restriction)
    now_us = site.now_us()
    task = kept.get(key)
    if task is None or (task.done() and not _is_usable(task, now_us)):
        if task is not None and _is_good(task) and not task.result().heard.missing:
            older[key] = task.result()
        while len(kept) >= NETWORKS_MAX:
            kept.pop(next(iter(kept)))
        # Whoever asks first may go away; those who ask meanwhile wait for the same build.
        task = kept[key] = asyncio.create_task(_build(reader, today))
    before = older.get(key)
    if before is not None and not task.done() and now_us - before.built_us <= STALE_S * 1_000_000:
        return before
    for gone in [one for one in older if one == key or one not in kept]:
        del older[gone]
    return await asyncio.shield(task)


def _is_usable(task: asyncio.Task[Built], now_us: int) -> bool:
    """Whether a build went well and isn't old yet."""
    if not _is_good(task):
        return False
    built = task.result()
    life_s = LIFE_IN_PART_S if built.heard.missing else LIFE_S
    return now_us - built.built_us <= life_s * 1_000_000


def _is_good(task: asyncio.Task[Built]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def figures_of(site: Site) -> dict[str, float]:
    """Give the size of the network that was built last; nothing before the first."""
    kept: dict[Any, asyncio.Task[Built]] = site.memory.get("networks", {})
    built = [one.result() for one in kept.values() if _is_good(one)]
    if not built:
        return {}
    last = max(built, key=lambda one: one.built_us)
    return {"stops": last.stops, "trips": last.trips, "nodes": len(last.network.ids)}


async def _build(reader: Reader, day: date) -> Built:
    running = services_on(day, await reader.rows(Calendar), await reader.rows(CalendarDate))
    trips = [one for one in await reader.rows(Trip) if one.service_id in running]
    service = Service(
        await reader.rows(Stop),
        trips,
        await reader.rows(StopTime) if trips else (),
        await reader.rows(Frequency),
    )
    cities = await cities_of(reader)
    pieces = await _pieces(reader)
    network = await asyncio.to_thread(_network, service, pieces, cities)
    return Built(
        network,
        tuple(city.id for city in cities),
        reader.site.now_us(),
        day,
        len(service.stops),
        len(trips),
        reader.heard,
    )


def _network(service: Service, pieces: Sequence[RoadPiece], cities: Sequence[CityPlace]) -> Network:
    builder = Builder()
    add_service(builder, service)
    add_walks(builder)
    add_roads(builder, pieces)
    add_cities(builder, cities)
    return builder.network()


async def cities_of(reader: Reader) -> list[CityPlace]:
    """List the cities that the site knows, with centre and boundary."""
    places = [_city(one) for one in await reader.listed(("City",))]
    return [one for one in places if one is not None]


def _city(entity: Entity) -> CityPlace | None:
    location = platform_terms().expand("location")
    centre = entity.instance(location, CENTRE)
    shape = value_of(entity, "location")
    if centre is None or not isinstance(shape, dict):
        return None
    lon, lat = instance_value(centre)["coordinates"][:2]
    boundary = shape if shape.get("type") in ("Polygon", "MultiPolygon") else None
    return CityPlace(entity.id, lon, lat, boundary)


async def _pieces(reader: Reader) -> list[RoadPiece]:
    """List the roads, each at the speed that was observed on it last, or that is allowed."""
    speeds = {
        road: value_of(flow, "averageVehicleSpeed")
        async for flow in reader.objects(("TrafficFlowObserved",))
        if (road := target_of(flow, "refRoadSegment")) is not None
    }
    return [
        RoadPiece(
            entity.id,
            path,
            speeds.get(entity.id) or value_of(entity, "maximumAllowedSpeed"),
            value_of(entity, "oneway") is True,
        )
        for entity in await reader.listed(("RoadSegment",))
        for path in paths_of(entity)
    ]


def paths_of(entity: Entity) -> Iterable[tuple[tuple[float, float], ...]]:
    """Give the lines of an object's location."""
    shape = value_of(entity, "location")
    if not isinstance(shape, dict):
        return ()
    kind = shape.get("type")
    if kind not in ("LineString", "MultiLineString"):
        return ()
    lines = shape["coordinates"] if kind == "MultiLineString" else [shape["coordinates"]]
    return [tuple((point[0], point[1]) for point in line) for line in lines]


async def roads_of(reader: Reader) -> list[RoadLine]:
    """List the roads as lines, for what is sought in their shape.

    What is replayed or simulated is left out: where it is drawn is estimated.
    """
    return [
        RoadLine(
            entity.id if len(paths) == 1 else f"{entity.id}-{number}",
            path,
            name=text_of(entity, "name"),
            ref=text_of(entity, "code"),
            road_class=text_of(entity, "roadClass"),
            oneway=value_of(entity, "oneway") is True,
        )
        for entity in await reader.listed(("RoadSegment",))
        if not any(is_marked(entity, "location", mark) for mark in ("replayed", "simulated"))
        for paths in [list(paths_of(entity))]
        for number, path in enumerate(paths)
    ]


async def areas_of(reader: Reader) -> list[Area]:
    """List the cities as areas, with how many people live there."""
    areas = []
    for entity in await reader.listed(("City",)):
        shape = value_of(entity, "location")
        if isinstance(shape, dict) and shape.get("type") in ("Polygon", "MultiPolygon"):
            people = value_of(entity, "population")
            name = text_of(entity, "name", language="en")
            areas.append(Area(entity.id, name, shape, people))
    return areas
