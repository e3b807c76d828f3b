"""A layer of a tile out of SQLite: the R*Tree gives what lies on it, `conurb.model.tiles` draws.

Few points are read whole. Many are never read: SQLite counts them by cell, and only the object that
is alone in its cell is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.model.query.tree import Query
from conurb.model.render.flat import OF_ENTITY
from conurb.model.tiles.draw import grid_place, point_commands
from conurb.model.tiles.layer import (
    CELLED_ZOOM_MAX,
    CELLS,
    POINTS_MAX,
    SHAPES_MAX,
    TileLayer,
    add_cell,
    add_shapes,
    draw_entities,
    draw_placed,
    is_thinned,
    properties_of,
)
from conurb.model.tiles.mvt import POINT, LayerWriter, Scalar
from conurb.model.tiles.quad import BUFFER
from conurb.model.vocabulary import platform_terms
from conurb.store.sqlite import geography
from conurb.store.sqlite.connections import InlineOverrunError
from conurb.store.sqlite.crowds import crowd, has_shapes
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import ENTITY_COLUMNS, Terms, entity_of
from conurb.store.sqlite.schema import GEO_PER_ENTITY_MAX
from conurb.store.sqlite.select import select_page
from conurb.store.sqlite.sources import Current, Parameters, Reach, conjunction
from conurb.store.sqlite.values import IRREGULAR, stated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import apsw

    from conurb.model.entity import Entity
    from conurb.model.tiles.ask import TileAsk

READ_MAX: Final = 20_000
"""Objects that are read whole for one tile, where the R*Tree can't say which geometry is meant."""

_COLUMNS: Final = ", ".join(f"e.{name}" for name in ENTITY_COLUMNS.split(", "))
"""Columns of an object; the geometry's stand before them."""

_NOT_PLAIN: Final = ('"datasetId"', '"VocabProperty"')
"""What in a document says that `flat` isn't the whole truth of its keys."""

_Row = list[Any]
"""`flat`, then `ENTITY_COLUMNS`, the document last."""

_POINT: Final = "g.wkb IS NULL"
_SHAPE: Final = "g.wkb IS NOT NULL"


def draw_tile(
    connection: apsw.Connection,
    terms: Terms,
    ask: TileAsk,
    *,
    now_us: int,
    objects_max: int | None = None,
) -> TileLayer:
    """Draw a layer; raise InlineOverrunError when more than `objects_max` may be on it."""
    if objects_max is not None and (ask.thin or ask.dataset is not None):
        raise InlineOverrunError
    reach = Reach(connection, terms, Parameters(), now_us)
    if ask.dataset is not None:
        return _draw_whole(reach, ask)
    term = reach.term(ask.geometry)
    if term is None:
        return TileLayer()
    return _Drawing(reach, ask, term, objects_max).run()


def _draw_whole(reach: Reach, ask: TileAsk) -> TileLayer:
    """Draw an instance of which the R*Tree doesn't know whose it is."""
    query = replace(ask.query, order=(), limit=READ_MAX, offset=0, count=False)
    page = select_page(reach.connection, reach.terms, query, now_us=reach.now_us).page
    return draw_entities(ask, page.entities)


@dataclass(slots=True)
class _Drawing:
    """One tile on its way; `term` is the short name of the attribute that is drawn."""

    reach: Reach
    ask: TileAsk
    term: int
    objects_max: int | None = None

    def run(self) -> TileLayer:
        """Draw."""
        few = POINTS_MAX if self.objects_max is None else self.objects_max
        if not self.ask.thin and self._near(few) <= few:
            return self._few()
        if self.objects_max is not None:
            raise InlineOverrunError
        writer = LayerWriter(self.ask.name)
        left_out = self._shapes(writer)
        if self._is_thinned():
            self._cells(writer)
            return TileLayer(writer.layer(), 0, left_out)
        points = self._points(writer)
        return TileLayer(writer.layer(), points, left_out)

    def _is_thinned(self) -> bool:
        """Whether points are drawn by cells; that there are many is known without reading them."""
        if self.ask.thin or self.ask.square.z > CELLED_ZOOM_MAX:
            return is_thinned(self.ask, 0)
        reach, found = self._from(points=True)
        probe = self._execute(reach, f"SELECT 1 {found} LIMIT {POINTS_MAX + 1}").fetchall()
        return is_thinned(self.ask, len(probe))

    def _near(self, few: int) -> int:
        """Count geometries of any object on the tile, no further than one more than a few."""
        reach = replace(self.reach, parameters=Parameters())
        found = self._box(reach, BUFFER)
        counted = f"SELECT count(*) FROM (SELECT 1 FROM geo g WHERE {found} LIMIT {few + 1})"
        return int(self._execute(reach, counted).get)

    def _few(self) -> TileLayer:
        """Draw what few there is, with one look at the objects."""
        import shapely

        points: list[tuple[float, float, _Row]] = []
        shaped: list[tuple[bytes, _Row]] = []
        reach = replace(self.reach, parameters=Parameters())
        found = self._found(reach, kind="1", buffer=BUFFER)
        statement = f"SELECT g.x, g.y, g.wkb, e.flat, {_COLUMNS} {found}"
        for x, y, wkb, *row in self._execute(reach, statement):
            if wkb is None:
                points.append((x, y, row))
            else:
                shaped.append((wkb, row))
        shapes: Any = shapely.from_wkb([wkb for wkb, _ in shaped]) if shaped else []
        owned = [(shape, row) for shape, (_, row) in zip(shapes, shaped, strict=True)]
        return draw_placed(self.ask, points, owned, self._sayer())

    def _sayer(self) -> Callable[[_Row], Mapping[str, Scalar]]:
        """Give what says the properties of a row of `flat` and `ENTITY_COLUMNS`.

        Plain values are taken from `flat`, for that is short; anything else from the document.
        """
        ask, names = self.ask, self.ask.view.names

        def of_document(row: _Row) -> Mapping[str, Scalar]:
            return properties_of(entity_of(tuple(row[1:])), ask)

        if names is None or names & OF_ENTITY or any("@" in key for key in names):
            return of_document
        terms = [(key, self.reach.term(platform_terms().expand(key))) for key in sorted(names)]
        wanted = [(key, f"a{term}") for key, term in terms if term is not None]

        def of_plain_values(row: _Row) -> Mapping[str, Scalar]:
            doc = row[-1]
            if any(mark in doc for mark in _NOT_PLAIN):
                return of_document(row)
            values = orjson.loads(row[0])
            said: dict[str, Scalar] = {"id": row[1]}
            for key, name in wanted:
                value = values.get(name)
                if value == IRREGULAR:
                    return of_document(row)
                if value is not None:
                    said[key] = stated(value)
            return said

        return of_plain_values

    # ── what is read ──────────────────────────────────────────────────────────────────────────

    def _from(self, *, points: bool) -> tuple[Reach, str]:
        """Give FROM and WHERE of the geometries on the tile, with parameters of their own."""
        reach = replace(self.reach, parameters=Parameters())
        return reach, self._found(reach, kind=_POINT if points else _SHAPE, buffer=BUFFER)

    def _box(self, reach: Reach, buffer: int) -> str:
        """Give the predicate of geometries `g` that the R*Tree finds on the tile."""
        west, south, east, north = (
            reach.parameters.add(one) for one in self.ask.square.bounds(buffer=buffer)
        )
        return (
            f"g.east >= {west} AND g.west <= {east} AND g.north >= {south} AND g.south <= {north} "
            f"AND g.attr = {self.term}"
        )

    def _found(self, reach: Reach, *, kind: str, buffer: int) -> str:
        first = (
            f"(g.gid % {GEO_PER_ENTITY_MAX} = 0 OR NOT EXISTS (SELECT 1 FROM geo p "
            f"WHERE p.gid = g.gid - 1 AND p.attr = g.attr))"
        )
        parts = [self._box(reach, buffer), kind]
        if kind == _POINT:
            # The boxes of the R*Tree are a little wider than what they hold.
            west, south, east, north = (
                reach.parameters.add(one) for one in self.ask.square.bounds(buffer=buffer)
            )
            parts.append(f"g.x >= {west} AND g.x < {east} AND g.y > {south} AND g.y <= {north}")
        where = conjunction([*parts, first, self._selected(reach)])
        return f"FROM geo g CROSS JOIN entity e ON e.eid = g.eid WHERE {where}"

    def _selected(self, reach: Reach) -> str:
        """Compile the query itself over the row `e`."""
        query: Query = self.ask.query
        source, predicates = Current(reach), Predicates(reach, query.restriction)
        parts = [source.alive(), predicates.restriction(source)]
        if query.selectors:
            compiled = [predicates.selector(source, one) for one in query.selectors]
            parts.append("1" if "1" in compiled else f"({' OR '.join(compiled)})")
        if query.attributes:
            parts.append(f"({' OR '.join(source.exists(name) for name in query.attributes)})")
        if query.datasets:
            parts.append(predicates.datasets(source, query.datasets))
        if query.scope is not None:
            parts.append(predicates.scope(source, query.scope))
        if query.geo is not None:
            parts.append(geography.current_predicate(reach, "e", query.geo))
        if query.condition is not None:
            parts.append(predicates.condition(source, query.condition))
        return conjunction(parts)

    def _execute(self, reach: Reach, statement: str) -> Any:
        return reach.connection.execute(statement, reach.parameters.values)

    # ── lines and areas ───────────────────────────────────────────────────────────────────────

    def _shapes(self, writer: LayerWriter) -> int:
        """Add lines and areas; give how many were too many."""
        import shapely

        if not has_shapes(self.reach, self.term):
            return 0
        reach, found = self._from(points=False)
        rows = self._execute(
            reach, f"SELECT g.wkb, {_COLUMNS} {found} LIMIT {SHAPES_MAX + 1}"
        ).fetchall()
        left_out = 0
        if len(rows) > SHAPES_MAX:
            reach, found = self._from(points=False)
            total = int(self._execute(reach, f"SELECT count(*) {found}").get)
            left_out = total - SHAPES_MAX
            size = "g.east - g.west + g.north - g.south"
            rows = self._execute(
                reach, f"SELECT g.wkb, {_COLUMNS} {found} ORDER BY {size} DESC LIMIT {SHAPES_MAX}"
            ).fetchall()
        if rows:
            shapes = shapely.from_wkb([row[0] for row in rows])
            drawn = [
                (shape, properties_of(entity_of(row[1:]), self.ask))
                for shape, row in zip(shapes, rows, strict=True)
            ]
            add_shapes(writer, self.ask.square, drawn)
        return left_out

    # ── points ────────────────────────────────────────────────────────────────────────────────

    def _points(self, writer: LayerWriter) -> int:
        """Add points each by itself; give how many there are."""
        reach, found = self._from(points=True)
        rows = self._execute(reach, f"SELECT g.x, g.y, {_COLUMNS} {found} LIMIT {READ_MAX}")
        count = 0
        for row in rows:
            place = grid_place(self.ask.square, row[0], row[1])
            writer.add(POINT, point_commands(*place), properties_of(entity_of(row[2:]), self.ask))
            count += 1
        return count

    def _cells(self, writer: LayerWriter) -> None:
        """Count the points by cell, and add a point per cell."""
        reach = replace(self.reach, parameters=Parameters())
        square, add = self.ask.square, reach.parameters.add
        side, turn = add(float(1 << square.z) * CELLS), add(2 * math.pi)
        left, top = add(float(square.x * CELLS)), add(float(square.y * CELLS))
        column = f"min({CELLS - 1}, CAST((lon + 180.0) / 360.0 * {side} - {left} AS INTEGER))"
        north = f"(0.5 - asinh(tan(radians(lat))) / {turn}) * {side} - {top}"
        row = f"min({CELLS - 1}, max(0, CAST({north} AS INTEGER)))"
        found = crowd(reach, self.ask, self.term) or self._crowd(reach)
        cells = self._execute(
            reach,
            f"SELECT {row} * {CELLS} + {column} AS cell, count(*), avg(lon), avg(lat), min(eid) "
            f"FROM ({found}) GROUP BY cell",
        ).fetchall()
        alone = self._find([row[4] for row in cells if row[1] == 1])
        for cell, count, longitude, latitude, eid in cells:
            x, y = grid_place(square, longitude, latitude)
            one = properties_of(alone[eid], self.ask) if count == 1 else None
            add_cell(writer, cell, x, y, count, one)

    def _crowd(self, reach: Reach) -> str:
        """Give the points on the tile as eid, lon and lat, each with its object looked at."""
        found = self._found(reach, kind=_POINT, buffer=0)
        return f"SELECT g.eid AS eid, g.x AS lon, g.y AS lat {found}"

    def _find(self, eids: list[int]) -> dict[int, Entity]:
        """Read objects by their short names."""
        rows = self.reach.connection.execute(
            f"SELECT e.eid, {_COLUMNS} FROM json_each(?) w CROSS JOIN entity e ON e.eid = w.value",
            (orjson.dumps(eids).decode(),),
        )
        return {row[0]: entity_of(row[1:]) for row in rows}
