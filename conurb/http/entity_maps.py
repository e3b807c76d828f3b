"""/entityMaps: make, retrieve, update and delete entity maps (5.14; 6.32, 6.34).

`mapped_query` is how a query of entities uses one: asked for by `entityMap=true`, or named by the
header `NGSILD-EntityMap` (clause 5.5.14).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError, NotFoundError
from conurb.http import params as p
from conurb.http.asking import query_params, read_query
from conurb.http.completeness import completeness_headers, consumption, id_headers
from conurb.http.exchange import Answer, Exchange, Header, no_content
from conurb.http.params import Params
from conurb.http.routing import API, Reply, Route
from conurb.http.schemas import items, obj
from conurb.model.names import check_uri
from conurb.model.query.temporal import parse_duration
from conurb.model.query.tree import Query, Selector
from conurb.model.time import US_PER_S, parse_us, shown_us

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.node.consume import Answer as Found
    from conurb.node.entity_maps import EntityMap
    from conurb.node.join import Join

COLLECTION: Final = API + "/entityMaps"
ONE: Final = API + "/entityMaps/{entityMapId}"
HEADER: Final = b"ngsild-entitymap"
MONTH_US: Final = 30 * 24 * 3600 * US_PER_S
"""A month of a lifetime; nobody needs it to go by the calendar."""


def lifetime_of(text: str | None, *, name: str) -> int | None:
    """Read a wanted lifetime as microseconds; raise BadRequestDataError when it isn't one."""
    if text is None:
        return None
    months, us = parse_duration(text, name=name)
    lifetime = months * MONTH_US + us
    if lifetime <= 0:
        raise BadRequestDataError(f"{name}: {text!r} is no time at all")
    return lifetime


async def mapped_query(
    exchange: Exchange, query: Query, join: Join | None
) -> tuple[Found, int, list[Header]]:
    """Give a page of entities, the status and the headers, by way of an entity map if wanted.

    A map that is gone is made anew, which is a 201 (clause 5.5.14).
    """
    node = await exchange.node()
    named = exchange.headers.get(HEADER)
    if named is None and not exchange.params.flag("entityMap"):
        consume = await consumption(exchange)
        answer = await consume.query(exchange.caller, query, join=join)
        headers = completeness_headers(exchange, answer)
        return answer, 200, [*headers, *await id_headers(exchange, query, answer)]
    if named is not None:
        map_id = named.decode("latin-1").rsplit("/", 1)[-1]
        try:
            found = await node.entity_maps.query(exchange.caller, map_id, query, join=join)
            return found, 200, [(HEADER, named)]
        except NotFoundError:
            pass
    lifetime = lifetime_of(exchange.params.text("entityMapLifetime"), name="entityMapLifetime")
    made = await node.entity_maps.create(exchange.caller, query, lifetime_us=lifetime)
    found = await node.entity_maps.query(exchange.caller, made.id, query, join=join)
    return found, 201, [made_header(made)]


async def retrieval_map(exchange: Exchange, entity_id: str) -> list[Header]:
    """Give the header of the entity map that a retrieval used, making it if wanted (5.7.1.4)."""
    named = exchange.headers.get(HEADER)
    if named is None and not exchange.params.flag("entityMap"):
        return []
    node = await exchange.node()
    if named is not None:
        map_id = named.decode("latin-1").rsplit("/", 1)[-1]
        try:
            node.entity_maps.get(exchange.caller, map_id)
            return [(HEADER, named)]
        except NotFoundError:
            pass
    lifetime = lifetime_of(exchange.params.text("entityMapLifetime"), name="entityMapLifetime")
    query = Query(selectors=(Selector(ids=(entity_id,)),))
    made = await node.entity_maps.create(exchange.caller, query, lifetime_us=lifetime)
    return [made_header(made)]


async def create(exchange: Exchange) -> Answer:
    """Make the entity map of a query in the URL (clause 5.14.4)."""
    terms = await exchange.link_terms()
    return await _make(exchange, read_query(exchange.params, terms, exchange.settings), terms)


async def create_by_post(exchange: Exchange) -> Answer:
    """Make the entity map of a query in the body (clause 5.14.4)."""
    document = await exchange.json()
    terms = await exchange.document_terms(document)
    params, selectors = query_params(document, exchange.params, terms)
    query = read_query(params, terms, exchange.settings, selectors=selectors)
    wanted = document.get("entityMapLifetime") or params.text("entityMapLifetime")
    return await _make(exchange, query, terms, Params({"entityMapLifetime": wanted}))


async def retrieve(exchange: Exchange) -> Answer:
    """Give an entity map (clause 5.14.1)."""
    map_id = _map_id(exchange)
    node = await exchange.node()
    found = node.entity_maps.get(exchange.caller, map_id)
    return await exchange.give(document_of(found), await exchange.link_terms())


async def update(exchange: Exchange) -> Answer:
    """Set when an entity map expires; its other members are the node's (clause 5.14.2)."""
    map_id = _map_id(exchange)
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object of type EntityMap")
    given = document.get("expiresAt")
    expires_us = None if given is None else parse_us(given, name="expiresAt")
    node = await exchange.node()
    node.entity_maps.update(exchange.caller, map_id, expires_us=expires_us)
    return no_content()


async def delete(exchange: Exchange) -> Answer:
    """Delete an entity map (clause 5.14.3)."""
    map_id = _map_id(exchange)
    node = await exchange.node()
    node.entity_maps.delete(exchange.caller, map_id)
    return no_content()


def document_of(found: EntityMap) -> dict[str, Any]:
    """Write an EntityMap (clause 5.2.39)."""
    return {
        "id": found.id,
        "type": "EntityMap",
        "expiresAt": shown_us(found.expires_us),
        "entityMap": {entity_id: list(sources) for entity_id, sources in found.sources.items()},
        "linkedMaps": found.linked,
    }


async def give_made(exchange: Exchange, made: EntityMap, terms: Terms) -> Answer:
    """Answer 201 with a map that was made and where it is."""
    return await exchange.give(document_of(made), terms, status=201, headers=[made_header(made)])


async def _make(
    exchange: Exchange, query: Query, terms: Terms, params: Params | None = None
) -> Answer:
    if not (
        query.attributes
        or query.condition
        or query.geo
        or exchange.params.flag("local")
        or any(selector.types for selector in query.selectors)
    ):
        raise BadRequestDataError(
            "the query takes every entity: give a type, attrs, q or a geoquery, or local=true"
        )
    text = (params or exchange.params).text("entityMapLifetime")
    lifetime = lifetime_of(text, name="entityMapLifetime")
    node = await exchange.node()
    made = await node.entity_maps.create(
        exchange.caller, replace(query, count=False), lifetime_us=lifetime
    )
    return await give_made(exchange, made, terms)


def made_header(made: EntityMap) -> Header:
    """Write the header that says where an entity map is (6.34.3.1)."""
    return HEADER, f"{COLLECTION}/{made.id}".encode()


def _map_id(exchange: Exchange) -> str:
    return check_uri(exchange.args["entityMapId"], name="entity map id")


_SELECT: Final = (
    p.TYPE,
    p.ID,
    p.ID_PATTERN,
    p.Q,
    p.CSF,
    p.SCOPE_Q,
    *p.GEO,
    p.ATTRS,
    p.PICK,
    p.OMIT,
    p.EXPAND_VALUES,
    p.JSON_KEYS,
    p.SPLIT_ENTITIES,
    p.DATASET_IDS,
    p.GEOMETRY_PROPERTY,
    p.LANG,
    p.LOCAL,
    p.ENTITY_MAP,
    p.ENTITY_MAP_LIFETIME,
    *p.ORDER,
    *p.PAGE,
    *p.JOINING,
)


SCHEMAS: Final[dict[str, Any]] = {
    "EntityMap": obj(
        {
            "id": {"type": "string", "format": "uri"},
            "type": {"const": "EntityMap"},
            "expiresAt": {"type": "string", "format": "date-time"},
            "entityMap": {"type": "object", "additionalProperties": items({"type": "string"})},
            "linkedMaps": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Entity maps"
    made = {201: Reply("The map.", "EntityMap", headers=("NGSILD-EntityMap",))}
    return (
        Route(
            "GET",
            COLLECTION,
            "createEntityMapQueryEntity",
            "Make the entity map of a query",
            create,
            tag,
            params=_SELECT,
            replies=made,
            errors=(400, 403, 504),
        ),
        Route(
            "POST",
            COLLECTION,
            "createEntityMapQueryEntityByPost",
            "Make the entity map of a query in the body",
            create_by_post,
            tag,
            params=(*p.PAGE, p.LOCAL, p.ENTITY_MAP_LIFETIME),
            body="Query",
            replies=made,
            errors=(400, 403, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveEntityMap",
            "Retrieve an entity map",
            retrieve,
            tag,
            replies={200: Reply("The map.", "EntityMap")},
            errors=(400, 404),
        ),
        Route(
            "PATCH",
            ONE,
            "updateEntityMap",
            "Set when an entity map expires",
            update,
            tag,
            body="EntityMap",
            accepts=(),
            replies={204: Reply("Done.")},
            errors=(400, 404),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteEntityMap",
            "Delete an entity map",
            delete,
            tag,
            accepts=(),
            replies={204: Reply("Done.")},
            errors=(400, 404),
        ),
    )
