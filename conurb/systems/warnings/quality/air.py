"""The Chinese air quality index (AQI) by HJ 633: sub-indices, primary pollutant, classes.

HJ 633-2026 is in force since 1 March 2026; before that HJ 633-2012 was, by which older figures were
published. The sub-index of a pollutant (IAQI) is linear between the breakpoints of a table and
rounded up to a whole number (2026: table 3, clauses 4.2.4 and 4.2.6; 2012: table 1, 4.2 and 4.3);
the index is the largest of them, and above 50 the pollutants that have it are the primary ones
(2026: 4.3; 2012: 4.4). Concentrations are in ug/m3, of CO in mg/m3; by the standard of 2026 they
are rounded first, to whole numbers and CO to one decimal (4.2.2, GB/T 8170: half to even).

Hourly reports use the one-hour columns; PM2.5 and PM10 have none, so their daily column is used
with the hour's value (2026: 4.2.4; before, the national real-time reports did so since 2013). SO2
above 800 ug/m3 in an hour and O3 above 800 ug/m3 over eight hours have no sub-index by the standard
of 2012, and 200 and 300 by that of 2026 (notes b and c). Above the last breakpoint it is 500.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from conurb.errors import BadRequestDataError

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

Pollutant = Literal["pm25", "pm10", "so2", "no2", "o3", "co"]
Averaging = Literal["hour", "day", "eight_hours"]

POLLUTANTS: Final[tuple[Pollutant, ...]] = ("pm25", "pm10", "so2", "no2", "o3", "co")
INDEX: Final = (0, 50, 100, 150, 200, 300, 400, 500)
INDEX_MAX: Final = 500
PRIMARY_ABOVE: Final = 50

Column = tuple[Pollutant, Averaging]

_GASES: Final[Mapping[Column, tuple[int, ...]]] = {
    ("so2", "day"): (0, 50, 150, 475, 800, 1600, 2100, 2620),
    ("so2", "hour"): (0, 150, 500, 650, 800),
    ("no2", "day"): (0, 40, 80, 180, 280, 565, 750, 940),
    ("no2", "hour"): (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    ("co", "day"): (0, 2, 4, 14, 24, 36, 48, 60),
    ("co", "hour"): (0, 5, 10, 35, 60, 90, 120, 150),
    ("o3", "hour"): (0, 160, 200, 300, 400, 800, 1000, 1200),
    ("o3", "eight_hours"): (0, 100, 160, 215, 265, 800),
}
"""Concentrations of gases at which the sub-index is that of `INDEX`, the same in both standards. A
shorter row ends where the table does."""


def _table(pm25: tuple[int, ...], pm10: tuple[int, ...]) -> dict[Column, tuple[int, ...]]:
    """Complete the table of gases with the two rows of particles, for the day and the hour."""
    of_day: dict[Column, tuple[int, ...]] = {("pm25", "day"): pm25, ("pm10", "day"): pm10}
    of_hour: dict[Column, tuple[int, ...]] = {("pm25", "hour"): pm25, ("pm10", "hour"): pm10}
    return {**_GASES, **of_day, **of_hour}


@dataclass(frozen=True, slots=True)
class Standard:
    """One edition of HJ 633: its table, whether it rounds concentrations, what ends early.

    `beyond` is the sub-index above the end of a row that is shorter than `INDEX`; a column that
    isn't in it has none there.
    """

    name: str
    breakpoints: Mapping[Column, tuple[int, ...]]
    rounds: bool
    beyond: Mapping[Column, int]


HJ_2012: Final = Standard(
    "HJ 633-2012",
    _table(
        pm25=(0, 35, 75, 115, 150, 250, 350, 500),
        pm10=(0, 50, 150, 250, 350, 420, 500, 600),
    ),
    rounds=False,
    beyond={},
)
HJ_2026: Final = Standard(
    "HJ 633-2026",
    _table(
        pm25=(0, 35, 60, 115, 150, 250, 350, 500),
        pm10=(0, 50, 120, 250, 350, 420, 500, 600),
    ),
    rounds=True,
    beyond={("so2", "hour"): 200, ("o3", "eight_hours"): 300},
)
IN_FORCE_US: Final = 1_000_000 * int(
    datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=8))).timestamp()
)
"""From when HJ 633-2026 holds: 1 March 2026 in China."""


@dataclass(frozen=True, slots=True)
class AirClass:
    """One class of table 2: its number (1 to 6), from which index, names, colour (appendix A)."""

    number: int
    index_min: int
    key: str
    name: Mapping[str, str]
    colour: str


CLASSES: Final = (
    AirClass(1, 0, "good", {"zh": "优", "en": "Excellent"}, "#00e400"),
    AirClass(2, 51, "moderate", {"zh": "良", "en": "Good"}, "#ffff00"),
    AirClass(3, 101, "lightlyPolluted", {"zh": "轻度污染", "en": "Lightly polluted"}, "#ff7e00"),
    AirClass(
        4, 151, "moderatelyPolluted", {"zh": "中度污染", "en": "Moderately polluted"}, "#ff0000"
    ),
    AirClass(5, 201, "heavilyPolluted", {"zh": "重度污染", "en": "Heavily polluted"}, "#99004c"),
    AirClass(6, 301, "severelyPolluted", {"zh": "严重污染", "en": "Severely polluted"}, "#7e0023"),
)
"""The classes of both standards (2026: table 1; 2012: table 2), with the colours of appendix A."""


@dataclass(frozen=True, slots=True)
class AirQuality:
    """The index of one place and time: what it is, which pollutants it comes from, all parts.

    `standard` is the name of the standard by which it was computed.
    """

    index: int
    primary: tuple[Pollutant, ...]
    parts: Mapping[Pollutant, int]
    standard: str = HJ_2026.name

    @property
    def of_class(self) -> AirClass:
        """Give the class of the index."""
        return class_of(self.index)


def standard_at(at_us: int) -> Standard:
    """Give the standard that was in force at a time (microseconds since the epoch)."""
    return HJ_2026 if at_us >= IN_FORCE_US else HJ_2012


def sub_index(
    pollutant: Pollutant,
    concentration: float,
    averaging: Averaging = "hour",
    *,
    standard: Standard = HJ_2026,
) -> int | None:
    """Give the IAQI of a concentration; None where the standard gives none.

    Computed exactly, so that a value on a breakpoint has the breakpoint's index. Raises
    BadRequestDataError for a negative concentration or a column that the standard hasn't.

    >>> sub_index("pm25", 48), sub_index("pm25", 60), sub_index("so2", 801)
    (76, 100, 200)
    >>> sub_index("pm25", 48, standard=HJ_2012), sub_index("so2", 801, standard=HJ_2012)
    (67, None)
    """
    column = (pollutant, averaging)
    row = standard.breakpoints.get(column)
    if row is None:
        raise BadRequestDataError(f"{pollutant} over {averaging}: HJ 633 has no such column")
    if not (math.isfinite(concentration) and concentration >= 0):
        raise BadRequestDataError(f"{pollutant}: {concentration} is not a concentration")
    value = Fraction(str(concentration))
    if standard.rounds:
        step = Decimal(1).scaleb(-_decimals(pollutant))
        value = Fraction(Decimal(str(concentration)).quantize(step, ROUND_HALF_EVEN))
    if value > row[-1]:
        return INDEX_MAX if len(row) == len(INDEX) else standard.beyond.get(column)
    above = next(i for i, limit in enumerate(row) if value <= limit)
    if above == 0:
        return 0
    low, high = row[above - 1], row[above]
    slope = Fraction(INDEX[above] - INDEX[above - 1], high - low)
    return math.ceil(slope * (value - low) + INDEX[above - 1])


def _decimals(pollutant: Pollutant) -> int:
    """Give how many decimals of a concentration count (HJ 633-2026, 4.2.2)."""
    return 1 if pollutant == "co" else 0


def air_quality(
    concentrations: Mapping[Pollutant, float], *, standard: Standard = HJ_2026
) -> AirQuality | None:
    """Give the hourly index of the concentrations that there are; None when there are none.

    >>> air_quality({"pm25": 48, "pm10": 63, "o3": 118}).index
    76
    """
    parts: dict[Pollutant, int] = {}
    for pollutant in POLLUTANTS:
        if pollutant in concentrations:
            part = sub_index(pollutant, concentrations[pollutant], standard=standard)
            if part is not None:
                parts[pollutant] = part
    if not parts:
        return None
    index = max(parts.values())
    primary = tuple(one for one, part in parts.items() if part == index > PRIMARY_ABOVE)
    return AirQuality(index, primary, parts, standard.name)


def air_quality_indices(
    concentrations: Mapping[Pollutant, NDArray[float64]], *, standard: Standard = HJ_2026
) -> NDArray[float64]:
    """Give the hourly index of many places at once; NaN where all parts are NaN.

    `concentrations` are arrays of one shape. The same figures as `air_quality`: what is within
    1e-9 of a whole number counts as it, which is far below what any instrument tells apart.
    """
    import numpy as np

    best = None
    for pollutant, values in concentrations.items():
        row = standard.breakpoints[(pollutant, "hour")]
        ends_early = len(row) < len(INDEX)
        beyond = standard.beyond.get((pollutant, "hour"), np.nan)
        right = beyond if ends_early else float(INDEX_MAX)
        known = np.round(values, _decimals(pollutant)) if standard.rounds else values
        part = np.interp(known, row, INDEX[: len(row)], left=np.nan, right=right)
        part = np.where(np.isnan(values), np.nan, part)
        best = part if best is None else np.fmax(best, part)
    if best is None:
        raise BadRequestDataError("no pollutant given")
    indices: NDArray[float64] = np.ceil(best - 1e-9)
    return indices


def class_of(index: int) -> AirClass:
    """Give the class of an index.

    >>> class_of(100).key, class_of(101).key
    ('moderate', 'lightlyPolluted')
    """
    return next(one for one in reversed(CLASSES) if index >= one.index_min)
