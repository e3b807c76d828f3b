"""/entities/{id}/attrs: append, update, replace, delete attributes (6.6, 6.7; 5.6.2 to 5.6.19)."""

from __future__ import annotations

from typing import Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.http import params as p
from conurb.http.asking import read_types
from conurb.http.completeness import provision
from conurb.http.entities import ONE, entity_id_of, object_body
from conurb.http.exchange import Answer, Exchange, give_json, no_content
from conurb.http.outcomes import update_result
from conurb.http.routing import Reply, Route
from conurb.model.names import check_uri
from conurb.model.operations.entity import Report
from conurb.model.parse import parse_attribute, parse_fragment

ALL: Final = ONE + "/attrs"
ATTRIBUTE: Final = ALL + "/{attrId}"
SCOPE: Final = "scope"


async def append(exchange: Exchange) -> Answer:
    """Append attributes to an entity (clause 5.6.3)."""
    entity_id = entity_id_of(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    fragment = parse_fragment(document, terms, nulls=False)
    provide = await provision(exchange)
    result = await provide.append(
        exchange.caller,
        entity_id,
        fragment,
        types=read_types(exchange.params, terms),
        overwrite=not exchange.params.option("noOverwrite"),
    )
    return _updated(result)


async def update(exchange: Exchange) -> Answer:
    """Update attributes of an entity; nulls delete them (clause 5.6.2)."""
    entity_id = entity_id_of(exchange)
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    fragment = parse_fragment(document, terms, nulls=True)
    provide = await provision(exchange)
    result = await provide.update(
        exchange.caller, entity_id, fragment, types=read_types(exchange.params, terms)
    )
    return _updated(result)


def _updated(result: Report | None) -> Answer:
    if result is not None and result.not_updated:
        return give_json(update_result(result), status=207)
    return no_content()


def _attribute_name(exchange: Exchange) -> str:
    name = exchange.args["attrId"]
    if not name:
        raise BadRequestDataError("attribute name: it is missing in the path")
    return name


def _own_attribute_name(exchange: Exchange) -> str:
    name = _attribute_name(exchange)
    if name == SCOPE:
        raise BadRequestDataError("scope: PATCH or POST it with the entity's attributes")
    return name


async def partial_update(exchange: Exchange) -> Answer:
    """Overwrite members of an attribute (clause 5.6.4)."""
    entity_id, name = entity_id_of(exchange), _own_attribute_name(exchange)
    document = await exchange.json()
    terms = await exchange.document_terms(document)
    attribute = terms.expand(name)
    instances = parse_attribute(document, terms, name=name, nulls=True, partial=True)
    provide = await provision(exchange)
    result = await provide.partial_update(
        exchange.caller,
        entity_id,
        attribute,
        instances,
        types=read_types(exchange.params, terms),
    )
    return _updated(result)


async def replace(exchange: Exchange) -> Answer:
    """Replace an attribute (clause 5.6.19)."""
    entity_id, name = entity_id_of(exchange), _own_attribute_name(exchange)
    document = await exchange.json()
    terms = await exchange.document_terms(document)
    attribute = terms.expand(name)
    instances = parse_attribute(document, terms, name=name, nulls=False)
    provide = await provision(exchange)
    result = await provide.replace_attribute(
        exchange.caller,
        entity_id,
        attribute,
        instances,
        types=read_types(exchange.params, terms),
    )
    return _updated(result)


async def delete(exchange: Exchange) -> Answer:
    """Delete an attribute: its default instance, one by datasetId, or all (clause 5.6.5)."""
    entity_id, name = entity_id_of(exchange), _attribute_name(exchange)
    terms = await exchange.link_terms()
    params = exchange.params
    dataset = params.text("datasetId")
    if dataset is not None:
        check_uri(dataset, name="datasetId")
        if params.flag("deleteAll"):
            raise InvalidRequestError("datasetId and deleteAll=true can't go together")
    types = read_types(params, terms)
    provide = await provision(exchange)
    if name == SCOPE:
        return _updated(await provide.delete_scope(exchange.caller, entity_id, types=types))
    result = await provide.delete_attribute(
        exchange.caller,
        entity_id,
        terms.expand(name),
        types=types,
        dataset=dataset,
        all_instances=params.flag("deleteAll"),
    )
    return _updated(result)


UPDATED: Final = {
    204: Reply("Done."),
    207: Reply("Which attributes were written, and which weren't.", "UpdateResult"),
}
_ERRORS: Final = (400, 404, 504)


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Attributes"
    return (
        Route(
            "POST",
            ALL,
            "appendAttrs",
            "Append attributes to an entity",
            append,
            tag,
            params=(p.options("noOverwrite"), p.TYPE, p.LOCAL),
            body="EntityFragment",
            accepts=(),
            replies=UPDATED,
            errors=_ERRORS,
        ),
        Route(
            "PATCH",
            ALL,
            "updateEntity",
            "Update attributes of an entity",
            update,
            tag,
            params=(p.TYPE, p.LOCAL),
            body="EntityFragment",
            accepts=(),
            replies=UPDATED,
            errors=_ERRORS,
        ),
        Route(
            "PATCH",
            ATTRIBUTE,
            "updateAttr",
            "Overwrite members of an attribute",
            partial_update,
            tag,
            params=(p.TYPE, p.LOCAL),
            body="AttributeFragment",
            accepts=(),
            replies=UPDATED,
            errors=_ERRORS,
        ),
        Route(
            "PUT",
            ATTRIBUTE,
            "replaceAttr",
            "Replace an attribute",
            replace,
            tag,
            params=(p.TYPE, p.LOCAL),
            body="AttributeFragment",
            accepts=(),
            replies=UPDATED,
            errors=_ERRORS,
        ),
        Route(
            "DELETE",
            ATTRIBUTE,
            "deleteAttr",
            "Delete an attribute",
            delete,
            tag,
            params=(p.DATASET_ID, p.DELETE_ALL, p.TYPE, p.LOCAL),
            accepts=(),
            replies=UPDATED,
            errors=_ERRORS,
        ),
    )
