"""GCJ-02 to WGS84 and back.

Maps published in China are drawn in GCJ-02, a datum that moves every point by up to 700 m by a
fixed, deterministic distortion. Everything in Conurb is WGS84 (GeoJSON, RFC 7946), so what comes
in as GCJ-02 is converted at the door. The forward distortion has no closed inverse; the inverse
here iterates until forward(inverse(p)) is p, and is exact far below the noise of any survey.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from conurb.errors import InvariantError

Coordinates = NDArray[np.float64]
"""Rows of (longitude, latitude) in degrees."""

_SEMI_MAJOR_M: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.006_693_421_622_965_943
_ITERATIONS_MAX: Final = 30
_TOLERANCE_DEG: Final = 1e-10
"""Where the inverse stops: 1e-10 degrees are 0.01 mm."""


def from_wgs84(points: Coordinates) -> Coordinates:
    """Distort WGS84 points to GCJ-02.

    `points` is an (n, 2) array of longitude, latitude in degrees, inside of mainland China (the
    distortion isn't defined elsewhere). The constants are those of the Krasovsky 1940 ellipsoid.
    """
    x, y = points[:, 0] - 105.0, points[:, 1] - 35.0
    root = np.sqrt(np.abs(x))
    pi = np.pi
    wave = (20.0 * np.sin(6.0 * x * pi) + 20.0 * np.sin(2.0 * x * pi)) * 2.0 / 3.0
    d_lat = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
        + (20.0 * np.sin(y * pi) + 40.0 * np.sin(y / 3.0 * pi)) * 2.0 / 3.0
        + (160.0 * np.sin(y / 12.0 * pi) + 320.0 * np.sin(y * pi / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    d_lon = (
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
        + (20.0 * np.sin(x * pi) + 40.0 * np.sin(x / 3.0 * pi)) * 2.0 / 3.0
        + (150.0 * np.sin(x / 12.0 * pi) + 300.0 * np.sin(x / 30.0 * pi)) * 2.0 / 3.0
    )  # fmt: skip
    latitude = np.radians(points[:, 1])
    magic = 1.0 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    root_magic = np.sqrt(magic)
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQUARED) / (magic * root_magic)
    parallel_m = _SEMI_MAJOR_M / root_magic * np.cos(latitude)
    moved = np.empty_like(points)
    moved[:, 0] = points[:, 0] + np.degrees(d_lon / parallel_m)
    moved[:, 1] = points[:, 1] + np.degrees(d_lat / meridian_m)
    return moved


def to_wgs84(points: Coordinates) -> Coordinates:
    """Undo the distortion of GCJ-02 points, exactly.

    `points` is an (n, 2) array of longitude, latitude in degrees. The fixed-point iteration
    contracts by about 1e-3 per step; it ends at `_TOLERANCE_DEG`, and InvariantError says that
    it didn't.
    """
    guess = points.copy()
    for _ in range(_ITERATIONS_MAX):
        error = from_wgs84(guess) - points
        guess -= error
        if not error.size or float(np.abs(error).max()) < _TOLERANCE_DEG:
            return guess
    raise InvariantError(f"GCJ-02: the inverse didn't converge in {_ITERATIONS_MAX} steps")


def geometries_to_wgs84(geometries: Any) -> Any:
    """Convert an array of shapely geometries from GCJ-02 to WGS84.

    Equal vertices stay equal, so shared borders stay shared.
    """
    return shapely.transform(geometries, to_wgs84)
