"""Decoupling of a pressure (emissions, energy) from a driver (GDP), after Tapio.

    e = (dP / P) / (dG / G)    over a span of years

and eight states by the signs of dP, dG and by e against 0.8 and 1.2:

    dG > 0:  dP < 0        strong decoupling          dG < 0:  dP > 0        strong negative
             e < 0.8       weak decoupling                     e < 0.8       weak negative
             0.8 to 1.2    expansive coupling                  0.8 to 1.2    recessive coupling
             e > 1.2       expansive negative                  e > 1.2       recessive decoupling

Source: Tapio 2005, Transport Policy 12:137-151.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures, Panel, name_cells
from conurb.strategy.warning import StrategyWarning

COUPLED_MIN: Final = 0.8
COUPLED_MAX: Final = 1.2


class State(Enum):
    """Tapio's eight states, and two where he has none."""

    STRONG_DECOUPLING = "strong decoupling"
    WEAK_DECOUPLING = "weak decoupling"
    EXPANSIVE_COUPLING = "expansive coupling"
    EXPANSIVE_NEGATIVE_DECOUPLING = "expansive negative decoupling"
    STRONG_NEGATIVE_DECOUPLING = "strong negative decoupling"
    WEAK_NEGATIVE_DECOUPLING = "weak negative decoupling"
    RECESSIVE_COUPLING = "recessive coupling"
    RECESSIVE_DECOUPLING = "recessive decoupling"
    UNDEFINED = "undefined: the driver didn't change"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Decoupling:
    """Elasticities [N x (T - span)] and states, from years[t] to years[t + span]."""

    units: tuple[str, ...]
    years: tuple[int, ...]
    span: int
    elasticity: Figures
    states: tuple[tuple[State, ...], ...]


def classify(pressure: float, driver: float) -> tuple[float, State]:
    """Give elasticity and state of relative changes dP/P and dG/G."""
    if np.isnan(pressure) or np.isnan(driver):
        return np.nan, State.MISSING
    if driver == 0:
        return np.nan, State.UNDEFINED
    e = pressure / driver
    grows = driver > 0
    if e < 0:
        return e, State.STRONG_DECOUPLING if grows else State.STRONG_NEGATIVE_DECOUPLING
    if e < COUPLED_MIN:
        return e, State.WEAK_DECOUPLING if grows else State.WEAK_NEGATIVE_DECOUPLING
    if e <= COUPLED_MAX:
        return e, State.EXPANSIVE_COUPLING if grows else State.RECESSIVE_COUPLING
    return e, State.EXPANSIVE_NEGATIVE_DECOUPLING if grows else State.RECESSIVE_DECOUPLING


def tapio(panel: Panel, pressure: str, driver: str, *, span: int = 1) -> Decoupling:
    """Classify decoupling of two columns over `span` periods of the panel.

    Raises InputError for figures that aren't positive and for a span that the panel hasn't;
    a StrategyWarning names where the driver didn't change, so that e has no value.
    """
    if not 1 <= span < len(panel.years):
        raise InputError(f"span is {span}; the panel has {len(panel.years)} years")
    above, below = panel.get(pressure), panel.get(driver)
    for name, figures in ((pressure, above), (driver, below)):
        if (figures <= 0).any():
            where = name_cells(panel.units, panel.years, figures <= 0)
            raise InputError(f"{name!r} isn't positive for {where}")
    changes = [_relative(figures, span) for figures in (above, below)]
    cells = [
        [classify(float(p), float(g)) for p, g in zip(*rows, strict=True)]
        for rows in zip(*changes, strict=True)
    ]
    states = tuple(tuple(state for _, state in row) for row in cells)
    still = np.array([[state is State.UNDEFINED for state in row] for row in states])
    if still.any():
        warnings.warn(
            f"{driver!r} didn't change from {name_cells(panel.units, panel.years[:-span], still)}",
            StrategyWarning,
            stacklevel=2,
        )
    elasticity = np.array([[e for e, _ in row] for row in cells])
    return Decoupling(panel.units, panel.years, span, elasticity, states)


def _relative(figures: ArrayLike, span: int) -> Figures:
    values = np.asarray(figures, dtype=np.float64)
    return (values[:, span:] - values[:, :-span]) / values[:, :-span]
