"""The effect of a policy: the main estimate, its event study, and what tries to break it.

The reading is decided here by rules, before any words: an effect is said to be found only where the
interval of the main estimate excludes zero, units drawn at random don't do as well, and trends
before treatment don't differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.battery import battery
from conurb.strategy.effect.callaway import dynamic, group_times
from conurb.strategy.effect.estimate import Estimate, Series
from conurb.strategy.effect.placebo import Placebo, in_space
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.table import PLAIN, Battery, Settings
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import EventStudy, event_study
from conurb.strategy.linear import CLUSTERS_FEW
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

Reading: TypeAlias = Literal["none", "doubtful", "found"]

LEVEL: Final = 0.05
YEARS: Final = range(2000, 2020)
"""The years before the pandemic, in which the shipped figures are compared."""
SEED: Final = 1
MAIN: Final = "Callaway-Sant'Anna, {} treated: simple"


@dataclass(frozen=True, slots=True)
class Policy:
    """One outcome, one treatment, and the whole battery; `main` is the estimate to be read first.

    `reading`: "none" when the interval of `main` holds zero, "doubtful" when it doesn't but a
    placebo or the trends before treatment speak against it, else "found".
    """

    outcome: str
    years: tuple[int, ...]
    treatment: Treatment
    battery: Battery
    main: Estimate
    placebo: Placebo | None
    reading: Reading

    @property
    def placebo_p(self) -> float | None:
        """Give the p of units drawn at random, None where it can't be computed."""
        return None if self.placebo is None else self.placebo.p_value

    @property
    def pretrend_p(self) -> float | None:
        """Give the p of the joint test of the years before treatment."""
        events = self.battery.event_study
        return None if events is None or events.pretrend is None else events.pretrend.p_value


def study_policy(
    panel: Panel,
    outcome: str,
    treatment: Treatment,
    *,
    years: Sequence[int] | None = YEARS,
    covariates: Sequence[str] = (),
    seed: int = SEED,
    settings: Settings = PLAIN,
) -> Policy:
    """Run the battery on an outcome and decide how its main estimate is to be read.

    `years` are those of the panel that count (all, when None). Errors as in `battery`.
    """
    chosen = panel
    if years is not None:
        chosen = panel.select(years=[year for year in panel.years if year in set(years)])
    with warnings.catch_warnings():
        # The battery carries its warnings, and the report prints them.
        warnings.simplefilter("ignore", StrategyWarning)
        found = battery(
            chosen,
            outcome,
            treatment,
            generator=np.random.default_rng(seed),
            covariates=covariates,
            settings=settings,
        )
        placebo = _placebo(chosen, outcome, treatment, seed, settings.draws) or found.in_space
    main = _main(found)
    reading = _read(found, main, placebo)
    return Policy(outcome, chosen.years, treatment, found, main, placebo, reading)


def event_paths(
    panel: Panel, outcome: str, treatment: Treatment
) -> tuple[EventStudy, Series | None]:
    """Give the event study by regression, and Callaway and Sant'Anna's path where it can be had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        study = Study.of(panel, outcome, treatment)
        events = event_study(study)
        try:
            effects = group_times(
                study,
                comparison="never" if study.never.any() else "not yet",
                pairwise=not study.mask.all(),
            )
        except InputError:
            return events, None
    return events, dynamic(effects).parts


def small_cohorts(policy: Policy) -> dict[int, tuple[str, ...]]:
    """Name the cohorts that are too small for clustered errors, with their units."""
    return {
        year: units
        for year, units in policy.treatment.cohorts().items()
        if len(units) < CLUSTERS_FEW and year in policy.years
    }


def _main(found: Battery) -> Estimate:
    """Give Callaway and Sant'Anna's simple average, over all units where a panel has gaps."""
    names = {row.method: row for row in found.rows}
    for comparison in ("never", "not yet"):
        name = MAIN.format(comparison)
        for one in (f"{name}, by pairs", name):
            if one in names:
                return names[one]
    if "TWFE" in names:
        return names["TWFE"]
    raise InputError(f"{found.outcome}: no estimate of {found.treatment} could be computed")


def _placebo(
    panel: Panel, outcome: str, treatment: Treatment, seed: int, draws: int
) -> Placebo | None:
    """Draw placebo units for the main estimate itself; None where the panel has gaps.

    Reassigning over the few units without gaps would test another estimate than the main one.
    """
    study = Study.of(panel, outcome, treatment)
    if not study.mask.all() or not study.never.any():
        return None
    return in_space(
        study,
        generator=np.random.default_rng(seed),
        draws=draws,
        statistic="Callaway-Sant'Anna",
    )


def _read(found: Battery, main: Estimate, placebo: Placebo | None) -> Reading:
    if not main.p_value < LEVEL:
        return "none"
    against = [] if placebo is None else [placebo.p_value >= LEVEL]
    events = found.event_study
    if events is not None and events.pretrend is not None:
        against.append(events.pretrend.p_value < LEVEL)
    return "doubtful" if any(against) else "found"
