"""What must hold for any panel: constant effects are found, order doesn't matter, passes are exact.

Exact algebra is held to 1e-9; a constant effect of 0.5 in noise of 0.1 to four standard errors of
the worst estimator (0.1).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from conurb.strategy.effect import callaway, placebo
from conurb.strategy.effect.bacon import bacon
from conurb.strategy.effect.bootstrap import bootstrap_average, mammen
from conurb.strategy.effect.callaway import group_times
from conurb.strategy.effect.estimate import Estimate
from conurb.strategy.effect.imputation import impute
from conurb.strategy.effect.matching import match
from conurb.strategy.effect.placebo import simple_of
from conurb.strategy.effect.reassign import Reassignment
from conurb.strategy.effect.robustness import leave_one_out, winsorise
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.sunab import sun_abraham
from conurb.strategy.effect.synthetic import synthetic
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import event_study, twfe
from conurb.strategy.effect.wild import wild_bootstrap
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.effect.designs import made_up, study_of

EXACT = 1e-9


def with_gaps(study: Study, seed: int = 0) -> Study:
    rng = np.random.default_rng(seed)
    outcome = study.outcome.copy()
    outcome[rng.random(outcome.shape) < 0.1] = np.nan
    return replace(study, outcome=outcome)


ESTIMATORS: dict[str, Callable[[Study], Estimate]] = {
    "twfe": twfe,
    "never": lambda s: callaway.simple(group_times(s)).overall,
    "not yet": lambda s: callaway.dynamic(group_times(s, comparison="not yet")).overall,
    "group": lambda s: callaway.by_group(group_times(s)).overall,
    "calendar": lambda s: callaway.by_calendar(group_times(s)).overall,
    "imputation": lambda s: impute(s).overall,
    "sun-abraham": lambda s: sun_abraham(s).overall,
    "synthetic": lambda s: synthetic(s, variance="jackknife"),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_constant_effect_is_found_within_its_error(name: str) -> None:
    found = ESTIMATORS[name](study_of(*made_up()))
    assert found.estimate == pytest.approx(0.5, abs=0.1)
    assert abs(found.estimate - 0.5) < 4 * found.standard_error


@pytest.mark.parametrize("name", ESTIMATORS)
def test_without_noise_the_effect_is_exact(name: str) -> None:
    panel, treatment = made_up(noise=0.0)
    assert ESTIMATORS[name](study_of(panel, treatment)).estimate == pytest.approx(0.5, abs=EXACT)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_order_of_units_does_not_matter(name: str) -> None:
    panel, treatment = made_up()
    order = np.random.default_rng(3).permutation(len(panel.units))
    turned = panel.select(units=[panel.units[i] for i in order])
    one = ESTIMATORS[name](study_of(panel, treatment))
    other = ESTIMATORS[name](study_of(turned, treatment))
    assert other.estimate == pytest.approx(one.estimate, abs=1e-8)
    assert other.standard_error == pytest.approx(one.standard_error, rel=1e-5)


@pytest.mark.parametrize("name", ["never", "group", "imputation", "sun-abraham"])
def test_errors_cover_the_truth_about_as_often_as_they_say(name: str) -> None:
    """95 % of 200 intervals; four standard deviations of a binomial are 6 %."""
    covered = 0
    for seed in range(200):
        found = ESTIMATORS[name](study_of(*made_up(seed, noise=0.5)))
        covered += abs(found.estimate - 0.5) < 1.96 * found.standard_error
    assert 0.87 < covered / 200 <= 0.995


def test_two_way_effects_and_errors_are_those_of_dummy_regression() -> None:
    study = with_gaps(study_of(*made_up(), covariates=("x",)))
    mask = study.mask
    i, t = np.nonzero(mask)
    dummies = np.column_stack([np.eye(len(study.units))[i], np.eye(len(study.years))[t][:, 1:]])
    x = np.column_stack([study.status[mask], study.covariates[mask][:, 0], dummies])
    beta, *_ = np.linalg.lstsq(x, study.outcome[mask], rcond=None)
    rest = study.outcome[mask] - x @ beta
    scores = np.zeros((len(study.units), x.shape[1]))
    np.add.at(scores, i, x * rest[:, None])
    bread = np.linalg.inv(x.T @ x)
    g, n, p = len(study.units), len(i), 2 + len(study.years)
    factor = g / (g - 1) * (n - 1) / (n - p)
    error = np.sqrt((factor * bread @ scores.T @ scores @ bread)[0, 0])
    found = twfe(study)
    assert found.estimate == pytest.approx(beta[0], abs=EXACT)
    assert found.standard_error == pytest.approx(error, abs=EXACT)


@pytest.mark.parametrize("covariates", [(), ("x",)])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_batch_of_reassigned_treatments_equals_single_fits(
    covariates: tuple[str, ...], gaps: bool
) -> None:
    study = study_of(*made_up(), covariates=covariates)
    study = with_gaps(study) if gaps else study
    rng = np.random.default_rng(1)
    units = np.stack([rng.choice(len(study.units), 6, replace=False) for _ in range(20)])
    starts = rng.integers(1, len(study.years), size=units.shape)
    values, errors = Reassignment.of(study).estimates(units, starts)
    for row, start, value, error in zip(units, starts, values, errors, strict=True):
        first = np.full(len(study.units), len(study.years))
        first[row] = start
        single = twfe(replace(study, first=first))
        assert value == pytest.approx(single.estimate, abs=EXACT)
        assert error == pytest.approx(single.standard_error, abs=EXACT)


def test_a_batch_of_reassigned_cohorts_equals_single_averages() -> None:
    study = study_of(*made_up())
    treated = np.flatnonzero(~study.never)
    rng = np.random.default_rng(2)
    units = np.stack([rng.choice(len(study.units), len(treated), replace=False) for _ in range(5)])
    for row, value in zip(units, simple_of(study, units), strict=True):
        first = np.full(len(study.units), len(study.years))
        first[row] = study.first[treated]
        single = callaway.simple(group_times(replace(study, first=first))).overall
        assert value == pytest.approx(single.estimate, abs=EXACT)


@pytest.mark.parametrize("statistic", ["TWFE", "Callaway-Sant'Anna"])
def test_placebos_in_space_centre_on_zero_and_the_true_effect_stands_out(
    statistic: placebo.Statistic,
) -> None:
    study = study_of(*made_up())
    found = placebo.in_space(
        study, generator=np.random.default_rng(0), draws=2000, statistic=statistic
    )
    assert abs(found.draws.mean()) < 4 * found.draws.std() / np.sqrt(2000)
    assert found.p_value == pytest.approx(1 / 2001)


def test_without_an_effect_placebo_p_is_uniform() -> None:
    """Mean of 100 uniform p within four standard deviations (0.29 / 10)."""
    rng = np.random.default_rng(0)
    p = [
        placebo.in_space(study_of(*made_up(s, effect=0.0)), generator=rng, draws=99).p_value
        for s in range(100)
    ]
    assert np.mean(p) == pytest.approx(0.5, abs=0.12)


def test_one_treated_unit_is_tested_against_every_assignment() -> None:
    study = study_of(*made_up(sizes=((2005, 1), (None, 19))))
    found = placebo.in_space(study, generator=np.random.default_rng(0))
    assert found.exact
    assert len(found.draws) == 20
    assert found.draws.mean() == pytest.approx(0, abs=EXACT)
    assert found.p_value == pytest.approx(1 / 20)


def test_placebos_in_time_find_nothing_before_treatment_and_equal_single_fits() -> None:
    study = study_of(*made_up())
    (found,) = placebo.in_time(study, (2,))
    cut = np.where(study.status, np.nan, study.outcome)
    single = twfe(replace(study, outcome=cut, first=np.where(study.never, 10, study.first - 2)))
    assert found.estimate == pytest.approx(single.estimate, abs=EXACT)
    assert found.standard_error == pytest.approx(single.standard_error, abs=EXACT)
    assert abs(found.estimate) < 4 * found.standard_error


def test_bacon_weights_sum_to_one_and_give_the_coefficient() -> None:
    for sizes in (((2003, 5), (2006, 7), (None, 9)), ((2003, 5), (2006, 7), (2008, 3))):
        study = study_of(*made_up(sizes=sizes))
        parts = bacon(study)
        assert sum(c.weight for c in parts.comparisons) == pytest.approx(1, abs=1e-12)
        assert parts.coefficient == pytest.approx(twfe(study).estimate, abs=EXACT)


def test_growing_effects_bias_the_static_coefficient_and_bacon_shows_where() -> None:
    panel, treatment = made_up(sizes=((2003, 20), (2006, 20)), noise=0.0, effect=0.0)
    since = np.array(
        [[max(0, y - treatment.first[u] + 1) for y in panel.years] for u in panel.units]
    )
    study = study_of(panel.with_columns({"y": panel.get("y") + since}), treatment)
    parts = bacon(study)
    assert parts.mean("later vs earlier") < 0 < parts.mean("earlier vs later")


def test_the_multiplier_bootstrap_agrees_with_the_influence_functions() -> None:
    study = study_of(*made_up())
    average = callaway.dynamic(group_times(study))
    drawn = bootstrap_average(
        average, study.clusters, generator=np.random.default_rng(0), draws=4000
    )
    ratio = drawn.overall.standard_error / average.overall.standard_error
    assert ratio == pytest.approx(1, abs=0.1)
    assert drawn.parts is not None
    assert drawn.parts.uniform
    assert drawn.parts.critical > 1.96


def test_mammen_weights_have_mean_zero_variance_one_and_third_moment_one() -> None:
    drawn = mammen(np.random.default_rng(0), 1000, 1000)
    for power, moment in ((1, 0.0), (2, 1.0), (3, 1.0)):
        assert (drawn**power).mean() == pytest.approx(moment, abs=0.01)


def test_coarser_clusters_widen_errors_of_units_that_move_together() -> None:
    panel, treatment = made_up(sizes=((2004, 20), (None, 20)))
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 2)[:, None]
    shared_noise = 0.5 * rng.normal(size=(20, 10))[group[:, 0]]
    panel = panel.with_columns(
        {"y": panel.get("y") + shared_noise, "group": np.broadcast_to(group, panel.shape)}
    )
    alone = study_of(panel, treatment)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        together = Study.of(panel, "y", treatment, clusters="group")
    for estimator in (twfe, ESTIMATORS["never"], ESTIMATORS["imputation"]):
        ratio = estimator(together).standard_error / estimator(alone).standard_error
        assert 1.15 < ratio < 1.7


def test_the_wild_bootstrap_agrees_with_clustered_errors_when_clusters_are_many() -> None:
    study = with_gaps(study_of(*made_up(sizes=((2004, 60), (None, 60))), covariates=("x",)))
    plain = twfe(study)
    wild = wild_bootstrap(study, generator=np.random.default_rng(0))
    assert wild.low == pytest.approx(plain.low, abs=0.3 * plain.standard_error)
    assert wild.high == pytest.approx(plain.high, abs=0.3 * plain.standard_error)
    assert wild.p_value < 0.01


def test_few_clusters_draw_webb_weights_and_widen_the_interval() -> None:
    study = study_of(*made_up(sizes=((2004, 3), (None, 5)), noise=0.5))
    plain, wild = twfe(study), wild_bootstrap(study, generator=np.random.default_rng(0))
    assert "Webb" in wild.notes[0]
    assert wild.high - wild.low > 1.959964 * 2 * plain.standard_error


def test_the_pretrend_test_rejects_a_trend_and_accepts_none() -> None:
    panel, treatment = made_up(noise=0.05)
    straight = event_study(study_of(panel, treatment)).pretrend
    years = np.arange(10.0)
    treated = np.array([u in treatment.first for u in panel.units])
    bent = panel.with_columns({"y": panel.get("y") + 0.1 * years * treated[:, None]})
    trend = event_study(study_of(bent, treatment)).pretrend
    assert straight is not None
    assert trend is not None
    assert trend.p_value < 1e-6
    assert straight.p_value > 0.01


def test_synthetic_weights_undo_a_trend_that_some_units_share() -> None:
    """Half of the comparison moves as the treated do; plain averages are off by the trend."""
    rng = np.random.default_rng(0)
    panel, treatment = made_up(sizes=((2006, 5), (None, 30)), noise=0.0)
    slope = np.where(np.arange(35) < 20, 0.3, 0.0)[:, None]
    y = panel.get("y") + slope * np.arange(10.0) + 0.01 * rng.normal(size=panel.shape)
    study = study_of(panel.with_columns({"y": y}), treatment)
    found = synthetic(study, generator=rng, draws=30)
    assert found.estimate == pytest.approx(0.5, abs=0.05)
    assert abs(twfe(study).estimate - 0.5) > 0.3


def test_matching_undoes_a_trend_that_depends_on_a_covariate() -> None:
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(-x))
    years = range(2000, 2006)
    y = x[:, None] * np.arange(6.0) + 0.5 * treated[:, None] * (np.arange(6) >= 3)
    panel_y = y + 0.05 * rng.normal(size=y.shape)
    units = tuple(f"u{i}" for i in range(n))
    panel = Panel(units, tuple(years), {"y": panel_y, "x": np.repeat(x[:, None], 6, axis=1)})
    treatment = Treatment({u: 2003 for u, d in zip(units, treated, strict=True) if d})
    study = study_of(panel, treatment, covariates=("x",))
    for kind in ("nearest", "kernel"):
        found = match(study, kind=kind)
        before, after = found.balance["x"]
        assert abs(after) < 0.2 < before
        assert (
            abs(found.overall.estimate - 0.5)
            < 0.3
            < twfe(study_of(panel, treatment)).estimate - 0.5
        )
    robust = callaway.simple(group_times(study)).overall
    assert robust.estimate == pytest.approx(0.5, abs=0.05)


def test_leaving_out_the_one_strange_unit_tells_most() -> None:
    panel, treatment = made_up(noise=0.01)
    y = panel.get("y").copy()
    y[3, 5:] += 5
    study = study_of(panel.with_columns({"y": y}), treatment)
    unit, value = leave_one_out(study, twfe).most_telling
    assert unit == panel.units[3]
    assert value == pytest.approx(0.5, abs=0.05)


def test_winsorising_pulls_in_only_the_extremes() -> None:
    study = study_of(*made_up())
    pulled = winsorise(study, 0.05)
    low, high = np.quantile(study.outcome, [0.05, 0.95])
    inside = (study.outcome > low) & (study.outcome < high)
    np.testing.assert_array_equal(pulled.outcome[inside], study.outcome[inside])
    assert pulled.outcome.min() == pytest.approx(low)
    assert pulled.outcome.max() == pytest.approx(high)
