"""Textbook answers: counties and minimum wages (R did 2.5.1), printed to seven digits.

Tolerance: half a unit of the last printed digit, 5e-8. The Delta's and China's pilots are held to
the three digits that a first look with another library printed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from conurb.strategy.effect import callaway
from conurb.strategy.effect.bacon import bacon
from conurb.strategy.effect.callaway import Average, GroupTimes, group_times
from conurb.strategy.effect.imputation import impute
from conurb.strategy.effect.placebo import by_small_cohort
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.sunab import sun_abraham
from conurb.strategy.effect.synthetic import synthetic
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import twfe
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.effect.designs import shared

PRINTED = 5e-8
LOOKED = 5e-4


@pytest.mark.parametrize(
    ("cohort", "year", "effect"),
    [
        (2004, 2004, -0.0105032),
        (2004, 2005, -0.0704232),
        (2004, 2006, -0.1372587),
        (2004, 2007, -0.1008114),
        (2006, 2006, -0.0045946),
        (2006, 2007, -0.0412245),
        (2007, 2007, -0.0260544),
    ],
)
def test_every_cohort_and_year_has_the_published_effect(
    employment: Study, cohort: int, year: int, effect: float
) -> None:
    assert group_times(employment).find(cohort, year) == pytest.approx(effect, abs=PRINTED)


@pytest.mark.parametrize(
    ("average", "effect", "error"),
    [
        (callaway.simple, -0.0399513, 0.0120340),
        (callaway.dynamic, -0.0772398, 0.0199650),
    ],
)
def test_averages_have_the_published_effect_and_error(
    employment: Study, average: Callable[[GroupTimes], Average], effect: float, error: float
) -> None:
    found = average(group_times(employment)).overall
    assert found.estimate == pytest.approx(effect, abs=PRINTED)
    assert found.standard_error == pytest.approx(error, abs=PRINTED)


@pytest.mark.parametrize(
    ("average", "effect", "error"),
    [
        (callaway.simple, -0.0417518, 0.0115028),
        (callaway.dynamic, -0.0803539, 0.0189576),
    ],
)
def test_doubly_robust_averages_have_the_published_effect_and_error(
    employment_by_population: Study,
    average: Callable[[GroupTimes], Average],
    effect: float,
    error: float,
) -> None:
    found = average(group_times(employment_by_population)).overall
    assert found.estimate == pytest.approx(effect, abs=PRINTED)
    assert found.standard_error == pytest.approx(error, abs=PRINTED)


@pytest.mark.parametrize("method", ["regression", "weighting", "improved doubly robust"])
def test_other_ways_to_hold_population_equal_stay_close_to_the_doubly_robust(
    employment_by_population: Study, method: str
) -> None:
    found = callaway.simple(group_times(employment_by_population, method=method)).overall
    assert found.estimate == pytest.approx(-0.0417518, abs=3e-4)
    assert found.standard_error == pytest.approx(0.0115028, abs=1e-4)


def test_two_way_fixed_effects_have_the_published_coefficient(employment: Study) -> None:
    assert twfe(employment).estimate == pytest.approx(-0.0365489, abs=PRINTED)


def test_the_decomposition_puts_the_coefficient_together_again(employment: Study) -> None:
    parts = bacon(employment)
    assert sum(c.weight for c in parts.comparisons) == pytest.approx(1, abs=1e-12)
    assert parts.coefficient == pytest.approx(twfe(employment).estimate, abs=1e-12)


def test_sun_abraham_is_callaway_santanna_with_the_year_before_as_base(employment: Study) -> None:
    """Equal by algebra on a balanced panel with never treated units and no covariates."""
    path = sun_abraham(employment).path
    parts = callaway.dynamic(group_times(employment, base="universal")).parts
    assert parts is not None
    theirs = dict(zip(parts.points, parts.estimates, strict=True))
    for point, value in zip(path.points, path.estimates, strict=True):
        assert value == pytest.approx(theirs[point], abs=1e-12)


@pytest.mark.parametrize(
    ("average", "effect", "error"),
    [(callaway.by_group, -0.0310, 0.0125), (callaway.by_calendar, -0.0417, 0.0160)],
)
def test_averages_by_group_and_year_have_the_answers_of_the_vignette(
    employment: Study, average: Callable[[GroupTimes], Average], effect: float, error: float
) -> None:
    """Errors there are bootstrapped: held to one unit of the last printed digit."""
    found = average(group_times(employment)).overall
    assert found.estimate == pytest.approx(effect, abs=5e-5)
    assert found.standard_error == pytest.approx(error, abs=1.5e-4)


def test_other_libraries_give_the_same_to_nine_digits(employment: Study) -> None:
    """pyfixest 0.60.0 (clustered error) and diff-diff 3.13.0 (the others), as they print."""
    assert twfe(employment).standard_error == pytest.approx(0.013265155429, abs=1e-11)
    imputed = impute(employment)
    assert imputed.overall.estimate == pytest.approx(-0.047709918278, abs=1e-11)
    assert imputed.overall.standard_error == pytest.approx(0.013222488650, abs=1e-11)
    np.testing.assert_allclose(
        imputed.path.standard_errors,
        [0.013577249746, 0.018812426823, 0.035341972133, 0.033765853358],
        atol=1e-11,
    )
    by_cohort = sun_abraham(employment).overall
    assert by_cohort.estimate == pytest.approx(-0.039951275155, abs=1e-11)
    assert by_cohort.standard_error == pytest.approx(0.011796277442, abs=1e-11)
    parts = bacon(employment)
    for kind, weight in (
        ("treated vs never", 0.862774418081),
        ("earlier vs later", 0.083301353730),
        ("later vs earlier", 0.053924228189),
    ):
        assert parts.share(kind) == pytest.approx(weight, abs=1e-11)


def test_synthetic_did_agrees_with_iterated_weights_to_what_iteration_leaves(
    counties: tuple[Panel, Treatment],
) -> None:
    """diff-diff stops Frank and Wolfe's iteration early, as R's synthdid; ours is the optimum."""
    panel, treatment = counties
    cohort = {u: y for u, y in treatment.first.items() if y == 2006}
    kept = [u for u in panel.units if u not in treatment.first or u in cohort]
    study = pilots(panel.select(units=kept), "lemp", Treatment(cohort))
    found = synthetic(study, variance="jackknife")
    assert found.estimate == pytest.approx(-0.02356827, abs=1e-4)
    assert found.standard_error == pytest.approx(0.01672698, abs=1e-5)


def pilots(panel: Panel, outcome: str, treatment: Treatment) -> Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        return Study.of(panel, outcome, treatment)


@pytest.fixture(scope="module")
def china() -> tuple[Panel, Treatment]:
    path = shared("city_panel/china_city_year.csv")
    panel = Panel.from_csv(path, unit="adcode", time="year")
    pilots = Treatment.from_column(panel, "low_carbon_pilot_year", name="low-carbon pilot")
    panel = panel.select(years=[y for y in panel.years if y <= 2019])
    intensity = np.log(panel.get("co2_t") / panel.get("gdp_real2000_100m_cny"))
    return panel.with_columns({"co2 per gdp": intensity}), pilots


@pytest.fixture(scope="module")
def delta(china: tuple[Panel, Treatment]) -> tuple[Panel, Treatment]:
    path = shared("city_panel/yrd_city_year_panel.csv")
    columns = ["gdp_real2000_100m", "co2_t_edgar_v8", "co2_mt_ceads"]
    panel = Panel.from_csv(path, unit="adcode", time="year", columns=columns)
    panel = panel.select(years=[y for y in panel.years if 2000 <= y <= 2019])
    output = panel.get("gdp_real2000_100m")
    panel = panel.with_columns(
        {
            "edgar": np.log(panel.get("co2_t_edgar_v8") / output),
            "ceads": np.log(panel.get("co2_mt_ceads") / output),
        }
    )
    first = {u: y for u, y in china[1].first.items() if u in panel.units}
    return panel, Treatment(first, "low-carbon pilot")


def test_low_carbon_pilots_of_the_delta_show_no_effect_on_co2_per_gdp(
    delta: tuple[Panel, Treatment],
) -> None:
    found = callaway.simple(group_times(pilots(delta[0], "edgar", delta[1]))).overall
    assert found.estimate == pytest.approx(-0.030, abs=LOOKED)
    assert found.standard_error == pytest.approx(0.026, abs=LOOKED)


def test_the_other_inventory_shows_none_either(delta: tuple[Panel, Treatment]) -> None:
    """The estimate agrees; our error is .056 beside .054, as it counts the shares of cohorts."""
    study = pilots(delta[0], "ceads", delta[1])
    found = callaway.simple(group_times(study, pairwise=True)).overall
    assert found.estimate == pytest.approx(-0.034, abs=LOOKED)
    assert found.standard_error == pytest.approx(0.054, abs=3e-3)


@pytest.mark.filterwarnings("ignore::conurb.strategy.warning.StrategyWarning")
def test_low_carbon_pilots_of_the_country_show_no_effect_either(
    china: tuple[Panel, Treatment],
) -> None:
    found = callaway.simple(group_times(pilots(china[0], "co2 per gdp", china[1]))).overall
    assert found.estimate == pytest.approx(0.013, abs=LOOKED)
    assert found.standard_error == pytest.approx(0.025, abs=LOOKED)


def test_hangzhou_alone_is_tested_against_every_other_city(delta: tuple[Panel, Treatment]) -> None:
    (found,) = by_small_cohort(
        pilots(delta[0], "edgar", delta[1]), generator=np.random.default_rng(0)
    )
    assert found.exact
    assert len(found.draws) == 25
    assert found.p_value > 0.5
