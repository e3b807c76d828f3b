"""/types and /attributes: what kinds of things exist here (clauses 5.7.5 to 5.7.10, 6.25 to 6.28).

The short answer names types or attributes; details add counts, kinds and which goes with which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from conurb.errors import NotFoundError
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.paging import COUNT_HEADER
from conurb.http.params import COUNT, DETAILS, LOCAL
from conurb.http.routing import API, Reply, Route
from conurb.model.entity import ENTITY_MEMBERS

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.store.contract import AttributeInfo, TypeInfo


async def list_types(exchange: Exchange) -> Answer:
    """List the types that exist here, with details when asked (clauses 5.7.5, 5.7.6)."""
    terms = await exchange.link_terms()
    node = await exchange.node()
    infos = await node.consume.list_types(exchange.caller)
    if not exchange.params.flag("details"):
        document: Any = {
            "id": f"urn:ngsi-ld:EntityTypeList:{uuid4()}",
            "type": "EntityTypeList",
            "typeList": sorted(terms.compact(info.iri) for info in infos),
        }
        return await exchange.give(document, terms, headers=_count(exchange, infos))
    details = [
        {
            "id": info.iri,
            "type": "EntityType",
            "typeName": terms.compact(info.iri),
            "attributeNames": _names(info.attributes, terms),
        }
        for info in infos
    ]
    return await exchange.give(details, terms, headers=_count(exchange, infos))


async def retrieve_type(exchange: Exchange) -> Answer:
    """Say how many entities a type has, and their attributes (clause 5.7.7)."""
    terms = await exchange.link_terms()
    node = await exchange.node()
    info = await node.consume.get_type(exchange.caller, terms.expand(exchange.args["type"]))
    document = {
        "id": info.iri,
        "type": "EntityTypeInfo",
        "typeName": terms.compact(info.iri),
        "entityCount": info.entity_count,
        "attributeDetails": _attribute_details(info, terms),
    }
    return await exchange.give(document, terms)


def _attribute_details(info: TypeInfo, terms: Terms) -> list[dict[str, Any]]:
    return [
        {
            "id": iri,
            "type": "Attribute",
            "attributeName": terms.compact(iri),
            "attributeTypes": sorted(kinds),
        }
        for iri, kinds in sorted(info.attributes.items())
    ]


async def list_attributes(exchange: Exchange) -> Answer:
    """List the attributes that exist here, with details when asked (clauses 5.7.8, 5.7.9)."""
    terms = await exchange.link_terms()
    node = await exchange.node()
    infos = await node.consume.list_attributes(exchange.caller)
    if not exchange.params.flag("details"):
        document: Any = {
            "id": f"urn:ngsi-ld:AttributeList:{uuid4()}",
            "type": "AttributeList",
            "attributeList": sorted(terms.compact(info.iri) for info in infos),
        }
        return await exchange.give(document, terms, headers=_count(exchange, infos))
    details = [
        {
            "id": info.iri,
            "type": "Attribute",
            "attributeName": terms.compact(info.iri),
            "typeNames": _names(info.types, terms),
        }
        for info in infos
    ]
    return await exchange.give(details, terms, headers=_count(exchange, infos))


async def retrieve_attribute(exchange: Exchange) -> Answer:
    """Say how often an attribute exists, of which kinds and on which types (clause 5.7.10)."""
    terms = await exchange.link_terms()
    node = await exchange.node()
    name = exchange.args["attrId"]
    if name in ENTITY_MEMBERS:
        raise NotFoundError(f"{name!r} is a member of every entity, not an attribute")
    info: AttributeInfo = await node.consume.get_attribute(exchange.caller, terms.expand(name))
    document = {
        "id": info.iri,
        "type": "Attribute",
        "attributeName": terms.compact(info.iri),
        "attributeCount": info.count,
        "attributeTypes": sorted(info.kinds),
        "typeNames": _names(info.types, terms),
    }
    return await exchange.give(document, terms)


def _count(exchange: Exchange, infos: Sequence[object]) -> list[Header]:
    """Give the header that says how many there are, when asked (6.3.13)."""
    return [(COUNT_HEADER, str(len(infos)).encode())] if exchange.params.flag("count") else []


def _names(iris: Iterable[str], terms: Terms) -> list[str]:
    return sorted(terms.compact(iri) for iri in iris)


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Discovery"
    return (
        Route(
            "GET",
            API + "/types",
            "retrieveEntityTypes",
            "List the types that exist here",
            list_types,
            tag,
            params=(DETAILS, LOCAL, COUNT),
            replies={200: Reply("Names, or details.", "EntityTypeList")},
            errors=(400, 504),
        ),
        Route(
            "GET",
            API + "/types/{type}",
            "retrieveEntityTypeInfo",
            "Describe a type",
            retrieve_type,
            tag,
            params=(LOCAL,),
            replies={200: Reply("The type.", "EntityTypeInfo")},
            errors=(400, 404, 504),
        ),
        Route(
            "GET",
            API + "/attributes",
            "retrieveAttrTypes",
            "List the attributes that exist here",
            list_attributes,
            tag,
            params=(DETAILS, LOCAL, COUNT),
            replies={200: Reply("Names, or details.", "AttributeList")},
            errors=(400, 504),
        ),
        Route(
            "GET",
            API + "/attributes/{attrId}",
            "retrieveAttrTypeInfo",
            "Describe an attribute",
            retrieve_attribute,
            tag,
            params=(LOCAL,),
            replies={200: Reply("The attribute.", "Attribute")},
            errors=(400, 404, 504),
        ),
    )
