"""Shapes on the grid of a tile: projected, clipped, simplified, snapped, and written as commands.

A vertex that two neighbours share lands on the same unit of the grid for both, so that borders
stay closed; what is smaller than a unit vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from conurb.model.tiles.mvt import (
    CLOSE_PATH,
    LINE,
    LINE_TO,
    MOVE_TO,
    POINT,
    POLYGON,
    varint,
    varints,
    zigzag,
)
from conurb.model.tiles.quad import BUFFER, EXTENT, LATITUDE_MAX, Square, mercator

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

TOLERANCE: Final = 2.0
"""Units by which a simplified line may be off: half a pixel on a screen of high density."""

Drawn = tuple[int, bytes]
"""Kind of geometry, and its commands."""

_MOVE_ONE: Final = MOVE_TO | 1 << 3
_MOVE_TO_POINT: Final = varint(_MOVE_ONE)
_CLOSE: Final = CLOSE_PATH | 1 << 3


def point_commands(x: int, y: int) -> bytes:
    """Write the commands of a point at a unit of the grid."""
    return _MOVE_TO_POINT + _unit(x) + _unit(y)


@lru_cache(maxsize=2 * EXTENT)
def _unit(number: int) -> bytes:
    """Write a number of units from the corner; a tile has few of them."""
    return varint(zigzag(number))


def grid_place(square: Square, longitude: float, latitude: float) -> tuple[int, int]:
    """Give the unit of a tile's grid in which a place lies."""
    west, north = mercator(longitude, latitude)
    side = 1 << square.z
    return (
        round((west * side - square.x) * EXTENT),
        round((north * side - square.y) * EXTENT),
    )


def draw_shapes(square: Square, shapes: Sequence[Any]) -> list[Drawn | None]:
    """Draw shapely geometries of degrees; None for one of which nothing is left on the tile.

    Collections are drawn as far as their parts of the highest dimension go.
    """
    import numpy as np
    import shapely

    if not len(shapes):
        return []
    west, south, east, north = square.bounds(buffer=BUFFER)
    side = 1 << square.z

    def project(degrees: NDArray[float64]) -> NDArray[float64]:
        bounded = np.radians(np.clip(degrees[:, 1], -LATITUDE_MAX, LATITUDE_MAX))
        x = ((degrees[:, 0] + 180.0) / 360.0 * side - square.x) * EXTENT
        y = ((0.5 - np.arcsinh(np.tan(bounded)) / (2 * np.pi)) * side - square.y) * EXTENT
        return np.column_stack((x, y))

    flat = shapely.force_2d(np.asarray(shapes, dtype=object))
    inside = shapely.intersects(flat, shapely.box(west, south, east, north))
    flat[~inside] = None
    placed = shapely.transform(flat, project)
    simple = shapely.simplify(placed, TOLERANCE, preserve_topology=True)
    edge = -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER
    cut = shapely.clip_by_rect(simple, *edge)
    snapped = shapely.set_precision(shapely.make_valid(cut), 1.0)
    oriented = shapely.orient_polygons(snapped, exterior_cw=False)
    return [_commands(one) for one in oriented]


def _commands(shape: Any) -> Drawn | None:
    """Write a shape of whole units; None for nothing."""
    import shapely

    if shape is None or shape.is_empty:
        return None
    dimension = int(shapely.get_dimensions(shape))
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts([shape]))
        if not part.is_empty and int(shapely.get_dimensions(part)) == dimension
    ]
    numbers: list[int] = []
    cursor = (0, 0)
    if dimension == 0:
        numbers.append(MOVE_TO | len(parts) << 3)
        for part in parts:
            cursor = _move(numbers, cursor, _units(part)[0])
        return POINT, varints(numbers)
    for part in parts:
        rings = [part] if dimension == 1 else [part.exterior, *part.interiors]
        for ring in rings:
            cursor = _path(numbers, cursor, _units(ring), closed=dimension == 2)
    return (LINE if dimension == 1 else POLYGON), varints(numbers)


def _units(shape: Any) -> list[tuple[int, int]]:
    return [(round(x), round(y)) for x, y in shape.coords]


def _path(
    numbers: list[int],
    cursor: tuple[int, int],
    units: list[tuple[int, int]],
    *,
    closed: bool,
) -> tuple[int, int]:
    distinct = list(_distinct(units[:-1] if closed else units))
    numbers.append(_MOVE_ONE)
    cursor = _move(numbers, cursor, distinct[0])
    numbers.append(LINE_TO | len(distinct) - 1 << 3)
    for unit in distinct[1:]:
        cursor = _move(numbers, cursor, unit)
    if closed:
        numbers.append(_CLOSE)
    return cursor


def _distinct(units: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    previous = None
    for unit in units:
        if unit != previous:
            yield unit
        previous = unit


def _move(numbers: list[int], cursor: tuple[int, int], unit: tuple[int, int]) -> tuple[int, int]:
    numbers.append(zigzag(unit[0] - cursor[0]))
    numbers.append(zigzag(unit[1] - cursor[1]))
    return unit
