"""A layer of a tile with few objects on it, in one statement: what most tiles are.

The statement is compiled once for all tiles of one layer, so that the server plans it once per
connection. It takes what lies on the tile, looks at the objects when they are few enough, and draws
them; else it says that they are many, and costs little. Most objects have plain values alone, which
`flat` gives, and PostGIS writes the tile. Where a tile had others, the tiles of that layer are
drawn here, out of documents: taking those apart costs the server ten times as much.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from conurb.model.tiles.draw import TOLERANCE
from conurb.model.tiles.layer import POINTS_MAX, TileLayer, draw_placed, properties_of
from conurb.model.tiles.quad import BUFFER, EXTENT, HALF_WORLD_M, Square
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.rows import ENTITY_COLUMNS, entity_of
from conurb.store.postgres.tile_rows import plain_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conurb.model.tiles.ask import TileAsk
    from conurb.model.tiles.mvt import Scalar
    from conurb.store.postgres.names import Names

LAYERS_MAX: Final = 200
"""Layers whose statements are kept."""

CROWDED_MAX: Final = 4_096
"""Squares of one layer that are remembered to have too many objects for this."""

HERE_MAX: Final = 40
"""Objects that are drawn on the event loop: less work than the way to a thread and back."""

_IS_SHAPE: Final = "GeometryType(n.geom) <> 'POINT'"


class Slot(Enum):
    """What of a statement's arguments is another for every tile."""

    NOW = auto()
    Z = auto()
    X = auto()
    Y = auto()
    WEST = auto()
    SOUTH = auto()
    EAST = auto()
    NORTH = auto()
    CUT_WEST = auto()
    CUT_SOUTH = auto()
    CUT_EAST = auto()
    CUT_NORTH = auto()
    TOLERANCE_M = auto()


_BOX: Final = (Slot.WEST, Slot.SOUTH, Slot.EAST, Slot.NORTH)
_CUT: Final = (Slot.CUT_WEST, Slot.CUT_SOUTH, Slot.CUT_EAST, Slot.CUT_NORTH)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its arguments, of which some are slots."""

    sql: str
    arguments: tuple[Any, ...]

    def bind(self, square: Square, *, now_us: int) -> tuple[Any, ...]:
        """Give the statement for a tile."""
        placed: dict[Slot, Any] = {
            Slot.NOW: now_us,
            Slot.Z: square.z,
            Slot.X: square.x,
            Slot.Y: square.y,
            Slot.TOLERANCE_M: tolerance_m(square),
            **dict(zip(_BOX, square.bounds(buffer=BUFFER), strict=True)),
            # Twice the buffer, so that where a shape was cut isn't drawn.
            **dict(zip(_CUT, square.bounds(buffer=2 * BUFFER), strict=True)),
        }
        return (
            self.sql,
            *(placed[one] if isinstance(one, Slot) else one for one in self.arguments),
        )


@dataclass(slots=True)
class _Layer:
    """What is known of a layer.

    `drawn` draws it out of plain values, None when it has others; `rows` reads its objects.
    `crowded` are the squares on which there were too many.
    """

    drawn: Statement | None
    rows: Statement
    crowded: set[Square] = field(default_factory=set)

    def note_crowd(self, square: Square) -> None:
        """Remember a square with too many objects; where it lies in has more still."""
        if len(self.crowded) > CROWDED_MAX:
            self.crowded.clear()
        z, x, y = square.z, square.x, square.y
        while z >= 0:
            self.crowded.add(Square(z, x, y))
            z, x, y = z - 1, x // 2, y // 2


class FewDrawn:
    """Draws the tiles of one store that have few objects."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._layers: OrderedDict[tuple[Any, ...], _Layer] = OrderedDict()

    async def draw(self, connection: Any, ask: TileAsk, *, now_us: int) -> TileLayer | None:
        """Draw a layer; None when there may be too many objects on the tile for this."""
        if ask.thin:
            return None
        if self._names.find_tid(ask.geometry) is None:
            return TileLayer()
        layer = self._layer(ask)
        if ask.square in layer.crowded:
            return None
        if layer.drawn is not None:
            row = await connection.fetchrow(*layer.drawn.bind(ask.square, now_us=now_us))
            if row["crowd"] <= POINTS_MAX and not row["odd"]:
                return TileLayer(bytes(row["data"] or b""), row["points"])
            if row["crowd"] > POINTS_MAX:
                layer.note_crowd(ask.square)
                return None
            layer.drawn = None
        rows = await connection.fetch(*layer.rows.bind(ask.square, now_us=now_us))
        if rows[0]["crowd"] > POINTS_MAX:
            layer.note_crowd(ask.square)
            return None
        found = [row for row in rows if row["id"] is not None]
        if len(found) <= HERE_MAX:
            return _draw_rows(ask, found, self._names)
        return await asyncio.to_thread(_draw_rows, ask, found, self._names)

    def _layer(self, ask: TileAsk) -> _Layer:
        key = (self._names.version, ask.name, ask.query, ask.geometry, ask.dataset, ask.view)
        found = self._layers.get(key)
        if found is None:
            compiling = _Compiling(self._names, ask)
            found = self._layers[key] = _Layer(compiling.drawn(), compiling.rows())
            if len(self._layers) > LAYERS_MAX:
                self._layers.popitem(last=False)
        self._layers.move_to_end(key)
        return found


def _draw_rows(ask: TileAsk, rows: Sequence[Any], names: Names) -> TileLayer:
    """Draw objects out of their documents."""
    import shapely

    points = [(row["x"], row["y"], row) for row in rows if row["shape"] is None]
    shaped = [row for row in rows if row["shape"] is not None]
    shapes: Any = shapely.from_wkb([row["shape"] for row in shaped]) if shaped else []

    def say(row: Any) -> Mapping[str, Scalar]:
        return properties_of(entity_of(row, names), ask)

    return draw_placed(ask, points, list(zip(shapes, shaped, strict=True)), say)


def tolerance_m(square: Square) -> float:
    """Give how far a drawn line may lie from the true one, in metres of EPSG:3857."""
    return TOLERANCE * 2 * HALF_WORLD_M / EXTENT / (1 << square.z)


@dataclass(frozen=True, slots=True)
class _Compiling:
    """Compiles the statements of a layer."""

    names: Names
    ask: TileAsk

    def drawn(self) -> Statement | None:
        """Draw in the engine; None when what is asked isn't among plain values."""
        selection = self._selection()
        add = selection.arguments.add
        found = plain_sql(self.ask.view, self.names, selection.arguments)
        if found is None:
            return None
        odd, props = found
        place = ", ".join(add(one, "int") for one in (Slot.Z, Slot.X, Slot.Y))
        metres = (
            f"CASE WHEN h.shape THEN ST_Simplify(ST_Transform({_cut(selection, 'h.geom')}, 3857), "
            f"{add(Slot.TOLERANCE_M, 'float8')}) ELSE ST_Transform(h.geom, 3857) END"
        )
        on_grid = f"ST_AsMVTGeom({metres}, ST_TileEnvelope({place}), {EXTENT}, {BUFFER}, true)"
        return _statement(
            selection,
            f"{self._near(selection)}, "
            f"here AS MATERIALIZED (SELECT n.geom, {_IS_SHAPE} AS shape, "
            f"{props} AS props, {odd} AS odd FROM {self._objects(selection)}) "
            "SELECT c.crowd, c.points, c.odd, CASE WHEN NOT c.odd AND c.found > 0 THEN "
            f"(SELECT ST_AsMVT(t.*, {add(self.ask.name, 'text')}, {EXTENT}, 'geom') "
            f"FROM (SELECT {on_grid} AS geom, h.props FROM here h) t WHERE t.geom IS NOT NULL) "
            "END AS data FROM (SELECT (SELECT count(*) FROM near) AS crowd, count(*) AS found, "
            "count(*) FILTER (WHERE NOT shape) AS points, coalesce(bool_or(odd), FALSE) AS odd "
            "FROM here) c",
        )

    def rows(self) -> Statement:
        """Read the objects; without any, one row says how many geometries there are."""
        selection = self._selection()
        return _statement(
            selection,
            f"{self._near(selection)}, "
            f"here AS (SELECT e.id, {ENTITY_COLUMNS}, "
            f"CASE WHEN {_IS_SHAPE} THEN ST_AsBinary({_cut(selection, 'n.geom')}) END AS shape, "
            f"CASE WHEN NOT {_IS_SHAPE} THEN ST_X(n.geom) END AS x, "
            f"CASE WHEN NOT {_IS_SHAPE} THEN ST_Y(n.geom) END AS y "
            f"FROM {self._objects(selection)}) "
            "SELECT c.crowd, h.* FROM (SELECT count(*) AS crowd FROM near) c "
            "LEFT JOIN here h ON TRUE",
        )

    def _selection(self) -> Selection:
        now: Any = Slot.NOW
        return Selection(self.names, self.ask.query.restriction, Moments(now))

    def _near(self, selection: Selection) -> str:
        """Begin a statement with the geometries on the tile, one more than are drawn at most."""
        add = selection.arguments.add
        box = ", ".join(add(one, "float8") for one in _BOX)
        dataset = self.ask.dataset
        which = "g.first" if dataset is None else f"g.dataset = {add(dataset, 'text')}"
        return (
            "WITH near AS MATERIALIZED (SELECT g.eid, g.geom FROM geometry g "
            f"WHERE g.attr = {self.names.find_tid(self.ask.geometry)} AND {which} "
            f"AND g.geom && ST_MakeEnvelope({box}, 4326) LIMIT {POINTS_MAX + 1})"
        )

    def _objects(self, selection: Selection) -> str:
        """Give FROM and WHERE of the objects `e` of these geometries `n`, unless they are many."""
        return (
            "near n JOIN entity e ON e.eid = n.eid "
            f"WHERE (SELECT count(*) FROM near) <= {POINTS_MAX} "
            f"AND {selection.where_sql(self.ask.query, 'e')}"
        )


def _cut(selection: Selection, geometry: str) -> str:
    box = ", ".join(selection.arguments.add(one, "float8") for one in _CUT)
    return f"ST_ClipByBox2D({geometry}, ST_MakeEnvelope({box}, 4326))"


def _statement(selection: Selection, sql: str) -> Statement:
    bound, *arguments = selection.arguments.bind(sql)
    return Statement(bound, tuple(arguments))
