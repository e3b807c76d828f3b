"""Coordinate reference systems that geometries are given in, and boxes asked in.

Geometries are kept in CRS84 (longitude, latitude). Given besides: EPSG:4326, and EPSG:4490
(CGCS2000), which differs from it by centimetres and has the same axes, both latitude first; and
EPSG:3857, the map's metres. So no library of datums is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.tiles.quad import HALF_WORLD_M, LATITUDE_MAX

CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"

CRS_LIST: Final = (CRS84, EPSG + "4326", EPSG + "4490", EPSG + "3857")
"""What there is, the one that is stored first."""

_CURIE: Final = re.compile(r"\[?(?:(?P<epsg>EPSG:)(?P<code>\d+)|OGC:CRS84)\]?")

Place = Callable[[float, float], tuple[float, float]]


def read_crs(text: str, *, name: str) -> str:
    """Read the name of a CRS: its URI, or its short form; raise BadRequestDataError for another.

    >>> read_crs("EPSG:3857", name="crs")
    'http://www.opengis.net/def/crs/EPSG/0/3857'
    """
    match = _CURIE.fullmatch(text)
    given = text
    if match is not None:
        given = EPSG + match["code"] if match["epsg"] else CRS84
    if given not in CRS_LIST:
        raise BadRequestDataError(f"{name}: {text!r:.100} is none of {', '.join(CRS_LIST)}")
    return given


def transformed(geometry: Any, crs: str) -> Any:
    """Give a GeoJSON geometry of CRS84 in another CRS; altitudes stay as they are."""
    place = _FROM_CRS84.get(crs)
    return geometry if place is None or geometry is None else _moved(geometry, place)


def restored(geometry: Any, crs: str) -> Any:
    """Give a GeoJSON geometry of another CRS in CRS84."""
    place = _TO_CRS84.get(crs)
    return geometry if place is None else _moved(geometry, place)


def restored_box(
    box: tuple[float, float, float, float], crs: str
) -> tuple[float, float, float, float]:
    """Give a box of another CRS in CRS84."""
    place = _TO_CRS84.get(crs)
    return box if place is None else (*place(*box[:2]), *place(*box[2:]))


def _moved(geometry: Mapping[str, Any], place: Place) -> dict[str, Any]:
    if geometry["type"] == "GeometryCollection":
        return {**geometry, "geometries": [_moved(one, place) for one in geometry["geometries"]]}
    return {**geometry, "coordinates": _moved_coordinates(geometry["coordinates"], place)}


def _moved_coordinates(coordinates: Any, place: Place) -> Any:
    if isinstance(coordinates[0], list):
        return [_moved_coordinates(one, place) for one in coordinates]
    return [*place(coordinates[0], coordinates[1]), *coordinates[2:]]


def _turned(x: float, y: float) -> tuple[float, float]:
    return y, x


def _to_metres(longitude: float, latitude: float) -> tuple[float, float]:
    bounded = math.radians(max(-LATITUDE_MAX, min(LATITUDE_MAX, latitude)))
    return longitude / 180.0 * HALF_WORLD_M, math.asinh(math.tan(bounded)) / math.pi * HALF_WORLD_M


def _to_degrees(x: float, y: float) -> tuple[float, float]:
    share = max(-1.0, min(1.0, y / HALF_WORLD_M))
    latitude = math.degrees(math.atan(math.sinh(share * math.pi)))
    return max(-180.0, min(180.0, x / HALF_WORLD_M * 180.0)), latitude


_FROM_CRS84: Final[Mapping[str, Place]] = {
    EPSG + "4326": _turned,
    EPSG + "4490": _turned,
    EPSG + "3857": _to_metres,
}
_TO_CRS84: Final[Mapping[str, Place]] = {
    EPSG + "4326": _turned,
    EPSG + "4490": _turned,
    EPSG + "3857": _to_degrees,
}
