"""/ogc/collections/{type}/tiles: the objects of a type as vector tiles in WebMercatorQuad.

A tile has an ETag that changes with what is drawn, so that a map asks again and again and is told
again and again that nothing is new. `Conurb-Tile-Left-Out` says how many objects a tile doesn't
show, `Conurb-Tile-Points` how many points it draws each by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conurb.errors import NotFoundError
from conurb.federation.completeness import IncompleteError
from conurb.federation.tiles import FederatedDrawn
from conurb.http.completeness import headers_of, is_strict
from conurb.http.exchange import Answer, Exchange, Header, give_json
from conurb.http.ogc.asking import (
    DATETIME,
    FILTERING,
    GEOMETRY,
    LANGUAGE,
    PROPERTIES,
    read_at,
    read_query,
    read_shown,
    read_view,
)
from conurb.http.ogc.collections import find_type, titles
from conurb.http.ogc.links import AS_JSON, collection_path, link, with_query
from conurb.http.params import LOCAL, STRICT, Param
from conurb.http.routing import JSON, MVT, Reply, Route
from conurb.http.schemas import items, obj, ref
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.quad import EXTENT, ZOOM_MAX, Square, square

if TYPE_CHECKING:
    from conurb.node.tiles import Drawn, Tiles

MATRIX_SET: Final = "WebMercatorQuad"
MATRIX_SET_URI: Final = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{MATRIX_SET}"
TILING_SCHEME: Final = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
WEB_MERCATOR: Final = "http://www.opengis.net/def/crs/EPSG/0/3857"
LIST: Final = "/ogc/collections/{type}/tiles"
PATH: Final = f"{LIST}/{MATRIX_SET}"
THIN: Final = Param("thin", "Draw points by cells, however few they are.", "flag")
PARAMS: Final = (DATETIME, PROPERTIES, LANGUAGE, GEOMETRY, *FILTERING, LOCAL, STRICT)
AS_MVT: Final = Param("f", "The form of the tile: a Mapbox vector tile.", choices=("mvt",))
_NOT_PASSED_ON: Final = frozenset({"local", "strict", "thin", "f"})
_CACHED: Final = (b"cache-control", b"no-cache")
"""Kept by browsers, and asked for anew each time: the answer is short when nothing has changed."""


async def tile(exchange: Exchange) -> Answer:
    """Give one tile."""
    one = await (await _tiles(exchange)).draw(
        exchange.caller, _ask(exchange), at_us=read_at(exchange.params)
    )
    headers = _headers(exchange, one)
    if exchange.headers.get(b"if-none-match") == f'"{one.tag}"'.encode():
        return Answer(304, b"", headers)
    return Answer(200, one.layer.data, [(b"content-type", MVT.encode()), *headers])


async def _tiles(exchange: Exchange) -> Tiles:
    """Give the tiles that a request asks: those of all nodes, or with `local` of this one."""
    tiles = (await exchange.node()).tiles
    return tiles.own if exchange.params.flag("local") else tiles


def _ask(exchange: Exchange) -> TileAsk:
    params, collection = exchange.params, exchange.args["type"]
    place = read_square(exchange)
    shown = read_shown(params)
    words = tuple(
        (name, ",".join(value) if isinstance(value, tuple) else str(value))
        for name, value in params.values.items()
        if name not in _NOT_PASSED_ON
    )
    return TileAsk(
        name=collection,
        square=place,
        query=read_query(collection, params, shown),
        geometry=shown.attribute,
        view=read_view(params, shown),
        dataset=shown.dataset,
        thin=params.flag("thin"),
        path=f"{collection_path(collection)}/tiles/{MATRIX_SET}/{place.z}/{place.y}/{place.x}",
        words=words,
    )


def _headers(exchange: Exchange, one: Drawn) -> list[Header]:
    headers: list[Header] = [(b"etag", f'"{one.tag}"'.encode()), _CACHED]
    if one.layer.points:
        headers.append((b"conurb-tile-points", str(one.layer.points).encode()))
    if one.layer.left_out:
        headers.append((b"conurb-tile-left-out", str(one.layer.left_out).encode()))
    if isinstance(one, FederatedDrawn):
        if is_strict(exchange) and not one.completeness.whole:
            raise IncompleteError(one.completeness)
        headers += headers_of(one.completeness)
    return headers


def read_square(exchange: Exchange) -> Square:
    """Read which tile is meant; raise NotFoundError when there is no such one."""
    names = ("tileMatrix", "tileCol", "tileRow")
    texts = [exchange.args[name] for name in names]
    if not all(text.isascii() and text.isdigit() and len(text) <= 9 for text in texts):
        raise NotFoundError(f"tile {texts!r:.60}: level, column and row are whole numbers")
    z, x, y = map(int, texts)
    return square(z, x, y)


# ── what tiles there are ──────────────────────────────────────────────────────────────────────


async def list_tilesets(exchange: Exchange) -> Answer:
    """List the tile sets of a collection: one."""
    await find_type(exchange)
    path = collection_path(exchange.args["type"]) + "/tiles"
    return give_json({"tilesets": [_tileset(exchange)], "links": [_self(exchange, path)]})


async def tileset(exchange: Exchange) -> Answer:
    """Describe the tile set of a collection."""
    await find_type(exchange)
    return give_json(_tileset(exchange))


async def tilejson(exchange: Exchange) -> Answer:
    """Describe the tile set of a collection as TileJSON 3.0, as maps of the web read it."""
    info = await find_type(exchange)
    name = exchange.args["type"]
    lang = exchange.params.text("lang") or "en"
    return give_json(
        {
            "tilejson": "3.0.0",
            "name": titles(name)["zh" if lang.startswith("zh") else "en"],
            "tiles": [exchange.base_url + _template(exchange, "{z}/{y}/{x}")],
            "minzoom": 0,
            "maxzoom": ZOOM_MAX,
            "vector_layers": [{"id": name, "fields": {"id": "String"}}],
            "attribution": "",
            "description": f"{info.count} objects",
        }
    )


def _template(exchange: Exchange, places: str) -> str:
    path = f"{collection_path(exchange.args['type'])}/tiles/{MATRIX_SET}/{places}"
    return with_query(exchange, path, {"f": None})


def _self(exchange: Exchange, path: str) -> dict[str, Any]:
    return link(exchange, path, "self", JSON)


def _tileset(exchange: Exchange) -> dict[str, Any]:
    name = exchange.args["type"]
    path = f"{collection_path(name)}/tiles/{MATRIX_SET}"
    template = link(exchange, _template(exchange, "{tileMatrix}/{tileRow}/{tileCol}"), "item", MVT)
    return {
        "title": titles(name)["en"],
        "dataType": "vector",
        "crs": WEB_MERCATOR,
        "tileMatrixSetURI": MATRIX_SET_URI,
        "tileMatrixSetId": MATRIX_SET,
        "layers": [{"id": name, "dataType": "vector"}],
        "extent": EXTENT,
        "links": [
            _self(exchange, path),
            {"href": MATRIX_SET_URI, "rel": TILING_SCHEME, "type": JSON},
            {**template, "templated": True},
            link(exchange, f"{path}/tilejson.json", "describedby", JSON),
        ],
    }


_TILESET: Final = obj(
    {
        "title": {"type": "string"},
        "dataType": {"const": "vector"},
        "crs": {"type": "string"},
        "tileMatrixSetURI": {"type": "string"},
        "links": items(ref("OgcLink")),
    },
    required=("dataType", "crs", "links"),
)
SCHEMAS: Final[dict[str, Any]] = {
    "OgcTileset": _TILESET,
    "OgcTilesets": obj({"tilesets": items(ref("OgcTileset"))}, required=("tilesets",)),
    "TileJson": obj(
        {"tilejson": {"type": "string"}, "tiles": items({"type": "string"})},
        required=("tilejson", "tiles"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    shared: dict[str, Any] = {"tag": "OGC API", "accepts": (), "errors": (400, 404, 503)}
    return (
        Route(
            "GET",
            LIST,
            "ogcTilesets",
            "The tile sets of a type's objects",
            list_tilesets,
            params=(LOCAL, AS_JSON),
            replies={200: Reply("The tile sets.", "OgcTilesets")},
            **shared,
        ),
        Route(
            "GET",
            PATH,
            "ogcTileset",
            "The tile set of a type's objects",
            tileset,
            params=(LOCAL, AS_JSON),
            replies={200: Reply("The tile set.", "OgcTileset")},
            **shared,
        ),
        Route(
            "GET",
            PATH + "/tilejson.json",
            "ogcTileJson",
            "The tile set of a type's objects as TileJSON",
            tilejson,
            params=(*PARAMS, AS_JSON),
            replies={200: Reply("The tile set.", "TileJson")},
            **shared,
        ),
        Route(
            "GET",
            PATH + "/{tileMatrix}/{tileRow}/{tileCol}",
            "ogcTile",
            "A vector tile of a type's objects",
            tile,
            params=(*PARAMS, THIN, AS_MVT),
            replies={
                200: Reply("The tile.", media=(MVT,)),
                304: Reply("The tile has the ETag that was given."),
            },
            **shared,
        ),
    )
