"""Callaway and Sant'Anna: an effect for every cohort and year, and their averages.

ATT(g,t) = E[Y_t - Y_b | G = g] - E[Y_t - Y_b | comparison], b the year before g (or, before
treatment under the varying base, the year before t). Comparison units are the never treated, or
those not treated yet at t. Averages and their influence functions follow "Difference-in-
differences with multiple time periods", Journal of Econometrics 225 (2021), section 3 and 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, Series, estimate_of, quantile
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.twoperiod import ESTIMATORS, Effect, OverlapError, difference
from conurb.strategy.linear import Flags, Indices, check_rank, sum_by
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning

Comparison: TypeAlias = Literal["never", "not yet"]
Base: TypeAlias = Literal["varying", "universal"]


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """ATT(g,t) of every cohort and year, with influence functions.

    `cohorts` [P] and `times` [P] are positions in the study's years, `estimates` [P] the effects,
    `influence` [N x P] their influence functions. `compared` [N x P] tells which units had figures
    for the pair, where that differs. `overlap_lost` are the pairs that couldn't be had because
    covariates don't overlap; they are in no average.
    """

    study: Study
    method: str
    cohorts: Indices
    times: Indices
    estimates: Figures
    influence: Figures
    compared: Flags | None = None
    overlap_lost: tuple[tuple[int, int], ...] = ()

    @property
    def standard_errors(self) -> Figures:
        """Give the standard errors [P], clustered."""
        return np.sqrt(np.diag(clustered(self.influence, self.study.clusters)))

    def find(self, cohort: int, year: int) -> float | None:
        """Find ATT(cohort, year), both given as years; None when it isn't estimated."""
        years = self.study.years
        for g, t, value in zip(self.cohorts, self.times, self.estimates, strict=True):
            if (years[g] if g < len(years) else None, years[t]) == (cohort, year):
                return float(value)
        return None


@dataclass(frozen=True, slots=True)
class Average:
    """An average of ATT(g,t) with its parts and influence functions [N], [N x P]."""

    overall: Estimate
    parts: Series | None
    influence: Figures
    part_influence: Figures


def clustered(influence: Figures, clusters: Indices) -> Figures:
    """Give the covariance [P x P] of estimates from influence functions [N x P].

    V = sum_c (sum_i f_i)(sum_i f_i)' / N^2, without a small-sample factor, as R's did.
    """
    n = len(influence)
    sums = influence if clusters.max() + 1 == n else sum_by(influence, clusters)
    return np.asarray(sums.T @ sums / n**2)


def group_times(
    study: Study,
    *,
    comparison: Comparison = "never",
    method: str = "doubly robust",
    base: Base = "varying",
    anticipation: int = 0,
    pairwise: bool = False,
) -> GroupTimes:
    """Estimate ATT(g,t) for every cohort and year.

    Units with a missing year are left out, with a warning; with `pairwise`, every comparison takes
    the units that have figures in its two years (who is compared then changes from one to the
    next, which a note says; averages weigh by the treated units compared). `method` (one of
    `twoperiod.ESTIMATORS`) says how covariates are held equal, at their figures of the base year;
    without covariates all of them are the difference of mean changes. Raises InputError for
    collinear covariates, naming them, and when nobody is there to compare with.
    """
    if method not in ESTIMATORS:
        raise InputError(f"No method {method!r}; there are {sorted(ESTIMATORS)}")
    if comparison not in ("never", "not yet") or base not in ("varying", "universal"):
        raise InputError(f"No comparison {comparison!r} or base {base!r}")
    if anticipation < 0:
        raise InputError(f"Anticipation is a number of years from 0, not {anticipation}")
    whole = _comparable(_with_gaps(study) if pairwise else study.balanced(), comparison)
    few = not len(whole.covariate_names)
    reason = ""
    estimator = difference if few else ESTIMATORS[method]
    pairs, effects, influences, compared, lost = [], [], [], [], []
    for g, t, b in _pairs(whole, base, anticipation):
        treated = whole.first == g
        others = _others(whole, g, t, b, comparison=comparison, anticipation=anticipation)
        here = ~np.isnan(whole.outcome[:, [t, b]]).any(axis=1)
        here &= ~np.isnan(whole.covariates[:, b]).any(axis=1)
        treated, others = treated & here, others & here
        if not others.any() or not treated.any():
            continue
        if t == b:
            value, influence = 0.0, np.zeros(len(whole.units))
        else:
            try:
                value, influence = _compare(whole, treated, others, (t, b), estimator=estimator)
            except OverlapError as error:
                lost.append((whole.years[g], whole.years[t]))
                reason = error.detail
                continue
        pairs.append((g, t))
        effects.append(value)
        influences.append(influence)
        compared.append(here)
    if lost:
        named = ", ".join(f"({g}, {t})" for g, t in lost)
        warnings.warn(f"ATT isn't estimated for {named}: {reason}", StrategyWarning, stacklevel=2)
    if not pairs:
        raise InputError("No cohort and year could be compared; see the warnings")
    name = f"Callaway-Sant'Anna, {comparison} treated" + ("" if few else f", {method}")
    cohorts, times = np.array(pairs).T
    return GroupTimes(
        whole,
        name,
        cohorts,
        times,
        np.array(effects),
        np.column_stack(influences),
        np.column_stack(compared) if pairwise else None,
        tuple(lost),
    )


def simple(effects: GroupTimes, *, level: float = LEVEL) -> Average:
    """Average all ATT(g,t), t >= g, weighting cohorts by their size (eq. 3.11)."""
    kept = _post(effects)
    value, influence = _weighted(effects, kept, kept_estimates=effects.estimates[kept])
    return _average(effects, "simple", value, influence, level=level)


def dynamic(
    effects: GroupTimes,
    *,
    before: int | None = None,
    after: int | None = None,
    level: float = LEVEL,
) -> Average:
    """Average by years since treatment (eq. 3.4); overall is the mean of those from 0 on (3.10)."""
    since = effects.times - effects.cohorts
    points = [
        int(e)
        for e in np.unique(since)
        if (before is None or e >= -abs(before)) and (after is None or e <= after)
    ]
    values, parts = _by(effects, [since == e for e in points])
    late = np.array([e >= 0 for e in points])
    return _averaged(
        effects, "dynamic", ("years since treatment", points), values, parts, late, level=level
    )


def by_group(effects: GroupTimes, *, level: float = LEVEL) -> Average:
    """Average each cohort over its treated years; overall weights cohorts by size (eq. 3.7-3.8)."""
    post = _post(effects)
    cohorts = np.unique(effects.cohorts[post])
    masks = [post & (effects.cohorts == g) for g in cohorts]
    values = np.array([effects.estimates[m].mean() for m in masks])
    parts = np.column_stack([effects.influence[:, m].mean(axis=1) for m in masks])
    member = np.asarray(effects.study.first[:, None] == cohorts[None])
    overall, influence = _weigh(member, values, parts)
    years = [effects.study.years[g] for g in cohorts]
    return _average(
        effects, "group", overall, influence, ("cohort", years, values, parts), level=level
    )


def by_calendar(effects: GroupTimes, *, level: float = LEVEL) -> Average:
    """Average each year over the cohorts treated by then; overall is their mean (section 3.2)."""
    post = _post(effects)
    times = np.unique(effects.times[post])
    values, parts = _by(effects, [post & (effects.times == t) for t in times])
    years = [effects.study.years[t] for t in times]
    every = np.ones(len(years), dtype=bool)
    return _averaged(effects, "calendar", ("year", years), values, parts, every, level=level)


def _with_gaps(study: Study) -> Study:
    """Leave out units without any figure, and say which have gaps."""
    there = np.asarray(study.mask.any(axis=1))
    found = study.take(there)
    gaps = int((~found.mask).any(axis=1).sum())
    if not gaps:
        return found
    note = f"{gaps} of {len(found.units)} units have gaps: each comparison takes those it can"
    return replace(found, notes=(*found.notes, note))


def _comparable(study: Study, comparison: Comparison) -> Study:
    """Cut the years in which nobody is left untreated; refuse never-treated when there is none."""
    if study.never.any():
        return study
    if comparison == "never":
        raise InputError(
            "No unit is never treated; compare with those not treated yet (comparison='not yet')"
        )
    return study.until(int(study.cohorts.max()))


def _pairs(study: Study, base: Base, anticipation: int) -> list[tuple[int, int, int]]:
    """Give cohort, year and base year (positions) of every comparison."""
    pairs = []
    for g in study.cohorts:
        before = int(g) - 1 - anticipation
        if before < 0:
            continue
        for t in range(len(study.years)):
            if t > before or base == "universal":
                pairs.append((int(g), t, before))
            elif t > 0:
                pairs.append((int(g), t, t - 1))
    return pairs


def _others(
    study: Study, g: int, t: int, b: int, *, comparison: Comparison, anticipation: int
) -> Flags:
    if comparison == "never":
        return study.never
    return np.asarray((study.first > max(t, b) + anticipation) & (study.first != g))


def _compare(
    study: Study,
    treated: Flags,
    others: Flags,
    times: tuple[int, int],
    *,
    estimator: Callable[[Figures, Flags, Figures], Effect],
) -> Effect:
    t, b = times
    used = treated | others
    change = study.outcome[used, t] - study.outcome[used, b]
    x = np.ones((int(used.sum()), 1))
    if study.covariate_names:
        x = np.concatenate([x, study.covariates[used, b]], axis=1)
        check_rank(x[~treated[used]], ("constant", *study.covariate_names))
    value, part = estimator(change, treated[used], x)
    influence = np.zeros(len(study.units))
    influence[used] = part * (len(study.units) / used.sum())
    return value, influence


def _post(effects: GroupTimes) -> Flags:
    post = np.asarray(effects.times >= effects.cohorts)
    if not post.any():
        raise InputError("No effect after treatment could be estimated")
    return post


def _weighted(
    effects: GroupTimes, kept: Flags, *, kept_estimates: Figures
) -> tuple[float, Figures]:
    member = np.asarray(effects.study.first[:, None] == effects.cohorts[kept][None])
    if effects.compared is not None:
        member = member & effects.compared[:, kept]
    return _weigh(member, kept_estimates, effects.influence[:, kept])


def _weigh(member: Flags, estimates: Figures, influence: Figures) -> tuple[float, Figures]:
    """Average by the shares of `member` [N x P]; they are estimates too and enter the influence."""
    shares = member.mean(axis=0)
    total = shares.sum()
    weights = shares / total
    value = float(estimates @ weights)
    return value, influence @ weights + member @ ((estimates - value) / total)


def _by(effects: GroupTimes, masks: list[Flags]) -> tuple[Figures, Figures]:
    averages = [_weighted(effects, m, kept_estimates=effects.estimates[m]) for m in masks]
    return np.array([a for a, _ in averages]), np.column_stack([f for _, f in averages])


def _averaged(
    effects: GroupTimes,
    kind: str,
    axis: tuple[str, list[int]],
    values: Figures,
    parts: Figures,
    late: Flags,
    *,
    level: float,
) -> Average:
    if not late.any():
        raise InputError("No effect after treatment could be estimated")
    overall, influence = float(values[late].mean()), parts[:, late].mean(axis=1)
    return _average(effects, kind, overall, influence, (*axis, values, parts), level=level)


def _average(
    effects: GroupTimes,
    kind: str,
    value: float,
    influence: Figures,
    parts: tuple[str, list[int], Figures, Figures] | None = None,
    *,
    level: float,
) -> Average:
    study = effects.study
    notes = study.notes
    if effects.overlap_lost:
        notes = (*notes, f"without ATT of {effects.overlap_lost}: no overlap in covariates")
    error = float(np.sqrt(clustered(influence[:, None], study.clusters)[0, 0]))
    overall = estimate_of(
        f"{effects.method}: {kind}",
        value,
        error,
        n_units=len(study.units),
        n_observations=study.outcome.size,
        level=level,
        notes=notes,
    )
    if parts is None:
        return Average(overall, None, influence, influence[:, None])
    axis, points, values, part_influence = parts
    series = Series(
        f"{effects.method}: {kind}",
        axis,
        tuple(points),
        values,
        clustered(part_influence, study.clusters),
        quantile(level),
        level=level,
        notes=notes,
    )
    return Average(overall, series, influence, part_influence)


def with_uniform_band(average: Average, critical: float) -> Average:
    """Give the average with the intervals of its parts drawn by a uniform critical value."""
    if average.parts is None:
        raise InputError("This average has no parts to draw a band for")
    return replace(average, parts=replace(average.parts, critical=critical, uniform=True))
