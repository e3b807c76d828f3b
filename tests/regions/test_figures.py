"""Figures come in base units, with their source, and with what is wrong with them."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from conurb.errors import BadRequestDataError
from conurb.regions.figures import convert_table, read_figures, read_sources, write_figures
from conurb.regions.pack import Pack

SOURCES = """
[sources.book]
title = "Yearbook"
licence = "facts"

[[figures]]
column = "gdp"
attribute = "gdp"
unit = "CNY"
source = "book"
from = "gdp_100m"
factor = 1e8
digits = 7

[[breaks]]
kind = "boundary"
note = "a county came"
cities = ["hefei"]
years = [2011]
"""


def sources_file(folder: Path, text: str = SOURCES) -> Path:
    path = folder / "sources.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_table_becomes_figures_in_base_units_and_comes_back(tmp_path: Path) -> None:
    sources = read_sources(sources_file(tmp_path))
    table = tmp_path / "table.csv"
    table.write_text(
        "adcode,year,gdp_100m\n340100,2011,129.839996\n340100,1999,5\n110000,2011,7\n340100,2012,\n"
    )
    rows = convert_table(table, sources, cities={"340100": "hefei"}, years=range(2000, 2024))
    write_figures(tmp_path / "figures.csv", rows, sources)
    [figure] = read_figures(tmp_path / "figures.csv", sources)
    assert (figure.city, figure.year, figure.value) == ("hefei", 2011, 12_984_000_000)
    assert [one.note for one in figure.breaks] == ["a county came"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('source = "book"', 'source = "nobody"'), "nobody"),
        (('kind = "boundary"', 'kind = "whim"'), "whim"),
        (('attribute = "gdp"', ""), "attribute"),
        (("years = [2011]", 'years = [2011]\ncolumns = ["gpd"]'), "gpd"),
    ],
)
def test_what_is_wrong_in_sources_is_named(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    with pytest.raises(BadRequestDataError, match=complaint):
        read_sources(sources_file(tmp_path, SOURCES.replace(*change)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("city,year,gdp\nhefei,2011,many\n", "line 2"),
        ("city,year,gdp\nhefei,2011,nan\n", "line 2"),
        ("city,year,gdp\nhefei,MMXI,1\n", "MMXI"),
        ("city,year,gpd\nhefei,2011,1\n", "gpd"),
    ],
)
def test_what_is_wrong_in_figures_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    sources = read_sources(sources_file(tmp_path))
    (tmp_path / "figures.csv").write_text(text)
    with pytest.raises(BadRequestDataError, match=complaint):
        list(read_figures(tmp_path / "figures.csv", sources))


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    sources = read_sources(sources_file(tmp_path))
    (tmp_path / "table.csv").write_text("adcode,year\n340100,2011\n")
    with pytest.raises(BadRequestDataError, match="gdp_100m"):
        convert_table(tmp_path / "table.csv", sources, cities={}, years=range(2000, 2024))


def test_the_delta_has_24_years_of_every_city(yrd: Pack) -> None:
    years: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for figure in yrd.iter_figures():
        years[figure.column.name, figure.city].add(figure.year)
    full = set(range(2000, 2024))
    for column in ("co2_edgar", "gdp_index", "gdp_constant", "area"):
        assert [city.id for city in yrd.cities if years[column, city.id] != full] == []
    assert years["gdp_sectors", "huaian"] == full - {2000}
    assert max(years["so2", "hefei"]) == 2017


def test_every_break_that_is_known_marks_its_figures(yrd: Pack) -> None:
    assert yrd.sources is not None
    marked = Counter(one.note for figure in yrd.iter_figures() for one in figure.breaks)
    assert set(marked) == {one.note for one in yrd.sources.breaks}
    wrong = [
        (figure.city, figure.year, figure.column.name)
        for figure in yrd.iter_figures()
        if any(one.kind == "error" for one in figure.breaks)
    ]
    assert sorted(wrong) == [
        ("huainan", 2022, name) for name in ("gdp_sectors", "va1", "va2", "va3")
    ]


def test_no_interpolated_column_ships(yrd: Pack) -> None:
    assert yrd.sources is not None
    assert [c.name for c in yrd.sources.columns if "interp" in str(c.read_from)] == []


def test_the_figures_are_those_of_the_table(yrd: Pack, shared_data: Path) -> None:
    """Relative tolerance 1e-6: single-precision columns carry seven digits."""
    with (shared_data / "city_panel" / "yrd_city_year_panel.csv").open(encoding="utf-8") as file:
        table = {(row["adcode"], int(row["year"])): row for row in csv.DictReader(file)}
    codes = {city.id: city.code for city in yrd.cities}
    count = 0
    for figure in yrd.iter_figures():
        column = figure.column
        raw = float(table[codes[figure.city], figure.year][str(column.read_from)])
        assert figure.value == pytest.approx(raw * column.factor, rel=1e-6)
        count += 1
    filled = [
        row[str(column.read_from)]
        for (_, year), row in table.items()
        if 2000 <= year <= 2023
        for column in (yrd.sources.columns if yrd.sources else ())
    ]
    assert count == sum(1 for text in filled if text)


def test_low_carbon_pilot_years_are_those_of_the_table(yrd: Pack, shared_data: Path) -> None:
    with (shared_data / "city_panel" / "china_city_year.csv").open(encoding="utf-8") as file:
        official = {
            row["adcode"]: int(float(row["low_carbon_pilot_year"]))
            for row in csv.DictReader(file)
            if row["low_carbon_pilot_year"]
        }
    [fact] = yrd.definition.facts
    ours = {city.code: fact.values.get(city.id) for city in yrd.cities}
    assert ours == {city.code: official.get(city.code) for city in yrd.cities}
