"""How an estimate is read: by rules that were there before the result.

The 295 cities' answer is the one of docs/strategy/effect.md; draws are few because only the main
estimate, which has no draws, is held.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conurb.strategy.effect.table import Settings
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from conurb.strategy.panel.transform import log, ratio
from conurb.strategy.report.policy import small_cohorts, study_policy

FEW = Settings(draws=99, bootstrap_draws=99, synthetic_draws=5, factors=(), bends=())
CITIES = Path(__file__).resolve().parents[4] / "shared/data/city_panel/china_city_year.csv"


def panel(effect: float, *, drift: float = 0.0) -> tuple[Panel, Treatment]:
    rng = np.random.default_rng(3)
    n, years = 40, range(2000, 2012)
    treated = np.arange(n) < 12
    since = np.array(years) - 2006
    y = rng.normal(size=(n, 1)) + rng.normal(scale=0.1, size=(n, len(years)))
    y = y + effect * (treated[:, None] & (since >= 0)) + drift * treated[:, None] * since
    units = tuple(f"c{i}" for i in range(n))
    who = Treatment(dict.fromkeys(units[:12], 2006), "policy")
    return Panel(units, tuple(years), {"y": y}), who


@pytest.mark.parametrize(
    ("effect", "drift", "reading"),
    [(0.0, 0.0, "none"), (0.5, 0.0, "found"), (0.0, 0.2, "doubtful")],
    ids=["no effect", "an effect", "a trend that began before"],
)
def test_an_estimate_is_read_by_interval_placebo_and_earlier_trends(
    effect: float, drift: float, reading: str
) -> None:
    figures, who = panel(effect, drift=drift)
    assert study_policy(figures, "y", who, years=None, settings=FEW).reading == reading


def test_small_cohorts_are_those_within_the_years() -> None:
    figures, _ = panel(0.0)
    who = Treatment({"c0": 2003, "c1": 2030, **{f"c{i}": 2006 for i in range(2, 9)}}, "policy")
    found = study_policy(figures, "y", who, years=None, settings=FEW)
    assert small_cohorts(found) == {2003: ("c0",)}


def test_the_same_on_295_cities() -> None:
    if not CITIES.is_file():
        pytest.skip(f"{CITIES} isn't here: the panel of China's cities is carried beside the code")
    cities = Panel.from_csv(
        CITIES,
        unit="adcode",
        time="year",
        columns=["co2_t", "gdp_real2000_100m_cny", "low_carbon_pilot_year"],
    )
    cities = log(ratio(cities, "co2_t", "gdp_real2000_100m_cny", name="i"), "i", name="y")
    who = Treatment.from_column(cities, "low_carbon_pilot_year", name="low-carbon pilot")
    found = study_policy(cities, "y", who, settings=FEW)
    assert found.main.estimate == pytest.approx(0.013, abs=5e-4)
    assert found.main.standard_error == pytest.approx(0.025, abs=5e-4)
    assert found.reading == "none"
