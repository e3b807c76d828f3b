"""Spatial Durbin with unit and year effects, and its impacts with errors, on 46 cities x 30 years.

Against the definition written down plainly: explicit orthonormal bases, the determinant by dense
slogdet and least squares at each evaluation, bounded Brent on the likelihood's values, impacts by
inverse and simulation of 1,000 draws. Same process, answers compared.

    python bench/bench_strategy_spillover.py [--units 46] [--years 30]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar

from conurb.strategy.panel import Figures, Panel
from conurb.strategy.spillover.design import design
from conurb.strategy.spillover.distance import k_nearest
from conurb.strategy.spillover.impacts import Impacts, impacts
from conurb.strategy.spillover.model import SpatialFit, fit
from conurb.strategy.spillover.weights import Weights

MS_WANTED = 50
RUNS = 15
DRAWS = 1_000
NAMES = ("x1", "x2", "x3")


def make_up(units: int, years: int) -> tuple[Panel, Weights]:
    """Draw a panel from a spatial Durbin model with both effects."""
    rng = np.random.default_rng(2026)
    points = np.column_stack([rng.uniform(115, 122, units), rng.uniform(27, 34, units)])
    weights = k_nearest([f"city {i}" for i in range(units)], points, k=5).row_standardised()
    x = rng.normal(size=(units, years, 3))
    right = x @ [1.0, -0.5, 0.2] + weights.lag(x) @ [0.4, 0.1, 0.0]
    right += rng.normal(size=(units, 1)) + rng.normal(size=(1, years))
    right += rng.normal(size=(units, years))
    y = np.linalg.solve(np.eye(units) - 0.4 * weights.matrix, right)
    columns = {"y": y} | {name: x[:, :, k] for k, name in enumerate(NAMES)}
    return Panel(weights.units, tuple(range(1990, 1990 + years)), columns), weights


def ours(panel: Panel, weights: Weights) -> tuple[SpatialFit, Impacts]:
    """Fit and read impacts."""
    prepared = design(panel, outcome="y", regressors=NAMES, weights=weights)
    fitted = fit(prepared, "sdm")
    return fitted, impacts(fitted)


def plain(panel: Panel, weights: Weights, covariance: Figures) -> tuple[float, Figures]:
    """Give lambda and total impacts by the definition."""
    n, t = panel.shape
    w = weights.matrix
    over_units, over_years = null_space(np.ones((1, n))).T, null_space(np.ones((1, t))).T
    small = over_units @ w @ over_units.T
    raw = panel.stack(NAMES)
    x = np.concatenate([raw, weights.lag(raw)], axis=2)
    x = np.einsum("ai,itk,bt->abk", over_units, x, over_years).reshape(-1, x.shape[2])
    y = over_units @ panel.get("y") @ over_years.T

    def negative(s: float) -> float:
        left = (y - s * small @ y).ravel()
        e = left - x @ np.linalg.lstsq(x, left, rcond=None)[0]
        log = np.linalg.slogdet(np.eye(n - 1) - s * small)[1]
        return float(left.size / 2 * np.log(e @ e) - (t - 1) * log)

    best = float(minimize_scalar(negative, bounds=(-0.99, 0.99), method="bounded",
                                 options={"xatol": 1e-10}).x)  # fmt: skip
    beta = np.linalg.lstsq(x, (y - best * small @ y).ravel(), rcond=None)[0]
    mean = np.append(beta, best)
    drawn = np.random.default_rng(1).multivariate_normal(mean, covariance[:-1, :-1], DRAWS)
    totals = []
    for at in (mean, *drawn):
        inverse = np.linalg.inv(np.eye(n) - at[-1] * w)
        wholes = [inverse @ (at[k] * np.eye(n) + at[3 + k] * w) for k in range(3)]
        totals.append([whole.sum() / n for whole in wholes])
        [np.trace(whole) / n for whole in wholes]
    return best, np.array(totals[0])


def median_s(run: Callable[[], object], runs: int) -> float:
    """Give the median time in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=46)
    parser.add_argument("--years", type=int, default=30)
    options = parser.parse_args()
    panel, weights = make_up(options.units, options.years)
    fitted, read = ours(panel, weights)
    spatial, totals = plain(panel, weights, fitted.covariance)
    apart = max(abs(spatial - fitted.spatial), float(np.abs(totals - read.total.value).max()))
    fast = median_s(lambda: ours(panel, weights), RUNS)
    drawn = median_s(lambda: impacts(fitted, draws=DRAWS, rng=np.random.default_rng(1)), RUNS)
    slow = median_s(lambda: plain(panel, weights, fitted.covariance), 3)
    shape = f"{options.units} x {options.years}"
    print(f"two-way SDM with impacts, {shape}: {fast * 1e3:.2f} ms (wanted under {MS_WANTED})")
    print(f"impacts by {DRAWS} draws instead: {drawn * 1e3:.2f} ms more")
    print(f"dense, with {DRAWS} inverses: {slow * 1e3:.1f} ms (answers within {apart:.0e})")
    print(f"ratio: {slow / (fast + drawn):.1f} with as many draws, {slow / fast:.1f} by delta")


if __name__ == "__main__":
    main()
