"""What leaves a stop next: the timetable, and over it what is told live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
    told = {(one.trip, one.day, one.sequence): one for one in live}
    told |= {(one.trip, one.day, None): one for one in told.values() if one.cancelled}
    repeats: defaultdict[str, list[Frequency]] = defaultdict(list)
    for repeated in board.frequencies:
        repeats[repeated.trip_id].append(repeated)
    found: list[Departure] = []
    for day in service_days(from_us, zone):
        running = services_on(day, board.calendars, board.exceptions)
        start_us = service_day_start_us(day, zone)
        name = day.strftime("%Y%m%d")
        for call in board.calls:
            trip = board.trips.get(call.trip_id)
            if trip is None or trip.service_id not in running or call.departure_time is None:
                continue
            head_sign = call.stop_headsign or trip.trip_headsign
            planned = Departure(
                call.trip_id, trip.route_id, head_sign, call.stop_sequence, planned_us=0
            )
            for seconds, assumed in _times(call, repeats.get(call.trip_id), board.first or {}):
                at_us = start_us + seconds * US
                known = None if assumed else told
                leaving = _expected(planned, at_us, known, name, assumed=assumed)
                if from_us <= leaving.at_us < to_us:
                    found.append(leaving)
    return sorted(found, key=lambda leaving: (leaving.at_us, leaving.trip))[:limit]


def _times(
    call: StopTime, repeats: Sequence[Frequency] | None, first: Mapping[str, int]
) -> Iterable[tuple[int, bool]]:
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


def _expected(
    planned: Departure,
    at_us: int,
    told: Mapping[tuple[str, str, int | None], Call] | None,
    day: str,
    *,
    assumed: bool,
) -> Departure:
    """Lay over a planned departure what is told of it, of its day or of no day in particular."""
    call = None
    for key in ((day, planned.sequence), ("", planned.sequence), (day, None), ("", None)):
        call = call or (None if told is None else told.get((planned.trip, *key)))
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
