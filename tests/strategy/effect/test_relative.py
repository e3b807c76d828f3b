"""Relative magnitudes: the plain interval at factor 0, a linear program's answer, honest coverage.

Critical values are simulated with 10,000 draws: lengths are held to 3 %. 300 coverage runs at 95 %
may fall four standard deviations (5 %) below.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from conurb.errors import InputError
from conurb.strategy.effect.estimate import Series
from conurb.strategy.effect.relative import relative_magnitudes
from conurb.strategy.panel import Figures

POINTS = (-4, -3, -2, 0, 1)


def covariance(seed: int = 0) -> Figures:
    root = np.random.default_rng(seed).normal(size=(5, 5))
    return np.asarray(0.01 * (root @ root.T + np.eye(5)))


def series(estimates: Figures) -> Series:
    return Series("event study", "years", POINTS, estimates, covariance(), 1.96)


def test_factor_zero_is_the_plain_interval() -> None:
    given = series(np.array([0.1, -0.1, 0.05, 1.0, 2.0]))
    for year, place in ((0, 3), (1, 4)):
        (found,) = relative_magnitudes(given, [0.0], generator=np.random.default_rng(0), year=year)
        error = given.standard_errors[place]
        assert found.estimate == given.estimates[place]
        assert found.low == pytest.approx(given.estimates[place] - 1.96 * error, abs=0.06 * error)
        assert found.high == pytest.approx(given.estimates[place] + 1.96 * error, abs=0.06 * error)


def test_without_noise_the_bounds_are_the_identified_set() -> None:
    """The largest step before is 0.4 (from -3 to -2): year h may be off by (h + 1) factor 0.4."""
    exact = Series(
        "e", "years", POINTS, np.array([0.1, -0.2, 0.2, 1.0, 2.0]), 1e-14 * np.eye(5), 1.96
    )
    for year, effect in ((0, 1.0), (1, 2.0)):
        for factor in (0.5, 2.0):
            (found,) = relative_magnitudes(
                exact, [factor], generator=np.random.default_rng(0), year=year
            )
            reach = (year + 1) * factor * 0.4
            assert found.low == pytest.approx(effect - reach, abs=1e-5)
            assert found.high == pytest.approx(effect + reach, abs=1e-5)


@pytest.mark.parametrize("year", [0, 1])
def test_elimination_by_hand_gives_the_linear_programs_answer(year: int) -> None:
    """min eta over the nuisance effects, for random draws, one largest step and factor 1.5."""
    v, factor, count = covariance(), 1.5, year + 1
    largest = np.array([0, -1.0, 1.0, 0, 0])
    steps = np.array([[0, 0, 0, 1.0, 0], [0, 0, 0, -1.0, 1.0]])[:count]
    up = np.array([np.sqrt((s - factor * largest) @ v @ (s - factor * largest)) for s in steps])
    down = np.array([np.sqrt((s + factor * largest) @ v @ (s + factor * largest)) for s in steps])
    for draw in np.random.default_rng(0).multivariate_normal(np.zeros(5), v, size=50):
        d, x = factor * largest @ draw, steps.sum(axis=0) @ draw
        closed = max(
            (x - count * d) / up.sum(),
            (-x - count * d) / down.sum(),
            *(-2 * d / (up + down)),
        )
        # Variables: eta, nuisance effects of the years before the last (that of the last is 0).
        rows, limits = [], []
        for u, step in enumerate(steps):
            tau = np.zeros(year)
            if u < year:
                tau[u] += 1
            if u > 0:
                tau[u - 1] -= 1
            rows += [[-up[u], *(-tau)], [-down[u], *tau]]
            limits += [d - step @ draw, d + step @ draw]
        solved = linprog(
            [1.0, *np.zeros(year)], A_ub=rows, b_ub=limits, bounds=[(None, None)] * (1 + year)
        )
        assert closed == pytest.approx(solved.fun, abs=1e-9)


def test_the_worst_trend_allowed_is_covered() -> None:
    rng = np.random.default_rng(0)
    trend = np.array([0.0, 0.3, 0.0, 0.3, 0.6])
    truth, covered = 1.0, 0
    for _ in range(300):
        drawn = (
            trend
            + np.array([0, 0, 0, truth, truth])
            + rng.multivariate_normal(np.zeros(5), covariance())
        )
        (found,) = relative_magnitudes(series(drawn), [1.0], generator=rng, draws=500)
        covered += found.low <= truth <= found.high
    assert covered / 300 > 0.9


def test_bounds_widen_with_the_factor() -> None:
    found = relative_magnitudes(
        series(np.array([0.1, -0.2, 0.2, 1.0, 2.0])),
        [0.0, 0.5, 1.0, 2.0],
        generator=np.random.default_rng(0),
    )
    lengths = [one.high - one.low for one in found]
    assert lengths == sorted(lengths)


def test_gaps_early_years_and_negative_factors_are_named() -> None:
    rng = np.random.default_rng(0)
    holed = Series("e", "years", (-4, -2, 0), np.zeros(3), np.eye(3), 1.96)
    with pytest.raises(InputError, match=r"no estimate for \[-3\]"):
        relative_magnitudes(holed, [1.0], generator=rng)
    late = Series("e", "years", (0, 1), np.zeros(2), np.eye(2), 1.96)
    with pytest.raises(InputError, match="before the reference year"):
        relative_magnitudes(late, [1.0], generator=rng)
    with pytest.raises(InputError, match="from 0 on"):
        relative_magnitudes(series(np.zeros(5)), [-1.0], generator=rng)
