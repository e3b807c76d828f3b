"""Moran's I against spdep's answer on columbus (all digits it prints), and identities."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.panel import Panel
from conurb.strategy.spillover.moran import lisa, lisa_by_year, moran, moran_by_year
from conurb.strategy.spillover.weights import Weights
from tests.strategy.spillover.reference import SHARED, made_up_weights, needs_shared, simulate


@needs_shared
def test_crime_in_columbus_is_as_clustered_as_spdep_says() -> None:
    with (SHARED / "columbus.csv").open() as file:
        crime = [float(row["CRIME"]) for row in csv.DictReader(file)]
    with (SHARED / "columbus_gal_pairs.csv").open() as file:
        pairs = [(row["i"], row["j"]) for row in csv.DictReader(file)]
    units = [str(i + 1) for i in range(len(crime))]
    weights = Weights.from_pairs(units, pairs).row_standardised()
    answer = moran(crime, weights)
    assert abs(answer.value - 0.4857709) < 5e-8
    assert abs(answer.z - 5.34271) < 5e-6


def test_variances_are_those_of_all_permutations() -> None:
    # Randomisation is over permutations: seven units have few enough to go through a sample of.
    weights = made_up_weights(7, 3, k=2)
    x = np.random.default_rng(1).exponential(size=7)
    answer = moran(x, weights)
    rng = np.random.default_rng(2)
    drawn = [moran(rng.permutation(x), weights).value for _ in range(20_000)]
    assert abs(np.mean(drawn) - answer.expected) < 0.01
    assert abs(np.var(drawn) / answer.variance_randomisation - 1) < 0.05


def test_under_normality_the_variance_is_that_of_normal_draws() -> None:
    weights = made_up_weights(12, 4)
    rng = np.random.default_rng(5)
    drawn = [moran(rng.normal(size=12), weights).value for _ in range(20_000)]
    answer = moran(np.arange(12.0), weights)
    assert abs(np.var(drawn) / answer.variance_normality - 1) < 0.05


def test_permutation_p_is_small_for_clusters_and_even_for_nothing() -> None:
    weights = made_up_weights(60, 6)
    rng = np.random.default_rng(7)
    clustered = np.linalg.solve(np.eye(60) - 0.8 * weights.matrix, rng.normal(size=60))
    p = moran(clustered, weights, permutations=999, rng=rng).p_permutation
    assert p is not None
    assert p < 0.01
    even = [moran(rng.normal(size=60), weights, permutations=99, rng=rng).p_permutation or 0.0
            for _ in range(200)]  # fmt: skip
    assert 0.4 < np.mean(even) < 0.6


def test_local_values_add_up_to_the_global_one_and_find_the_cluster() -> None:
    weights = made_up_weights(40, 8)
    rng = np.random.default_rng(9)
    x = rng.normal(size=40)
    hot = np.append(np.flatnonzero(weights.matrix[0]), 0)
    x[hot] += 8
    local = lisa(x, weights, rng=rng)
    assert abs(local.value.mean() - moran(x, weights).value) < 1e-12
    assert local.quadrant[0] == "high-high"
    assert local.p[0] == local.p.min() < 0.01
    assert (local.p_adjusted >= local.p).all()


def test_one_seed_gives_one_answer() -> None:
    weights = made_up_weights(20, 10)
    x = np.random.default_rng(11).normal(size=20)
    first, second = (lisa(x, weights, rng=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first.p, second.p)


def test_years_are_tested_one_by_one() -> None:
    weights = made_up_weights(20, 12)
    panel = simulate(weights, 3, 13, lag=0.5)
    by_year = moran_by_year(panel, "y", weights)
    assert list(by_year) == [2000, 2001, 2002]
    assert by_year[2001] == moran(panel.get("y")[:, 1], weights)
    assert set(lisa_by_year(panel, "y", weights, rng=np.random.default_rng(1))) == set(by_year)


def test_what_has_no_autocorrelation_is_refused() -> None:
    weights = made_up_weights(6, 14, k=2)
    with pytest.raises(InputError, match="All figures are equal"):
        moran(np.full(6, 3.3), weights)
    with pytest.raises(InputError, match="no figure for u2"):
        moran([1, 2, np.nan, 4, 5, 6], weights)
    with pytest.raises(InputError, match="pass rng"):
        moran(np.arange(6.0), weights, permutations=99)
    alone = Weights(weights.units, np.zeros((6, 6)), "nobody")
    with pytest.raises(InputError, match="u0, u1, u2, u3, u4, u5 have no neighbour"):
        moran(np.arange(6.0), alone)
    gap = Panel(weights.units, (2000,), {"y": np.array([[1.0], [2], [np.nan], [4], [5], [6]])})
    with pytest.raises(InputError, match="u2 2000"):
        moran_by_year(gap, "y", weights)
