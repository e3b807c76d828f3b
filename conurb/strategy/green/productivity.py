"""Green productivity over years: Malmquist-Luenberger and its global form, decomposed.

With D^s(t) the directional distance of a unit's figures of year t against the frontier of year s
(`directional`; direction: its own goods and bads of year t), and D^G against one frontier of all
years:

    ML  = { [1+D^t(t)] / [1+D^t(t+1)] * [1+D^t+1(t)] / [1+D^t+1(t+1)] } ^ 1/2
    EFF = [1+D^t(t)] / [1+D^t+1(t+1)]        TECH = ML / EFF
    GML = [1+D^G(t)] / [1+D^G(t+1)]          TECH = GML / EFF

Above 1 is better. ML: Chung, Färe and Grosskopf 1997. GML: Oh 2010, Journal of
Productivity Analysis 34:183-197; it is circular (years chain) and always has a
solution, which ML hasn't. `measure="sbm"` takes the slack-based score rho in place of 1 / (1 + D),
the global Malmquist index of Pastor and Lovell 2005 (Economics Letters 88:266-271) on SBM.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.green.directional import (
    Direction,
    Disposal,
    Technology,
    check_directional,
    directional,
    names_of,
    steps,
)
from conurb.strategy.green.production import Production
from conurb.strategy.green.sbm import Returns, check_choice, sbm
from conurb.strategy.panel import Figures, name_cells
from conurb.strategy.warning import StrategyWarning

Measure: TypeAlias = Literal["directional", "sbm"]


@dataclass(frozen=True, slots=True)
class Productivity:
    """Change of productivity from each year to the next, [N x (T - 1)] each.

    `index` = `efficiency_change` x `technical_change`; column t is the change from years[t] to
    years[t + 1]. NaN where a frontier can't be reached (warned of, by name).
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    index: Figures
    efficiency_change: Figures
    technical_change: Figures

    @property
    def cumulative(self) -> Figures:
        """Give the index since the first year [N x T], 1 in the first; NaN from a gap on."""
        ones = np.ones((len(self.units), 1))
        return np.concatenate([ones, np.cumprod(self.index, axis=1)], axis=1)


def malmquist_luenberger(
    production: Production,
    *,
    returns: Returns = "constant",
    disposal: Disposal = "weak",
    direction: Direction = "outputs",
) -> Productivity:
    """Measure the Malmquist-Luenberger index between adjacent years, decomposed.

    Raises InputError for fewer than two years; a StrategyWarning names the observations that the
    neighbouring year's frontier can't measure (their index is NaN, never left out of a mean in
    silence). Source: Chung et al. 1997.
    """
    check_choice("returns", returns, ("constant", "variable"))
    check_choice("disposal", disposal, ("weak", "strong"))
    check_directional(production, direction)
    _check_years(production)
    figures, step = production.stacked, steps(production, direction)
    n, t, _ = figures.shape
    production.warn_when_few(n)
    own, ahead, behind = (np.full((n, t), np.nan) for _ in range(3))
    # ahead[:, s]: figures of year s + 1 against the frontier of s; behind[:, s]: of s - 1.
    for year in range(t):
        technology = Technology(
            figures[:, year], production.widths, returns=returns, disposal=disposal
        )
        for offset, into in ((0, own), (1, ahead), (-1, behind)):
            seen = year + offset
            if not 0 <= seen < t:
                continue
            for i, what in enumerate(names_of(production, seen)):
                into[i, year] = technology.measure(
                    figures[i, seen], step[i, seen], what, own_place=i if offset == 0 else None
                )
    with np.errstate(invalid="ignore", divide="ignore"):
        efficiency = (1 + own[:, :-1]) / (1 + own[:, 1:])
        ratio = (1 + behind[:, 1:]) * (1 + own[:, 1:])
        against = (1 + own[:, :-1]) * (1 + ahead[:, :-1])
        meaning = (1 + behind[:, 1:] > 0) & (1 + ahead[:, :-1] > 0)
        technical = np.where(meaning, np.sqrt(ratio / against), np.nan)
    return _finish(production, efficiency * technical, efficiency)


def global_malmquist_luenberger(
    production: Production,
    *,
    measure: Measure = "directional",
    returns: Returns = "constant",
    disposal: Disposal = "weak",
    direction: Direction = "outputs",
) -> Productivity:
    """Measure the global Malmquist-Luenberger index between adjacent years, decomposed.

    `disposal` and `direction` are those of the directional distance; `measure="sbm"` uses
    slack-based scores, in which bads are strongly disposable. Raises InputError for fewer than
    two years. Source: Oh 2010.
    """
    check_choice("measure", measure, ("directional", "sbm"))
    _check_years(production)
    if measure == "sbm":
        within, across = (
            1 / sbm(production, returns=returns, frontier=of).score for of in ("year", "all")
        )
    else:
        within, across = (
            1
            + directional(
                production, returns=returns, frontier=of, disposal=disposal, direction=direction
            ).value
            for of in ("year", "all")
        )
    index = across[:, :-1] / across[:, 1:]
    return _finish(production, index, within[:, :-1] / within[:, 1:])


def _check_years(production: Production) -> None:
    if len(production.years) < 2:
        raise InputError(
            f"A change of productivity needs two years or more, not {list(production.years)}"
        )


def _finish(production: Production, index: Figures, efficiency: Figures) -> Productivity:
    lost = ~np.isfinite(index)
    if lost.any():
        periods = production.years[:-1]
        warnings.warn(
            "A neighbouring year's frontier can't measure the change from "
            f"{name_cells(production.units, periods, lost)}: {lost.sum()} of {lost.size} are NaN; "
            "the global index has none",
            StrategyWarning,
            stacklevel=3,
        )
    return Productivity(production.units, production.years, index, efficiency, index / efficiency)
