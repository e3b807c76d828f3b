"""Uncertainty of ranks: what it must be where chance can be worked out.

Frequencies of 20,000 draws are held to 0.015, four standard errors of the least sure.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.index.method import Method
from conurb.strategy.index.score import Scores, score
from conurb.strategy.index.uncertainty import RankUncertainty, rank_uncertainty
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.index.trees import leaf, panel, tree

NAN = np.nan
DRAWS = 20_000
BY_CHANCE = 0.015


def draw(scores: Scores, **said: Any) -> RankUncertainty:
    return rank_uncertainty(scores, **{"year": 2000, "rng": np.random.default_rng(1), **said})


def cities(n: int = 41, k: int = 12, seed: int = 0) -> Scores:
    rng = np.random.default_rng(seed)
    given = {f"x{i}": rng.uniform(size=(n, 1)) for i in range(k)}
    made = Panel(tuple(f"c{i}" for i in range(n)), (2000,), given)
    return score(made, tree([leaf(name) for name in given]))


def test_weights_that_do_not_move_give_the_ranks_themselves() -> None:
    scores = cities()
    found = draw(scores, spread=0.0, draws=10)
    np.testing.assert_array_equal(found.median, scores.ranks()[:, 0])
    np.testing.assert_array_equal(found.low, found.high)
    assert (found.frequency.max(axis=1) == 1.0).all()


def test_all_weights_alike_give_the_chance_by_hand() -> None:
    # a = (1, 0), b = (0, 1/2) after normalisation: a leads when w > (1 - w) / 2, that is w > 1/3.
    found = draw(
        score(panel(x=[[1], [0], [0]], y=[[0], [0.5], [1]]), tree([leaf("x"), leaf("y")])),
        spread=None,
        draws=DRAWS,
    )
    assert found.above[0, 1] == pytest.approx(2 / 3, abs=BY_CHANCE)
    assert found.share_in_top(1)[0] == pytest.approx(1 / 2, abs=BY_CHANCE)
    assert found.above[1, 2] == 0.0


@pytest.mark.parametrize("aggregation", ["arithmetic", "geometric", "topsis"])
def test_a_missing_figure_is_drawn_from_those_of_the_others(aggregation: Any) -> None:
    # c's y is that of a, b or d with the same chance: 0, 1/2 or 1. Only with 1 is it above b's 1/2
    # and x being equal it leads b then, and ties with b in one of three.
    given = panel(x=[[1], [2], [2], [3]], y=[[1], [2], [NAN], [3]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        scores = score(
            given, tree([leaf("x"), leaf("y")]), Method(aggregation=aggregation, missing="reweigh")
        )
    found = draw(scores, draws=DRAWS)
    assert found.above[2, 1] == pytest.approx(1 / 3, abs=BY_CHANCE)
    assert found.above[1, 2] == pytest.approx(1 / 3, abs=BY_CHANCE)
    assert "1 missing figures drawn" in found.how


def test_data_that_may_be_missing_can_only_move_who_is_not_ahead_in_everything() -> None:
    given = panel(x=[[3], [2], [1]], y=[[3], [1], [2]])
    found = draw(score(given, tree([leaf("x"), leaf("y")])), dropped=0.3, draws=DRAWS)
    assert found.above[0].tolist()[1:] == [1.0, 1.0]
    # b leads c by x, c leads b by y; each is gone with the same chance.
    assert found.above[1, 2] == pytest.approx(found.above[2, 1], abs=2 * BY_CHANCE)


@pytest.mark.parametrize("said", [{}, {"spread": None}, {"dropped": 0.2}])
def test_frequencies_are_shares_and_pairs_add_up(said: dict[str, Any]) -> None:
    found = draw(cities(), draws=2_000, **said)
    np.testing.assert_allclose(found.frequency.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.frequency.sum(axis=0), 1.0)
    off = ~np.eye(41, dtype=bool)
    np.testing.assert_allclose((found.above + found.above.T)[off], 1.0)
    assert (found.low <= found.median).all()
    assert (found.median <= found.high).all()
    np.testing.assert_allclose(found.mean, found.frequency @ np.arange(1, 42))


def test_more_freedom_of_weights_gives_wider_ranks() -> None:
    width = [
        float((found.high - found.low).mean())
        for found in (draw(cities(), spread=s, draws=2_000) for s in (0.05, 0.25, 1.0))
    ]
    assert width[0] < width[1] < width[2]


def test_one_seed_gives_one_answer() -> None:
    first, again = draw(cities(), draws=500), draw(cities(), draws=500)
    np.testing.assert_array_equal(first.frequency, again.frequency)


def test_units_with_too_few_figures_are_left_out_by_name() -> None:
    given = panel(x=[[1], [2], [NAN]], y=[[1], [2], [NAN]])
    found = draw(score(given, tree([leaf("x"), leaf("y")]), Method(missing="leave")), draws=10)
    assert (found.units, found.left_out) == (("a", "b"), ("c",))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"spread": 1.5}, "spread is 1.5"),
        ({"dropped": 1.0}, "dropped is 1.0"),
        ({"year": 1999}, "1999 isn't among the years"),
    ],
)
def test_arguments_out_of_bounds_are_refused(said: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        draw(cities(5, 2), **said)


def test_ten_thousand_draws_on_41_cities_take_less_than_a_second() -> None:
    scores = cities()
    best = np.inf
    for _ in range(3):
        began = time.perf_counter()
        draw(scores, draws=10_000)
        best = min(best, time.perf_counter() - began)
    assert best < 1.0
