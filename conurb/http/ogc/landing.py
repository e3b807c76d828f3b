"""/ogc and /ogc/conformance: where a client begins."""

from __future__ import annotations

from typing import Any, Final

from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.ogc.links import AS_JSON, COLLECTIONS, ROOT, link
from conurb.http.routing import JSON, Reply, Route
from conurb.http.schemas import items, obj

_FEATURES: Final = "http://www.opengis.net/spec/ogcapi-features-"
_CQL2: Final = "http://www.opengis.net/spec/cql2/1.0/conf/"
_TILES: Final = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
_COMMON: Final = "http://www.opengis.net/spec/ogcapi-common-"

OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.1"
CONFORMS_TO: Final = (
    _COMMON + "1/1.0/conf/core",
    _COMMON + "1/1.0/conf/json",
    _COMMON + "2/1.0/conf/collections",
    _FEATURES + "1/1.0/conf/core",
    _FEATURES + "1/1.0/conf/geojson",
    _FEATURES + "2/1.0/conf/crs",
    _FEATURES + "3/1.0/conf/queryables",
    _FEATURES + "3/1.0/conf/filter",
    _FEATURES + "3/1.0/conf/features-filter",
    _FEATURES + "6/1.0/conf/properties",
    _CQL2 + "cql2-text",
    _CQL2 + "cql2-json",
    _CQL2 + "basic-cql2",
    _CQL2 + "advanced-comparison-operators",
    _CQL2 + "case-insensitive-comparison",
    _CQL2 + "basic-spatial-functions",
    _CQL2 + "basic-spatial-functions-plus",
    _CQL2 + "spatial-functions",
    _TILES + "core",
    _TILES + "tileset",
    _TILES + "tilesets-list",
    _TILES + "mvt",
)
"""What these APIs conform to."""


async def landing(exchange: Exchange) -> Answer:
    """Give the landing page."""
    links = [
        link(exchange, ROOT, "self", JSON),
        link(
            exchange,
            "/openapi.json",
            "service-desc",
            OPENAPI,
        ),
        link(exchange, ROOT + "/conformance", "conformance", JSON),
        link(exchange, COLLECTIONS, "data", JSON),
        link(exchange, "/", "alternate", "text/html"),
    ]
    return give_json(
        {
            "title": "Conurb",
            "description": "Objects of cities, by type, now and at any time.",
            "links": links,
        }
    )


async def conformance(_exchange: Exchange) -> Answer:
    """Say what these APIs conform to."""
    return give_json({"conformsTo": list(CONFORMS_TO)})


LINK_SCHEMA: Final = obj(
    {
        "href": {"type": "string"},
        "rel": {"type": "string"},
        "type": {"type": "string"},
        "title": {"type": "string"},
    },
    required=("href", "rel"),
)
SCHEMAS: Final[dict[str, Any]] = {
    "OgcLink": LINK_SCHEMA,
    "OgcLanding": obj(
        {"title": {"type": "string"}, "links": items(LINK_SCHEMA)}, required=("links",)
    ),
    "OgcConformance": obj({"conformsTo": items({"type": "string"})}, required=("conformsTo",)),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    shared: dict[str, Any] = {
        "tag": "OGC API",
        "params": (AS_JSON,),
        "accepts": (),
        "errors": (400,),
        "any_tenant": True,
    }
    return (
        Route(
            "GET",
            ROOT,
            "ogcLanding",
            "Where a client of the OGC APIs begins",
            landing,
            replies={200: Reply("The landing page.", "OgcLanding")},
            **shared,
        ),
        Route(
            "GET",
            ROOT + "/conformance",
            "ogcConformance",
            "What the OGC APIs conform to",
            conformance,
            replies={200: Reply("Conformance classes.", "OgcConformance")},
            **shared,
        ),
    )
