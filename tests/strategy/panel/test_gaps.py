"""Gaps stay gaps unless asked; what is filled, taken out or computed says so."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.regions.pack import read_pack
from conurb.strategy.panel import Panel
from conurb.strategy.panel.gaps import (
    balance,
    gaps,
    interpolate,
    interpolated,
    is_balanced,
    without_flagged,
)
from conurb.strategy.panel.objects import read_pack_panel
from conurb.strategy.panel.transform import (
    chain,
    deflate,
    implied_deflator,
    log,
    per_capita,
    ratio,
)
from conurb.strategy.warning import StrategyWarning

NAN = np.nan


def panel() -> Panel:
    return Panel(
        ("a", "b"),
        (2000, 2001, 2002, 2003, 2004),
        {"x": np.array([[NAN, 1.0, NAN, 4.0, NAN], [1.0, 2.0, 3.0, 4.0, 5.0]])},
        {"x": "t"},
    )


@pytest.fixture(scope="module")
def delta() -> Panel:
    return read_pack_panel(read_pack("yrd"))


def test_gaps_are_listed_and_an_unbalanced_panel_says_so() -> None:
    assert gaps(panel()) == {"x": [("a", 2000), ("a", 2002), ("a", 2004)]}
    assert not is_balanced(panel())
    assert is_balanced(panel().select(units=["b"]))


def test_balancing_names_what_it_leaves_out() -> None:
    with pytest.warns(StrategyWarning, match=r"\['x'\] are missing: a$"):
        assert balance(panel(), ["x"], drop="units").units == ("b",)
    with pytest.warns(StrategyWarning, match="2000, 2002, 2004"):
        assert balance(panel(), ["x"], drop="years").years == (2001, 2003)
    with pytest.raises(InputError, match="Every one of the units"):
        balance(panel().select(units=["a"]), ["x"], drop="units")


def test_interpolation_is_linear_inside_of_a_series_and_marked() -> None:
    with pytest.warns(StrategyWarning, match=r"1 of x \(a 2002\)"):
        filled = interpolate(panel(), ["x"], years_max=1)
    np.testing.assert_array_equal(filled.get("x")[0], [NAN, 1.0, 2.5, 4.0, NAN])
    assert interpolated(filled, "x").tolist()[0] == [False, False, True, False, False]
    origin = filled.origin("x", "a", 2002)
    assert origin.made == "interpolated between 2001 and 2003"
    assert [one.time for one in origin.inputs] == ["2001", "2003"]
    assert interpolated(log(filled, "x"), "ln x")[0, 2]
    assert filled.measures["x"] == "t"


def test_a_gap_longer_than_asked_for_stays() -> None:
    wide = Panel(("a",), (2000, 2001, 2002, 2003), {"x": np.array([[1.0, NAN, NAN, 4.0]])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = interpolate(wide, ["x"], years_max=1)
    np.testing.assert_array_equal(kept.get("x"), wide.get("x"))
    # A year that the panel hasn't counts as part of the gap.
    skipped = wide.select(years=[2000, 2001, 2003])
    np.testing.assert_array_equal(interpolate(skipped, ["x"], years_max=1).get("x")[0, 1], NAN)


def test_figures_flagged_as_errors_go_and_others_stay(delta: Panel) -> None:
    name = "gdp@yearbooks-sectors"
    cleaned = without_flagged(delta, [name])
    i, t = delta.place("huainan", 2022)
    assert np.isnan(cleaned.get(name)[i, t])
    assert np.isnan(cleaned.get(name)).sum() == np.isnan(delta.get(name)).sum() + 1
    assert ("hefei", 2011) in cleaned.flagged(name)
    with pytest.raises(InputError, match="'boundry'"):
        without_flagged(delta, [name], kinds=["boundry"])


def test_a_logarithm_of_zero_is_refused_by_name() -> None:
    flat = panel().with_columns({"y": np.zeros((2, 5))})
    with pytest.raises(InputError, match=r"'y' has no logarithm.* a 2000, a 2001"):
        log(flat, "y")


def test_per_capita_and_ratio_keep_their_inputs(delta: Panel) -> None:
    made = per_capita(delta, "gdpConstant2000")
    origin = made.origin("gdpConstant2000 per person", "hefei", 2011)
    assert [one.attribute for one in origin.inputs] == ["gdpConstant2000", "population"]
    assert "boundary" in origin.breaks()[0]
    assert made.measures["gdpConstant2000 per person"] == "CNY/IE"
    share = ratio(delta, "valueAddedTertiary", "gdp@yearbooks-sectors", name="services")
    known = share.get("services")[~np.isnan(share.get("services"))]
    assert ((known > 0) & (known < 1)).all()


def test_the_deflator_that_the_figures_imply_brings_them_back(delta: Panel) -> None:
    made = implied_deflator(
        delta, nominal="gdp@yearbooks-real", constant="gdpConstant2000", name="deflator"
    )
    np.testing.assert_allclose(made.get("deflator")[:, 0], 1.0, rtol=1e-6)
    back = deflate(made, "gdp@yearbooks-real", by="deflator", name="real")
    known = ~np.isnan(back.get("real"))
    np.testing.assert_allclose(
        back.get("real")[known], delta.get("gdpConstant2000")[known], rtol=1e-12
    )


def test_chained_growth_gives_the_published_figures_at_constant_prices(delta: Panel) -> None:
    # The source publishes growth to two decimals of a per cent: 23 years of rounding.
    made = chain(
        delta, value="gdp@yearbooks-real", index="gdpIndex", base_year=2000, name="chained"
    )
    apart = np.abs(made.get("chained") / delta.get("gdpConstant2000") - 1.0)
    assert np.median(apart) < 1e-5
    backwards = chain(
        delta, value="gdpConstant2000", index="gdpIndex", base_year=2010, name="from 2010"
    )
    np.testing.assert_allclose(
        backwards.get("from 2010")[:, 10], delta.get("gdpConstant2000")[:, 10], rtol=0
    )


def test_a_column_is_not_overwritten_by_a_transform() -> None:
    with pytest.raises(InputError, match="has a column 'x' already"):
        log(panel(), "x", name="x")


def test_growth_cannot_chain_over_years_that_are_missing() -> None:
    with pytest.raises(InputError, match="follow each other"):
        chain(panel().select(years=[2000, 2002]), value="x", index="x", base_year=2000, name="y")
