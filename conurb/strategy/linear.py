"""Least squares under unit and year effects, with errors clustered by unit.

The ground that policy effect and mechanism stand on. Effects are taken out exactly, also when
cells are missing, at the cost of one T x T system: units are averaged out first, what remains
between years is a Schur complement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conurb.errors import InputError
from conurb.strategy.panel import Figures

Flags: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.int64]

RANK_TOLERANCE = 1e-9
"""A column counts as explained by the others when less than this share of its length is left."""
CLUSTERS_FEW = 5
"""Below this many units in a cohort, or clusters, errors by clustering aren't to be trusted."""


@dataclass(frozen=True, slots=True)
class TwoWay:
    """The projection that takes unit and year effects out of figures [N x T] where `mask` is true.

    y_it = alpha_i + lambda_t + rest. `counts` [N] are the cells of each unit, `inverse` [T x T] is
    the pseudo-inverse of diag(n_t) - M' diag(1 / n_i) M, M being the mask.
    """

    mask: Flags
    counts: Figures
    inverse: Figures

    @classmethod
    def of(cls, mask: Flags) -> Self:
        """Prepare the projection for the cells of `mask`."""
        cells = mask.astype(np.float64)
        counts = np.maximum(cells.sum(axis=1), 1.0)
        schur = np.diag(cells.sum(axis=0)) - cells.T @ (cells / counts[:, None])
        return cls(mask, counts, np.linalg.pinv(schur, rtol=RANK_TOLERANCE, hermitian=True))

    def effects(self, figures: Figures) -> tuple[Figures, Figures]:
        """Give the least-squares unit effects [N (x K)] and year effects [T (x K)]."""
        deep = figures[..., None] if figures.ndim == 2 else figures
        kept = np.where(self.mask[..., None], deep, 0.0)
        means = kept.sum(axis=1) / self.counts[:, None]
        between = kept.sum(axis=0) - self.mask.T.astype(np.float64) @ means
        years = self.inverse @ between
        units = means - (self.mask.astype(np.float64) @ years) / self.counts[:, None]
        return (units[:, 0], years[:, 0]) if figures.ndim == 2 else (units, years)

    def within(self, figures: Figures) -> Figures:
        """Give what unit and year effects leave of figures [N x T (x K)]; 0 outside the mask."""
        units, years = self.effects(figures)
        rest = figures - units[:, None] - years[None]
        return np.where(self.mask if figures.ndim == 2 else self.mask[..., None], rest, 0.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients [K] by name, their clustered covariance [K x K], and what is left [N x T].

    `bread` [K x K] is the inverse of the within cross product; `freedom` the degrees of freedom of
    t and F tests (clusters - 1).
    """

    names: tuple[str, ...]
    coefficients: Figures
    covariance: Figures
    residuals: Figures
    bread: Figures
    n_observations: int
    n_clusters: int

    @property
    def freedom(self) -> int:
        """Give the degrees of freedom of tests: clusters less one."""
        return self.n_clusters - 1


def check_rank(columns: Figures, names: Sequence[str]) -> None:
    """Raise InputError that names the columns [n x K] explained by those before them."""
    basis = np.empty((len(columns), 0))
    explained = []
    for k, name in enumerate(names):
        column = columns[:, k]
        length = float(np.linalg.norm(column))
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left <= RANK_TOLERANCE * max(length, 1e-300):
            explained.append(name)
        else:
            basis = np.column_stack([basis, rest / left])
    if explained:
        raise InputError(
            f"Collinear: {', '.join(map(repr, explained))} is explained by the others of "
            f"{list(names)} or by the fixed effects; leave it out"
        )


def cluster_covariance(
    scores: Figures, bread: Figures, *, n_observations: int, n_parameters: int
) -> Figures:
    """Give the CR1 covariance of coefficients from scores summed by cluster [G x K].

    B S'S B G/(G-1) (n-1)/(n-p) (Cameron and Miller 2015, eq. 11-12); p counts the regressors and
    the effects that aren't nested in clusters, as fixest does.
    """
    groups = len(scores)
    spread = n_observations - n_parameters
    if groups < 2 or spread < 1:
        raise InputError(
            f"Clustered errors need two clusters and a degree of freedom; there are {groups} "
            f"clusters and {n_observations} observations for {n_parameters} parameters"
        )
    factor = groups / (groups - 1) * (n_observations - 1) / spread
    return np.asarray(factor * bread @ (scores.T @ scores) @ bread)


def sum_by(figures: Figures, clusters: Indices) -> Figures:
    """Sum rows [N x K] by cluster number 0..G-1 [N], giving [G x K]."""
    sums = np.zeros((int(clusters.max()) + 1, figures.shape[1]))
    np.add.at(sums, clusters, figures)
    return sums


def fit_within(
    outcome: Figures,
    regressors: Figures,
    names: Sequence[str],
    *,
    effects: TwoWay,
    clusters: Indices | None = None,
) -> Fit:
    """Regress outcome [N x T] on regressors [N x T x K] under unit and year effects.

    Cells outside of `effects.mask` don't count. `clusters` [N] number the units' clusters (each
    unit its own, when not given). Raises InputError for collinear regressors, naming them.
    """
    mask = effects.mask
    own = np.arange(len(mask)) if clusters is None else clusters
    raw = effects.within(regressors)
    scale = np.sqrt((np.where(mask[..., None], regressors, 0.0) ** 2).sum(axis=(0, 1)))
    lost = np.sqrt((raw**2).sum(axis=(0, 1))) <= RANK_TOLERANCE * np.maximum(scale, 1e-300)
    if lost.any():
        gone = [name for name, flag in zip(names, lost, strict=True) if flag]
        raise InputError(
            f"Collinear: {', '.join(map(repr, gone))} doesn't vary beyond unit and year effects"
        )
    x, y = raw[mask], effects.within(outcome)
    check_rank(x, names)
    bread = np.asarray(np.linalg.inv(x.T @ x), dtype=np.float64)
    coefficients = bread @ (x.T @ y[mask])
    residuals = y - raw @ coefficients
    present = np.unique(own[mask.any(axis=1)], return_inverse=True)
    numbers = np.zeros(len(mask), dtype=np.int64)
    numbers[mask.any(axis=1)] = present[1]
    scores = sum_by(np.einsum("itk,it->ik", raw, residuals), numbers)
    n_years = int(mask.any(axis=0).sum())
    covariance = cluster_covariance(
        scores,
        bread,
        n_observations=int(mask.sum()),
        n_parameters=len(names) + n_years,
    )
    return Fit(
        tuple(names), coefficients, covariance, residuals, bread, int(mask.sum()), len(scores)
    )
