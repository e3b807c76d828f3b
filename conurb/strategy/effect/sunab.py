"""Sun and Abraham: an event study that doesn't mix cohorts.

A regression under two-way fixed effects with one indicator per cohort and year since treatment;
coefficients are averaged over cohorts by their shares among the treated cells of that year.
Source: Sun and Abraham (2021), Journal of Econometrics 225, eq. 25-28. Shares are taken as given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, Series, estimate_of, quantile
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.twfe import event_times
from conurb.strategy.linear import TwoWay, fit_within

REGRESSORS_MAX = 2_000
"""The most cohort-by-year indicators that one regression takes."""


@dataclass(frozen=True, slots=True)
class SunAbraham:
    """The average effect after treatment and the path by years since treatment."""

    overall: Estimate
    path: Series


def sun_abraham(study: Study, *, level: float = LEVEL) -> SunAbraham:
    """Estimate effects by years since treatment with weights by cohort.

    Never treated units are the comparison; without them it is the last cohort, and years end
    before it begins. Every cohort's reference is the year before it began; cohorts without a figure
    for that year can't be estimated and raise InputError.
    """
    used = study if study.never.any() else study.until(int(study.cohorts.max()))
    used.check()
    since = event_times(used)
    pairs = _pairs(used)
    if len(pairs) > REGRESSORS_MAX:
        raise InputError(
            f"{len(pairs)} indicators of cohort and year are more than {REGRESSORS_MAX}; "
            "use callaway.group_times"
        )
    columns = [((used.first == g)[:, None] & (since == e)).astype(np.float64) for g, e in pairs]
    regressors = np.concatenate([np.stack(columns, axis=2), used.covariates], axis=2)
    names = [f"cohort {used.years[g]} year {e:+d}" for g, e in pairs] + list(used.covariate_names)
    fit = fit_within(
        used.outcome, regressors, names, effects=TwoWay.of(used.mask), clusters=used.clusters
    )
    points = sorted({e for _, e in pairs})
    cells = np.array([(c.astype(bool) & used.mask).sum() for c in columns], dtype=np.float64)
    weights = np.zeros((len(points) + 1, len(names)))
    for j, (_, e) in enumerate(pairs):
        weights[1 + points.index(e), j] = cells[j]
        if e >= 0:
            weights[0, j] = cells[j]
    weights /= weights.sum(axis=1, keepdims=True)
    values = weights @ fit.coefficients
    covariance = weights @ fit.covariance @ weights.T
    overall = estimate_of(
        "Sun-Abraham",
        values[0],
        float(np.sqrt(covariance[0, 0])),
        n_units=len(used.units),
        n_observations=fit.n_observations,
        freedom=fit.freedom,
        level=level,
        notes=used.notes,
    )
    path = Series(
        "Sun-Abraham",
        "years since treatment",
        tuple(points),
        values[1:],
        covariance[1:, 1:],
        quantile(level, fit.freedom),
        level=level,
        notes=used.notes,
    )
    return SunAbraham(overall, path)


def _pairs(study: Study) -> list[tuple[int, int]]:
    """Give (cohort, years since treatment) of every indicator; the year before is left out."""
    pairs = []
    for g in study.cohorts:
        seen = study.mask[study.first == g].any(axis=0)
        if not seen[g - 1]:
            raise InputError(
                f"Cohort {study.years[g]} has no figure of {study.outcome_name} in "
                f"{study.years[g - 1]}, its year of reference"
            )
        pairs += [(int(g), int(t - g)) for t in np.flatnonzero(seen) if t != g - 1]
    return pairs
