"""Core, sub-core, node: classes of cities by natural breaks, and how they agree with a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel import Figures

CLASSES: Final = ("core", "sub-core", "node", "other")
VALUES_MAX: Final = 5_000
"""The most units that are classed: breaks are exact, at a cost of N squared."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The class of each unit by one figure [N].

    `breaks` are the least figures of the classes, the highest class first; `fit` is the goodness of
    variance fit, 1 when all within a class are equal.
    """

    units: tuple[str, ...]
    figures: Figures
    names: tuple[str, ...]
    classes: tuple[str, ...]
    breaks: tuple[float, ...]
    fit: float

    def members(self, name: str) -> tuple[str, ...]:
        """Name the units of a class, the greatest figure first."""
        if name not in self.names:
            raise NotFoundError(f"There is no class {name!r}; there are {self.names}")
        order = np.argsort(-self.figures, kind="stable")
        return tuple(self.units[i] for i in order if self.classes[i] == name)


@dataclass(frozen=True, slots=True)
class RoleCheck:
    """A plan's roles against classes: per unit (role, class), and where they differ.

    `agreeing` / `compared` counts the units that the plan gives a role; `beyond` are units in a
    class above the last that the plan gives no role, `above` and `below` those that the figure puts
    higher or lower than the plan.
    """

    rows: tuple[tuple[str, str, str], ...]
    agreeing: int
    compared: int
    above: tuple[str, ...]
    below: tuple[str, ...]
    beyond: tuple[str, ...]


def classify(
    units: Sequence[str], figures: ArrayLike, *, names: Sequence[str] = CLASSES
) -> Classes:
    """Class units by natural breaks of one figure: the least variance within classes, exactly.

    Source: Jenks 1977; Fisher 1958 (the exact solution by dynamic programming). Raises InputError
    for figures that are missing, or fewer different ones than classes.
    """
    x = np.asarray(figures, dtype=np.float64)
    if x.shape != (len(units),) or not np.isfinite(x).all():
        raise InputError("Classes need one finite figure per unit")
    if len(x) > VALUES_MAX:
        raise InputError(f"{len(x)} units are more than the {VALUES_MAX} that can be classed")
    if len(np.unique(x)) < len(names):
        raise InputError(
            f"{len(np.unique(x))} different figures can't fill {len(names)} classes {list(names)}"
        )
    ordered = np.sort(x)
    starts = _natural_breaks(ordered, len(names))
    lower = ordered[starts][::-1]
    index = (x[:, None] < lower[None, :]).sum(axis=1)
    within = sum(float(((x[index == k] - x[index == k].mean()) ** 2).sum()) for k in set(index))
    total = float(((x - x.mean()) ** 2).sum())
    return Classes(
        units=tuple(units),
        figures=x,
        names=tuple(names),
        classes=tuple(names[k] for k in index),
        breaks=tuple(float(one) for one in lower),
        fit=1.0 - within / total,
    )


def _natural_breaks(ordered: Figures, count: int) -> list[int]:
    """Give where each class starts in ascending figures, by Fisher's dynamic programme."""
    n = len(ordered)
    # Shifting changes no variance and keeps sums of squares from cancelling.
    shifted = ordered - ordered.mean()
    sums = np.concatenate([[0.0], np.cumsum(shifted)])
    squares = np.concatenate([[0.0], np.cumsum(shifted**2)])
    best = np.full((count + 1, n + 1), np.inf)
    best[0, 0] = 0.0
    cut = np.zeros((count + 1, n + 1), dtype=np.int64)
    for k in range(1, count + 1):
        for end in range(k, n + 1):
            start = np.arange(k - 1, end)
            spread = squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start)
            # Equal figures belong together: a class can't start amid them.
            amid = (start > 0) & (ordered[start] == ordered[np.maximum(start - 1, 0)])
            costs = np.where(amid, np.inf, best[k - 1, start] + np.maximum(spread, 0.0))
            place = int(np.argmin(costs))
            best[k, end], cut[k, end] = costs[place], start[place]
    starts, end = [], n
    for k in range(count, 0, -1):
        end = int(cut[k, end])
        starts.append(end)
    return starts[::-1]


def check_roles(
    classes: Classes, roles: Mapping[str, Sequence[str]], *, same: Mapping[str, str]
) -> RoleCheck:
    """Hold a plan's roles (role to units) against classes; `same` maps each role to its class.

    NotFoundError names a unit or class that isn't there, InputError a role without a class.
    """
    at = dict(zip(classes.units, classes.classes, strict=True))
    level = {name: k for k, name in enumerate(classes.names)}
    rows: list[tuple[str, str, str]] = []
    above, below = [], []
    for role, units in roles.items():
        if role not in same:
            raise InputError(f"No class is said to be the same as the role {role!r}")
        if same[role] not in level:
            raise NotFoundError(f"There is no class {same[role]!r}; there are {classes.names}")
        for unit in units:
            if unit not in at:
                raise NotFoundError(f"The role {role!r} names {unit!r}, which has no class")
            rows.append((unit, role, at[unit]))
            if level[at[unit]] < level[same[role]]:
                above.append(unit)
            elif level[at[unit]] > level[same[role]]:
                below.append(unit)
    named = {unit for unit, _, _ in rows}
    beyond = tuple(
        unit for name in classes.names[:-1] for unit in classes.members(name) if unit not in named
    )
    return RoleCheck(
        rows=tuple(rows),
        agreeing=len(rows) - len(above) - len(below),
        compared=len(rows),
        above=tuple(above),
        below=tuple(below),
        beyond=beyond,
    )
