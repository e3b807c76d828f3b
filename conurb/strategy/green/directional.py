"""Directional distance: how far goods could grow and bads shrink at once.

For an observation (x, y, b) and a direction (gx, gy, gb) against a technology of observations:

    D(x, y, b; g) = max beta
    s.t.  Y l >= y + beta gy,  B l = b - beta gb,  X (l + u) <= x - beta gx,  l, u >= 0

with u = 0 under constant returns and sum(l + u) = 1 under variable returns. Bads are weakly
disposable: less of them costs goods (Chung, Färe and Grosskopf 1997, Journal of Environmental
Management 51:229-240). Under variable returns that takes a second set of weights u, the
part of each observation that is abated (Kuosmanen 2005, American Journal of Agricultural
Economics 87:1077-1082); one set with sum(l) = 1, as often seen, isn't weak
disposability. `disposal="strong"` takes B l <= b - beta gb instead, and u = 0.

D = 0 on the frontier; negative beyond it, which happens only against a frontier that the
observation isn't part of.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.green.production import Production
from conurb.strategy.green.program import Program
from conurb.strategy.green.sbm import FrontierOf, Returns, check_choice
from conurb.strategy.panel import Figures, name_cells
from conurb.strategy.warning import StrategyWarning

Disposal: TypeAlias = Literal["weak", "strong"]
Direction: TypeAlias = Literal["outputs", "all"]


@dataclass(frozen=True, slots=True)
class Distance:
    """Directional distance of every unit and year [N x T]; NaN where it has no solution."""

    units: tuple[str, ...]
    years: tuple[int, ...]
    returns: Returns
    disposal: Disposal
    direction: Direction
    value: Figures


class Technology:
    """Observations that span a frontier, and the program that measures others against it.

    `figures` [J x k] are inputs, goods and bads side by side. Built once, asked many times.
    """

    def __init__(
        self,
        figures: Figures,
        widths: tuple[int, int, int],
        *,
        returns: Returns,
        disposal: Disposal,
    ) -> None:
        self._widths = widths
        means = figures.mean(axis=0)
        self._means = np.where(means > 0, means, 1.0)
        self._weak = disposal == "weak"
        self._constant = returns == "constant"
        scaled = figures / self._means
        if self._constant:
            # Only directions matter: all observations to one size, for the solver's sake.
            scaled = scaled / scaled.mean(axis=1, keepdims=True)
        m, _, b = widths
        n, k = scaled.shape
        abated = n if self._weak and b and not self._constant else 0
        rows = k + (not self._constant)
        pool = np.zeros((rows, n + abated))
        pool[:k, :n] = scaled.T
        pool[:m, n:] = scaled.T[:m, :abated]
        pool[k:] = 1.0
        # The k entries of beta and the bounds of the rows are each observation's own.
        matrix = np.zeros((rows, 1))
        matrix[:k] = 1.0
        self._program = Program(
            costs=np.array([-1.0]),
            matrix=matrix,
            pool=pool,
            row_low=np.ones(rows),
            row_high=np.ones(rows),
            column_low=np.array([-np.inf]),
        )

    def measure(
        self, figures: Figures, direction: Figures, what: str, *, own_place: int | None = None
    ) -> float:
        """Give D of one observation [k] in a direction [k, not negative]; NaN if there is none.

        `own_place` is where the observation is among those that span the frontier, if it is.
        """
        own, step = figures / self._means, direction / self._means
        if self._constant:
            size = own.mean()
            own, step = own / size, step / size
        m, g, _ = self._widths
        for row, (figure, part) in enumerate(zip(own.tolist(), step.tolist(), strict=True)):
            good = m <= row < m + g
            self._program.set_entry(row, 0, -part if good else part)
            if good:
                self._program.set_row(row, figure, np.inf)
            elif row >= m + g and self._weak:
                self._program.set_row(row, figure, figure)
            else:
                self._program.set_row(row, -np.inf, figure)
        answer = self._program.solve(what, start=own_place)
        return np.nan if answer is None else float(answer[0][0])


def check_directional(production: Production, direction: Direction) -> None:
    """Refuse figures on which a directional distance has no meaning, naming them.

    Each observation needs a good that isn't zero, and each good and each input somebody who has
    it; warns when goods come without any bad, so that weak disposability can't bind (null-
    jointness, Chung et al. 1997).
    """
    check_choice("direction", direction, ("outputs", "all"))
    where = (production.units, production.years)
    idle = ~(production.goods > 0).any(axis=2)
    if idle.any():
        raise InputError(f"Every good output is zero for {name_cells(*where, idle)}")
    free = ~(production.inputs > 0).any(axis=2)
    if free.any():
        raise InputError(f"Every input is zero for {name_cells(*where, free)}")
    unused = [
        name
        for name, column in zip(
            production.names, np.moveaxis(production.stacked, 2, 0), strict=True
        )
        if not column.any()
    ]
    if unused:
        raise InputError(f"Columns are zero everywhere: {unused}")
    clean = ~(production.bads > 0).any(axis=2)
    if production.widths[2] and clean.any():
        warnings.warn(
            f"{name_cells(*where, clean)} has goods without any bad: the frontier then lets "
            "bads vanish at no cost",
            StrategyWarning,
            stacklevel=3,
        )


def steps(production: Production, direction: Direction) -> Figures:
    """Give each observation's direction [N x T x k]: its own goods and bads (and inputs)."""
    figures = production.stacked.copy()
    if direction == "outputs":
        figures[:, :, : production.widths[0]] = 0.0
    return figures


def names_of(production: Production, year: int) -> Sequence[str]:
    """Name the observations of one year, for errors."""
    return [f"{unit} {production.years[year]}" for unit in production.units]


def directional(
    production: Production,
    *,
    returns: Returns = "constant",
    frontier: FrontierOf = "year",
    disposal: Disposal = "weak",
    direction: Direction = "outputs",
) -> Distance:
    """Measure the directional distance of every unit and year; 0 is efficient.

    `direction` "outputs" is each observation's own (0, y, b): goods up and bads down by the same
    share; "all" is (x, y, b), inputs down as well. `frontier` as in `sbm`. Source: Chung et al.
    1997; Kuosmanen 2005 for variable returns.
    """
    check_choice("returns", returns, ("constant", "variable"))
    check_choice("frontier", frontier, ("year", "all"))
    check_choice("disposal", disposal, ("weak", "strong"))
    check_directional(production, direction)
    figures, step = production.stacked, steps(production, direction)
    n, t, k = figures.shape
    production.warn_when_few(n * t if frontier == "all" else n)
    value = np.full((n, t), np.nan)
    technology: Technology | None = None
    for year in range(t):
        if technology is None or frontier == "year":
            spanned = figures.reshape(-1, k) if frontier == "all" else figures[:, year]
            technology = Technology(spanned, production.widths, returns=returns, disposal=disposal)
        for i, what in enumerate(names_of(production, year)):
            place = i * t + year if frontier == "all" else i
            value[i, year] = technology.measure(
                figures[i, year], step[i, year], what, own_place=place
            )
    return Distance(production.units, production.years, returns, disposal, direction, value)
