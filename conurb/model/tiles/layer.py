"""One layer of a tile out of objects, bounded whatever there is.

Over `POINTS_MAX` points become one per cell of a grid, with their count; over `SHAPES_MAX` lines
and areas the largest remain and the rest is counted. Cells lie in the tile alone, so that no object
counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from conurb.model.geometry import to_shapely
from conurb.model.render.flat import flat_row
from conurb.model.tiles.draw import draw_shapes, grid_place, point_commands
from conurb.model.tiles.mvt import COUNT_KEY, POINT, LayerWriter, Scalar
from conurb.model.tiles.quad import BUFFER, EXTENT
from conurb.model.vocabulary import platform_terms

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.tiles.ask import TileAsk
    from conurb.model.tiles.quad import Square

POINTS_MAX: Final = 2_000
"""Points of one tile that are drawn each by itself."""

SHAPES_MAX: Final = 5_000
"""Lines and areas of one tile."""

CELLS: Final = 32
"""Cells along one side of a tile, in which many points become one: 16 px on a tile of 512."""

CELL: Final = EXTENT // CELLS
CELLED_ZOOM_MAX: Final = 20
"""From the next level on every point is drawn: what lies in one place can't be told apart."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TileLayer:
    """A layer as bytes; how many points are drawn each by itself, how many shapes left out."""

    data: bytes = b""
    points: int = 0
    left_out: int = 0


def scalars(row: Mapping[str, Any]) -> dict[str, Scalar]:
    """Keep of a row what a tile can say: texts, numbers and booleans.

    >>> scalars({"a": 1, "b": None, "c": [1]})
    {'a': 1}
    """
    return {key: one for key, one in row.items() if isinstance(one, str | int | float)}


def properties_of(entity: Entity, ask: TileAsk) -> dict[str, Scalar]:
    """Give what a tile says of an object."""
    return {"id": entity.id, **scalars(flat_row(entity, platform_terms(), ask.view))}


def geometry_of(entity: Entity, attribute: str, dataset: str | None) -> Any:
    """Give the geometry of an object that is shown; None without one.

    Without a datasetId it is the default instance, or the first when there is no default.
    """
    for one in entity.attrs.get(attribute, ()):
        if one["type"] == "GeoProperty" and dataset in (None, one.get("datasetId")):
            return one["value"]
    return None


def is_inside(x: int, y: int, *, margin: int = 0) -> bool:
    """Whether a unit of the grid lies on the tile, `margin` units around it included."""
    return -margin <= x < EXTENT + margin and -margin <= y < EXTENT + margin


def draw_entities(ask: TileAsk, entities: Iterable[Entity]) -> TileLayer:
    """Draw objects that are at hand as a layer."""
    points: list[tuple[float, float, Entity]] = []
    shapes: list[tuple[Any, Entity]] = []
    for entity in entities:
        geometry = geometry_of(entity, ask.geometry, ask.dataset)
        if geometry is None:
            continue
        if geometry["type"] == "Point":
            longitude, latitude = geometry["coordinates"][:2]
            points.append((longitude, latitude, entity))
        else:
            shapes.append((to_shapely(geometry), entity))
    return draw_placed(ask, points, shapes, lambda entity: properties_of(entity, ask))


def draw_placed(
    ask: TileAsk,
    points: Iterable[tuple[float, float, T]],
    shapes: Sequence[tuple[Any, T]],
    say: Callable[[T], Mapping[str, Scalar]],
) -> TileLayer:
    """Draw points (longitude, latitude), and lines and areas (of shapely), each with its object.

    `say` gives the properties of an object; it is asked for those alone that are drawn.
    """
    placed: list[tuple[int, int, T]] = []
    for longitude, latitude, one in points:
        x, y = grid_place(ask.square, longitude, latitude)
        if is_inside(x, y, margin=BUFFER):
            placed.append((x, y, one))
    writer = LayerWriter(ask.name)
    left_out = max(0, len(shapes) - SHAPES_MAX)
    if left_out:
        shapes = sorted(shapes, key=lambda pair: -shape_size(pair[0]))[:SHAPES_MAX]
    add_shapes(writer, ask.square, [(shape, say(one)) for shape, one in shapes])
    if is_thinned(ask, len(placed)):
        _add_cells(writer, placed, say)
        return TileLayer(writer.layer(), 0, left_out)
    for x, y, one in placed:
        writer.add(POINT, point_commands(x, y), say(one))
    return TileLayer(writer.layer(), len(placed), left_out)


def is_thinned(ask: TileAsk, points: int) -> bool:
    """Whether so many points are drawn by cells."""
    return ask.square.z <= CELLED_ZOOM_MAX and (ask.thin or points > POINTS_MAX)


def shape_size(shape: Any) -> float:
    """Give the order by which shapes are kept when there are too many."""
    west, south, east, north = shape.bounds
    return float((east - west) + (north - south))


def add_shapes(
    writer: LayerWriter, square: Square, shapes: Sequence[tuple[Any, Mapping[str, Scalar]]]
) -> None:
    """Add lines and areas with their properties."""
    drawn = draw_shapes(square, [shape for shape, _ in shapes])
    for one, (_, row) in zip(drawn, shapes, strict=True):
        if one is not None:
            writer.add(one[0], one[1], row)


def _add_cells(
    writer: LayerWriter,
    points: Iterable[tuple[int, int, T]],
    say: Callable[[T], Mapping[str, Scalar]],
) -> None:
    cells: dict[int, list[tuple[int, int, T]]] = {}
    for point in points:
        if is_inside(point[0], point[1]):
            cells.setdefault(cell_of(point[0], point[1]), []).append(point)
    for cell, inside in cells.items():
        x = sum(point[0] for point in inside) // len(inside)
        y = sum(point[1] for point in inside) // len(inside)
        alone = say(inside[0][2]) if len(inside) == 1 else None
        add_cell(writer, cell, x, y, len(inside), alone)


def cell_of(x: int, y: int) -> int:
    """Give the number of the cell in which a unit of the grid lies."""
    return y // CELL * CELLS + x // CELL


def add_cell(
    writer: LayerWriter,
    cell: int,
    x: int,
    y: int,
    count: int,
    alone: Mapping[str, Scalar] | None,
) -> None:
    """Add a cell's point: how many there are, or the object itself when it is alone."""
    if alone is not None:
        writer.add(POINT, point_commands(x, y), alone)
    else:
        writer.add(POINT, point_commands(x, y), {COUNT_KEY: count}, number=cell + 1)
