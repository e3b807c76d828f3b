"""Placebos: would we have found the same where, or when, there was no treatment?

In space: treatment goes to units drawn at random, cohort sizes kept; that is at once randomisation
inference (Fisher's sharp null), the honest test where a cohort is one or a few units. In time:
treatment begins some years too early, and treated years are cut away. Mixed: random units and
random years. All draws of one kind are one pass of `reassign`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import Estimate, two_sided
from conurb.strategy.effect.reassign import BLOCK_CELLS, Reassignment
from conurb.strategy.effect.study import Study, name_units
from conurb.strategy.linear import CLUSTERS_FEW, Indices
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning

Statistic: TypeAlias = Literal["TWFE", "Callaway-Sant'Anna"]

DRAWS = 500
DRAWS_MAX = 1_000_000
TIE = 1e-9
"""Estimates closer than this (relative) are as large as each other."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The estimate beside those of placebo treatments [B].

    `p_value` is the share of treatments, the true one included, whose estimate is at least as far
    from zero. `exact` tells that every possible assignment was taken.
    """

    method: str
    estimate: float
    draws: Figures
    p_value: float
    exact: bool
    n_units: int
    n_observations: int
    notes: tuple[str, ...] = ()

    def as_estimate(self) -> Estimate:
        """Give the row of a table: the estimate with the permutation's p, no standard error."""
        kind = "exact" if self.exact else f"{len(self.draws)} draws"
        nan = math.nan
        return Estimate(
            f"{self.method} ({kind})",
            self.estimate,
            nan,
            nan,
            nan,
            self.p_value,
            self.n_units,
            self.n_observations,
            notes=self.notes,
        )


@dataclass(frozen=True, slots=True)
class Shifted:
    """A placebo in time: treatment `years` early, with its clustered error and p."""

    years: int
    estimate: float
    standard_error: float
    p_value: float


def in_space(
    study: Study,
    *,
    generator: np.random.Generator,
    draws: int = DRAWS,
    statistic: Statistic = "TWFE",
) -> Placebo:
    """Reassign treatment over all units at random, keeping the size of cohorts.

    With one treated unit every assignment is taken and p is exact. The statistic is the static
    coefficient, or the simple average of Callaway and Sant'Anna against the never treated (which
    needs a balanced panel and takes no covariates). Under the sharp null p is valid however small
    the cohorts are, provided that assignment was as good as random.
    """
    _check_draws(draws)
    used = study if statistic == "TWFE" else study.balanced()
    treated = np.flatnonzero(~used.never)
    n = len(used.units)
    exact = len(treated) == 1
    units = np.arange(n)[:, None] if exact else _draw_units(generator, draws, n=n, k=len(treated))
    starts = np.broadcast_to(used.first[treated], units.shape)
    if statistic == "TWFE":
        tables = Reassignment.of(used)
        true, _ = tables.estimates(treated[None], used.first[treated][None])
        values, _ = tables.estimates(units, starts)
    else:
        true = simple_of(used, treated[None])
        values = simple_of(used, units)
    return _placebo(f"placebo in space, {statistic}", used, float(true[0]), values, exact)


def mixed(study: Study, *, generator: np.random.Generator, draws: int = DRAWS) -> Placebo:
    """Give treatment to random units from random years on, as many as are treated."""
    _check_draws(draws)
    treated = np.flatnonzero(~study.never)
    units = _draw_units(generator, draws, n=len(study.units), k=len(treated))
    starts = generator.integers(1, len(study.years), size=units.shape)
    tables = Reassignment.of(study)
    true, _ = tables.estimates(treated[None], study.first[treated][None])
    values, _ = tables.estimates(units, starts)
    return _placebo("placebo in space and time, TWFE", study, float(true[0]), values, False)


def in_time(study: Study, shifts: Sequence[int] = (1, 2, 3)) -> tuple[Shifted, ...]:
    """Let treatment begin some years (positions) early, on untreated cells only.

    An effect before treatment speaks against parallel trends, or for anticipation. A unit whose
    shifted start falls before its second year says nothing, and is named in a warning when that
    leaves nobody.
    """
    if not shifts or min(shifts) < 1:
        raise InputError(f"Shifts are years from 1 on, not {list(shifts)}")
    treated = np.flatnonzero(~study.never)
    usable = []
    for shift in shifts:
        if (study.first[treated] - shift >= 1).any():
            usable.append(shift)
        else:
            warnings.warn(
                f"{study.outcome_name}: no placebo {shift} years early, no treated unit has as "
                "many years before treatment",
                StrategyWarning,
                stacklevel=2,
            )
    if not usable:
        return ()
    tables = Reassignment.of(study, mask=~study.status)
    starts = np.maximum(study.first[treated][None] - np.array(usable)[:, None], 0)
    units = np.broadcast_to(treated, starts.shape)
    values, errors = tables.estimates(units, starts)
    freedom = int(study.clusters.max())
    return tuple(
        Shifted(shift, float(b), float(e), two_sided(b / e if e > 0 else math.nan, freedom))
        for shift, b, e in zip(usable, values, errors, strict=True)
    )


def by_small_cohort(
    study: Study, *, generator: np.random.Generator, draws: int = DRAWS
) -> tuple[Placebo, ...]:
    """Test each cohort of under five units against the never treated by randomisation."""
    found = []
    for g in study.cohorts:
        members = study.first == g
        if members.sum() >= CLUSTERS_FEW or not study.never.any():
            continue
        part = study.take(members | study.never)
        result = in_space(part, generator=generator, draws=draws)
        who = name_units([u for u, flag in zip(study.units, members, strict=True) if flag])
        found.append(
            Placebo(
                f"randomisation inference, cohort {study.years[g]} ({who})",
                result.estimate,
                result.draws,
                result.p_value,
                result.exact,
                result.n_units,
                result.n_observations,
                (f"against {int(study.never.sum())} never treated",),
            )
        )
    return tuple(found)


def simple_of(study: Study, units: Indices) -> Figures:
    """Give Callaway and Sant'Anna's simple average [B] for B sets of treated units [B x K].

    Slot k of a set takes the cohort of the study's k-th treated unit; the comparison are the units
    outside of the set. Needs a balanced study with never treated units.
    """
    if not study.never.any():
        raise InputError("Reassigning cohorts needs never treated units to compare with")
    starts = study.first[~study.never]
    y = study.outcome
    total = y.sum(axis=0)
    size = max(1, BLOCK_CELLS // (units.shape[1] * y.shape[1]))
    values = []
    for b in range(0, len(units), size):
        drawn = y[units[b : b + size]]
        control = (total - drawn.sum(axis=1)) / (len(y) - units.shape[1])
        weighted, weight = np.zeros(len(drawn)), 0.0
        for g in np.unique(starts):
            gap = drawn[:, starts == g].mean(axis=1) - control
            members = float((starts == g).sum())
            weighted += members * (gap[:, g:] - gap[:, g - 1 : g]).sum(axis=1)
            weight += members * (y.shape[1] - g)
        values.append(weighted / weight)
    return np.concatenate(values)


def _draw_units(generator: np.random.Generator, draws: int, *, n: int, k: int) -> Indices:
    """Draw k of n units without repeats, draws times: [draws x k]."""
    size = max(1, BLOCK_CELLS // n)
    found = []
    for done in range(0, draws, size):
        keys = generator.random((min(size, draws - done), n))
        chosen = np.argpartition(keys, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(keys, chosen, axis=1), axis=1)
        found.append(np.take_along_axis(chosen, order, axis=1))
    return np.concatenate(found)


def _placebo(method: str, study: Study, true: float, values: Figures, exact: bool) -> Placebo:
    if math.isnan(true):
        raise InputError(f"{method}: the true treatment has no coefficient")
    known = values[~np.isnan(values)]
    bound = abs(true) * (1 - TIE)
    hits = int((np.abs(known) >= bound).sum())
    p_value = hits / len(known) if exact else (1 + hits) / (1 + len(known))
    return Placebo(
        method,
        true,
        known,
        p_value,
        exact,
        len(study.units),
        int(study.mask.sum()),
    )


def _check_draws(draws: int) -> None:
    if not 1 <= draws <= DRAWS_MAX:
        raise InputError(f"Draws are between 1 and {DRAWS_MAX}, not {draws}")
