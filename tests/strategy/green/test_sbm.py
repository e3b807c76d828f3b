"""Slack-based efficiency, against a published table, a fresh scipy solve, and what it must keep.

Tone's table prints seven digits, reproduced to 1e-7. The comparisons with scipy allow 1e-7: both
solve to 1e-7 or better, in different scalings.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from conurb.errors import InputError
from conurb.strategy.green.production import Production
from conurb.strategy.green.sbm import Returns, sbm, super_sbm
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

# Tone 2001, p. 505: two inputs, two outputs, five units.
TONE_INPUTS = [[4, 3], [6, 3], [8, 1], [8, 1], [2, 4]]
TONE_OUTPUTS = [[2, 3], [2, 3], [6, 2], [6, 1], [1, 4]]
TONE_SCORES = [0.7979798, 0.5681818, 1.0, 0.6666667, 1.0]


@pytest.fixture(autouse=True)
def _few_units_are_fine() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*few compare", category=StrategyWarning)
        yield


def tone() -> Production:
    return Production.from_arrays("ABCDE", inputs=TONE_INPUTS, goods=TONE_OUTPUTS)


def random_production(seed: int, n: int, *, spread: float = 1.0, years: int = 1) -> Production:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, spread, (n, 1, 1)))
    inputs, goods, bads = (size * np.exp(rng.normal(0, 0.4, (n, years, k))) for k in (2, 1, 2))
    return Production.from_arrays(
        [f"u{i}" for i in range(n)],
        inputs=inputs,
        goods=goods,
        bads=bads,
        years=range(2000, 2000 + years),
    )


def scipy_score(production: Production, o: int, *, returns: Returns, beyond: bool) -> float:
    """Solve one unit's program from nothing, written anew: slacks in original units."""
    figures = production.stacked[:, 0]
    m, g, b = production.widths
    n, k = figures.shape
    out = -1.0 if beyond else 1.0
    signs = out * np.array([1.0] * m + [-1.0] * g + [1.0] * b)
    balance = np.hstack([figures.T, np.diag(signs), -figures[[o]].T])
    scale = np.zeros(n + k + 1)
    scale[n + m : n + k] = out / (g + b) / figures[o, m:]
    scale[-1] = 1.0
    convex = np.concatenate([np.ones(n), np.zeros(k), [-1.0]])
    costs = np.zeros(n + k + 1)
    costs[n : n + m], costs[-1] = -out / m / figures[o, :m], 1.0
    # Rows divided by the unit's own figures, so that scipy's tolerance is relative.
    balance = balance / figures[[o]].T
    equal, to = [scale], [1.0]
    if returns == "variable":
        equal, to = [*equal, convex], [*to, 0.0]
    bounds = [(0, 0 if beyond and j == o else None) for j in range(n)] + [(0, None)] * (k + 1)
    if beyond:
        side = np.array([1.0] * m + [-1.0] * g + [1.0] * b)[:, None]
        solved = linprog(costs, side * balance, np.zeros(k), equal, to, bounds, method="highs")
    else:
        solved = linprog(
            costs, None, None, [*balance, *equal], [0.0] * k + to, bounds, method="highs"
        )
    return float(solved.fun) if solved.status == 0 else np.nan


def test_tones_five_units_have_the_scores_that_he_prints() -> None:
    np.testing.assert_allclose(sbm(tone()).score[:, 0], TONE_SCORES, atol=1e-7, rtol=0)


def test_slacks_and_benchmarks_rebuild_the_projection_on_the_frontier() -> None:
    production = random_production(3, 25)
    measured = sbm(production)
    by_name = dict(zip(production.units, production.stacked[:, 0], strict=True))
    for i, unit in enumerate(production.units):
        peers = sum(by_name[peer.unit] * peer.weight for peer in measured.benchmarks[i][0])
        signs = np.array([-1, -1, 1, -1, -1])
        np.testing.assert_allclose(
            by_name[unit] + signs * measured.slacks[i, 0], peers, rtol=1e-6, err_msg=unit
        )


@pytest.mark.parametrize("returns", ["constant", "variable"])
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_warm_solves_agree_with_a_fresh_solve_of_each_unit(returns: Returns, spread: float) -> None:
    production = random_production(7, 40, spread=spread)
    fresh = [scipy_score(production, o, returns=returns, beyond=False) for o in range(40)]
    np.testing.assert_allclose(sbm(production, returns=returns).score[:, 0], fresh, atol=1e-7)


@pytest.mark.parametrize("returns", ["constant", "variable"])
def test_super_efficiency_agrees_with_a_fresh_solve_where_there_is_one(returns: Returns) -> None:
    production = random_production(11, 30)
    plain = sbm(production, returns=returns).score[:, 0]
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        beyond = super_sbm(production, returns=returns).score[:, 0]
    assert ((plain < 0.999) == (beyond < 0.999)).all()
    np.testing.assert_array_equal(beyond[plain < 0.999], plain[plain < 0.999])
    best = np.flatnonzero(plain > 0.9999)
    fresh = [scipy_score(production, o, returns=returns, beyond=True) for o in best]
    np.testing.assert_allclose(beyond[best], fresh, atol=1e-7)
    assert (beyond[best] >= 1 - 1e-7).all()


def test_an_efficient_unit_that_others_cannot_reach_is_nan_and_named() -> None:
    # Two units under variable returns; "clean" has a tenth of the bads, and the other's bads
    # would take the denominator below zero.
    production = Production.from_arrays(
        ["clean", "dirty"], inputs=[[1.0], [0.9]], goods=[[1.0], [1.0]], bads=[[0.1], [1.0]]
    )
    with pytest.warns(StrategyWarning, match="no solution.*clean 0"):
        measured = super_sbm(production, returns="variable")
    assert np.isnan(measured.score[0, 0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["constant", "variable"]))
def test_scores_are_in_0_1_with_somebody_efficient_and_variable_is_no_lower(
    seed: int, returns: Returns
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        production = random_production(seed, 12)
        score = sbm(production, returns=returns).score
        variable = sbm(production, returns="variable").score
    assert (score > 0).all()
    assert (score <= 1).all()
    assert score.max() > 1 - 1e-9
    assert (variable >= score - 1e-8).all()


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.floats(1e-6, 1e6), min_size=5, max_size=5),
    st.sampled_from(["constant", "variable"]),
)
def test_scores_do_not_depend_on_units_of_measure(
    seed: int, factors: list[float], returns: Returns
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        production = random_production(seed, 12)
        f = np.array(factors)
        other = Production.from_arrays(
            production.units,
            inputs=production.inputs * f[:2],
            goods=production.goods * f[2:3],
            bads=production.bads * f[3:],
            years=production.years,
        )
        np.testing.assert_allclose(
            sbm(other, returns=returns).score, sbm(production, returns=returns).score, atol=1e-8
        )


def test_a_frontier_of_all_years_lets_nobody_look_better() -> None:
    production = random_production(5, 20, years=3)
    by_year, by_all = (sbm(production, frontier=of).score for of in ("year", "all"))
    assert (by_all <= by_year + 1e-9).all()
    assert (by_all < by_year - 1e-3).any()


def test_more_bads_make_a_unit_look_worse() -> None:
    base = random_production(9, 20)
    o = int(np.argmin(sbm(base).score[:, 0]))
    worse = base.bads.copy()
    worse[o] *= 1.5
    other = Production.from_arrays(base.units, inputs=base.inputs, goods=base.goods, bads=worse,
                                   years=base.years)  # fmt: skip
    assert sbm(other).score[o, 0] < sbm(base).score[o, 0]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("goods", -1.0, "'good 1' is negative for B 0"),
        ("inputs", 0.0, "'input 1' is zero for B 0; the slack-based measure divides by it"),
        ("bads", np.nan, "'bad 1' has no figure for B 0"),
    ],
)
def test_figures_that_no_frontier_can_hold_are_named(kind: str, value: float, message: str) -> None:
    given_ = {name: np.ones((3, 1)) for name in ("inputs", "goods", "bads")}
    given_[kind][1, 0] = value
    with pytest.raises(InputError, match=message):
        sbm(Production.from_arrays("ABC", **given_))


def test_a_gap_in_a_panel_is_named_by_its_column() -> None:
    columns = {name: np.ones((2, 2)) for name in ("labour", "gdp", "co2")}
    columns["co2"][1, 0] = np.nan
    panel = Panel(("Hefei", "Wuhu"), (2001, 2002), columns)
    with pytest.raises(InputError, match="'co2' has no figure for Wuhu 2001"):
        Production.from_panel(panel, inputs=["labour"], goods=["gdp"], bads=["co2"])
    with pytest.raises(InputError, match="more than one role"):
        Production.from_panel(panel, inputs=["labour"], goods=["labour"])


def test_too_few_units_for_the_columns_are_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        with pytest.warns(StrategyWarning, match="5 observations .* under 12"):
            sbm(tone())


def test_an_unknown_word_is_refused_with_those_allowed() -> None:
    with pytest.raises(InputError, match="'crs'; allowed are"):
        sbm(tone(), returns="crs")  # type: ignore[arg-type]
