"""Slack-based efficiency with bad outputs, and super-efficiency.

Unit o with inputs x (m), goods y (g) and bads b (h) is measured against the technology
{(x, y, b): x >= X l, y <= Y l, b >= B l, l >= 0}, with sum(l) = 1 under variable returns:

    rho = min [1 - mean_i(sx_i / x_io)] / [1 + (sum_r sy_r / y_ro + sum_k sb_k / b_ko) / (g + h)]
    s.t.  x_o = X l + sx,  y_o = Y l - sy,  b_o = B l + sb,  l, sx, sy, sb >= 0

Without bads: Tone 2001, European Journal of Operational Research 130:498-509; with them:
Tone 2003, GRIPS research report I-2003-0005. Super-efficiency of a unit with rho = 1
leaves it out of its own frontier (Tone 2002, EJOR 143:32-41); with bads, which he hasn't, likewise:

    delta = min [1 + mean_i(sx_i / x_io)] / [1 - (sum_r sy_r / y_ro + sum_k sb_k / b_ko) / (g + h)]
    s.t.  X l <= x_o + sx,  Y l >= y_o - sy,  B l <= b_o + sb,  l without o

Both fractions are made linear as Charnes and Cooper 1962 do: t times every variable, denominator
t-scaled to 1. Slacks are solved for in parts of the unit's own figure, so that a small city's
slacks are as exact as a large one's.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.green.production import Production
from conurb.strategy.green.program import Program
from conurb.strategy.panel import Figures, name_cells
from conurb.strategy.warning import StrategyWarning

Returns: TypeAlias = Literal["constant", "variable"]
FrontierOf: TypeAlias = Literal["year", "all"]

EFFICIENT_SLACK_MAX: Final = 1e-7
"""How far under 1 a score may be and still count as efficient: what the solver can't tell."""
WEIGHT_MIN: Final = 1e-9
"""The smallest weight that counts a unit among the benchmarks."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One observation that another is compared with, and its weight in the comparison."""

    unit: str
    year: int
    weight: float


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Efficiency of every unit and year.

    `score` [N x T]; NaN where the program has no solution (super-efficiency only; warned of).
    `slacks` [N x T x (m + g + b)] in the columns' own units: inputs and bads too many, goods too
    few (for super-efficiency the other way round). A score has one value, its slacks may have
    several equally good ones. `benchmarks[i][t]` are the observations compared with.
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    names: tuple[str, ...]
    returns: Returns
    frontier: FrontierOf
    score: Figures
    slacks: Figures
    benchmarks: tuple[tuple[tuple[Benchmark, ...], ...], ...]


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a word that isn't one of those allowed."""
    if value not in allowed:
        raise InputError(f"{name} is {value!r}; allowed are {list(allowed)}")


def sbm(
    production: Production, *, returns: Returns = "constant", frontier: FrontierOf = "year"
) -> Efficiency:
    """Measure slack-based efficiency with bad outputs, in (0, 1], 1 for efficient.

    `frontier` "year" draws one per year, "all" one from all years' observations. Raises InputError
    for a figure that isn't positive. Source: Tone 2001, Tone 2003.
    """
    return _measure(production, returns=returns, frontier=frontier, beyond=False)


def super_sbm(
    production: Production, *, returns: Returns = "constant", frontier: FrontierOf = "year"
) -> Efficiency:
    """Measure as `sbm`, and how far each efficient unit is beyond the others' frontier (>= 1).

    A unit that the others' frontier can't reach by any expansion (variable returns, or bads that
    would take the denominator to zero) is NaN with a StrategyWarning that names it.
    Source: Tone 2002.
    """
    return _measure(production, returns=returns, frontier=frontier, beyond=True)


def _measure(
    production: Production, *, returns: Returns, frontier: FrontierOf, beyond: bool
) -> Efficiency:
    check_choice("returns", returns, ("constant", "variable"))
    check_choice("frontier", frontier, ("year", "all"))
    production.check_positive("the slack-based measure")
    figures = production.stacked
    n, t, k = figures.shape
    score, slacks = np.full((n, t), np.nan), np.full((n, t, k), np.nan)
    benchmarks: list[list[tuple[Benchmark, ...]]] = [[()] * t for _ in range(n)]
    for cells in _frontiers(n, t, frontier):
        production.warn_when_few(len(cells))
        side = _Side(figures[cells[:, 0], cells[:, 1]], production.widths, returns)
        where = [f"{production.units[i]} {production.years[y]}" for i, y in cells]
        solved = side.solve(where, beyond=False)
        if beyond:
            best = [o for o in range(len(cells)) if solved[o][0] >= 1 - EFFICIENT_SLACK_MAX]
            solved.update(side.solve(where, beyond=True, only=best))
        for o, (value, parts, weights) in solved.items():
            i, y = cells[o]
            score[i, y], slacks[i, y] = value, parts * figures[i, y]
            benchmarks[i][y] = tuple(
                Benchmark(
                    production.units[cells[j, 0]], production.years[cells[j, 1]], float(weights[j])
                )
                for j in np.flatnonzero(weights > WEIGHT_MIN)
            )
    if np.isnan(score).any():
        warnings.warn(
            "Super-efficiency has no solution (the others' frontier can't be reached) for "
            + name_cells(production.units, production.years, np.isnan(score)),
            StrategyWarning,
            stacklevel=3,
        )
    return Efficiency(
        production.units,
        production.years,
        production.names,
        returns,
        frontier,
        score,
        slacks,
        tuple(tuple(row) for row in benchmarks),
    )


def _frontiers(n: int, t: int, frontier: FrontierOf) -> Iterator[np.ndarray]:
    """Give the cells (unit, year) that share a frontier, as [cells x 2]."""
    grid = np.stack(np.meshgrid(np.arange(n), np.arange(t), indexing="ij"), axis=2)
    if frontier == "all":
        yield grid.reshape(-1, 2)
    else:
        for year in range(t):
            yield grid[:, year]


class _Side:
    """The observations of one frontier, and the two programs over them.

    Columns are the slacks in parts of o's own figures (k), t, and the pool of weights (n). Rows are
    the k balances, the scaled denominator, and under variable returns sum(l) = t.
    """

    def __init__(self, figures: Figures, widths: tuple[int, int, int], returns: Returns) -> None:
        self.returns = returns
        self.widths = widths
        scaled = figures / figures.mean(axis=0)
        # Under constant returns only the direction of an observation matters: all to one size.
        constant = returns == "constant"
        self.sizes = np.exp(np.log(scaled).mean(axis=1)) if constant else np.ones(len(scaled))
        self.scaled = scaled / self.sizes[:, None]

    def solve(
        self, where: Sequence[str], *, beyond: bool, only: Sequence[int] | None = None
    ) -> dict[int, tuple[float, Figures, Figures]]:
        """Give (score, slacks in parts of own figures, weights) of each observation asked for."""
        n, k = self.scaled.shape
        program = self._program(beyond=beyond)
        m, g, _ = self.widths
        out = -1.0 if beyond else 1.0
        # In the efficiency program an input or bad leaves slack, a good lacks it.
        signs = out * np.concatenate([np.ones(m), -np.ones(g), np.ones(k - m - g)])
        solved: dict[int, tuple[float, Figures, Figures]] = {}
        for o in range(n) if only is None else only:
            own = self.scaled[o]
            for row, (figure, sign) in enumerate(zip(own.tolist(), signs, strict=True)):
                program.set_entry(row, row, sign * figure)
                program.set_entry(row, k, -figure)
            answer = (
                program.solve(where[o], without=o) if beyond else program.solve(where[o], start=o)
            )
            if answer is None:
                solved[o] = np.nan, np.full(k, np.nan), np.zeros(n)
                continue
            z, weights = answer
            t = z[k]
            score = t - out * z[:m].mean()
            # Rounding may leave 1 by its last digit, the model can't.
            score = max(score, 1.0) if beyond else min(score, 1.0)
            solved[o] = score, z[:k] / t, weights / t * self.sizes[o] / self.sizes
        return solved

    def _program(self, *, beyond: bool) -> Program:
        n, k = self.scaled.shape
        m, g, b = self.widths
        out = -1.0 if beyond else 1.0
        variable = self.returns == "variable"
        rows = k + 1 + variable
        pool = np.zeros((rows, n))
        pool[:k] = self.scaled.T
        matrix = np.zeros((rows, k + 1))
        # These k + k entries are each unit's own; ones hold their places.
        matrix[np.arange(k), np.arange(k)] = 1.0
        matrix[:k, k] = 1.0
        matrix[k, m:k] = out / (g + b)
        matrix[k, k] = 1.0
        if variable:
            pool[k + 1], matrix[k + 1, k] = 1.0, -1.0
        costs = np.zeros(k + 1)
        costs[:m], costs[k] = -out / m, 1.0
        low, high = np.zeros(rows), np.zeros(rows)
        low[k] = high[k] = 1.0
        if beyond:
            low[:m] = low[m + g : k] = -np.inf
            high[m : m + g] = np.inf
        return Program(costs=costs, matrix=matrix, pool=pool, row_low=low, row_high=high)
