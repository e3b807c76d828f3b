"""The figures themselves: who published them, and what is known to be wrong with them."""

from __future__ import annotations

import numpy as np

from conurb.model.vocabulary import find_label
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.sections.asked import Asked


def tell_figures(asked: Asked) -> Section:
    """Tell of sources, of coverage, and of figures that are flagged."""
    panel = asked.subject.panel
    known = [name for name in panel.columns if name in panel.origins and _read(asked, name)]
    flagged = _flagged(asked, known)
    return Section(
        "figures",
        asked.say("figures.title"),
        asked.say("figures.headline", sources=len(asked.subject.sources), flagged=len(flagged)),
        (asked.say("figures.text"),),
        (_coverage(asked, known), _breaks(asked, flagged), _sources(asked)),
    )


def _read(asked: Asked, name: str) -> bool:
    """Say whether a column was read, and not made of others."""
    origins = asked.subject.panel.origins[name].ravel()
    return any(one is not None and one.made is None for one in origins)


def _label(asked: Asked, column: str) -> str:
    attribute, _, source = column.partition("@")
    label = find_label(attribute, "zh" if asked.words.lang == "zh" else "en") or attribute
    return f"{label} ({source})" if source else label


def _coverage(asked: Asked, known: list[str]) -> Exhibit:
    panel = asked.subject.panel
    rows: list[tuple[Cell, ...]] = []
    for name in known:
        there = np.isfinite(panel.get(name))
        years = [y for t, y in enumerate(panel.years) if there[:, t].any()]
        whole = [y for t, y in enumerate(panel.years) if there[:, t].all()]
        rows.append(
            (
                _label(asked, name),
                panel.measures.get(name),
                f"{years[0]}–{years[-1]}",
                len(whole),
                int(there.sum()),
            )
        )
    columns = asked.heads("column", "unit_code", "years", "whole_years", "figures")
    data = Data(columns, tuple(rows))
    return Exhibit(
        "coverage",
        asked.say("figures.coverage"),
        data,
        "from conurb.strategy.panel.gaps import gaps\ngaps(region.panel)",
        "; ".join(one.title for one in asked.subject.sources),
        shown=data,
        notes=(asked.say("figures.no_filling"),),
    )


def _flagged(asked: Asked, known: list[str]) -> list[tuple[Cell, ...]]:
    """List each flag with the cities, years and columns that it concerns."""
    panel = asked.subject.panel
    found: dict[str, tuple[set[str], set[int], set[str]]] = {}
    for name in known:
        for (unit, year), notes in panel.flagged(name).items():
            for note in notes:
                units, years, columns = found.setdefault(note, (set(), set(), set()))
                units.add(unit)
                years.add(year)
                columns.add(name)
    return [
        (
            asked.words.carry(note),
            asked.listed([one for one in panel.units if one in units]),
            ", ".join(map(str, sorted(years))),
            asked.words.listed([_label(asked, one) for one in known if one in columns]),
        )
        for note, (units, years, columns) in found.items()
    ]


def _breaks(asked: Asked, flagged: list[tuple[Cell, ...]]) -> Exhibit:
    data = Data(asked.heads("flag", "cities_named", "years", "columns"), tuple(flagged))
    return Exhibit(
        "flags",
        asked.say("figures.flags"),
        data,
        'region.panel.flagged("population")',
        "; ".join(one.title for one in asked.subject.sources),
        shown=data,
        notes=(asked.say("figures.flag_note"),),
    )


def _sources(asked: Asked) -> Exhibit:
    rows = [(one.title, one.licence, one.url) for one in asked.subject.sources]
    border = asked.subject.boundary_source
    rows.append((f"{asked.say('figures.borders')}: {border.title}", border.licence, border.url))
    data = Data(asked.heads("source", "licence", "address"), tuple(rows))
    return Exhibit(
        "sources",
        asked.say("figures.sources"),
        data,
        "region.sources",
        asked.say("figures.own_words"),
        shown=data,
    )
