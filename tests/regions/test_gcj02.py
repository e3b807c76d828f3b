"""GCJ-02 is undone to far below a millimetre.

The oracles are the three points with which the implementations of eviltransform test themselves.
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from conurb.regions.boundaries import EARTH_RADIUS_M
from conurb.regions.gcj02 import from_wgs84, geometries_to_wgs84, to_wgs84

MM_DEG = 0.001 / (EARTH_RADIUS_M * np.pi / 180)

CHINA = st.tuples(st.floats(73.5, 135.0), st.floats(18.0, 53.5))


@given(point=CHINA)
def test_the_inverse_is_exact_below_a_tenth_of_a_millimetre(point: tuple[float, float]) -> None:
    points = np.array([point])
    assert np.abs(to_wgs84(from_wgs84(points)) - points).max() < 0.1 * MM_DEG
    assert np.abs(from_wgs84(to_wgs84(points)) - points).max() < 0.1 * MM_DEG


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ],
    ids=["Shanghai", "Shenzhen", "Beijing"],
)
def test_known_points_come_out(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert np.abs(from_wgs84(np.array([wgs84])) - gcj02).max() < 0.1 * MM_DEG
    assert np.abs(to_wgs84(np.array([gcj02])) - wgs84).max() < 0.1 * MM_DEG


def test_equal_vertices_stay_equal_so_that_borders_stay_shared() -> None:
    left = shapely.box(120.0, 31.0, 121.0, 32.0)
    right = shapely.box(121.0, 31.0, 122.0, 32.0)
    moved = geometries_to_wgs84(np.array([left, right]))
    assert shapely.coverage_is_valid(moved)
    assert not shapely.equals(moved[0], left)


def test_no_points_are_no_points() -> None:
    assert to_wgs84(np.empty((0, 2))).shape == (0, 2)
