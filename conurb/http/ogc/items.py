"""/ogc/collections/{type}/items: the objects of a type as features, page by page.

Pages are in order of id, and a link to the next one says after which id it begins, so that it stays
right whatever is written meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.http.completeness import completeness_headers, consumption
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.layers import declared_at
from conurb.http.ogc.asking import (
    BBOX,
    BBOX_CRS,
    CRS,
    FILTERING,
    SELECTING,
    Shown,
    read_at,
    read_query,
    read_shown,
    read_view,
    terms,
)
from conurb.http.ogc.export import FILES, export
from conurb.http.ogc.features import feature_of
from conurb.http.ogc.links import AS_JSON, collection_path, link, with_query
from conurb.http.params import LIMIT, Param, described
from conurb.http.routing import CSV, GEO_JSON, JSON, PARQUET, Reply, Route
from conurb.http.schemas import items as array
from conurb.http.schemas import obj, ref
from conurb.model.crs import CRS84, read_crs
from conurb.model.query.tree import AttributePath, Compare, Query, conjunction
from conurb.model.time import shown_us

if TYPE_CHECKING:
    from conurb.node.consume import Answer as Found

PATH: Final = "/ogc/collections/{type}/items"
PAGE: Final = 100
F: Final = Param(
    "f",
    "json: a page, as without it. csv, geojson, geoparquet: the whole collection as one file.",
    choices=("json", *FILES),
)
PAGE_LIMIT: Final = described(LIMIT, "Features of a page, 1 or more.")
AFTER: Final = Param("after", "Id after which the page begins; links to next pages have it.")


async def items(exchange: Exchange) -> Answer:
    """Give a page of a collection."""
    params, collection = exchange.params, exchange.args["type"]
    form = params.text("f")
    if form in FILES:
        return await export(exchange, form)
    shown = read_shown(params)
    view = read_view(params, shown)
    query = read_query(collection, params, shown)
    at_us = read_at(params)
    limit = read_limit(exchange)
    crs = read_crs(params.text("crs") or CRS84, name="crs")
    after = params.text("after")
    paged = replace(
        query,
        limit=limit,
        condition=conjunction(query.condition, None if after is None else _after(after)),
    )
    consume = await consumption(exchange)
    found = await consume.query(exchange.caller, replace(paged, count=after is None), at_us=at_us)
    headers = completeness_headers(exchange, found)
    if not found.entities and after is None:
        await check_collection(exchange, query)
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "timeStamp": shown_us(exchange.host.clock()),
        "numberReturned": len(found.entities),
    }
    if found.total is not None:
        document["numberMatched"] = found.total
    document["features"] = [feature_of(one, terms(), view, shown, crs) for one in found.entities]
    document["links"] = _page_links(exchange, collection, found, limit)
    return give(exchange, document, [*headers, crs_header(crs)])


def _after(entity_id: str) -> Compare:
    return Compare(AttributePath(("id",)), ">", entity_id)


async def check_collection(exchange: Exchange, query: Query) -> None:
    """Raise NotFoundError when no object is of the collection, and no layer shows it either."""
    if exchange.args["type"] in (await declared_at(await exchange.node())).types:
        return
    bare = Query(selectors=query.selectors, limit=1)
    consume = await consumption(exchange)
    if not (await consume.query(exchange.caller, bare)).entities:
        raise NotFoundError(
            f"collection {exchange.args['type']!r}: no object of this type exists here"
        )


def read_limit(exchange: Exchange) -> int:
    """Read the size of the page; more than this node gives at once is that."""
    limit = exchange.params.count("limit")
    if limit == 0:
        raise BadRequestDataError("limit: 0 is below 1")
    return min(limit or PAGE, exchange.settings.page_max)


def _page_links(
    exchange: Exchange, collection: str, found: Found, limit: int
) -> list[dict[str, Any]]:
    path = collection_path(collection)
    links = [
        link(exchange, with_query(exchange, f"{path}/items", {}), "self", GEO_JSON),
        link(exchange, path, "collection", JSON),
    ]
    if found.more and found.entities:
        changes = {"after": found.entities[-1].id, "limit": str(limit)}
        links.append(
            link(exchange, with_query(exchange, f"{path}/items", changes), "next", GEO_JSON)
        )
    return links


async def item(exchange: Exchange) -> Answer:
    """Give one object of a collection."""
    params, collection = exchange.params, exchange.args["type"]
    shown: Shown = read_shown(params)
    view = read_view(params, shown)
    entity_id, at_us = exchange.args["featureId"], read_at(params)
    query = read_query(collection, params, shown)
    selector = replace(query.selectors[0], ids=(entity_id,))
    consume = await consumption(exchange)
    found = await consume.query(exchange.caller, Query(selectors=(selector,), limit=1), at_us=at_us)
    headers = completeness_headers(exchange, found)
    if not found.entities:
        raise NotFoundError(f"collection {collection!r} has no feature {entity_id!r}")
    crs = read_crs(params.text("crs") or CRS84, name="crs")
    document = feature_of(found.entities[0], terms(), view, shown, crs)
    path = collection_path(collection)
    document["links"] = [
        link(exchange, exchange.scope["path"], "self", GEO_JSON),
        link(exchange, path, "collection", JSON),
    ]
    return give(exchange, document, [*headers, crs_header(crs)])


def crs_header(crs: str) -> Header:
    """Say which coordinate reference system an answer is in (OGC 18-058, 8.2)."""
    return b"content-crs", f"<{crs}>".encode()


def give(exchange: Exchange, document: Any, headers: list[Header]) -> Answer:
    """Answer with GeoJSON."""
    media = (b"content-type", exchange.media.encode())
    return Answer(200, orjson.dumps(document), [media, *headers])


MEDIA: Final = (GEO_JSON, JSON, CSV, PARQUET)
SCHEMAS: Final[dict[str, Any]] = {
    "OgcFeatures": obj(
        {
            "type": {"const": "FeatureCollection"},
            "features": array(ref("Feature")),
            "links": array(ref("OgcLink")),
            "timeStamp": {"type": "string", "format": "date-time"},
            "numberReturned": {"type": "integer", "minimum": 0},
            "numberMatched": {"type": "integer", "minimum": 0},
        },
        required=("type", "features"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "OGC API"
    return (
        Route(
            "GET",
            PATH,
            "ogcItems",
            "The objects of a type as features",
            items,
            tag,
            params=(BBOX, BBOX_CRS, *FILTERING, *SELECTING, CRS, PAGE_LIMIT, AFTER, F),
            accepts=(GEO_JSON, JSON),
            replies={200: Reply("A page of features.", "OgcFeatures", media=MEDIA)},
            errors=(400, 404, 422, 503),
        ),
        Route(
            "GET",
            PATH + "/{featureId}",
            "ogcItem",
            "One object as a feature",
            item,
            tag,
            params=(*SELECTING, CRS, AS_JSON),
            accepts=(GEO_JSON, JSON),
            replies={200: Reply("The feature.", "Feature", media=(GEO_JSON, JSON))},
            errors=(400, 404, 503),
        ),
    )
