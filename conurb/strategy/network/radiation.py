"""Radiation: what reaches each city from the core, where spheres meet, and who is poorly linked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.network.links import Links
from conurb.strategy.panel import Figures

POOR_SHARE: Final = 0.25
"""A city counts as poorly linked in the lowest quarter, by default."""


@dataclass(frozen=True, slots=True)
class Radiation:
    """What reaches each unit [N] from a core (NaN at the core itself).

    `strength` is the link with the core, `of_core` its share of all that the core sends, `of_own`
    its share of all links that the unit has. `rank` is 1 for the best reached.
    """

    core: str
    units: tuple[str, ...]
    strength: Figures
    of_core: Figures
    of_own: Figures
    rank: Figures


@dataclass(frozen=True, slots=True)
class Linkage:
    """How well each unit [N] is linked, by two measures, and who is poorly linked by them.

    `strength` is the sum of its links and `core_strength` that with the core; `expected` is what
    its mass would let expect (the fit of log strength on log mass), `gap` the log of strength over
    that. `poor_total` are in the lowest share by strength, `poor_core` by the link with the core,
    `poor_for_size` by the gap: the last are linked worse than cities of their size.
    """

    core: str
    units: tuple[str, ...]
    strength: Figures
    core_strength: Figures
    expected: Figures
    gap: Figures
    poor_total: tuple[str, ...]
    poor_core: tuple[str, ...]
    poor_for_size: tuple[str, ...]
    strength_rank: Figures
    core_rank: Figures
    gap_rank: Figures


def radiation(links: Links, core: str) -> Radiation:
    """Give what reaches each unit from the core, both ways taken together.

    NotFoundError when the core isn't there; InputError when it has no link.
    """
    matrix = links.symmetric()
    c = links.place(core)
    sent = matrix[c]
    if not sent.any():
        raise InputError(f"{core} has no link ({links.kind}): nothing radiates from it")
    total = matrix.sum(axis=1)
    others = np.arange(len(matrix)) != c
    own = np.divide(sent, total, out=np.zeros_like(sent), where=total > 0)
    return Radiation(
        core=core,
        units=links.units,
        strength=np.where(others, sent, np.nan),
        of_core=np.where(others, sent / sent.sum(), np.nan),
        of_own=np.where(others, own, np.nan),
        rank=np.where(others, _ranks(np.where(others, sent, -np.inf)), np.nan),
    )


def strongest_partner(links: Links) -> dict[str, str | None]:
    """Name each unit's strongest link (the first of equal ones), None without any.

    Source: Nystuen and Dacey 1961, nodal regions.
    """
    matrix = links.symmetric()
    return {
        name: links.units[int(np.argmax(row))] if row.any() else None
        for name, row in zip(links.units, matrix, strict=True)
    }


def breaking_point(*, mass: float, other_mass: float, apart: float, power: float = 2.0) -> float:
    """Give how far from the first of two centres its pull equals that of the other.

    d / (1 + (m2 / m1) ** (1 / power)), in the unit of `apart`. Source: Converse 1949, from
    Reilly's law. InputError unless all are positive.
    """
    if not (mass > 0 and other_mass > 0 and apart > 0 and power > 0):
        raise InputError(
            f"Masses {mass} and {other_mass}, {apart} apart, power {power}: all must be positive"
        )
    return float(apart / (1.0 + (other_mass / mass) ** (1.0 / power)))


def linkage(links: Links, *, core: str, mass: ArrayLike, share: float = POOR_SHARE) -> Linkage:
    """Say how well each unit is linked, to all and to the core, and whether its size explains it.

    `mass` [N] is positive, `share` which part counts as poor. Units without any link have the
    lowest ranks. Raises InputError for wrong masses, or a share that isn't between 0 and 1.
    """
    masses = np.asarray(mass, dtype=np.float64)
    if masses.shape != (len(links.units),) or not (np.isfinite(masses) & (masses > 0)).all():
        raise InputError("Linkage needs one positive mass per unit")
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it must be between 0 and 1")
    strength = links.strength()
    c = links.place(core)
    others = np.arange(len(strength)) != c
    to_core = np.where(others, links.symmetric()[c], np.nan)
    linked = strength > 0
    if linked.sum() < 3:
        raise InputError("Fewer than three units are linked: nothing to expect of a size")
    design = np.column_stack([np.ones(len(masses)), np.log(masses)])
    fit = np.linalg.lstsq(design[linked], np.log(strength[linked]), rcond=None)[0]
    expected = np.exp(design @ fit)
    logs = np.log(strength, out=np.full_like(strength, -np.inf), where=linked)
    gap = logs - np.log(expected)
    return Linkage(
        core=core,
        units=links.units,
        strength=strength,
        core_strength=to_core,
        expected=expected,
        gap=gap,
        poor_total=_lowest(links, strength, np.ones(len(others), dtype=bool), share),
        poor_core=_lowest(links, to_core, others, share),
        poor_for_size=_lowest(links, gap, np.ones(len(others), dtype=bool), share),
        strength_rank=_ranks(strength),
        core_rank=np.where(others, _ranks(np.where(others, to_core, -np.inf)), np.nan),
        gap_rank=_ranks(gap),
    )


def _lowest(
    links: Links, values: Figures, among: np.ndarray[tuple[int], np.dtype[np.bool_]], share: float
) -> tuple[str, ...]:
    chosen = np.flatnonzero(among)
    order = chosen[np.argsort(values[chosen], kind="stable")]
    return tuple(links.units[i] for i in order[: max(1, int(share * len(chosen)))])


def _ranks(values: Figures) -> Figures:
    """Give ranks [N], 1 the greatest, equal ones the better."""
    return np.asarray((values[None, :] > values[:, None]).sum(axis=1) + 1.0)
