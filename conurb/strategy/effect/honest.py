"""HonestDiD, smoothness: how far may trends depart from parallel before the result falls?

Differences in trends delta may bend by at most M a year, |delta_{s+1} - 2 delta_s + delta_{s-1}|
<= M; M = 0 allows any straight line. The interval is the shortest of fixed length: an affine
combination of the event-study estimates, widened by its worst bias. Rambachan and Roth (2023),
"A more credible approach to parallel trends", Review of Economic Studies 90, section 2.4.1 and 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Series, check_level
from conurb.strategy.panel import Figures

PATH = 60
"""How many trade-offs of variance against bias are tried before the best is refined."""
RIDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Honest:
    """The interval that holds when trends bend by at most `bend` a year.

    `centre` is the bias-aware estimate, `bias_max` its worst bias, `standard_error` its own.
    """

    bend: float
    centre: float
    standard_error: float
    bias_max: float
    low: float
    high: float
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class _Problem:
    """Estimates by distance u to the reference year, and how weights turn into bias.

    An estimate is a'beta, a = (v, target): `slope` [P] must give 0 with a, `bends` [J x P] gives
    the weight of each second difference.
    """

    estimates: Figures
    covariance: Figures
    target: Figures
    early: np.ndarray
    slope: Figures
    bends: Figures


def smoothness(
    series: Series,
    bends: Sequence[float],
    *,
    reference: int = -1,
    weights: Figures | None = None,
    level: float = LEVEL,
) -> tuple[Honest, ...]:
    """Bound the effect for each bound M of `bends` on the change of slope per year.

    `series` holds estimates by years since treatment without gaps apart from `reference`;
    `weights` [years from 0 on] say which average is bounded (the effect of year 0 alone, when not
    given). Errors: no estimate before the reference year, gaps, negative M.
    """
    check_level(level)
    if any(not bend >= 0 for bend in bends):
        raise InputError(f"Bounds on the change of slope are from 0 on, not {list(bends)}")
    problem = _problem(series, reference, weights)
    return tuple(_interval(problem, bend, level) for bend in bends)


def breakdown(
    series: Series,
    *,
    reference: int = -1,
    weights: Figures | None = None,
    level: float = LEVEL,
    precision: float = 1e-3,
) -> float:
    """Give the largest M for which the interval leaves out zero; NaN when none does.

    M is found to `precision` of the target's standard error.
    """
    problem = _problem(series, reference, weights)

    def certain(bend: float) -> bool:
        found = _interval(problem, bend, level)
        return found.low > 0 or found.high < 0

    if not certain(0.0):
        return math.nan
    unit = float(np.sqrt(problem.target @ problem.covariance @ problem.target))
    high = unit
    while certain(high):
        high *= 2
        if high > 1e6 * unit:
            return math.inf
    low = 0.0
    while high - low > precision * unit:
        middle = (low + high) / 2
        low, high = (middle, high) if certain(middle) else (low, middle)
    return low


def _problem(series: Series, reference: int, weights: Figures | None) -> _Problem:
    kept = [i for i, e in enumerate(series.points) if e != reference]
    distances = np.array([series.points[i] - reference for i in kept])
    span = np.arange(distances.min(), distances.max() + 1)
    missing = sorted(set(span[span != 0].tolist()) - set(distances.tolist()))
    if missing:
        raise InputError(
            f"The series has no estimate for {[int(u) + reference for u in missing]} years since "
            "treatment; bounds on bends need every year"
        )
    early = distances < 0
    if not early.any():
        raise InputError("Bounds on bends need an estimate before the reference year")
    late = int((~early).sum())
    chosen = np.eye(late)[0] if weights is None else np.asarray(weights, dtype=np.float64)
    if chosen.shape != (late,):
        raise InputError(f"There are {late} years from 0 on, and {chosen.size} weights")
    target = np.zeros(len(kept))
    target[~early] = chosen
    knots = span[1:-1]
    columns = np.where(
        distances[None] > 0,
        np.where(knots[:, None] >= 1, np.maximum(distances[None] - knots[:, None], 0), 0),
        np.where(knots[:, None] <= 0, np.maximum(knots[:, None] - distances[None], 0), 0),
    )
    return _Problem(
        series.estimates[kept],
        series.covariance[np.ix_(kept, kept)],
        target,
        early,
        distances.astype(np.float64),
        columns.astype(np.float64),
    )


def _interval(problem: _Problem, bend: float, level: float) -> Honest:
    """Find the shortest interval of fixed length along the path from least variance to bias."""
    first, free = _feasible(problem)

    def at(log_price: float) -> tuple[float, Figures]:
        a = _weights(problem, first, free, price=math.exp(log_price))
        return _length(problem, a, bend, level), a

    if free.shape[1] == 0 or bend == 0:
        best = _weights(problem, first, free, price=0.0)
    else:
        scale = math.log(max(float(np.trace(problem.covariance)), 1e-300))
        grid = np.linspace(scale - 16, scale + 10, PATH)
        lengths = [at(g)[0] for g in grid]
        j = int(np.argmin(lengths))
        around = (grid[max(j - 1, 0)], grid[min(j + 1, PATH - 1)])
        found = optimize.minimize_scalar(lambda g: at(g)[0], bounds=around, method="bounded")
        best = at(float(found.x) if found.fun <= lengths[j] else float(grid[j]))[1]
    half = _length(problem, best, bend, level)
    centre = float(best @ problem.estimates)
    error = float(np.sqrt(best @ problem.covariance @ best))
    bias = bend * float(np.abs(problem.bends @ best).sum())
    return Honest(bend, centre, error, bias, centre - half, centre + half, level)


def _feasible(problem: _Problem) -> tuple[Figures, Figures]:
    """Give weights that ignore any straight line [P], and the directions that keep them so."""
    early = np.flatnonzero(problem.early)
    slopes = problem.slope[early]
    first = problem.target.copy()
    first[early] = -slopes * float(problem.slope @ problem.target) / float(slopes @ slopes)
    _, _, basis = np.linalg.svd(slopes[None])
    free = np.zeros((len(first), len(early) - 1))
    free[early] = basis[1:].T
    return first, free


def _weights(problem: _Problem, first: Figures, free: Figures, *, price: float) -> Figures:
    """Minimise a' V a / 2 + price sum |bends a| over the feasible weights a.

    Solved by its dual, a box-constrained least squares problem. A vanishing ridge makes it
    strictly convex; any feasible a gives a valid interval, so that precision only costs length.
    """
    if free.shape[1] == 0:
        return first
    quadratic = free.T @ problem.covariance @ free
    linear = free.T @ problem.covariance @ first
    inverse = np.linalg.pinv(quadratic, hermitian=True)
    if price == 0:
        return np.asarray(first - free @ (inverse @ linear))
    bends, fixed = problem.bends @ free, problem.bends @ first
    hessian = bends @ inverse @ bends.T
    hessian += RIDGE * max(float(np.trace(hessian)), 1e-300) * np.eye(len(hessian))
    root = np.linalg.cholesky(hessian)
    goal = np.linalg.solve(root, fixed - bends @ inverse @ linear)
    dual = optimize.lsq_linear(root.T, goal, bounds=(-price, price), method="bvls").x
    return np.asarray(first - free @ (inverse @ (linear + bends.T @ dual)))


def _length(problem: _Problem, a: Figures, bend: float, level: float) -> float:
    """Give half the length: s times the quantile of |N(bias / s, 1)|."""
    error = float(np.sqrt(a @ problem.covariance @ a))
    bias = bend * float(np.abs(problem.bends @ a).sum())
    if error == 0:
        return bias
    return error * folded_quantile(bias / error, level)


def folded_quantile(shift: float, level: float) -> float:
    """Give the quantile of |N(shift, 1)|."""
    return (
        math.sqrt(float(stats.ncx2.ppf(level, 1, shift**2)))
        if shift < 30
        else (shift + float(stats.norm.ppf(level)))
    )
