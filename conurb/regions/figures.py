"""Official figures by city and year: one CSV in base units, and where each column comes from.

`figures.csv` of a pack has a row per city and year (`city`, `year`, then a column per figure;
empty is not known). `sources.toml` says for each column which attribute it is, in which unit, from
whom, and which values are to be taken with care:

    [sources.edgar]                 a publisher: title, licence, url
    [[figures]]                     a column: attribute, unit (UN/CEFACT Rec 20, or ISO 4217 for
    column = "co2_edgar"            money), source; dataset where several sources give the same
    from = "co2_t", factor = 1      attribute; from, factor and digits say how it was read
    [[breaks]]                      cities, years, columns and a note; kind is boundary (the area
                                    changed), revision, error or suspect

A figure that was interpolated is not official and has no place here.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conurb.errors import BadRequestDataError

BREAK_KINDS: Final = frozenset({"boundary", "revision", "error", "suspect"})
YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2200


@dataclass(frozen=True, slots=True)
class Source:
    """Who published figures, and under which licence."""

    key: str
    title: str
    licence: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One figure: which attribute it is, its unit, its source, and how it was read.

    `dataset` is the datasetId (`urn:ngsi-ld:dataset:{source}:{scale}`), None for the default
    instance. `read_from` is the column of the table that it came from, `factor` brings it to the
    base unit, `digits` are the significant digits that the table can carry (None: all).
    """

    name: str
    attribute: str
    unit: str | None
    source: Source
    dataset: str | None = None
    note: str | None = None
    read_from: str | None = None
    factor: float = 1.0
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Figures that can't be compared with those of the years before: where, when, why."""

    kind: str
    note: str
    cities: frozenset[str]
    years: frozenset[int]
    columns: frozenset[str]

    def concerns(self, city: str, year: int, column: str) -> bool:
        """Whether it concerns one figure."""
        return city in self.cities and year in self.years and column in self.columns


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one city and year, in base units."""

    city: str
    year: int
    column: Column
    value: int | float
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What `sources.toml` says."""

    columns: tuple[Column, ...]
    breaks: tuple[Break, ...]

    def breaks_of(self, city: str, year: int, column: str) -> tuple[Break, ...]:
        """Give the breaks that concern one figure."""
        return tuple(one for one in self.breaks if one.concerns(city, year, column))


def read_sources(path: Path) -> Sources:
    """Read `sources.toml`; raise BadRequestDataError naming what is missing or unknown."""
    document = tomllib.loads(path.read_text("utf-8"))
    publishers = {
        key: Source(key, _text(item, "title", key), _text(item, "licence", key), item.get("url"))
        for key, item in document.get("sources", {}).items()
    }
    columns = tuple(_column(item, publishers) for item in document.get("figures", ()))
    names = {column.name for column in columns}
    breaks = tuple(_break(item, names) for item in document.get("breaks", ()))
    return Sources(columns, breaks)


def read_figures(path: Path, sources: Sources) -> Iterator[Figure]:
    """Stream the figures of a pack, city by city and year by year.

    Raises BadRequestDataError, naming the line, for what isn't a number or a known column.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        known = {"city", "year"} | {column.name for column in sources.columns}
        for name in reader.fieldnames or ():
            if name not in known:
                raise BadRequestDataError(f"{path.name}: column {name!r} isn't in sources.toml")
        for line, row in enumerate(reader, start=2):
            year = _year(row["year"], f"{path.name}, line {line}")
            for column in sources.columns:
                text = row.get(column.name)
                if text:
                    value = _number(text, f"{path.name}, line {line}, {column.name}")
                    breaks = sources.breaks_of(row["city"], year, column.name)
                    yield Figure(row["city"], year, column, value, breaks)


def convert_table(
    path: Path, sources: Sources, *, cities: Mapping[str, str], years: range
) -> list[dict[str, str]]:
    """Read a table of figures by city and year into the rows of `figures.csv`.

    `path` is a CSV with columns `adcode` and `year` and those that `sources` reads from; `cities`
    maps a six-digit code to the city's id. Values come to base units and keep the significant
    digits that their column can carry. Rows of other cities and years are left out.
    """
    rows: dict[tuple[str, int], dict[str, str]] = {}
    wanted = [column for column in sources.columns if column.read_from is not None]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        absent = {c.read_from for c in wanted} | {"adcode", "year"}
        absent -= set(reader.fieldnames or ())
        if absent:
            raise BadRequestDataError(f"{path}: no column {', '.join(sorted(map(str, absent)))}")
        for line, raw in enumerate(reader, start=2):
            city = cities.get(raw["adcode"].removesuffix(".0"))
            year = _year(raw["year"], f"{path.name}, line {line}")
            if city is None or year not in years:
                continue
            row = {"city": city, "year": str(year)}
            for column in wanted:
                text = raw[str(column.read_from)]
                if text:
                    number = _number(text, f"{path.name}, line {line}, {column.read_from}")
                    row[column.name] = _base(number, column)
            rows[city, year] = row
    return [rows[key] for key in sorted(rows)]


def write_figures(path: Path, rows: Iterable[Mapping[str, str]], sources: Sources) -> None:
    """Write `figures.csv`."""
    names = ["city", "year", *(column.name for column in sources.columns)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _base(value: float, column: Column) -> str:
    """Write a value in its base unit, without the noise of the arithmetic.

    >>> from conurb.regions.figures import Column, Source
    >>> _base(129.839996, Column("gdp", "gdp", "CNY", Source("s", "", ""), factor=1e8, digits=7))
    '12984000000'
    """
    digits = column.digits or 15
    exact = float(f"{float(f'{value:.{digits}g}') * column.factor:.15g}")
    return str(int(exact)) if exact.is_integer() else repr(exact)


def _column(item: Mapping[str, Any], publishers: Mapping[str, Source]) -> Column:
    name = _text(item, "column", "a figure")
    source = _text(item, "source", name)
    if source not in publishers:
        raise BadRequestDataError(
            f"sources.toml: {name} comes from {source!r}; sources are {', '.join(publishers)}"
        )
    return Column(
        name=name,
        attribute=_text(item, "attribute", name),
        unit=item.get("unit"),
        source=publishers[source],
        dataset=item.get("dataset"),
        note=item.get("note"),
        read_from=item.get("from"),
        factor=float(item.get("factor", 1)),
        digits=item.get("digits"),
    )


def _break(item: Mapping[str, Any], columns: Iterable[str]) -> Break:
    note = _text(item, "note", "a break")
    kind = _text(item, "kind", note)
    if kind not in BREAK_KINDS:
        allowed = ", ".join(sorted(BREAK_KINDS))
        raise BadRequestDataError(f"sources.toml: kind {kind!r} of a break; allowed: {allowed}")
    named: Sequence[str] = item.get("columns", ())
    for name in named:
        if name not in columns:
            raise BadRequestDataError(f"sources.toml: the break {note!r} names no column {name!r}")
    return Break(
        kind=kind,
        note=note,
        cities=frozenset(item.get("cities", ())),
        years=frozenset(item.get("years", ())),
        columns=frozenset(named or columns),
    )


def _text(item: Mapping[str, Any], key: str, owner: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequestDataError(f"sources.toml: {owner} has no {key}")
    return value


def _year(text: str, where: str) -> int:
    if not text.isdecimal() or not YEAR_MIN <= int(text) <= YEAR_MAX:
        raise BadRequestDataError(f"{where}: {text!r} is not a year")
    return int(text)


def _number(text: str, where: str) -> int | float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadRequestDataError(f"{where}: {text!r} is not a number") from error
    if not math.isfinite(value):
        raise BadRequestDataError(f"{where}: {text!r} is not a number")
    return int(value) if value.is_integer() else value
