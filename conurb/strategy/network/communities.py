"""Communities: cities that are linked among each other more than chance would have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.network.centrality import load_networkx, to_graph
from conurb.strategy.network.links import Links


@dataclass(frozen=True, slots=True)
class Communities:
    """Groups of units, the largest first, and their modularity (0: no better than chance)."""

    groups: tuple[tuple[str, ...], ...]
    modularity: float
    seed: int
    resolution: float


def communities(links: Links, *, seed: int, resolution: float = 1.0) -> Communities:
    """Find communities by Louvain's method, both ways taken together.

    One seed, one answer; above 1 `resolution` gives more and smaller ones. Source: Blondel et al.
    2008. InputError without any link.
    """
    if not links.matrix.any():
        raise InputError(f"No unit is linked ({links.kind}): there are no communities")
    if not resolution > 0:
        raise InputError(f"resolution is {resolution}; it must be positive")
    found = load_networkx().community.louvain_communities(
        to_graph(links), weight="weight", resolution=resolution, seed=seed
    )
    ordered = sorted((sorted(one) for one in found), key=lambda one: (-len(one), one))
    groups = tuple(tuple(links.units[i] for i in one) for one in ordered)
    return Communities(groups, modularity(links, groups, resolution=resolution), seed, resolution)


def modularity(links: Links, groups: Iterable[Sequence[str]], *, resolution: float = 1.0) -> float:
    """Give Q = sum_c [ L_c / m - resolution (k_c / 2m)^2 ] of a division into groups.

    L_c are the links within c, k_c the strengths of its units, m all links. Source: Newman 2004.
    InputError unless every unit is in one group.
    """
    matrix = links.symmetric()
    member = np.full(len(links.units), -1)
    for number, group in enumerate(groups):
        for name in group:
            if member[links.place(name)] >= 0:
                raise InputError(f"{name} is in two groups")
            member[links.place(name)] = number
    if (member < 0).any():
        raise InputError(f"{links.units[int(np.argmin(member))]} is in no group")
    total = matrix.sum()
    same = member[:, None] == member[None, :]
    strength = matrix.sum(axis=1)
    expected = resolution * np.outer(strength, strength) / total
    return float(((matrix - expected) * same).sum() / total)
