"""One layer of a tile out of objects, bounded whatever there is.

Over `POINTS_MAX` points become one per cell of a grid, with their count; over `SHAPES_MAX` lines
and areas the largest remain and the rest is counted. Cells lie in the tile alone, so that no object
counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conurb.model.tiles.draw import draw_shapes, grid_place, point_commands
from conurb.model.tiles.mvt import POINT, LayerWriter, Scalar
from conurb.model.tiles.quad import BUFFER, EXTENT, Square

POINTS_MAX: Final = 2_000
"""Points of one tile that are drawn each by itself."""

SHAPES_MAX: Final = 5_000
"""Lines and areas of one tile."""

CELLS: Final = 32
"""Cells along one side of a tile, in which many points become one: 16 px on a tile of 512."""

CELL: Final = EXTENT // CELLS
COUNT_KEY: Final = "point_count"
"""The property that says how many objects a point stands for."""

CELLED_ZOOM_MAX: Final = 20
"""From the next level on every point is drawn: what lies in one place can't be told apart."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """An object on its way into a tile: id, GeoJSON geometry, and its row of simple values."""

    id: str
    geometry: Mapping[str, Any]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TileLayer:
    """A layer as bytes, how many objects it stands for, and how many it doesn't show."""

    data: bytes = b""
    objects: int = 0
    left_out: int = 0


def scalars(row: Mapping[str, Any]) -> dict[str, Scalar]:
    """Keep of a row what a tile can say: texts, numbers and booleans.

    >>> scalars({"a": 1, "b": None, "c": [1]})
    {'a': 1}
    """
    return {key: one for key, one in row.items() if isinstance(one, str | int | float)}


def is_inside(x: int, y: int, *, margin: int = 0) -> bool:
    """Whether a unit of the grid lies on the tile, `margin` units around it included."""
    return -margin <= x < EXTENT + margin and -margin <= y < EXTENT + margin


def draw_layer(name: str, square: Square, sketches: Iterable[Sketch]) -> TileLayer:
    """Draw objects as a layer."""
    points: list[tuple[int, int, Sketch]] = []
    shapes: list[Sketch] = []
    for one in sketches:
        if one.geometry["type"] == "Point":
            x, y = grid_place(square, *one.geometry["coordinates"][:2])
            if is_inside(x, y, margin=BUFFER):
                points.append((x, y, one))
        else:
            shapes.append(one)
    writer = LayerWriter(name)
    left_out = _add_shapes(writer, square, shapes)
    _add_points(writer, square, points)
    objects = len(shapes) - left_out + sum(is_inside(x, y) for x, y, _ in points)
    return TileLayer(writer.layer(), objects, left_out)


def _add_shapes(writer: LayerWriter, square: Square, sketches: Sequence[Sketch]) -> int:
    """Add lines and areas; give how many were too many."""
    from conurb.model.geometry import to_shapely

    shapes = [to_shapely(dict(one.geometry)) for one in sketches]
    order = range(len(shapes))
    if len(shapes) > SHAPES_MAX:
        order = sorted(order, key=lambda n: -_size(shapes[n]))[:SHAPES_MAX]  # type: ignore[assignment]
    kept = sorted(order)
    drawn = draw_shapes(square, [shapes[n] for n in kept])
    for number, one in zip(kept, drawn, strict=True):
        if one is not None:
            sketch = sketches[number]
            writer.add(one[0], one[1], {"id": sketch.id, **scalars(sketch.row)})
    return len(shapes) - len(kept)


def _size(shape: Any) -> float:
    west, south, east, north = shape.bounds
    return float((east - west) + (north - south))


def _add_points(
    writer: LayerWriter, square: Square, points: Sequence[tuple[int, int, Sketch]]
) -> None:
    if len(points) <= POINTS_MAX or square.z > CELLED_ZOOM_MAX:
        for x, y, one in points:
            writer.add(POINT, point_commands(x, y), {"id": one.id, **scalars(one.row)})
        return
    cells: dict[int, list[tuple[int, int, Sketch]]] = {}
    for point in points:
        if is_inside(point[0], point[1]):
            cells.setdefault(point[1] // CELL * CELLS + point[0] // CELL, []).append(point)
    for cell, inside in cells.items():
        x = sum(point[0] for point in inside) // len(inside)
        y = sum(point[1] for point in inside) // len(inside)
        first = inside[0][2]
        add_cell(writer, cell, x, y, len(inside), {"id": first.id, **scalars(first.row)})


def add_cell(
    writer: LayerWriter, cell: int, x: int, y: int, count: int, row: Mapping[str, Scalar]
) -> None:
    """Add a cell's point: the object itself when it is alone, else how many there are."""
    alone = count == 1
    writer.add(
        POINT,
        point_commands(x, y),
        row if alone else {COUNT_KEY: count},
        number=None if alone else cell + 1,
    )
