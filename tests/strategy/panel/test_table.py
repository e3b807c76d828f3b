"""The panel: what it reads, and what it refuses, naming the cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel import Panel

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"

ROWS = [
    {"city": "Hangzhou", "year": 2001, "gdp": 3.0, "name": "杭州"},
    {"city": "Hangzhou", "year": 2000, "gdp": 2.0, "name": "杭州"},
    {"city": "Ningbo", "year": 2001, "gdp": "1.5", "name": "宁波"},
]


def panel() -> Panel:
    return Panel.from_rows(ROWS, unit="city", time="year", measures={"gdp": "CNY"})


def test_rows_in_any_order_become_arrays_by_unit_and_ascending_year() -> None:
    read = panel()
    assert (read.units, read.years) == (("Hangzhou", "Ningbo"), (2000, 2001))
    np.testing.assert_array_equal(read.get("gdp"), [[2.0, 3.0], [np.nan, 1.5]])
    assert read.measures == {"gdp": "CNY"}


def test_text_columns_are_left_out_unless_asked_for() -> None:
    assert set(panel().columns) == {"gdp"}
    with pytest.raises(InputError, match=r"'name' of Hangzhou 2001 is '杭州'"):
        Panel.from_rows(ROWS, unit="city", time="year", columns=["name"])


def test_a_gap_is_named_when_a_balanced_column_is_needed() -> None:
    with pytest.raises(InputError, match="Ningbo 2000"):
        panel().get_complete("gdp")
    whole = panel().select(years=[2001])
    np.testing.assert_array_equal(whole.stack(["gdp", "gdp"])[:, :, 0], [[3.0], [1.5]])


def test_a_unit_year_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="Hangzhou 2001 is given twice, in rows 1 and 4"):
        Panel.from_rows([*ROWS, ROWS[0]], unit="city", time="year")


@pytest.mark.parametrize("year", ["", "then", 2000.5, None])
def test_a_row_without_a_whole_year_is_refused(year: object) -> None:
    with pytest.raises(InputError, match=r"Row 1 \(Wuxi\)"):
        Panel.from_rows([{"city": "Wuxi", "year": year, "gdp": 1}], unit="city", time="year")


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NotFoundError, match="gdp"):
        panel().get("GDP")
    with pytest.raises(NotFoundError, match="labour"):
        Panel.from_rows(ROWS, unit="city", time="year", columns=["labour"])


def test_infinite_figures_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="infinite at Hangzhou 2001"):
        panel().with_columns({"x": np.array([[1.0, np.inf], [1.0, 1.0]])})
    with pytest.raises(InputError, match=r"shape \(2,\)"):
        panel().with_columns({"x": np.ones(2)})


def test_columns_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        panel().get("gdp")[0, 0] = 1.0


def test_a_csv_line_of_another_length_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text("city,year,gdp\nWuxi,2000,1\nWuxi,2001\n")
    with pytest.raises(InputError, match="line 3 has 2 fields"):
        Panel.from_csv(file, unit="city", time="year")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared reference data aren't here")
def test_the_chinese_city_panel_is_read_whole() -> None:
    read = Panel.from_csv(SHARED / "city_panel" / "china_city_year.csv", unit="city", time="year")
    assert read.shape == (295, 24)
    assert read.get("gdp_100m_cny")[read.units.index("北京市"), 0] == 3277.8
