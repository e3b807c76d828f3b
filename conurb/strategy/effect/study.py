"""A study: one outcome, one treatment, lined up as arrays for the estimators.

Everything wrong with a design is said here, once, with names: units treated from the start, cohorts
of one unit, no unit left to compare with. Estimators then only compute.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.linear import CLUSTERS_FEW, Flags, Indices
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.warning import StrategyWarning

NAMED_MAX = 5
"""How many units a warning names before it only counts the others."""


def name_units(units: Sequence[str]) -> str:
    """Name the first units and count the others."""
    more = len(units) - NAMED_MAX
    named = ", ".join(units[:NAMED_MAX])
    return f"{named} and {more} more" if more > 0 else named


@dataclass(frozen=True, slots=True)
class Study:
    """Outcome [N x T], position of the first treated year [N], covariates [N x T x K].

    `first` counts positions in `years`; T means never treated within these years. Cells without
    an outcome are NaN. `clusters` [N] number the groups within which errors may be correlated.
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    outcome_name: str
    treatment_name: str
    outcome: Figures
    first: Indices
    covariate_names: tuple[str, ...]
    covariates: Figures
    clusters: Indices
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        panel: Panel,
        outcome: str,
        treatment: Treatment,
        *,
        covariates: Sequence[str] = (),
        clusters: str | None = None,
    ) -> Self:
        """Line a panel up with a treatment.

        `covariates` name columns; `clusters` a column that is constant by unit (each unit is its
        own cluster, when not given). Units treated in the first year or before have no year to
        compare with and are left out, with a warning. Raises InputError when the treatment names
        units that the panel hasn't, when nobody is treated within its years, or when nobody is
        left to compare with.
        """
        unknown = sorted(set(treatment.first) - set(panel.units))
        if unknown:
            raise InputError(f"Treated units that the panel hasn't: {name_units(unknown)}")
        years = np.array(panel.years)
        given = np.array([treatment.first.get(u, math.inf) for u in panel.units], dtype=np.float64)
        first = np.searchsorted(years, given).astype(np.int64)
        always = first == 0
        notes: list[str] = []
        if always.any():
            who = [u for u, flag in zip(panel.units, always, strict=True) if flag]
            notes.append(
                f"left out, treated from the first year ({panel.years[0]}) on: {name_units(who)}"
            )
        stack = [panel.get(name) for name in covariates]
        cube = np.stack(stack, axis=2) if stack else np.empty((*panel.shape, 0))
        gaps = np.isnan(panel.get(outcome)) | np.isnan(cube).any(axis=2)
        empty = np.asarray(gaps.all(axis=1))
        if empty.any():
            who = [u for u, flag in zip(panel.units, empty, strict=True) if flag]
            notes.append(f"left out, no figure in any year: {name_units(who)}")
        kept = np.asarray(~always & ~empty)
        numbers = np.arange(len(panel.units)) if clusters is None else _number(panel, clusters)
        study = cls(
            tuple(u for u, flag in zip(panel.units, kept, strict=True) if flag),
            panel.years,
            outcome,
            treatment.name,
            panel.get(outcome)[kept],
            first[kept],
            tuple(covariates),
            cube[kept],
            np.unique(numbers[kept], return_inverse=True)[1],
        )
        study.check()
        notes.extend(study.doubts())
        for note in notes:
            warnings.warn(f"{outcome}: {note}", StrategyWarning, stacklevel=2)
        return replace(study, notes=tuple(notes))

    @property
    def mask(self) -> Flags:
        """Tell which cells [N x T] have an outcome and every covariate."""
        return ~np.isnan(self.outcome) & ~np.isnan(self.covariates).any(axis=2)

    @property
    def status(self) -> Flags:
        """Tell which cells [N x T] are treated."""
        return np.asarray(np.arange(len(self.years)) >= self.first[:, None])

    @property
    def never(self) -> Flags:
        """Tell which units [N] are never treated within the years."""
        return np.asarray(self.first == len(self.years))

    @property
    def cohorts(self) -> Indices:
        """Give the positions of first treated years, ascending."""
        return np.unique(self.first[~self.never])

    def check(self) -> None:
        """Raise InputError when nothing can be compared."""
        if self.never.all():
            raise InputError(
                f"No unit of {len(self.units)} begins {self.treatment_name} within "
                f"{self.years[0]}..{self.years[-1]}"
            )
        if len(self.cohorts) == 1 and not self.never.any():
            raise InputError(
                f"All {len(self.units)} units begin {self.treatment_name} at once, in "
                f"{self.years[self.cohorts[0]]}, and none is never treated: nothing to compare with"
            )

    def doubts(self) -> list[str]:
        """Name what is weak about the design: small cohorts, one cohort, no never-treated."""
        doubts = []
        for cohort in self.cohorts:
            who = [self.units[i] for i in np.flatnonzero(self.first == cohort)]
            if len(who) < CLUSTERS_FEW:
                doubts.append(
                    f"cohort {self.years[cohort]} has {len(who)} "
                    f"{'unit' if len(who) == 1 else 'units'} ({name_units(who)}): its clustered "
                    "standard error isn't to be trusted, use randomisation inference"
                )
        if len(self.cohorts) == 1:
            doubts.append(
                f"one cohort only ({self.years[self.cohorts[0]]}): what else happened in that "
                "year can't be told from the treatment"
            )
        if not self.never.any():
            doubts.append("no unit is never treated: comparisons end when the last cohort begins")
        return doubts

    def take(self, kept: Flags) -> Study:
        """Give the study of some units [N]."""
        return replace(
            self,
            units=tuple(u for u, flag in zip(self.units, kept, strict=True) if flag),
            outcome=self.outcome[kept],
            first=self.first[kept],
            covariates=self.covariates[kept],
            clusters=np.unique(self.clusters[kept], return_inverse=True)[1],
        )

    def until(self, stop: int) -> Study:
        """Give the study of the years before position `stop`; later cohorts are never treated."""
        return replace(
            self,
            years=self.years[:stop],
            outcome=self.outcome[:, :stop],
            first=np.minimum(self.first, stop),
            covariates=self.covariates[:, :stop],
        )

    def balanced(self) -> Study:
        """Give the study of the units without gaps; warn with the names of those left out."""
        whole: Flags = np.asarray(self.mask.all(axis=1))
        if whole.all():
            return self
        who = [u for u, flag in zip(self.units, whole, strict=True) if not flag]
        note = f"left out for missing years: {len(who)} of {len(whole)} units ({name_units(who)})"
        if not whole.any():
            raise InputError(f"{self.outcome_name}: no unit has a figure in every year")
        warnings.warn(f"{self.outcome_name}: {note}", StrategyWarning, stacklevel=2)
        study = replace(self.take(whole), notes=(*self.notes, note))
        study.check()
        return study


def _number(panel: Panel, column: str) -> Indices:
    """Number units by a column that is constant over years."""
    figures = panel.get_complete(column)
    changing = (figures != figures[:, :1]).any(axis=1)
    if changing.any():
        who = panel.units[int(np.argmax(changing))]
        raise InputError(f"Clusters {column!r} must be constant by unit; that of {who} changes")
    return np.asarray(np.unique(figures[:, 0], return_inverse=True)[1], dtype=np.int64)
