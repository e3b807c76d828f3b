"""A registration's document: what a registrant gave, kept with full names and shown again.

The members stay as they were given (ETSI GS CIM 009 v1.9.1, clause 5.2.9), but for the names of
types, attributes and context source properties, which are expanded to IRIs once, so that any
@context can show them again. What a document means is decided by `conurb.model.registration_rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.context import Terms, core_terms
from conurb.model.entity import Entity, Instance
from conurb.model.registration import (
    Information,
    Registration,
    TimeInterval,
)
from conurb.model.subscription_document import (
    Document,
    check_spelling,
    is_null,
    read_array,
    read_members,
    read_names,
    read_object,
)
from conurb.model.time import US_PER_S, fixed

TYPE: Final = "ContextSourceRegistration"
MEMBERS: Final = (
    "id",
    "type",
    "registrationName",
    "description",
    "information",
    "tenant",
    "observationInterval",
    "managementInterval",
    "location",
    "observationSpace",
    "operationSpace",
    "expiresAt",
    "endpoint",
    "contextSourceInfo",
    "contextSourceAlias",
    "datasetId",
    "mode",
    "operations",
    "refreshRate",
    "management",
    "scope",
)
"""Members that a registrant may give, in the order in which they are shown (table 5.2.9-1)."""

READ_ONLY: Final = frozenset(
    {"status", "timesSent", "timesFailed", "lastSuccess", "lastFailure"}
    | {"createdAt", "modifiedAt", "deletedAt"}
)
"""Members that the node makes; ignored on input (table 5.2.9-2)."""

INFORMATION_MEMBERS: Final = ("entities", "propertyNames", "relationshipNames")
ENTITY_MEMBERS: Final = ("id", "idPattern", "type")
INTERVAL_MEMBERS: Final = ("startAt", "endAt")
MANAGEMENT_MEMBERS: Final = ("cacheDuration", "cooldown", "localOnly", "timeout")


_KEYWORDS: Final = {"@id": "id", "@type": "type"}
SPACES: Final = ("location", "observationSpace", "operationSpace")


def read_document(raw: Any, terms: Terms) -> Document:
    """Read what a registrant sent, expanding the names of types, attributes and properties.

    Read-only members and `@context` are left out. Raises BadRequestDataError for what looks like a
    known member misspelt, or for names that can't be read.
    """
    document: Document = {}
    for key, value in read_object(raw, "a registration").items():
        member = _KEYWORDS.get(key, key)
        if member in READ_ONLY or member == "@context":
            continue
        if member in MEMBERS:
            document[member] = _read_member(member, value, terms.expand)
        else:
            check_spelling(member, "a registration", MEMBERS)
            document[terms.expand(member)] = value
    return document


def show_document(document: Document, terms: Terms) -> Document:
    """Write a document with the names that `terms` have."""

    def compact(iri: str) -> str:
        return terms.compact(iri)

    shown = {
        member: _read_member(member, document[member], compact)
        for member in MEMBERS
        if member in document
    }
    return shown | {terms.compact(key): document[key] for key in properties_of(document)}


def properties_of(document: Document) -> list[str]:
    """List the IRIs of a document's context source properties."""
    return [key for key in document if key not in MEMBERS]


def source_of(document: Document) -> Entity:
    """Give a context source as an object that a context source filter is asked of (4.9, 5.10.2).

    Its attributes are the context source properties, given as plain values or as a Property or
    Relationship, and the members that aren't about entities.
    """
    attrs: dict[str, list[Instance]] = {}
    expand = core_terms().expand
    for member, value in document.items():
        if member in ("id", "type", "information", *SPACES):
            continue
        key = member if ":" in member else expand(member)
        match value:
            case {"type": "Property", "value": inner}:
                attrs[key] = [{"type": "Property", "value": inner}]
            case {"type": "Relationship", "object": str(inner)}:
                attrs[key] = [{"type": "Relationship", "object": inner}]
            case _:
                attrs[key] = [{"type": "Property", "value": value}]
    return Entity(str(document["id"]), (TYPE,), attrs)


def _read_member(member: str, value: Any, name: Callable[[str], str]) -> Any:
    """Give a member with its names written by `name` (which expands or compacts)."""
    if is_null(value):
        return value
    match member:
        case "information":
            return [_information(one, name) for one in read_array(value, "information")]
        case "observationInterval" | "managementInterval":
            return read_members(value, member, INTERVAL_MEMBERS)
        case "management":
            return read_members(value, member, MANAGEMENT_MEMBERS)
        case _:
            return value


def _information(value: Any, name: Callable[[str], str]) -> Document:
    information = read_members(value, "information", INFORMATION_MEMBERS)
    if "entities" in information:
        information["entities"] = [
            _entity(one, name) for one in read_array(information["entities"], "entities")
        ]
    for member in ("propertyNames", "relationshipNames"):
        if member in information:
            information[member] = read_names(information[member], member, name)
    return information


def _entity(value: Any, name: Callable[[str], str]) -> Document:
    entity = read_members(value, "entities", ENTITY_MEMBERS)
    types = entity.get("type")
    if isinstance(types, str):
        entity["type"] = name(types)
    elif types is not None:
        entity["type"] = [name(one) for one in _texts(types, "entities: type")]
    return entity


def document_of(registration: Registration) -> Document:
    """Write the document of a registration that a program made; the rules read it."""
    given: Document = {
        "id": registration.id,
        "type": TYPE,
        "registrationName": registration.title,
        "information": [_written(one) for one in registration.information],
        "tenant": registration.tenant,
        "observationInterval": _written_interval(registration.observation_interval),
        "managementInterval": _written_interval(registration.management_interval),
        "location": registration.location,
        "observationSpace": registration.observation_space,
        "operationSpace": registration.operation_space,
        "expiresAt": _written_time(registration.expires_us),
        "endpoint": registration.endpoint,
        "contextSourceInfo": [{"key": key, "value": one} for key, one in registration.source_info],
        "contextSourceAlias": registration.alias,
        "datasetId": list(registration.datasets),
        "mode": registration.mode,
        "operations": sorted(registration.operations),
        "management": _written_management(registration),
        "scope": list(registration.scopes),
    }
    return {
        member: value
        for member, value in given.items()
        if value not in (None, [], {}) or member == "information"
    }


def _written(information: Information) -> Document:
    written: Document = {}
    if information.entities:
        written["entities"] = [
            {
                member: value
                for member, value in (
                    ("id", one.id),
                    ("idPattern", one.id_pattern),
                    ("type", one.types[0] if len(one.types) == 1 else list(one.types)),
                )
                if value
            }
            for one in information.entities
        ]
    if information.attributes:
        written["propertyNames"] = list(information.attributes)
    return written


def _written_interval(interval: TimeInterval | None) -> Document | None:
    if interval is None:
        return None
    written = {"startAt": fixed(interval.start_us)}
    return written if interval.end_us is None else {**written, "endAt": fixed(interval.end_us)}


def _written_time(us: int | None) -> str | None:
    return None if us is None else fixed(us)


def _written_management(registration: Registration) -> Document:
    written: Document = {}
    if registration.timeout_s is not None:
        written["timeout"] = registration.timeout_s * 1000
    if registration.cooldown_s:
        written["cooldown"] = registration.cooldown_s * 1000
    if registration.local_only:
        written["localOnly"] = True
    if registration.cache_us is not None:
        written["cacheDuration"] = f"PT{registration.cache_us / US_PER_S:.6f}S"
    return written


def _texts(value: Any, member: str) -> list[str]:
    texts = read_array(value, member)
    for one in texts:
        if not isinstance(one, str) or not one:
            raise BadRequestDataError(f"{member}: {one!r:.100} is not a text")
    return texts
