"""Spatial weights: who counts as whose neighbour, and how much.

A matrix W with rows i (who is affected) and columns j (by whom), zero on the diagonal. How to make
one from geometry, distance or figures is in `distance`; here is what every one of them must be,
and the little algebra that estimators need of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning

UNITS_MAX: Final = 5_000
"""The largest W: it is dense, and exact likelihood needs all of its eigenvalues."""
ISLANDS_NAMED_MAX: Final = 10
SUM_TOLERANCE: Final = 1e-9
"""How far a row sum may be from 1 and count as standardised."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights [N x N] of named units; not negative, finite, zero diagonal, read-only.

    `kind` says in words how they were made. `row_sums` are the sums that rows had before they were
    standardised, None when they weren't.
    """

    units: tuple[str, ...]
    matrix: Figures
    kind: str
    row_sums: Figures | None = None

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        n = len(self.units)
        if len(set(self.units)) != n:
            raise InputError("The weights name a unit twice")
        if matrix.shape != (n, n):
            raise InputError(f"Weights of {n} units have shape {matrix.shape}")
        if n > UNITS_MAX:
            raise InputError(f"{n} units are more than the {UNITS_MAX} that weights may have")
        for wrong, what in (
            (~np.isfinite(matrix), "not finite"),
            (matrix < 0, "negative"),
            (np.eye(n, dtype=bool) & (matrix != 0), "not zero, on the diagonal"),
        ):
            if wrong.any():
                i, j = np.argwhere(wrong)[0]
                raise InputError(
                    f"The weight of {self.units[j]} in {self.units[i]} is {what}: {matrix[i, j]}"
                )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_pairs(
        cls, units: Sequence[str], pairs: Iterable[tuple[str, str]], *, kind: str = "pairs"
    ) -> Self:
        """Make 0/1 weights of directed pairs (unit, its neighbour)."""
        at = {name: i for i, name in enumerate(units)}
        matrix = np.zeros((len(units), len(units)))
        for unit, neighbour in pairs:
            for name in (unit, neighbour):
                if name not in at:
                    raise NotFoundError(f"The pair ({unit}, {neighbour}): there is no {name!r}")
            matrix[at[unit], at[neighbour]] = 1.0
        return cls(tuple(units), matrix, kind)

    @property
    def islands(self) -> tuple[str, ...]:
        """Name the units that have no neighbour."""
        return tuple(self.units[i] for i in np.flatnonzero(self.matrix.sum(axis=1) == 0))

    @property
    def is_row_standardised(self) -> bool:
        """Say whether every row sums to 1."""
        return bool(np.allclose(self.matrix.sum(axis=1), 1.0, rtol=0, atol=SUM_TOLERANCE))

    def row_standardised(self) -> Self:
        """Give the weights with each row divided by its sum; rows of islands stay zero."""
        sums = self.matrix.sum(axis=1)
        divided = self.matrix / np.where(sums > 0, sums, 1.0)[:, None]
        return replace(self, matrix=divided, row_sums=sums)

    def scaled(self) -> Self:
        """Give the weights divided by their largest eigenvalue: symmetric W stays symmetric."""
        radius = float(np.abs(self.eigenvalues()).max())
        if radius == 0:
            raise InputError("No unit has a neighbour: there is nothing to scale")
        return replace(self, matrix=self.matrix / radius, row_sums=None)

    def aligned(self, units: Sequence[str]) -> Self:
        """Give the weights of exactly these units in this order; NotFoundError names one lacking.

        Units left out take their links with them: rows standardised before no longer sum to 1.
        """
        if tuple(units) == self.units:
            return self
        at = {name: i for i, name in enumerate(self.units)}
        lacking = [name for name in units if name not in at]
        if lacking:
            raise NotFoundError(f"The weights don't know {lacking[0]!r} ({len(lacking)} unknown)")
        order = [at[name] for name in units]
        sums = None if self.row_sums is None else self.row_sums[order]
        return replace(
            self,
            units=tuple(units),
            matrix=self.matrix[np.ix_(order, order)],
            row_sums=sums if len(order) == len(self.units) else None,
        )

    def check_no_islands(self) -> None:
        """Refuse islands: their spatial lag would be a zero that nobody measured."""
        if self.islands:
            raise InputError(
                f"{_some(self.islands)} have no neighbour ({self.kind}): leave them out, or take "
                "weights that reach them (k nearest, a wider band)"
            )

    def lag(self, figures: ArrayLike) -> Figures:
        """Give W applied to figures [N x ...]: each unit's neighbours' weighted sum."""
        values = np.asarray(figures, dtype=np.float64)
        product: Figures = (self.matrix @ values.reshape(len(values), -1)).reshape(values.shape)
        return product

    def eigenvalues(self) -> NDArray[np.inexact[Any]]:
        """Give all eigenvalues; real, and much faster, where W comes from symmetric weights."""
        if np.array_equal(self.matrix, self.matrix.T):
            return np.linalg.eigvalsh(self.matrix)
        if self.row_sums is not None and (self.row_sums > 0).all():
            root = np.sqrt(self.row_sums)
            twin = self.matrix * (root[:, None] / root[None, :])
            if np.allclose(twin, twin.T, rtol=1e-12, atol=1e-15):
                return np.linalg.eigvalsh((twin + twin.T) / 2)
        return np.linalg.eigvals(self.matrix)


def warn_of_islands(weights: Weights) -> Weights:
    """Give the weights back, after a StrategyWarning that names islands if there are any."""
    if weights.islands:
        warnings.warn(
            f"{_some(weights.islands)} have no neighbour ({weights.kind})",
            StrategyWarning,
            stacklevel=3,
        )
    return weights


def _some(names: Sequence[str]) -> str:
    more = len(names) - ISLANDS_NAMED_MAX
    text = ", ".join(names[:ISLANDS_NAMED_MAX])
    return f"{text} and {more} more" if more > 0 else text
