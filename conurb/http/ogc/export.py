"""A whole layer as one file: CSV, GeoJSON or GeoParquet, written while it is read.

Objects are read page after page and never held together. A table's columns have to be known before
its first row: they are found in a pass over the objects before the one that writes. When a node
that had answered doesn't any more, the answer is cut off, so that nobody takes a part for the
whole.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.errors import BadRequestDataError, OperationNotSupportedError, UnavailableError
from conurb.federation.completeness import Completeness, FederatedAnswer
from conurb.http.completeness import completeness_headers, consumption
from conurb.http.exchange import Answer, Exchange
from conurb.http.ogc.asking import Shown, read_at, read_query, read_shown, read_view, terms
from conurb.http.ogc.collections import find_type
from conurb.http.ogc.features import feature_of
from conurb.http.routing import CSV, GEO_JSON, PARQUET
from conurb.model.geometry import bounds, to_wkb, to_wkt
from conurb.model.query.tree import AttributePath, Compare, Query, conjunction
from conurb.model.render.flat import flat_row
from conurb.model.tiles.layer import geometry_of

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.entity import Entity
    from conurb.model.render.flat import FlatView
    from conurb.node.consume import Answer as Found
    from conurb.node.consume import Consumption

FILES: Final = {
    "csv": (CSV + "; charset=utf-8", "csv"),
    "geojson": (GEO_JSON, "geojson"),
    "geoparquet": (PARQUET, "parquet"),
}
"""Form of an export to its media type and the ending of its file."""

GEOMETRY: Final = "geometry"
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it spreadsheets take a CSV for something else than UTF-8."""


@dataclass(frozen=True, slots=True)
class Source:
    """The objects that are exported: whose question, which of them, as of when, and how shown."""

    consume: Consumption
    caller: Caller
    query: Query
    at_us: int | None
    shown: Shown
    view: FlatView
    limit: int | None

    async def pages(self) -> AsyncIterator[Found]:
        """Stream pages of objects, in order of id; a whole page at least."""
        after: str | None = None
        left = self.limit
        first: Completeness | None = None
        while True:
            size = self.query.limit if left is None else min(self.query.limit, left)
            later = None if after is None else Compare(AttributePath(("id",)), ">", after)
            condition = conjunction(self.query.condition, later)
            found = await self.consume.query(
                self.caller,
                replace(self.query, condition=condition, limit=size),
                at_us=self.at_us,
            )
            if isinstance(found, FederatedAnswer):
                said = found.completeness
                if first is not None and {o.node for o in said.missing} - {
                    o.node for o in first.missing
                }:
                    raise UnavailableError(f"export: {said.said()}")
                first = first or said
            yield found
            if left is not None:
                left -= len(found.entities)
            if not found.more or not found.entities or left == 0:
                return
            after = found.entities[-1].id

    def row(self, entity: Entity) -> dict[str, Any]:
        """Give the row of an object, without its geometry."""
        return flat_row(entity, terms(), self.view)

    def geometry(self, entity: Entity) -> Any:
        """Give the geometry of an object."""
        return geometry_of(entity, self.shown.attribute, self.shown.dataset)


async def export(exchange: Exchange, form: str) -> Answer:
    """Answer with a whole layer."""
    params, collection = exchange.params, exchange.args["type"]
    limit = params.count("limit")
    if limit == 0:
        raise BadRequestDataError("limit: 0 is below 1")
    if form == "geoparquet":
        _need_pyarrow()
    shown = read_shown(params)
    source = Source(
        await consumption(exchange),
        exchange.caller,
        replace(read_query(collection, params, shown), limit=exchange.settings.page_max),
        read_at(params),
        shown,
        read_view(params, shown),
        limit,
    )
    pages = source.pages()
    first = await anext(pages)
    if not first.entities:
        await find_type(exchange)
    headers = completeness_headers(exchange, first)
    media, ending = FILES[form]
    headers += [
        (b"content-type", media.encode()),
        (b"content-disposition", f'attachment; filename="layer.{ending}"'.encode()),
    ]
    if form == "geojson":
        return Answer(200, headers=headers, stream=_geojson(source, first, pages))
    await pages.aclose()  # type: ignore[attr-defined]
    columns = Columns()
    async for page in source.pages():
        await asyncio.to_thread(columns.look, source, page.entities)
    write = _csv if form == "csv" else _parquet
    return Answer(200, headers=headers, stream=write(source, columns))


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise OperationNotSupportedError(
            "f: geoparquet needs pyarrow, which comes with conurb[frames]; csv and geojson don't"
        ) from error


# ── columns ───────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Columns:
    """What the rows of a table have: name of a column to the kinds of its values; and where."""

    kinds: dict[str, set[type]] = field(default_factory=dict)
    geometries: set[str] = field(default_factory=set)
    box: tuple[float, float, float, float] | None = None

    def look(self, source: Source, entities: list[Entity]) -> None:
        """Take note of the objects of a page."""
        for entity in entities:
            for name, value in source.row(entity).items():
                self.kinds.setdefault(name, set()).add(type(value))
            geometry = source.geometry(entity)
            if geometry is not None:
                self.geometries.add(geometry["type"])
                self._widen(bounds(geometry))

    def _widen(self, box: tuple[float, float, float, float]) -> None:
        known = self.box or box
        self.box = (
            min(known[0], box[0]),
            min(known[1], box[1]),
            max(known[2], box[2]),
            max(known[3], box[3]),
        )


def _cell(value: Any) -> Any:
    """Write a value into a table: lists and objects as JSON."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


# ── the forms ─────────────────────────────────────────────────────────────────────────────────


async def _geojson(
    source: Source, first: Found, pages: AsyncIterator[Found]
) -> AsyncIterator[bytes]:
    yield b'{"type":"FeatureCollection","features":['
    begun = bool(first.entities)
    yield await asyncio.to_thread(_features, source, first.entities, False)
    async for page in pages:
        yield await asyncio.to_thread(_features, source, page.entities, begun)
        begun = begun or bool(page.entities)
    yield b"]}"


def _features(source: Source, entities: list[Entity], begun: bool) -> bytes:
    features = [feature_of(one, terms(), source.view, source.shown) for one in entities]
    text = b",".join(map(orjson.dumps, features))
    return b"," + text if begun and text else text


async def _csv(source: Source, columns: Columns) -> AsyncIterator[bytes]:
    names = list(columns.kinds)
    head = _lines(lambda writer: writer.writerow(["id", *names, GEOMETRY]))
    yield BYTE_ORDER_MARK.encode() + head

    def write(entities: list[Entity]) -> bytes:
        return _lines(lambda to: to.writerows(_csv_row(source, one, names) for one in entities))

    async for page in source.pages():
        yield await asyncio.to_thread(write, page.entities)


def _lines(write: Callable[[Any], Any]) -> bytes:
    text = io.StringIO(newline="")
    write(csv.writer(text))
    return text.getvalue().encode()


def _csv_row(source: Source, entity: Entity, names: list[str]) -> list[Any]:
    row, geometry = source.row(entity), source.geometry(entity)
    placed = None if geometry is None else to_wkt(geometry)
    return [entity.id, *(_cell(row.get(name)) for name in names), placed]


async def _parquet(source: Source, columns: Columns) -> AsyncIterator[bytes]:
    """Write GeoParquet 1.1: a group of rows per page, geometries as WKB in CRS84."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {name: _arrow_type(kinds, pa) for name, kinds in columns.kinds.items()}
    fields = [pa.field("id", pa.string(), nullable=False)]
    fields += [pa.field(name, kind) for name, kind in types.items()]
    schema = pa.schema([*fields, pa.field(GEOMETRY, pa.binary())])
    about: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(columns.geometries)}
    if columns.box is not None:
        about["bbox"] = list(columns.box)
    geo = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: about}}
    sink = _Sink()
    writer = pq.ParquetWriter(
        sink, schema.with_metadata({"geo": orjson.dumps(geo)}), compression="zstd"
    )

    def write(entities: list[Entity]) -> bytes:
        rows = [source.row(one) for one in entities]
        arrays = [pa.array([one.id for one in entities], pa.string())]
        for name, kind in types.items():
            arrays.append(pa.array([_as(kind, row.get(name), pa) for row in rows], kind))
        shapes = [source.geometry(one) for one in entities]
        wkb = [None if one is None else to_wkb(one) for one in shapes]
        arrays.append(pa.array(wkb, pa.binary()))
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        return sink.take()

    async for page in source.pages():
        if page.entities:
            yield await asyncio.to_thread(write, page.entities)
    await asyncio.to_thread(writer.close)
    yield sink.take()


def _arrow_type(kinds: set[type], pa: Any) -> Any:
    """Choose the type of a column: the narrowest that takes every value."""
    found = kinds - {type(None)}
    if found == {bool}:
        return pa.bool_()
    if found == {int}:
        return pa.int64()
    return pa.float64() if found and found <= {int, float} else pa.string()


def _as(kind: Any, value: Any, pa: Any) -> Any:
    if value is None:
        return None
    if kind == pa.string():
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if kind == pa.bool_():
        return value if isinstance(value, bool) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


class _Sink(io.RawIOBase):
    """Takes what is written, until it is taken from it; knows how much there was."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes."""
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._size += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        """Give how many bytes were written."""
        return self._size

    def take(self) -> bytes:
        """Give what was written since the last time."""
        taken, self._chunks = b"".join(self._chunks), []
        return taken
