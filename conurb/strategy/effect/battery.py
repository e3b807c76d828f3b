"""The robustness battery: every estimator and test of this room, in one call and one table.

What can't be computed for a design (synthetic DID without never treated units, matching without
covariates) stays in the table as a row that says why: a battery never hides a method.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from conurb.errors import InvariantError
from conurb.strategy.effect import callaway, placebo, synthetic
from conurb.strategy.effect.bacon import Bacon, bacon
from conurb.strategy.effect.bootstrap import bootstrap_average
from conurb.strategy.effect.callaway import Average, group_times
from conurb.strategy.effect.estimate import Estimate, Series
from conurb.strategy.effect.honest import Honest, breakdown, smoothness
from conurb.strategy.effect.imputation import impute
from conurb.strategy.effect.matching import Kind, match
from conurb.strategy.effect.placebo import Placebo, Shifted
from conurb.strategy.effect.relative import Relative, relative_magnitudes
from conurb.strategy.effect.robustness import LeaveOneOut, leave_one_out, winsorise
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.sunab import sun_abraham
from conurb.strategy.effect.table import PLAIN, Battery, Settings, Table
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import EventStudy, event_study, twfe
from conurb.strategy.effect.wild import wild_bootstrap
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning


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
    table = Table(settings)
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
        bounded = table.run("HonestDiD", partial(_cohort_wise_path, study))
        honest = _honest(table, bounded) if bounded else ()
        relative = _relative(table, bounded, generator) if bounded else ()
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
        relative,
        space,
        mixed,
        shifted,
        small,
        left_out,
        tuple(doubts),
    )


def _regressions(table: Table, study: Study, generator: np.random.Generator) -> EventStudy | None:
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


def _callaway(table: Table, study: Study, generator: np.random.Generator) -> Average | None:
    """Run Callaway-Sant'Anna against both comparisons; give the main dynamic average."""
    settings = table.settings
    main: Average | None = None
    kinds: tuple[callaway.Comparison, ...] = ("never", "not yet")
    for comparison in kinds:
        name = f"Callaway-Sant'Anna, {comparison} treated"
        effects = table.run(name, partial(group_times, study, comparison=comparison))
        if effects is None:
            continue
        if not study.mask.all():
            gaps = table.run(f"{name}, by pairs", partial(_pairwise, study, comparison))
            if gaps is not None:
                table.rows.append(gaps)
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


def _pairwise(study: Study, comparison: callaway.Comparison) -> Estimate:
    """Average simply, each comparison with the units that have figures for it."""
    found = callaway.simple(group_times(study, comparison=comparison, pairwise=True)).overall
    return replace(found, method=f"{found.method}, by pairs")


def _others(
    table: Table, study: Study, bare: Study, generator: np.random.Generator
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
    table.add("synthetic DID", partial(_synthetic, bare, generator, settings))
    kinds: tuple[Kind, ...] = ("nearest", "kernel")
    for kind in kinds:
        table.add(
            f"PSM-DID, {kind}",
            partial(_matched, study, kind, settings.level),
        )
    return tuple(paths)


def _synthetic(study: Study, generator: np.random.Generator, settings: Settings) -> Estimate:
    """Estimate with the placebo variance where there are comparison units enough for it."""
    enough = study.never.sum() > (~study.never).sum()
    return synthetic.synthetic(
        study,
        variance="placebo" if enough else "jackknife",
        generator=generator,
        draws=settings.synthetic_draws,
        level=settings.level,
    )


def _matched(study: Study, kind: Kind, level: float) -> Estimate:
    return match(study, kind=kind, level=level).overall


def _bacon_row(table: Table, found: Bacon, study: Study) -> Estimate:
    kinds = ("treated vs never", "earlier vs later", "later vs earlier")
    notes = [
        f"{kind}: weight {found.share(kind):.3f}, mean {found.mean(kind):.4g}"
        for kind in kinds
        if found.share(kind)
    ]
    return table.row("Bacon decomposition", estimate=found.coefficient, notes=notes, like=study)


def _cohort_wise_path(study: Study) -> Series:
    """Give the path that HonestDiD bounds: Callaway-Sant'Anna's, all against the year before.

    The regression's own path mixes cohorts, so that its leads aren't the trends before treatment.
    """
    comparison: callaway.Comparison = "never" if study.never.any() else "not yet"
    effects = group_times(study, comparison=comparison, base="universal")
    parts = callaway.dynamic(effects).parts
    if parts is None:
        raise InvariantError("A dynamic average has no parts")
    return parts


def _honest(table: Table, series: Series) -> tuple[Honest, ...]:
    """Bound the first year's effect; bends come in standard errors of that effect."""
    level = table.settings.level

    def compute() -> tuple[tuple[Honest, ...], float]:
        unit = float(series.standard_errors[series.points.index(0)])
        bends = [bend * unit for bend in table.settings.bends]
        return smoothness(series, bends, level=level), breakdown(series, level=level)

    found = table.run("HonestDiD, smoothness", compute)
    if found is None:
        return ()
    bounds, limit = found
    for bound in bounds:
        row = table.row(
            f"HonestDiD, smoothness, M = {bound.bend:.4g}",
            estimate=bound.centre,
            error=bound.standard_error,
            notes=(
                "year 0 of Callaway-Sant'Anna",
                f"worst bias {bound.bias_max:.4g}; breakdown M {limit:.4g}",
            ),
        )
        table.rows.append(replace(row, low=bound.low, high=bound.high))
    return bounds


def _relative(table: Table, series: Series, generator: np.random.Generator) -> tuple[Relative, ...]:
    """Bound the first year's effect by the steps before treatment."""
    compute = partial(
        relative_magnitudes,
        series,
        table.settings.factors,
        generator=generator,
        level=table.settings.level,
    )
    bounds = table.run("HonestDiD, relative magnitudes", compute)
    for bound in bounds or ():
        row = table.row(
            f"HonestDiD, relative magnitudes, factor {bound.factor:g}",
            estimate=bound.estimate,
            notes=("year 0 of Callaway-Sant'Anna; least favourable test",),
        )
        table.rows.append(replace(row, low=bound.low, high=bound.high))
    return bounds or ()


def _placebos(
    table: Table, study: Study, bare: Study, generator: np.random.Generator
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


def _perturbed(table: Table, study: Study) -> LeaveOneOut | None:
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
    table: Table,
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
        effects = group_times(study(), pairwise=True)
        found = callaway.simple(effects, level=table.settings.level).overall
        return replace(found, method=f"{found.method}, {name}")

    table.add(f"TWFE, {name}", static)
    table.add(f"Callaway-Sant'Anna, {name}", averaged)
