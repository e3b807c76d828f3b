"""/entities: create, query, purge; retrieve, replace, merge, delete one (6.4, 6.5; 5.6, 5.7)."""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.http import params as p
from conurb.http.asking import read_attrs, read_join, read_query, read_types
from conurb.http.completeness import completeness_headers, consumption, provision
from conurb.http.entity_maps import mapped_query, retrieval_map
from conurb.http.exchange import Answer, Exchange, created, give_json, no_content
from conurb.http.outcomes import batch_result
from conurb.http.paging import page_headers
from conurb.http.routing import API, GEO_JSON, JSON, JSON_LD, Reply, Route
from conurb.http.viewing import ENTITY_OPTIONS, give_entities, give_entity, inlined, read_view
from conurb.model.names import check_uri
from conurb.model.parse import parse_entity, parse_fragment
from conurb.model.query.select import parse_datasets
from conurb.model.time import parse_fixed
from conurb.node.outcomes import BatchResult

COLLECTION: Final = API + "/entities"
ONE: Final = API + "/entities/{entityId}"


def entity_id_of(exchange: Exchange) -> str:
    """Give the entity id of the path; raise BadRequestDataError when it isn't a URI."""
    return check_uri(exchange.args["entityId"], name="entity id")


async def object_body(exchange: Exchange) -> dict[str, Any]:
    """Read a body that must be a JSON object."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError(f"the body must be a JSON object, not {type(document).__name__}")
    return document


async def create(exchange: Exchange) -> Answer:
    """Create an entity (clause 5.6.1)."""
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    entity = parse_entity(document, terms)
    exchange.caller.require("write")
    provide = await provision(exchange)
    parts = await provide.create(exchange.caller, entity)
    return created(COLLECTION, entity.id) if parts is None else _partly(parts)


async def query(exchange: Exchange) -> Answer:
    """Give the entities that a query selects (clause 5.7.2)."""
    terms = await exchange.link_terms()
    params = exchange.params
    asked = read_query(params, terms, exchange.settings)
    join = read_join(params)
    view = read_view(params, terms, media=exchange.media, join=join)
    answer, status, headers = await mapped_query(exchange, asked, inlined(join))
    headers += page_headers(exchange, asked, more=answer.more, total=answer.total)
    return await give_entities(
        exchange, answer.entities, terms, view, join=join, headers=headers, status=status
    )


async def retrieve(exchange: Exchange) -> Answer:
    """Give one entity (clause 5.7.1)."""
    terms = await exchange.link_terms()
    entity_id = entity_id_of(exchange)
    params = exchange.params
    node = await exchange.node()
    if not params.values:
        answer = await node.consume.retrieve(exchange.caller, entity_id)
        view = read_view(params, terms)
        headers = completeness_headers(exchange, answer) + await retrieval_map(exchange, entity_id)
        return await give_entity(exchange, answer.entities[0], terms, view, headers=headers)
    _refuse_members(params)
    join = read_join(params)
    view = read_view(params, terms, media=exchange.media, join=join)
    consume = await consumption(exchange)
    answer = await consume.retrieve(
        exchange.caller,
        entity_id,
        types=read_types(params, terms),
        attributes=read_attrs(params, terms),
        datasets=parse_datasets(params.items("datasetId")),
        join=inlined(join),
    )
    headers = completeness_headers(exchange, answer) + await retrieval_map(exchange, entity_id)
    return await give_entity(exchange, answer.entities[0], terms, view, join=join, headers=headers)


def _refuse_members(params: p.Params) -> None:
    """`attrs` names attributes; members of the entity itself aren't (table 6.5.3.1-1)."""
    for name in params.items("attrs"):
        if name in {"id", "type", "scope"}:
            raise BadRequestDataError(f"attrs: {name!r} is not an attribute; use pick")


async def replace(exchange: Exchange) -> Answer:
    """Replace an entity (clause 5.6.18)."""
    entity_id = entity_id_of(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    entity = parse_entity(_with_id(document, entity_id), terms)
    provide = await provision(exchange)
    types = read_types(exchange.params, terms)
    return _partly(await provide.replace(exchange.caller, entity_id, entity, types=types))


def _with_id(document: dict[str, Any], entity_id: str) -> dict[str, Any]:
    """Give a document the id of the path; raise BadRequestDataError when it has another."""
    if document.get("id", entity_id) != entity_id:
        raise BadRequestDataError(f"id: {document['id']!r} is not {entity_id!r}, as in the path")
    return {**document, "id": entity_id}


async def merge(exchange: Exchange) -> Answer:
    """Merge a fragment into an entity (clause 5.6.17)."""
    entity_id = entity_id_of(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    _check_same_id(document, entity_id)
    fragment = parse_fragment(document, terms, nulls=True, partial=True)
    params = exchange.params
    observed_at = params.text("observedAt")
    provide = await provision(exchange)
    parts = await provide.merge(
        exchange.caller,
        entity_id,
        fragment,
        types=read_types(params, terms),
        observed_at=None if observed_at is None else parse_fixed(observed_at, name="observedAt"),
        lang=params.text("lang"),
    )
    return _partly(parts)


def _check_same_id(document: dict[str, Any], entity_id: str) -> None:
    if document.get("id", entity_id) != entity_id:
        raise BadRequestDataError(f"id: {document['id']!r} is not {entity_id!r}, as in the path")


async def delete(exchange: Exchange) -> Answer:
    """Delete an entity; history keeps it (clause 5.6.6)."""
    entity_id = entity_id_of(exchange)
    types = None
    if exchange.params.values:
        types = read_types(exchange.params, await exchange.link_terms())
    provide = await provision(exchange)
    return _partly(await provide.delete(exchange.caller, entity_id, types=types))


def _partly(parts: BatchResult | None) -> Answer:
    """Answer 204 to a write that was done, 207 to one of which only parts were (6.3.17)."""
    return no_content() if parts is None else give_json(batch_result(parts), status=207)


async def purge(exchange: Exchange) -> Answer:
    """Delete the entities that a query selects, or attributes of theirs (clause 5.6.21)."""
    terms = await exchange.link_terms()
    params = exchange.params
    asked = read_query(params, terms, exchange.settings)
    drop, keep = read_attrs(params, terms, "drop"), read_attrs(params, terms, "keep")
    if drop and keep:
        raise BadRequestDataError("drop and keep: only one of them may be given")
    provide = await provision(exchange)
    result = await provide.purge(exchange.caller, asked, drop=drop, keep=keep)
    if result.errors:
        return give_json(batch_result(result), status=207)
    return no_content()


_READ: Final = (
    *p.JOINING,
    p.DATASET_IDS,
    p.GEOMETRY_PROPERTY,
    p.LANG,
    p.PICK,
    p.OMIT,
    p.LOCAL,
    p.STRICT,
    p.ENTITY_MAP,
    p.ENTITY_MAP_LIFETIME,
    p.format_of(*p.REPRESENTATIONS),
    p.options(*ENTITY_OPTIONS),
    p.SYS_ATTRS,
)
_SELECT: Final = (p.TYPE, p.ID, p.ID_PATTERN, p.Q, p.CSF, p.SCOPE_Q, *p.GEO)
_QUERY: Final = (
    *_SELECT,
    p.ATTRS,
    p.EXPAND_VALUES,
    p.JSON_KEYS,
    p.SPLIT_ENTITIES,
    *p.ORDER,
    *p.PAGE,
    *_READ,
)
_PURGE: Final = (
    *_SELECT,
    p.ATTRS,
    p.EXPAND_VALUES,
    p.JSON_KEYS,
    p.GEOMETRY_PROPERTY,
    p.LOCAL,
    p.Param("drop", "Delete these attributes instead of the entities.", "list"),
    p.Param("keep", "Delete all attributes but these instead of the entities.", "list"),
)
_MERGE: Final = (
    p.TYPE,
    p.LANG,
    p.OBSERVED_AT,
    p.LOCAL,
    p.format_of("simplified", "keyValues", "normalized", "concise"),
    p.options("simplified", "keyValues", "normalized", "concise"),
)
MEDIA: Final = (JSON, JSON_LD, GEO_JSON)
NO_CONTENT: Final = {204: Reply("Done.")}
MULTI_STATUS: Final = Reply("What became of each part.", "BatchOperationResult")
DONE: Final = {**NO_CONTENT, 207: MULTI_STATUS}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Entities"
    return (
        Route(
            "POST",
            COLLECTION,
            "createEntity",
            "Create an entity",
            create,
            tag,
            params=(p.LOCAL,),
            body="Entity",
            accepts=(),
            replies={
                201: Reply("Created; its path is in Location.", headers=("Location",)),
                207: MULTI_STATUS,
            },
            errors=(400, 409, 422, 504),
            makes_tenant=True,
        ),
        Route(
            "GET",
            COLLECTION,
            "queryEntity",
            "Query entities",
            query,
            tag,
            params=_QUERY,
            accepts=MEDIA,
            replies={
                200: Reply("The entities selected.", "Entity", many=True),
                201: Reply("The same, by an entity map that was made.", "Entity", many=True),
            },
            errors=(400, 403, 504),
        ),
        Route(
            "DELETE",
            COLLECTION,
            "purgeEntity",
            "Delete the entities that a query selects",
            purge,
            tag,
            params=_PURGE,
            accepts=(),
            replies={204: Reply("Done."), 207: MULTI_STATUS},
            errors=(400, 403, 413, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveEntity",
            "Retrieve an entity",
            retrieve,
            tag,
            params=(p.TYPE, p.ATTRS, *_READ),
            accepts=MEDIA,
            replies={200: Reply("The entity.", "Entity")},
            errors=(400, 404, 504),
        ),
        Route(
            "PUT",
            ONE,
            "replaceEntity",
            "Replace an entity",
            replace,
            tag,
            params=(p.TYPE, p.LOCAL),
            body="Entity",
            accepts=(),
            replies=DONE,
            errors=(400, 404, 504),
        ),
        Route(
            "PATCH",
            ONE,
            "mergeEntity",
            "Merge a fragment into an entity",
            merge,
            tag,
            params=_MERGE,
            body="EntityFragment",
            accepts=(),
            replies=DONE,
            errors=(400, 404, 504),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteEntity",
            "Delete an entity",
            delete,
            tag,
            params=(p.TYPE, p.LOCAL),
            accepts=(),
            replies=DONE,
            errors=(400, 404, 504),
        ),
    )
