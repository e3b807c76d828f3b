"""Carbon of a region: intensity, decoupling from growth, and why emissions changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from conurb.strategy.green.decomposition import kaya
from conurb.strategy.green.decoupling import Decoupling, State, tapio
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.report.subject import (
    CARBON,
    CARBON_OTHER,
    GDP,
    INTENSITY,
    INTENSITY_OTHER,
    PEOPLE,
    growth_correlation,
    last_complete,
)

DECOUPLING_YEARS: Final = (2003, 2008, 2013, 2018, 2023)
"""Ends of the spans over which decoupling is looked at: single years are mostly noise."""
KAYA_YEARS: Final = (2005, 2010, 2015, 2020, 2023)
"""Ends of China's five-year plans from the 11th on, and the last year that ships."""
INTENSITY_FIRST: Final = 2005


@dataclass(frozen=True, slots=True)
class Carbon:
    """What is asked of carbon.

    `intensity` [N] of `year` and `change` [N] per year since `since` (a share); `total` [T] is the
    region's CO2 over its GDP by panel year, `total_other` the same of the other inventory over the
    cities that have a figure in every one of its years (`others`), NaN elsewhere. `spans` are the
    periods of decoupling, `parts` [periods] the region's Kaya effects by factor in t over
    `periods`. `agreement` is the correlation of the yearly growth of both inventories.
    """

    panel: Panel
    year: int
    since: int
    intensity: Figures
    change: Figures
    total: Figures
    total_other: Figures | None
    others: tuple[str, ...]
    spans: tuple[str, ...]
    decoupling: Decoupling
    periods: tuple[str, ...]
    parts: Mapping[str, Figures]
    agreement: tuple[float, int] | None

    def states(self, span: int = -1) -> Counter[State]:
        """Count units by state in one span, the last unless told."""
        return Counter(row[span] for row in self.decoupling.states)

    def total_change(self) -> float:
        """Give the change per year of the region's intensity, as a share."""
        ends = [self.total[self.panel.years.index(year)] for year in (self.since, self.year)]
        return float((ends[1] / ends[0]) ** (1 / (self.year - self.since)) - 1)


def study_carbon(panel: Panel) -> Carbon:
    """Ask what carbon did in a region, of a panel with the columns of `with_outcomes`.

    Raises NotFoundError for a column, and InputError for figures, that the questions need.
    """
    year = last_complete(panel, [CARBON, GDP])
    since = max(INTENSITY_FIRST, panel.years[0])
    figures = panel.get(INTENSITY)
    ends = [figures[:, panel.years.index(one)] for one in (since, year)]
    spans = [one for one in DECOUPLING_YEARS if one in panel.years]
    periods = [one for one in KAYA_YEARS if one in panel.years]
    by_city = kaya(panel.select(years=periods), carbon=CARBON, population=PEOPLE, gdp=GDP)
    other = _other_total(panel)
    return Carbon(
        panel=panel,
        year=year,
        since=since,
        intensity=ends[1],
        change=(ends[1] / ends[0]) ** (1 / (year - since)) - 1,
        total=_total(panel, CARBON),
        total_other=None if other is None else other[0],
        others=() if other is None else other[1],
        spans=_spans(spans),
        decoupling=tapio(panel.select(years=spans), CARBON, GDP),
        periods=_spans(periods),
        parts={name: one.sum(axis=0) for name, one in by_city.additive.items()},
        agreement=growth_correlation(panel, CARBON, CARBON_OTHER)
        if INTENSITY_OTHER in panel.columns
        else None,
    )


def _total(panel: Panel, carbon: str) -> Figures:
    """Give CO2 of all units over GDP of all [T], in t per 10,000 CNY; NaN where one lacks."""
    return np.asarray(panel.get(carbon).sum(axis=0) / panel.get(GDP).sum(axis=0) * 1e4)


def _other_total(panel: Panel) -> tuple[Figures, tuple[str, ...]] | None:
    """Give the other inventory's intensity of the units whose series has no gap inside of it."""
    if CARBON_OTHER not in panel.columns:
        return None
    figures = panel.get(CARBON_OTHER)
    there = np.isfinite(figures).sum(axis=0) > len(panel.units) / 2
    whole = np.asarray(np.isfinite(figures[:, there]).all(axis=1))
    if not whole.any():
        return None
    units = tuple(u for u, flag in zip(panel.units, whole, strict=True) if flag)
    return np.where(there, _total(panel.select(units=units), CARBON_OTHER), np.nan), units


def _spans(years: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{a}–{b}" for a, b in pairwise(years))
