"""Read what a site holds, as the values of the pure parts: the edge between store and computing.

Everything is asked through `node.consume` as the caller, so that a region's members answer too and
nobody sees what they may not.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from conurb.errors import NotFoundError, TooComplexQueryError
from conurb.federation.completeness import FederatedAnswer
from conurb.model.entity import Entity
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    Condition,
    OneOf,
    Query,
    Selector,
    TypeAny,
    TypeIs,
    TypeSelection,
    Uri,
    conjunction,
)
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.gtfs.export import rows_of, terms_of
from conurb.systems.transport.gtfs.tables import (
    Agency,
    Calendar,
    CalendarDate,
    Frequency,
    Row,
    StopTime,
    Trip,
)
from conurb.systems.transport.live import Batch
from conurb.systems.transport.live_objects import batch_of
from conurb.systems.transport.network.departures import Board

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.node.consume import Answer
    from conurb.systems.contract import Site

PAGE: Final = 1_000
OBJECTS_MAX: Final = 2_000_000
"""Objects that one question reads, at most."""

ASKED_AT_ONCE: Final = 200
"""Ids in one condition."""

ZONE_DEFAULT: Final = "Asia/Shanghai"

AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(slots=True)
class Heard:
    """Which nodes of a region were asked, and which of them didn't answer and why."""

    asked: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Take in who gave an answer; a node alone says nothing of that."""
        if isinstance(answer, FederatedAnswer):
            self.asked |= set(answer.completeness.asked)
            self.missing |= {one.node: one.reason for one in answer.completeness.missing}

    def listed(self) -> list[dict[str, str]]:
        """List who is missing, for a document."""
        return [{"node": node, "reason": why} for node, why in sorted(self.missing.items())]

    def headers(self) -> dict[str, str]:
        """Give the header by which a region says how many of its nodes answered."""
        if not self.asked:
            return {}
        answered = len(self.asked) - len(self.missing)
        return {"Conurb-Completeness": f"{answered}/{len(self.asked)}"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the objects of a site as a caller. `own` leaves the members of a region out.

    `heard` fills with who answered while it reads.
    """

    site: Site
    caller: Caller
    own: bool = False
    heard: Heard = field(default_factory=Heard, compare=False)

    async def objects(
        self,
        terms: Sequence[str],
        condition: Condition | None = None,
        *,
        pattern: str | None = None,
        at_us: int | None = None,
    ) -> AsyncIterator[Entity]:
        """Stream the objects of some types, by id; raise TooComplexQueryError over the bound."""
        consume = self.site.node.consume
        consume = consume.own if self.own else consume
        size = min(PAGE, self.site.node.bounds.page_max)
        query = Query((Selector(types=_any_of(terms), id_pattern=pattern),), limit=size)
        last: str | None = None
        for _ in range(0, OBJECTS_MAX, size):
            # From id to id: an offset would make the engine count what was read before.
            after = None if last is None else Compare(AttributePath(("id",)), ">", last)
            asked = replace(query, condition=conjunction(condition, after))
            page = await consume.query(self.caller, asked, at_us=at_us)
            self.heard.add(page)
            for entity in page.entities:
                yield entity
            if len(page.entities) < size:
                return
            last = page.entities[-1].id
        raise TooComplexQueryError(f"over {OBJECTS_MAX} objects of {', '.join(terms)}")

    async def listed(
        self, terms: Sequence[str], condition: Condition | None = None
    ) -> list[Entity]:
        """List the objects of some types."""
        return [one async for one in self.objects(terms, condition)]

    async def get(self, entity_id: str) -> Entity:
        """Get an object; raise NotFoundError when there is none."""
        answer = await self.site.node.consume.retrieve(self.caller, entity_id)
        self.heard.add(answer)
        return answer.entities[0]

    async def linked(self, terms: Sequence[str], term: str, ids: Iterable[str]) -> list[Entity]:
        """List the objects of some types that point to one of some objects."""
        found: list[Entity] = []
        for some in _in_parts(ids):
            found += await self.listed(terms, points_to(term, some))
        return found

    async def many(self, terms: Sequence[str], ids: Iterable[str]) -> list[Entity]:
        """List those of some objects that there are."""
        consume = self.site.node.consume
        consume = consume.own if self.own else consume
        found: list[Entity] = []
        for some in _in_parts(ids):
            query = Query((Selector(ids=some, types=_any_of(terms)),), limit=len(some))
            answer = await consume.query(self.caller, query)
            self.heard.add(answer)
            found += answer.entities
        return found

    async def rows(self, table: type[AnyRow], *, pattern: str | None = None) -> list[AnyRow]:
        """List the rows that objects stand for; ids are those of the objects."""
        entities = [one async for one in self.objects(terms_of(table), pattern=pattern)]
        return await asyncio.to_thread(_rows, table, entities)

    async def zone(self) -> ZoneInfo:
        """Give the time zone of the timetables here: that of the first agency."""
        for row in await self.rows(Agency):
            return zone_of(row.agency_timezone)
        return ZoneInfo(ZONE_DEFAULT)


def zone_of(name: str) -> ZoneInfo:
    """Give a time zone by name; the default one for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo(ZONE_DEFAULT)


def points_to(term: str, ids: Sequence[str]) -> Condition:
    """Say that a relationship points to one of some objects."""
    path = AttributePath((platform_terms().expand(term),))
    if len(ids) == 1:
        return Compare(path, "==", Uri(ids[0]))
    return Compare(path, "==", OneOf(tuple(Uri(one) for one in ids)))


def equals(term: str, value: str) -> Condition:
    """Say that an attribute has a value."""
    return Compare(AttributePath((platform_terms().expand(term),)), "==", value)


def _in_parts(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    once = tuple(dict.fromkeys(ids))
    return (once[at : at + ASKED_AT_ONCE] for at in range(0, len(once), ASKED_AT_ONCE))


def _any_of(terms: Sequence[str]) -> TypeSelection:
    types = tuple(TypeIs(platform_terms().expand(term)) for term in terms)
    return types[0] if len(types) == 1 else TypeAny(types)


async def read_board(reader: Reader, stop: str) -> tuple[Board, Batch]:
    """Read what leaves a stop, or a station's stops: the timetable, and what is told live.

    Raises NotFoundError when there is no such stop.
    """
    place = await reader.get(stop)
    kinds = {platform_terms().compact(iri) for iri in place.types}
    if not kinds & set(terms_of_stop()):
        raise NotFoundError(f"{stop!r} is a {', '.join(sorted(kinds))}, not a stop")
    platforms = await reader.listed(("GtfsStop",), points_to("hasParentStation", [stop]))
    stops = [stop, *(one.id for one in platforms)]
    calls = _rows(StopTime, await reader.linked(("GtfsStopTime",), "hasStop", stops))
    trips = _rows(Trip, await reader.many(("GtfsTrip",), (one.trip_id for one in calls)))
    services = [one.service_id for one in trips]
    ends = await _last_calls(reader, {one.trip_id for one in calls if one.pickup_type is None})
    calls = [one for one in calls if ends.get(one.trip_id, -1) != one.stop_sequence]
    repeated = _rows(
        Frequency, await reader.linked(("GtfsFrequency",), "hasTrip", (t.trip_id for t in trips))
    )
    board = Board(
        calls,
        {one.trip_id: one for one in trips},
        _rows(Calendar, await reader.linked(("GtfsCalendarRule",), "hasService", services)),
        _rows(CalendarDate, await reader.linked(("GtfsCalendarDateRule",), "hasService", services)),
        repeated,
        await _first_calls(reader, [one.trip_id for one in repeated]),
    )
    told = await reader.linked(("ArrivalEstimation",), "hasTrip", board.trips)
    return board, batch_of(told, platform_terms().compact, str)


def terms_of_stop() -> tuple[str, ...]:
    """Give the types of what one can wait at."""
    return ("GtfsStop", "GtfsStation")


def _rows(table: type[AnyRow], entities: Iterable[Entity]) -> list[AnyRow]:
    rows: list[AnyRow] = list(rows_of(table, entities, str))  # type: ignore[arg-type]
    return rows


async def _last_calls(reader: Reader, trips: Iterable[str]) -> dict[str, int]:
    """Give the sequence of the last call of trips, at which nobody gets on."""
    last: dict[str, int] = {}
    for call in _rows(StopTime, await reader.linked(("GtfsStopTime",), "hasTrip", trips)):
        last[call.trip_id] = max(last.get(call.trip_id, 0), call.stop_sequence)
    return last


async def _first_calls(reader: Reader, trips: Sequence[str]) -> dict[str, int]:
    """Give when repeated trips set out at their first stop, as their pattern has it."""
    calls: defaultdict[str, list[StopTime]] = defaultdict(list)
    found = await reader.linked(("GtfsStopTime",), "hasTrip", trips)
    for call in _rows(StopTime, found):
        calls[call.trip_id].append(call)
    return {
        trip: min(members, key=lambda one: one.stop_sequence).departure_time or 0
        for trip, members in calls.items()
    }
