"""Imputation: effects as what is left of treated cells after effects learnt from untreated ones.

Unit and year effects are fitted on untreated cells only, tau_it = y_it - alpha_i - lambda_t is
taken on treated cells and averaged. Standard errors are the conservative ones of Borusyak, Jaravel
and Spiess (2024), "Revisiting event-study designs", Review of Economic Studies 91, theorem 3 and
eq. 8: residuals of treated cells are taken about the mean of their cohort and year. No covariates.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, Series, estimate_of, quantile
from conurb.strategy.effect.study import Study, name_units
from conurb.strategy.linear import TwoWay, sum_by
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning


@dataclass(frozen=True, slots=True)
class Imputed:
    """Effects [N x T] on treated cells (NaN elsewhere), their average and the path since treatment.

    `study` is what was used: units and years without an untreated cell can't be imputed and are
    out of it.
    """

    study: Study
    effects: Figures
    overall: Estimate
    path: Series


def impute(study: Study, *, level: float = LEVEL) -> Imputed:
    """Estimate treatment effects by imputation, overall and by years since treatment.

    Unbalanced panels are taken as they are. Raises InputError with covariates (they aren't
    supported), and when nobody untreated is left to learn from.
    """
    if study.covariate_names:
        raise InputError("Imputation takes no covariates; use callaway.group_times for those")
    used = _imputable(study)
    treated = used.status & used.mask
    untreated = ~used.status & used.mask
    if not treated.any():
        raise InputError("No treated cell can be imputed: untreated cells are missing for all")
    effects_of = TwoWay.of(untreated)
    units, years = effects_of.effects(used.outcome)
    effects = np.where(treated, used.outcome - units[:, None] - years[None], np.nan)
    rest = np.where(untreated, used.outcome - units[:, None] - years[None], 0.0)
    since = np.where(treated, np.arange(len(used.years)) - used.first[:, None], -1)
    points = [int(e) for e in np.unique(since[treated])]
    targets = [treated, *(treated & (since == e) for e in points)]
    values = np.array([effects[target].mean() for target in targets])
    scores = np.column_stack(
        [
            _score(used, target / target.sum(), effects, rest, effects_of=effects_of)
            for target in targets
        ]
    )
    covariance = _covariance(used, scores)
    n_clusters = int(used.clusters.max()) + 1
    overall = estimate_of(
        "imputation (Borusyak, Jaravel, Spiess)",
        values[0],
        float(np.sqrt(covariance[0, 0])),
        n_units=len(used.units),
        n_observations=int(used.mask.sum()),
        level=level,
        notes=(*used.notes, f"{n_clusters} clusters") if n_clusters < 30 else used.notes,
    )
    path = Series(
        overall.method,
        "years since treatment",
        tuple(points),
        values[1:],
        covariance[1:, 1:],
        quantile(level),
        level=level,
        notes=used.notes,
    )
    return Imputed(used, effects, overall, path)


def _imputable(study: Study) -> Study:
    """Leave out units without an untreated cell and treated cells of years without one."""
    untreated = ~study.status & study.mask
    kept = np.asarray(untreated.any(axis=1))
    notes = []
    if not kept.any():
        raise InputError("No unit has an untreated year with a figure: nothing to impute from")
    if not kept.all():
        who = [u for u, flag in zip(study.units, kept, strict=True) if not flag]
        notes.append(f"left out, no untreated year with a figure: {name_units(who)}")
    taken = study.take(kept)
    empty = ~np.asarray((~taken.status & taken.mask).any(axis=0))
    if empty.any():
        gone = [y for y, flag in zip(taken.years, empty, strict=True) if flag]
        notes.append(f"left out, no untreated unit in {gone}")
        taken = replace(taken, outcome=np.where(empty, np.nan, taken.outcome))
    for note in notes:
        warnings.warn(f"{study.outcome_name}: {note}", StrategyWarning, stacklevel=3)
    return replace(taken, notes=(*study.notes, *notes))


def _score(
    study: Study, weights: Figures, effects: Figures, rest: Figures, *, effects_of: TwoWay
) -> Figures:
    """Give sum_t v_it e_it of every unit [N] for one average with weights [N x T].

    v is w on treated cells and -Z0 (Z0'Z0)^-1 Z1'w on untreated ones, Z being the unit and year
    indicators.
    """
    implied = _implied(weights, effects_of)
    treated = study.status & study.mask
    residuals = np.where(treated, effects - _means(study, effects, weights), rest)
    return np.asarray(np.where(treated, weights * residuals, implied * residuals).sum(axis=1))


def _implied(weights: Figures, effects_of: TwoWay) -> Figures:
    """Solve (Z0'Z0) theta = Z1'w and give -(theta_i + theta_t) on untreated cells [N x T]."""
    cells = effects_of.mask.astype(np.float64)
    of_units = weights.sum(axis=1)
    of_years = weights.sum(axis=0) - cells.T @ (of_units / effects_of.counts)
    years = effects_of.inverse @ of_years
    units = (of_units - cells @ years) / effects_of.counts
    return np.where(effects_of.mask, -(units[:, None] + years[None]), 0.0)


def _means(study: Study, effects: Figures, weights: Figures) -> Figures:
    """Give the mean effect of each treated cell's cohort and year, weighted by w^2 (eq. 8).

    A cohort of one unit would have no residual, and an error of zero: it is held against the mean
    of its weighted cells in all cohorts instead.
    """
    means = np.zeros_like(effects)
    squares = weights**2
    filled = np.nan_to_num(effects)
    whole = _ratio((squares * filled).sum(), squares.sum())
    for g in study.cohorts:
        members = study.first == g
        if members.sum() == 1:
            means[members] = whole
            continue
        part = squares[members]
        totals = part.sum(axis=0)
        sums = (part * filled[members]).sum(axis=0)
        means[members] = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return means


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _covariance(study: Study, scores: Figures) -> Figures:
    sums = sum_by(scores, study.clusters)
    return np.asarray(sums.T @ sums)
