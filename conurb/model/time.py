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
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from conurb.errors import BadRequestDataError

US_PER_S: Final = 1_000_000
BEGINNING: Final = -(2**62)
"""'Always': the time from which a statement without `observedAt` holds (see docs/decisions)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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


def fixed(us: int) -> str:
    """Write microseconds as the fixed-width text used inside instances.

    >>> fixed(0)
    '1970-01-01T00:00:00.000000Z'
    """
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0") + f"{moment.microsecond:06d}Z"


def parse_fixed(text: str, *, name: str = "time") -> str:
    """Read any ISO 8601 date-time and give it in fixed width.

    Raises BadRequestDataError when it is not one.
    """
    if (
        isinstance(text, str)
        and len(text) == 20
        and text[19] == "Z"
        and _DATETIME.fullmatch(text)
        and text[8:10] <= "28"
        and "01" <= text[5:7] <= "12"
        and text[8:10] >= "01"
        and text[11:13] <= "23"
        and text[14:16] <= "59"
        and text[17:19] <= "59"
        and text[:4] >= "0001"
    ):
        return text[:19] + ".000000Z"
    return fixed(parse_us(text, name=name))


def fixed_us(text: str) -> int:
    """Read a fixed-width text of ours back as microseconds."""
    return parse_us(text)


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
        first = max(self._clock(), self._last + 1)
        self._last = first + max(count, 1) - 1
        return first
