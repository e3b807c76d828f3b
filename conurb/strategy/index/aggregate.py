"""Aggregation: normalised indicators [... x K] and weights into one score [...].

More is better in all of them. `weights` broadcast against the figures and sum to 1 along K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from conurb.errors import InputError
from conurb.strategy.index.method import Aggregation
from conurb.strategy.panel import Figures


def arithmetic(normalised: Figures, weights: Figures) -> Figures:
    """Give sum_k w_k n_k: a low figure is made up for by a high one in full."""
    return np.asarray((weights * normalised).sum(axis=-1))


def geometric(normalised: Figures, weights: Figures) -> Figures:
    """Give prod_k n_k ^ w_k: low figures are made up for less; a zero that weighs makes it zero.

    Source: OECD and JRC 2008, section 6.3. Raises InputError for negative figures.
    """
    if (normalised < 0).any():
        raise InputError("A geometric mean needs figures that are not negative")
    logs = np.log(normalised, out=np.full_like(normalised, -np.inf), where=normalised > 0)
    parts = np.multiply(
        weights,
        logs,
        out=np.zeros(np.broadcast(weights, logs).shape),
        where=np.broadcast_to(weights, np.broadcast(weights, logs).shape) > 0,
    )
    return np.asarray(np.exp(parts.sum(axis=-1)))


def topsis(normalised: Figures, weights: Figures, *, best: Figures, worst: Figures) -> Figures:
    """Give d- / (d+ + d-), the closeness to the best and the distance from the worst figures [K].

    d+ = |w (best - n)|, d- = |w (n - worst)| (Euclidean). Source: Hwang and Yoon 1981, TOPSIS.
    NaN where best and worst are one.
    """
    up = np.sqrt(((weights * (best - normalised)) ** 2).sum(axis=-1))
    down = np.sqrt(((weights * (normalised - worst)) ** 2).sum(axis=-1))
    apart = up + down
    return np.asarray(np.divide(down, apart, out=np.full_like(apart, np.nan), where=apart > 0))


def aggregate(
    kind: Aggregation, normalised: Figures, weights: Figures, *, best: Figures, worst: Figures
) -> Figures:
    """Aggregate by the name of the method; `best` and `worst` [... x K] matter to TOPSIS alone."""
    if kind == "topsis":
        return topsis(normalised, weights, best=best, worst=worst)
    return _MEANS[kind](normalised, weights)


_MEANS: Final[dict[str, Callable[[Figures, Figures], Figures]]] = {
    "arithmetic": arithmetic,
    "geometric": geometric,
}
