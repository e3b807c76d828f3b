"""Weights from geometry, distance, travel time and figures.

Points are [N x 2] longitude and latitude in degrees, distances great-circle kilometres. Every
function gives weights as they are (0/1, 1/km ...), not yet row-standardised, and warns of islands
by name. Definitions: Anselin 1988, Spatial Econometrics, ch. 3; LeSage and Pace 2009, ch. 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from conurb.errors import InputError
from conurb.model.geometry import to_shapely
from conurb.strategy.panel import Figures
from conurb.strategy.sphere import great_circle_km
from conurb.strategy.spillover.weights import Weights, warn_of_islands

Rule: TypeAlias = Literal["queen", "rook"]
Shape: TypeAlias = "BaseGeometry | Mapping[str, Any]"


def _shapes(geometries: Sequence[Shape]) -> list[BaseGeometry]:
    return [
        to_shapely(dict(shape)) if isinstance(shape, Mapping) else shape for shape in geometries
    ]


def centroids(geometries: Sequence[Shape]) -> Figures:
    """Give the centroids [N x 2] of shapely geometries or GeoJSON objects."""
    return shapely.get_coordinates([shape.centroid for shape in _shapes(geometries)])


def contiguity(
    units: Sequence[str],
    geometries: Sequence[Shape],
    *,
    rule: Rule = "queen",
    tolerance: float = 0.0,
) -> Weights:
    """Link units whose areas touch: in a point ("queen") or along a line ("rook").

    `tolerance`, in the geometries' own coordinates, bridges gaps between borders that were drawn
    apart (0.001 degrees are about 100 m).
    """
    if rule not in ("queen", "rook"):
        raise InputError(f"rule is {rule!r}; allowed are 'queen' and 'rook'")
    if not tolerance >= 0:
        raise InputError(f"tolerance is {tolerance}; it must not be negative")
    shapes = _shapes(geometries)
    _check_count(units, len(shapes))
    matrix = np.zeros((len(units), len(units)))
    near = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=tolerance)
    for i, j in near.T:
        if i < j and (rule == "queen" or _share_line(shapes[i], shapes[j], tolerance)):
            matrix[i, j] = matrix[j, i] = 1.0
    return warn_of_islands(Weights(tuple(units), matrix, f"{rule} contiguity"))


def _share_line(a: BaseGeometry, b: BaseGeometry, tolerance: float) -> bool:
    if tolerance == 0:
        return bool(a.intersection(b).length > 0)
    # A corner alone lies within the tolerance over up to four times its width.
    return bool(a.boundary.intersection(b.buffer(tolerance)).length > 4 * tolerance)


def distance_band(units: Sequence[str], points: ArrayLike, *, within_km: float) -> Weights:
    """Link units at most `within_km` apart, each with weight 1."""
    km = _distances(units, points)
    linked = (km <= _positive("within_km", within_km)) & ~np.eye(len(km), dtype=bool)
    kind = f"within {within_km:g} km"
    return warn_of_islands(Weights(tuple(units), linked.astype(np.float64), kind))


def k_nearest(units: Sequence[str], points: ArrayLike, *, k: int) -> Weights:
    """Link each unit with its k nearest, weight 1; equally near ones by their order."""
    km = _distances(units, points)
    if not 1 <= k < len(km):
        raise InputError(f"k is {k}; with {len(km)} units it must be 1 to {len(km) - 1}")
    np.fill_diagonal(km, np.inf)
    matrix = np.zeros_like(km)
    np.put_along_axis(matrix, np.argsort(km, axis=1, kind="stable")[:, :k], 1.0, axis=1)
    return Weights(tuple(units), matrix, f"{k} nearest")


def inverse_distance(
    units: Sequence[str], points: ArrayLike, *, power: float = 1.0, within_km: float | None = None
) -> Weights:
    """Weigh units by 1 / km ** power, up to `within_km`; InputError names two at one point."""
    km = _distances(units, points)
    limit = np.inf if within_km is None else _positive("within_km", within_km)
    return _inverse(units, km, power=power, limit=limit, kind=f"1 / km^{power:g}")


def travel_time(
    units: Sequence[str],
    minutes: ArrayLike,
    *,
    power: float = 1.0,
    within_min: float | None = None,
) -> Weights:
    """Weigh units by 1 / minutes ** power of a matrix [N x N] from unit i to unit j.

    NaN or infinite is no connection. The matrix may be asymmetric, and so are the weights then.
    """
    given = np.asarray(minutes, dtype=np.float64)
    if given.shape != (len(units), len(units)):
        raise InputError(f"Travel times of {len(units)} units have shape {given.shape}")
    times = np.where(np.isnan(given), np.inf, given)
    limit = np.inf if within_min is None else _positive("within_min", within_min)
    return _inverse(units, times, power=power, limit=limit, kind=f"1 / min^{power:g}")


def economic_distance(
    units: Sequence[str], figures: ArrayLike, *, nearby: Weights | None = None
) -> Weights:
    """Weigh units by 1 / |x_i - x_j| of a figure (say, GDP per person), times `nearby` if given.

    The figure must be fixed before the period studied, else W is itself an outcome. InputError
    names two units whose figures are equal.
    """
    x = np.asarray(figures, dtype=np.float64)
    _check_count(units, len(x))
    if x.ndim != 1 or not np.isfinite(x).all():
        raise InputError("Economic distance needs one finite figure per unit")
    weights = _inverse(
        units, np.abs(x[:, None] - x), power=1.0, limit=np.inf, kind="1 / economic distance"
    )
    if nearby is None:
        return weights
    links = nearby.aligned(units)
    kind = f"{links.kind} x {weights.kind}"
    return warn_of_islands(Weights(tuple(units), weights.matrix * links.matrix, kind))


def _inverse(
    units: Sequence[str], apart: Figures, *, power: float, limit: float, kind: str
) -> Weights:
    _positive("power", power)
    off = ~np.eye(len(apart), dtype=bool)
    wrong = off & ~(apart > 0)
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise InputError(
            f"{units[i]} and {units[j]} are {apart[i, j]:g} apart: an inverse has no value there"
        )
    linked = off & (apart <= limit) & np.isfinite(apart)
    matrix = np.zeros_like(apart)
    matrix[linked] = apart[linked] ** -power
    return warn_of_islands(Weights(tuple(units), matrix, kind))


def _distances(units: Sequence[str], points: ArrayLike) -> Figures:
    km = great_circle_km(points)
    _check_count(units, len(km))
    return km


def _check_count(units: Sequence[str], count: int) -> None:
    if len(units) != count:
        raise InputError(f"{len(units)} units and {count} places or figures")


def _positive(name: str, value: float) -> float:
    if not (value > 0 and np.isfinite(value)):
        raise InputError(f"{name} is {value}; it must be positive")
    return value
