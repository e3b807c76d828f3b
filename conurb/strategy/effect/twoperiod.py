"""Two groups, two periods: the building block of Callaway and Sant'Anna.

Each function takes the change of the outcome [n], who is treated [n], covariates with a constant
[n x K], and gives the effect on the treated with its influence function [n], so that
sqrt(sum(f^2)) / n is the standard error. Formulas: Sant'Anna and Zhao (2020), "Doubly robust
difference-in-differences estimators", Journal of Econometrics 219.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.linear import Flags
from conurb.strategy.panel import Figures

Effect: TypeAlias = tuple[float, Figures]

NEWTON_MAX = 100
NEWTON_TOLERANCE = 1e-12
SCORE_MAX = 0.995
"""Comparison units with a propensity at or over this are trimmed, as R's DRDID does."""
SEPARATION = 1e-6
"""Propensities of the treated nearer to 1 than this mean that the groups don't overlap."""
INDEX_MAX = 500.0


class OverlapError(InputError):
    """Treated and comparison units don't overlap in their covariates."""


def logit(treated: Flags, x: Figures) -> tuple[Figures, Figures]:
    """Fit a logit by Newton's method, giving the propensities [n] and the inverse Hessian [K x K].

    Raises OverlapError when covariates separate the groups.
    """
    d = treated.astype(np.float64)
    beta = np.zeros(x.shape[1])
    for _ in range(NEWTON_MAX):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -INDEX_MAX, INDEX_MAX)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x
        if np.linalg.cond(hessian) > 1 / np.finfo(float).eps:
            break
        step = np.linalg.solve(hessian, x.T @ (d - p))
        beta = beta + step
        if np.abs(step).max() <= NEWTON_TOLERANCE * (1 + np.abs(beta).max()):
            p = 1 / (1 + np.exp(-(x @ beta)))
            inverse = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
            return p, np.asarray(inverse, dtype=np.float64)
    raise OverlapError(
        "the covariates separate treated from comparison units: the propensity score has no "
        "maximum likelihood estimate"
    )


def tilt(treated: Flags, x: Figures) -> Figures:
    """Give the propensities [n] that balance covariates exactly (inverse probability tilting).

    Minimises mean((1 - D) exp(x'g) - D x'g): Graham, Pinto and Egel (2012), as used by the improved
    estimator of Sant'Anna and Zhao (2020), eq. 3.1. Raises OverlapError without a solution.
    """
    d = treated.astype(np.float64)
    p, _ = logit(treated, x)
    gamma = np.asarray(np.linalg.lstsq(x, np.log(p / (1 - p)), rcond=None)[0], dtype=np.float64)

    def loss(g: Figures) -> float:
        index = x @ g
        return float(np.sum((1 - d) * np.exp(np.clip(index, -INDEX_MAX, INDEX_MAX)) - d * index))

    for _ in range(NEWTON_MAX):
        odds = np.exp(np.clip(x @ gamma, -INDEX_MAX, INDEX_MAX)) * (1 - d)
        gradient = x.T @ (odds - d)
        step = np.linalg.lstsq((x * odds[:, None]).T @ x, -gradient, rcond=None)[0]
        size, now = 1.0, loss(gamma)
        while loss(gamma + size * step) > now and size > NEWTON_TOLERANCE:
            size /= 2
        gamma = gamma + size * step
        if np.abs(size * step).max() <= NEWTON_TOLERANCE * (1 + np.abs(gamma).max()):
            return np.asarray(1 / (1 + np.exp(-(x @ gamma))))
    raise OverlapError("no weights balance the covariates of treated and comparison units")


def difference(change: Figures, treated: Flags, x: Figures) -> Effect:
    """Compare mean changes; covariates aren't used."""
    share = treated.mean()
    gain, drift = change[treated].mean(), change[~treated].mean()
    influence = np.where(treated, (change - gain) / share, -(change - drift) / (1 - share))
    return float(gain - drift), influence


def outcome_regression(change: Figures, treated: Flags, x: Figures) -> Effect:
    """Predict the change of the treated from comparison units (Heckman et al.; eq. 2.2)."""
    d = treated.astype(np.float64)
    predicted, representation = _predict(change, x, 1 - d)
    share = d.mean()
    gain = (d * change).mean() / share
    drift = (d * predicted).mean() / share
    influence_treated = d * (change - gain) / share
    correction = representation @ (d[:, None] * x).mean(axis=0)
    influence_comparison = (d * (predicted - drift) + correction) / share
    return float(gain - drift), influence_treated - influence_comparison


def inverse_probability(change: Figures, treated: Flags, x: Figures) -> Effect:
    """Reweight comparison units by their odds of treatment, weights normalised (Hajek; eq. 4.1)."""
    d = treated.astype(np.float64)
    p, inverse = logit(treated, x)
    p, kept = _trimmed(p, treated)
    w1, w0 = kept * d, kept * p * (1 - d) / (1 - p)
    gain, drift = (w1 * change).mean() / w1.mean(), (w0 * change).mean() / w0.mean()
    score = ((d - p)[:, None] * x) @ (inverse * len(d))
    slope = ((w0 * (change - drift))[:, None] * x).mean(axis=0)
    influence_comparison = (w0 * (change - drift) + score @ slope) / w0.mean()
    return float(gain - drift), w1 * (change - gain) / w1.mean() - influence_comparison


def doubly_robust(change: Figures, treated: Flags, x: Figures) -> Effect:
    """Combine regression and weights: right when either model is (traditional; eq. 2.6, 4.3)."""
    d = treated.astype(np.float64)
    p, inverse = logit(treated, x)
    p, kept = _trimmed(p, treated)
    predicted, representation = _predict(change, x, 1 - d)
    w1, w0 = kept * d, kept * p * (1 - d) / (1 - p)
    rest = change - predicted
    gain, drift = (w1 * rest).mean() / w1.mean(), (w0 * rest).mean() / w0.mean()
    by_regression = representation @ (w1[:, None] * x).mean(axis=0)
    influence_treated = (w1 * (rest - gain) - by_regression) / w1.mean()
    score = ((d - p)[:, None] * x) @ (inverse * len(d))
    by_score = score @ ((w0 * (rest - drift))[:, None] * x).mean(axis=0)
    by_weighted = representation @ (w0[:, None] * x).mean(axis=0)
    influence_comparison = (w0 * (rest - drift) + by_score - by_weighted) / w0.mean()
    return float(gain - drift), influence_treated - influence_comparison


def improved_doubly_robust(change: Figures, treated: Flags, x: Figures) -> Effect:
    """Combine regression and weights, robust also in inference (improved; eq. 3.1-3.4).

    Weights balance covariates exactly and regression is weighted by them, so that neither first
    step enters the influence function.
    """
    d = treated.astype(np.float64)
    p, kept = _trimmed(tilt(treated, x), treated)
    w1, w0 = kept * d, kept * p * (1 - d) / (1 - p)
    predicted, _ = _predict(change, x, w0)
    rest = change - predicted
    gain, drift = (w1 * rest).mean() / w1.mean(), (w0 * rest).mean() / w0.mean()
    influence = w1 * (rest - gain) / w1.mean() - w0 * (rest - drift) / w0.mean()
    return float(gain - drift), influence


ESTIMATORS: Mapping[str, Callable[[Figures, Flags, Figures], Effect]] = MappingProxyType(
    {
        "regression": outcome_regression,
        "weighting": inverse_probability,
        "doubly robust": doubly_robust,
        "improved doubly robust": improved_doubly_robust,
    }
)
"""The ways to hold covariates equal, by the name that callers use."""


def _predict(change: Figures, x: Figures, weights: Figures) -> tuple[Figures, Figures]:
    """Regress on weighted units; give predictions [n] and the linear representation [n x K]."""
    weighted = weights[:, None] * x
    inverse = np.linalg.inv(weighted.T @ x / len(x))
    beta = inverse @ (weighted.T @ change / len(x))
    predicted = x @ beta
    return predicted, (weighted * (change - predicted)[:, None]) @ inverse


def _trimmed(p: Figures, treated: Flags) -> tuple[Figures, Figures]:
    """Give propensities below 1 and who is kept [n] (comparison units with p over the bound go)."""
    if (p[treated] > 1 - SEPARATION).any() or not (p[~treated] < SCORE_MAX).any():
        raise OverlapError("some treated units have no comparable unit: their propensity is 1")
    return np.minimum(p, 1 - SEPARATION), (treated | (p < SCORE_MAX)).astype(np.float64)
