"""Synthetic difference in differences: comparison units and years weighted to be alike.

Unit weights make comparison units move as the treated did before treatment, year weights make the
years before alike to those after: Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021),
American Economic Review 111, algorithm 1. Cohorts are estimated one by one and averaged by treated
cells (Clarke et al. 2023). Weights are exact solutions (non-negative least squares), not iterates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import nnls

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, estimate_of
from conurb.strategy.effect.study import Study
from conurb.strategy.panel import Figures

Variance: TypeAlias = Literal["placebo", "jackknife"]

DRAWS = 100
YEAR_RIDGE = 1e-6
"""Ridge of year weights, in standard deviations of first differences, as the authors set it."""
ITERATIONS_PER_UNIT = 30


@dataclass(frozen=True, slots=True)
class _Cohort:
    """A cohort's estimate with the weights that gave it; `start` is its first treated position."""

    start: int
    size: int
    estimate: float
    units: Figures
    years: Figures


def synthetic(
    study: Study,
    *,
    variance: Variance = "placebo",
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the effect on the treated by synthetic difference in differences.

    `variance`: "placebo" gives treatment to never treated units (algorithm 4; needs more of them
    than treated units, and a generator), "jackknife" leaves units out with weights held (algorithm
    3; needs two units in each cohort). Units with a missing year are left out, with a warning.
    Cohorts need two years before treatment. Raises InputError where these don't hold.
    """
    whole = study.balanced()
    if whole.covariate_names:
        raise InputError("Synthetic difference in differences takes no covariates")
    if whole.never.sum() < 2:
        raise InputError("Synthetic difference in differences needs two never treated units")
    early = [whole.years[g] for g in whole.cohorts if g < 2]
    if early:
        raise InputError(f"Cohorts {early} have fewer than two years before treatment")
    control = whole.outcome[whole.never]
    cohorts = [_cohort(whole.outcome[whole.first == g], control, int(g)) for g in whole.cohorts]
    value = _pooled(cohorts, len(whole.years))
    if variance == "jackknife":
        error = _jackknife(whole, cohorts)
    elif generator is None:
        raise InputError("The placebo variance draws at random: give a generator")
    else:
        error = _placebo(whole, generator, draws)
    detail = variance if variance == "jackknife" else f"placebo variance, {draws} draws"
    return estimate_of(
        "synthetic DID",
        value,
        error,
        n_units=len(whole.units),
        n_observations=whole.outcome.size,
        level=level,
        notes=(*whole.notes, detail),
    )


def _cohort(treated: Figures, control: Figures, start: int) -> _Cohort:
    """Estimate one cohort [n x T] against comparison units [m x T]."""
    before, after = control[:, :start], control[:, start:]
    noise = float(np.diff(before, axis=1).std(ddof=1)) if before.shape[1] > 1 else 0.0
    ridge = (len(treated) * after.shape[1]) ** 0.25 * noise * np.sqrt(start)
    units = _simplex(before.T, treated[:, :start].mean(axis=0), ridge)
    years = _simplex(before, after.mean(axis=1), YEAR_RIDGE * noise * np.sqrt(len(before)))
    estimate = _effect(treated, control, start, units=units, years=years)
    return _Cohort(start, len(treated), estimate, units, years)


def _effect(
    treated: Figures, control: Figures, start: int, *, units: Figures, years: Figures
) -> float:
    gain = treated[:, start:].mean() - treated[:, :start].mean(axis=0) @ years
    drift = units @ (control[:, start:].mean(axis=1) - control[:, :start] @ years)
    return float(gain - drift)


def _simplex(columns: Figures, target: Figures, ridge: float) -> Figures:
    """Minimise |a + columns w - target|^2 + ridge^2 |w|^2 over w >= 0 with sum 1 and any a.

    As the weights sum to 1 this is the point nearest to 0 of the hull of (columns - target); one
    non-negative least squares problem with a row of ones gives it up to scale.
    """
    gaps = columns - target[:, None]
    gaps = gaps - gaps.mean(axis=0)
    rows = np.vstack([gaps, ridge * np.eye(columns.shape[1])])
    scale = float(np.abs(rows).max())
    if scale > 0:
        rows = rows / scale
    system = np.vstack([rows, np.ones(columns.shape[1])])
    goal = np.zeros(len(system))
    goal[-1] = 1.0
    try:
        weights, _ = nnls(system, goal, maxiter=ITERATIONS_PER_UNIT * columns.shape[1])
    except RuntimeError as error:
        raise InputError("Synthetic weights can't be found: the figures are degenerate") from error
    return np.asarray(weights / weights.sum())


def _pooled(cohorts: list[_Cohort], years: int) -> float:
    cells = [c.size * (years - c.start) for c in cohorts]
    return float(np.average([c.estimate for c in cohorts], weights=cells))


def _placebo(study: Study, generator: np.random.Generator, draws: int) -> float:
    """Give the spread of estimates with treatment given to never treated units."""
    sizes = [(int(g), int((study.first == g).sum())) for g in study.cohorts]
    control = study.outcome[study.never]
    total = sum(size for _, size in sizes)
    if len(control) <= total:
        raise InputError(
            f"The placebo variance needs more never treated units ({len(control)}) than treated "
            f"({total}); use variance='jackknife'"
        )
    if draws < 2:
        raise InputError(f"The placebo variance needs two draws, not {draws}")
    values = []
    for _ in range(draws):
        order = generator.permutation(len(control))
        rest, taken, cohorts = control[order[total:]], 0, []
        for start, size in sizes:
            cohorts.append(_cohort(control[order[taken : taken + size]], rest, start))
            taken += size
        values.append(_pooled(cohorts, len(study.years)))
    return float(np.std(values))


def _jackknife(study: Study, cohorts: list[_Cohort]) -> float:
    """Leave out each unit in turn, holding weights (renormalised)."""
    single = [study.years[c.start] for c in cohorts if c.size < 2]
    if single:
        raise InputError(
            f"The jackknife needs two units in each cohort; {single} have one: "
            "use variance='placebo'"
        )
    control, years = study.outcome[study.never], len(study.years)
    members = [study.outcome[study.first == c.start] for c in cohorts]
    values = []
    for i in range(len(control)):
        kept = np.arange(len(control)) != i
        parts = []
        for c, treated in zip(cohorts, members, strict=True):
            units = c.units[kept]
            if units.sum() <= 0:
                units = np.ones(len(units))
            value = _effect(
                treated, control[kept], c.start, units=units / units.sum(), years=c.years
            )
            parts.append(_Cohort(c.start, c.size, value, units, c.years))
        values.append(_pooled(parts, years))
    for j, (c, treated) in enumerate(zip(cohorts, members, strict=True)):
        for i in range(len(treated)):
            kept = np.arange(len(treated)) != i
            value = _effect(treated[kept], control, c.start, units=c.units, years=c.years)
            parts = list(cohorts)
            parts[j] = _Cohort(c.start, c.size - 1, value, c.units, c.years)
            values.append(_pooled(parts, years))
    n = len(values)
    return float(np.sqrt((n - 1) / n * ((np.array(values) - np.mean(values)) ** 2).sum()))
