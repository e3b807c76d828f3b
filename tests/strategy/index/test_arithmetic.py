"""Normalisation, weights and aggregation against pymcdm, textbooks and answers by hand.

pymcdm does the same arithmetic in another order: held to 1e-7, far above rounding. AHP by Saaty's
own example is published to three digits.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pymcdm.methods import TOPSIS
from pymcdm.weights import critic_weights, entropy_weights
from pymcdm.weights.subjective import AHP

from conurb.errors import InputError
from conurb.strategy.index import weights
from conurb.strategy.index.aggregate import arithmetic, geometric, topsis
from conurb.strategy.index.normalise import normalise
from conurb.strategy.index.tree import Indicator
from conurb.strategy.panel import Figures
from conurb.strategy.warning import StrategyWarning

TOLERANCE = 1e-7
PEER = [[1.0, 3.0, 5.0], [1 / 3, 1.0, 3.0], [1 / 5, 1 / 3, 1.0]]
MATRICES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(3, 12), st.integers(2, 6)),
    elements=st.floats(0.01, 100.0),
    unique=True,
)


def random(seed: int) -> Figures:
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 50, size=(int(rng.integers(3, 60)), int(rng.integers(2, 12))))


def scale(figures: Any, *, method: Any = "min-max", across: Any = "panel", **said: Any) -> Figures:
    given = np.asarray(figures, dtype=float)
    indicator = Indicator("x", {"zh": "x", "en": "x"}, **said)
    years = range(2000, 2000 + given.shape[1])
    return normalise(given, indicator, method=method, across=across, years=years)


@pytest.mark.parametrize("seed", range(10))
def test_entropy_weights_are_those_of_pymcdm(seed: int) -> None:
    x = random(seed)
    np.testing.assert_allclose(weights.entropy(x), entropy_weights(x), rtol=TOLERANCE)


def test_entropy_counts_zero_as_saying_nothing() -> None:
    # By hand: column 1 is (1/2, 1/2, 0): e = ln 2 / ln 3. pymcdm takes any zero as e = 0 instead.
    x = np.array([[1.0, 2.0], [1.0, 1.0], [0.0, 1.0]])
    e = np.log(2) / np.log(3), 1.5 * np.log(2) / np.log(3)
    diversity = np.array([1 - e[0], 1 - e[1]])
    np.testing.assert_allclose(weights.entropy(x), diversity / diversity.sum(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_critic_weights_are_those_of_pymcdm(seed: int) -> None:
    x = random(seed)
    ours = weights.critic((x - x.min(0)) / (x.max(0) - x.min(0)))
    np.testing.assert_allclose(ours, critic_weights(x), rtol=TOLERANCE)


@pytest.mark.parametrize("seed", range(10))
def test_topsis_is_that_of_pymcdm(seed: int) -> None:
    x = random(seed)
    rng = np.random.default_rng(seed)
    given, signs = rng.dirichlet(np.ones(x.shape[1])), rng.choice([-1, 1], size=x.shape[1])
    n = (x - x.min(0)) / (x.max(0) - x.min(0))
    n = np.where(signs > 0, n, 1 - n)
    ours = topsis(n, given, best=np.ones(x.shape[1]), worst=np.zeros(x.shape[1]))
    np.testing.assert_allclose(ours, TOPSIS()(x, given, signs), rtol=TOLERANCE)


def test_ahp_gives_the_weights_and_the_consistency_of_the_textbook() -> None:
    found = weights.ahp(PEER)
    np.testing.assert_allclose(found.weights, [0.637, 0.258, 0.105], atol=5e-4)
    np.testing.assert_allclose(found.largest_eigenvalue, 3.039, atol=5e-4)
    np.testing.assert_allclose(found.weights, AHP(matrix=np.array(PEER))(), rtol=TOLERANCE)
    assert found.ratio == pytest.approx(0.0385 / 2 / 0.58, abs=1e-3)


@pytest.mark.parametrize("n", range(1, 11))
def test_judgements_without_contradiction_give_back_their_weights(n: int) -> None:
    true = np.random.default_rng(n).dirichlet(np.ones(n))
    found = weights.ahp(true[:, None] / true[None, :])
    np.testing.assert_allclose(found.weights, true, rtol=1e-9)
    assert found.ratio == pytest.approx(0.0, abs=1e-9)


def test_judgements_that_contradict_each_other_are_warned_of() -> None:
    circle = [[1, 5, 1 / 5], [1 / 5, 1, 5], [5, 1 / 5, 1]]
    with pytest.warns(StrategyWarning, match=r"AHP, fields: the consistency ratio is \d"):
        assert weights.ahp(circle, name="fields").ratio > 1


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[1, 2], [2, 1]], r"comparison \(1, 2\) is 2 and \(2, 1\) is 2"),
        ([[1, -2], [-0.5, 1]], "must be positive"),
        ([[1, 2, 3], [1 / 2, 1, 2]], "shape"),
        (np.ones((16, 16)), "1 to 15"),
    ],
)
def test_judgements_that_cannot_be_are_refused(matrix: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        weights.ahp(matrix)


@settings(max_examples=50, deadline=None)
@given(MATRICES)
def test_weights_of_data_sum_to_one_and_do_not_know_units(matrix: Figures) -> None:
    try:
        found = weights.entropy(matrix)
    except InputError as error:
        assert "uniform" in error.detail  # noqa: PT017
        return
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    np.testing.assert_allclose(weights.entropy(matrix * 7.0), found, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("weigh", "matrix", "said"),
    [
        (weights.entropy, [[1, -1], [1, 1]], "not negative"),
        (weights.entropy, [[0, 1], [0, 2]], "Column 0 is all zero"),
        (weights.entropy, [[1, 1], [1, 1]], "uniform"),
        (weights.critic, [[0, 1], [1, 1]], "Column 1 is constant"),
        (weights.critic, [[0, 0], [1, 1]], "say the same"),
        (weights.critic, [[0, 1]], "two rows"),
        (weights.critic, [[0, np.nan], [1, 2]], "finite"),
    ],
)
def test_data_that_cannot_weigh_are_refused(weigh: Any, matrix: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        weigh(matrix)


def test_min_max_puts_the_ends_of_the_panel_at_zero_and_one() -> None:
    x = [[1.0, 3.0], [2.0, 5.0]]
    np.testing.assert_allclose(scale(x), [[0, 0.5], [0.25, 1]])
    np.testing.assert_allclose(scale(x, direction="cost"), [[1, 0.5], [0.75, 0]])
    np.testing.assert_allclose(scale(x, across="year"), [[0, 0], [1, 1]])


def test_fixed_bounds_take_the_place_of_the_ends() -> None:
    np.testing.assert_allclose(scale([[20.0], [70.0]], bounds=(0, 100)), [[0.2], [0.7]])
    flipped = scale([[20.0], [70.0]], bounds=(0, 100), direction="cost")
    np.testing.assert_allclose(flipped, [[0.8], [0.3]])
    with pytest.raises(InputError, match="170, outside of its bounds 0 to 100"):
        scale([[20.0], [170.0]], bounds=(0, 100))


def test_z_has_mean_zero_and_deviation_one() -> None:
    found = scale([[1.0, 2.0], [4.0, np.nan]], method="z")
    assert np.nanmean(found) == pytest.approx(0.0)
    assert np.nanstd(found) == pytest.approx(1.0)
    assert np.isnan(found[1, 1])


def test_ranks_are_shares_of_the_others_below_and_ties_count_half() -> None:
    found = scale([[5.0], [1.0], [5.0], [np.nan], [9.0]], method="rank")
    np.testing.assert_allclose(found[:, 0], [0.5, 0.0, 0.5, np.nan, 1.0])


def test_what_is_better_near_a_target_counts_by_its_distance() -> None:
    found = scale([[2.0], [5.0], [6.0]], direction="near", target=5.0)
    np.testing.assert_allclose(found[:, 0], [0.0, 1.0, 2 / 3])


def test_distance_to_target_is_the_part_reached() -> None:
    np.testing.assert_allclose(
        scale([[5.0], [20.0]], method="target", target=10.0)[:, 0], [0.5, 1.0]
    )
    np.testing.assert_allclose(
        scale([[5.0], [20.0]], method="target", target=10.0, direction="cost")[:, 0], [1.0, 0.5]
    )


@pytest.mark.parametrize(
    ("figures", "said", "error"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], {}, "Indicator 'x' is the same wherever"),
        ([[1.0, 1.0], [2.0, 1.0]], {"across": "year"}, "'x' in 2001 is the same"),
        ([[1.0, 1.0], [1.0, 1.0]], {"method": "z"}, "is the same wherever"),
        ([[1.0], [2.0]], {"method": "target"}, "target None"),
        ([[-1.0], [2.0]], {"method": "target", "target": 1.0}, "zero or less"),
        ([[1.0], [2.0]], {"method": "target", "target": 1.0, "direction": "near"}, "take min-max"),
        ([[1.0], [2.0]], {"bounds": (0, 9), "target": 1.0, "direction": "near"}, "bounds don't"),
    ],
)
def test_figures_that_cannot_be_normalised_are_refused(figures: Any, said: Any, error: str) -> None:
    with pytest.raises(InputError, match=error):
        scale(figures, **said)


def test_means_are_those_by_hand() -> None:
    n, w = np.array([[0.5, 0.25], [1.0, 0.0]]), np.array([0.75, 0.25])
    np.testing.assert_allclose(arithmetic(n, w), [0.4375, 0.75])
    np.testing.assert_allclose(geometric(n, w), [0.5**0.75 * 0.25**0.25, 0.0])
    # A zero that has no weight says nothing.
    np.testing.assert_allclose(geometric(n, np.array([1.0, 0.0])), [0.5, 1.0])


def test_no_distance_between_best_and_worst_gives_no_number() -> None:
    same = np.ones((1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(topsis(same, same[0] / 2, best=same[0], worst=same[0])).all()
