"""Weights that data or judgements give: equal, entropy, CRITIC, AHP.

Each takes rows of alternatives (city-years) and columns of criteria and gives weights [K] that sum
to 1. Entropy and CRITIC read figures on which more is better, brought to 0..1.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning

RANDOM_INDEX: Final = (
    0.0, 0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59,
)  # fmt: skip
"""Mean consistency index of random matrices of size 0..15 (Saaty 1980, table 3.1)."""
CONSISTENCY_MAX: Final = 0.1
"""The consistency ratio above which judgements contradict each other too much (Saaty 1980)."""
RECIPROCAL_TOLERANCE: Final = 1e-6
"""How far a_ij a_ji may be from 1."""


def equal(count: int) -> Figures:
    """Give the same weight to each of `count`."""
    if count < 1:
        raise InputError("There is nothing to weigh")
    return np.full(count, 1.0 / count)


def entropy(matrix: ArrayLike) -> Figures:
    """Give entropy weights [K] of a non-negative matrix [M x K].

    p = x / sum(x) by column, e = -sum p ln p / ln M with 0 ln 0 = 0, w = (1 - e) / sum(1 - e):
    a criterion weighs more the more unequal it is. Source: Shannon 1948; Hwang and Yoon 1981,
    section 3.3. Raises InputError for a column of zeros, or when all columns are uniform.
    """
    x = _matrix(matrix)
    if (x < 0).any():
        raise InputError("Entropy needs figures that are not negative")
    sums = x.sum(axis=0)
    if (sums == 0).any():
        raise InputError(f"Column {int(np.argmin(sums))} is all zero: entropy has no value there")
    p = x / sums
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    diversity = 1.0 + (p * logs).sum(axis=0) / np.log(len(x))
    diversity = np.maximum(diversity, 0.0)
    if diversity.sum() <= np.finfo(float).eps * len(sums):
        raise InputError("All columns are uniform: entropy can't tell them apart")
    return np.asarray(diversity / diversity.sum())


def critic(matrix: ArrayLike) -> Figures:
    """Give CRITIC weights [K] of a matrix [M x K] brought to 0..1, more being better.

    C_k = sd_k sum_j (1 - r_jk), w = C / sum(C): a criterion weighs more the more it varies and the
    less it says what others say already. Source: Diakoulaki, Mavrotas and Papayannakis 1995.
    Raises InputError for a constant column.
    """
    x = _matrix(matrix)
    spread = x.std(axis=0, ddof=1)
    if (spread == 0).any():
        raise InputError(f"Column {int(np.argmin(spread))} is constant: CRITIC has no correlation")
    if x.shape[1] == 1:
        return np.ones(1)
    information = spread * (1.0 - np.corrcoef(x, rowvar=False)).sum(axis=0)
    total = information.sum()
    if total <= np.finfo(float).eps * x.shape[1]:
        raise InputError("All columns say the same: CRITIC can't tell them apart")
    return np.asarray(information / total)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Weights [n] from pairwise comparisons, and how far the comparisons agree with each other.

    `ratio` is the consistency ratio: (largest eigenvalue - n) / (n - 1) over that of random ones.
    """

    weights: Figures
    largest_eigenvalue: float
    ratio: float


def ahp(matrix: ArrayLike, *, name: str = "the matrix") -> Judgement:
    """Give the principal eigenvector of comparisons [n x n], a_ij = weight i / weight j.

    Source: Saaty 1980, The Analytic Hierarchy Process, ch. 3. Raises InputError for a matrix that
    isn't positive and reciprocal; warns above a consistency ratio of 0.1.
    """
    a = np.asarray(matrix, dtype=np.float64)
    n = len(a)
    if a.ndim != 2 or a.shape != (n, n) or not 1 <= n < len(RANDOM_INDEX):
        raise InputError(
            f"AHP, {name}: shape {a.shape}; a square matrix of 1 to {len(RANDOM_INDEX) - 1} is read"
        )
    if not (np.isfinite(a).all() and (a > 0).all()):
        raise InputError(f"AHP, {name}: every comparison must be positive")
    off = np.abs(a * a.T - 1.0)
    if off.max() > RECIPROCAL_TOLERANCE:
        i, j = np.unravel_index(int(np.argmax(off)), off.shape)
        raise InputError(
            f"AHP, {name}: comparison ({i + 1}, {j + 1}) is {a[i, j]:g} and ({j + 1}, {i + 1}) is "
            f"{a[j, i]:g}; one must be the inverse of the other"
        )
    values, vectors = np.linalg.eig(a)
    first = int(np.argmax(values.real))
    vector = np.abs(vectors[:, first].real)
    largest = float(values[first].real)
    index = (largest - n) / (n - 1) if n > 1 else 0.0
    ratio = max(index / RANDOM_INDEX[n], 0.0) if n > 2 else 0.0
    if ratio > CONSISTENCY_MAX:
        warnings.warn(
            f"AHP, {name}: the consistency ratio is {ratio:.3f}, above {CONSISTENCY_MAX}: the "
            "comparisons contradict each other",
            StrategyWarning,
            stacklevel=2,
        )
    return Judgement(vector / vector.sum(), largest, ratio)


def shares(weights: Sequence[float]) -> Figures:
    """Give relative weights as shares that sum to 1; InputError when all are zero."""
    given = np.asarray(weights, dtype=np.float64)
    if not given.sum() > 0:
        raise InputError(f"The weights {list(weights)} sum to {given.sum():g}: one must be above 0")
    return np.asarray(given / given.sum())


def _matrix(matrix: ArrayLike) -> Figures:
    x = np.asarray(matrix, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 1 or not np.isfinite(x).all():
        raise InputError(f"Weights from data need a finite matrix [M x K], not {x.shape}")
    if len(x) < 2:
        raise InputError("Weights from data need two rows to compare")
    return x
