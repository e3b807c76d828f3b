"""How sure ranks are: weights and missing figures drawn anew, many times at once.

Source: Saisana, Saltelli and Tarantola 2005, JRSS A 168(2); OECD and JRC 2008, section 7. Every
draw is one row of a matrix product; nothing loops over draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conurb.errors import InputError
from conurb.strategy.index.score import Scores
from conurb.strategy.panel import Figures

DRAWS: Final = 10_000
DRAWS_MAX: Final = 1_000_000
SPREAD: Final = 0.25
"""How far each weight moves by default, as a share of itself."""
DECIMALS: Final = 10
"""Scores that agree to so many decimals are equal: what is left is the order of summing."""
CHUNK_CELLS: Final = 4_000_000
"""Draws x units x indicators that are held at once where a mean can't be one matrix product."""


@dataclass(frozen=True, slots=True)
class RankUncertainty:
    """Ranks of the N units that have a score in a year, over D draws.

    `rank` [N] is the rank by the scores themselves; `mean`, `median`, `low`, `high` [N] of the
    ranks drawn (low and high hold 90 % between them). `frequency` [N x N] is how often unit i has
    rank r + 1, `above` [N x N] how often unit i scores above unit j; equal scores of one draw rank
    in the order of units. `left_out` are the units with too few figures. `how` says in words what
    was drawn.
    """

    units: tuple[str, ...]
    year: int
    draws: int
    rank: Figures
    mean: Figures
    median: Figures
    low: Figures
    high: Figures
    frequency: Figures
    above: Figures
    left_out: tuple[str, ...]
    how: str

    def share_in_top(self, count: int) -> Figures:
        """Give how often each unit [N] is among the first `count`."""
        if not 1 <= count <= len(self.units):
            raise InputError(f"The first {count} of {len(self.units)} units don't exist")
        return np.asarray(self.frequency[:, :count].sum(axis=1))


def rank_uncertainty(
    scores: Scores,
    *,
    year: int,
    rng: np.random.Generator,
    draws: int = DRAWS,
    spread: float | None = SPREAD,
    dropped: float = 0.0,
) -> RankUncertainty:
    """Draw weights and missing figures anew and see how the ranks of one year move.

    Each draw multiplies every weight by a uniform number between 1 - `spread` and 1 + `spread` and
    brings them back to sum 1; `spread=None` draws from all possible weights alike (Dirichlet with
    parameter 1). A missing figure is drawn from those that others have of the same indicator and
    year. `dropped` is the chance that a figure that is there counts as missing in a draw, and its
    weight is shared out among the others: what if the data were worse? Units whose figures hold
    less than the method's `coverage_min` of the weight are left out. Raises InputError for fewer
    than two units, or arguments out of bounds.
    """
    if not 1 <= draws <= DRAWS_MAX:
        raise InputError(f"draws is {draws}; allowed are 1 to {DRAWS_MAX}")
    if spread is not None and not 0 <= spread <= 1:
        raise InputError(f"spread is {spread}; allowed are 0 to 1, or None for all weights alike")
    if not 0 <= dropped < 1:
        raise InputError(f"dropped is {dropped}; allowed are 0 up to 1")
    if year not in scores.panel.years:
        raise InputError(f"{year} isn't among the years {list(scores.panel.years)}")
    t = scores.panel.years.index(year)
    chosen = np.flatnonzero(scores.coverage[:, t] >= scores.method.coverage_min)
    if len(chosen) < 2:
        raise InputError(f"In {year} fewer than two units have figures: nothing to rank")
    matrix = scores.normalised[chosen, t]
    weights = _draw_weights(scores.weights[t], draws=draws, spread=spread, rng=rng)
    values = np.empty((draws, len(chosen)))
    step = max(1, CHUNK_CELLS // matrix.size)
    simple = scores.method.aggregation != "topsis" and dropped == 0
    for start in range(0, draws, draws if simple else step):
        part = slice(start, draws if simple else start + step)
        values[part] = _values(scores, t, matrix, weights[part], dropped, rng)
    base = scores.score[chosen, t]
    return _summary(
        values,
        base=base,
        units=tuple(scores.panel.units[i] for i in chosen),
        left_out=tuple(name for i, name in enumerate(scores.panel.units) if i not in chosen),
        year=year,
        how=_said(spread, dropped, int(np.isnan(matrix).sum())),
    )


def _draw_weights(
    weights: Figures, *, draws: int, spread: float | None, rng: np.random.Generator
) -> Figures:
    """Give weights [D x K], each row summing to 1."""
    if spread is None:
        return rng.dirichlet(np.ones(len(weights)), size=draws)
    drawn = weights * rng.uniform(1 - spread, 1 + spread, size=(draws, len(weights)))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _values(
    scores: Scores,
    t: int,
    matrix: Figures,
    weights: Figures,
    dropped: float,
    rng: np.random.Generator,
) -> Figures:
    """Give scores [D x N] (monotone in them is enough: logarithms for a geometric mean)."""
    kind = scores.method.aggregation
    if kind == "topsis" or dropped > 0:
        return _values_in_full(scores, t, matrix, weights, dropped, rng)
    scale = _logs(matrix) if kind == "geometric" else matrix
    values = weights @ np.nan_to_num(scale, nan=0.0).T
    for i, k in np.argwhere(np.isnan(matrix)):
        pool = scale[~np.isnan(scale[:, k]), k]
        values[:, i] += weights[:, k] * rng.choice(_pool(pool, scores, k), size=len(weights))
    return np.asarray(values)


def _values_in_full(
    scores: Scores,
    t: int,
    matrix: Figures,
    weights: Figures,
    dropped: float,
    rng: np.random.Generator,
) -> Figures:
    """Give scores [D x N] where every draw has figures, or gaps, of its own [D x N x K]."""
    full = np.broadcast_to(matrix, (len(weights), *matrix.shape)).copy()
    for i, k in np.argwhere(np.isnan(matrix)):
        pool = matrix[~np.isnan(matrix[:, k]), k]
        full[:, i, k] = rng.choice(_pool(pool, scores, k), size=len(weights))
    held = np.broadcast_to(weights[:, None, :], full.shape)
    if dropped > 0:
        kept = rng.random(full.shape) >= dropped
        kept |= ~kept.any(axis=2, keepdims=True)  # all gone says nothing: such a draw keeps all
        held = np.where(kept, held, 0.0)
        held = held / np.maximum(held.sum(axis=2, keepdims=True), np.finfo(float).tiny)
    if scores.method.aggregation == "topsis":
        up = np.sqrt(((held * (scores.best[t] - full)) ** 2).sum(axis=2))
        down = np.sqrt(((held * (full - scores.worst[t])) ** 2).sum(axis=2))
        return np.asarray(down / np.maximum(up + down, np.finfo(float).tiny))
    if scores.method.aggregation == "geometric":
        full = _logs(full)
    return np.asarray((held * full).sum(axis=2))


_LOWEST: Final = -1e3
"""Stands for the logarithm of zero: below that of any figure, and still finite."""


def _logs(values: Figures) -> Figures:
    logs = np.full_like(values, _LOWEST)
    np.log(values, out=logs, where=values > 0)
    return np.where(np.isnan(values), np.nan, logs)


def _pool(pool: Figures, scores: Scores, k: int) -> Figures:
    if len(pool) == 0:
        raise InputError(
            f"No unit has {scores.indicators[k].id!r} in that year: there is nothing to draw from"
        )
    return pool


def _summary(
    values: Figures,
    *,
    base: Figures,
    units: tuple[str, ...],
    left_out: tuple[str, ...],
    year: int,
    how: str,
) -> RankUncertainty:
    values = np.round(values, DECIMALS)
    draws, count = values.shape
    order = np.argsort(-values, axis=1, kind="stable")
    drawn: NDArray[np.int64] = np.empty_like(order)
    np.put_along_axis(drawn, order, np.broadcast_to(np.arange(count), values.shape), axis=1)
    flat = np.arange(count) * count + drawn
    frequency = np.bincount(flat.ravel(), minlength=count * count).reshape(count, count) / draws
    cumulative = np.cumsum(frequency, axis=1)
    low, median, high = (
        (cumulative >= level - 1e-12).argmax(axis=1) + 1.0 for level in (0.05, 0.5, 0.95)
    )
    columns = np.ascontiguousarray(values.T)
    above = np.stack([(column > columns).mean(axis=1) for column in columns])
    better = (base[None, :] > base[:, None]).sum(axis=1) + 1.0
    return RankUncertainty(
        units=units,
        year=year,
        draws=draws,
        rank=np.where(np.isnan(base), np.nan, better),
        mean=drawn.mean(axis=0) + 1.0,
        median=median,
        low=low,
        high=high,
        frequency=frequency,
        above=above,
        left_out=left_out,
        how=how,
    )


def _said(spread: float | None, dropped: float, missing: int) -> str:
    said = [
        "all weights alike" if spread is None else f"each weight within {spread:.0%} of itself",
        f"{missing} missing figures drawn from those of others",
    ]
    if dropped > 0:
        said.append(f"each figure missing with chance {dropped:g}")
    return "; ".join(said)
