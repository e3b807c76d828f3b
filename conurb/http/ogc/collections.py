"""/ogc/collections: every type of objects that exists here, and what can be asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from conurb.federation.completeness import NotFoundHereError
from conurb.federation.inventory import Surveyed, survey_of, time_document
from conurb.federation.region import reach_of
from conurb.http.completeness import headers_of
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.layers import declared_at
from conurb.http.ogc.asking import terms
from conurb.http.ogc.links import AS_JSON, COLLECTIONS, collection_path, link
from conurb.http.params import LANG, LOCAL
from conurb.http.routing import GEO_JSON, JSON, Reply, Route
from conurb.http.schemas import items, obj, ref
from conurb.model.crs import CRS84, CRS_LIST
from conurb.model.portrayal import LANGUAGES
from conurb.model.vocabulary import find_label
from conurb.store.survey import TypeSurvey

GREGORIAN: Final = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
PATH: Final = COLLECTIONS + "/{type}"


QUERYABLES_REL: Final = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
TILESETS_REL: Final = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
SCHEMA_JSON: Final = "application/schema+json"


async def list_collections(exchange: Exchange) -> Answer:
    """List the collections."""
    surveyed = await _surveyed(exchange)
    described = [collection_of(exchange, one) for _, one in sorted(surveyed.survey.items())]
    links = [link(exchange, COLLECTIONS, "self", JSON)]
    headers = headers_of(surveyed.completeness)
    return give_json({"links": links, "collections": described}, headers=headers)


async def _surveyed(exchange: Exchange) -> Surveyed:
    """Give what there is: at all nodes, or with `local` at this one; and the types declared."""
    caller, node = exchange.caller, await exchange.node()
    if exchange.params.flag("local"):
        caller = replace(caller, via=(*caller.via, reach_of(node).alias))
    surveyed = await survey_of(node, caller)
    for name in (await declared_at(node)).types:
        iri = terms().expand(name)
        surveyed.survey.setdefault(iri, TypeSurvey(iri))
    return surveyed


async def get_collection(exchange: Exchange) -> Answer:
    """Describe one collection."""
    return give_json(collection_of(exchange, await find_type(exchange)))


async def find_type(exchange: Exchange) -> TypeSurvey:
    """Give the type that a collection is.

    Raises NotFoundError, saying who didn't answer, when no object has it and no layer shows it.
    """
    name = exchange.args["type"]
    surveyed = await _surveyed(exchange)
    found = surveyed.survey.get(terms().expand(name))
    if found is None:
        raise NotFoundHereError(
            f"collection {name!r}: no object of this type exists here", surveyed.completeness
        )
    return found


def _extent(info: TypeSurvey) -> dict[str, Any]:
    """Say where and of which time the objects of a collection are, as far as it is known."""
    extent: dict[str, Any] = {}
    location = info.spaces.get(terms().expand("location"))
    space = location or next(iter(info.spaces.values()), None)
    if space is not None:
        extent["spatial"] = {"bbox": [list(space.box)], "crs": CRS84}
    times = time_document(info)
    if times is not None:
        extent["temporal"] = {"interval": [times], "trs": GREGORIAN}
    return extent


def titles(name: str) -> dict[str, str]:
    """Give the names for people of a collection."""
    return {lang: find_label(name, lang) or name for lang in LANGUAGES}


def collection_of(exchange: Exchange, info: TypeSurvey) -> dict[str, Any]:
    """Describe a collection."""
    name = terms().compact(info.iri)
    path = collection_path(name)
    lang = exchange.params.text("lang") or "en"
    title = titles(name)["zh" if lang.startswith("zh") else "en"]
    return {
        "id": name,
        "title": title,
        "titles": titles(name),
        "itemType": "feature",
        "itemCount": info.count,
        "extent": _extent(info),
        "crs": list(CRS_LIST),
        "storageCrs": CRS84,
        "links": [
            link(exchange, path, "self", JSON),
            link(exchange, f"{path}/items", "items", GEO_JSON, title),
            link(exchange, f"{path}/queryables", QUERYABLES_REL, SCHEMA_JSON),
            link(exchange, f"{path}/tiles", TILESETS_REL, JSON),
        ],
    }


_COLLECTION: Final = obj(
    {
        "id": {"type": "string"},
        "title": {"type": "string"},
        "itemCount": {"type": "integer"},
        "crs": items({"type": "string"}),
        "links": items(ref("OgcLink")),
    },
    required=("id", "links"),
)


async def queryables(exchange: Exchange) -> Answer:
    """Say which properties a filter may ask of, as JSON Schema (OGC 19-079r2, 6.2)."""
    info = await find_type(exchange)
    name = exchange.args["type"]
    described = {
        terms().compact(iri): _queryable(terms().compact(iri), kinds)
        for iri, kinds in info.attributes.items()
    }
    path = collection_path(name)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{exchange.base_url}{path}/queryables",
        "type": "object",
        "title": titles(name)["en"],
        "properties": {"id": {"title": "id", "type": "string"}, **described},
        "additionalProperties": True,
    }
    return Answer(200, orjson.dumps(document), [(b"content-type", SCHEMA_JSON.encode())])


def _queryable(name: str, kinds: set[str]) -> dict[str, Any]:
    """Describe a property; of a Property the node knows no type, it takes any."""
    described: dict[str, Any] = {"title": titles(name)["en"], "x-titles": titles(name)}
    if "GeoProperty" in kinds:
        return {**described, "format": "geometry-any"}
    if kinds and kinds <= {"Relationship", "LanguageProperty", "VocabProperty"}:
        return {**described, "type": "string"}
    return described


SCHEMAS: Final[dict[str, Any]] = {
    "OgcCollection": _COLLECTION,
    "OgcQueryables": obj({"properties": {"type": "object"}}, required=("properties",)),
    "OgcCollections": obj(
        {"links": items(ref("OgcLink")), "collections": items(ref("OgcCollection"))},
        required=("links", "collections"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "OGC API"
    return (
        Route(
            "GET",
            COLLECTIONS,
            "ogcCollections",
            "The types of objects that exist here, as collections",
            list_collections,
            tag,
            params=(LANG, LOCAL, AS_JSON),
            accepts=(),
            replies={200: Reply("The collections.", "OgcCollections")},
            errors=(400, 404),
        ),
        Route(
            "GET",
            PATH,
            "ogcCollection",
            "One type of objects, as a collection",
            get_collection,
            tag,
            params=(LANG, LOCAL, AS_JSON),
            accepts=(),
            replies={200: Reply("The collection.", "OgcCollection")},
            errors=(400, 404),
        ),
        Route(
            "GET",
            PATH + "/queryables",
            "ogcQueryables",
            "What filters may ask of a type's objects",
            queryables,
            tag,
            params=(LOCAL, AS_JSON),
            accepts=(),
            replies={200: Reply("JSON Schema.", "OgcQueryables", media=(SCHEMA_JSON,))},
            errors=(400, 404),
        ),
    )
