"""The squares of WebMercatorQuad (OGC 17-083r4, annex D.1): z, x, y from the north-west."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from conurb.errors import NotFoundError

ZOOM_MAX: Final = 22
"""The deepest level: a unit of a tile's grid is then 2 mm wide."""

LATITUDE_MAX: Final = 85.0511287798066
"""The northern edge of the square world, in degrees."""

HALF_WORLD_M: Final = 20_037_508.342789244
"""Half of the width of the world in EPSG:3857."""

EXTENT: Final = 4096
"""Units of a tile's grid along one side."""

BUFFER: Final = 64
"""Units around a tile that are drawn too, so that lines and symbols aren't cut at its edge."""


@dataclass(frozen=True, slots=True)
class Square:
    """One tile's place: level, column from the west, row from the north."""

    z: int
    x: int
    y: int

    def bounds(self, *, buffer: int = 0) -> tuple[float, float, float, float]:
        """Give west, south, east and north in degrees, `buffer` units wider on every side."""
        margin, side = buffer / EXTENT, 1 << self.z
        west = (self.x - margin) / side * 360.0 - 180.0
        east = (self.x + 1 + margin) / side * 360.0 - 180.0
        return (
            max(west, -180.0),
            _latitude((self.y + 1 + margin) / side),
            min(east, 180.0),
            _latitude((self.y - margin) / side),
        )


def square(z: int, x: int, y: int) -> Square:
    """Give a square; raise NotFoundError when there is no such one.

    >>> square(1, 1, 0).bounds()[:1]
    (0.0,)
    """
    if not 0 <= z <= ZOOM_MAX or not 0 <= x < 1 << z or not 0 <= y < 1 << z:
        raise NotFoundError(
            f"tile {z}/{y}/{x}: levels go from 0 to {ZOOM_MAX}, rows and columns of level z "
            "from 0 to 2^z - 1"
        )
    return Square(z, x, y)


def mercator(longitude: float, latitude: float) -> tuple[float, float]:
    """Give the place in the square world: 0..1 from the west, 0..1 from the north.

    >>> mercator(0.0, 0.0)
    (0.5, 0.5)
    """
    bounded = math.radians(max(-LATITUDE_MAX, min(LATITUDE_MAX, latitude)))
    return (longitude + 180.0) / 360.0, 0.5 - math.asinh(math.tan(bounded)) / (2 * math.pi)


def _latitude(north_share: float) -> float:
    bounded = max(0.0, min(1.0, north_share))
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * bounded))))
