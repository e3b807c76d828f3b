"""Robustness: the same estimate without one unit, without extreme figures.

Leave-one-out takes any estimator and shows which unit a result hangs on; winsorising pulls figures
beyond two quantiles back to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import Estimate
from conurb.strategy.effect.study import Study
from conurb.strategy.panel import Figures

WINSOR = 0.01
"""Share of figures pulled in at each end when nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Estimates without each of `units` [n], in their order."""

    method: str
    units: tuple[str, ...]
    estimates: Figures

    @property
    def most_telling(self) -> tuple[str, float]:
        """Give the unit whose absence moves the estimate farthest from the median of all."""
        gap = np.abs(self.estimates - np.nanmedian(self.estimates))
        i = int(np.nanargmax(gap))
        return self.units[i], float(self.estimates[i])


def leave_one_out(
    study: Study, estimator: Callable[[Study], Estimate], *, treated_only: bool = False
) -> LeaveOneOut:
    """Estimate without each unit in turn (each treated one, with `treated_only`).

    A unit without which nothing can be compared any more has NaN.
    """
    which = np.flatnonzero(~study.never) if treated_only else np.arange(len(study.units))
    if len(study.units) < 3:
        raise InputError(f"Leaving one out needs three units, there are {len(study.units)}")
    method, values = "", []
    for i in which:
        kept = np.arange(len(study.units)) != i
        try:
            part = study.take(kept)
            part.check()
            found = estimator(part)
        except InputError:
            values.append(np.nan)
            continue
        method = found.method
        values.append(found.estimate)
    return LeaveOneOut(method, tuple(study.units[i] for i in which), np.array(values))


def winsorise(study: Study, share: float = WINSOR) -> Study:
    """Give the study with the outcome pulled in to its `share` and 1 - `share` quantiles."""
    if not 0 < share < 0.5:
        raise InputError(f"A share to winsorise is between 0 and 0.5, not {share}")
    low, high = np.nanquantile(study.outcome, [share, 1 - share])
    return replace(
        study,
        outcome=np.clip(study.outcome, low, high),
        notes=(*study.notes, f"outcome winsorised at {share:g} and {1 - share:g}"),
    )
