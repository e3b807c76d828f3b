"""The network: links, who is poorly linked, the plan's roles, sizes and industries."""

from __future__ import annotations

from typing import Final

import numpy as np

from conurb.strategy.network.classes import RoleCheck
from conurb.strategy.report.charts import Axes, draw_scatter
from conurb.strategy.report.drawing import SERIES
from conurb.strategy.report.linking import Linking
from conurb.strategy.report.maps import draw_links
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.rows import as_data, industry_rows, linking_rows
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.words import number, percent

LINKS_DRAWN: Final = 80
LABELLED: Final = 14
NAMED_IN_DOCUMENTS: Final = ("zhoushan", "chizhou", "tongling")
"""The cities that the region's documents name as poorly linked."""
_CALL = """\
from conurb.strategy.report.linking import study_linking
linking = study_linking(region.panel, region.centres, region.roles)
"""


def tell_linking(asked: Asked, linking: Linking) -> Section:
    """Tell of the network."""
    linkage = linking.linkage
    values = {
        "core": asked.name(linking.core),
        "year": linking.year,
        "poor": asked.listed(linkage.poor_total),
        "poor_size": asked.listed(linkage.poor_for_size),
        "by_size": f"{linking.by_size.agreeing}/{linking.by_size.compared}",
        "by_links": f"{linking.by_links.agreeing}/{linking.by_links.compared}",
        "groups": len(linking.communities.groups),
        "modularity": number(linking.communities.modularity, 2),
        "exponent": number(linking.sizes.exponent, 2),
        "error": number(linking.sizes.error, 2),
        "share": percent(linking.wealth.top_share),
    }
    named = [one for one in NAMED_IN_DOCUMENTS if one in linkage.units]
    text = [asked.say("linking.text", **values)]
    if named:
        small = [one for one in named if one in linkage.poor_total]
        bad = [one for one in named if one in linkage.poor_for_size]
        text.append(
            asked.say(
                "linking.named" if not bad else "linking.named_bad",
                named=asked.listed(named),
                small=asked.listed(small),
                bad=asked.listed(bad),
                **values,
            )
        )
    text.append(asked.say("linking.straight"))
    key = "linking.headline" if linking.by_size.compared else "linking.headline_plain"
    return Section(
        "linking",
        asked.say("linking.title"),
        asked.say(key, **values),
        tuple(text),
        (
            _map(asked, linking),
            _linkage(asked, linking),
            _roles(asked, linking),
            _sizes(asked, linking),
            _industry(asked, linking),
        ),
    )


def _source(asked: Asked) -> str:
    return asked.source("yearbooks-sectors", "yearbooks")


def _map(asked: Asked, linking: Linking) -> Exhibit:
    units = linking.links.units
    groups = linking.communities.groups
    fill = {unit: SERIES[k % len(SERIES)] for k, group in enumerate(groups) for unit in group}
    gdp = dict(zip(units, map(float, linking.gdp), strict=True))
    largest = sorted(units, key=lambda one: -gdp[one])[:LABELLED]
    shown = dict.fromkeys([*largest, *(one for one in NAMED_IN_DOCUMENTS if one in gdp)])
    title = asked.say("linking.map", count=LINKS_DRAWN, year=linking.year)
    key = [
        (SERIES[k % len(SERIES)], asked.say("linking.group", number=k + 1, count=len(group)))
        for k, group in enumerate(groups)
    ]
    symmetric = linking.links.symmetric()
    rows = tuple(
        (units[i], units[j], float(symmetric[i, j]))
        for i in range(len(units))
        for j in range(i + 1, len(units))
    )
    return Exhibit(
        "links",
        title,
        Data(asked.heads("from", "to", "strength"), rows),
        _CALL + "linking.strongest(80), linking.communities.groups",
        _source(asked),
        plot=draw_links(
            asked.areas,
            asked.subject.centres,
            linking.strongest(LINKS_DRAWN),
            gdp,
            title=title,
            measure=asked.say("linking.key"),
            key=key,
            fill=fill,
            names=asked.names(),
            labelled=list(shown),
            marked=[one for one in NAMED_IN_DOCUMENTS if one in gdp],
        ),
        notes=(
            asked.say("linking.gravity"),
            asked.say("linking.louvain"),
            asked.say("linking.rings"),
        ),
    )


def _linkage(asked: Asked, linking: Linking) -> Exhibit:
    found, reached, central = linking.linkage, linking.reached, linking.centralities
    order = np.argsort(found.strength_rank, kind="stable")
    rows: list[tuple[Cell, ...]] = []
    for i in order:
        core = found.units[i] == linking.core
        rows.append(
            (
                asked.name(found.units[i]),
                int(found.strength_rank[i]),
                None if core else int(found.core_rank[i]),
                None if core else percent(float(reached.of_core[i])),
                int(found.gap_rank[i]),
                number(float(found.gap[i]), 2, sign=True),
                number(float(central.eigenvector[i]), 3),
                asked.say(f"class.{linking.classes.classes[i].replace('-', '_')}"),
            )
        )
    columns = asked.heads(
        "city", "rank_links", "rank_core", "of_core", "rank_gap", "gap", "eigenvector", "class"
    )
    data = Data(columns, tuple(rows))
    return Exhibit(
        "linkage",
        asked.say("linking.table", core=asked.name(linking.core), year=linking.year),
        as_data(linking_rows(linking)),
        _CALL + "linking.linkage.gap_rank, linking.reached.of_core",
        _source(asked),
        shown=data,
        notes=(asked.say("linking.gap_note"), asked.say("linking.classes_note")),
    )


def _roles(asked: Asked, linking: Linking) -> Exhibit:
    rows: list[tuple[Cell, ...]] = []
    for (unit, role, by_size), (_, _, by_links) in zip(
        linking.by_size.rows, linking.by_links.rows, strict=True
    ):
        rows.append(
            (
                asked.name(unit),
                asked.words.find(f"plan.{role.replace('-', '_')}") or role,
                asked.say(f"class.{by_size.replace('-', '_')}"),
                asked.say(f"class.{by_links.replace('-', '_')}"),
            )
        )
    columns = asked.heads("city", "plan", "by_gdp", "by_links")
    data = Data(columns, tuple(rows))
    return Exhibit(
        "roles",
        asked.say("linking.roles"),
        data,
        _CALL + "linking.by_size.rows, linking.by_links.rows",
        _source(asked),
        shown=data,
        notes=(
            _check(asked, linking.by_size, "linking.check_size"),
            _check(asked, linking.by_links, "linking.check_links"),
            asked.say("linking.classes_note"),
        ),
    )


def _check(asked: Asked, check: RoleCheck, key: str) -> str:
    none = asked.say("page.none")
    return asked.say(
        key,
        agreeing=check.agreeing,
        compared=check.compared,
        above=asked.listed(check.above) or none,
        below=asked.listed(check.below) or none,
    )


def _sizes(asked: Asked, linking: Linking) -> Exhibit:
    sizes = linking.sizes
    ranks = np.log(np.arange(1, len(sizes.order) + 1) - 0.5)
    logs = np.log(sizes.sizes)
    title = asked.say("linking.sizes", year=linking.year)
    few = [asked.name(one) if k < 6 else "" for k, one in enumerate(sizes.order)]
    rows = tuple(
        (unit, asked.name(unit), k + 1, float(size))
        for k, (unit, size) in enumerate(zip(sizes.order, sizes.sizes, strict=True))
    )
    return Exhibit(
        "rank-size",
        title,
        Data(asked.heads("unit", "city", "rank", "people"), rows),
        _CALL + "linking.sizes.exponent, linking.wealth.exponent",
        _source(asked),
        plot=draw_scatter(
            Axes(title, asked.say("linking.ln_size"), asked.say("linking.ln_rank")),
            logs,
            ranks,
            names=few,
            line=(sizes.intercept, -sizes.exponent),
        ),
        notes=(
            asked.say(
                "linking.zipf",
                exponent=number(sizes.exponent, 2),
                error=number(sizes.error, 2),
                wealth=number(linking.wealth.exponent, 2),
                wealth_error=number(linking.wealth.error, 2),
            ),
        ),
    )


def _industry(asked: Asked, linking: Linking) -> Exhibit:
    made = linking.structure
    order = np.argsort(-made.krugman, kind="stable")
    count = len(made.units)
    rows: list[tuple[Cell, ...]] = []
    for i in order:
        most = np.where(np.arange(count) == i, -1.0, made.similarity[i])
        rows.append(
            (
                asked.name(made.units[i]),
                *(number(float(one), 2) for one in made.quotients[i]),
                number(float(made.krugman[i]), 2),
                f"{asked.name(made.units[int(np.argmax(most))])} ({number(float(most.max()), 3)})",
            )
        )
    columns = asked.heads("city", "lq_1", "lq_2", "lq_3", "krugman", "most_alike")
    data = Data(columns, tuple(rows))
    pairs = count * (count - 1) // 2
    return Exhibit(
        "industry",
        asked.say("linking.industry", year=linking.year),
        as_data(industry_rows(linking)),
        _CALL + "linking.structure.quotients, linking.structure.alike()",
        _source(asked),
        shown=data,
        notes=(
            asked.say("linking.alike", alike=len(made.alike()), pairs=pairs),
            asked.say("linking.industry_note"),
        ),
    )
