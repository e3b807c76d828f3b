"""Moran's I: are neighbours alike? Global, and local (LISA), by year.

With z the deviations from the mean, S0 the sum of all weights:

    I = n / S0 * z'Wz / z'z        E(I) = -1 / (n - 1)

and its variance under normality and under randomisation (Cliff and Ord 1981, Spatial Processes,
ch. 1 and 2). Local: I_i = z_i * sum_j w_ij z_j / (z'z / n) (Anselin 1995, Geographical
Analysis 27:93-115), tested by permutation of all others around a unit that stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.spillover.weights import Weights

PERMUTATIONS: Final = 999
PERMUTATIONS_MAX: Final = 1_000_000
QUADRANTS: Final = ("high-high", "low-high", "low-low", "high-low")


@dataclass(frozen=True, slots=True)
class Moran:
    """Global Moran's I; `p` are two-sided from z, `p_permutation` is for I that large or larger."""

    value: float
    expected: float
    variance_normality: float
    variance_randomisation: float
    permutations: int
    p_permutation: float | None

    @property
    def z(self) -> float:
        """Give (I - E) / sd under randomisation (the default of spdep's moran.test)."""
        return (self.value - self.expected) / math.sqrt(self.variance_randomisation)

    @property
    def z_normality(self) -> float:
        """Give (I - E) / sd under normality."""
        return (self.value - self.expected) / math.sqrt(self.variance_normality)

    @property
    def p(self) -> float:
        """Give the two-sided p of `z`."""
        return math.erfc(abs(self.z) / math.sqrt(2))

    @property
    def p_normality(self) -> float:
        """Give the two-sided p of `z_normality`."""
        return math.erfc(abs(self.z_normality) / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class Lisa:
    """Local Moran's I of every unit.

    `p` is the folded one-sided pseudo p (Anselin 1995; as GeoDa and esda give it): a half of
    tests on nothing is under 0.25. `p_adjusted` is the two-sided p, held against N tests at once
    (Benjamini and Hochberg 1995). `quadrant` is own-neighbours, relative to the mean.
    """

    units: tuple[str, ...]
    value: Figures
    quadrant: tuple[str, ...]
    p: Figures
    p_adjusted: Figures
    permutations: int


def moran(
    figures: ArrayLike,
    weights: Weights,
    *,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> Moran:
    """Test one figure per unit [N] for spatial autocorrelation.

    With permutations, `rng` draws them. Raises InputError for islands, gaps, figures that are all
    equal, and fewer than four units. Source: Cliff and Ord 1981.
    """
    z = _deviations(figures, weights)
    n, w = len(z), weights.matrix
    s0 = w.sum()
    s1 = ((w + w.T) ** 2).sum() / 2
    s2 = ((w.sum(axis=1) + w.sum(axis=0)) ** 2).sum()
    square = z @ z
    value = n / s0 * (z @ w @ z) / square
    expected = -1 / (n - 1)
    normal = (n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2) - expected**2
    b2 = n * (z**4).sum() / square**2
    random = (
        n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
        - b2 * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    ) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    p = None
    if permutations:
        shuffled = _rng(permutations, rng).permuted(np.tile(z, (permutations, 1)), axis=1)
        drawn = n / s0 * np.einsum("pi,pi->p", shuffled @ w.T, shuffled) / square
        p = float((1 + (drawn >= value).sum()) / (permutations + 1))
    return Moran(float(value), expected, float(normal), float(random), permutations, p)


def moran_by_year(
    panel: Panel,
    column: str,
    weights: Weights,
    *,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> Mapping[int, Moran]:
    """Test one column of a panel year by year; errors as in `moran`, gaps named."""
    figures, w = panel.get_complete(column), weights.aligned(panel.units)
    return {
        year: moran(figures[:, t], w, permutations=permutations, rng=rng)
        for t, year in enumerate(panel.years)
    }


def lisa(
    figures: ArrayLike,
    weights: Weights,
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Lisa:
    """Give local Moran's I of one figure per unit [N], with pseudo p by conditional permutation.

    Errors as in `moran`. Source: Anselin 1995.
    """
    z = _deviations(figures, weights)
    n, w = len(z), weights.matrix
    _rng(permutations, rng)
    scale = (z @ z) / n
    lag = w @ z
    orders = rng.permuted(np.tile(np.arange(n - 1), (permutations, 1)), axis=1)
    above = np.empty(n)
    for i in range(n):
        others = np.delete(z, i)
        links = w[i, w[i] > 0]
        above[i] = (others[orders[:, : len(links)]] @ links * z[i] >= lag[i] * z[i]).sum()
    tail = np.minimum(above, permutations - above)
    p = (1 + tail) / (permutations + 1)
    sides = zip(z > 0, lag > 0, strict=True)
    quadrant = tuple(
        f"{'high' if own else 'low'}-{'high' if near else 'low'}" for own, near in sides
    )
    return Lisa(
        weights.units, z * lag / scale, quadrant, p, _adjusted(np.minimum(1, 2 * p)), permutations
    )


def lisa_by_year(
    panel: Panel,
    column: str,
    weights: Weights,
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Mapping[int, Lisa]:
    """Give local Moran's I of one column of a panel year by year; errors as in `moran`."""
    figures, w = panel.get_complete(column), weights.aligned(panel.units)
    return {
        year: lisa(figures[:, t], w, rng=rng, permutations=permutations)
        for t, year in enumerate(panel.years)
    }


def _deviations(figures: ArrayLike, weights: Weights) -> Figures:
    x = np.asarray(figures, dtype=np.float64)
    if x.shape != (len(weights.units),):
        raise InputError(
            f"Figures have shape {x.shape}; the weights have {len(weights.units)} units"
        )
    if len(x) < 4:
        raise InputError(f"Moran's I needs four units or more, not {len(x)}")
    lacking = [weights.units[i] for i in np.flatnonzero(~np.isfinite(x))]
    if lacking:
        raise InputError(f"There is no figure for {lacking[0]} ({len(lacking)} lack one)")
    weights.check_no_islands()
    z: Figures = x - x.mean()
    if (z @ z) <= np.finfo(float).eps * (x @ x):
        raise InputError("All figures are equal: autocorrelation has no value")
    return z


def _rng(permutations: int, rng: np.random.Generator | None) -> np.random.Generator:
    if not 1 <= permutations <= PERMUTATIONS_MAX:
        raise InputError(f"permutations is {permutations}; allowed are 1 to {PERMUTATIONS_MAX}")
    if rng is None:
        raise InputError("Permutations need a random generator: pass rng")
    return rng


def _adjusted(p: Figures) -> Figures:
    """Adjust p for the false discovery rate (Benjamini and Hochberg 1995)."""
    order = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(p[order] * len(p) / ranks)
    return adjusted
