"""What leaves a stop: by the timetable, by headway, and as it is told live."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from conurb.systems.transport.gtfs.tables import Calendar, Frequency, StopTime, Trip
from conurb.systems.transport.live import Call
from conurb.systems.transport.network.departures import Board, Departure, departures
from tests.systems.transport.material import NOON_US, small_timetable

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000_000
HOUR = 60 * MINUTE


def board(stop: str) -> Board:
    rows = small_timetable()
    every = list(rows.rows(StopTime))
    return Board(
        [one for one in every if one.stop_id == stop],
        {one.trip_id: one for one in rows.rows(Trip)},
        list(rows.rows(Calendar)),
        (),
        list(rows.rows(Frequency)),
        {"s1": 6 * 3600},
    )


def leaving(
    stop: str, *told: Call, from_us: int = NOON_US, hours: float = 1, limit: int = 50
) -> list[Departure]:
    return departures(
        board(stop),
        told,
        from_us=from_us,
        to_us=from_us + round(hours * HOUR),
        zone=ZONE,
        limit=limit,
    )


def trip(found: list[Departure], name: str) -> Departure:
    return next(one for one in found if one.trip == name)


def test_a_stop_shows_what_leaves_it_in_order() -> None:
    found = leaving("a")
    assert [one.trip for one in found].count("t1") == 1
    assert "t2" not in {one.trip for one in found}
    shuttles = [one for one in found if one.trip == "s1"]
    assert [(one.planned_us - NOON_US) // MINUTE for one in shuttles] == [0, 10, 20, 30, 40, 50]
    assert all(one.assumed and one.status == "assumed" for one in shuttles)
    assert [one.at_us for one in found] == sorted(one.at_us for one in found)
    planned = trip(found, "t1")
    assert (planned.planned_us - NOON_US, planned.status) == (5 * MINUTE, "planned")
    assert len(leaving("a", limit=3)) == 3


def test_a_repeated_trip_leaves_later_stops_later() -> None:
    shuttles = [one for one in leaving("b") if one.trip == "s1"]
    assert [(one.planned_us - NOON_US) // MINUTE for one in shuttles][:2] == [0, 10]
    first = departures(
        board("b"), (), from_us=NOON_US - 7 * HOUR, to_us=NOON_US - 5 * HOUR, zone=ZONE, limit=99
    )
    # It sets out at six and is at the second stop at ten past.
    assert first[0].planned_us == NOON_US - 6 * HOUR + 10 * MINUTE


def test_nothing_leaves_on_a_day_without_service() -> None:
    saturday_us = NOON_US + 5 * 24 * HOUR
    assert leaving("a", from_us=saturday_us) == []


def test_a_late_trip_of_yesterday_is_todays_departure() -> None:
    calendar = board("a").calendars
    call = StopTime(
        trip_id="n", arrival_time=90_600, departure_time=90_600, stop_id="a", stop_sequence=1
    )
    night = Board([call], {"n": Trip(route_id="R", service_id="weekdays", trip_id="n")}, calendar)
    midnight_us = NOON_US + 12 * HOUR
    [one] = departures(
        night, (), from_us=midnight_us, to_us=midnight_us + 2 * HOUR, zone=ZONE, limit=9
    )
    assert one.planned_us == midnight_us + 70 * MINUTE
    assert date.fromtimestamp(NOON_US / 1e6) == date(2026, 6, 1)


def test_before_midnight_what_leaves_after_it_is_shown_too() -> None:
    late_us = NOON_US + 11 * HOUR
    shuttles = [one for one in leaving("a", from_us=late_us, hours=9) if one.trip == "s1"]
    first = min(one.planned_us for one in shuttles if one.planned_us > NOON_US + 12 * HOUR)
    assert first == NOON_US + 18 * HOUR, "the first one of the next day"


def test_what_is_told_of_a_call_is_shown() -> None:
    late = Call("t1", "a", NOON_US, sequence=1, departure_us=NOON_US + 9 * MINUTE)
    one = trip(leaving("a", late), "t1")
    assert (one.expected_us, one.delay_s, one.status) == (NOON_US + 9 * MINUTE, 240, "expected")
    by_stop = Call("t1", "a", NOON_US, departure_delay_s=60)
    assert trip(leaving("a", by_stop), "t1").expected_us == NOON_US + 6 * MINUTE


def test_a_delay_holds_on_along_the_trip_until_another_is_told() -> None:
    first = Call("t1", "a", NOON_US, sequence=1, departure_delay_s=120)
    assert trip(leaving("b", first), "t1").delay_s == 120
    second = Call("t1", "b", NOON_US, sequence=2, departure_delay_s=0)
    assert trip(leaving("b", first, second), "t1").delay_s == 0
    behind = Call("t1", "c 1", NOON_US, sequence=3, departure_delay_s=600)
    assert trip(leaving("b", behind), "t1").expected_us is None


def test_a_delay_of_another_day_is_not_of_this_one() -> None:
    other = Call("t1", "a", NOON_US, sequence=1, day="20260602", departure_delay_s=120)
    assert trip(leaving("a", other), "t1").status == "planned"
    same = Call("t1", "a", NOON_US, sequence=1, day="20260601", departure_delay_s=120)
    assert trip(leaving("a", same), "t1").status == "expected"


def test_a_cancelled_trip_and_a_skipped_stop_say_so() -> None:
    gone = Call("t1", "", NOON_US, cancelled=True)
    assert trip(leaving("b", gone), "t1").status == "cancelled"
    past = Call("t1", "b", NOON_US, sequence=2, skipped=True)
    assert trip(leaving("b", past), "t1").status == "skipped"
    # A stop that is passed over tells nothing of the next.
    assert trip(leaving("c 1", past), "t1").status == "planned"


def test_a_late_trip_leaves_in_the_window_of_when_it_really_leaves() -> None:
    late = Call("t1", "a", NOON_US, sequence=1, departure_us=NOON_US + 90 * MINUTE)
    assert "t1" not in {one.trip for one in leaving("a", late)}
    assert "t1" in {one.trip for one in leaving("a", late, from_us=NOON_US + HOUR)}
