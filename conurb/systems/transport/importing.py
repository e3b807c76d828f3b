"""Bring timetables and roads into nodes: out of files, and out of recordings at the start."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from conurb.model.entity import Entity
from conurb.model.vocabulary import platform_terms
from conurb.store.contract import Document
from conurb.systems.transport.deadends.roads import RoadLine
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.objects import Maker, geometry, names, some
from conurb.systems.transport.observing import Observe
from conurb.systems.transport.sources import metro, rail

if TYPE_CHECKING:
    from conurb.regions.pack import Pack
    from conurb.store.contract import Store

BATCH: Final = 1_000
KIND: Final = "transport-import"
FORM: Final = 1
"""Number of the form in which files become objects; another one brings them in anew."""

METRO_FEED: Final = "metro"
RAIL_FEED: Final = "rail"
LINES_FILE: Final = "metro/yrd_metro_lines_wgs84.geojson"
STATIONS_FILE: Final = "metro/yrd_metro_stations_wgs84.geojson"
TRAINS_FILE: Final = "rail/thaddywu_schedulers.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Objects for one owner: a tenant of a region's process, None for the region itself."""

    tenant: str | None
    title: str
    objects: Iterable[Entity]


def metro_objects(network: metro.Network, maker: Maker, days: tuple[date, date]) -> list[Entity]:
    """Make the objects of a city's metro; stations have their names in both languages."""
    rows = metro.timetable(network, metro.Assumptions(*days))
    english = {maker.urn("GtfsStop", one.id): one for one in network.stations}
    objects = list(objects_of(rows, maker, assumed=metro.ASSUMED))
    for entity in objects:
        station = english.get(entity.id)
        said = None if station is None else names(zh=station.zh, en=station.en)
        if said is not None:
            entity.attrs[platform_terms().expand("name")] = [said]
    return objects


def metro_bundles(
    lines: Path, stations: Path, pack: Pack, days: tuple[date, date]
) -> Iterator[Bundle]:
    """Give the metro of each city that is in the pack, for the city's own node."""
    cities = {city.code: city.id for city in pack.cities}
    for network in metro.read_networks(lines, stations):
        city = cities.get(network.adcode)
        if city is not None:
            maker = Maker(city, metro.SOURCE, METRO_FEED)
            yield Bundle(city, network.city, metro_objects(network, maker, days))


def rail_bundle(trains: Path, pack: Pack, owner: str, days: tuple[date, date]) -> Bundle:
    """Give the trains between the cities of a pack, for the region's node."""
    places = {
        city.name["zh"].removesuffix("市"): rail.Place(
            city.id, city.name["zh"], city.name["en"], *city.centre
        )
        for city in pack.cities
    }
    rows = rail.read_timetable(trains, places, start=days[0], end=days[1])
    maker = Maker(owner, rail.SOURCE, RAIL_FEED)
    return Bundle(None, pack.definition.name["en"], list(objects_of(rows, maker)))


def road_objects(roads: Iterable[RoadLine], maker: Maker) -> Iterator[Entity]:
    """Make the objects of road lines."""
    for road in roads:
        line = {"type": "LineString", "coordinates": [list(point) for point in road.path]}
        yield maker.make(
            "RoadSegment",
            road.id,
            {
                "name": some(road.name),
                "code": some(road.ref),
                "roadClass": some(road.road_class),
                "oneway": some(road.oneway or None),
                "location": geometry(line),
            },
        )


def service_span(today: date) -> tuple[date, date]:
    """Give the days for which a timetable without dates is taken to hold: this year and the next.

    >>> service_span(date(2026, 11, 22))
    (datetime.date(2026, 1, 1), datetime.date(2027, 12, 31))
    """
    return date(today.year, 1, 1), date(today.year + 1, 12, 31)


def day_of(at_us: int, zone: str = "Asia/Shanghai") -> date:
    """Give the day of a moment."""
    return datetime.fromtimestamp(at_us / 1_000_000, ZoneInfo(zone)).date()


async def write_once(
    store: Store, name: str, files: Iterable[Path], make: Callable[[], Iterable[Entity]]
) -> int:
    """Write what files hold unless they were written as they are; give how many objects there are.

    What is there already and is the same isn't written again.
    """
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.name}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    body: Mapping[str, object] = {"digest": digest.hexdigest(), "form": FORM}
    known = await store.find_document(KIND, name)
    if known is not None and dict(known.body) == body:
        return 0
    count = 0
    objects = await asyncio.to_thread(lambda: list(make()))
    for batch in batches(objects):
        await store.apply([Observe(one) for one in batch])
        count += len(batch)
    await store.put_document(Document(KIND, name, body))
    return count


def batches(objects: Iterable[Entity]) -> Iterator[list[Entity]]:
    """Give objects in parts that are written together."""
    part: list[Entity] = []
    for one in objects:
        part.append(one)
        if len(part) >= BATCH:
            yield part
            part = []
    if part:
        yield part
