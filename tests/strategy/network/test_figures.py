"""Industries, rank and size, coupling: answers by hand and properties that hold for any figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conurb.errors import InputError
from conurb.strategy.network.coupling import LEVELS, coupling_coordination
from conurb.strategy.network.industry import (
    complementarity_matrix,
    krugman_index,
    krugman_matrix,
    location_quotients,
    shares,
    similarity_matrix,
    structure,
)
from conurb.strategy.network.ranksize import rank_size
from conurb.strategy.panel import Figures

TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 8), st.integers(2, 6)),
    elements=st.floats(0.01, 1e6),
)
MIRROR = np.array([[3.0, 1.0], [1.0, 3.0]])


def test_location_quotients_by_hand() -> None:
    # The region is half and half; a has 3/4 and 1/4 of it.
    np.testing.assert_allclose(location_quotients(MIRROR), [[1.5, 0.5], [0.5, 1.5]])
    assert np.isnan(location_quotients([[1.0, 0.0], [2.0, 0.0]])[:, 1]).all()


def test_krugman_by_hand() -> None:
    np.testing.assert_allclose(krugman_index(MIRROR), [1.0, 1.0])
    np.testing.assert_allclose(krugman_matrix(MIRROR), [[0, 1], [1, 0]])
    np.testing.assert_allclose(krugman_index(np.eye(2)), [2.0, 2.0])


def test_similarity_by_hand() -> None:
    # (3, 1) and (1, 3): 6 / 10.
    np.testing.assert_allclose(similarity_matrix(MIRROR), [[1, 0.6], [0.6, 1]])


def test_complementarity_of_the_same_and_of_opposites() -> None:
    table = np.array([[4.0, 2.0, 2.0], [8.0, 4.0, 4.0], [2.0, 4.0, 4.0]])
    found = complementarity_matrix(table)
    assert found[0, 1] == pytest.approx(0.0)
    assert found[0, 2] == pytest.approx(1.0)
    # Two sectors only mirror each other, and equal quotients have no direction.
    assert np.isnan(complementarity_matrix(MIRROR)).all()
    assert np.isnan(complementarity_matrix(np.ones((2, 3)))).all()


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_what_holds_for_any_industries(table: Figures) -> None:
    own = shares(table)
    region = table.sum(axis=0) / table.sum()
    np.testing.assert_allclose(own.sum(axis=1), 1.0)
    # Quotients weighted by the region's shares are 1 for every unit.
    np.testing.assert_allclose((location_quotients(table) * region).sum(axis=1), 1.0)
    assert ((krugman_index(table) >= 0) & (krugman_index(table) <= 2 + 1e-12)).all()
    likeness = similarity_matrix(table)
    np.testing.assert_allclose(likeness, likeness.T)
    np.testing.assert_allclose(np.diag(likeness), 1.0)
    assert (likeness >= 0).all()
    apart = complementarity_matrix(table)
    known = ~np.isnan(apart)
    assert ((apart[known] >= 0) & (apart[known] <= 1)).all()
    # A unit twice as large with the same structure is the same to all of them.
    doubled = table.copy()
    doubled[0] *= 2
    np.testing.assert_allclose(similarity_matrix(doubled), likeness)
    np.testing.assert_allclose(krugman_matrix(doubled), krugman_matrix(table), atol=1e-12)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([[1.0, -1.0], [1.0, 1.0]], "services of a is -1"),
        ([[1.0, np.nan], [1.0, 1.0]], "services of a is nan"),
        ([[1.0, 1.0], [0.0, 0.0]], "b has nothing in any sector"),
        ([[1.0], [1.0]], r"have a table \(2, 1\)"),
    ],
)
def test_tables_that_cannot_be_are_refused(table: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        structure(("a", "b"), ("industry", "services"), table)


def test_pairs_that_are_alike_are_named_once() -> None:
    table = [[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    found = structure(("a", "b", "c"), ("x", "y", "z"), table)
    assert [pair[:2] for pair in found.alike()] == [("a", "b")]


def test_sizes_that_follow_zipf_have_the_exponent_one() -> None:
    sizes = 100 / (np.arange(1, 21) - 0.5)
    found = rank_size([str(i) for i in range(20)], sizes)
    assert found.exponent == pytest.approx(1.0)
    assert found.r_squared == pytest.approx(1.0)
    assert found.error == pytest.approx(np.sqrt(2 / 20))
    assert found.primacy == pytest.approx(3.0)
    assert found.primacy_4 == pytest.approx(2 / (2 / 3 + 2 / 5 + 2 / 7))


def test_an_exponent_of_any_other_law_is_found_whatever_the_unit_of_size() -> None:
    sizes = 7 * (np.arange(1, 31) - 0.5) ** -0.5
    found = rank_size([str(i) for i in range(30)], sizes)
    assert found.exponent == pytest.approx(2.0)
    assert rank_size([str(i) for i in range(30)], sizes * 1e4).exponent == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([1.0, 2, 3, 4], "five units or more"),
        ([1.0, 2, 3, 4, 0], "The size of e is 0"),
        ([1.0] * 5, "All sizes are equal"),
    ],
)
def test_sizes_that_have_no_rank_are_refused(sizes: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        rank_size(tuple("abcde")[: len(sizes)], sizes)


def test_coupling_by_hand() -> None:
    # U = (0.2, 0.8): C = 2 sqrt(0.16) / 1 = 0.8, T = 0.5, D = sqrt(0.4).
    found = coupling_coordination([0.2, 0.5], [0.8, 0.5])
    np.testing.assert_allclose(found.coupling, [0.8, 1.0])
    np.testing.assert_allclose(found.coordination, [np.sqrt(0.4), np.sqrt(0.5)])
    weighted = coupling_coordination([0.2], [0.8], weights=[3, 1])
    np.testing.assert_allclose(weighted.development, [0.35])


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(0, 1)))
def test_coordination_lies_between_zero_and_one_and_is_never_above_the_best(
    levels: Figures,
) -> None:
    found = coupling_coordination(*levels)
    known = ~np.isnan(found.coordination)
    assert (found.coordination[known] >= 0).all()
    assert (found.coordination[known] <= np.sqrt(levels.max(axis=0)[known]) + 1e-9).all()
    assert np.isnan(found.coordination[levels.sum(axis=0) == 0]).all()


def test_degrees_are_named_by_tenths_in_both_languages() -> None:
    every = coupling_coordination(*[(np.arange(10) / 10 + 0.05) ** 2] * 2)
    assert every.levels() == list(LEVELS)
    top = coupling_coordination([1.0, np.nan], [1.0, 1.0])
    assert top.levels(lang="zh") == ["优质协调", ""]
    with pytest.raises(InputError, match="lang is 'fr'"):
        top.levels(lang="fr")


@pytest.mark.parametrize(
    ("systems", "weights", "said"),
    [
        ([[0.5]], None, "two subsystems or more"),
        ([[0.5], [1.5]], None, r"lie in 0\.\.1"),
        ([[0.5], [0.5]], [1.0], "need 2 weights"),
        ([[0.5], [0.5]], [1.0, -1.0], "aren't negative"),
    ],
)
def test_levels_that_cannot_couple_are_refused(systems: Any, weights: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        coupling_coordination(*systems, weights=weights)
