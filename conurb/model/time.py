"""Time: microseconds since the epoch (UTC) inside, ISO 8601 at the edges, and the stamps of a node.

Two forms exist inside: `int` microseconds, where the engine compares and orders, and the
fixed-width text `YYYY-MM-DDTHH:MM:SS.ffffffZ` in an instance document, whose text order is time
order. Input may carry any offset; output is UTC with the fraction only where there is one
(ETSI GS CIM 009, clause 4.6.3).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from conurb.errors import BadRequestDataError

US_PER_S: Final = 1_000_000
BEGINNING: Final = -(2**62)
"""'Always': the time from which a statement without `observedAt` holds (see docs/decisions)."""

MOMENTS_MAX: Final = 8192
"""Moments that are remembered in both forms: the instances of a batch speak of few moments."""

PLAIN_LENGTH_MAX: Final = 27
"""Characters of a date-time in UTC to the microsecond."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ONE: Final = date(1970, 1, 1).toordinal()
_SECONDS_PER_DAY: Final = 86_400
_US_PER_DAY: Final = _SECONDS_PER_DAY * US_PER_S
_PLAIN: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(\d{1,6}))?Z", re.ASCII
)
"""A date-time in UTC whose time of day is right; what most callers write."""
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)", re.ASCII
)

Clock = Callable[[], int]
"""Gives the present in microseconds since the epoch; injected, so that tests hold it still."""


def system_clock() -> int:
    """Read the machine's clock: microseconds since the epoch."""
    return time.time_ns() // 1000


def parse_us(text: str, *, name: str = "time") -> int:
    """Read an ISO 8601 date-time with offset as microseconds since the epoch.

    Raises BadRequestDataError, naming `name` and the value, when it is anything else.

    >>> parse_us("1970-01-01T00:00:01Z")
    1000000
    """
    match = _DATETIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadRequestDataError(
            f"{name}: {text!r} is not a date-time such as 2026-01-31T08:00:00Z"
        )
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = UTC
    if offset != "Z":
        sign = -1 if offset[0] == "-" else 1
        digits = offset[1:].replace(":", "")
        zone = timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), micro, zone
        )
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise BadRequestDataError(f"{name}: {text!r} is not a date-time: {error}") from error


@lru_cache(maxsize=4096)
def _day_us(day: str) -> int | None:
    """Give the microseconds at which a day `YYYY-MM-DD` begins; None when there is no such day."""
    try:
        return (date.fromisoformat(day).toordinal() - _DAY_ONE) * _US_PER_DAY
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _day_text(days: int) -> str:
    return date.fromordinal(_DAY_ONE + days).isoformat()


@lru_cache(maxsize=MOMENTS_MAX)
def _second_text(seconds: int) -> str:
    """Write a second of UTC; the stamps of a batch are of one or two."""
    days, second = divmod(seconds, _SECONDS_PER_DAY)
    minutes, second = divmod(second, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day_text(days)}T{hour:02d}:{minute:02d}:{second:02d}"


def fixed(us: int) -> str:
    """Write microseconds as the fixed-width text used inside instances.

    >>> fixed(0)
    '1970-01-01T00:00:00.000000Z'
    """
    seconds, micro = divmod(us, US_PER_S)
    return f"{_second_text(seconds)}.{micro:06d}Z"


def parse_fixed(text: str, *, name: str = "time") -> str:
    """Read any ISO 8601 date-time and give it in fixed width.

    Raises BadRequestDataError when it is not one.

    >>> parse_fixed("2026-01-31T08:00:00Z"), parse_fixed("2026-01-31T08:00:00.5+08:00")
    ('2026-01-31T08:00:00.000000Z', '2026-01-31T00:00:00.500000Z')
    """
    short = isinstance(text, str) and len(text) <= PLAIN_LENGTH_MAX
    plain = _plain_fixed(text) if short else None
    return fixed(parse_us(text, name=name)) if plain is None else plain


@lru_cache(maxsize=MOMENTS_MAX)
def _plain_fixed(text: str) -> str | None:
    """Give a plain date-time in fixed width; None for one that isn't plain, or isn't one."""
    match = _PLAIN.fullmatch(text)
    if match is None or _day_us(match[1]) is None:
        return None
    return f"{text[:19]}.{(match[2] or '').ljust(6, '0')}Z"


@lru_cache(maxsize=MOMENTS_MAX)
def fixed_us(text: str) -> int:
    """Read a fixed-width text of ours back as microseconds.

    >>> fixed_us("1970-01-02T00:00:01.000002Z")
    86401000002
    """
    day = _day_us(text[:10])
    if day is None:
        return parse_us(text)
    seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return day + seconds * US_PER_S + int(text[20:26])


def shown(text: str) -> str:
    """Write a fixed-width text as the API gives it: no empty fraction.

    >>> shown("2026-01-31T08:00:00.000000Z"), shown("2026-01-31T08:00:00.250000Z")
    ('2026-01-31T08:00:00Z', '2026-01-31T08:00:00.250Z')
    """
    if text.endswith(".000000Z"):
        return text[:19] + "Z"
    return text[:23] + "Z" if text.endswith("000Z") else text


def shown_us(us: int) -> str:
    """Write microseconds as the API gives a time."""
    return shown(fixed(us))


class Stamps:
    """Strictly increasing stamps of one node: its transaction time and its instance numbers.

    A stamp is the clock's microsecond, or the last one plus one when the clock stands or goes
    back. One operation takes as many consecutive stamps as it writes instances; the first of them
    is its transaction time.
    """

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Clock, last: int = 0) -> None:
        self._clock = clock
        self._last = last

    def take(self, count: int = 1) -> int:
        """Take `count` consecutive stamps and give the first."""
        first = self._clock()
        if first <= self._last:
            first = self._last + 1
        self._last = first + max(count, 1) - 1
        return first

    def take_more(self, count: int) -> None:
        """Take the `count` stamps that follow the last one."""
        self._last += count
