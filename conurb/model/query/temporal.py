"""Read temporal queries and aggregations (ETSI GS CIM 009 v1.9.1, clauses 4.11 and 4.5.19)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast, get_args

from conurb.errors import BadRequestDataError
from conurb.model.query.tree import (
    Aggregation,
    AggregationMethod,
    TimeProperty,
    TimeRelation,
    TimeWindow,
)
from conurb.model.time import US_PER_S, parse_us

DURATION_US_MAX: Final = 10_000 * 366 * 86_400 * US_PER_S
"""The longest duration: ten thousand years."""

TIME_PROPERTIES: Final = get_args(TimeProperty)
AGGREGATION_METHODS: Final = get_args(AggregationMethod)

_RELATIONS: Final = get_args(TimeRelation)
_NUMBER: Final = r"(\d{1,12}(?:[.,]\d{1,6})?)"
_DURATION: Final = re.compile(
    rf"P(?:{_NUMBER}W|(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}D)?"
    rf"(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)",
    re.ASCII,
)
_UNIT_S: Final = (7 * 86_400, None, None, 86_400, 3_600, 60, 1)
"""Seconds of each part of a duration; None for the calendar's years and months."""


def parse_window(
    *,
    timerel: str | None,
    time_at: str | None,
    end_time_at: str | None = None,
    timeproperty: str | None = None,
) -> TimeWindow:
    """Read a temporal query; without `timerel` it is all of history.

    Raises BadRequestDataError naming the parameter.
    """
    name = timeproperty or "observedAt"
    if name not in TIME_PROPERTIES:
        raise BadRequestDataError(
            f"timeproperty: {name!r:.60} is none of {', '.join(TIME_PROPERTIES)}"
        )
    if timerel is None:
        if time_at is not None or end_time_at is not None:
            raise BadRequestDataError("timerel is missing: timeAt and endTimeAt need it")
        return TimeWindow(cast(TimeProperty, name))
    if timerel not in _RELATIONS:
        raise BadRequestDataError(f"timerel: {timerel!r:.60} is none of {', '.join(_RELATIONS)}")
    if time_at is None:
        raise BadRequestDataError(f"timeAt is missing: timerel={timerel} needs it")
    at_us = parse_us(time_at, name="timeAt")
    end_us = None
    if timerel == "between":
        if end_time_at is None:
            raise BadRequestDataError("endTimeAt is missing: timerel=between needs it")
        end_us = parse_us(end_time_at, name="endTimeAt")
        if end_us <= at_us:
            raise BadRequestDataError(
                f"endTimeAt: {end_time_at} is not after timeAt {time_at}; nothing can match"
            )
    elif end_time_at is not None:
        raise BadRequestDataError(f"endTimeAt goes with timerel=between only, not with {timerel}")
    return TimeWindow(cast(TimeProperty, name), cast(TimeRelation, timerel), at_us, end_us)


def parse_duration(text: str, *, name: str = "duration") -> tuple[int, int]:
    """Read an ISO 8601 duration as (months, microseconds): its calendar and its exact part.

    `PnYnMnDTnHnMnS` or `PnW`; the least unit may have a fraction, years and months none. Raises
    BadRequestDataError naming `name` when it is anything else or over ten thousand years.

    >>> parse_duration("P1Y2M"), parse_duration("PT1H0.5S")
    ((14, 0), (0, 3600500000))
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    parts = match.groups() if match else ()
    given = [part for part in parts if part is not None]
    fractions = [part for part in given if not part.isdigit()]
    if (
        not given
        or text.endswith("T")
        or any(part in fractions for part in parts[1:3])
        or (fractions and fractions != given[-1:])
    ):
        raise BadRequestDataError(
            f"{name}: {text!r:.60} is not an ISO 8601 duration such as P1M, P1DT12H or PT0S"
        )
    months = int(parts[1] or 0) * 12 + int(parts[2] or 0)
    total_us = 0
    for part, seconds in zip(parts, _UNIT_S, strict=True):
        if part is not None and seconds is not None:
            whole, _, fraction = part.replace(",", ".").partition(".")
            micro = int(whole) * US_PER_S + int(fraction.ljust(6, "0") or 0)
            total_us += micro * seconds
    if total_us + months * 31 * 86_400 * US_PER_S > DURATION_US_MAX:
        raise BadRequestDataError(f"{name}: {text!r:.60} is over ten thousand years")
    return months, total_us


def parse_aggregation(methods: Sequence[str], period: str | None) -> Aggregation:
    """Read aggrMethods and aggrPeriodDuration (clause 4.5.19.1); each method counts once.

    Raises BadRequestDataError naming the parameter.
    """
    if not methods:
        raise BadRequestDataError(
            f"aggrMethods is missing: some of {', '.join(AGGREGATION_METHODS)}"
        )
    for method in methods:
        if method not in AGGREGATION_METHODS:
            raise BadRequestDataError(
                f"aggrMethods: {method!r:.60} is none of {', '.join(AGGREGATION_METHODS)}"
            )
    months, us = (0, 0) if period is None else parse_duration(period, name="aggrPeriodDuration")
    chosen = cast("tuple[AggregationMethod, ...]", tuple(dict.fromkeys(methods)))
    return Aggregation(chosen, months, us)
