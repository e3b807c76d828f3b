"""The page: sections of figures and tables as one HTML file that needs nothing else.

Styles stand in the file, drawings are SVG in it, and the data of each is a CSV that the file
carries: it opens from a memory stick, and prints.
"""

from __future__ import annotations

import base64
import csv
import io
import math
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from typing import Final, TypeAlias

from conurb.strategy.report.drawing import Plot
from conurb.strategy.report.words import Words, number

Cell: TypeAlias = str | float | int | None

DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Data:
    """A table: columns, and rows of as many cells; figures as numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def to_csv(self) -> str:
        """Give it as CSV with a header; what isn't there is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])
        return text.getvalue()


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One figure or table, with what belongs beside it.

    `id` names its CSV; `shown` is the table to be seen (None where the plot is enough), `data` what
    the CSV holds; `notes` say how it was made and what to mind, `call` is the Python that gives it,
    `source` whose figures they are.
    """

    id: str
    title: str
    data: Data
    call: str
    source: str
    plot: Plot | None = None
    shown: Data | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: its headline says the result, whatever it is."""

    id: str
    title: str
    headline: str
    text: tuple[str, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One result of the summary: a figure, what it is of, and what to mind."""

    figure: str
    title: str
    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole: what `to_html` writes and `iter_data` gives as files."""

    words: Words
    title: str
    subtitle: str
    origin: str
    cards: tuple[Card, ...]
    sections: tuple[Section, ...]
    preamble: str
    facts: tuple[tuple[str, str], ...] = field(default=())

    def list_data(self) -> list[tuple[str, str]]:
        """List the CSVs of all exhibits: (name of the file, text)."""
        return [
            (f"{one.id}.csv", one.data.to_csv()) for part in self.sections for one in part.exhibits
        ]

    def to_html(self) -> str:
        """Write the page."""
        say = self.words.say
        style = (resources.files("conurb.strategy.report") / "page.css").read_text("utf-8")
        links = "".join(f'<a href="#{one.id}">{escape(one.title)}</a>' for one in self.sections)
        facts = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self.facts
        )
        lang = "zh-CN" if self.words.lang == "zh" else "en"
        body = (
            f'<header><p class="kind">{escape(say("page.kind"))}</p><h1>{escape(self.title)}</h1>'
            f'<p class="lead">{escape(self.subtitle)}</p>'
            f'<p class="origin">{escape(self.origin)}</p></header>'
            f'<nav aria-label="{escape(say("page.contents"))}">{links}</nav><main>'
            f'<section class="cards" id="summary"><h2>{escape(say("page.summary"))}</h2>'
            f"<div>{''.join(_card(one) for one in self.cards)}</div></section>"
            f"{''.join(self._section(k, one) for k, one in enumerate(self.sections, 1))}"
            f'<section id="again"><h2>{escape(say("page.again"))}</h2>'
            f"<p>{escape(say('page.preamble'))}</p><pre>{escape(self.preamble)}</pre>"
            f"<dl>{facts}</dl></section></main>"
        )
        return (
            f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{style}</style></head>"
            f"<body>{body}</body></html>\n"
        )

    def _section(self, place: int, section: Section) -> str:
        text = "".join(f"<p>{escape(one)}</p>" for one in section.text)
        shown = "".join(
            self._exhibit(f"{place}.{k}", one) for k, one in enumerate(section.exhibits, 1)
        )
        return (
            f'<section id="{section.id}"><h2><span>{place}</span>{escape(section.title)}</h2>'
            f'<p class="headline">{escape(section.headline)}</p>{text}{shown}</section>'
        )

    def _exhibit(self, place: str, one: Exhibit) -> str:
        say = self.words.say
        drawn = f'<div class="plot">{one.plot.svg}</div>' if one.plot is not None else ""
        table = to_table(one.shown) if one.shown is not None else ""
        notes = "".join(f"<li>{escape(note)}</li>" for note in one.notes)
        data = base64.b64encode(b"\xef\xbb\xbf" + one.data.to_csv().encode()).decode()
        return (
            f'<figure id="{one.id}"><figcaption><b>{place}</b> {escape(one.title)}</figcaption>'
            f"{drawn}{table}"
            f"<details><summary>{escape(say('page.method'))}</summary>"
            f"<ul>{notes}</ul><p><b>{escape(say('page.source'))}</b> {escape(one.source)}</p>"
            f"<p><b>{escape(say('page.call'))}</b></p><pre>{escape(one.call)}</pre></details>"
            f'<p class="data"><a download="{one.id}.csv" href="data:text/csv;base64,{data}">'
            f"{escape(say('page.csv'))}</a></p></figure>"
        )


def to_table(data: Data) -> str:
    """Write a table as HTML; figures to the right."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in data.columns)
    rows = "".join(f"<tr>{''.join(_cell(v) for v in row)}</tr>" for row in data.rows)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f'<td class="n">{number(value, DIGITS)}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(value or '')}</td>"


def _card(one: Card) -> str:
    return (
        f'<a class="card" href="#{one.target}"><span class="figure">{escape(one.figure)}</span>'
        f"<b>{escape(one.title)}</b><span>{escape(one.text)}</span></a>"
    )
