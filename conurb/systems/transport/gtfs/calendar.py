"""Which services run on a day (calendar.txt and calendar_dates.txt)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from conurb.systems.transport.gtfs.tables import Calendar, CalendarDate

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ADDED: Final = 1
REMOVED: Final = 2


def services_on(
    day: date, calendars: Iterable[Calendar], exceptions: Iterable[CalendarDate]
) -> frozenset[str]:
    """Give the ids of the services that run on a day."""
    weekday = DAYS[day.weekday()]
    running = {
        one.service_id
        for one in calendars
        if one.start_date <= day <= one.end_date and getattr(one, weekday)
    }
    for one in exceptions:
        if one.date == day:
            if one.exception_type == ADDED:
                running.add(one.service_id)
            else:
                running.discard(one.service_id)
    return frozenset(running)


def service_day_start_us(day: date, zone: ZoneInfo) -> int:
    """Give noon minus 12 hours of a service day in microseconds: what its times count from.

    That is midnight, but for the two days of a year on which clocks are changed.
    """
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return (round(noon.timestamp()) - 12 * 3600) * 1_000_000


def local_day(at_us: int, zone: ZoneInfo) -> date:
    """Give the calendar day of a moment in a time zone."""
    return datetime.fromtimestamp(at_us / 1_000_000, zone).date()


def service_days(from_us: int, to_us: int, zone: ZoneInfo) -> list[date]:
    """List the service days whose trips may run in a window: its days, and the late ones of the
    day before it.
    """
    first = local_day(from_us, zone) - timedelta(days=1)
    days = (local_day(max(from_us, to_us), zone) - first).days
    return [first + timedelta(days=number) for number in range(days + 1)]
