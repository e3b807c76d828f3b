"""Directional distance and productivity: a hand example, a fresh scipy solve, identities.

Tolerance 1e-7: both solvers' own.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import linprog

from conurb.errors import InputError
from conurb.strategy.green.directional import Disposal, directional
from conurb.strategy.green.production import Production
from conurb.strategy.green.productivity import (
    global_malmquist_luenberger,
    malmquist_luenberger,
)
from conurb.strategy.green.sbm import Returns, sbm
from conurb.strategy.warning import StrategyWarning

pytestmark = pytest.mark.filterwarnings("ignore:.*few compare")


def random_production(seed: int, n: int = 20, years: int = 3) -> Production:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 1, (n, 1, 1)))
    cubes = [size * np.exp(rng.normal(0, 0.3, (n, years, k))) for k in (2, 1, 1)]
    return Production.from_arrays(
        [f"u{i}" for i in range(n)],
        inputs=cubes[0],
        goods=cubes[1],
        bads=cubes[2],
        years=range(2000, 2000 + years),
    )


def scipy_distance(
    own: np.ndarray, frontier: np.ndarray, *, returns: Returns, disposal: Disposal
) -> float:
    """Measure (2 inputs, 1 good, 1 bad) in the direction (0, y, b), written anew."""
    n = len(frontier)
    x, y, b = frontier[:, :2], frontier[:, 2:3], frontier[:, 3:]
    twice = returns == "variable" and disposal == "weak"
    zero = np.zeros((1, n))

    def row(first: np.ndarray, second: np.ndarray, beta: float) -> np.ndarray:
        return np.hstack([first, second, [[beta]]]) if twice else np.hstack([first, [[beta]]])

    upper = [row(-y.T, zero, own[2])] + [row(x[:, [i]].T, x[:, [i]].T, 0.0) for i in range(2)]
    most = [-own[2], own[0], own[1]]
    bad = row(b.T, zero, own[3])
    equal, to = [], []
    if disposal == "weak":
        equal, to = [bad], [own[3]]
    else:
        upper, most = [*upper, bad], [*most, own[3]]
    if returns == "variable":
        equal, to = [*equal, row(np.ones((1, n)), np.ones((1, n)), 0.0)], [*to, 1.0]
    columns = upper[0].shape[1]
    costs = np.zeros(columns)
    costs[-1] = -1
    solved = linprog(
        costs,
        np.vstack(upper),
        most,
        np.vstack(equal) if equal else None,
        to or None,
        [(0, None)] * (columns - 1) + [(None, None)],
        method="highs",
    )
    return float(-solved.fun) if solved.status == 0 else np.nan


def test_a_unit_under_one_benchmark_moves_by_what_the_hand_gives() -> None:
    # A makes (good 4, bad 2) of 1; B (good 2, bad 2) of 1. B: (1 + beta) 2 <= 4 l,
    # (1 - beta) 2 = 2 l, l <= 1: 2 + 2 beta = 4 - 4 beta, beta = 1/3.
    production = Production.from_arrays(
        "AB", inputs=[[1.0], [1.0]], goods=[[4.0], [2.0]], bads=[[2.0], [2.0]]
    )
    np.testing.assert_allclose(directional(production).value[:, 0], [0.0, 1 / 3], atol=1e-9)


@pytest.mark.parametrize("returns", ["constant", "variable"])
@pytest.mark.parametrize("disposal", ["weak", "strong"])
def test_distances_agree_with_a_fresh_solve(returns: Returns, disposal: Disposal) -> None:
    production = random_production(1, n=30, years=1)
    figures = production.stacked[:, 0]
    fresh = [scipy_distance(own, figures, returns=returns, disposal=disposal) for own in figures]
    value = directional(production, returns=returns, disposal=disposal).value[:, 0]
    np.testing.assert_allclose(value, fresh, atol=1e-7)
    assert value.min() > -1e-9
    assert (value < 1e-8).any()


def test_distances_against_other_years_agree_with_a_fresh_solve() -> None:
    production = random_production(2)
    f = production.stacked

    def d(s: int, t: int) -> np.ndarray:
        solved = [scipy_distance(own, f[:, s], returns="constant", disposal="weak")
                  for own in f[:, t]]  # fmt: skip
        return np.array(solved)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = malmquist_luenberger(production)
    for t in range(2):
        with np.errstate(invalid="ignore"):
            index = np.sqrt(
                (1 + d(t, t)) / (1 + d(t, t + 1)) * (1 + d(t + 1, t)) / (1 + d(t + 1, t + 1))
            )
        np.testing.assert_allclose(got.index[:, t], index, atol=1e-6)


@pytest.mark.parametrize("measure", ["directional", "sbm"])
def test_the_global_index_is_its_parts_and_chains(measure: str) -> None:
    production = random_production(3, years=4)
    got = global_malmquist_luenberger(production, measure=measure)  # type: ignore[arg-type]
    np.testing.assert_allclose(got.efficiency_change * got.technical_change, got.index)
    assert np.isfinite(got.index).all()
    # Circular: what lies between the first year and the last cancels.
    if measure == "sbm":
        ends = 1 / sbm(production, frontier="all").score
    else:
        ends = 1 + directional(production, frontier="all").value
    np.testing.assert_allclose(got.cumulative[:, -1], ends[:, 0] / ends[:, -1])


def test_figures_that_stand_still_change_nothing() -> None:
    still = random_production(4, years=1).stacked
    production = Production.from_arrays(
        [f"u{i}" for i in range(20)],
        inputs=np.repeat(still[:, :, :2], 2, axis=1),
        goods=np.repeat(still[:, :, 2:3], 2, axis=1),
        bads=np.repeat(still[:, :, 3:], 2, axis=1),
        years=(2000, 2001),
    )
    for got in (malmquist_luenberger(production), global_malmquist_luenberger(production)):
        np.testing.assert_allclose(got.index, 1.0, atol=1e-9)


def test_progress_of_everybody_alike_is_technical_change_alone() -> None:
    first = random_production(5, years=1)
    better = Production.from_arrays(
        first.units,
        inputs=np.concatenate([first.inputs, first.inputs], axis=1),
        goods=np.concatenate([first.goods, first.goods * 1.2], axis=1),
        bads=np.concatenate([first.bads, first.bads * 0.9], axis=1),
        years=(2000, 2001),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = malmquist_luenberger(better, returns="variable")
    here = np.isfinite(got.index)
    assert here.any()
    assert (got.technical_change[here] >= 1 - 1e-9).all()
    sbm_index = global_malmquist_luenberger(better, measure="sbm")
    np.testing.assert_allclose(sbm_index.efficiency_change, 1.0, atol=1e-8)
    assert (sbm_index.technical_change > 1).all()


def test_an_observation_that_last_years_frontier_cannot_reach_is_nan_and_named() -> None:
    # In 2001 A emits far more per input than anybody could in 2000.
    production = Production.from_arrays(
        "AB",
        inputs=[[[1.0], [1.0]], [[1.0], [1.0]]],
        goods=[[[1.0], [9.0]], [[1.0], [1.0]]],
        bads=[[[1.0], [9.0]], [[1.0], [1.0]]],
        years=(2000, 2001),
    )
    with pytest.warns(StrategyWarning, match="from A 2000: 1 of 2 are NaN"):
        got = malmquist_luenberger(production)
    assert np.isnan(got.index[0, 0])
    assert np.isnan(got.cumulative[0, 1])
    assert np.isfinite(global_malmquist_luenberger(production).index).all()


def test_figures_without_meaning_are_refused_by_name() -> None:
    ones = {name: np.ones((2, 1)) for name in ("inputs", "goods", "bads")}
    with pytest.raises(InputError, match="two years or more"):
        malmquist_luenberger(Production.from_arrays("AB", **ones))
    idle = {**ones, "goods": np.array([[1.0], [0.0]])}
    with pytest.raises(InputError, match="Every good output is zero for B 0"):
        directional(Production.from_arrays("AB", **idle))
    clean = {**ones, "bads": np.array([[1.0], [0.0]])}
    with pytest.warns(StrategyWarning, match="B 0 has goods without any bad"):
        directional(Production.from_arrays("AB", **clean))
