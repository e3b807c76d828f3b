"""/temporal/entities: writing the history of entities (6.18 to 6.22; 5.6.11 to 5.6.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.http import params as p
from conurb.http.completeness import history
from conurb.http.entities import NO_CONTENT, entity_id_of, object_body
from conurb.http.exchange import Answer, Exchange, created, no_content
from conurb.http.routing import API, Reply, Route
from conurb.model.evolution import parse_instance_id
from conurb.model.names import check_uri
from conurb.model.parse import (
    parse_attribute,
    parse_temporal_entity,
    parse_temporal_fragment,
)

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.entity import Instance

COLLECTION: Final = API + "/temporal/entities"
ONE: Final = COLLECTION + "/{entityId}"
ATTRIBUTES: Final = ONE + "/attrs"
ATTRIBUTE: Final = ATTRIBUTES + "/{attrId}"
INSTANCE: Final = ATTRIBUTE + "/{instanceId}"


async def upsert(exchange: Exchange) -> Answer:
    """Create an entity with its history, or add to it (clause 5.6.11)."""
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    fragment = parse_temporal_entity(document, terms)
    exchange.caller.require("write")
    entity_id = check_uri(fragment.id, name="id")
    temporal = await history(exchange)
    if await temporal.upsert(exchange.caller, entity_id, fragment):
        return created(COLLECTION, entity_id)
    return no_content()


async def append(exchange: Exchange) -> Answer:
    """Add instances to the history of an entity (clause 5.6.12)."""
    entity_id = entity_id_of(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    fragment = parse_temporal_fragment(document, terms)
    temporal = await history(exchange)
    await temporal.append(exchange.caller, entity_id, fragment)
    return no_content()


async def update_instance(exchange: Exchange) -> Answer:
    """Replace one instance in history (clause 5.6.14)."""
    entity_id, number = entity_id_of(exchange), _number(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    attribute = _attribute(exchange, terms)
    instance = _one_instance(document, exchange.args["attrId"], attribute, terms)
    temporal = await history(exchange)
    await temporal.update_instance(exchange.caller, entity_id, attribute, number, instance)
    return no_content()


def _one_instance(document: dict[str, Any], name: str, attribute: str, terms: Terms) -> Instance:
    """Read the one instance of a body: alone, or as the only one of its attribute (5.6.14.3)."""
    if name in document:
        fragment = parse_temporal_fragment(document, terms)
        instances = fragment.attrs.get(attribute, [])
        others = len(fragment.attrs) - 1
    else:
        instances, others = parse_attribute(document, terms, name=name, nulls=False), 0
    if len(instances) != 1 or others:
        raise BadRequestDataError(
            f"the body must hold exactly one instance of {name!r} and no other attribute"
        )
    return instances[0]


async def delete_instance(exchange: Exchange) -> Answer:
    """Take one instance out of history (clause 5.6.15)."""
    entity_id, number = entity_id_of(exchange), _number(exchange)
    attribute = _attribute(exchange, await exchange.link_terms())
    temporal = await history(exchange)
    await temporal.delete_instance(exchange.caller, entity_id, attribute, number)
    return no_content()


async def delete_attribute(exchange: Exchange) -> Answer:
    """Take an attribute out of history (clause 5.6.13)."""
    entity_id = entity_id_of(exchange)
    attribute = _attribute(exchange, await exchange.link_terms())
    params = exchange.params
    dataset = params.text("datasetId")
    if dataset is not None:
        check_uri(dataset, name="datasetId")
        if params.flag("deleteAll"):
            raise InvalidRequestError("datasetId and deleteAll=true can't go together")
    temporal = await history(exchange)
    await temporal.delete_attribute(
        exchange.caller,
        entity_id,
        attribute,
        dataset=dataset,
        all_instances=params.flag("deleteAll"),
    )
    return no_content()


async def delete(exchange: Exchange) -> Answer:
    """Erase an entity with its whole history (clause 5.6.16)."""
    entity_id = entity_id_of(exchange)
    temporal = await history(exchange)
    await temporal.delete(exchange.caller, entity_id)
    return no_content()


def _attribute(exchange: Exchange, terms: Terms) -> str:
    name = exchange.args["attrId"]
    if not name:
        raise BadRequestDataError("attribute name: it is missing in the path")
    return terms.expand(name)


def _number(exchange: Exchange) -> int:
    """Give the number of the instance in the path; 0, which none has, for one that isn't ours."""
    return parse_instance_id(exchange.args["instanceId"]) or 0


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "History"
    missing = (400, 404, 504)
    return (
        Route(
            "POST",
            COLLECTION,
            "upsertTemporal",
            "Create an entity with its history, or add to it",
            upsert,
            tag,
            params=(p.LOCAL,),
            body="EntityTemporal",
            accepts=(),
            replies={
                201: Reply("Created; its path is in Location.", headers=("Location",)),
                **NO_CONTENT,
            },
            errors=(400, 422, 504),
            makes_tenant=True,
        ),
        Route(
            "DELETE",
            ONE,
            "deleteTemporal",
            "Erase an entity with its history",
            delete,
            tag,
            params=(p.LOCAL,),
            accepts=(),
            replies=NO_CONTENT,
            errors=missing,
        ),
        Route(
            "POST",
            ATTRIBUTES,
            "appendAttrsTemporal",
            "Add instances to the history of an entity",
            append,
            tag,
            params=(p.LOCAL,),
            body="EntityTemporalFragment",
            accepts=(),
            replies=NO_CONTENT,
            errors=missing,
        ),
        Route(
            "DELETE",
            ATTRIBUTE,
            "deleteAttrsTemporal",
            "Take an attribute out of history",
            delete_attribute,
            tag,
            params=(p.DATASET_ID, p.DELETE_ALL, p.LOCAL),
            accepts=(),
            replies=NO_CONTENT,
            errors=missing,
        ),
        Route(
            "PATCH",
            INSTANCE,
            "updateAttrInstanceTemporal",
            "Replace one instance in history",
            update_instance,
            tag,
            params=(p.LOCAL,),
            body="EntityTemporalFragment",
            accepts=(),
            replies=NO_CONTENT,
            errors=missing,
        ),
        Route(
            "DELETE",
            INSTANCE,
            "deleteAttrInstanceTemporal",
            "Take one instance out of history",
            delete_instance,
            tag,
            params=(p.LOCAL,),
            accepts=(),
            replies=NO_CONTENT,
            errors=missing,
        ),
    )
