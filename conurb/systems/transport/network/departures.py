"""What leaves a stop next: the timetable, and over it what is told live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from conurb.systems.transport.gtfs.calendar import (
    service_day_start_us,
    service_days,
    services_on,
)
from conurb.systems.transport.gtfs.tables import (
    Calendar,
    CalendarDate,
    Frequency,
    StopTime,
    Trip,
)
from conurb.systems.transport.live import Call

US: Final = 1_000_000
NO_PICKUP: Final = 1
REPEATS_MAX: Final = 2_000
"""Departures that one frequency gives in a day, at most."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A departure: when it is planned, and when it is expected now.

    `expected_us` is None as long as nobody tells; `assumed` says that the time follows from a
    headway, not from a timetable.
    """

    trip: str
    route: str
    head_sign: str
    sequence: int
    planned_us: int
    expected_us: int | None = None
    delay_s: int | None = None
    status: str = "planned"
    assumed: bool = False

    @property
    def at_us(self) -> int:
        """Give when it leaves as far as is known."""
        return self.planned_us if self.expected_us is None else self.expected_us


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of a stop: its calls, the trips and services they belong to.

    `first` is the time at which each repeated trip sets out at its first stop.
    """

    calls: Sequence[StopTime]
    trips: Mapping[str, Trip]
    calendars: Sequence[Calendar]
    exceptions: Sequence[CalendarDate] = ()
    frequencies: Sequence[Frequency] = ()
    first: Mapping[str, int] | None = None


def departures(
    board: Board,
    live: Iterable[Call],
    *,
    from_us: int,
    to_us: int,
    zone: ZoneInfo,
    limit: int,
) -> list[Departure]:
    """List what leaves between two moments, in order of when it really leaves."""
    told: defaultdict[str, list[Call]] = defaultdict(list)
    for known in live:
        told[known.trip].append(known)
    repeats: defaultdict[str, list[Frequency]] = defaultdict(list)
    for repeated in board.frequencies:
        repeats[repeated.trip_id].append(repeated)
    found: list[Departure] = []
    for day in service_days(from_us, to_us, zone):
        running = services_on(day, board.calendars, board.exceptions)
        start_us = service_day_start_us(day, zone)
        name = day.strftime("%Y%m%d")
        for call in board.calls:
            trip = board.trips.get(call.trip_id)
            if trip is None or trip.service_id not in running or not _can_board(call):
                continue
            head_sign = call.stop_headsign or trip.trip_headsign
            planned = Departure(
                call.trip_id, trip.route_id, head_sign, call.stop_sequence, planned_us=0
            )
            spoken = _spoken(told.get(call.trip_id, ()), call, name)
            for seconds, assumed in _times(call, repeats.get(call.trip_id), board.first or {}):
                at_us = start_us + seconds * US
                leaving = _expected(planned, at_us, None if assumed else spoken, assumed=assumed)
                if from_us <= leaving.at_us < to_us:
                    found.append(leaving)
    return sorted(found, key=lambda leaving: (leaving.at_us, leaving.trip))[:limit]


def _can_board(call: StopTime) -> bool:
    """Whether a trip takes anybody up there: it doesn't where it ends."""
    return call.departure_time is not None and call.pickup_type != NO_PICKUP


def _times(
    call: StopTime, repeats: Sequence[Frequency] | None, first: Mapping[str, int]
) -> Iterator[tuple[int, bool]]:
    """Give the seconds of the day at which a call leaves, and whether a headway says so."""
    departure = call.departure_time or 0
    if repeats is None:
        yield departure, False
        return
    offset = departure - first.get(call.trip_id, departure)
    for one in repeats:
        times = range(one.start_time, one.end_time, max(one.headway_secs, 1))
        for seconds in times[:REPEATS_MAX]:
            yield seconds + offset, not one.exact_times


def _spoken(told: Sequence[Call], call: StopTime, day: str) -> Call | None:
    """Find what is told of a call: of this very one, else the delay of the last one before it.

    A delay holds on along the trip until something else is told (GTFS-Realtime, trip updates).
    """
    mine = [one for one in told if one.day in ("", day)]
    before: Call | None = None
    for one in mine:
        if one.cancelled:
            return one
        by_order = one.sequence is not None
        if one.sequence == call.stop_sequence or (not by_order and one.stop == call.stop_id):
            return one
        earlier = one.sequence is not None and one.sequence < call.stop_sequence
        later = before is None or (one.sequence or 0) > (before.sequence or 0)
        if earlier and later and one.delay_s is not None and not one.skipped:
            before = one
    if before is None:
        return None
    return Call(before.trip, call.stop_id, before.at_us, departure_delay_s=before.delay_s)


def _expected(planned: Departure, at_us: int, call: Call | None, *, assumed: bool) -> Departure:
    """Lay over a planned departure what is told of it."""
    expected_us: int | None = None
    delay_s: int | None = None
    status = "assumed" if assumed else "planned"
    if call is not None:
        status = "cancelled" if call.cancelled else "skipped" if call.skipped else "expected"
        if status == "expected":
            expected_us = call.departure_us or call.arrival_us
            delay_s = call.delay_s
            if expected_us is None and delay_s is not None:
                expected_us = at_us + delay_s * US
            elif expected_us is not None:
                delay_s = (expected_us - at_us) // US
    return Departure(
        planned.trip,
        planned.route,
        planned.head_sign,
        planned.sequence,
        at_us,
        expected_us,
        delay_s,
        status,
        assumed,
    )
