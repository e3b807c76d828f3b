"""Simplified boundaries stay one coverage: neighbours share borders, nothing overlaps."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from conurb.errors import BadRequestDataError
from conurb.regions.boundaries import area_m2, centre, neighbours, overlap, parse, simplify
from conurb.regions.pack import Pack


def wavy_coverage() -> shapely.Polygon:
    """Two areas whose common border has a thousand small bends, and an islet."""
    bends = np.column_stack(
        (121.0 + 0.0005 * np.sin(np.arange(1001)), np.linspace(31.0, 32.0, 1001))
    )
    west = shapely.Polygon([(120.0, 31.0), *bends, (120.0, 32.0)])
    east = shapely.Polygon([(122.0, 31.0), (122.0, 32.0), *bends[::-1]])
    islet = shapely.box(122.5, 31.0, 122.505, 31.005)
    return np.array([west, shapely.multipolygons([east, islet])], dtype=object)


def test_a_shared_border_is_simplified_once_and_stays_shared() -> None:
    before = wavy_coverage()
    after = simplify(before, tolerance_m=500, island_m2_min=0, decimals=4)
    assert shapely.get_num_coordinates(after).sum() < 60
    assert shapely.coverage_is_valid(after)
    assert neighbours(after) == [(0, 1)]
    # The bends are 48 m wide: taking all of them away moves less than 0.1 % of the area.
    assert min(overlap(one, other) for one, other in zip(before, after, strict=True)) > 0.999


def test_small_islands_go_and_the_largest_part_stays() -> None:
    before = wavy_coverage()
    assert shapely.get_num_geometries(
        simplify(before, tolerance_m=10, island_m2_min=1e6, decimals=5)
    ).tolist() == [1, 1]
    alone = np.array([shapely.box(122.5, 31.0, 122.501, 31.001)], dtype=object)
    assert not simplify(alone, tolerance_m=10, island_m2_min=1e6, decimals=5)[0].is_empty


def test_coordinates_are_rounded_and_outer_rings_run_counterclockwise() -> None:
    after = simplify(wavy_coverage(), tolerance_m=500, island_m2_min=1e6, decimals=3)
    points = shapely.get_coordinates(after)
    assert np.array_equal(points, np.round(points, 3))
    assert all(shapely.is_ccw(shapely.get_exterior_ring(one)) for one in after)


def test_more_decimals_are_kept_where_rounding_would_cross_a_ring() -> None:
    sliver = shapely.Polygon([(120.0, 31.0), (121.0, 31.0), (121.0, 31.0003), (120.0, 31.0002)])
    after = simplify(np.array([sliver]), tolerance_m=1, island_m2_min=0, decimals=3)
    assert shapely.is_valid(after[0])
    assert area_m2(after[0]) == pytest.approx(area_m2(sliver), rel=0.2)


def test_areas_that_overlap_are_no_coverage() -> None:
    boxes = np.array([shapely.box(120, 31, 121, 32), shapely.box(120.5, 31, 122, 32)])
    with pytest.raises(BadRequestDataError, match="coverage"):
        simplify(boxes, tolerance_m=500, island_m2_min=0, decimals=4)


def test_an_area_is_that_of_the_sphere() -> None:
    degree = shapely.segmentize(shapely.box(120, 31, 121, 32), 0.01)
    radius_m = 6_371_008.7714
    exact = radius_m**2 * np.radians(1) * (np.sin(np.radians(32)) - np.sin(np.radians(31)))
    assert area_m2(degree) == pytest.approx(exact, rel=1e-6)


def test_overlap_is_shared_area_over_joint_area() -> None:
    one, other = shapely.box(120, 31, 121, 32), shapely.box(120.5, 31, 121.5, 32)
    assert overlap(one, other) == pytest.approx(1 / 3, rel=1e-6)
    assert overlap(one, one) == pytest.approx(1)


def test_the_centre_leans_to_the_smallest_district_and_stays_inside() -> None:
    city = shapely.box(120, 31, 122, 32)
    districts = np.array([shapely.box(120, 31, 120.1, 31.1), shapely.box(120.1, 31, 122, 32)])
    x, y = centre(districts, city)
    assert x < 120.1
    assert y < 31.1
    ring = shapely.difference(city, shapely.box(120.5, 31.2, 121.5, 31.8))
    hole = np.array([shapely.box(120.9, 31.4, 121.1, 31.6)])
    assert shapely.contains_xy(ring, *centre(hole, ring))
    assert shapely.contains_xy(ring, *centre(np.array([], dtype=object), ring))


def test_the_delta_is_one_coverage_without_gaps_between_neighbours(yrd: Pack) -> None:
    shapes = np.array([parse(city.boundary) for city in yrd.cities], dtype=object)
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    union = shapely.coverage_union_all(shapes)
    assert area_m2(union) == pytest.approx(sum(area_m2(shapes)), rel=1e-9)
    # A gap between neighbours would be a hole of the union that several cities touch. (One hole
    # is in the source: a plot of Henan inside of Fuyang.)
    holes = [shapely.Polygon(ring) for part in shapely.get_parts(union) for ring in part.interiors]
    assert [hole for hole in holes if (shapely.distance(shapes, hole) == 0).sum() > 1] == []
