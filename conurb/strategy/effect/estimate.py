"""What an estimator answers: one number with its uncertainty, or a series of them over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from conurb import __version__
from conurb.errors import InputError
from conurb.strategy.linear import RANK_TOLERANCE
from conurb.strategy.panel import Figures

LEVEL = 0.95
"""Coverage of intervals when nothing else is asked for."""
MADE_BY = f"conurb {__version__}"
"""Every estimate carries the library and version that gave it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One effect: estimate, standard error, interval at `level`, two-sided p.

    `n_units` and `n_observations` are what was used; NaN stands where a method gives no such
    figure (a permutation test has no standard error). `notes` say what to mind.
    """

    method: str
    estimate: float
    standard_error: float
    low: float
    high: float
    p_value: float
    n_units: int
    n_observations: int
    level: float = LEVEL
    notes: tuple[str, ...] = ()
    made_by: str = MADE_BY

    def noted(self, *notes: str) -> Estimate:
        """Give the same with further notes."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, slots=True)
class Series:
    """Effects at several points: years since treatment, cohorts or calendar years.

    `points` [P], `estimates` [P], `covariance` [P x P]; `critical` is the quantile that
    intervals use, the uniform one where `uniform` is true (all points are covered at once).
    """

    method: str
    axis: str
    points: tuple[int, ...]
    estimates: Figures
    covariance: Figures
    critical: float
    uniform: bool = False
    level: float = LEVEL
    notes: tuple[str, ...] = ()
    made_by: str = MADE_BY

    @property
    def standard_errors(self) -> Figures:
        """Give the standard errors [P]."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def low(self) -> Figures:
        """Give the lower ends of intervals [P]."""
        return self.estimates - self.critical * self.standard_errors

    @property
    def high(self) -> Figures:
        """Give the upper ends of intervals [P]."""
        return self.estimates + self.critical * self.standard_errors


@dataclass(frozen=True, slots=True)
class Wald:
    """A joint test that several coefficients are zero: statistic F(restrictions, freedom)."""

    statistic: float
    restrictions: int
    freedom: int
    p_value: float


def check_level(level: float) -> float:
    """Give the level; InputError when it isn't between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"A level is between 0 and 1, not {level}")
    return level


def quantile(level: float, freedom: float = math.inf) -> float:
    """Give the two-sided critical value of t with `freedom` degrees (normal when infinite)."""
    side = 0.5 + check_level(level) / 2
    return float(stats.norm.ppf(side) if math.isinf(freedom) else stats.t.ppf(side, freedom))


def two_sided(statistic: float, freedom: float = math.inf) -> float:
    """Give the two-sided p of a t (or normal) statistic."""
    if math.isnan(statistic):
        return math.nan
    law = stats.norm if math.isinf(freedom) else stats.t(freedom)
    return float(2 * law.sf(abs(statistic)))


def estimate_of(
    method: str,
    value: float,
    standard_error: float,
    *,
    n_units: int,
    n_observations: int,
    freedom: float = math.inf,
    level: float = LEVEL,
    notes: Sequence[str] = (),
) -> Estimate:
    """Make an estimate with a symmetric interval from a value and its standard error."""
    reach = quantile(level, freedom) * standard_error
    known = standard_error > 0
    return Estimate(
        method,
        float(value),
        float(standard_error),
        float(value - reach) if known else math.nan,
        float(value + reach) if known else math.nan,
        two_sided(value / standard_error, freedom) if known else math.nan,
        n_units,
        n_observations,
        level,
        tuple(notes),
    )


def wald(estimates: Figures, covariance: Figures, freedom: int) -> Wald:
    """Test that all estimates [q] are zero: b' V^-1 b / q against F(q, freedom).

    A singular covariance is tested on the part that it spans (q is its rank).
    """
    rank = int(np.linalg.matrix_rank(covariance, rtol=RANK_TOLERANCE, hermitian=True))
    if rank == 0:
        return Wald(math.nan, 0, freedom, math.nan)
    inverse = np.linalg.pinv(covariance, rtol=RANK_TOLERANCE, hermitian=True)
    statistic = float(estimates @ inverse @ estimates) / rank
    return Wald(statistic, rank, freedom, float(stats.f.sf(statistic, rank, freedom)))
