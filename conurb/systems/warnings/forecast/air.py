"""Where the wind carries polluted air, when it arrives at each city, and how sure that is.

Model. Air moves with the wind and nothing else: a set of parcels starts within `SOURCE_KM` of the
centres of the polluted cities, where stations measure, and is carried by a wind that is the same
everywhere or given per place and hour (dx/dt = u(x, t), steps of `STEP_S`). The wind isn't known
exactly, so the parcels are carried by `DIRECTIONS` x `SPEEDS` winds: turned by the quantiles of a
normal distribution with standard deviation `direction_sd_deg`, and multiplied by the quantiles of a
log-normal one with standard deviation `speed_sd` of the logarithm. Each of these winds weighs the
same. A city is reached when the first parcel crosses its boundary. Its probability is the share of
winds that reach it within the horizon; earliest, expected and latest arrival are the 10 %, 50 % and
90 % quantiles over those that do.

What the model doesn't say: how much arrives. There is no mixing, rain, chemistry or settling; it
answers "from when on may air from there be here", as a duty desk asks it first. The default
uncertainties are assumptions: surface stations stand for the wind of the mixed layer to some 25
degrees and a third of the speed.

Below `CALM_M_S` air stays where it is: nothing arrives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from conurb.errors import BadRequestDataError
from conurb.model.geometry import EARTH_RADIUS_M

if TYPE_CHECKING:
    from conurb.systems.warnings.areas import Cities

STEP_S: Final = 300
HORIZON_H_MAX: Final = 96
CELL_DEGREES: Final = 0.05
DIRECTIONS: Final = 11
SPEEDS: Final = 7
PARCELS_MAX: Final = 24
"""Parcels per polluted city; with more of them the edge of what is polluted is drawn finer."""

SOURCE_KM: Final = 20.0

CALM_M_S: Final = 0.3
DIRECTION_SD_DEG: Final = 25.0
SPEED_SD: Final = 0.33
_QUANTILES: Final = (0.1, 0.5, 0.9)
_NOWHERE: Final = -1
_OUTSIDE: Final = -2

Floats = NDArray[np.float64]

WindField = Callable[[Floats, Floats, float], tuple[Floats, Floats]]
"""Gives u (eastward) and v (northward) in m/s at longitudes, latitudes and seconds from now."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When the air reaches a city: seconds from now, and the share of winds that carry it there."""

    city: str
    earliest_s: float
    expected_s: float
    latest_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Wind:
    """A wind as observed: where, how fast, and from where it blows (degrees from north)."""

    longitude: float
    latitude: float
    speed_m_s: float
    from_deg: float

    @property
    def vector(self) -> tuple[float, float]:
        """Give the motion of the air: eastward and northward in m/s."""
        angle = math.radians(self.from_deg)
        return -self.speed_m_s * math.sin(angle), -self.speed_m_s * math.cos(angle)


def wind_field(winds: Sequence[Wind]) -> WindField:
    """Make a field of observed winds: weights fall with the square of the distance.

    It stands still: the wind that is now is taken to last. Raises BadRequestDataError for none.
    """
    if not winds:
        raise BadRequestDataError("a forecast by wind needs a wind")
    places = np.array([(one.longitude, one.latitude) for one in winds])
    vectors = np.array([one.vector for one in winds])

    def field(lon: Floats, lat: Floats, _seconds: float) -> tuple[Floats, Floats]:
        if len(vectors) == 1:
            return np.full_like(lon, vectors[0, 0]), np.full_like(lon, vectors[0, 1])
        shrink = np.cos(np.radians(lat))[:, None]
        east = (lon[:, None] - places[:, 0]) * shrink
        weights = 1.0 / (east**2 + (lat[:, None] - places[:, 1]) ** 2 + 1e-4)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights @ vectors[:, 0], weights @ vectors[:, 1]

    return field


class Grid:
    """Cities as a grid of cells, so that many parcels are placed at once."""

    def __init__(
        self, shapes: Mapping[str, object], centres: Mapping[str, tuple[float, float]]
    ) -> None:
        self.cities = tuple(shapes)
        self._centres = centres
        geometries = np.array(list(shapes.values()), dtype=object)
        west, south, east, north = shapely.total_bounds(geometries)
        self._west, self._south = west - CELL_DEGREES, south - CELL_DEGREES
        columns = int((east - self._west) / CELL_DEGREES) + 2
        rows = int((north - self._south) / CELL_DEGREES) + 2
        lon = self._west + (np.arange(columns) + 0.5) * CELL_DEGREES
        lat = self._south + (np.arange(rows) + 0.5) * CELL_DEGREES
        x, y = np.meshgrid(lon, lat)
        self.owner = np.full((rows, columns), _NOWHERE)
        for i, geometry in enumerate(geometries):
            shapely.prepare(geometry)
            self.owner[shapely.contains_xy(geometry, x, y)] = i
        self._x, self._y = x, y

    def cells(self, city: str) -> tuple[Floats, Floats]:
        """Give cells within `SOURCE_KM` of a city's centre, spread evenly, and the centre itself.

        Longitudes and latitudes of their middles.
        """
        lon, lat = self._centres[city]
        per_km = 180.0 / (math.pi * EARTH_RADIUS_M / 1000.0)
        east = (self._x - lon) * math.cos(math.radians(lat)) / per_km
        near = np.hypot(east, (self._y - lat) / per_km) <= SOURCE_KM
        x, y = self._x[near], self._y[near]
        chosen = np.unique(np.linspace(0, max(len(x) - 1, 0), PARCELS_MAX - 1).astype(int))
        return np.append(x[chosen], lon), np.append(y[chosen], lat)

    def find(self, lon: Floats, lat: Floats) -> NDArray[np.int64]:
        """Give the number of the city at each point; -1 for none, -2 outside of the grid."""
        column = ((lon - self._west) / CELL_DEGREES).astype(np.int64)
        row = ((lat - self._south) / CELL_DEGREES).astype(np.int64)
        rows, columns = self.owner.shape
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        found = np.full(lon.shape, _OUTSIDE, dtype=np.int64)
        found[inside] = self.owner[row[inside], column[inside]]
        return found


def grid_of(cities: Cities) -> Grid:
    """Make the grid of a region's cities."""
    return Grid(
        {city: cities.shape(city) for city in cities.by_id},
        {city: one.centre for city, one in cities.by_id.items()},
    )


def forecast(
    sources: Sequence[str],
    field: WindField,
    grid: Grid,
    *,
    horizon_h: float = 48.0,
    direction_sd_deg: float = DIRECTION_SD_DEG,
    speed_sd: float = SPEED_SD,
) -> tuple[Arrival, ...]:
    """Forecast when air from polluted cities arrives at each other one, soonest first.

    Raises BadRequestDataError for a city that the grid hasn't, or a horizon over the bound.
    """
    if not 0 < horizon_h <= HORIZON_H_MAX:
        raise BadRequestDataError(f"horizon: {horizon_h} h is not in 0 to {HORIZON_H_MAX} h")
    unknown = sorted(set(sources) - set(grid.cities))
    if unknown or not sources:
        raise BadRequestDataError(f"sources: {', '.join(unknown) or 'none'} of the region's cities")
    turn, stretch = _perturbations(direction_sd_deg, speed_sd)
    starts = [grid.cells(city) for city in sources]
    start_lon = np.concatenate([lon for lon, _ in starts])
    start_lat = np.concatenate([lat for _, lat in starts])
    first = _first_arrivals(start_lon, start_lat, field, grid, (turn, stretch), horizon_h)
    own = {grid.cities.index(city) for city in sources}
    found = [
        _arrival(city, first[:, i])
        for i, city in enumerate(grid.cities)
        if i not in own and np.isfinite(first[:, i]).any()
    ]
    return tuple(sorted(found, key=lambda one: (one.expected_s, one.city)))


def _perturbations(direction_sd_deg: float, speed_sd: float) -> tuple[Floats, Floats]:
    normal = NormalDist()
    angles = [normal.inv_cdf((i + 0.5) / DIRECTIONS) * direction_sd_deg for i in range(DIRECTIONS)]
    factors = [math.exp(normal.inv_cdf((i + 0.5) / SPEEDS) * speed_sd) for i in range(SPEEDS)]
    turn, stretch = np.meshgrid(np.radians(angles), factors)
    return turn.ravel(), stretch.ravel()


def _first_arrivals(
    start_lon: Floats,
    start_lat: Floats,
    field: WindField,
    grid: Grid,
    perturbed: tuple[Floats, Floats],
    horizon_h: float,
) -> Floats:
    """Carry all parcels by all winds; give when each wind first reached each city (winds, cities).

    Seconds; infinite where it didn't.
    """
    winds = len(perturbed[0])
    wind = np.repeat(np.arange(winds), len(start_lon))
    cosine = (np.cos(perturbed[0]) * perturbed[1])[wind]
    sine = (np.sin(perturbed[0]) * perturbed[1])[wind]
    lon, lat = np.tile(start_lon, winds), np.tile(start_lat, winds)
    first = np.full((winds, len(grid.cities)), np.inf)
    per_m = 180.0 / (math.pi * EARTH_RADIUS_M)
    for step in range(1, int(horizon_h * 3600 / STEP_S) + 1):
        u, v = field(lon, lat, (step - 1) * STEP_S)
        moving = np.hypot(u, v) >= CALM_M_S
        east, north = u * cosine - v * sine, u * sine + v * cosine
        lon = lon + np.where(moving, east * STEP_S * per_m / np.cos(np.radians(lat)), 0.0)
        lat = lat + np.where(moving, north * STEP_S * per_m, 0.0)
        city = grid.find(lon, lat)
        if (city == _OUTSIDE).all():
            break
        here = city >= 0
        np.minimum.at(first, (wind[here], city[here]), float(step * STEP_S))
    return first


def _arrival(city: str, seconds: Floats) -> Arrival:
    reached = seconds[np.isfinite(seconds)]
    low, middle, high = np.quantile(reached, _QUANTILES)
    share = len(reached) / len(seconds)
    return Arrival(city, float(low), float(middle), float(high), round(share, 4))
