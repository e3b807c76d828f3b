"""Classes of surface water by GB 3838-2002, table 1.

The class of a water is that of its worst item (clause 5.1). The platform's items are those that are
measured continuously in China; limits are in mg/l, of faecal coliforms in 1/l. Total phosphorus has
limits of its own for lakes and reservoirs, total nitrogen is judged there alone.
Water worse than class V is class 6 here ("inferior V").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from conurb.errors import BadRequestDataError

Body = Literal["river", "lake"]

INFERIOR: Final = 6
PH_RANGE: Final = (6.0, 9.0)

NAMES: Final[Mapping[int, Mapping[str, str]]] = {
    1: {"zh": "Ⅰ类", "en": "Class I"},
    2: {"zh": "Ⅱ类", "en": "Class II"},
    3: {"zh": "Ⅲ类", "en": "Class III"},
    4: {"zh": "Ⅳ类", "en": "Class IV"},
    5: {"zh": "Ⅴ类", "en": "Class V"},
    6: {"zh": "劣Ⅴ类", "en": "Worse than class V"},
}

LIMITS: Final[Mapping[str, tuple[float, float, float, float, float]]] = {
    "permanganateIndex": (2, 4, 6, 10, 15),
    "cod": (15, 15, 20, 30, 40),
    "bod": (3, 3, 4, 6, 10),
    "NH3": (0.15, 0.5, 1.0, 1.5, 2.0),
    "P-TOT": (0.02, 0.1, 0.2, 0.3, 0.4),
    "N-TOT": (0.2, 0.5, 1.0, 1.5, 2.0),
    "copper": (0.01, 1.0, 1.0, 1.0, 1.0),
    "zinc": (0.05, 1.0, 1.0, 2.0, 2.0),
    "fluoride": (1.0, 1.0, 1.0, 1.5, 1.5),
    "selenium": (0.01, 0.01, 0.01, 0.02, 0.02),
    "arsenic": (0.05, 0.05, 0.05, 0.1, 0.1),
    "mercury": (0.00005, 0.00005, 0.0001, 0.001, 0.001),
    "cadmium": (0.001, 0.005, 0.005, 0.005, 0.01),
    "chromiumVI": (0.01, 0.05, 0.05, 0.05, 0.1),
    "lead": (0.01, 0.01, 0.05, 0.05, 0.1),
    "cyanide": (0.005, 0.05, 0.2, 0.2, 0.2),
    "volatilePhenol": (0.002, 0.002, 0.005, 0.01, 0.1),
    "petroleum": (0.05, 0.05, 0.05, 0.5, 1.0),
    "anionicSurfactant": (0.2, 0.2, 0.2, 0.3, 0.3),
    "sulphide": (0.05, 0.1, 0.2, 0.5, 1.0),
    "faecalColiforms": (200, 2_000, 10_000, 20_000, 40_000),
}
"""Table 1: the most of an item that a water of class I to V may have."""

LAKE_LIMITS: Final[Mapping[str, tuple[float, float, float, float, float]]] = {
    "P-TOT": (0.01, 0.025, 0.05, 0.1, 0.2)
}

OXYGEN: Final = "O2"
OXYGEN_LIMITS: Final = (7.5, 6.0, 5.0, 3.0, 2.0)
"""Dissolved oxygen: the least that a water of class I to V must have (or 90 % of saturation for
class I, which needs temperature and pressure and isn't judged here)."""

PH: Final = "pH"
ITEMS: Final = (PH, OXYGEN, *LIMITS)
_LAKE_ONLY: Final = frozenset({"N-TOT"})


@dataclass(frozen=True, slots=True)
class WaterQuality:
    """The class of a water (1 to 6), the items that decide it, and the class of each item."""

    of_class: int
    decisive: tuple[str, ...]
    parts: Mapping[str, int]

    @property
    def name(self) -> Mapping[str, str]:
        """Give the class's name."""
        return NAMES[self.of_class]


def item_class(item: str, value: float, body: Body = "river") -> int | None:
    """Give the class that one item allows; None where the standard doesn't judge it.

    Raises BadRequestDataError for what isn't an item of table 1, or can't be a value.

    >>> item_class("NH3", 1.0), item_class("O2", 4.9), item_class("pH", 9.2)
    (3, 4, 6)
    """
    if item not in ITEMS:
        raise BadRequestDataError(f"{item!r} is none of {', '.join(ITEMS)}")
    if not (math.isfinite(value) and value >= 0):
        raise BadRequestDataError(f"{item}: {value} is not a measured value")
    if item == PH:
        return 1 if PH_RANGE[0] <= value <= PH_RANGE[1] else INFERIOR
    if item == OXYGEN:
        return next((i for i, least in enumerate(OXYGEN_LIMITS, 1) if value >= least), INFERIOR)
    if item in _LAKE_ONLY and body != "lake":
        return None
    limits = LAKE_LIMITS.get(item, LIMITS[item]) if body == "lake" else LIMITS[item]
    return next((i for i, most in enumerate(limits, 1) if value <= most), INFERIOR)


def water_quality(values: Mapping[str, float], body: Body = "river") -> WaterQuality | None:
    """Give the class of the items that there are; None when there are none that count.

    >>> water_quality({"NH3": 0.4, "P-TOT": 0.25, "O2": 6.1}).of_class
    4
    """
    parts = {
        item: found
        for item, value in values.items()
        if item in ITEMS and (found := item_class(item, value, body)) is not None
    }
    if not parts:
        return None
    worst = max(parts.values())
    return WaterQuality(worst, tuple(one for one, found in parts.items() if found == worst), parts)
