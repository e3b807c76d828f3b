"""What happens around: are neighbours alike, the local picture, and spillover with its caveat."""

from __future__ import annotations

import numpy as np

from conurb.strategy.report.around import Around
from conurb.strategy.report.charts import Axes, draw_lines
from conurb.strategy.report.drawing import NOTHING
from conurb.strategy.report.maps import draw_classes
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.rows import as_data, choice_rows, impact_rows
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.words import number, p_text

LEVEL = 0.05
QUADRANT_COLOURS = {
    "high-high": "#b4502f",
    "low-low": "#1f5f8b",
    "high-low": "#e8b48f",
    "low-high": "#9dc0d8",
}
_CALL = """\
from conurb.strategy.report.around import study_around
around = study_around(region.panel, region.centres, region.pilots)
"""


def tell_around(asked: Asked, around: Around) -> Section:
    """Tell of neighbours."""
    ours = {year: one.p < LEVEL and one.value > 0 for year, one in around.moran.items()}
    theirs = {year: one.p < LEVEL and one.value > 0 for year, one in around.moran_other.items()}
    last = around.moran[around.local_year]
    values = {
        "value": number(last.value, 2),
        "p": p_text(last.p),
        "year": around.local_year,
        "alike": sum(ours.values()),
        "years": len(ours),
        "alike_other": sum(theirs.values()),
        "years_other": len(theirs),
        "significant": int((around.local.p_adjusted < LEVEL).sum()),
        "nominal": int((around.local.p < LEVEL).sum()),
    }
    differ = bool(theirs) and sum(ours.values()) > len(ours) / 2 > 0 == sum(theirs.values())
    key = "around.differ" if differ else "around.alike" if ours[around.local_year] else "around.not"
    exhibits = [_moran(asked, around), _map(asked, around)]
    exhibits += [one for one in (_impacts(asked, around), _models(asked, around)) if one]
    text = [asked.say("around.text", **values), asked.say("around.built_in")]
    text += [
        asked.say("around.refused", what=asked.say(f"around.{what}"), reason=asked.words.carry(why))
        for what, why in around.refused.items()
    ]
    return Section(
        "around", asked.say("around.title"), asked.say(key, **values), tuple(text), tuple(exhibits)
    )


def _source(asked: Asked) -> str:
    return asked.source("edgar-v8", "ceads", "yearbooks-real", "yearbooks")


def _moran(asked: Asked, around: Around) -> Exhibit:
    years = sorted({*around.moran, *around.moran_other})
    lines = {}
    for name, found in (
        (asked.say("carbon.edgar"), around.moran),
        (asked.say("carbon.ceads"), around.moran_other),
    ):
        if found:
            lines[name] = np.array([found[y].value if y in found else np.nan for y in years])
    rows = tuple(
        (name, year, one.value, one.expected, one.z, one.p)
        for name, found in zip(lines, (around.moran, around.moran_other), strict=False)
        for year, one in found.items()
    )
    lines[asked.say("around.expected")] = np.full(
        len(years), next(iter(around.moran.values())).expected
    )
    title = asked.say("around.moran")
    return Exhibit(
        "moran",
        title,
        Data(asked.heads("outcome", "year", "moran", "expected", "z", "p"), rows),
        _CALL + "around.moran, around.moran_other",
        _source(asked),
        plot=draw_lines(Axes(title, asked.say("head.year"), asked.say("head.moran")), years, lines),
        notes=(asked.say("around.weights"), asked.say("around.moran_note")),
    )


def _map(asked: Asked, around: Around) -> Exhibit:
    local = around.local
    fill: dict[str, str] = {}
    hints: dict[str, str] = {}
    rows: list[tuple[Cell, ...]] = []
    for i, unit in enumerate(local.units):
        sure = local.p[i] < LEVEL
        fill[unit] = QUADRANT_COLOURS[local.quadrant[i]] if sure else NOTHING
        words = asked.say(f"quadrant.{local.quadrant[i].replace('-', '_')}")
        hints[unit] = f"{asked.name(unit)}: {words}, p {p_text(float(local.p[i]))}"
        rows.append(
            (
                unit, asked.name(unit), words, float(local.value[i]),
                float(local.p[i]), float(local.p_adjusted[i]),
            )
        )  # fmt: skip
    title = asked.say("around.lisa", year=around.local_year)
    key = [
        (colour, asked.say(f"quadrant.{name.replace('-', '_')}"))
        for name, colour in QUADRANT_COLOURS.items()
        if colour in fill.values()
    ]
    return Exhibit(
        "lisa",
        title,
        Data(
            asked.heads("unit", "city", "quadrant", "local_moran", "p", "p_adjusted"), tuple(rows)
        ),
        _CALL + "around.local.quadrant, around.local.p_adjusted",
        _source(asked),
        plot=draw_classes(
            asked.areas,
            fill,
            title=title,
            measure=asked.say("around.key"),
            key=[*key, (NOTHING, asked.say("around.insignificant"))],
            hints=hints,
            names=asked.names(),
        ),
        notes=(
            asked.say("around.weights"),
            asked.say("around.lisa_note", significant=int((local.p_adjusted < LEVEL).sum())),
        ),
    )


def _impacts(asked: Asked, around: Around) -> Exhibit | None:
    if around.impacts is None or around.choice is None:
        return None
    found, sdm = around.impacts, around.choice.sdm
    rows: list[tuple[Cell, ...]] = []
    for k, name in enumerate(found.names):
        rows.append(
            (
                asked.words.carry(name),
                *(
                    f"{number(float(one.value[k]), 3, sign=True)} "
                    f"({number(float(one.error[k]), 3)}; p {p_text(float(one.p[k]))})"
                    for one in (found.direct, found.indirect, found.total)
                ),
            )
        )
    rows.append(
        (
            asked.say("around.lambda"),
            f"{number(sdm.spatial, 3, sign=True)} (p {p_text(float(sdm.p[-1]))})",
            None,
            None,
        )
    )
    if around.did is not None:
        fit = around.did.fit
        error = float(np.sqrt(fit.covariance[0, 0]))
        rows.append(
            (
                asked.say("around.pilots"),
                f"{number(float(fit.coefficients[0]), 3, sign=True)} ({number(error, 3)})",
                f"{number(float(around.did.indirect[0]), 3, sign=True)} "
                f"({number(float(around.did.indirect_error[0]), 3)})",
                None,
            )
        )
    columns = asked.heads("regressor", "direct", "indirect", "total_impact")
    data = Data(columns, tuple(rows))
    return Exhibit(
        "spillover-impacts",
        asked.say("around.impacts", years=f"{around.years[0]}–{around.years[-1]}"),
        as_data(impact_rows(around)),
        _CALL + "around.impacts.indirect.value, around.did.indirect",
        _source(asked),
        shown=data,
        notes=(
            asked.say("around.sdm"),
            asked.say("around.errors"),
            asked.say("around.did_note"),
            asked.say("around.gridded"),
            *(asked.words.carry(one) for one in around.warnings),
        ),
    )


def _models(asked: Asked, around: Around) -> Exhibit | None:
    if around.choice is None:
        return None
    rows = tuple(
        (asked.words.carry(one.name), number(one.statistic, 2), one.freedom, p_text(one.p))
        for one in (*around.choice.lm, *around.choice.lr)
    )
    columns = asked.heads("test", "statistic", "freedom", "p")
    return Exhibit(
        "spillover-tests",
        asked.say("around.tests"),
        as_data(choice_rows(around)),
        _CALL + "around.choice.lm, around.choice.lr, around.choice.reason",
        _source(asked),
        shown=Data(columns, rows),
        notes=(asked.words.carry(around.choice.reason), asked.say("around.tests_note")),
    )
