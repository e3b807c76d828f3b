"""Intensity: energy or carbon per unit of output, and how fast it changes.

Emissions over real GDP say what a unit of output costs the air; over energy, how dirty the energy
is. Nothing but a division, with the refusals that a division needs.
"""

from __future__ import annotations

import numpy as np

from conurb.errors import InputError
from conurb.strategy.panel import Figures, Panel, name_cells


def intensity(panel: Panel, numerator: str, denominator: str) -> Figures:
    """Give numerator / denominator [N x T], in their units of measure; NaN where either lacks.

    Raises InputError that names the cells where the denominator isn't positive or the numerator is
    negative. For comparisons over years the denominator should be in constant prices.
    """
    above, below = panel.get(numerator), panel.get(denominator)
    for name, wrong, what in (
        (denominator, below <= 0, "isn't positive"),
        (numerator, above < 0, "is negative"),
    ):
        if wrong.any():
            raise InputError(f"{name!r} {what} for {name_cells(panel.units, panel.years, wrong)}")
    return above / below


def measure_of(panel: Panel, numerator: str, denominator: str) -> str | None:
    """Give the unit of measure of an intensity ("t/CNY"), None when one isn't known."""
    above, below = panel.measures.get(numerator), panel.measures.get(denominator)
    return None if above is None or below is None else f"{above}/{below}"


def yearly_change(panel: Panel, figures: Figures) -> Figures:
    """Give the change per year [N x (T - 1)], as a share: (b / a) ** (1 / years apart) - 1.

    NaN where a figure lacks. Raises InputError where a figure isn't positive.
    """
    if (figures <= 0).any():
        where = name_cells(panel.units, panel.years, figures <= 0)
        raise InputError(f"A yearly change needs positive figures; not so for {where}")
    apart = np.diff(np.array(panel.years, dtype=np.float64))
    return np.exp(np.diff(np.log(figures), axis=1) / apart) - 1
