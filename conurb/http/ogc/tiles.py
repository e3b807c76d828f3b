"""/ogc/collections/{type}/tiles: the objects of a type as vector tiles in WebMercatorQuad."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conurb.errors import NotFoundError
from conurb.http.completeness import completeness_headers, consumption, is_strict
from conurb.http.exchange import Answer, Exchange
from conurb.http.ogc.asking import (
    FILTERING,
    SELECTING,
    box_wkt,
    read_at,
    read_query,
    read_shown,
    read_view,
    terms,
)
from conurb.http.ogc.features import geometry_of
from conurb.http.routing import MVT, Reply, Route
from conurb.model.query.tree import GeoCondition
from conurb.model.render.flat import flat_row
from conurb.model.tiles.layer import Sketch, draw_layer
from conurb.model.tiles.quad import BUFFER, Square, square

MATRIX_SET: Final = "WebMercatorQuad"
PATH: Final = "/ogc/collections/{type}/tiles/" + MATRIX_SET


async def tile(exchange: Exchange) -> Answer:
    """Give one tile."""
    params, collection = exchange.params, exchange.args["type"]
    place = read_square(exchange)
    shown = read_shown(params)
    view = read_view(params, shown)
    geo = GeoCondition(shown.attribute, "intersects", box_wkt(place.bounds(buffer=BUFFER)))
    query = replace(read_query(collection, params, shown), geo=geo)
    consume = await consumption(exchange)
    query = replace(query, limit=exchange.settings.page_max)
    found = await consume.query(exchange.caller, query, at_us=read_at(params))
    headers = completeness_headers(found, strict=is_strict(exchange))
    sketches = [
        Sketch(one.id, geometry, flat_row(one, terms(), view))
        for one in found.entities
        if (geometry := geometry_of(one, shown)) is not None
    ]
    layer = draw_layer(collection, place, sketches)
    return Answer(200, layer.data, [(b"content-type", MVT.encode()), *headers])


def read_square(exchange: Exchange) -> Square:
    """Read which tile is meant; raise NotFoundError when there is no such one."""
    names = ("tileMatrix", "tileCol", "tileRow")
    texts = [exchange.args[name] for name in names]
    if not all(text.isascii() and text.isdigit() and len(text) <= 9 for text in texts):
        raise NotFoundError(f"tile {texts!r:.60}: level, column and row are whole numbers")
    return square(*map(int, texts))


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            PATH + "/{tileMatrix}/{tileRow}/{tileCol}",
            "ogcTile",
            "A vector tile of a type's objects",
            tile,
            "OGC API",
            params=(*SELECTING, *FILTERING),
            accepts=(),
            replies={200: Reply("The tile.", media=(MVT,))},
            errors=(400, 404, 503),
        ),
    )
