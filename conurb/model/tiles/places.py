"""A layer out of places: of many objects it is enough to know where they are.

For a tile of the past no index and no document is at hand. So an engine gives ids and geometries;
what has to be read of objects is known when the rest is counted, and isn't much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from conurb.model.geometry import Geometry, to_shapely
from conurb.model.tiles.draw import grid_place
from conurb.model.tiles.layer import (
    SHAPES_MAX,
    TileLayer,
    cell_of,
    draw_placed,
    is_inside,
    is_thinned,
    properties_of,
    shape_size,
)
from conurb.model.tiles.quad import BUFFER

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.tiles.ask import TileAsk
    from conurb.model.tiles.mvt import Scalar

Place = tuple[str, Geometry]
"""The id of an object, and the geometry that is drawn of it."""


@dataclass(slots=True)
class Sketch:
    """What will be drawn, by the ids of objects; `left_out` shapes won't."""

    ask: TileAsk
    points: list[tuple[float, float, str]]
    shapes: list[tuple[Any, str]]
    left_out: int = 0

    def wanted(self) -> list[str]:
        """Give the ids of the objects of which properties are written."""
        ids = [one for _, one in self.shapes]
        cells: dict[int, list[str]] = {}
        drawn = 0
        for longitude, latitude, one in self.points:
            x, y = grid_place(self.ask.square, longitude, latitude)
            drawn += is_inside(x, y, margin=BUFFER)
            if is_inside(x, y):
                cells.setdefault(cell_of(x, y), []).append(one)
        if is_thinned(self.ask, drawn):
            return ids + [inside[0] for inside in cells.values() if len(inside) == 1]
        return ids + [one for _, _, one in self.points]

    def draw(self, objects: Mapping[str, Entity]) -> TileLayer:
        """Draw, with the objects that are wanted."""

        def say(one: str) -> Mapping[str, Scalar]:
            entity = objects.get(one)
            return {"id": one} if entity is None else properties_of(entity, self.ask)

        layer = draw_placed(self.ask, self.points, self.shapes, say)
        return replace(layer, left_out=layer.left_out + self.left_out)


def sketch(ask: TileAsk, places: Iterable[Place]) -> Sketch:
    """Sort places into points and shapes, of which the largest are drawn."""
    found = Sketch(ask, [], [])
    for one, geometry in places:
        if geometry["type"] == "Point":
            longitude, latitude = geometry["coordinates"][:2]
            found.points.append((longitude, latitude, one))
        else:
            found.shapes.append((to_shapely(geometry), one))
    found.left_out = max(0, len(found.shapes) - SHAPES_MAX)
    if found.left_out:
        found.shapes = sorted(found.shapes, key=lambda pair: -shape_size(pair[0]))[:SHAPES_MAX]
    return found
