"""Intensity, decoupling and decomposition: identities exact to rounding, states by Tapio's map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conurb.errors import InputError
from conurb.strategy.green.decomposition import kaya, lmdi, log_mean
from conurb.strategy.green.decoupling import State, classify, tapio
from conurb.strategy.green.intensity import intensity, measure_of, yearly_change
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

FIGURES = arrays(np.float64, (3, 4), elements=st.floats(1e-3, 1e6))


def panel(**columns: list[list[float]]) -> Panel:
    arrays_ = {name: np.array(rows, dtype=float) for name, rows in columns.items()}
    n, t = next(iter(arrays_.values())).shape
    return Panel(tuple("ABC"[:n]), tuple(range(2000, 2000 + t)), arrays_)


def test_intensity_is_a_ratio_with_its_unit_and_keeps_gaps() -> None:
    held = panel(co2=[[4.0, np.nan]], gdp=[[2.0, 5.0]])
    np.testing.assert_array_equal(intensity(held, "co2", "gdp"), [[2.0, np.nan]])
    named = Panel(held.units, held.years, held.columns, {"co2": "t", "gdp": "CNY"})
    assert measure_of(named, "co2", "gdp") == "t/CNY"
    assert measure_of(held, "co2", "gdp") is None


def test_intensity_refuses_a_denominator_of_zero_by_name() -> None:
    with pytest.raises(InputError, match="'gdp' isn't positive for A 2001"):
        intensity(panel(co2=[[1.0, 1.0]], gdp=[[1.0, 0.0]]), "co2", "gdp")


def test_yearly_change_spreads_over_missing_years() -> None:
    held = Panel(("A",), (2000, 2002), {"x": np.array([[1.0, 1.21]])})
    np.testing.assert_allclose(yearly_change(held, held.get("x")), [[0.1]])


@pytest.mark.parametrize(
    ("pressure", "driver", "state"),
    [
        (-0.1, 0.1, State.STRONG_DECOUPLING),
        (0.05, 0.1, State.WEAK_DECOUPLING),
        (0.1, 0.1, State.EXPANSIVE_COUPLING),
        (0.2, 0.1, State.EXPANSIVE_NEGATIVE_DECOUPLING),
        (0.1, -0.1, State.STRONG_NEGATIVE_DECOUPLING),
        (-0.05, -0.1, State.WEAK_NEGATIVE_DECOUPLING),
        (-0.1, -0.1, State.RECESSIVE_COUPLING),
        (-0.2, -0.1, State.RECESSIVE_DECOUPLING),
        (0.1, 0.0, State.UNDEFINED),
        (float("nan"), 0.1, State.MISSING),
    ],
)
def test_each_corner_of_tapios_map_has_its_name(
    pressure: float, driver: float, state: State
) -> None:
    assert classify(pressure, driver)[1] is state


def test_decoupling_over_a_span_and_a_driver_that_stands_still() -> None:
    held = panel(co2=[[10.0, 11.0, 9.0]], gdp=[[10.0, 10.0, 20.0]])
    with pytest.warns(StrategyWarning, match="'gdp' didn't change from A 2000"):
        yearly = tapio(held, "co2", "gdp")
    assert yearly.states == ((State.UNDEFINED, State.STRONG_DECOUPLING),)
    whole = tapio(held, "co2", "gdp", span=2)
    np.testing.assert_allclose(whole.elasticity, [[-0.1]])
    with pytest.raises(InputError, match="span is 3"):
        tapio(held, "co2", "gdp", span=3)


@given(FIGURES, FIGURES, FIGURES, st.sampled_from(["previous", "first"]))
def test_effects_sum_to_the_change_and_multiply_to_the_ratio(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, base: str
) -> None:
    split = lmdi(
        {"a": a, "b": b, "c": c},
        units=tuple("ABC"),
        years=(1, 2, 3, 4),
        base=base,  # type: ignore[arg-type]
    )
    scale = (a * b * c).max()
    np.testing.assert_allclose(
        sum(split.additive.values()) / scale, split.change / scale, atol=1e-11
    )
    np.testing.assert_allclose(
        np.prod(list(split.multiplicative.values()), axis=0), split.ratio, rtol=1e-10
    )


def test_sectors_add_up_and_a_shared_factor_may_have_none() -> None:
    rng = np.random.default_rng(1)
    activity, intensity_ = rng.uniform(1, 2, (2, 3)), rng.uniform(1, 2, (2, 3, 4))
    split = lmdi({"activity": activity, "intensity": intensity_}, units=("A", "B"),
                 years=(1, 2, 3))  # fmt: skip
    totals = (activity[:, :, None] * intensity_).sum(axis=2)
    np.testing.assert_allclose(split.change, np.diff(totals, axis=1))
    np.testing.assert_allclose(sum(split.additive.values()), split.change)
    np.testing.assert_allclose(np.prod(list(split.multiplicative.values()), axis=0), split.ratio)


def test_the_logarithmic_mean_is_exact_where_figures_are_almost_equal() -> None:
    a = np.array([5.0, 5.0, 5.0])
    b = a * (1 + np.array([0.0, 1e-9, 1e-4]))
    # L = a (1 + h/2 - h^2/12 + ...) for b = a (1 + h).
    h = b / a - 1
    np.testing.assert_allclose(log_mean(a, b), a * (1 + h / 2 - h**2 / 12), rtol=1e-13)


def test_kaya_names_its_factors_by_what_is_there() -> None:
    held = panel(co2=[[8.0, 9.0]], people=[[2.0, 2.0]], gdp=[[4.0, 6.0]], energy=[[5.0, 5.0]])
    without = kaya(held, carbon="co2", population="people", gdp="gdp")
    assert set(without.additive) == {"population", "GDP per person", "carbon per GDP"}
    split = kaya(held, carbon="co2", population="people", gdp="gdp", energy="energy")
    np.testing.assert_allclose(split.additive["population"], 0.0)
    assert split.additive["GDP per person"] > 0 > split.additive["energy per GDP"]
    np.testing.assert_allclose(sum(split.additive.values()), [[1.0]])


def test_a_zero_has_no_logarithm_and_is_named() -> None:
    with pytest.raises(InputError, match="'a' isn't a positive figure for B 2"):
        lmdi({"a": np.array([[1.0, 1.0], [1.0, 0.0]])}, units=("A", "B"), years=(1, 2))
    held = panel(co2=[[8.0, 0.0]], people=[[2.0, 2.0]], gdp=[[4.0, 6.0]])
    with pytest.raises(InputError, match="'co2' isn't positive for A 2001"):
        kaya(held, carbon="co2", population="people", gdp="gdp")
