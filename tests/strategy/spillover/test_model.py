"""Spatial panels against published answers, likelihoods written anew, and parameters drawn from.

Published numbers hold to every digit printed. The likelihoods in `reference` are maximised on their
values alone, which fixes a maximum to about the root of machine precision: 1e-6 for coefficients,
1e-9 relative for the likelihood itself.
"""

from __future__ import annotations

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.panel import Panel
from conurb.strategy.spillover.choice import choose, lm_tests
from conurb.strategy.spillover.design import Effects, design
from conurb.strategy.spillover.impacts import impacts
from conurb.strategy.spillover.model import Model, SpatialFit, fit
from conurb.strategy.spillover.weights import Weights
from tests.strategy.spillover.reference import (
    dummies_lag,
    made_up_weights,
    needs_shared,
    read_produc,
    simulate,
    transformed_error,
    transformed_lag,
)

REGRESSORS = ["log pcap", "log pc", "log emp", "unemp"]


def fitted(panel: Panel, weights: Weights, model: Model, **options: object) -> SpatialFit:
    names = [name for name in panel.columns if name.startswith("x")]
    prepared = design(panel, outcome="y", regressors=names, weights=weights, **options)  # type: ignore[arg-type]
    return fit(prepared, model)


def uneven(weights: Weights) -> Weights:
    factors = np.linspace(0.5, 1, len(weights.units))
    return Weights(weights.units, weights.matrix * factors[:, None], "uneven")


@needs_shared
def test_munnells_states_have_the_coefficients_of_millo_and_piras() -> None:
    panel, weights = read_produc()
    prepared = design(
        panel,
        outcome="log gsp",
        regressors=REGRESSORS,
        weights=weights,
        effects="unit",
        method="direct",
    )
    lag, error = (fit(prepared, model, correct=False) for model in ("sar", "sem"))
    assert abs(error.spatial - 0.5574013) < 5e-8
    assert abs(lag.spatial - 0.2746887) < 5e-8
    # Of the error model also coefficients and standard errors, as splm prints them.
    np.testing.assert_allclose(error.beta, [0.0051438, 0.2053026, 0.7822540, -0.0022317], atol=6e-8)
    np.testing.assert_allclose(
        error.errors[:5], [0.0250109, 0.0231427, 0.0278057, 0.0010709, 0.0330749], atol=6e-8
    )


@needs_shared
@pytest.mark.parametrize("effects", ["unit", "year", "twoway"])
def test_munnells_states_maximise_the_transformed_likelihood(effects: Effects) -> None:
    panel, weights = read_produc()
    prepared = design(
        panel, outcome="log gsp", regressors=REGRESSORS, weights=weights, effects=effects
    )
    flags = {"unit": effects != "year", "year": effects != "unit"}
    y, x = panel.get("log gsp"), panel.stack(REGRESSORS)
    for model, definition in (("sar", transformed_lag), ("sem", transformed_error)):
        got = fit(prepared, model)  # type: ignore[arg-type]
        spatial, beta, sigma2, log = definition(y, x, weights.matrix, **flags)
        assert abs(got.spatial - spatial) < 1e-6
        np.testing.assert_allclose(got.beta, beta, atol=1e-6)
        assert abs(got.sigma2 / sigma2 - 1) < 1e-6
        assert abs(got.log_likelihood / log - 1) < 1e-9


@pytest.mark.parametrize("effects", ["none", "unit", "year", "twoway"])
def test_durbin_maximises_the_transformed_likelihood_with_asymmetric_weights(
    effects: Effects,
) -> None:
    weights = made_up_weights(15, 1)
    panel = simulate(weights, 6, 2, lag=0.4, theta=(0.3, 0.2))
    got = fitted(panel, weights, "sdm", effects=effects)
    x = panel.stack(["x1", "x2"])
    flags = {"unit": effects in ("unit", "twoway"), "year": effects in ("year", "twoway")}
    parts = [x, np.ones((15, 6, 1))] if effects == "none" else [x]
    right = np.concatenate([*parts, weights.lag(x)], axis=2)
    spatial, beta, _, log = transformed_lag(panel.get("y"), right, weights.matrix, **flags)
    assert abs(got.spatial - spatial) < 1e-6
    np.testing.assert_allclose(got.beta, beta, atol=1e-6)
    assert abs(got.log_likelihood / log - 1) < 1e-9


@pytest.mark.parametrize("standardised", [True, False])
def test_direct_estimates_are_those_with_every_dummy(standardised: bool) -> None:
    weights = made_up_weights(12, 3)
    if not standardised:
        weights = Weights(
            weights.units, weights.matrix * np.linspace(0.5, 1, 12)[:, None], "uneven"
        )
    panel = simulate(weights, 5, 4, lag=0.4)
    prepared = design(panel, outcome="y", regressors=["x1", "x2"], weights=weights, method="direct")
    got = fit(prepared, "sar", correct=False)
    spatial, beta, log = dummies_lag(panel.get("y"), panel.stack(["x1", "x2"]), weights.matrix)
    assert abs(got.spatial - spatial) < 1e-6
    np.testing.assert_allclose(got.beta, beta, atol=1e-6)
    assert abs(got.log_likelihood / log - 1) < 1e-9


def test_with_unit_effects_corrected_direct_estimates_are_the_transformed_ones() -> None:
    weights = made_up_weights(12, 5)
    panel = simulate(weights, 4, 6, lag=0.5)
    for model in ("sar", "sem", "sdm"):
        one, other = (
            fitted(panel, weights, model, effects="unit", method=method)  # type: ignore[arg-type]
            for method in ("transform", "direct")
        )
        assert abs(one.spatial - other.spatial) < 1e-10
        np.testing.assert_allclose(one.beta, other.beta, atol=1e-10)
        assert abs(one.sigma2 / other.sigma2 - 1) < 1e-10
        assert other.corrected
        assert not one.corrected


def test_over_many_draws_correction_takes_the_bias_off_direct_estimates() -> None:
    weights = made_up_weights(40, 7)
    got: dict[str, list[float]] = {"transform": [], "raw": [], "corrected": []}
    for seed in range(150):
        panel = simulate(weights, 10, 1000 + seed, lag=0.4)
        direct = design(
            panel, outcome="y", regressors=["x1", "x2"], weights=weights, method="direct"
        )
        got["raw"].append(fit(direct, "sar", correct=False).spatial)
        got["corrected"].append(fit(direct, "sar").spatial)
        got["transform"].append(fitted(panel, weights, "sar").spatial)
    bias = {name: abs(np.mean(values) - 0.4) for name, values in got.items()}
    # 150 draws with a spread of 0.048 fix a mean to 0.004; ML itself is biased by as much.
    assert bias["raw"] > 0.025
    assert bias["corrected"] < 0.016
    assert bias["transform"] < 0.012


@pytest.mark.parametrize("model", ["sar", "sem", "sdm"])
def test_parameters_drawn_from_are_found_and_errors_are_their_spread(model: Model) -> None:
    weights = made_up_weights(30, 8)
    given = {
        "sar": {"lag": 0.5},
        "sem": {"error": 0.5},
        "sdm": {"lag": 0.5, "theta": (0.6, 0.3)},
    }[model]
    truth = [1.0, -0.5] + ([0.6, 0.3] if model == "sdm" else []) + [0.5]
    estimates, errors = [], []
    for seed in range(150):
        got = fitted(simulate(weights, 8, seed, **given), weights, model)  # type: ignore[arg-type]
        estimates.append(np.append(got.beta, got.spatial))
        errors.append(got.errors[:-1])
    spread = np.std(estimates, axis=0, ddof=1)
    # The mean of 150 draws is off by a twelfth of the spread; ML of lambda itself is biased a bit.
    np.testing.assert_allclose(np.mean(estimates, axis=0), truth, atol=0.4 * spread.max())
    np.testing.assert_allclose(np.mean(errors, axis=0), spread, rtol=0.2)


def test_effects_of_any_size_change_nothing() -> None:
    weights = made_up_weights(15, 9)
    panel = simulate(weights, 6, 10, lag=0.3)
    rng = np.random.default_rng(1)
    # In y the effects must enter as the model has them: through (I - lambda W)^-1, which maps
    # year effects on year effects and unit effects on unit effects.
    shifted = panel.with_columns(
        {
            name: figures + 50 * rng.normal(size=(15, 1)) + 50 * rng.normal(size=(1, 6))
            for name, figures in panel.columns.items()
        }
    )
    for model in ("sar", "sem", "sdm"):
        one, other = (fitted(p, weights, model) for p in (panel, shifted))  # type: ignore[arg-type]
        assert abs(one.spatial - other.spatial) < 1e-9
        np.testing.assert_allclose(one.beta, other.beta, atol=1e-9)
        np.testing.assert_allclose(one.errors, other.errors, rtol=1e-8)


def test_impacts_sum_and_the_total_is_closed_when_rows_sum_to_one() -> None:
    weights = made_up_weights(15, 11)
    got = fitted(simulate(weights, 6, 12, lag=0.4, theta=(0.3, 0.2)), weights, "sdm")
    read = impacts(got)
    np.testing.assert_allclose(read.direct.value + read.indirect.value, read.total.value)
    closed = (got.beta[:2] + got.beta[2:]) / (1 - got.spatial)
    np.testing.assert_allclose(read.total.value, closed, rtol=1e-12)


@pytest.mark.parametrize("standardised", [True, False])
def test_impacts_are_means_of_the_whole_matrix_and_the_delta_method_its_gradient(
    standardised: bool,
) -> None:
    weights = made_up_weights(12, 13)
    if not standardised:
        weights = Weights(
            weights.units, weights.matrix * np.linspace(0.5, 1, 12)[:, None], "uneven"
        )
    panel = simulate(weights, 6, 14, lag=0.4, theta=(0.3, 0.2))
    got = fitted(panel, weights, "sdm", effects="unit")

    def by_matrix(parameters: np.ndarray) -> np.ndarray:
        w, n = weights.matrix, 12
        inverse = np.linalg.inv(np.eye(n) - parameters[-1] * w)
        wholes = [inverse @ (parameters[k] * np.eye(n) + parameters[2 + k] * w) for k in range(2)]
        direct = np.array([np.trace(s) / n for s in wholes])
        total = np.array([s.sum() / n for s in wholes])
        return np.concatenate([direct, total - direct, total])

    read = impacts(got)
    at = np.append(got.beta, got.spatial)
    kinds = (read.direct, read.indirect, read.total)
    np.testing.assert_allclose(np.concatenate([kind.value for kind in kinds]), by_matrix(at))
    step = 1e-6 * np.eye(len(at))
    slopes = np.array([(by_matrix(at + h) - by_matrix(at - h)) / 2e-6 for h in step]).T
    errors = np.sqrt(np.diag(slopes @ got.covariance[:-1, :-1] @ slopes.T))
    np.testing.assert_allclose(np.concatenate([kind.error for kind in kinds]), errors, rtol=1e-6)


def test_simulated_errors_come_near_the_delta_methods_and_repeat_with_their_seed() -> None:
    weights = made_up_weights(30, 15)
    got = fitted(simulate(weights, 10, 16, lag=0.3, theta=(0.3, 0.2)), weights, "sdm")
    exact = impacts(got)
    one, two = (impacts(got, draws=20_000, rng=np.random.default_rng(1)) for _ in range(2))
    for name in ("direct", "indirect", "total"):
        drawn = getattr(one, name)
        np.testing.assert_allclose(drawn.error, getattr(exact, name).error, rtol=0.05)
        np.testing.assert_array_equal(drawn.error, getattr(two, name).error)
    with pytest.raises(InputError, match="needs rng"):
        impacts(got, draws=100)


def test_lm_statistics_are_score_tests_of_their_likelihood() -> None:
    """LM and LR tests of small departures agree: both are chi-squared of the same likelihood."""
    weights = made_up_weights(60, 17)
    panel = simulate(weights, 20, 18, lag=0.03)
    prepared = design(panel, outcome="y", regressors=["x1", "x2"], weights=weights)
    chosen = choose(prepared)
    by_name = {test.name: test.statistic for test in (*chosen.lm, *chosen.lr)}
    assert by_name["LM lag"] == pytest.approx(by_name["LR SAR against none"], rel=0.1, abs=0.05)
    assert by_name["LM error"] == pytest.approx(by_name["LR SEM against none"], rel=0.1, abs=0.05)


def test_lm_tests_reject_nothing_as_often_as_they_say() -> None:
    weights = made_up_weights(25, 19)
    p = []
    for seed in range(200):
        panel = simulate(weights, 6, 5000 + seed)
        prepared = design(panel, outcome="y", regressors=["x1", "x2"], weights=weights)
        p.append([test.p for test in lm_tests(prepared)])
    rejected = (np.array(p) < 0.05).mean(axis=0)
    # 200 draws at 0.05: 0.015 either way, three times that.
    assert (np.abs(rejected - 0.05) < 0.046).all(), rejected


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({"lag": 0.5}, "sar"),
        ({"error": 0.6}, "sem"),
        ({"lag": 0.4, "theta": (0.8, 0.5)}, "sdm"),
        ({}, None),
    ],
)
def test_tests_choose_the_model_that_the_data_come_from(
    given: dict[str, float], model: Model | None
) -> None:
    weights = made_up_weights(50, 20)
    panel = simulate(weights, 15, 23, **given)  # type: ignore[arg-type]
    prepared = design(panel, outcome="y", regressors=["x1", "x2"], weights=weights)
    chosen = choose(prepared)
    assert chosen.model == model, chosen.reason


def test_designs_without_an_answer_are_refused_by_name() -> None:
    weights = made_up_weights(10, 21)
    panel = simulate(weights, 4, 22)
    fixed = panel.with_columns(
        {"area": np.repeat(np.arange(10.0)[:, None], 4, axis=1), "twin": 2 * panel.get("x1")}
    )

    def prepare(*names: str, w: Weights = weights, p: Panel = fixed, **options: object) -> object:
        return design(p, outcome="y", regressors=names, weights=w, **options)  # type: ignore[arg-type]

    with pytest.raises(InputError, match="'area' doesn't vary beyond the effects"):
        prepare("x1", "area")
    with pytest.raises(InputError, match="'twin' is collinear with"):
        prepare("x1", "twin")
    gap = panel.get("x1").copy()
    gap[3, 2] = np.nan
    with pytest.raises(InputError, match="'x1' has no figure for u3 2002"):
        prepare("x1", p=panel.with_columns({"x1": gap}))
    links = weights.matrix.copy()
    links[4] = 0
    with pytest.raises(InputError, match="u4 have no neighbour"):
        prepare("x1", w=Weights(weights.units, links, "given"))
    with pytest.raises(InputError, match="rows sum to 1"):
        prepare("x1", w=uneven(weights))
    with pytest.raises(InputError, match="too few"):
        prepare("x1", p=fixed.select(years=[2000]))


def test_wrong_uses_are_refused() -> None:
    weights = made_up_weights(10, 24)
    prepared = design(simulate(weights, 4, 25), outcome="y", regressors=["x1"], weights=weights)
    with pytest.raises(InputError, match="'sac'"):
        fit(prepared, "sac")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sar has none"):
        fit(prepared, "sar", durbin=["x1"])
    with pytest.raises(InputError, match="'x9'"):
        fit(prepared, "sdm", durbin=["x9"])
    with pytest.raises(InputError, match="no spillover of regressors"):
        impacts(fit(prepared, "sem"))


def test_direct_designs_with_year_effects_are_not_tested_by_scores_that_are_off() -> None:
    weights = made_up_weights(10, 28)
    panel = simulate(weights, 4, 29)
    direct = design(panel, outcome="y", regressors=["x1"], weights=weights, method="direct")
    with pytest.raises(InputError, match="method 'transform'"):
        choose(direct)
    skew = design(panel, outcome="y", regressors=["x1"], weights=uneven(weights), method="direct")
    with pytest.raises(InputError, match="needs weights whose rows sum to 1"):
        fit(skew, "sem")


def test_an_outcome_explained_exactly_has_no_likelihood() -> None:
    weights = made_up_weights(10, 26)
    panel = simulate(weights, 4, 27)
    exact = panel.with_columns({"y": 2 * panel.get("x1")})
    prepared = design(exact, outcome="y", regressors=["x1"], weights=weights)
    with pytest.raises(InputError, match="explain the outcome exactly"):
        fit(prepared, "sar")
