"""Rank and size: how steeply cities fall from the largest to the smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures


@dataclass(frozen=True, slots=True)
class RankSize:
    """The rank-size rule ln(rank - 1/2) = a - exponent ln(size).

    An exponent of 1 is Zipf's law; below 1 the large stand out more. `error` is its standard error
    exponent sqrt(2 / n). `primacy` is the largest over the second, `primacy_4` the largest over the
    next three together, `top_share` the largest over all. `order` names units from the largest.
    """

    exponent: float
    error: float
    intercept: float
    r_squared: float
    primacy: float
    primacy_4: float
    top_share: float
    order: tuple[str, ...]
    sizes: Figures


def rank_size(units: Sequence[str], sizes: ArrayLike) -> RankSize:
    """Fit the rank-size rule to the sizes [N] of units.

    Source: Gabaix and Ibragimov 2011, JBES 29(1): the shift by 1/2 takes the bias of small samples
    away. Raises InputError for fewer than five units, sizes of zero or less, or all equal.
    """
    x = np.asarray(sizes, dtype=np.float64)
    if x.shape != (len(units),) or len(x) < 5:
        raise InputError(
            f"Rank and size need one size for each of five units or more, not {x.shape}"
        )
    wrong = ~(np.isfinite(x) & (x > 0))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InputError(f"The size of {units[i]} is {x[i]}; it must be above zero")
    order = np.argsort(-x, kind="stable")
    ordered = x[order]
    if ordered[0] == ordered[-1]:
        raise InputError("All sizes are equal: there is no rank")
    ranks = np.log(np.arange(1, len(x) + 1) - 0.5)
    logs = np.log(ordered)
    away = logs - logs.mean()
    slope = float((away @ (ranks - ranks.mean())) / (away @ away))
    intercept = float(ranks.mean() - slope * logs.mean())
    rest = ranks - intercept - slope * logs
    return RankSize(
        exponent=-slope,
        error=float(-slope * np.sqrt(2.0 / len(x))),
        intercept=intercept,
        r_squared=float(1.0 - (rest @ rest) / ((ranks - ranks.mean()) @ (ranks - ranks.mean()))),
        primacy=float(ordered[0] / ordered[1]),
        primacy_4=float(ordered[0] / ordered[1:4].sum()),
        top_share=float(ordered[0] / ordered.sum()),
        order=tuple(units[i] for i in order),
        sizes=ordered,
    )
