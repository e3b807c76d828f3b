"""Geometry: what is a GeoJSON geometry, and how far two are apart (RFC 7946).

Distances are compared with the haversine of the nearest vertices; the tolerance of 0.1 % is the
one that `distance_m` documents.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from conurb.errors import BadRequestDataError
from conurb.model.geometry import (
    COLLECTION_MAX,
    EARTH_RADIUS_M,
    POSITIONS_MAX,
    bounds,
    check_geometry,
    distance_m,
    from_wkb,
    from_wkt,
    haversine_m,
    looks_like_geometry,
    to_shapely,
    to_wkb,
    to_wkt,
)
from tests.model.strategies import geometries, points

BOX = [[[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]]]
HOLE = [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 0.5]]


def geometry(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


@settings(deadline=None)
@given(value=geometries)
def test_valid_geometries_pass_and_bridge_to_wkt_and_wkb(value: dict[str, Any]) -> None:
    check_geometry(value)
    assert looks_like_geometry(value)
    assert from_wkt(to_wkt(value)) == from_wkb(to_wkb(value))
    assert to_shapely(from_wkt(to_wkt(value))).equals(to_shapely(value))
    assert bounds(value) == to_shapely(value).bounds


@pytest.mark.parametrize(
    "value",
    [
        geometry("Point", [-180, -90, 8848.5]),
        geometry("Polygon", [*BOX, HOLE]),
        {"type": "Point", "coordinates": [1, 2], "bbox": [1, 2, 1, 2]},
        {"type": "GeometryCollection", "geometries": [geometry("Point", [1, 2])]},
        {"type": "GeometryCollection", "geometries": []},
    ],
)
def test_less_usual_geometries_pass(value: Any) -> None:
    check_geometry(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "type"),
        ("Point", "type"),
        ([1, 2], "type"),
        ({"type": ["Point"]}, "type"),
        (geometry("Circle", [1, 2]), "Circle"),
        (geometry("Feature", {}), "Feature"),
        (geometry("Point", None), "position"),
        (geometry("Point", [1]), "position"),
        (geometry("Point", [1, 2, 3, 4]), "position"),
        (geometry("Point", ["1", "2"]), "position"),
        (geometry("Point", [True, False]), "position"),
        (geometry("Point", [float("nan"), 0]), "position"),
        (geometry("Point", [1, 2, float("inf")]), "position"),
        (geometry("Point", [180.1, 0]), "longitude"),
        (geometry("Point", [31.2, 121.5]), "latitude"),
        (geometry("MultiPoint", []), "MultiPoint"),
        (geometry("LineString", [[1, 2]]), "2 positions"),
        (geometry("LineString", [1, 2]), "position"),
        (geometry("MultiLineString", []), "non-empty"),
        (geometry("MultiLineString", [[[1, 2]]]), "2 positions"),
        (geometry("Polygon", []), "non-empty"),
        (geometry("Polygon", [[[0, 0], [1, 1], [0, 0]]]), "4 positions"),
        (geometry("Polygon", [[[0, 0], [1, 0], [1, 1], [0, 1]]]), "closed"),
        (geometry("Polygon", [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]), "Self-intersection"),
        (geometry("Polygon", [[[0, 0], [1, 0], [2, 0], [0, 0]]]), "."),
        (geometry("Polygon", [*BOX, [[5, 5], [6, 5], [6, 6], [5, 5]]]), "Hole"),
        (geometry("MultiPolygon", [BOX, BOX]), "."),
        (geometry("MultiPolygon", BOX), "."),
        ({"type": "GeometryCollection"}, "geometries"),
        ({"type": "GeometryCollection", "geometries": [5]}, "type"),
        (
            {
                "type": "GeometryCollection",
                "geometries": [{"type": "GeometryCollection", "geometries": []}],
            },
            "inside",
        ),
    ],
)
def test_what_is_no_geometry_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(BadRequestDataError, match=reason) as error:
        check_geometry(value, name="location")
    assert error.value.detail.startswith("location: ")


def test_the_size_of_a_geometry_is_bounded() -> None:
    with pytest.raises(BadRequestDataError, match=str(POSITIONS_MAX)):
        check_geometry(geometry("LineString", [[0, 0]] * (POSITIONS_MAX + 1)))
    with pytest.raises(BadRequestDataError, match=str(COLLECTION_MAX)):
        check_geometry(
            {"type": "GeometryCollection", "geometries": [geometry("Point", [0, 0])] * 1001}
        )


def test_wrong_wkt_and_wkb_are_refused() -> None:
    for broken in ("POINT (1", "nonsense", ""):
        with pytest.raises(BadRequestDataError, match="WKT"):
            from_wkt(broken)
    with pytest.raises(BadRequestDataError, match="WKB"):
        from_wkb(b"\x00\x01")


@given(a=points, b=points)
def test_distance_between_points_is_symmetric_and_at_most_half_around(
    a: dict[str, Any], b: dict[str, Any]
) -> None:
    there, back = distance_m(a, b), distance_m(b, a)
    assert there == pytest.approx(back, rel=1e-12, abs=1e-6)
    assert 0 <= there <= 3.1415927 * EARTH_RADIUS_M
    assert distance_m(a, a) == 0


def test_distance_of_shanghai_and_nanjing() -> None:
    # The spherical law of cosines on the same sphere gives 269,660.6 m.
    shanghai = geometry("Point", [121.4737, 31.2304])
    nanjing = geometry("Point", [118.7969, 32.0603])
    assert distance_m(shanghai, nanjing) == pytest.approx(269_660, abs=1)


@pytest.mark.parametrize("latitude", [0.0, 31.2, 60.0])
def test_distance_to_a_shape_is_that_to_its_nearest_side(latitude: float) -> None:
    polygon = geometry(
        "Polygon",
        [[[121 + x, latitude + y] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]],
    )
    west = geometry("Point", [120.5, latitude + 0.5])
    exact = haversine_m(120.5, latitude + 0.5, 121.0, latitude + 0.5)
    assert distance_m(polygon, west) == pytest.approx(exact, rel=0.001)
    line = geometry("LineString", [[122.4, latitude], [122.4, latitude + 1]])
    exact = haversine_m(122.0, latitude + 1, 122.4, latitude + 1)
    assert distance_m(line, polygon) == pytest.approx(exact, rel=0.001)


def test_distance_across_the_date_line_is_short() -> None:
    east = geometry("LineString", [[179.5, 0.0], [179.5, 1.0]])
    west = geometry("Point", [-179.5, 0.5])
    assert distance_m(east, west) == pytest.approx(haversine_m(0.0, 0.5, 1.0, 0.5), rel=0.001)


def test_distance_of_what_touches_is_zero() -> None:
    polygon = geometry("Polygon", BOX)
    assert distance_m(polygon, geometry("Point", [1.0, 1.0])) == 0
    assert distance_m(polygon, geometry("LineString", [[2.0, 2.0], [3.0, 3.0]])) == 0
