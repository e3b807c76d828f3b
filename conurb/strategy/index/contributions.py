"""Contributions: what a score is made of, down to the cells that it was computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.index.score import Scores
from conurb.strategy.index.tree import Names
from conurb.strategy.panel import Figures, Origin


@dataclass(frozen=True, slots=True)
class Contribution:
    """One indicator's part in one unit's score.

    `figure` is in the indicator's own unit (`measure`), `normalised` on the common scale, `part` as
    in `parts`. `cells` are the origins of the figures that it was read from.
    """

    indicator: str
    name: Names
    path: tuple[str, ...]
    figure: float
    measure: str | None
    normalised: float
    weight: float
    part: float
    cells: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Why one unit scores above another, by indicator: `part` is part(unit) - part(other)."""

    indicator: str
    name: Names
    path: tuple[str, ...]
    figure: float
    other_figure: float
    measure: str | None
    part: float


def parts(scores: Scores) -> Figures:
    """Give each indicator's part [N x T x K] in the scores.

    - arithmetic: w n; parts sum to the score
    - geometric: w ln n; parts sum to the logarithm of the score (-inf with a zero)
    - TOPSIS: the score shared out by the squared distances from the worst, (w (n - worst))^2; parts
      sum to the score. An attribution, since distances don't add.
    """
    n, w = np.nan_to_num(scores.normalised), scores.effective
    if scores.method.aggregation == "arithmetic":
        found = w * n
    elif scores.method.aggregation == "geometric":
        logs = np.log(n, out=np.full_like(n, -np.inf), where=n > 0)
        found = np.multiply(w, logs, out=np.zeros_like(logs), where=w > 0)
    else:
        squares = (w * (n - scores.worst)) ** 2
        total = squares.sum(axis=2, keepdims=True)
        found = scores.score[..., None] * np.divide(
            squares, total, out=np.zeros_like(squares), where=total > 0
        )
    return np.where(np.isnan(scores.score)[..., None], np.nan, found)


def contributions(scores: Scores, unit: str, year: int) -> tuple[Contribution, ...]:
    """Take one score apart by indicator, each with the cells that it was read from.

    Raises NotFoundError for a unit or year that isn't there, InputError without a score there.
    """
    i, t = _scored(scores, unit, year)
    share = parts(scores)[i, t]
    paths = scores.definition.paths()
    return tuple(
        Contribution(
            indicator=leaf.id,
            name=leaf.name,
            path=paths[leaf.id],
            figure=float(scores.figures[i, t, k]),
            measure=leaf.measure,
            normalised=float(scores.normalised[i, t, k]),
            weight=float(scores.effective[i, t, k]),
            part=float(share[k]),
            cells=tuple(
                scores.panel.origin(name, unit, year)
                for name in (leaf.column, leaf.per)
                if name is not None
            ),
        )
        for k, leaf in enumerate(scores.indicators)
    )


def compare(scores: Scores, unit: str, other: str, year: int) -> tuple[Difference, ...]:
    """Say where one unit falls behind another (or leads), the widest gaps first.

    This names the gaps to a benchmark city. Parts sum to the difference of the scores (of their
    logarithms under a geometric mean). Errors as in `contributions`.
    """
    i, t = _scored(scores, unit, year)
    j, _ = _scored(scores, other, year)
    share = parts(scores)
    paths = scores.definition.paths()
    found = [
        Difference(
            indicator=leaf.id,
            name=leaf.name,
            path=paths[leaf.id],
            figure=float(scores.figures[i, t, k]),
            other_figure=float(scores.figures[j, t, k]),
            measure=leaf.measure,
            part=float(share[i, t, k] - share[j, t, k]),
        )
        for k, leaf in enumerate(scores.indicators)
    ]
    return tuple(sorted(found, key=lambda one: one.part))


def _scored(scores: Scores, unit: str, year: int) -> tuple[int, int]:
    i, t = scores.panel.place(unit, year)
    if np.isnan(scores.score[i, t]):
        raise InputError(f"{unit} has no score in {year}: figures are missing")
    return i, t
