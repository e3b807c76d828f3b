"""Which cities of a region an alert is for, and which are next to them.

An area of an alert is a polygon, a circle, or a code. Codes of GB/T 2260 (six digits, longer ones
by their first six) name a province, a city or a district of one. Cities are those of a region pack;
two are neighbours when they share a border.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from conurb.model.geometry import EARTH_RADIUS_M
from conurb.regions.boundaries import neighbours, parse
from conurb.regions.pack import City, read_pack

if TYPE_CHECKING:
    from conurb.systems.warnings.cap.alert import Alert, Area, Circle

CITY_CODES: Final = "GB/T 2260"
"""The name of the code system in the geocodes that we write."""

SHARE_MIN: Final = 0.005
"""The part of the smaller of city and area that both must share: boundaries are simplified to
500 m, so less of it is a touch, not a concern."""

CIRCLE_CORNERS: Final = 48
OUTLINES_MAX: Final = 256
"""Joint areas that are remembered."""

_CODE: Final = re.compile(r"(\d{6})(\d{6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Concerned:
    """The cities that an alert is for, those next to them, and its areas as one geometry.

    `geometry` is GeoJSON; None for an alert whose areas nobody can place.
    """

    cities: tuple[str, ...]
    neighbours: tuple[str, ...]
    geometry: Mapping[str, Any] | None


class Cities:
    """The cities of a region with their shapes, codes and neighbours."""

    def __init__(self, cities: Sequence[City]) -> None:
        self.by_id: Mapping[str, City] = {city.id: city for city in cities}
        self._ids = tuple(self.by_id)
        self._shapes = np.array([parse(city.boundary) for city in cities], dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        self._areas = shapely.area(self._shapes)
        self._outlines: dict[tuple[str, ...], dict[str, Any]] = {}

    @cached_property
    def neighbours(self) -> Mapping[str, frozenset[str]]:
        """Give the neighbours of every city."""
        found: dict[str, set[str]] = {city: set() for city in self._ids}
        for i, j in neighbours(self._shapes):
            found[self._ids[i]].add(self._ids[j])
            found[self._ids[j]].add(self._ids[i])
        return {city: frozenset(others) for city, others in found.items()}

    def shape(self, city: str) -> Any:
        """Give the boundary of a city as a shapely geometry."""
        return self._shapes[self._ids.index(city)]

    def find_at(self, longitude: float, latitude: float) -> str | None:
        """Find the city at a point; None outside of the region."""
        found = self._tree.query(shapely.Point(longitude, latitude), predicate="intersects")
        return self._ids[int(min(found))] if len(found) else None

    def code_of(self, city: str) -> str:
        """Give the code of a city (GB/T 2260)."""
        return self.by_id[city].code

    def of_codes(self, codes: Iterable[str]) -> tuple[str, ...]:
        """List the cities that codes name: themselves, their districts, or their provinces."""
        found = set()
        for code in codes:
            match = _CODE.fullmatch(code.strip())
            if match is not None:
                found |= {city for city in self._ids if _covers(match[1], self.code_of(city))}
        return tuple(city for city in self._ids if city in found)

    def touched_by(self, shape: Any) -> tuple[str, ...]:
        """List the cities that share more than a border with a shape."""
        found = []
        for i in sorted(int(one) for one in self._tree.query(shape, predicate="intersects")):
            common = shapely.area(shapely.intersection(self._shapes[i], shape))
            smaller = min(float(self._areas[i]), float(shapely.area(shape)))
            if smaller == 0.0 or common >= SHARE_MIN * smaller:
                found.append(self._ids[i])
        return tuple(found)

    def around(self, cities: Iterable[str]) -> tuple[str, ...]:
        """List the neighbours of cities that aren't among them."""
        own = set(cities)
        near = {other for city in own for other in self.neighbours.get(city, ())}
        return tuple(city for city in self._ids if city in near - own)

    def outline(self, cities: tuple[str, ...]) -> dict[str, Any] | None:
        """Give the joint area of cities as GeoJSON; None for none of them."""
        found = self._outlines.get(cities)
        if found is None and cities:
            found = as_geojson(shapely.union_all([self.shape(city) for city in cities]))
            if len(self._outlines) >= OUTLINES_MAX:
                self._outlines.pop(next(iter(self._outlines)))
            if found is not None:
                self._outlines[cities] = found
        return found

    def concerned(self, alert: Alert) -> Concerned:
        """Say which cities an alert is for."""
        areas = [area for info in alert.infos for area in info.areas]
        drawn = [shape for area in areas for shape in shapes_of(area)]
        codes = [code.value for area in areas for code in area.geocodes]
        named = self.of_codes(codes)
        touched = {city for shape in drawn for city in self.touched_by(shape)}
        # Where an area is drawn and coded, the drawing says where within the city.
        pieces = drawn or [self.shape(city) for city in named]
        cities = tuple(city for city in self._ids if city in touched or city in named)
        geometry = None if not pieces else as_geojson(shapely.union_all(pieces))
        return Concerned(cities, self.around(cities), geometry)


@cache
def cities_of(pack: str) -> Cities:
    """Read the cities of a region pack, once; raise NotFoundError when there is none."""
    return Cities(read_pack(pack).cities)


def shapes_of(area: Area) -> list[Any]:
    """Give the polygons and circles of an area as valid shapely geometries."""
    rings = [[(lon, lat) for lat, lon in ring] for ring in area.polygons]
    shapes = [shapely.make_valid(shapely.Polygon(ring)) for ring in rings]
    return shapes + [circle_shape(circle) for circle in area.circles]


def circle_shape(circle: Circle) -> Any:
    """Give a circle as a polygon of `CIRCLE_CORNERS` on the sphere; a point for radius 0."""
    if circle.radius_km == 0:
        return shapely.Point(circle.longitude, circle.latitude)
    angle = np.linspace(0.0, 2.0 * np.pi, CIRCLE_CORNERS, endpoint=False)
    reach = circle.radius_km * 1000.0 / EARTH_RADIUS_M
    phi = math.radians(circle.latitude)
    lat = np.arcsin(np.sin(phi) * np.cos(reach) + np.cos(phi) * np.sin(reach) * np.cos(angle))
    across = np.sin(angle) * np.sin(reach) * np.cos(phi)
    lon = np.arctan2(across, np.cos(reach) - np.sin(phi) * np.sin(lat))
    corners = np.column_stack((circle.longitude + np.degrees(lon), np.degrees(lat)))
    return shapely.Polygon(corners)


def _covers(code: str, city: str) -> bool:
    """Whether a code names a city, a district of it, or the province that it lies in."""
    if code.endswith("0000"):
        return city[:2] == code[:2]
    # A city under the central government has one code of four digits per kind of district.
    return city[:2] == code[:2] if city.endswith("0000") else city[:4] == code[:4]


def as_geojson(shape: Any) -> dict[str, Any] | None:
    """Give a shape's polygons as a GeoJSON MultiPolygon; a point as it is, None for neither."""
    polygons = [one for one in shapely.get_parts(shape) if one.geom_type == "Polygon"]
    if shape.geom_type == "Point":
        return {"type": "Point", "coordinates": [shape.x, shape.y]}
    if not polygons:
        return None
    document = shapely.geometry.mapping(shapely.multipolygons(polygons))
    coordinates = [[[list(p) for p in ring] for ring in part] for part in document["coordinates"]]
    return {"type": "MultiPolygon", "coordinates": coordinates}
