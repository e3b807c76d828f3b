"""Slack-based efficiency with bad outputs of 285 cities over 18 years, a frontier per year.

Against scipy.optimize.linprog(method="highs"), the same solver called afresh per unit, with the
program built as dense arrays by numpy; both in this process. scipy is timed on a sample of units
and the scores are compared on it.

    python bench/bench_strategy_green.py [--units 285] [--years 18] [--sample 200]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.optimize import linprog

from conurb.strategy.green.production import Production
from conurb.strategy.green.productivity import global_malmquist_luenberger
from conurb.strategy.green.sbm import sbm

RATIO_WANTED = 10


def make_up(units: int, years: int) -> Production:
    """Draw cities of very different sizes: labour, capital, energy; GDP; CO2."""
    rng = np.random.default_rng(2026)
    size = np.exp(rng.normal(0, 1, (units, 1, 1)))
    cubes = [size * np.exp(rng.normal(0, 0.3, (units, years, k))) for k in (3, 1, 1)]
    return Production.from_arrays(
        [f"city {i}" for i in range(units)],
        inputs=cubes[0],
        goods=cubes[1],
        bads=cubes[2],
        years=range(2000, 2000 + years),
    )


def fresh(figures: np.ndarray, o: int) -> float:
    """Solve one unit by scipy: weights, three slacks of inputs, two of outputs, t."""
    n, k = figures.shape
    matrix = np.zeros((k + 1, n + k + 1))
    matrix[:k, :n] = figures.T
    matrix[np.arange(k), n + np.arange(k)] = np.array([1, 1, 1, -1, 1]) * figures[o]
    matrix[:k, -1] = -figures[o]
    matrix[k, n + 3 : n + k], matrix[k, -1] = 1 / 2, 1.0
    costs = np.zeros(n + k + 1)
    costs[n : n + 3], costs[-1] = -1 / 3, 1.0
    right = np.zeros(k + 1)
    right[k] = 1.0
    return float(linprog(costs, A_eq=matrix, b_eq=right, method="highs").fun)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=285)
    parser.add_argument("--years", type=int, default=18)
    parser.add_argument("--sample", type=int, default=200)
    options = parser.parse_args()
    production = make_up(options.units, options.years)
    figures = production.stacked / production.stacked.mean(axis=0)
    cells = options.units * options.years

    start = time.perf_counter()
    score = sbm(production).score
    ours = (time.perf_counter() - start) / cells

    rng = np.random.default_rng(1)
    picked = np.column_stack(
        [
            rng.integers(0, options.units, options.sample),
            rng.integers(0, options.years, options.sample),
        ]
    )
    start = time.perf_counter()
    theirs = np.array([fresh(figures[:, t], i) for i, t in picked])
    scipys = (time.perf_counter() - start) / options.sample
    apart = np.abs(theirs - score[picked[:, 0], picked[:, 1]]).max()

    start = time.perf_counter()
    global_malmquist_luenberger(production)
    whole = time.perf_counter() - start
    print(
        f"SBM, {options.units} x {options.years}: {ours * cells:.2f} s, {ours * 1e3:.3f} ms a unit"
    )
    print(
        f"scipy's HiGHS, fresh per unit: {scipys * 1e3:.3f} ms a unit (scores within {apart:.0e})"
    )
    print(f"ratio: {scipys / ours:.1f} (wanted {RATIO_WANTED})")
    print(f"global Malmquist-Luenberger of the same panel: {whole:.2f} s")


if __name__ == "__main__":
    main()
