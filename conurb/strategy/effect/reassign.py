"""The static coefficient for many treatment tables at once.

Everything that a reassigned treatment needs of the outcome are partial sums by unit and first
year, made once. A draw then only gathers the sums of its treated units: 500 draws are a few small
matrix products instead of 500 regressions. Exact, also for unbalanced panels and with covariates
(Frisch, Waugh and Lovell), errors clustered (CR1) included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from conurb.strategy.effect.study import Study
from conurb.strategy.linear import Flags, Indices, TwoWay, check_rank
from conurb.strategy.panel import Figures

BLOCK_CELLS = 4_000_000
"""Draws x cells that are held in memory at once."""
SPREAD_MIN = 1e-9
"""A treatment with less left of it than this, beyond the effects, has no coefficient (NaN)."""


@dataclass(frozen=True, slots=True)
class Reassignment:
    """Partial sums of what effects and covariates leave, by unit and first treated position.

    Tables have T + 1 columns; column T (never treated) is 0. `outcome` [N x T] is free of effects
    and covariates, `covariates` [N x T x K] of effects.
    """

    effects: TwoWay
    outcome: Figures
    covariates: Figures
    bread: Figures
    sums: Figures
    cells: Figures
    covariate_sums: Figures
    clusters: Indices

    @classmethod
    def of(cls, study: Study, mask: Flags | None = None) -> Self:
        """Prepare a study, on the cells of `mask` (all that have figures, when not given)."""
        used = study.mask if mask is None else study.mask & mask
        effects = TwoWay.of(used)
        x, y = effects.within(study.covariates), effects.within(study.outcome)
        check_rank(x[used], study.covariate_names)
        bread = np.linalg.pinv(np.einsum("itk,itl->kl", x, x), hermitian=True)
        y = y - x @ (bread @ np.einsum("itk,it->k", x, y))
        return cls(
            effects,
            y,
            x,
            bread,
            _from(y),
            _from(used.astype(np.float64)),
            _from(x),
            study.clusters,
        )

    def estimates(self, units: Indices, starts: Indices) -> tuple[Figures, Figures]:
        """Give coefficients [B] and clustered errors [B] of B treatment tables.

        `units` [B x K] are the treated units of each table (no unit twice in a row), `starts`
        [B x K] the positions of their first treated years (T for not treated after all).
        """
        n, t = self.outcome.shape
        size = max(1, BLOCK_CELLS // max(units.shape[1] * t, n * (1 + self.covariates.shape[2])))
        blocks = [
            self._block(units[b : b + size], starts[b : b + size])
            for b in range(0, len(units), size)
        ]
        return np.concatenate([b for b, _ in blocks]), np.concatenate([e for _, e in blocks])

    def _block(self, units: Indices, starts: Indices) -> tuple[Figures, Figures]:
        inverse, years = self.effects.inverse, self.effects.mask.shape[1]
        summed = self._gathered(units, starts)
        between, slopes = summed[:, :years], summed[:, years + 2 :]
        year_effects, adjust = between @ inverse, slopes @ self.bread
        spread = summed[:, years] - (between * year_effects).sum(axis=1)
        spread = spread - (slopes * adjust).sum(axis=1)
        spread = np.where(spread > SPREAD_MIN, spread, np.nan)
        beta = summed[:, years + 1] / spread
        rows = np.arange(len(units))[:, None]
        first = -(year_effects @ self.outcome.T)
        first[rows, units] += self.sums[units, starts]
        second = self._squares(units, starts, year_effects)
        if self.covariates.shape[2]:
            first -= adjust @ np.einsum("itk,it->ik", self.covariates, self.outcome).T
            second += self._adjusted(units, starts, year_effects=year_effects, adjust=adjust)
        return beta, self._error(first - beta[:, None] * second, spread)

    def _gathered(self, units: Indices, starts: Indices) -> Figures:
        """Sum over each table's treated units what years, spread, outcome and covariates get.

        One sparse product [B x N(T+1)] [N(T+1) x C], a row of ones picking a unit and its start.
        """
        n, years = self.outcome.shape
        share = self.cells / self.effects.counts[:, None]
        mask = self.effects.mask[:, None].astype(np.float64)
        on = np.arange(years) >= np.arange(years + 1)[:, None]
        table = np.concatenate(
            [
                mask * (on - share[..., None]),
                (self.cells * (1 - share))[..., None],
                self.sums[..., None],
                self.covariate_sums,
            ],
            axis=2,
        )
        place = (units * (years + 1) + starts).ravel()
        pointers = np.arange(0, place.size + 1, units.shape[1])
        picks = sparse.csr_array(
            (np.ones(place.size), place, pointers), shape=(len(units), n * (years + 1))
        )
        return np.asarray(picks @ table.reshape(n * (years + 1), -1))

    def _squares(self, units: Indices, starts: Indices, year_effects: Figures) -> Figures:
        """Give each unit's sum of squares of the treatment that effects leave [B x N]."""
        mask, counts = self.effects.mask.astype(np.float64), self.effects.counts
        rows = np.arange(len(units))[:, None]
        cells = self.cells[units, starts]
        if self.effects.mask.all():
            total = year_effects.sum(axis=1, keepdims=True)
            plain = (year_effects**2).sum(axis=1, keepdims=True) - total**2 / mask.shape[1]
            squares = np.repeat(plain, len(mask), axis=1)
            drawn, crossed = total, np.take_along_axis(_from(year_effects), starts, axis=1)
        else:
            every = year_effects @ mask.T
            squares = year_effects**2 @ mask.T - every**2 / counts
            drawn, crossed = every[rows, units], _crossed(year_effects, mask, units, starts)
        squares[rows, units] += cells - 2 * crossed - cells * (cells - 2 * drawn) / counts[units]
        return squares

    def _adjusted(
        self, units: Indices, starts: Indices, *, year_effects: Figures, adjust: Figures
    ) -> Figures:
        """Give what covariates change in each unit's sum of squares [B x N]."""
        x = self.covariates
        crossed = -np.einsum("bt,itk->bik", year_effects, x)
        crossed[np.arange(len(units))[:, None], units] += self.covariate_sums[units, starts]
        own = np.einsum("itk,itl->ikl", x, x)
        squares = np.einsum("bk,ikl,bl->bi", adjust, own, adjust, optimize=True)
        return np.asarray(squares - 2 * np.einsum("bik,bk->bi", crossed, adjust))

    def _error(self, scores: Figures, spread: Figures) -> Figures:
        """Give CR1 errors [B] from scores by unit [B x N]."""
        present = self.effects.mask.any(axis=1)
        clusters = np.unique(self.clusters[present], return_inverse=True)[1]
        groups = int(clusters.max()) + 1
        kept = scores[:, present]
        if groups < kept.shape[1]:
            member = (clusters[:, None] == np.arange(groups)).astype(np.float64)
            kept = kept @ member
        n = int(self.effects.mask.sum())
        parameters = 1 + self.covariates.shape[2] + int(self.effects.mask.any(axis=0).sum())
        factor = groups / (groups - 1) * (n - 1) / (n - parameters)
        return np.asarray(np.sqrt(factor * (kept**2).sum(axis=1)) / spread)


def _crossed(year_effects: Figures, mask: Figures, units: Indices, starts: Indices) -> Figures:
    """Give, for each treated unit of each table [B x K], its year effects summed from its start."""
    found = np.zeros(units.size)
    n, flat, begun = len(mask), units.ravel(), starts.ravel()
    for start in np.unique(starts):
        slots = np.flatnonzero(begun == start)
        later = year_effects[:, start:] @ mask[:, start:].T
        found[slots] = later.ravel()[slots // units.shape[1] * n + flat[slots]]
    return found.reshape(units.shape)


def _from(figures: Figures) -> Figures:
    """Sum figures [N x T (x K)] from each position on, giving [N x T+1 (x K)]."""
    sums = np.flip(np.cumsum(np.flip(figures, axis=1), axis=1), axis=1)
    return np.concatenate([sums, np.zeros_like(sums[:, :1])], axis=1)
