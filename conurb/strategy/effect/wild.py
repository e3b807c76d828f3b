"""Wild cluster bootstrap: p and interval that hold with few clusters.

The null is imposed, residuals change sign (or take Webb's six values) by cluster, the t statistic
is taken anew for each draw; the interval inverts the test. Cameron, Gelbach and Miller (2008);
Webb (2014) for under twelve clusters. All draws are one pass: a draw only needs sums by cluster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, check_level
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.twfe import fit_static
from conurb.strategy.linear import TwoWay, sum_by
from conurb.strategy.panel import Figures

DRAWS = 999
WEBB_BELOW = 12
"""Under this many clusters two signs give too few distinct draws: Webb's weights are taken."""
WEBB = tuple(sign * math.sqrt(v) for v in (0.5, 1.0, 1.5) for sign in (-1, 1))
SEARCH_STEPS = 60
REACH_MAX = 1_000.0
"""How many standard errors from the estimate an end of the interval is looked for."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What draws need, by cluster: of residuals (a) and of treatment (b), e = a - b null."""

    residuals: Figures
    treatment: Figures
    spread: float
    factor: float
    inverse: Figures
    bread: Figures
    years_of: Figures
    covariates_of: Figures
    e_years: tuple[Figures, Figures]
    e_covariates: tuple[Figures, Figures]


def wild_bootstrap(
    study: Study,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """Test and bound the static coefficient by the wild cluster bootstrap (restricted, WCR).

    With under twelve clusters Webb's weights are drawn, else Rademacher's. Infinite ends mean that
    the test rejects no value on that side.
    """
    check_level(level)
    if draws < 1:
        raise InputError(f"A bootstrap needs draws, not {draws}")
    fit = fit_static(study)
    groups = fit.n_clusters
    signs = WEBB if groups < WEBB_BELOW else (-1.0, 1.0)
    weights = generator.choice(np.array(signs), size=(draws, groups))
    drawn = _Draws.of(_sums(study), weights)
    beta, error = float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0]))

    def p_at(null: float) -> float:
        seen = np.abs(drawn.statistics(null))
        return float((seen >= abs((beta - null) / error) * (1 - 1e-9)).mean())

    ends = [_end(p_at, beta, sign * error, 1 - level) for sign in (-1, 1)]
    name = "Webb" if groups < WEBB_BELOW else "Rademacher"
    return Estimate(
        "TWFE, wild cluster bootstrap",
        beta,
        error,
        ends[0],
        ends[1],
        p_at(0.0),
        int(study.mask.any(axis=1).sum()),
        fit.n_observations,
        level,
        (f"{groups} clusters, {draws} draws of {name} weights",),
    )


def _sums(study: Study) -> _Sums:
    mask = study.mask
    effects = TwoWay.of(mask)
    x, y = effects.within(study.covariates), effects.within(study.outcome)
    d = effects.within(study.status.astype(np.float64))
    bread = np.linalg.pinv(np.einsum("itk,itl->kl", x, x), hermitian=True)
    y = y - x @ (bread @ np.einsum("itk,it->k", x, y))
    d = d - x @ (bread @ np.einsum("itk,it->k", x, d))
    present = mask.any(axis=1)
    clusters = np.unique(study.clusters[present], return_inverse=True)[1]

    def grouped(figures: Figures) -> Figures:
        return sum_by(figures[present], clusters)

    groups, n = int(clusters.max()) + 1, int(mask.sum())
    parameters = 1 + x.shape[2] + int(mask.any(axis=0).sum())
    return _Sums(
        grouped((d * y).sum(axis=1, keepdims=True))[:, 0],
        grouped((d * d).sum(axis=1, keepdims=True))[:, 0],
        float((d * d).sum()),
        groups / (groups - 1) * (n - 1) / (n - parameters),
        effects.inverse,
        bread,
        grouped(d),
        grouped(np.einsum("it,itk->ik", d, x)),
        (grouped(y), grouped(d)),
        (grouped(np.einsum("it,itk->ik", y, x)), grouped(np.einsum("it,itk->ik", d, x))),
    )


@dataclass(frozen=True, slots=True)
class _Draws:
    """Coefficient and squared error of every draw [B], as polynomials in the null.

    beta = slope[0] - null slope[1]; error^2 = square[0] - 2 null square[1] + null^2 square[2].
    """

    slope: tuple[Figures, Figures]
    square: tuple[Figures, Figures, Figures]

    @classmethod
    def of(cls, sums: _Sums, weights: Figures) -> Self:
        """Draw with weights by cluster [B x G]."""
        slopes, scores = [], []
        for part, own in enumerate((sums.residuals, sums.treatment)):
            years = (weights @ sums.e_years[part]) @ sums.inverse
            adjust = (weights @ sums.e_covariates[part]) @ sums.bread
            beta = weights @ own / sums.spread
            slopes.append(beta)
            scores.append(
                weights * own
                - years @ sums.years_of.T
                - adjust @ sums.covariates_of.T
                - beta[:, None] * sums.treatment
            )
        scale = sums.factor / sums.spread**2
        squares = [scale * (scores[i] * scores[j]).sum(axis=1) for i, j in ((0, 0), (0, 1), (1, 1))]
        return cls((slopes[0], slopes[1]), (squares[0], squares[1], squares[2]))

    def statistics(self, null: float) -> Figures:
        """Give t of every draw [B], the coefficient being `null` in the data drawn from."""
        beta = self.slope[0] - null * self.slope[1]
        square = self.square[0] - 2 * null * self.square[1] + null**2 * self.square[2]
        errors = np.sqrt(np.maximum(square, 0.0))
        return np.asarray(np.divide(beta, errors, out=np.zeros_like(beta), where=errors > 0))


def _end(p_at: Callable[[float], float], beta: float, step: float, alpha: float) -> float:
    """Find where p falls to alpha on one side, by doubling and halving."""
    reach = 1.0
    while p_at(beta + reach * step) > alpha:
        reach *= 2
        if reach > REACH_MAX:
            return math.copysign(math.inf, step)
    low, high = 0.0, reach
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_at(beta + middle * step) > alpha else (low, middle)
    return beta + high * step
