"""Multiplier bootstrap: standard errors and uniform bands from influence functions.

Perturbs influence functions by Mammen's two-point weights, one draw per cluster, all draws as one
matrix product (in blocks that bound memory). Callaway and Sant'Anna (2021), algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from conurb.errors import InputError
from conurb.strategy.effect.callaway import Average, with_uniform_band
from conurb.strategy.effect.estimate import Estimate, check_level, estimate_of
from conurb.strategy.linear import Indices, sum_by
from conurb.strategy.panel import Figures

DRAWS = 999
BLOCK_CELLS = 20_000_000
"""How many weights are held in memory at once."""
QUARTILES_OF_NORMAL = float(stats.norm.ppf(0.75) - stats.norm.ppf(0.25))
GOLDEN = (1 + math.sqrt(5)) / 2


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Standard errors [P] and the critical value that covers all P estimates at once."""

    standard_errors: Figures
    critical: float
    draws: int


def multiplier_bootstrap(
    influence: Figures,
    clusters: Indices,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Bootstrap:
    """Bootstrap estimates by their influence functions [N x P].

    Standard errors are interquartile ranges over that of the normal, the critical value is the
    quantile of the largest |deviation| / s.e. over the estimates. An estimate that doesn't vary
    (a reference year) is left out of the maximum.
    """
    if draws < 1:
        raise InputError(f"A bootstrap needs draws, not {draws}")
    n = len(influence)
    sums = influence if clusters.max() + 1 == n else sum_by(influence, clusters)
    perturbed = np.concatenate(
        [mammen(generator, size, len(sums)) @ sums / n for size in _blocks(draws, len(sums))]
    )
    low, high = np.quantile(perturbed, [0.25, 0.75], axis=0)
    errors = (high - low) / QUARTILES_OF_NORMAL
    varying = errors > 0
    if not varying.any():
        return Bootstrap(errors, math.nan, draws)
    largest = np.abs(perturbed[:, varying] / errors[varying]).max(axis=1)
    critical = float(np.quantile(largest, check_level(level)))
    return Bootstrap(errors, critical, draws)


def mammen(generator: np.random.Generator, draws: int, clusters: int) -> Figures:
    """Draw Mammen's (1993) two-point weights: mean 0, variance 1, third moment 1."""
    low = generator.random((draws, clusters)) < GOLDEN / math.sqrt(5)
    return np.where(low, 1 - GOLDEN, GOLDEN)


def bootstrap_average(
    average: Average,
    clusters: Indices,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> Average:
    """Give an average with bootstrapped standard errors and, for its parts, a uniform band."""
    level = average.overall.level
    whole = multiplier_bootstrap(
        average.influence[:, None], clusters, generator=generator, draws=draws, level=level
    )
    overall = _redrawn(average.overall, float(whole.standard_errors[0]), draws)
    result = replace(average, overall=overall)
    if average.parts is None:
        return result
    parts = multiplier_bootstrap(
        average.part_influence, clusters, generator=generator, draws=draws, level=level
    )
    analytic = average.parts.standard_errors
    ratio = np.divide(
        parts.standard_errors, analytic, out=np.ones_like(analytic), where=analytic > 0
    )
    covariance = average.parts.covariance * np.outer(ratio, ratio)
    banded = replace(average.parts, covariance=covariance)
    return with_uniform_band(replace(result, parts=banded), parts.critical)


def _redrawn(estimate: Estimate, error: float, draws: int) -> Estimate:
    return estimate_of(
        estimate.method,
        estimate.estimate,
        error,
        n_units=estimate.n_units,
        n_observations=estimate.n_observations,
        level=estimate.level,
        notes=(*estimate.notes, f"multiplier bootstrap, {draws} draws"),
    )


def _blocks(draws: int, clusters: int) -> list[int]:
    size = max(1, min(draws, BLOCK_CELLS // max(clusters, 1)))
    whole, rest = divmod(draws, size)
    return [size] * whole + ([rest] if rest else [])
