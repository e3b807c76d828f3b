"""Two-way fixed effects: the static coefficient, and the event study with its pre-trend test.

Static: y_it = alpha_i + lambda_t + beta D_it + x_it' gamma + e_it. With staggered treatment and
effects that differ, beta mixes comparisons with already treated units (`bacon` shows which).
Event study: D_it gives way to one indicator per year since treatment, the year before as
reference. Errors are clustered (CR1, t with clusters - 1 degrees).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import (
    LEVEL,
    Estimate,
    Series,
    Wald,
    estimate_of,
    quantile,
    wald,
)
from conurb.strategy.effect.study import Study
from conurb.strategy.linear import Fit, TwoWay, fit_within
from conurb.strategy.panel import Figures


@dataclass(frozen=True, slots=True)
class EventStudy:
    """Effects by year since treatment, and the joint test of those before it.

    `pretrend` is None where there is only the reference year before treatment. `binned` are the
    ends of the axis that also hold everything beyond them.
    """

    series: Series
    pretrend: Wald | None
    reference: int
    binned: tuple[int, ...]


def fit_static(study: Study) -> Fit:
    """Fit the static regression; the first coefficient is the treatment's."""
    regressors = np.concatenate([study.status[..., None], study.covariates], axis=2)
    return fit_within(
        study.outcome,
        regressors.astype(np.float64),
        (study.treatment_name, *study.covariate_names),
        effects=TwoWay.of(study.mask),
        clusters=study.clusters,
    )


def twfe(study: Study, *, level: float = LEVEL) -> Estimate:
    """Estimate the static two-way fixed effects coefficient of treatment.

    Unbalanced panels are taken as they are. Source: Wooldridge, Econometric Analysis of Cross
    Section and Panel Data (2010), ch. 10; covariance Cameron and Miller (2015), eq. 11-12.
    """
    fit = fit_static(study)
    return estimate_of(
        "TWFE",
        fit.coefficients[0],
        float(np.sqrt(fit.covariance[0, 0])),
        n_units=int(study.mask.any(axis=1).sum()),
        n_observations=fit.n_observations,
        freedom=fit.freedom,
        level=level,
    )


def event_times(study: Study) -> Figures:
    """Give the years since treatment [N x T], in positions; NaN for the never treated."""
    since = np.arange(len(study.years)) - study.first[:, None].astype(np.float64)
    return np.where(study.never[:, None], np.nan, since)


def event_study(
    study: Study,
    *,
    before: int | None = None,
    after: int | None = None,
    reference: int = -1,
    level: float = LEVEL,
) -> EventStudy:
    """Estimate effects by year since treatment, under two-way fixed effects.

    `before` and `after` cut the axis: years beyond fall into its ends. Without a never-treated
    unit a second reference is needed, and the earliest year before treatment is taken. The joint
    test of the coefficients before treatment is Wald's, F(q, clusters - 1).
    """
    since = event_times(study)
    used = since[study.mask & ~np.isnan(since)]
    lowest, highest = int(used.min()), int(used.max())
    first = lowest if before is None else max(lowest, -abs(before))
    last = highest if after is None else min(highest, after)
    if not first <= reference < last:
        raise InputError(
            f"The reference {reference} isn't among the years since treatment {first}..{last}"
        )
    binned = tuple(e for e, cut in ((first, first > lowest), (last, last < highest)) if cut)
    clipped = np.clip(since, first, last)
    left_out = {reference} if study.never.any() else {reference, first}
    points = [e for e in range(first, last + 1) if e not in left_out]
    points = [e for e in points if (clipped[study.mask] == e).any()]
    columns = [(clipped == e).astype(np.float64) for e in points]
    regressors = np.concatenate([np.stack(columns, axis=2), study.covariates], axis=2)
    names = (*(f"year {e:+d}" for e in points), *study.covariate_names)
    fit = fit_within(
        study.outcome, regressors, names, effects=TwoWay.of(study.mask), clusters=study.clusters
    )
    k = len(points)
    covariance = fit.covariance[:k, :k]
    leads = [j for j, e in enumerate(points) if e < reference]
    pretrend = (
        wald(fit.coefficients[leads], covariance[np.ix_(leads, leads)], fit.freedom)
        if leads
        else None
    )
    series = Series(
        "event study (TWFE)",
        "years since treatment",
        tuple(points),
        fit.coefficients[:k],
        covariance,
        quantile(level, fit.freedom),
        level=level,
        notes=study.notes,
    )
    return EventStudy(series, pretrend, reference, binned)
