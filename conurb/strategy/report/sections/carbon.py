"""Carbon: how much per output, whether it comes apart from growth, and why it changed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from conurb.strategy.green.decoupling import State
from conurb.strategy.report.carbon import Carbon
from conurb.strategy.report.charts import Axes, draw_grid, draw_lines, draw_parts
from conurb.strategy.report.maps import REDS, draw_choropleth
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.words import number, percent

COLOURS = {
    State.STRONG_DECOUPLING: "#216345",
    State.WEAK_DECOUPLING: "#87b99c",
    State.EXPANSIVE_COUPLING: "#e6d9a8",
    State.EXPANSIVE_NEGATIVE_DECOUPLING: "#c67846",
    State.RECESSIVE_DECOUPLING: "#9fb6c8",
    State.RECESSIVE_COUPLING: "#b8a9c9",
    State.WEAK_NEGATIVE_DECOUPLING: "#a35d5d",
    State.STRONG_NEGATIVE_DECOUPLING: "#7a2e2e",
    State.UNDEFINED: "#eceff1",
    State.MISSING: "#eceff1",
}
_CALL = """\
from conurb.strategy.report.carbon import study_carbon
carbon = study_carbon(region.panel)
"""
MT = 1e6
"""Tonnes in a million."""


def tell_carbon(asked: Asked, carbon: Carbon) -> Section:
    """Tell of carbon."""
    counted: Counter[State] = carbon.states()
    values = {
        "change": percent(carbon.total_change(), sign=True),
        "since": carbon.since,
        "year": carbon.year,
        "strong": counted[State.STRONG_DECOUPLING],
        "weak": counted[State.WEAK_DECOUPLING],
        "count": len(carbon.panel.units),
        "span": carbon.spans[-1],
    }
    text = [asked.say("carbon.text", **values)]
    if carbon.agreement is not None:
        text.append(
            asked.say(
                "carbon.agreement",
                correlation=number(carbon.agreement[0], 2),
                pairs=carbon.agreement[1],
            )
        )
    changes = np.sum(list(carbon.parts.values()), axis=0)
    ups = int((changes > 0).sum())
    if ups:
        text.append(asked.say("carbon.kaya_up", ups=ups, periods=len(carbon.periods)))
    headline = "carbon.falls" if carbon.total_change() < 0 else "carbon.rises"
    return Section(
        "carbon",
        asked.say("carbon.title"),
        asked.say(headline, **values),
        tuple(text),
        (
            _map(asked, carbon),
            _lines(asked, carbon),
            _decoupling(asked, carbon),
            _kaya(asked, carbon),
        ),
    )


def _map(asked: Asked, carbon: Carbon) -> Exhibit:
    title = asked.say("carbon.map", year=carbon.year)
    units = carbon.panel.units
    order = np.argsort(-carbon.intensity, kind="stable")
    columns = asked.heads("unit", "city", "intensity", "change_per_year")
    rows = tuple(
        (units[i], asked.name(units[i]), float(carbon.intensity[i]), float(carbon.change[i]))
        for i in order
    )
    return Exhibit(
        "carbon-intensity",
        title,
        Data(columns, rows),
        _CALL + "carbon.intensity, carbon.change",
        asked.source("edgar-v8", "yearbooks-real"),
        plot=draw_choropleth(
            asked.areas,
            dict(zip(units, map(float, carbon.intensity), strict=True)),
            title=title,
            measure=asked.say("carbon.measure"),
            names=asked.names(),
            colours=REDS,
            nothing=asked.say("page.nothing"),
            digits=2,
        ),
        notes=(asked.say("carbon.intensity_note"), asked.say("carbon.gridded")),
    )


def _lines(asked: Asked, carbon: Carbon) -> Exhibit:
    lines = {asked.say("carbon.edgar"): carbon.total}
    columns = ["year", "intensity_edgar"]
    if carbon.total_other is not None:
        lines[asked.say("carbon.ceads")] = carbon.total_other
        columns.append("intensity_ceads")
    title = asked.say("carbon.lines")
    rows = tuple(
        (year, *(float(one[t]) for one in lines.values()))
        for t, year in enumerate(carbon.panel.years)
    )
    return Exhibit(
        "carbon-by-year",
        title,
        Data(asked.heads(*columns), rows),
        _CALL + "carbon.total, carbon.total_other",
        asked.source("edgar-v8", "ceads", "yearbooks-real"),
        plot=draw_lines(
            Axes(title, asked.say("head.year"), asked.say("carbon.measure")),
            carbon.panel.years,
            lines,
        ),
        notes=(
            asked.say("carbon.region_note"),
            asked.say("carbon.ceads_note", count=len(carbon.others)),
        ),
    )


def _decoupling(asked: Asked, carbon: Carbon) -> Exhibit:
    states = carbon.decoupling.states
    units = carbon.panel.units
    title = asked.say("carbon.decoupling")
    used = [one for one in State if any(one in row for row in states)]
    rows = tuple(
        (
            unit,
            asked.name(unit),
            carbon.spans[k],
            float(carbon.decoupling.elasticity[i, k]),
            asked.say(f"state.{states[i][k].name.lower()}"),
        )
        for i, unit in enumerate(units)
        for k in range(len(carbon.spans))
    )
    return Exhibit(
        "decoupling",
        title,
        Data(asked.heads("unit", "city", "period", "elasticity", "state"), rows),
        _CALL + "carbon.decoupling.states",
        asked.source("edgar-v8", "yearbooks-real"),
        plot=draw_grid(
            Axes(title, "", ""),
            [asked.name(unit) for unit in units],
            carbon.spans,
            [[COLOURS[state] for state in row] for row in states],
            {asked.say(f"state.{one.name.lower()}"): COLOURS[one] for one in used},
        ),
        notes=(asked.say("carbon.tapio"),),
    )


def _kaya(asked: Asked, carbon: Carbon) -> Exhibit:
    parts = {
        asked.say(f"factor.{name.replace(' ', '_')}"): values / MT
        for name, values in carbon.parts.items()
    }
    title = asked.say("carbon.kaya")
    total = asked.say("factor.total")
    rows: list[tuple[Cell, ...]] = []
    shown: list[tuple[Cell, ...]] = []
    for k, period in enumerate(carbon.periods):
        figures = [float(one[k]) for one in parts.values()]
        figures.append(sum(figures))
        rows.append((period, *figures))
        shown.append((period, *(number(one, 1, sign=True) for one in figures)))
    columns = (asked.say("head.period"), *parts, total)
    return Exhibit(
        "kaya",
        title,
        Data(columns, tuple(rows)),
        _CALL + "carbon.parts",
        asked.source("edgar-v8", "yearbooks-real", "yearbooks"),
        plot=draw_parts(
            Axes(title, asked.say("head.period"), asked.say("carbon.mt")),
            carbon.periods,
            parts,
            total=total,
        ),
        shown=Data(columns, tuple(shown)),
        notes=(asked.say("carbon.lmdi"), asked.say("carbon.no_energy")),
    )
