"""Weights: who is whose neighbour, islands by name, what can't be a weight."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from shapely.geometry import box, mapping

from conurb.errors import InputError, NotFoundError
from conurb.model.geometry import EARTH_RADIUS_M
from conurb.strategy.sphere import great_circle_km
from conurb.strategy.spillover.distance import (
    centroids,
    contiguity,
    distance_band,
    economic_distance,
    inverse_distance,
    k_nearest,
    travel_time,
)
from conurb.strategy.spillover.weights import Weights
from conurb.strategy.warning import StrategyWarning
from tests.strategy.spillover.reference import SHARED, needs_shared

# Four squares in a block: a b over c d; and one by itself.
BLOCK = [box(0, 1, 1, 2), box(1, 1, 2, 2), box(0, 0, 1, 1), box(1, 0, 2, 1)]
DEGREE_KM = math.radians(1) * EARTH_RADIUS_M / 1000


def test_queens_meet_in_corners_and_rooks_along_lines() -> None:
    queen = contiguity("abcd", BLOCK, rule="queen").matrix
    np.testing.assert_array_equal(queen, 1 - np.eye(4))
    rook = contiguity("abcd", BLOCK, rule="rook").matrix
    np.testing.assert_array_equal(rook, [[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]])


def test_a_tolerance_bridges_borders_drawn_apart_without_making_corners_lines() -> None:
    apart = [box(0, 1.001, 0.999, 2), box(1, 1.001, 2, 2), box(0, 0, 0.999, 1), box(1, 0, 2, 1)]
    with pytest.warns(StrategyWarning, match="a, b, c, d have no neighbour"):
        contiguity("abcd", apart)
    rook = contiguity("abcd", [mapping(s) for s in apart], rule="rook", tolerance=0.002)
    np.testing.assert_array_equal(rook.matrix, contiguity("abcd", BLOCK, rule="rook").matrix)


def test_islands_are_named_in_a_warning_and_refused_by_what_needs_neighbours() -> None:
    with pytest.warns(StrategyWarning, match="Zhoushan have no neighbour"):
        weights = contiguity(["Ningbo", "Shaoxing", "Zhoushan"], [*BLOCK[:2], box(5, 5, 6, 6)])
    assert weights.islands == ("Zhoushan",)
    with pytest.raises(InputError, match="Zhoushan have no neighbour"):
        weights.row_standardised().check_no_islands()


@needs_shared
def test_in_the_delta_zhoushan_alone_has_no_land_border() -> None:
    file = SHARED.parent / "boundaries" / "yrd_41_prefectures_wgs84.geojson"
    features = json.loads(file.read_text())["features"]
    names = [feature["properties"]["name_zh"] for feature in features]
    with pytest.warns(StrategyWarning, match="舟山市 have no neighbour"):
        weights = contiguity(names, [feature["geometry"] for feature in features])
    np.testing.assert_array_equal(weights.matrix, weights.matrix.T)
    neighbours = {names[j] for j in np.flatnonzero(weights.matrix[names.index("上海市")])}
    assert neighbours == {"苏州市", "嘉兴市", "南通市"}


def test_distances_are_great_circles() -> None:
    km = great_circle_km([[120.0, 30.0], [120.0, 31.0], [121.0, 90.0]])
    np.testing.assert_allclose(km[0], [0.0, DEGREE_KM, 60 * DEGREE_KM], rtol=1e-12)
    np.testing.assert_allclose(centroids(BLOCK)[0], [0.5, 1.5])


def test_bands_nearest_and_inverse_distances_link_whom_they_should() -> None:
    line = [[120.0, 0.0], [121.0, 0.0], [123.0, 0.0]]
    with pytest.warns(StrategyWarning, match="c have no neighbour"):
        band = distance_band("abc", line, within_km=1.5 * DEGREE_KM)
    np.testing.assert_array_equal(band.matrix, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    near = k_nearest("abc", line, k=1)
    np.testing.assert_array_equal(near.matrix, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    inverse = inverse_distance("abc", line, power=2).matrix * DEGREE_KM**2
    np.testing.assert_allclose(inverse, [[0, 1, 1 / 9], [1, 0, 1 / 4], [1 / 9, 1 / 4, 0]])
    assert inverse_distance("abc", line, within_km=2.5 * DEGREE_KM).matrix[0, 2] == 0


def test_travel_times_may_be_one_way_and_missing() -> None:
    minutes = [[0.0, 30.0, np.nan], [60.0, 0.0, 10.0], [np.inf, 20.0, 0.0]]
    weights = travel_time("abc", minutes).matrix
    np.testing.assert_allclose(weights, [[0, 1 / 30, 0], [1 / 60, 0, 1 / 10], [0, 1 / 20, 0]])


def test_economic_distance_may_be_kept_to_neighbours() -> None:
    far = economic_distance("abc", [1.0, 3.0, 7.0])
    np.testing.assert_allclose(far.matrix[0], [0, 1 / 2, 1 / 6])
    near = economic_distance(
        "abc", [1.0, 3.0, 7.0], nearby=k_nearest("abc", [[0, 0], [1, 0], [3, 0]], k=1)
    )
    np.testing.assert_allclose(near.matrix[0], [0, 1 / 2, 0])
    with pytest.raises(InputError, match="a and c are 0 apart"):
        economic_distance("abc", [1.0, 3.0, 1.0])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1], [-1, 0]], "weight of a in b is negative"),
        ([[0, 1], [1, 2]], "weight of b in b is not zero, on the diagonal"),
        ([[0, np.nan], [1, 0]], "weight of b in a is not finite"),
        ([[0, 1, 0], [1, 0, 0]], "have shape"),
    ],
)
def test_what_cannot_be_a_weight_is_refused_by_name(
    matrix: list[list[float]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Weights(("a", "b"), np.array(matrix), "given")


def test_points_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match="longitude and latitude"):
        great_circle_km([[31.0, 121.0], [30.0, 120.0]])


def test_weights_follow_the_order_of_a_panel() -> None:
    weights = k_nearest("abc", [[0, 0], [1, 0], [3, 0]], k=1).row_standardised()
    turned = weights.aligned(["c", "a", "b"])
    np.testing.assert_array_equal(turned.matrix, [[0, 0, 1], [0, 0, 1], [0, 1, 0]])
    with pytest.raises(NotFoundError, match="'z'"):
        weights.aligned(["a", "z"])


def test_eigenvalues_by_the_symmetric_way_are_the_general_ones() -> None:
    weights = inverse_distance("abcd", [[0, 0], [1, 0], [3, 1], [0, 5]]).row_standardised()
    general = np.linalg.eigvals(weights.matrix)
    np.testing.assert_allclose(np.sort(weights.eigenvalues()), np.sort(general.real), atol=1e-12)
    assert abs(np.abs(weights.scaled().eigenvalues()).max() - 1) < 1e-12
