"""A panel in and out of files: what comes back is what went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conurb.errors import InputError
from conurb.strategy.panel import Origin, Panel
from conurb.strategy.panel.files import (
    from_frame,
    iter_provenance,
    read_parquet,
    read_stata,
    stata_names,
    to_frame,
    write_csv,
    write_parquet,
    write_stata,
)
from conurb.strategy.panel.transform import log

SAID = Origin(
    "urn:ngsi-ld:City:a:wuxi", "gdp", None, "2001-12-31T15:59:59Z", "yearbook", "error: x"
)


def panel() -> Panel:
    cells = np.full((2, 2), None, dtype=object)
    cells[0, 1] = SAID
    return Panel(
        ("无锡", "Ningbo"),
        (2001, 2003),
        {"gdp@yearbooks": np.array([[1 / 3, np.nan], [2.5e12, 3.0]]), "n": np.ones((2, 2))},
        {"gdp@yearbooks": "CNY"},
        {"gdp@yearbooks": cells},
    )


def same_figures(found: Panel, given: Panel) -> None:
    assert (found.units, found.years) == (given.units, given.years)
    assert list(found.columns) == list(given.columns)
    for name in given.columns:
        np.testing.assert_array_equal(found.get(name), given.get(name))


def test_parquet_keeps_figures_measures_and_origins(tmp_path: Path) -> None:
    given = log(panel(), "gdp@yearbooks")
    write_parquet(given, tmp_path / "p.parquet")
    found = read_parquet(tmp_path / "p.parquet")
    same_figures(found, given)
    assert dict(found.measures) == dict(given.measures)
    assert (found.origins["gdp@yearbooks"] == given.origins["gdp@yearbooks"]).all()
    assert found.origin("ln gdp@yearbooks", "无锡", 2001).made == "ln"


def test_stata_keeps_figures_names_measures_and_chinese(tmp_path: Path) -> None:
    write_stata(panel(), tmp_path / "p.dta", unit="city")
    found = read_stata(tmp_path / "p.dta", unit="city", time="year")
    same_figures(found, panel())
    assert dict(found.measures) == {"gdp@yearbooks": "CNY"}
    raw = pd.read_stata(tmp_path / "p.dta")
    assert list(raw.columns) == ["city", "city_id", "year", "gdp_yearbooks", "n"]
    assert list(raw["city_id"]) == [1, 1, 2, 2]


def test_names_that_stata_would_take_for_one_stay_apart() -> None:
    long = "x" * 40
    names = stata_names([long, long + "y", "a b", "a-b"])
    assert len(set(names.values())) == 4
    assert all(len(name) <= 32 for name in names.values())


def test_a_label_too_long_for_stata_is_refused(tmp_path: Path) -> None:
    wide = Panel(("a",), (2000,), {"x" * 90: np.ones((1, 1))})
    with pytest.raises(InputError, match="80 characters"):
        write_stata(wide, tmp_path / "p.dta")


def test_csv_keeps_every_digit(tmp_path: Path) -> None:
    write_csv(panel(), tmp_path / "p.csv")
    same_figures(Panel.from_csv(tmp_path / "p.csv", unit="unit", time="year"), panel())


def test_frames_come_and_go_also_with_keys_in_the_index() -> None:
    frame = to_frame(panel())
    same_figures(from_frame(frame, unit="unit", time="year"), panel())
    indexed = frame.set_index(["unit", "year"])
    same_figures(from_frame(indexed, unit="unit", time="year"), panel())


def test_whole_numbers_with_gaps_are_read_from_a_frame() -> None:
    frame = pd.DataFrame(
        {"c": ["a", "a"], "y": [2000.0, 2001.0], "x": pd.array([1, None], "Int64")}
    )
    np.testing.assert_array_equal(from_frame(frame, unit="c", time="y").get("x"), [[1.0, np.nan]])


@pytest.mark.parametrize("name", ["p.parquet", "p.dta"])
def test_a_file_that_is_not_what_it_says_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    read = read_stata if name.endswith("dta") else read_parquet
    with pytest.raises(InputError, match=f"{name} can't be read"):
        read(tmp_path / name, unit="c", time="y")


def test_parquet_of_others_needs_its_keys_named(tmp_path: Path) -> None:
    pd.DataFrame({"c": ["a"], "y": [2000], "x": [1.0]}).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(InputError, match="which columns"):
        read_parquet(tmp_path / "o.parquet")
    found = read_parquet(tmp_path / "o.parquet", unit="c", time="y")
    assert found.origin("x", "a", 2000) == Origin("a", "x", None, "2000", "o.parquet")


def test_provenance_has_a_row_for_every_figure_and_none_for_gaps() -> None:
    rows = list(iter_provenance(panel()))
    assert len(rows) == 7
    assert [row["value"] for row in rows if row["unit"] == "无锡"] == [1 / 3, 1.0, 1.0]
