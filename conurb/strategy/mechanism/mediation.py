"""Mediation: how much of an effect runs through a mediator.

Three regressions under unit and year effects: outcome on treatment (c), mediator on treatment (a),
outcome on treatment and mediator (c', b). With the same cells a b = c - c' exactly; the share is
a b / c. Its interval resamples whole clusters (percentiles): the product isn't normal, and the
share has no finite variance where c may be zero. Baron and Kenny (1986); Imai, Keele and Tingley
(2010) for what it takes to read the share causally: no unseen cause of mediator and outcome, which
a panel doesn't give by itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from conurb.errors import InputError
from conurb.strategy.linear import Fit, Flags, Indices, TwoWay, fit_within
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.warning import StrategyWarning

DRAWS = 500
LOST_MAX = 0.1
"""The share of draws that may fail (no treated unit drawn) before the interval is refused."""


@dataclass(frozen=True, slots=True)
class Step:
    """One coefficient with its clustered error and p (t, clusters - 1)."""

    coefficient: float
    standard_error: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Mediation:
    """The three steps, the effect through the mediator and its share, with intervals.

    `total` c, `on_mediator` a, `direct` c', `of_mediator` b. `indirect` is a b with the bounds of
    its bootstrap interval, and `share` a b / c likewise; `sobel_p` is the normal test of a b.
    A share is NaN, and a note says so, when c can't be told from zero: a share of nothing means
    nothing.
    """

    mediator: str
    total: Step
    on_mediator: Step
    direct: Step
    of_mediator: Step
    indirect: tuple[float, float, float]
    share: tuple[float, float, float]
    sobel_p: float
    n_observations: int
    draws: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Data:
    outcome: Figures
    mediator: Figures
    status: Figures
    covariates: Figures
    mask: Flags
    clusters: Indices


def mediate(
    panel: Panel,
    *,
    outcome: str,
    mediator: str,
    status: Figures,
    generator: np.random.Generator,
    covariates: Sequence[str] = (),
    draws: int = DRAWS,
    level: float = 0.95,
) -> Mediation:
    """Decompose the effect of a treatment status [N x T] (0 and 1) through a mediator.

    `outcome`, `mediator` and `covariates` name columns; cells that lack any of them are in none of
    the three regressions. Errors are clustered by unit, the bootstrap draws units with
    replacement. Raises InputError for collinear columns, and when a tenth of the draws have no
    coefficient.
    """
    data = _prepare(panel, outcome, mediator, status, covariates)
    names = ("treatment", *covariates)
    c, a, cb = _fits(data, mediator, names)
    indirect = float(a.coefficients[0] * cb.coefficients[1])
    total = _step(c, 0)
    drawn = _bootstrap(data, mediator, names, generator=generator, draws=draws)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn[:, 0], [tail, 1 - tail])
    notes = []
    if total.p_value > 1 - level:
        share = (math.nan, math.nan, math.nan)
        notes.append(
            f"no share: the total effect {total.coefficient:.4g} can't be told from zero "
            f"(p = {total.p_value:.3g})"
        )
    else:
        ends = np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail])
        share = (indirect / total.coefficient, float(ends[0]), float(ends[1]))
    on, of = _step(a, 0), _step(cb, 1)
    sobel = math.hypot(on.coefficient * of.standard_error, of.coefficient * on.standard_error)
    return Mediation(
        mediator,
        total,
        on,
        _step(cb, 0),
        of,
        (indirect, float(low), float(high)),
        share,
        float(2 * stats.norm.sf(abs(indirect) / sobel)) if sobel > 0 else math.nan,
        c.n_observations,
        len(drawn),
        tuple(notes),
    )


def _prepare(
    panel: Panel, outcome: str, mediator: str, status: Figures, covariates: Sequence[str]
) -> _Data:
    if status.shape != panel.shape:
        raise InputError(f"The status has shape {status.shape}, the panel {panel.shape}")
    if not np.isin(status, (0, 1)).all():
        raise InputError("A treatment status is 0 or 1")
    stack = [panel.get(name) for name in covariates]
    cube = np.stack(stack, axis=2) if stack else np.empty((*panel.shape, 0))
    y, m = panel.get(outcome), panel.get(mediator)
    mask = ~np.isnan(y) & ~np.isnan(m) & ~np.isnan(cube).any(axis=2)
    kept = np.asarray(mask.any(axis=1))
    lost = len(kept) - int(kept.sum())
    if not kept.any():
        raise InputError(f"No cell has both {outcome!r} and {mediator!r}")
    if lost:
        warnings.warn(
            f"{lost} of {len(kept)} units never have both {outcome!r} and {mediator!r}",
            StrategyWarning,
            stacklevel=3,
        )
    number = np.arange(int(kept.sum()))
    return _Data(y[kept], m[kept], status[kept].astype(np.float64), cube[kept], mask[kept], number)


def _fits(data: _Data, mediator: str, names: Sequence[str]) -> tuple[Fit, Fit, Fit]:
    """Fit outcome on treatment, mediator on treatment, outcome on both."""
    effects = TwoWay.of(data.mask)
    alone = np.concatenate([data.status[..., None], data.covariates], axis=2)
    both = np.concatenate(
        [data.status[..., None], data.mediator[..., None], data.covariates], axis=2
    )

    def fit(y: Figures, x: Figures, columns: Sequence[str]) -> Fit:
        return fit_within(y, x, columns, effects=effects, clusters=data.clusters)

    return (
        fit(data.outcome, alone, names),
        fit(data.mediator, alone, names),
        fit(data.outcome, both, (names[0], mediator, *names[1:])),
    )


def _bootstrap(
    data: _Data,
    mediator: str,
    names: Sequence[str],
    *,
    generator: np.random.Generator,
    draws: int,
) -> Figures:
    """Give indirect and total effects [B x 2] of samples of units with replacement."""
    if draws < 2:
        raise InputError(f"A bootstrap needs draws, not {draws}")
    n, found = len(data.outcome), []
    for _ in range(draws):
        rows = generator.integers(n, size=n)
        drawn = _Data(
            data.outcome[rows],
            data.mediator[rows],
            data.status[rows],
            data.covariates[rows],
            data.mask[rows],
            np.arange(n),
        )
        try:
            c, a, cb = _fits(drawn, mediator, names)
        except InputError:
            continue
        found.append((a.coefficients[0] * cb.coefficients[1], c.coefficients[0]))
    if len(found) < (1 - LOST_MAX) * draws:
        raise InputError(
            f"{draws - len(found)} of {draws} bootstrap samples have no coefficient: too few "
            "treated units for an interval"
        )
    return np.array(found)


def _step(fit: Fit, k: int) -> Step:
    error = float(np.sqrt(fit.covariance[k, k]))
    statistic = float(fit.coefficients[k]) / error
    return Step(
        float(fit.coefficients[k]), error, float(2 * stats.t.sf(abs(statistic), fit.freedom))
    )
