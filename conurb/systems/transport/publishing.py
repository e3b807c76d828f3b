"""Write what a site holds as the feeds of the standards: GTFS, GTFS-Realtime, SIRI.

Ids in a feed are those of its timetable when one feed is asked for by name; else they are told
apart by owner and feed, and are the same in every standard.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, Final
from urllib.parse import unquote

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.entity import Entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.gtfs import realtime
from conurb.systems.transport.gtfs.export import rows_of, terms_of
from conurb.systems.transport.gtfs.tables import (
    FILES,
    Calendar,
    FeedInfo,
    Row,
    Stop,
)
from conurb.systems.transport.gtfs.writing import write_feed
from conurb.systems.transport.live import Batch, Call
from conurb.systems.transport.live_objects import batch_of
from conurb.systems.transport.network.departures import Departure, departures
from conurb.systems.transport.objects import text_of
from conurb.systems.transport.reading import Reader, read_board
from conurb.systems.transport.siri import reading, writing, xml

FEED_KINDS: Final = ("vehicle-positions", "trip-updates", "alerts", "all")
FRESH_S: Final = 600
"""A vehicle that has been silent for longer isn't in a live feed."""

MONITORED_MINUTES: Final = 60
VISITS_MAX: Final = 100
_HEAD: Final = re.compile(r"urn:ngsi-ld:[A-Za-z]+:")

Shorten = Callable[[str], str]


def shortener(owner: str, feed: str) -> Shorten:
    """Give what makes a feed's id of an object's.

    >>> shortener("sh", "bus")("urn:ngsi-ld:GtfsStop:sh:bus:A%20B"), shortener("sh", "")(
    ...     "urn:ngsi-ld:GtfsStop:sh:bus:A%20B")
    ('A B', 'sh:bus:A B')
    """
    before = f"{owner}:{feed}:" if feed else ""

    def shorten(entity_id: str) -> str:
        return unquote(_HEAD.sub("", entity_id, count=1).removeprefix(before))

    return shorten


def pattern_of(owner: str, feed: str) -> str | None:
    """Give the pattern of the ids of a feed's objects; None for every feed."""
    return f"^urn:ngsi-ld:[A-Za-z]+:{re.escape(owner)}:{re.escape(feed)}:" if feed else None


# ── GTFS ──────────────────────────────────────────────────────────────────────────────────────


async def export_feed(reader: Reader, target: BinaryIO, *, feed: str, url: str) -> dict[str, int]:
    """Write the timetables of a site, or one feed of it, as GTFS; give the rows by file.

    Raises NotFoundError when there is none.
    """
    owner = reader.site.owner
    shorten, pattern = shortener(owner, feed), pattern_of(owner, feed)
    tables: dict[type[Row], Sequence[Row]] = {}
    changed_us = 0
    for table in FILES:
        if table is not FeedInfo:
            found = [one async for one in reader.objects(terms_of(table), pattern=pattern)]
            changed_us = max(changed_us, *(one.modified_at for one in found), 0)
            tables[table] = await asyncio.to_thread(_rows, table, found, shorten)
    if not tables[Stop]:
        what = f"feed {feed!r}" if feed else "timetable"
        raise NotFoundError(f"there is no {what} at {owner}")
    calendars = [one for one in tables[Calendar] if isinstance(one, Calendar)]
    tables[FeedInfo] = [
        FeedInfo(
            feed_publisher_name=f"Conurb, {owner}",
            feed_publisher_url=url,
            feed_lang="zh",
            feed_start_date=min((one.start_date for one in calendars), default=None),
            feed_end_date=max((one.end_date for one in calendars), default=None),
            feed_version=shown_us(changed_us),
            feed_contact_url=url,
        )
    ]
    return await asyncio.to_thread(write_feed, target, tables)


def _rows(table: type[Row], found: Sequence[Entity], shorten: Shorten) -> list[Row]:
    return list(rows_of(table, found, shorten))


# ── live ──────────────────────────────────────────────────────────────────────────────────────


async def _live(reader: Reader, terms: Iterable[str], feed: str) -> Batch:
    """Read what is told live, vehicles that are silent for long left out."""
    owner = reader.site.owner
    pattern = pattern_of(owner, feed)
    found = [one async for one in reader.objects(tuple(terms), pattern=pattern)]
    shorten = shortener(owner, feed)
    batch = await asyncio.to_thread(batch_of, found, platform_terms().compact, shorten)
    since_us = reader.site.now_us() - FRESH_S * 1_000_000
    fresh = tuple(one for one in batch.positions if one.at_us >= since_us)
    return Batch(fresh, batch.calls, batch.notices)


async def live_message(reader: Reader, kind: str, *, feed: str) -> bytes:
    """Write a GTFS-Realtime feed of one kind; raise NotFoundError for a kind there isn't."""
    terms = {
        "vehicle-positions": ("Vehicle",),
        "trip-updates": ("ArrivalEstimation",),
        "alerts": ("Alert",),
        "all": ("Vehicle", "ArrivalEstimation", "Alert"),
    }
    if kind not in terms:
        raise NotFoundError(f"no feed {kind!r}; there are {', '.join(FEED_KINDS)}")
    batch = await _live(reader, terms[kind], feed)
    now_us = reader.site.now_us()
    return await asyncio.to_thread(realtime.write_message, batch, at_us=now_us)


# ── SIRI ──────────────────────────────────────────────────────────────────────────────────────


async def siri_message(reader: Reader, service: str, *, stop: str = "", feed: str = "") -> bytes:
    """Write a delivery of SIRI for a service; raise NotFoundError for one there isn't."""
    sender = writing.Sender(reader.site.owner, reader.site.now_us())
    if service == "sm":
        if not stop:
            raise BadRequestDataError("stop: which one is monitored? give its id")
        return writing.stop_monitoring(sender, stop, await _visits(reader, stop))
    if service == "vm":
        positions = (await _live(reader, ("Vehicle",), feed)).positions
        write = writing.vehicle_monitoring
        return await asyncio.to_thread(write, sender, positions, valid_s=FRESH_S)
    if service == "et":
        calls = (await _live(reader, ("ArrivalEstimation",), feed)).calls
        return await asyncio.to_thread(writing.estimated_timetable, sender, calls)
    if service == "sx":
        notices = (await _live(reader, ("Alert",), feed)).notices
        return writing.situation_exchange(sender, notices)
    raise NotFoundError(f"no SIRI service {service!r}; there are sm, vm, et, sx")


async def _visits(reader: Reader, stop: str) -> list[writing.Visit]:
    board, told = await read_board(reader, stop)
    now_us = reader.site.now_us()
    leaving = departures(
        board,
        told.calls,
        from_us=now_us,
        to_us=now_us + MONITORED_MINUTES * 60 * 1_000_000,
        zone=await reader.zone(),
        limit=VISITS_MAX,
    )
    routes = {
        one.id: text_of(one, "shortName") or text_of(one, "name")
        for one in await reader.many(("GtfsRoute",), (each.route for each in leaving))
    }
    return [_visit(one, stop, routes.get(one.route, ""), now_us) for one in leaving]


def _visit(one: Departure, stop: str, line: str, now_us: int) -> writing.Visit:
    call = Call(
        trip=one.trip,
        stop=stop,
        at_us=now_us,
        sequence=max(one.sequence, 1),
        route=one.route,
        departure_us=one.expected_us,
        departure_delay_s=one.delay_s,
        head_sign=one.head_sign,
        skipped=one.status == "skipped",
        cancelled=one.status == "cancelled",
    )
    return writing.Visit(call, line, one.planned_us)


async def siri_answer(reader: Reader, body: bytes) -> bytes:
    """Answer a request of SIRI: for stops, vehicles, estimated timetables, situations, status.

    What isn't one of these is refused in SIRI's own words. Raises InvalidRequestError when it
    isn't SIRI at all.
    """
    sender = writing.Sender(reader.site.owner, reader.site.now_us())
    message = reading.read(body, at_us=sender.at_us)
    if message.kind == "CheckStatusRequest":
        started_us = int(reader.site.memory.setdefault("started_us", sender.at_us))
        return writing.check_status(sender, started_us=started_us)
    if message.kind != "ServiceRequest":
        return writing.refusal(sender, f"{message.kind} isn't answered here, requests are")
    for name, service in (
        ("StopMonitoringRequest", "sm"),
        ("VehicleMonitoringRequest", "vm"),
        ("EstimatedTimetableRequest", "et"),
        ("SituationExchangeRequest", "sx"),
    ):
        request = next(xml.descendants(message.root, name), None)
        if request is not None:
            stop = xml.text(request, "MonitoringRef")
            try:
                return await siri_message(reader, service, stop=stop)
            except NotFoundError as error:
                return writing.refusal(sender, error.detail, condition="InvalidDataReferencesError")
    return writing.refusal(sender, "the services here are SM, VM, ET and SX")
