"""Where cities stand: map, ranks with their uncertainty, what separates each from the first."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from conurb.strategy.index.contributions import compare
from conurb.strategy.index.score import Scores
from conurb.strategy.report.charts import Axes, Row, draw_intervals
from conurb.strategy.report.maps import GREENS, draw_choropleth
from conurb.strategy.report.page import Data, Exhibit, Section
from conurb.strategy.report.rows import as_data, standing_rows
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.standing import Standing
from conurb.strategy.report.words import number

GAPS_NAMED: Final = 2
_CALL = """\
from conurb.strategy.report.standing import study_standing
standing = study_standing(region.panel, "{definition}")  # rank_uncertainty of score(...)
"""


def tell_standing(asked: Asked, standing: Standing, other: Standing | None) -> Section:
    """Tell of an index, and of its ranks by the other inventory of CO2."""
    scores, near, free = standing.scores, standing.near, standing.free
    order = np.argsort(near.rank, kind="stable")
    first, last = near.units[order[0]], near.units[order[-1]]
    mean = np.nanmean(scores.score, axis=0)
    values = {
        "index": scores.definition.name[asked.words.lang],
        "year": standing.year,
        "count": len(near.units),
        "first": asked.name(first),
        "last": asked.name(last),
        "range": range_text(free.low[order[0]], free.high[order[0]]),
        "width": number(float((free.high - free.low).mean()), 1),
        "indicators": len(scores.indicators),
        "dimensions": len(scores.definition.root.children),
        "from_year": scores.panel.years[0],
        "mean_first": number(float(mean[0])),
        "mean_last": number(float(mean[-1])),
    }
    sure = free.high[order[0]] == 1 and free.low[order[-1]] == len(near.units)
    return Section(
        "standing",
        asked.say("standing.title"),
        asked.say("standing.sure" if sure else "standing.unsure", **values),
        (asked.say("standing.text", **values), asked.say("standing.no_finding", **values)),
        (
            _map(asked, standing),
            _ranking(asked, standing, other),
            _weights(asked, scores),
        ),
    )


def range_text(low: float, high: float) -> str:
    """Write the ends of a range of ranks, once where they are the same."""
    return f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}"


def _notes(asked: Asked, standing: Standing) -> tuple[str, ...]:
    scores = standing.scores
    definition = scores.definition
    return (
        *(asked.words.carry(one) for one in scores.labels),
        asked.say(
            "standing.digest", id=definition.id, version=definition.version, digest=scores.digest
        ),
        asked.say("standing.method"),
        *(asked.words.carry(one) for one in standing.warnings),
    )


def _source(asked: Asked) -> str:
    return asked.source("edgar-v8", "yearbooks-real", "yearbooks-sectors", "yearbooks", "so2")


def _map(asked: Asked, standing: Standing) -> Exhibit:
    scores = standing.scores
    figures = scores.score[:, scores.panel.years.index(standing.year)]
    title = asked.say(
        "standing.map", index=scores.definition.name[asked.words.lang], year=standing.year
    )
    plot = draw_choropleth(
        asked.areas,
        dict(zip(scores.panel.units, map(float, figures), strict=True)),
        title=title,
        measure=asked.say("standing.measure"),
        names=asked.names(),
        colours=GREENS,
        nothing=asked.say("page.nothing"),
    )
    rows = [
        (unit, asked.name(unit), year, float(scores.score[i, t]), _rank(scores, i, t))
        for i, unit in enumerate(scores.panel.units)
        for t, year in enumerate(scores.panel.years)
    ]
    return Exhibit(
        "index-scores",
        title,
        Data(asked.heads("unit", "city", "year", "score", "rank"), tuple(rows)),
        _CALL.format(definition=scores.definition.id) + "standing.scores.score",
        _source(asked),
        plot=plot,
        notes=_notes(asked, standing),
    )


def _rank(scores: Scores, i: int, t: int) -> int | None:
    rank = scores.ranks()[i, t]
    return None if math.isnan(rank) else int(rank)


def _ranking(asked: Asked, standing: Standing, other: Standing | None) -> Exhibit:
    near, free, scores = standing.near, standing.free, standing.scores
    order = [int(i) for i in np.argsort(near.rank, kind="stable")]
    t = scores.panel.years.index(standing.year)
    first = near.units[order[0]]
    theirs = {} if other is None else dict(zip(other.near.units, other.near.rank, strict=True))
    rows, drawn = [], []
    for i in order:
        unit = near.units[i]
        at = scores.panel.units.index(unit)
        gaps = compare(scores, unit, first, standing.year)[:GAPS_NAMED] if unit != first else ()
        said = asked.words.listed([one.name[asked.words.lang] for one in gaps if one.part < 0])
        rows.append(
            (
                int(near.rank[i]),
                asked.name(unit),
                number(float(scores.score[at, t])),
                range_text(near.low[i], near.high[i]),
                range_text(free.low[i], free.high[i]),
                f"{theirs[unit]:.0f}" if unit in theirs else "–",
                said or asked.say("page.none"),
            )
        )
        drawn.append(
            Row(
                asked.name(unit),
                float(near.rank[i]),
                float(near.low[i]),
                float(near.high[i]),
                (float(free.low[i]), float(free.high[i])),
            )
        )
    columns = asked.heads(
        "rank", "city", "score", "rank_near", "rank_free", "rank_other", "gap_first"
    )
    title = asked.say("standing.ranking", year=standing.year)
    return Exhibit(
        "index-ranks",
        title,
        as_data(standing_rows(standing, other)),
        _CALL.format(definition=scores.definition.id) + "standing.near.low, standing.free.high",
        _source(asked),
        plot=draw_intervals(
            Axes(title, asked.say("head.rank"), ""),
            drawn,
            legend=(asked.say("standing.near"), asked.say("standing.free")),
        ),
        shown=Data(columns, tuple(rows)),
        notes=(
            asked.say("standing.uncertainty", draws=near.draws),
            asked.say("standing.gap", first=asked.name(first)),
            *_notes(asked, standing)[:2],
        ),
    )


def _weights(asked: Asked, scores: Scores) -> Exhibit:
    lang = asked.words.lang
    paths = scores.definition.paths()
    rows = tuple(
        (
            scores.definition.get(paths[leaf.id][0]).name[lang],
            leaf.name[lang],
            asked.say(f"direction.{leaf.direction}"),
            number(float(scores.weight_of(leaf.id)[-1])),
            asked.words.carry(leaf.measure or ""),
        )
        for leaf in scores.indicators
    )
    columns = asked.heads("dimension", "indicator", "better", "weight", "measure")
    return Exhibit(
        "index-definition",
        asked.say("standing.definition", index=scores.definition.name[lang]),
        Data(columns, rows),
        "from conurb.strategy.index.definition import read_definition\n"
        f'read_definition("{scores.definition.id}")',
        _source(asked),
        shown=Data(columns, rows),
        notes=(asked.say("standing.lacks"), asked.say("standing.own")),
    )
