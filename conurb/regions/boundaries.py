"""Boundaries of cities as one coverage: areas that share borders, without overlaps or gaps.

Simplified together, each shared line once (Visvalingam-Whyatt on the coverage's edges, as GEOS
does it), so that neighbours stay neighbours. Areas are measured on the sphere by an equal-area
projection; an error of 0.5 % against the ellipsoid is far below that of any boundary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from conurb.errors import BadRequestDataError, InvariantError

EARTH_RADIUS_M: Final = 6_371_008.7714
_DECIMALS_MAX: Final = 7
_M_PER_DEGREE: Final = EARTH_RADIUS_M * np.pi / 180.0

Geometries = NDArray[Any]
"""An array of shapely polygons or multipolygons, longitude and latitude in degrees (WGS84)."""


def simplify(
    geometries: Geometries, *, tolerance_m: float, island_m2_min: float, decimals: int
) -> Geometries:
    """Simplify a coverage and round it, keeping its topology.

    `tolerance_m` is the side of the square whose area a corner must have to stay. Islands (parts
    that touch nothing of another city) smaller than `island_m2_min` are left out, unless the city
    has no larger part. Coordinates are rounded to `decimals`, or to more where fewer would let a
    ring cross itself. Raises BadRequestDataError when `geometries` isn't a coverage.
    """
    if not bool(shapely.is_valid(geometries).all()) or not shapely.coverage_is_valid(geometries):
        raise BadRequestDataError("the boundaries overlap or have gaps; they are not one coverage")
    kept = _without_islands(geometries, island_m2_min)
    middle = np.radians(float(np.mean(shapely.total_bounds(kept)[[1, 3]])))
    scale = np.array([np.cos(middle), 1.0]) * _M_PER_DEGREE
    metric = shapely.transform(kept, lambda points: points * scale)
    coarse = shapely.coverage_simplify(metric, tolerance_m)
    degrees = shapely.transform(coarse, lambda points: points / scale)
    for places in range(decimals, _DECIMALS_MAX + 1):
        rounded = shapely.remove_repeated_points(
            shapely.transform(degrees, partial(_rounded, places))
        )
        if bool(shapely.is_valid(rounded).all()) and shapely.coverage_is_valid(rounded):
            return shapely.orient_polygons(rounded)
    raise InvariantError(f"simplified boundaries aren't a coverage at {_DECIMALS_MAX} decimals")


def area_m2(geometries: Any) -> Any:
    """Give the area of geometries (or of one) in m2, on the sphere."""
    return shapely.area(shapely.transform(geometries, _equal_area))


def overlap(one: Any, other: Any) -> float:
    """Give the area that two geometries share over the area that either covers (0 to 1)."""
    common = float(area_m2(shapely.intersection(one, other)))
    return common / float(area_m2(shapely.union(one, other)))


def centre(districts: Geometries, boundary: Any) -> tuple[float, float]:
    """Estimate where a city's centre is: longitude, latitude in degrees.

    Urban districts are the smaller the denser they are, so their centroids count by the inverse
    of their area. Where that falls outside of `boundary`, or there are no districts, it is a
    point inside of the boundary's largest part.
    """
    if len(districts):
        weights = 1.0 / area_m2(districts)
        points = shapely.get_coordinates(shapely.centroid(districts))
        x, y = (points * weights[:, None]).sum(axis=0) / weights.sum()
        if shapely.contains_xy(boundary, x, y):
            return float(x), float(y)
    parts = shapely.get_parts(boundary)
    inside = shapely.point_on_surface(parts[int(np.argmax(area_m2(parts)))])
    return float(inside.x), float(inside.y)


def neighbours(geometries: Geometries) -> list[tuple[int, int]]:
    """List the pairs (i < j) of a coverage that share a border, not just a point."""
    tree = shapely.STRtree(geometries)
    left, right = tree.query(geometries, predicate="touches")
    pairs = sorted({(int(i), int(j)) for i, j in zip(left, right, strict=True) if i < j})
    return [
        (i, j) for i, j in pairs if shapely.intersection(geometries[i], geometries[j]).length > 0
    ]


def _without_islands(geometries: Geometries, island_m2_min: float) -> Geometries:
    parts, owners = shapely.get_parts(geometries, return_index=True)
    tree = shapely.STRtree(parts)
    left, right = tree.query(parts, predicate="intersects")
    bordering = set(left[owners[left] != owners[right]].tolist())
    areas = area_m2(parts)
    kept = []
    for owner in range(len(geometries)):
        own = np.flatnonzero(owners == owner)
        largest = int(own[np.argmax(areas[own])])
        chosen = [
            int(i) for i in own if i == largest or i in bordering or areas[i] >= island_m2_min
        ]
        kept.append(_joined([parts[i] for i in chosen]))
    return np.array(kept, dtype=object)


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else shapely.multipolygons(list(parts))


def _equal_area(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project to the sinusoidal projection: metres, equal area on the sphere."""
    radians = np.radians(points)
    return np.column_stack(
        (EARTH_RADIUS_M * radians[:, 0] * np.cos(radians[:, 1]), EARTH_RADIUS_M * radians[:, 1])
    )


def _rounded(places: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(points, places)


def parse(geometry: Mapping[str, Any]) -> Any:
    """Read a GeoJSON geometry."""
    return shapely.from_geojson(json.dumps(geometry))
