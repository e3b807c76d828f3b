"""What cities make: specialisation, likeness and complementarity of their industries.

All take figures [N x S] of N units and S sectors (value added, employment), not negative, each unit
with something. Shares s_ik are of the unit's total, the region's shares s_k of the total of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures

ALIKE: Final = 0.9
"""The structural similarity from which two cities are said to compete for the same."""


@dataclass(frozen=True, slots=True)
class Structure:
    """How the industries of N units with S sectors relate.

    `quotients` [N x S] are location quotients, `krugman` [N] each unit's distance from the others,
    `similarity` and `complementarity` [N x N] are between pairs.
    """

    units: tuple[str, ...]
    sectors: tuple[str, ...]
    shares: Figures
    quotients: Figures
    krugman: Figures
    similarity: Figures
    complementarity: Figures

    def alike(self, at_least: float = ALIKE) -> tuple[tuple[str, str, float], ...]:
        """Name pairs with structures at least so similar, the most alike first."""
        rows, columns = np.triu_indices(len(self.units), 1)
        found = [
            (self.units[i], self.units[j], float(self.similarity[i, j]))
            for i, j in zip(rows, columns, strict=True)
            if self.similarity[i, j] >= at_least
        ]
        return tuple(sorted(found, key=lambda pair: -pair[2]))


def structure(units: Sequence[str], sectors: Sequence[str], figures: ArrayLike) -> Structure:
    """Compute all of a region's industrial structure from one table [N x S].

    With few sectors every city looks like every other: three sectors can't show homogeneous
    competition, which happens within them. Errors name unit and sector.
    """
    x = _table(figures, units, sectors)
    return Structure(
        units=tuple(units),
        sectors=tuple(sectors),
        shares=shares(x),
        quotients=location_quotients(x),
        krugman=krugman_index(x),
        similarity=similarity_matrix(x),
        complementarity=complementarity_matrix(x),
    )


def shares(figures: ArrayLike) -> Figures:
    """Give each unit's shares of sectors [N x S], rows summing to 1."""
    x = _table(figures)
    return np.asarray(x / x.sum(axis=1, keepdims=True))


def location_quotients(figures: ArrayLike) -> Figures:
    """Give LQ_ik = s_ik / s_k [N x S]: above 1 the unit has more of a sector than the region.

    Source: Florence 1939; Isard 1960. NaN for a sector that nobody has.
    """
    x = _table(figures)
    region = x.sum(axis=0) / x.sum()
    own = x / x.sum(axis=1, keepdims=True)
    return np.asarray(
        np.divide(
            own, region, out=np.full_like(own, np.nan), where=np.broadcast_to(region > 0, own.shape)
        )
    )


def krugman_index(figures: ArrayLike) -> Figures:
    """Give K_i = sum_k |s_ik - s'_k| [N], s' being the shares of all the others together.

    0: like the rest of the region; 2: nothing in common. Source: Krugman 1991, Geography and Trade;
    against the others as Midelfart-Knarvik et al. 2000 take it.
    """
    x = _table(figures)
    if len(x) < 2:
        raise InputError("Krugman's index compares with the others: there is one unit")
    others = x.sum(axis=0) - x
    rest = others / others.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(x / x.sum(axis=1, keepdims=True) - rest).sum(axis=1))


def krugman_matrix(figures: ArrayLike) -> Figures:
    """Give K_ij = sum_k |s_ik - s_jk| [N x N], 0 to 2. Source: Krugman 1991."""
    own = shares(figures)
    return np.asarray(np.abs(own[:, None, :] - own[None, :, :]).sum(axis=2))


def similarity_matrix(figures: ArrayLike) -> Figures:
    """Give S_ij = sum_k s_ik s_jk / sqrt(sum_k s_ik^2 sum_k s_jk^2) [N x N], 0 to 1.

    The coefficient of industrial similarity of UNIDO (1979), the usual measure of homogeneous
    competition: 1 is the same structure.
    """
    own = shares(figures)
    unit = own / np.linalg.norm(own, axis=1, keepdims=True)
    matrix = np.clip(unit @ unit.T, 0.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(matrix)


def complementarity_matrix(figures: ArrayLike) -> Figures:
    """Give C_ij = 1 - r_ij over 2 [N x N], 0 to 1, r the correlation of location quotients.

    0: specialised in the same, 1: each in what the other lacks. Measured on specialisation (LQ),
    because the shares of all cities follow the region's. NaN for a unit whose quotients are all
    equal, and on fewer than three sectors. This form is ours; there is no common one.
    """
    quotients = location_quotients(figures)
    present = quotients[:, ~np.isnan(quotients).any(axis=0)]
    matrix = np.full((len(present), len(present)), np.nan)
    if present.shape[1] < 3:
        return matrix
    away = present - present.mean(axis=1, keepdims=True)
    length = np.linalg.norm(away, axis=1)
    known = length > 1e-12
    unit = away[known] / length[known, None]
    matrix[np.ix_(known, known)] = (1.0 - np.clip(unit @ unit.T, -1.0, 1.0)) / 2.0
    return matrix


def _table(figures: ArrayLike, units: Sequence[str] = (), sectors: Sequence[str] = ()) -> Figures:
    x = np.asarray(figures, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"Industries are a table [units x sectors], not {x.shape}")
    if (units or sectors) and x.shape != (len(units), len(sectors)):
        raise InputError(f"{len(units)} units and {len(sectors)} sectors have a table {x.shape}")
    wrong = ~np.isfinite(x) | (x < 0)
    if wrong.any():
        i, k = np.argwhere(wrong)[0]
        who = units[i] if units else f"row {i}"
        what = sectors[k] if sectors else f"sector {k}"
        raise InputError(f"{what} of {who} is {x[i, k]}; it must be finite and not negative")
    empty = x.sum(axis=1) == 0
    if empty.any():
        i = int(np.argmax(empty))
        raise InputError(f"{units[i] if units else f'row {i}'} has nothing in any sector")
    return x
