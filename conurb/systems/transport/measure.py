"""Lengths on the ground: great-circle distances, and a flat plane for what lies near a point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from conurb.model.geometry import EARTH_RADIUS_M

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

M_PER_DEGREE: Final = math.pi * EARTH_RADIUS_M / 180.0


def distance_m(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Measure the great-circle distance of two points in metres (haversine).

    >>> round(distance_m(0.0, 0.0, 1.0, 0.0))
    111195
    """
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_phi = math.sin((phi_b - phi_a) / 2)
    half_lambda = math.sin(math.radians(lon_b - lon_a) / 2)
    root = half_phi * half_phi + math.cos(phi_a) * math.cos(phi_b) * half_lambda * half_lambda
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(root)))


class Plane:
    """A flat plane in metres about a middle latitude: equirectangular.

    Distances of some kilometres are right to one per mille within 1 degree of the middle; over a
    region of six degrees to 3 per cent.
    """

    __slots__ = ("_x", "_y")

    def __init__(self, middle_lat: float) -> None:
        self._x = M_PER_DEGREE * math.cos(math.radians(middle_lat))
        self._y = M_PER_DEGREE

    def to_plane(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn an (n, 2) array of longitude and latitude into metres east and north."""
        import numpy as np

        metres: NDArray[np.float64] = degrees * np.array([self._x, self._y])
        return metres

    def to_degrees(self, metres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn metres back into longitude and latitude."""
        import numpy as np

        degrees: NDArray[np.float64] = metres / np.array([self._x, self._y])
        return degrees

    def flatten(self, shape: Any) -> Any:
        """Turn a shapely geometry in degrees into one in metres."""
        import shapely

        return shapely.transform(shape, self.to_plane)

    def unflatten(self, shape: Any) -> Any:
        """Turn a shapely geometry in metres back into degrees."""
        import shapely

        return shapely.transform(shape, self.to_degrees)
