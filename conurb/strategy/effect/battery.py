"""The robustness battery: every estimator and test of this room, in one call and one table.

What can't be computed for a design (synthetic DID without never treated units, matching without
covariates) stays in the table as a row that says why: a battery never hides a method.
"""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect import callaway, placebo, synthetic
from conurb.strategy.effect.bacon import Bacon, bacon
from conurb.strategy.effect.bootstrap import bootstrap_average
from conurb.strategy.effect.callaway import Average, group_times
from conurb.strategy.effect.estimate import LEVEL, Estimate, Series
from conurb.strategy.effect.honest import Honest, breakdown, smoothness
from conurb.strategy.effect.imputation import impute
from conurb.strategy.effect.matching import Kind, match
from conurb.strategy.effect.placebo import Placebo, Shifted
from conurb.strategy.effect.robustness import LeaveOneOut, leave_one_out, winsorise
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.sunab import sun_abraham
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import EventStudy, event_study, twfe
from conurb.strategy.effect.wild import wild_bootstrap
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

Got = TypeVar("Got")

COLUMNS = ("method", "estimate", "standard_error", "low", "high", "p", "n_units", "n", "notes")


@dataclass(frozen=True, slots=True)
class Settings:
    """How thorough a battery is: draws of each resampling, and what is tried.

    `bends` are bounds of HonestDiD in standard errors of the first year's effect; `shifts` the
    years by which placebos in time come early; `alternatives` further outcomes of the panel.
    """

    draws: int = placebo.DRAWS
    bootstrap_draws: int = 999
    synthetic_draws: int = synthetic.DRAWS
    shifts: tuple[int, ...] = (1, 2, 3)
    bends: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    winsor: float = 0.01
    alternatives: tuple[str, ...] = ()
    level: float = LEVEL


PLAIN = Settings()


@dataclass(frozen=True, slots=True)
class Battery:
    """The whole answer: one row per method, and what plots are drawn from.

    Parts that can't be computed are None or empty, with the reason in their row. `warnings` are
    the doubts about the design, each once.
    """

    outcome: str
    treatment: str
    rows: tuple[Estimate, ...]
    event_study: EventStudy | None
    dynamic: Average | None
    paths: tuple[Series, ...]
    bacon: Bacon | None
    honest: tuple[Honest, ...]
    in_space: Placebo | None
    mixed: Placebo | None
    in_time: tuple[Shifted, ...]
    small_cohorts: tuple[Placebo, ...]
    leave_one_out: LeaveOneOut | None
    warnings: tuple[str, ...]

    def records(self) -> Iterator[tuple[str | float | int, ...]]:
        """Iterate over the table's rows, in the order of `COLUMNS`."""
        for row in self.rows:
            yield (
                row.method,
                row.estimate,
                row.standard_error,
                row.low,
                row.high,
                row.p_value,
                row.n_units,
                row.n_observations,
                "; ".join(row.notes),
            )

    def to_csv(self) -> str:
        """Give the table as CSV with a header; figures that a method hasn't are empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for record in self.records():
            writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in record])
        return text.getvalue()


class _Table:
    """Rows as they come; what can't be computed becomes a row that says why."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rows: list[Estimate] = []

    def run(self, method: str, compute: Callable[[], Got]) -> Got | None:
        """Compute; an InputError leaves a row and gives None."""
        try:
            return compute()
        except InputError as error:
            self.rows.append(self.row(method, notes=(f"not computable: {error.detail}",)))
            return None

    def add(self, method: str, compute: Callable[[], Estimate]) -> None:
        """Compute one estimate and take it as a row."""
        found = self.run(method, compute)
        if found is not None:
            self.rows.append(found)

    def row(
        self,
        method: str,
        *,
        estimate: float = math.nan,
        error: float = math.nan,
        p_value: float = math.nan,
        notes: Sequence[str] = (),
        like: Study | None = None,
    ) -> Estimate:
        """Make a row of a method that gives only some of the figures."""
        units = 0 if like is None else len(like.units)
        cells = 0 if like is None else int(like.mask.sum())
        nan = math.nan
        level = self.settings.level
        return Estimate(
            method, estimate, error, nan, nan, p_value, units, cells, level, tuple(notes)
        )


def battery(
    panel: Panel,
    outcome: str,
    treatment: Treatment,
    *,
    generator: np.random.Generator,
    covariates: Sequence[str] = (),
    clusters: str | None = None,
    settings: Settings = PLAIN,
) -> Battery:
    """Run every estimator and robustness check on one outcome and one treatment.

    With covariates, Callaway-Sant'Anna is doubly robust and matching is run; methods that take
    none run without. Raises InputError when nothing can be compared at all (see `Study.of`).
    """
    table = _Table(settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StrategyWarning)
        study = Study.of(panel, outcome, treatment, covariates=covariates, clusters=clusters)
        bare = replace(study, covariate_names=(), covariates=study.covariates[..., :0])
        events = _regressions(table, study, generator)
        dynamic = _callaway(table, study, generator)
        paths = _others(table, study, bare, generator)
        found = table.run("Bacon decomposition", lambda: bacon(bare))
        if found is not None:
            table.rows.append(_bacon_row(table, found, bare))
        honest = _honest(table, events)
        placebos = _placebos(table, study, bare, generator)
        left_out = _perturbed(table, study)
        for name in settings.alternatives:
            _alternative(table, panel, name, treatment, covariates=covariates, clusters=clusters)
    doubts = dict.fromkeys(
        str(w.message) for w in caught if issubclass(w.category, StrategyWarning)
    )
    for doubt in doubts:
        warnings.warn(doubt, StrategyWarning, stacklevel=2)
    space, mixed, shifted, small = placebos
    return Battery(
        outcome,
        treatment.name,
        tuple(table.rows),
        events,
        dynamic,
        paths,
        found,
        honest,
        space,
        mixed,
        shifted,
        small,
        left_out,
        tuple(doubts),
    )


def _regressions(table: _Table, study: Study, generator: np.random.Generator) -> EventStudy | None:
    """Run the static regression, its bootstrap, and the event study with its joint test."""
    settings = table.settings
    table.add("TWFE", lambda: twfe(study, level=settings.level))
    table.add(
        "TWFE, wild cluster bootstrap",
        lambda: wild_bootstrap(
            study, generator=generator, draws=settings.bootstrap_draws, level=settings.level
        ),
    )
    events = table.run("event study (TWFE)", lambda: event_study(study, level=settings.level))
    if events is not None and events.pretrend is not None:
        test = events.pretrend
        note = f"F({test.restrictions}, {test.freedom}) = {test.statistic:.4g}"
        table.rows.append(
            table.row("joint pre-trend test", p_value=test.p_value, notes=(note,), like=study)
        )
    return events


def _callaway(table: _Table, study: Study, generator: np.random.Generator) -> Average | None:
    """Run Callaway-Sant'Anna against both comparisons; give the main dynamic average."""
    settings = table.settings
    main: Average | None = None
    kinds: tuple[callaway.Comparison, ...] = ("never", "not yet")
    for comparison in kinds:
        name = f"Callaway-Sant'Anna, {comparison} treated"
        effects = table.run(name, partial(group_times, study, comparison=comparison))
        if effects is None:
            continue
        for average in (callaway.simple, callaway.dynamic, callaway.by_group):
            found = table.run(
                f"{name}: {average.__name__}",
                partial(average, effects, level=settings.level),
            )
            if found is None:
                continue
            table.rows.append(found.overall)
            if average is callaway.dynamic and main is None:
                main = bootstrap_average(
                    found,
                    effects.study.clusters,
                    generator=generator,
                    draws=settings.bootstrap_draws,
                )
                table.rows.append(main.overall)
    return main


def _others(
    table: _Table, study: Study, bare: Study, generator: np.random.Generator
) -> tuple[Series, ...]:
    """Run imputation, Sun-Abraham, synthetic DID and matching; give the paths they draw."""
    settings, paths = table.settings, []
    imputed = table.run("imputation", lambda: impute(bare, level=settings.level))
    if imputed is not None:
        table.rows.append(imputed.overall)
        paths.append(imputed.path)
    cohort_wise = table.run("Sun-Abraham", lambda: sun_abraham(study, level=settings.level))
    if cohort_wise is not None:
        table.rows.append(cohort_wise.overall)
        paths.append(cohort_wise.path)
    table.add(
        "synthetic DID",
        lambda: synthetic.synthetic(
            bare, generator=generator, draws=settings.synthetic_draws, level=settings.level
        ),
    )
    kinds: tuple[Kind, ...] = ("nearest", "kernel")
    for kind in kinds:
        table.add(
            f"PSM-DID, {kind}",
            partial(_matched, study, kind, settings.level),
        )
    return tuple(paths)


def _matched(study: Study, kind: Kind, level: float) -> Estimate:
    return match(study, kind=kind, level=level).overall


def _bacon_row(table: _Table, found: Bacon, study: Study) -> Estimate:
    kinds = ("treated vs never", "earlier vs later", "later vs earlier")
    notes = [
        f"{kind}: weight {found.share(kind):.3f}, mean {found.mean(kind):.4g}"
        for kind in kinds
        if found.share(kind)
    ]
    return table.row("Bacon decomposition", estimate=found.coefficient, notes=notes, like=study)


def _honest(table: _Table, events: EventStudy | None) -> tuple[Honest, ...]:
    """Bound the first year's effect; bends come in standard errors of that effect."""
    if events is None:
        return ()
    series, reference, level = events.series, events.reference, table.settings.level

    def compute() -> tuple[tuple[Honest, ...], float]:
        unit = float(series.standard_errors[series.points.index(0)])
        bends = [bend * unit for bend in table.settings.bends]
        limit = breakdown(series, reference=reference, level=level)
        return smoothness(series, bends, reference=reference, level=level), limit

    found = table.run("HonestDiD, smoothness", compute)
    if found is None:
        return ()
    bounds, limit = found
    for bound in bounds:
        row = table.row(
            f"HonestDiD, smoothness, M = {bound.bend:.4g}",
            estimate=bound.centre,
            error=bound.standard_error,
            notes=(f"year 0; worst bias {bound.bias_max:.4g}; breakdown M {limit:.4g}",),
        )
        table.rows.append(replace(row, low=bound.low, high=bound.high))
    return bounds


def _placebos(
    table: _Table, study: Study, bare: Study, generator: np.random.Generator
) -> tuple[Placebo | None, Placebo | None, tuple[Shifted, ...], tuple[Placebo, ...]]:
    """Run placebos in space, in both, in time, and tests of small cohorts."""
    draws = table.settings.draws
    kinds: tuple[placebo.Statistic, ...] = ("Callaway-Sant'Anna", "TWFE")
    space: Placebo | None = None
    for kind in kinds:
        source = study if kind == "TWFE" else bare
        space = table.run(
            f"placebo in space, {kind}",
            partial(placebo.in_space, source, generator=generator, draws=draws, statistic=kind),
        )
        if space is not None:
            table.rows.append(space.as_estimate())
    mixed = table.run(
        "placebo in space and time, TWFE",
        lambda: placebo.mixed(study, generator=generator, draws=draws),
    )
    if mixed is not None:
        table.rows.append(mixed.as_estimate())
    shifted = (
        table.run("placebo in time", lambda: placebo.in_time(study, table.settings.shifts)) or ()
    )
    for one in shifted:
        name = f"placebo in time, {one.years} early"
        table.rows.append(
            table.row(
                name,
                estimate=one.estimate,
                error=one.standard_error,
                p_value=one.p_value,
                like=study,
            )
        )
    small = placebo.by_small_cohort(study, generator=generator, draws=draws)
    table.rows.extend(one.as_estimate() for one in small)
    return space, mixed, shifted, small


def _perturbed(table: _Table, study: Study) -> LeaveOneOut | None:
    """Leave each unit out of the static estimate, and pull in extreme figures."""
    left_out = table.run("TWFE, leave one out", lambda: leave_one_out(study, twfe))
    if left_out is not None:
        unit, value = left_out.most_telling
        low, high = float(np.nanmin(left_out.estimates)), float(np.nanmax(left_out.estimates))
        row = table.row(
            "TWFE, leave one out",
            estimate=float(np.nanmedian(left_out.estimates)),
            notes=(
                f"median and range over {len(left_out.units)} units",
                f"most telling: {value:.4g} without {unit}",
            ),
            like=study,
        )
        table.rows.append(replace(row, low=low, high=high))
    share = table.settings.winsor
    table.add(
        "TWFE, winsorised",
        lambda: replace(
            twfe(winsorise(study, share), level=table.settings.level),
            method=f"TWFE, winsorised at {share:g}",
        ),
    )
    return left_out


def _alternative(
    table: _Table,
    panel: Panel,
    name: str,
    treatment: Treatment,
    *,
    covariates: Sequence[str],
    clusters: str | None,
) -> None:
    """Add the main estimates of another outcome."""

    def study() -> Study:
        return Study.of(panel, name, treatment, covariates=covariates, clusters=clusters)

    def static() -> Estimate:
        return replace(twfe(study(), level=table.settings.level), method=f"TWFE, {name}")

    def averaged() -> Estimate:
        found = callaway.simple(group_times(study()), level=table.settings.level).overall
        return replace(found, method=f"{found.method}, {name}")

    table.add(f"TWFE, {name}", static)
    table.add(f"Callaway-Sant'Anna, {name}", averaged)
