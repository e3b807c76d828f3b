"""The policy's effect: the estimate, its event study, placebos, and every method beside another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from conurb.strategy.effect.estimate import Estimate, Series
from conurb.strategy.effect.table import Battery
from conurb.strategy.report.charts import (
    Axes,
    Effects,
    Row,
    draw_effects,
    draw_histogram,
    draw_intervals,
)
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.policy import Policy, small_cohorts
from conurb.strategy.report.rows import as_data, main_rows, policy_rows
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.subject import CARBON, CARBON_OTHER, TREATMENT, growth_correlation
from conurb.strategy.report.words import number, p_text, percent

_CALL = """\
from conurb.strategy.report.policy import study_policy
policy = study_policy(region.panel, "{outcome}", region.pilots)  # battery(...) of 2000 to 2019
"""


def tell_policy(asked: Asked, policies: Sequence[Policy], labels: Sequence[str]) -> Section:
    """Tell of a treatment's effect on one outcome by each inventory; the first is the headline."""
    main = policies[0]
    values = {
        "treatment": treatment_name(asked, main),
        "effect": effect_text(main.main),
        "interval": interval_text(main.main),
        "years": f"{main.years[0]}–{main.years[-1]}",
        "treated": len(main.treatment.first),
        "count": len(asked.subject.panel.units),
        "placebo": p_text(main.placebo_p),
    }
    text = [asked.say("policy.what" if _ours(main) else "policy.yours", **values)]
    text.append(asked.say(f"policy.reading_{main.reading}", **values))
    if main.pretrend_p is not None:
        key = "policy.pretrend_bad" if main.pretrend_p < 0.05 else "policy.pretrend_good"
        text.append(asked.say(key, p=p_text(main.pretrend_p)))
    if len(policies) > 1:
        correlation, pairs = growth_correlation(asked.subject.panel, CARBON, CARBON_OTHER)
        text.append(
            asked.say(
                "policy.both",
                effect=effect_text(policies[1].main),
                interval=interval_text(policies[1].main),
                correlation=number(correlation, 2),
                pairs=pairs,
            )
        )
    alone = _alone(asked, main)
    if alone is not None:
        text.append(asked.say("policy.far", alone=alone[0], first=alone[1]))
    exhibits = [_main_table(asked, policies, labels)]
    exhibits += [_events(asked, one, label) for one, label in zip(policies, labels, strict=True)]
    exhibits += [_cohorts(asked, policies, labels)]
    exhibits += [one for one in (_placebo(asked, main),) if one is not None]
    exhibits += [_battery(asked, one, label) for one, label in zip(policies, labels, strict=True)]
    return Section(
        "policy",
        asked.say("policy.title", treatment=treatment_name(asked, main, title=True)),
        asked.say(f"policy.headline_{main.reading}", **values),
        tuple(text),
        tuple(exhibits),
    )


def treatment_name(asked: Asked, policy: Policy, *, title: bool = False) -> str:
    """Name the treatment: the pilots in the page's language, the user's as the user does."""
    if not _ours(policy):
        return policy.treatment.name
    return asked.say("policy.pilots_title" if title else "policy.pilots")


def effect_text(estimate: Estimate) -> str:
    """Write an effect on a logarithm as a percentage."""
    return percent(math.expm1(estimate.estimate), sign=True)


def interval_text(estimate: Estimate) -> str:
    """Write the interval of an effect on a logarithm as percentages."""
    low, high = (percent(math.expm1(v), sign=True) for v in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def _ours(policy: Policy) -> bool:
    return policy.treatment.name == TREATMENT


def _source(asked: Asked, policy: Policy) -> str:
    first = "ceads" if "CEADs" in policy.outcome else "edgar-v8"
    return asked.source(first, "yearbooks-real")


def _main_table(asked: Asked, policies: Sequence[Policy], labels: Sequence[str]) -> Exhibit:
    columns = asked.heads(
        "outcome", "method", "effect", "interval", "p", "placebo_p", "pretrend_p", "cities", "reads"
    )
    rows: list[tuple[Cell, ...]] = []
    for one, label in zip(policies, labels, strict=True):
        rows.append(
            (
                label,
                asked.words.carry(one.main.method),
                effect_text(one.main),
                interval_text(one.main),
                p_text(one.main.p_value),
                p_text(one.placebo_p),
                p_text(one.pretrend_p),
                one.main.n_units,
                asked.say(f"policy.short_{one.reading}"),
            )
        )
    return Exhibit(
        "effect-main",
        asked.say("policy.main"),
        as_data(main_rows(policies)),
        _CALL.format(outcome=policies[0].outcome) + "policy.main, policy.reading",
        _source(asked, policies[0]),
        shown=Data(columns, tuple(rows)),
        notes=(
            asked.say("policy.cs"),
            asked.say("policy.rule"),
            asked.say("policy.percent"),
            asked.say("policy.cited"),
        ),
    )


def _events(asked: Asked, policy: Policy, label: str) -> Exhibit:
    found: Battery = policy.battery
    alone = _alone(asked, policy)
    paths: list[Effects] = []
    if found.dynamic is not None and found.dynamic.parts is not None:
        paths.append(_path(asked.say("policy.cs_path"), found.dynamic.parts))
    if found.event_study is not None:
        paths.append(_path(asked.say("policy.twfe_path"), found.event_study.series))
    rows = tuple(
        (one.name, int(p), float(v), float(low), float(high))
        for one in paths
        for p, v, low, high in zip(one.points, one.estimates, one.low, one.high, strict=True)
    )
    title = asked.say("policy.events", label=label)
    other = "-other" if "CEADs" in policy.outcome else ""
    return Exhibit(
        f"event-study{other}",
        title,
        Data(asked.heads("method", "since", "effect_log", "low", "high"), rows),
        "from conurb.strategy.report.notebook import event_study_plot\n"
        f'event_study_plot(region.panel, "{policy.outcome}", region.pilots, '
        f"years=range({policy.years[0]}, {policy.years[-1] + 1}))",
        _source(asked, policy),
        plot=draw_effects(
            Axes(title, asked.say("head.since"), asked.say("policy.axis")),
            paths,
            shaded=None if alone is None else (alone[0], asked.say("policy.shade", first=alone[1])),
        )
        if paths
        else None,
        notes=(
            asked.say("policy.bands"),
            asked.say("policy.reference"),
            asked.say("policy.joint", p=p_text(policy.pretrend_p), note=_joint(policy)),
        ),
    )


def _alone(asked: Asked, policy: Policy) -> tuple[int, str] | None:
    """Give from how many years after treatment on the first cohort is alone, and who is in it.

    None where that cohort is large enough, or no year is so late.
    """
    cohorts = {y: who for y, who in policy.treatment.cohorts().items() if y in policy.years[1:]}
    if len(cohorts) < 2:
        return None
    first, second = list(cohorts)[:2]
    if first not in small_cohorts(policy):
        return None
    return policy.years[-1] - second + 1, asked.listed(cohorts[first])


def _joint(policy: Policy) -> str:
    events = policy.battery.event_study
    if events is None or events.pretrend is None:
        return "–"
    test = events.pretrend
    return f"F({test.restrictions}, {test.freedom}) = {test.statistic:.2f}"


def _path(name: str, series: Series) -> Effects:
    return Effects(name, series.points, series.estimates, series.low, series.high)


def _cohorts(asked: Asked, policies: Sequence[Policy], labels: Sequence[str]) -> Exhibit:
    columns = asked.heads("outcome", "cohort", "cities", "members", "effect_log", "random_p")
    rows: list[tuple[Cell, ...]] = []
    for one, label in zip(policies, labels, strict=True):
        tested = {found.method: found for found in one.battery.small_cohorts}
        small = small_cohorts(one)
        for year, units in one.treatment.cohorts().items():
            if year not in one.years:
                continue
            match = next((t for name, t in tested.items() if f"cohort {year} " in name), None)
            rows.append(
                (
                    label,
                    year,
                    len(units),
                    asked.listed(units),
                    None if match is None else number(match.estimate, 3, sign=True),
                    p_text(match.p_value)
                    if match is not None
                    else asked.say("policy.untested" if year in small else "policy.enough"),
                )
            )
    return Exhibit(
        "effect-cohorts",
        asked.say("policy.cohorts"),
        Data(columns, tuple(rows)),
        _CALL.format(outcome=policies[0].outcome) + "policy.battery.small_cohorts",
        _source(asked, policies[0]),
        shown=Data(columns, tuple(rows)),
        notes=(asked.say("policy.randomised"), asked.say("policy.assigned")),
    )


def _placebo(asked: Asked, policy: Policy) -> Exhibit | None:
    placebo = policy.placebo
    if placebo is None:
        return None
    title = asked.say("policy.placebo", draws=len(placebo.draws))
    said = asked.say("policy.true", value=number(placebo.estimate, 3, sign=True))
    return Exhibit(
        "placebo-in-space",
        title,
        Data(asked.heads("effect_log"), tuple((float(one),) for one in placebo.draws)),
        _CALL.format(outcome=policy.outcome) + "policy.placebo.draws, policy.placebo.p_value",
        _source(asked, policy),
        plot=draw_histogram(
            Axes(title, asked.say("policy.axis"), asked.say("policy.count")),
            placebo.draws,
            marked=placebo.estimate,
            said=said,
        ),
        notes=(asked.say("policy.placebo_note", p=p_text(placebo.p_value)),),
    )


def _battery(asked: Asked, policy: Policy, label: str) -> Exhibit:
    rows: list[tuple[Cell, ...]] = []
    drawn: list[Row] = []
    notes: dict[str, int] = {}
    for row in policy.battery.rows:
        name = asked.words.carry(row.method)
        marks = [notes.setdefault(one, len(notes) + 1) for one in row.notes]
        rows.append(
            (
                name,
                number(row.estimate, 3, sign=True),
                number(row.standard_error, 3),
                f"[{number(row.low, 3, sign=True)}, {number(row.high, 3, sign=True)}]"
                if math.isfinite(row.low)
                else "–",
                p_text(row.p_value),
                row.n_units or None,
                ", ".join(str(one) for one in marks),
            )
        )
        if math.isfinite(row.estimate) and math.isfinite(row.low):
            drawn.append(Row(name, row.estimate, row.low, row.high))
    columns = asked.heads("method", "effect_log", "error", "interval", "p", "cities", "notes")
    title = asked.say("policy.battery", label=label)
    other = "-other" if "CEADs" in policy.outcome else ""
    return Exhibit(
        f"robustness{other}",
        title,
        as_data(policy_rows(policy)),
        _CALL.format(outcome=policy.outcome) + "policy.battery.to_csv()",
        _source(asked, policy),
        plot=draw_intervals(
            Axes(title, asked.say("policy.axis"), ""), drawn, zero=True, left=300, step=18
        )
        if drawn
        else None,
        shown=Data(columns, tuple(rows)),
        notes=(
            *(f"{mark}  {asked.words.carry(one)}" for one, mark in notes.items()),
            asked.say("policy.made_by", by=policy.main.made_by),
        ),
    )
