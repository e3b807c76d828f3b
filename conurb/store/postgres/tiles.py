"""A layer of a tile out of PostGIS: cut, counted and written by the engine (ST_AsMVT).

Many points are counted by cell, over narrow rows: which types an object has is known without its
document. What a tile says of an object is in `tile_rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.tiles.draw import TOLERANCE
from conurb.model.tiles.layer import (
    CELL,
    CELLED_ZOOM_MAX,
    CELLS,
    COUNT_KEY,
    POINTS_MAX,
    SHAPES_MAX,
    TileLayer,
    is_thinned,
)
from conurb.model.tiles.quad import BUFFER, EXTENT, HALF_WORLD_M
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.sources import all_of, any_of
from conurb.store.postgres.tile_rows import properties_sql

if TYPE_CHECKING:
    from conurb.model.tiles.ask import TileAsk
    from conurb.store.postgres.names import Names

READ_MAX: Final = 20_000
"""Points of one tile of the deepest levels, where they aren't counted by cell."""

_IS_POINT: Final = "GeometryType(g.geom) = 'POINT'"


async def draw_tile(connection: Any, names: Names, ask: TileAsk, *, now_us: int) -> TileLayer:
    """Draw a layer; `connection` sees one moment's data all the time."""
    tid = names.find_tid(ask.geometry)
    if tid is None:
        return TileLayer()
    drawing = _Drawing(names, ask, tid, now_us)
    points, shapes = await connection.fetchrow(*drawing.probe())
    if not points and not shapes:
        return TileLayer()
    left_out = 0
    if shapes > SHAPES_MAX:
        left_out = await connection.fetchval(*drawing.count_shapes()) - SHAPES_MAX
    thinned = is_thinned(ask, points)
    statement = drawing.layer(thinned=thinned, sized=left_out > 0)
    data = await connection.fetchval(*statement)
    return TileLayer(bytes(data or b""), 0 if thinned else points, left_out)


@dataclass(slots=True)
class _Drawing:
    """The statements of one tile; `tid` is the number of the attribute that is drawn."""

    names: Names
    ask: TileAsk
    tid: int
    now_us: int

    # ── what lies on the tile ─────────────────────────────────────────────────────────────────

    def _selection(self) -> Selection:
        return Selection(self.names, self.ask.query.restriction, Moments(self.now_us))

    def _on_tile(self, selection: Selection) -> str:
        """Give the predicate of a row `g` of geometry."""
        add = selection.arguments.add
        box = ", ".join(add(one, "float8") for one in self.ask.square.bounds(buffer=BUFFER))
        which = "g.first"
        if self.ask.dataset is not None:
            which = f"g.dataset = {add(self.ask.dataset, 'text')}"
        return f"g.attr = {self.tid} AND {which} AND g.geom && ST_MakeEnvelope({box}, 4326)"

    def _found(self, selection: Selection, kind: str) -> str:
        """Give FROM and WHERE of geometries `g` with their objects `e`."""
        where = all_of([self._on_tile(selection), kind, selection.where_sql(self.ask.query, "e")])
        return f"FROM geometry g JOIN entity e ON e.eid = g.eid WHERE {where}"

    def _found_narrow(self, selection: Selection, kind: str) -> str:
        """Give the same without the objects' documents, when the query can be told without."""
        query = self.ask.query
        if query.attributes or query.datasets or query.condition or query.geo:
            return self._found(selection, kind)
        now = selection.arguments.add(self.now_us, "bigint")
        parts = [self._on_tile(selection), kind, selection.restriction_sql("o")]
        if query.selectors:
            parts.append(any_of([selection.selector_sql(one, "o") for one in query.selectors]))
        if query.scope is not None:
            parts.append(selection.scope_sql(query.scope, "o.scope"))
        # What has expired and isn't reaped yet; few rows, which an index gives.
        parts.append(
            "g.eid NOT IN (SELECT x.eid FROM entity x WHERE x.due IS NOT NULL "
            f"AND x.due <= {now} AND x.expires <= {now})"
        )
        return f"FROM geometry g JOIN object o ON o.eid = g.eid WHERE {all_of(parts)}"

    # ── the statements ────────────────────────────────────────────────────────────────────────

    def probe(self) -> tuple[Any, ...]:
        """Count points and shapes, no further than one more than are drawn."""
        selection = self._selection()
        points = self._found_narrow(selection, _IS_POINT)
        shapes = self._found_narrow(selection, f"NOT {_IS_POINT}")
        bound = READ_MAX if self.ask.square.z > CELLED_ZOOM_MAX else POINTS_MAX + 1
        counted = (
            f"SELECT (SELECT count(*) FROM (SELECT 1 {points} LIMIT {bound}) p), "
            f"(SELECT count(*) FROM (SELECT 1 {shapes} LIMIT {SHAPES_MAX + 1}) s)"
        )
        return selection.arguments.bind(counted)

    def count_shapes(self) -> tuple[Any, ...]:
        """Count all shapes."""
        selection = self._selection()
        found = self._found_narrow(selection, f"NOT {_IS_POINT}")
        return selection.arguments.bind(f"SELECT count(*) {found}")

    def layer(self, *, thinned: bool, sized: bool) -> tuple[Any, ...]:
        """Write the layer; `sized` takes the largest shapes, for there are too many."""
        selection = self._selection()
        points = self._cells(selection) if thinned else self._points(selection)
        rows = f"{self._shapes(selection, sized=sized)} UNION ALL {points}"
        name = selection.arguments.add(self.ask.name, "text")
        return selection.arguments.bind(
            f"SELECT ST_AsMVT(t.*, {name}, {EXTENT}, 'geom', 'cell') "
            f"FROM ({rows}) t WHERE t.geom IS NOT NULL"
        )

    def _shapes(self, selection: Selection, *, sized: bool) -> str:
        square, add = self.ask.square, selection.arguments.add
        # Twice the buffer, so that where a shape was cut isn't drawn.
        box = ", ".join(add(one, "float8") for one in square.bounds(buffer=2 * BUFFER))
        tolerance = add(TOLERANCE * 2 * HALF_WORLD_M / EXTENT / (1 << square.z), "float8")
        cut = f"ST_ClipByBox2D(g.geom, ST_MakeEnvelope({box}, 4326))"
        simple = f"ST_Simplify(ST_Transform({cut}, 3857), {tolerance})"
        largest = (
            " ORDER BY ST_XMax(g.geom) - ST_XMin(g.geom) + ST_YMax(g.geom) - ST_YMin(g.geom) DESC"
            if sized
            else ""
        )
        return (
            f"(SELECT {self._placed(simple)} AS geom, "
            f"{properties_sql(self.ask.view, self.names, selection.arguments)} AS props, "
            f"NULL::bigint AS cell {self._found(selection, f'NOT {_IS_POINT}')}{largest} "
            f"LIMIT {SHAPES_MAX})"
        )

    def _points(self, selection: Selection) -> str:
        place = self._placed("ST_Transform(g.geom, 3857)")
        said = properties_sql(self.ask.view, self.names, selection.arguments)
        return (
            f"(SELECT {place}, {said}, NULL::bigint {self._found(selection, _IS_POINT)} "
            f"LIMIT {READ_MAX})"
        )

    def _cells(self, selection: Selection) -> str:
        """Give a row per cell: how many there are, or the object itself when it is alone."""
        square, add = self.ask.square, selection.arguments.add
        side = add(float(1 << square.z) * EXTENT, "float8")
        left, top = (add(float(one * EXTENT), "float8") for one in (square.x, square.y))
        x = f"(ST_X(g.geom) + 180) / 360 * {side} - {left}"
        y = f"(0.5 - asinh(tan(radians(ST_Y(g.geom)))) / (2 * pi())) * {side} - {top}"
        cell = f"floor(py / {CELL})::int * {CELLS} + floor(px / {CELL})::int"
        alone = properties_sql(self.ask.view, self.names, selection.arguments)
        return (
            "(SELECT ST_MakePoint(c.x, c.y), "
            f"CASE WHEN c.n = 1 THEN {alone} ELSE jsonb_build_object('{COUNT_KEY}', c.n) END, "
            "CASE WHEN c.n > 1 THEN c.cell + 1 END FROM ("
            "SELECT floor(avg(px)) AS x, floor(avg(py)) AS y, count(*) AS n, min(eid) AS eid, "
            f"cell::bigint AS cell FROM (SELECT eid, px, py, {cell} AS cell FROM "
            f"(SELECT g.eid, {x} AS px, {y} AS py {self._found_narrow(selection, _IS_POINT)}) a "
            f"WHERE px >= 0 AND px < {EXTENT} AND py >= 0 AND py < {EXTENT}) b GROUP BY cell"
            ") c LEFT JOIN entity e ON c.n = 1 AND e.eid = c.eid)"
        )

    def _placed(self, metres: str) -> str:
        """Give a geometry of EPSG:3857 on the tile's grid."""
        square = self.ask.square
        envelope = f"ST_TileEnvelope({square.z}, {square.x}, {square.y})"
        return f"ST_AsMVTGeom({metres}, {envelope}, {EXTENT}, {BUFFER}, true)"
