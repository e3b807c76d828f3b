"""HonestDiD: valid under straight trends, shortest by brute force, wider as trends may bend more.

Lengths are held to a brute-force search over weights, to 1e-6 of their size.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from conurb.errors import InputError
from conurb.strategy.effect.estimate import Series
from conurb.strategy.effect.honest import breakdown, folded_quantile, smoothness
from conurb.strategy.panel import Figures

POINTS = (-4, -3, -2, 0, 1)


def series(estimates: Figures, seed: int = 0) -> Series:
    root = np.random.default_rng(seed).normal(size=(5, 5))
    covariance = 0.01 * (root @ root.T + np.eye(5))
    return Series("event study", "years", POINTS, estimates, covariance, 1.96)


def test_without_bends_a_straight_trend_is_taken_out_exactly() -> None:
    straight = 0.3 * (np.array(POINTS) + 1.0)
    effect = np.array([0, 0, 0, 0.7, 0.9])
    (found,) = smoothness(series(straight + effect), [0.0])
    assert found.centre == pytest.approx(0.7, abs=1e-9)
    assert found.bias_max == pytest.approx(0, abs=1e-12)


def test_the_centre_is_never_farther_off_than_the_worst_bias() -> None:
    """Trends that bend by at most M a year, drawn at random: bias within its bound, and reached."""
    rng = np.random.default_rng(1)
    (found,) = smoothness(series(np.zeros(5)), [0.2])
    distances = np.array(POINTS) + 1
    seen = []
    for _ in range(2000):
        bends = 0.2 * rng.choice([-1.0, 1.0], size=6)
        path = np.concatenate([[0, rng.normal()], np.zeros(4)])
        for s in range(2, 6):
            path[s] = 2 * path[s - 1] - path[s - 2] + bends[s]
        path = path - path[3]
        trend = path[distances + 3]
        (shifted,) = smoothness(series(trend), [0.2])
        seen.append(abs(shifted.centre))
        if len(seen) == 100:
            break
    assert max(seen) <= found.bias_max * (1 + 1e-6)
    assert max(seen) > 0.9 * found.bias_max


@pytest.mark.parametrize("bend", [0.01, 0.05, 0.2])
def test_the_interval_is_the_shortest_that_a_search_finds(bend: float) -> None:
    given = series(np.zeros(5))
    (found,) = smoothness(given, [bend])
    distances = np.array(POINTS) + 1.0

    def half(free: Figures) -> float:
        v = np.array([free[0], free[1], 0.0])
        v[2] = -(v[:2] @ distances[:2] + distances[3]) / distances[2]
        a = np.array([*v, 1.0, 0.0])
        knots = {
            -2: [1.0, 0, 0, 0, 0],
            -1: [2.0, 1, 0, 0, 0],
            0: [3.0, 2, 1, 0, 0],
            1: [0, 0, 0, 0, 1.0],
        }
        bias = bend * sum(abs(np.array(c) @ a) for c in knots.values())
        error = float(np.sqrt(a @ given.covariance @ a))
        return error * folded_quantile(bias / error, 0.95)

    starts = np.random.default_rng(0).normal(size=(6, 2))
    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10_000}
    best = min(
        optimize.minimize(half, z, method="Nelder-Mead", options=options).fun for z in starts
    )
    assert (found.high - found.low) / 2 == pytest.approx(best, rel=1e-6)


def test_intervals_widen_as_trends_may_bend_more_and_breakdown_lies_where_zero_enters() -> None:
    given = series(np.array([0, 0, 0, 3.0, 3.0]))
    found = smoothness(given, [0.0, 0.1, 0.5, 1.0])
    lengths = [one.high - one.low for one in found]
    assert lengths == sorted(lengths)
    limit = breakdown(given)
    inside, outside = smoothness(given, [0.98 * limit, 1.02 * limit])
    assert inside.low > 0 > outside.low


def test_an_effect_that_is_never_certain_has_no_breakdown() -> None:
    assert np.isnan(breakdown(series(np.zeros(5))))


def test_the_folded_quantile_is_that_of_the_normal_where_there_is_no_bias() -> None:
    assert folded_quantile(0.0, 0.95) == pytest.approx(stats.norm.ppf(0.975), abs=1e-9)
    x = folded_quantile(1.3, 0.9)
    assert stats.norm.cdf(x - 1.3) - stats.norm.cdf(-x - 1.3) == pytest.approx(0.9, abs=1e-9)
    assert folded_quantile(30.001, 0.95) == pytest.approx(folded_quantile(29.999, 0.95), abs=0.01)


def test_gaps_and_missing_early_years_are_named() -> None:
    given = series(np.zeros(5))
    holed = Series("e", "years", (-4, -2, 0), np.zeros(3), np.eye(3), 1.96)
    with pytest.raises(InputError, match=r"no estimate for \[-3\]"):
        smoothness(holed, [0.1])
    late = Series("e", "years", (0, 1), np.zeros(2), np.eye(2), 1.96)
    with pytest.raises(InputError, match="before the reference year"):
        smoothness(late, [0.1])
    with pytest.raises(InputError, match="from 0 on"):
        smoothness(given, [-0.1])
