"""A layer of a tile out of PostGIS: cut, counted and written by the engine (ST_AsMVT).

Many points are counted by cell, over narrow rows: which types an object has is known without its
document. What a tile says of an object is in `tile_rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.query.match import has_types
from conurb.model.query.tree import Selector
from conurb.model.tiles.layer import (
    CELLED_ZOOM_MAX,
    CELLS,
    POINTS_MAX,
    SHAPES_MAX,
    TileLayer,
    is_thinned,
)
from conurb.model.tiles.mvt import COUNT_KEY
from conurb.model.tiles.quad import BUFFER, EXTENT
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.sources import FALSE, TRUE, all_of
from conurb.store.postgres.tile_few import tolerance_m
from conurb.store.postgres.tile_rows import properties_sql

if TYPE_CHECKING:
    from conurb.model.tiles.ask import TileAsk
    from conurb.store.postgres.names import Names

READ_MAX: Final = 20_000
"""Points of one tile of the deepest levels, where they aren't counted by cell."""

OTHERS_MAX: Final = 5_000
"""Objects of other types that are told apart one by one."""

_IS_POINT: Final = "GeometryType(g.geom) = 'POINT'"
_IS_SHAPE: Final = "GeometryType(g.geom) <> 'POINT'"
"""As the index on shapes has it."""

_HAS_SHAPES: Final = (
    "SELECT EXISTS (SELECT FROM geometry g WHERE g.attr >= $1 AND g.attr <= $1 "
    f"AND {_IS_SHAPE} ORDER BY g.attr LIMIT 1)"
)
"""Asked so that the index on shapes is the cheapest way, whatever statistics there are."""


async def draw_tile(connection: Any, names: Names, ask: TileAsk, *, now_us: int) -> TileLayer:
    """Draw a layer; `connection` sees one moment's data all the time."""
    tid = names.find_tid(ask.geometry)
    if tid is None:
        return TileLayer()
    drawing = _Drawing(names, ask, tid, now_us)
    drawing.shaped = await connection.fetchval(_HAS_SHAPES, tid)
    drawing.others = await _others(connection, names, ask)
    points, shapes = await connection.fetchrow(*drawing.probe())
    if not points and not shapes:
        return TileLayer()
    left_out = 0
    if shapes > SHAPES_MAX:
        left_out = await connection.fetchval(*drawing.count_shapes()) - SHAPES_MAX
    thinned = is_thinned(ask, points)
    drawing.drawn = shapes > 0
    statement = drawing.layer(thinned=thinned, sized=left_out > 0)
    data = await connection.fetchval(*statement)
    return TileLayer(bytes(data or b""), 0 if thinned else points, left_out)


async def _others(connection: Any, names: Names, ask: TileAsk) -> list[int] | None:
    """Give the sets of types that aren't meant; None when more than types is asked of an object.

    Or when so many objects have them that they can't be told apart one by one.
    """
    query = ask.query
    more = query.attributes or query.datasets or query.condition or query.geo or query.scope
    bare = all(one == Selector(types=one.types) for one in query.selectors)
    if more or not bare or query.restriction.scopes is not None:
        return None

    def is_other(types: tuple[str, ...]) -> bool:
        seen = query.restriction.types
        asked = not query.selectors or any(
            one.types is None or has_types(one.types, types) for one in query.selectors
        )
        return not asked or (seen is not None and not set(seen) & set(types))

    others = names.list_sids(is_other)
    found = await connection.fetchval(
        "SELECT count(*) FROM (SELECT 1 FROM object WHERE typeset = ANY ($1::int[]) "
        f"LIMIT {OTHERS_MAX + 1}) o",
        others,
    )
    return others if found <= OTHERS_MAX else None


@dataclass(slots=True)
class _Drawing:
    """The statements of one tile.

    `tid` is the number of the attribute that is drawn, `shaped` says whether it has any lines or
    areas, `drawn` whether the tile has; `others` are the sets of types of the few objects that
    aren't meant, None when objects have to be looked at one by one.
    """

    names: Names
    ask: TileAsk
    tid: int
    now_us: int
    shaped: bool = True
    drawn: bool = True
    others: list[int] | None = None

    # ── what lies on the tile ─────────────────────────────────────────────────────────────────

    def _selection(self) -> Selection:
        return Selection(self.names, self.ask.query.restriction, Moments(self.now_us))

    def _on_tile(self, selection: Selection, *, buffer: int = BUFFER) -> str:
        """Give the predicate of a row `g` of geometry."""
        add = selection.arguments.add
        box = ", ".join(add(one, "float8") for one in self.ask.square.bounds(buffer=buffer))
        which = "g.first"
        if self.ask.dataset is not None:
            which = f"g.dataset = {add(self.ask.dataset, 'text')}"
        return f"g.attr = {self.tid} AND {which} AND g.geom && ST_MakeEnvelope({box}, 4326)"

    def _found(self, selection: Selection, kind: str) -> str:
        """Give FROM and WHERE of geometries `g` with their objects `e`."""
        where = all_of([self._on_tile(selection), kind, selection.where_sql(self.ask.query, "e")])
        return f"FROM geometry g JOIN entity e ON e.eid = g.eid WHERE {where}"

    def _found_narrow(self, selection: Selection, kind: str) -> str:
        """Give the same without a look at the objects, when they can be told without."""
        if self.others is None:
            return self._found(selection, kind)
        now = selection.arguments.add(self.now_us, "bigint")
        others = selection.arguments.add(self.others, "int[]")
        where = all_of(
            [
                self._on_tile(selection),
                kind,
                f"g.eid NOT IN (SELECT o.eid FROM object o WHERE o.typeset = ANY ({others}))",
                # What has expired and isn't reaped yet: few rows, which an index gives.
                "g.eid NOT IN (SELECT x.eid FROM entity x WHERE x.due IS NOT NULL "
                f"AND x.due <= {now} AND x.expires <= {now})",
            ]
        )
        return f"FROM geometry g WHERE {where}"

    @property
    def _points_alone(self) -> str:
        """Give the predicate that a geometry is a point; nothing is asked where all are."""
        return _IS_POINT if self.shaped else TRUE

    # ── the statements ────────────────────────────────────────────────────────────────────────

    def probe(self) -> tuple[Any, ...]:
        """Count points and shapes, no further than one more than are drawn."""
        selection = self._selection()
        points = self._found_narrow(selection, self._points_alone)
        shapes = self._found_narrow(selection, _IS_SHAPE if self.shaped else FALSE)
        bound = READ_MAX if self.ask.square.z > CELLED_ZOOM_MAX else POINTS_MAX + 1
        counted = (
            f"SELECT (SELECT count(*) FROM (SELECT 1 {points} LIMIT {bound}) p), "
            f"(SELECT count(*) FROM (SELECT 1 {shapes} LIMIT {SHAPES_MAX + 1}) s)"
        )
        return selection.arguments.bind(counted)

    def count_shapes(self) -> tuple[Any, ...]:
        """Count all shapes."""
        selection = self._selection()
        found = self._found_narrow(selection, _IS_SHAPE)
        return selection.arguments.bind(f"SELECT count(*) {found}")

    def layer(self, *, thinned: bool, sized: bool) -> tuple[Any, ...]:
        """Write the layer; `sized` takes the largest shapes, for there are too many."""
        selection = self._selection()
        points = self._cells(selection) if thinned else self._points(selection)
        rows = points
        if self.drawn:
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
        tolerance = add(tolerance_m(square), "float8")
        cut = f"ST_ClipByBox2D(g.geom, ST_MakeEnvelope({box}, 4326))"
        simple = f"ST_Simplify(ST_Transform({cut}, 3857), {tolerance})"
        largest = (
            " ORDER BY ST_XMax(g.geom) - ST_XMin(g.geom) + ST_YMax(g.geom) - ST_YMin(g.geom) DESC"
            if sized
            else ""
        )
        return (
            f"(SELECT {self._placed(selection, simple)} AS geom, "
            f"{properties_sql(self.ask.view, self.names, selection.arguments)} AS props, "
            f"NULL::bigint AS cell {self._found(selection, _IS_SHAPE)}{largest} "
            f"LIMIT {SHAPES_MAX})"
        )

    def _points(self, selection: Selection) -> str:
        place = self._placed(selection, "ST_Transform(g.geom, 3857)")
        said = properties_sql(self.ask.view, self.names, selection.arguments)
        found = self._found(selection, self._points_alone)
        return (
            f"(SELECT {place} AS geom, {said} AS props, NULL::bigint AS cell {found} "
            f"LIMIT {READ_MAX})"
        )

    def _cells(self, selection: Selection) -> str:
        """Give a row per cell: how many there are, or the object itself when it is alone."""
        square, add = self.ask.square, selection.arguments.add
        side = add(float(1 << square.z), "float8")
        place = [add(float(one), "float8") for one in (square.x, square.y)]
        x = f"(({{lon}} + 180) / 360 * {side} - {place[0]}) * {{units}}"
        y = f"((0.5 - asinh(tan(radians({{lat}}))) / (2 * pi())) * {side} - {place[1]}) * {{units}}"
        column = f"least({CELLS - 1}, floor({x.format(lon='lon', units=CELLS)})::int)"
        row = f"least({CELLS - 1}, greatest(0, floor({y.format(lat='lat', units=CELLS)})::int))"
        west, south, east, north = (add(one, "float8") for one in square.bounds())
        alone = properties_sql(self.ask.view, self.names, selection.arguments)
        found = self._found_narrow(selection, self._points_alone)
        return (
            f"(SELECT ST_MakePoint(round({x.format(lon='c.lon', units=EXTENT)}), "
            f"round({y.format(lat='c.lat', units=EXTENT)})) AS geom, "
            f"CASE WHEN c.n = 1 THEN {alone} ELSE jsonb_build_object('{COUNT_KEY}', c.n) END "
            "AS props, CASE WHEN c.n > 1 THEN c.cell + 1 END AS cell FROM ("
            "SELECT avg(lon) AS lon, avg(lat) AS lat, count(*) AS n, min(eid) AS eid, "
            f"{row}::bigint * {CELLS} + {column} AS cell FROM "
            f"(SELECT g.eid, ST_X(g.geom) AS lon, ST_Y(g.geom) AS lat {found} OFFSET 0) a "
            f"WHERE lon >= {west} AND lon < {east} AND lat > {south} AND lat <= {north} "
            "GROUP BY 5) c LEFT JOIN entity e ON c.n = 1 AND e.eid = c.eid)"
        )

    def _placed(self, selection: Selection, metres: str) -> str:
        """Give a geometry of EPSG:3857 on the tile's grid."""
        # Arguments, so that one statement, planned once, draws every tile.
        square = self.ask.square
        place = ", ".join(selection.arguments.add(n, "int") for n in (square.z, square.x, square.y))
        envelope = f"ST_TileEnvelope({place})"
        return f"ST_AsMVTGeom({metres}, {envelope}, {EXTENT}, {BUFFER}, true)"
