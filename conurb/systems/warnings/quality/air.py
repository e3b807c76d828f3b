"""The Chinese air quality index (AQI) by HJ 633-2012: sub-indices, primary pollutant, classes.

The sub-index of a pollutant (IAQI) is linear between the breakpoints of table 1 and rounded up to
a whole number (clauses 4.2 and 4.3); the index is the largest of them, and above 50 the pollutants
that have it are the primary ones (clause 4.4). Concentrations are in ug/m3, of CO in mg/m3.

Hourly reports use the one-hour columns; PM2.5 and PM10 have none, so their 24-hour column is used
with the hour's value, as the national real-time reports have done since 2013. By the notes of
table 1, SO2 above 800 ug/m3 in an hour and O3 above 800 ug/m3 over eight hours have no sub-index.
Above the last breakpoint the index is 500.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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

_PM25: Final = (0, 35, 75, 115, 150, 250, 350, 500)
_PM10: Final = (0, 50, 150, 250, 350, 420, 500, 600)

BREAKPOINTS: Final[Mapping[tuple[Pollutant, Averaging], tuple[int, ...]]] = {
    ("so2", "day"): (0, 50, 150, 475, 800, 1600, 2100, 2620),
    ("so2", "hour"): (0, 150, 500, 650, 800),
    ("no2", "day"): (0, 40, 80, 180, 280, 565, 750, 940),
    ("no2", "hour"): (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    ("pm10", "day"): _PM10,
    ("pm10", "hour"): _PM10,
    ("co", "day"): (0, 2, 4, 14, 24, 36, 48, 60),
    ("co", "hour"): (0, 5, 10, 35, 60, 90, 120, 150),
    ("o3", "hour"): (0, 160, 200, 300, 400, 800, 1000, 1200),
    ("o3", "eight_hours"): (0, 100, 160, 215, 265, 800),
    ("pm25", "day"): _PM25,
    ("pm25", "hour"): _PM25,
}
"""Table 1 of HJ 633-2012: concentrations at which the sub-index is that of `INDEX`. A shorter row
ends where the standard gives no sub-index any more."""


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
"""Table 2 of HJ 633-2012, with the colours of its appendix A."""


@dataclass(frozen=True, slots=True)
class AirQuality:
    """The index of one place and time: what it is, which pollutants it comes from, all parts."""

    index: int
    primary: tuple[Pollutant, ...]
    parts: Mapping[Pollutant, int]

    @property
    def of_class(self) -> AirClass:
        """Give the class of the index."""
        return class_of(self.index)


def sub_index(
    pollutant: Pollutant, concentration: float, averaging: Averaging = "hour"
) -> int | None:
    """Give the IAQI of a concentration; None where the standard gives none.

    Computed exactly, so that a value on a breakpoint has the breakpoint's index. Raises
    BadRequestDataError for a negative concentration or a column that the standard hasn't.

    >>> sub_index("pm25", 48), sub_index("pm25", 75), sub_index("so2", 801)
    (67, 100, None)
    """
    row = BREAKPOINTS.get((pollutant, averaging))
    if row is None:
        raise BadRequestDataError(f"{pollutant} over {averaging}: HJ 633-2012 has no such column")
    if not (math.isfinite(concentration) and concentration >= 0):
        raise BadRequestDataError(f"{pollutant}: {concentration} is not a concentration")
    if concentration > row[-1]:
        return INDEX_MAX if len(row) == len(INDEX) else None
    above = next(i for i, value in enumerate(row) if concentration <= value)
    if above == 0:
        return 0
    low, high = row[above - 1], row[above]
    value = Fraction(str(concentration))
    slope = Fraction(INDEX[above] - INDEX[above - 1], high - low)
    return math.ceil(slope * (value - low) + INDEX[above - 1])


def air_quality(concentrations: Mapping[Pollutant, float]) -> AirQuality | None:
    """Give the hourly index of the concentrations that there are; None when there are none.

    >>> air_quality({"pm25": 48, "pm10": 63, "o3": 118}).index
    67
    """
    parts: dict[Pollutant, int] = {}
    for pollutant in POLLUTANTS:
        if pollutant in concentrations:
            part = sub_index(pollutant, concentrations[pollutant])
            if part is not None:
                parts[pollutant] = part
    if not parts:
        return None
    index = max(parts.values())
    primary = tuple(one for one, part in parts.items() if part == index > PRIMARY_ABOVE)
    return AirQuality(index, primary, parts)


def air_quality_indices(concentrations: Mapping[Pollutant, NDArray[float64]]) -> NDArray[float64]:
    """Give the hourly index of many places at once; NaN where all parts are NaN.

    `concentrations` are arrays of one shape. The same figures as `air_quality`: what is within
    1e-9 of a whole number counts as it, which is far below what any instrument tells apart.
    """
    import numpy as np

    best = None
    for pollutant, values in concentrations.items():
        row = BREAKPOINTS[(pollutant, "hour")]
        ends_early = len(row) < len(INDEX)
        right = np.nan if ends_early else float(INDEX_MAX)
        part = np.interp(values, row, INDEX[: len(row)], left=np.nan, right=right)
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
