"""Links between cities: a matrix of strengths, from masses and distances or from real flows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel import Figures

UNITS_MAX: Final = 5_000
"""The largest network: its matrix is dense."""


@dataclass(frozen=True, slots=True)
class Links:
    """Strengths [N x N] from unit i to unit j; finite, not negative, zero diagonal, read-only.

    `kind` says in words how they were made, `measure` in what they are counted.
    """

    units: tuple[str, ...]
    matrix: Figures
    kind: str
    measure: str = ""

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        n = len(self.units)
        if len(set(self.units)) != n:
            raise InputError("The links name a unit twice")
        if n > UNITS_MAX:
            raise InputError(f"{n} units are more than the {UNITS_MAX} that links may have")
        if matrix.shape != (n, n):
            raise InputError(f"Links of {n} units have shape {matrix.shape}")
        for wrong, what in (
            (~np.isfinite(matrix), "not finite"),
            (matrix < 0, "negative"),
            (np.eye(n, dtype=bool) & (matrix != 0), "of a unit with itself, and not zero"),
        ):
            if wrong.any():
                i, j = np.argwhere(wrong)[0]
                raise InputError(
                    f"The link from {self.units[i]} to {self.units[j]} is {what}: {matrix[i, j]}"
                )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @property
    def is_symmetric(self) -> bool:
        """Say whether every link is as strong both ways."""
        return bool(np.allclose(self.matrix, self.matrix.T, rtol=1e-12, atol=0.0))

    @property
    def isolated(self) -> tuple[str, ...]:
        """Name the units without any link."""
        linked = (self.matrix.sum(axis=0) + self.matrix.sum(axis=1)) > 0
        return tuple(name for name, one in zip(self.units, linked, strict=True) if not one)

    def place(self, unit: str) -> int:
        """Give the row of a unit; NotFoundError when it isn't there."""
        if unit not in self.units:
            raise NotFoundError(f"The links don't know {unit!r}; they know {list(self.units)}")
        return self.units.index(unit)

    def strength(self) -> Figures:
        """Give each unit's sum of links [N]: the mean of what goes out and what comes in."""
        return np.asarray((self.matrix.sum(axis=1) + self.matrix.sum(axis=0)) / 2)

    def symmetric(self) -> Figures:
        """Give the mean of both ways [N x N]."""
        return np.asarray((self.matrix + self.matrix.T) / 2)


def gravity(
    units: Sequence[str],
    *,
    mass: ArrayLike,
    apart: ArrayLike,
    power: float = 2.0,
    constant: float = 1.0,
    measure: str = "",
) -> Links:
    """Link units by gravity, G m_i m_j / d_ij ** power.

    `mass` [N] is one figure per unit, not negative (several figures: `geometric_mass`); `apart`
    [N x N] is any distance: kilometres, minutes, cost; NaN or infinite is no link. Source: Reilly
    1931; Zipf 1946. InputError names units at one point, and figures that are missing or negative.
    """
    figures = np.asarray(mass, dtype=np.float64)
    distance = np.asarray(apart, dtype=np.float64)
    n = len(units)
    if figures.shape != (n,) or distance.shape != (n, n):
        raise InputError(
            f"{n} units, masses of shape {figures.shape}, distances of shape {distance.shape}"
        )
    wrong = ~(np.isfinite(figures) & (figures >= 0))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise InputError(f"The mass of {units[i]} is {figures[i]}; it must be finite, not negative")
    if not (power > 0 and constant > 0 and np.isfinite(power) and np.isfinite(constant)):
        raise InputError(f"power {power} and constant {constant} must be positive")
    off = ~np.eye(n, dtype=bool)
    reached = off & np.isfinite(distance)
    if (distance[reached] <= 0).any():
        i, j = np.argwhere(reached & (distance <= 0))[0]
        raise InputError(
            f"{units[i]} and {units[j]} are {distance[i, j]:g} apart: gravity has no value there"
        )
    matrix = np.zeros((n, n))
    product = constant * figures[:, None] * figures[None, :]
    matrix[reached] = product[reached] * distance[reached] ** -power
    return Links(tuple(units), matrix, f"gravity, distance to the power of {power:g}", measure)


def geometric_mass(*figures: ArrayLike) -> Figures:
    """Give the geometric mean [N] of several figures, such as GDP and population, as one mass.

    Source: the square root of population times GDP is the usual mass of Chinese studies of city
    networks. InputError for figures that are missing or negative.
    """
    stacked = np.array([np.asarray(one, dtype=np.float64) for one in figures])
    if stacked.ndim != 2 or not np.isfinite(stacked).all() or (stacked < 0).any():
        raise InputError("A mass needs finite figures of equal length that are not negative")
    logs = np.log(stacked, out=np.full_like(stacked, -np.inf), where=stacked > 0)
    return np.asarray(np.exp(logs.mean(axis=0)))


def from_flows(
    units: Sequence[str],
    flows: Iterable[tuple[str, str, float]],
    *,
    kind: str,
    measure: str,
) -> Links:
    """Make links of flows (from, to, amount), summed by pair; a unit's flow to itself is left out.

    NotFoundError names a unit that isn't there; InputError a negative amount.
    """
    at = {name: i for i, name in enumerate(units)}
    matrix = np.zeros((len(units), len(units)))
    for origin, target, amount in flows:
        for name in (origin, target):
            if name not in at:
                raise NotFoundError(f"The flow from {origin} to {target}: there is no {name!r}")
        if not (amount >= 0 and np.isfinite(amount)):
            raise InputError(f"The flow from {origin} to {target} is {amount}")
        if origin != target:
            matrix[at[origin], at[target]] += amount
    return Links(tuple(units), matrix, kind, measure)
