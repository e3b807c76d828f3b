"""Impacts: what one regressor does at home, elsewhere, and in all, once feedback has run its way.

In SAR and SDM a change of x_k in unit j moves y in unit i by the entry ij of

    S_k = (I - lambda W)^-1 (beta_k I + theta_k W)        (theta = 0 in SAR)

    direct = tr(S_k) / N      total = 1' S_k 1 / N      indirect = total - direct

LeSage and Pace 2009, Introduction to Spatial Econometrics, ch. 2. The traces come
from the eigenvalues, exactly. Standard errors by the delta method (analytic gradient), or as the
spread over draws of (beta, theta, lambda) from their normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.errors import InputError
from conurb.strategy.panel import Figures
from conurb.strategy.spillover.design import INTERCEPT
from conurb.strategy.spillover.model import SpatialFit

DRAWS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Effect:
    """One kind of impact of each regressor [K], with standard errors and two-sided p."""

    value: Figures
    error: Figures

    @property
    def p(self) -> Figures:
        """Give the two-sided p under normality."""
        ratio = np.abs(self.value / self.error) / math.sqrt(2)
        return np.array([math.erfc(z) for z in ratio])


@dataclass(frozen=True, slots=True)
class Impacts:
    """Direct, indirect and total impacts of the regressors `names`; direct + indirect = total.

    `draws` is 0 for the delta method. `dropped` counts draws whose lambda left the interval in
    which I - lambda W is regular; many of them say that the normal distribution doesn't fit.
    """

    names: tuple[str, ...]
    direct: Effect
    indirect: Effect
    total: Effect
    draws: int
    dropped: int


def impacts(fit: SpatialFit, *, draws: int = 0, rng: np.random.Generator | None = None) -> Impacts:
    """Give the impacts of a fitted SAR or SDM; delta method, or `draws` drawn by `rng`.

    Raises InputError for SEM, in which a regressor's coefficient is all of its effect.
    """
    if fit.model == "sem":
        raise InputError("A spatial error model has no spillover of regressors: read its beta")
    names, own, lagged = _places(fit)
    sums = _Sums(fit)
    mean = np.append(fit.beta, fit.spatial)
    theta = [fit.beta[at] if at >= 0 else 0.0 for at in lagged]
    direct, total = sums.impacts(fit.beta[own][None], np.array(theta)[None], [fit.spatial])
    if draws:
        drawn, dropped = _draw(fit, mean, draws, rng)
        extended = np.column_stack([drawn[:, :-1], np.zeros(len(drawn))])
        d, t = sums.impacts(extended[:, own], extended[:, lagged], drawn[:, -1])
        errors = [x.std(axis=0, ddof=1) for x in (d, t - d, t)]
    else:
        dropped = 0
        slopes = [sums.gradients(k, own[k], lagged[k]) for k in range(len(names))]
        covariance = fit.covariance[:-1, :-1]
        by_kind = [np.array([s[0] for s in slopes]), np.array([s[1] for s in slopes])]
        errors = [
            np.sqrt(np.einsum("ki,ij,kj->k", g, covariance, g))
            for g in (by_kind[0], by_kind[1] - by_kind[0], by_kind[1])
        ]
    return Impacts(
        names,
        Effect(direct[0], errors[0]),
        Effect(total[0] - direct[0], errors[1]),
        Effect(total[0], errors[2]),
        draws,
        dropped,
    )


def _places(fit: SpatialFit) -> tuple[tuple[str, ...], list[int], list[int]]:
    """Give the regressors, the places of their own coefficients and of their lags' (-1: none)."""
    names = tuple(name for name in fit.design.names if name != INTERCEPT)
    own = [fit.names.index(name) for name in names]
    lagged = [fit.names.index(f"W {name}") if f"W {name}" in fit.names else -1 for name in names]
    return names, own, lagged


def _draw(
    fit: SpatialFit, mean: Figures, draws: int, rng: np.random.Generator | None
) -> tuple[Figures, int]:
    if rng is None or not 2 <= draws <= DRAWS_MAX:
        raise InputError(f"Simulation needs rng and 2 to {DRAWS_MAX} draws, not {draws}")
    drawn = rng.multivariate_normal(mean, fit.covariance[:-1, :-1], size=draws, method="cholesky")
    spectrum = fit.design.spectrum
    kept = drawn[(drawn[:, -1] > spectrum.low) & (drawn[:, -1] < spectrum.high)]
    if len(kept) < max(2, draws // 2):
        raise InputError(
            f"{draws - len(kept)} of {draws} draws of lambda left "
            f"({spectrum.low:.4g}, {spectrum.high:.4g}): impacts have no usable distribution"
        )
    return kept, draws - len(kept)


class _Sums:
    """Traces and totals of (I - s W)^-1 W^p, per unit."""

    def __init__(self, fit: SpatialFit) -> None:
        self._fit = fit
        self._w = fit.design.weights.matrix
        self._values = fit.design.spectrum.values
        self._stochastic = fit.design.weights.is_row_standardised

    def _traces(self, s: Figures, *, power: int, order: int = 1) -> Figures:
        """Give tr((I - s W)^-order W^power) / N for each s."""
        inverse = (1 - s[:, None] * self._values) ** -order
        mean: Figures = (inverse * self._values**power).mean(axis=1).real
        return mean

    def _totals(self, s: Figures, *, power: int, order: int = 1) -> Figures:
        """Give 1'(I - s W)^-order W^power 1 / N for each s."""
        if self._stochastic:
            return np.asarray((1 - s) ** -order)
        n = len(self._w)
        right = np.linalg.matrix_power(self._w, power).sum(axis=1)
        answers = np.empty(len(s))
        for at, value in enumerate(s):
            left = right
            for _ in range(order):
                left = np.linalg.solve(np.eye(n) - value * self._w, left)
            answers[at] = left.mean()
        return answers

    def impacts(
        self, beta: Figures, theta: Figures, spatial: Figures | list[float]
    ) -> tuple[Figures, Figures]:
        """Give direct and total impacts [R x K] for R draws of coefficients [R x K]."""
        s = np.asarray(spatial, dtype=np.float64)
        direct = (
            beta * self._traces(s, power=0)[:, None] + theta * self._traces(s, power=1)[:, None]
        )
        total = beta * self._totals(s, power=0)[:, None] + theta * self._totals(s, power=1)[:, None]
        return direct, total

    def gradients(self, k: int, own: int, lagged: int) -> tuple[Figures, Figures]:
        """Give the gradients of direct and total impact k in (beta, lambda)."""
        fit = self._fit
        s = np.array([fit.spatial])
        b, theta = fit.beta[own], fit.beta[lagged] if lagged >= 0 else 0.0
        rows = []
        for kind in (self._traces, self._totals):
            row = np.zeros(len(fit.beta) + 1)
            row[own] = kind(s, power=0)[0]
            if lagged >= 0:
                row[lagged] = kind(s, power=1)[0]
            # d (I - s W)^-1 / ds = (I - s W)^-2 W, as all of these commute.
            row[-1] = b * kind(s, power=1, order=2)[0] + theta * kind(s, power=2, order=2)[0]
            rows.append(row)
        return rows[0], rows[1]
