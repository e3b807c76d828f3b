"""Geometry: GeoJSON in WGS84 (RFC 7946), checked, measured, and bridged to shapely, WKT and WKB.

A geometry is a raw JSON document everywhere; shapely is only loaded where rings are validated or
something is measured. Distances are great-circle metres on the sphere of `EARTH_RADIUS_M`, the
same as the engines use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from conurb.errors import BadRequestDataError

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

EARTH_RADIUS_M: Final = 6_371_008.7714
"""Mean radius of the Earth (IUGG)."""

POSITIONS_MAX: Final = 200_000
"""Positions of one geometry."""

COLLECTION_MAX: Final = 1_000
"""Members of one GeometryCollection."""

GEOMETRY_TYPES: Final = frozenset(
    {
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    }
)
"""The seven kinds of RFC 7946. A GeoProperty takes six: no GeometryCollection (clause 4.7.1)."""

_REFINEMENTS: Final = 3
_ANTIPODAL: Final = 1e-9

Geometry = dict[str, Any]


def looks_like_geometry(value: Any) -> bool:
    """Whether a value claims to be a geometry: its `type` is one and it has coordinates."""
    if value.__class__ is not dict:
        return False
    kind = value.get("type")
    return (
        kind.__class__ is str
        and kind in GEOMETRY_TYPES
        and ("coordinates" in value or "geometries" in value)
    )


def check_geometry(value: Any, *, name: str = "geometry") -> None:
    """Check that a value is a GeoJSON geometry in WGS84.

    Longitudes are in [-180, 180], latitudes in [-90, 90], altitudes are finite metres. Rings have
    four positions or more, are closed, and their polygon is simple: no ring crosses itself or
    another one. Raises BadRequestDataError with the name and the reason.
    """
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "Point":
        _check_position(value.get("coordinates"), name)
        return
    if kind == "GeometryCollection":
        _check_collection(value, name)
        return
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        _refuse(name, f"type {kind!r:.60} is none of {', '.join(sorted(GEOMETRY_TYPES))}")
    coordinates = value.get("coordinates")
    count = check(coordinates, name)
    if count > POSITIONS_MAX:
        _refuse(name, f"{count} positions; at most {POSITIONS_MAX} are allowed")
    if kind in ("Polygon", "MultiPolygon"):
        _check_valid(value, name)


def to_shapely(geometry: Geometry) -> BaseGeometry:
    """Build the shapely geometry of a checked GeoJSON geometry."""
    from shapely.geometry import shape

    return shape(geometry)


def to_wkt(geometry: Geometry) -> str:
    """Write a geometry as WKT, coordinates as they are (longitude latitude).

    >>> to_wkt({"type": "Point", "coordinates": [121.47, 31.23]})
    'POINT (121.47 31.23)'
    """
    if geometry["type"] == "Point":
        return f"POINT ({' '.join(map(repr, geometry['coordinates'][:2]))})"
    text: str = to_shapely(geometry).wkt
    return text


def from_wkt(text: str) -> Geometry:
    """Read WKT as a GeoJSON geometry; raise BadRequestDataError when it isn't WKT.

    >>> from_wkt("POINT (121.47 31.23)")
    {'type': 'Point', 'coordinates': [121.47, 31.23]}
    """
    import shapely

    try:
        return _document(shapely.from_wkt(text))
    except (shapely.errors.ShapelyError, TypeError) as error:
        raise BadRequestDataError(f"geometry: {text!r:.100} is not WKT: {error}") from error


def to_wkb(geometry: Geometry) -> bytes:
    """Write a geometry as WKB."""
    import shapely

    wkb: bytes = shapely.to_wkb(to_shapely(geometry))
    return wkb


def from_wkb(data: bytes) -> Geometry:
    """Read WKB as a GeoJSON geometry; raise BadRequestDataError when it isn't WKB."""
    import shapely

    try:
        return _document(shapely.from_wkb(data))
    except (shapely.errors.ShapelyError, TypeError) as error:
        raise BadRequestDataError(f"geometry: not WKB: {error}") from error


def bounds(geometry: Geometry) -> tuple[float, float, float, float]:
    """Give west, south, east and north of a geometry in degrees."""
    if geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        return longitude, latitude, longitude, latitude
    west, south, east, north = to_shapely(geometry).bounds
    return west, south, east, north


def distance_m(a: Geometry, b: Geometry) -> float:
    """Measure the least distance between two geometries in metres on the sphere.

    Exact (haversine) between points. Otherwise the nearest pair is sought in an azimuthal
    equidistant plane around the middle of the pair found before, where straight edges are great
    circles but for a difference that grows with the square of their length: within 0.2 % for
    geometries up to some 500 km in size and apart. 0 when they touch.

    >>> a, b = ({"type": "Point", "coordinates": [x, 0.0]} for x in (0.0, 1.0))
    >>> round(distance_m(a, b))
    111195
    """
    if a["type"] == "Point" and b["type"] == "Point":
        return haversine_m(*a["coordinates"][:2], *b["coordinates"][:2])
    from shapely import force_2d, transform
    from shapely.ops import nearest_points

    first, second = force_2d(to_shapely(a)), force_2d(to_shapely(b))
    if first.intersects(second):
        return 0.0
    p, q = nearest_points(first, second)
    best = math.inf
    for _ in range(_REFINEMENTS):
        plane = _Plane.between(p.x, p.y, q.x, q.y)
        near = nearest_points(transform(first, plane.forward), transform(second, plane.forward))
        p, q = (transform(point, plane.backward) for point in near)
        best = min(best, haversine_m(p.x, p.y, q.x, q.y))
    return best


class _Plane:
    """An azimuthal equidistant plane in radians on the unit sphere around a centre."""

    def __init__(self, longitude: float, latitude: float) -> None:
        self._lambda, self._phi = longitude, latitude

    @classmethod
    def between(cls, lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> _Plane:
        """Give the plane around the middle of two points, in degrees; the first if antipodal."""
        x, y, z = (
            sum(parts) for parts in zip(_unit(lon_a, lat_a), _unit(lon_b, lat_b), strict=True)
        )
        if math.hypot(x, y, z) < _ANTIPODAL:
            x, y, z = _unit(lon_a, lat_a)
        return cls(math.atan2(y, x), math.atan2(z, math.hypot(x, y)))

    def forward(self, degrees: NDArray[float64]) -> NDArray[float64]:
        """Project longitudes and latitudes in degrees."""
        import numpy as np

        lam, phi = np.radians(degrees).T
        delta = lam - self._lambda
        east = np.cos(phi) * np.sin(delta)
        north = math.cos(self._phi) * np.sin(phi)
        north -= math.sin(self._phi) * np.cos(phi) * np.cos(delta)
        up = math.sin(self._phi) * np.sin(phi)
        up += math.cos(self._phi) * np.cos(phi) * np.cos(delta)
        chord = np.hypot(east, north)
        angle = np.arctan2(chord, up)
        scale = np.divide(angle, chord, out=np.ones_like(chord), where=chord > 0)
        projected: NDArray[float64] = np.column_stack((east * scale, north * scale))
        return projected

    def backward(self, plane: NDArray[float64]) -> NDArray[float64]:
        """Give the longitudes and latitudes in degrees of points in the plane."""
        import numpy as np

        x, y = plane.T
        angle = np.hypot(x, y)
        ratio = np.divide(np.sin(angle), angle, out=np.ones_like(angle), where=angle > 0)
        sine = np.cos(angle) * math.sin(self._phi) + y * ratio * math.cos(self._phi)
        phi = np.arcsin(np.clip(sine, -1.0, 1.0))
        across = np.cos(angle) * math.cos(self._phi) - y * ratio * math.sin(self._phi)
        lam = self._lambda + np.arctan2(x * ratio, across)
        degrees: NDArray[float64] = np.degrees(np.column_stack((lam, phi)))
        return degrees


def _unit(longitude: float, latitude: float) -> tuple[float, float, float]:
    lam, phi = math.radians(longitude), math.radians(latitude)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def haversine_m(
    longitude_a: float, latitude_a: float, longitude_b: float, latitude_b: float
) -> float:
    """Measure the great circle between two points, in metres; arguments in degrees."""
    phi_a, phi_b = math.radians(latitude_a), math.radians(latitude_b)
    half_phi = (phi_b - phi_a) / 2
    half_lambda = math.radians(longitude_b - longitude_a) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def _document(geometry: BaseGeometry) -> Geometry:
    from shapely.geometry import mapping

    document: Geometry = _listed(mapping(geometry))
    return document


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_listed(item) for item in value]
    return value


def _refuse(name: str, reason: str) -> NoReturn:
    raise BadRequestDataError(f"{name}: not a GeoJSON geometry: {reason}")


def _check_position(position: Any, name: str) -> int:
    if position.__class__ is list and 2 <= len(position) <= 3:
        x, y = position[0], position[1]
        if (
            (x.__class__ is float or x.__class__ is int)
            and (y.__class__ is float or y.__class__ is int)
            and -180.0 <= x <= 180.0
            and -90.0 <= y <= 90.0
        ):
            if len(position) == 2:
                return 1
            z = position[2]
            if (z.__class__ is float or z.__class__ is int) and math.isfinite(z):
                return 1
    _refuse(
        name,
        f"{position!r:.100} is not a position [longitude -180..180, latitude -90..90, "
        "optionally altitude in m]",
    )


def _check_many(least: int, what: str) -> Callable[[Any, str], int]:
    def check(positions: Any, name: str) -> int:
        if positions.__class__ is not list or len(positions) < least:
            _refuse(name, f"{what} needs an array of at least {least} positions")
        for position in positions:
            _check_position(position, name)
        return len(positions)

    return check


_check_line: Final = _check_many(2, "a LineString")


def _check_ring(ring: Any, name: str) -> int:
    if ring.__class__ is not list or len(ring) < 4:
        _refuse(name, "a ring needs an array of at least 4 positions")
    for position in ring:
        _check_position(position, name)
    if ring[0] != ring[-1]:
        _refuse(name, f"a ring isn't closed: it begins at {ring[0]} and ends at {ring[-1]}")
    return len(ring)


def _check_each(inner: Callable[[Any, str], int], what: str) -> Callable[[Any, str], int]:
    def check(parts: Any, name: str) -> int:
        if parts.__class__ is not list or not parts:
            _refuse(name, f"{what} needs a non-empty array")
        return sum(inner(part, name) for part in parts)

    return check


_check_polygon: Final = _check_each(_check_ring, "a Polygon")

_CHECKS: Final[dict[str, Callable[[Any, str], int]]] = {
    "MultiPoint": _check_many(1, "a MultiPoint"),
    "LineString": _check_line,
    "MultiLineString": _check_each(_check_line, "a MultiLineString"),
    "Polygon": _check_polygon,
    "MultiPolygon": _check_each(_check_polygon, "a MultiPolygon"),
}


def _check_valid(value: Geometry, name: str) -> None:
    from shapely.validation import explain_validity

    shape = to_shapely(value)
    if not shape.is_valid:
        _refuse(name, f"{explain_validity(shape)} (longitude latitude)")


def _check_collection(value: Geometry, name: str) -> None:
    members = value.get("geometries")
    if not isinstance(members, list) or len(members) > COLLECTION_MAX:
        _refuse(name, f"geometries needs an array of at most {COLLECTION_MAX} geometries")
    for member in members:
        if isinstance(member, dict) and member.get("type") == "GeometryCollection":
            _refuse(name, "a GeometryCollection inside of another one")
        check_geometry(member, name=name)
