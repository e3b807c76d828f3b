"""A subscription's document: what a subscriber gave, kept with full names and shown again.

The members stay as they were given (ETSI GS CIM 009 v1.9.1, clause 5.2.12), but for the names of
types and attributes, which are expanded to IRIs once, so that any @context can show them again.
`q` and `csf` stay text, together with the @context that they speak. What a subscription means is
decided by `conurb.model.subscription`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.context import Terms
from conurb.model.entity import NULL

MEMBERS: Final = (
    "id",
    "type",
    "subscriptionName",
    "description",
    "entities",
    "watchedAttributes",
    "notificationTrigger",
    "timeInterval",
    "throttling",
    "q",
    "geoQ",
    "scopeQ",
    "csf",
    "temporalQ",
    "datasetId",
    "lang",
    "expandValues",
    "jsonKeys",
    "isActive",
    "expiresAt",
    "localOnly",
    "splitEntities",
    "ngsildConformance",
    "jsonldContext",
    "notification",
)
"""Members of a subscription that a subscriber may give, in the order in which they are shown."""

READ_ONLY: Final = frozenset({"status", "createdAt", "modifiedAt", "deletedAt"})
"""Members that the node makes; ignored on input (table 5.2.12-2)."""

NOTIFICATION_MEMBERS: Final = (
    "attributes",
    "pick",
    "omit",
    "format",
    "sysAttrs",
    "showChanges",
    "join",
    "joinLevel",
    "endpoint",
)
NOTIFICATION_READ_ONLY: Final = frozenset(
    {"status", "timesSent", "timesFailed", "lastNotification", "lastFailure", "lastSuccess"}
)
"""Members of `notification` that the node makes; ignored on input (table 5.2.14.2-1)."""

ENDPOINT_MEMBERS: Final = ("uri", "accept", "timeout", "cooldown", "receiverInfo", "notifierInfo")
SELECTOR_MEMBERS: Final = ("id", "idPattern", "type")
TEMPORAL_QUERY_MEMBERS: Final = ("timerel", "timeAt", "endTimeAt", "timeproperty")
GEO_QUERY_MEMBERS: Final = ("georel", "geometry", "coordinates", "geoproperty")

ENTITY_WORDS: Final = frozenset({"id", "type", "scope"})
"""Members of an entity that a projection names and that are no attributes."""

LIKENESS: Final = 0.85
"""How much alike (0 to 1) an unknown member and a known one are for a slip of the pen."""

_KEYWORDS: Final = {"@id": "id", "@type": "type"}
_NAME: Final = re.compile(r"[^()|;,{}\s]+")
_ANY_TYPE: Final = "*"

Document = dict[str, Any]
"""The members of a subscription with full names: a raw JSON document, see the module."""


def read_document(raw: Any, terms: Terms) -> Document:
    """Read what a subscriber sent, expanding the names of types and attributes.

    Read-only members, `@context` and members that no subscription has are left out, as in JSON-LD.
    Raises BadRequestDataError for what looks like a known member misspelt, or for names that can't
    be read.
    """
    given = read_object(raw, "a subscription")
    document: Document = {}
    for key, value in given.items():
        member = _KEYWORDS.get(key, key)
        if member in READ_ONLY or member == "@context":
            continue
        if member not in MEMBERS:
            check_spelling(member, "a subscription", MEMBERS)
            continue
        document[member] = _read_member(member, value, terms.expand)
    return document


def merge_documents(document: Document, fragment: Document) -> Document:
    """Apply a fragment: each of its members replaces the one there is, null removes it (5.5.8)."""
    merged = {**document, **fragment}
    return {member: value for member, value in merged.items() if not is_null(value)}


def show_document(document: Document, terms: Terms) -> Document:
    """Write a document with the names that `terms` have for types and attributes."""

    def compact(iri: str) -> str:
        return terms.compact(iri)

    return {
        member: _read_member(member, document[member], compact)
        for member in MEMBERS
        if member in document
    }


def is_null(value: Any) -> bool:
    """Whether a member of a fragment asks for its removal."""
    return value is None or value == NULL


def _read_member(member: str, value: Any, name: Callable[[str], str]) -> Any:
    """Give the member with its names written by `name` (which expands or compacts)."""
    if is_null(value):
        return value
    match member:
        case "entities":
            return [_selector(one, name) for one in read_array(value, "entities")]
        case "watchedAttributes":
            return read_names(value, "watchedAttributes", name)
        case "geoQ":
            geo = read_members(value, "geoQ", GEO_QUERY_MEMBERS)
            if isinstance(geo.get("geoproperty"), str):
                geo["geoproperty"] = name(geo["geoproperty"])
            return geo
        case "temporalQ":
            return read_members(value, "temporalQ", TEMPORAL_QUERY_MEMBERS)
        case "notification":
            return _notification(value, name)
        case _:
            return value


def _selector(value: Any, name: Callable[[str], str]) -> Document:
    selector = read_members(value, "entities", SELECTOR_MEMBERS)
    types = selector.get("type")
    if isinstance(types, str) and types.strip() != _ANY_TYPE:
        selector["type"] = _NAME.sub(lambda found: name(found[0]), types)
    return selector


def _notification(value: Any, name: Callable[[str], str]) -> Document:
    known = (*NOTIFICATION_MEMBERS, *NOTIFICATION_READ_ONLY)
    notification = {
        key: one
        for key, one in read_members(value, "notification", known).items()
        if key not in NOTIFICATION_READ_ONLY
    }
    if "attributes" in notification:
        notification["attributes"] = read_names(
            notification["attributes"], "notification.attributes", name
        )
    for member in ("pick", "omit"):
        if member in notification:
            where = f"notification.{member}"
            notification[member] = [
                _projection(_text(one, where), name)
                for one in read_array(notification[member], where)
            ]
    endpoint = notification.get("endpoint")
    if endpoint is not None:
        notification["endpoint"] = read_members(endpoint, "notification.endpoint", ENDPOINT_MEMBERS)
    return {key: notification[key] for key in NOTIFICATION_MEMBERS if key in notification}


def _projection(text: str, name: Callable[[str], str]) -> str:
    return _NAME.sub(lambda found: found[0] if found[0] in ENTITY_WORDS else name(found[0]), text)


def read_names(value: Any, where: str, name: Callable[[str], str]) -> list[str]:
    """Read an array of attribute names, each written by `name`; raise BadRequestDataError."""
    return [
        text if (text := _text(one, where)) in ENTITY_WORDS else name(text)
        for one in read_array(value, where)
    ]


def read_members(value: Any, where: str, allowed: tuple[str, ...]) -> Document:
    """Read an object, leaving out what isn't allowed; raise BadRequestDataError for a slip."""
    given = {_KEYWORDS.get(key, key): one for key, one in read_object(value, where).items()}
    for key in given:
        if key not in allowed:
            check_spelling(key, where, allowed)
    return {key: one for key, one in given.items() if key in allowed}


def check_spelling(member: str, where: str, allowed: tuple[str, ...]) -> None:
    """Raise BadRequestDataError when a member that isn't known is probably meant to be another."""
    meant = get_close_matches(member, allowed, n=1, cutoff=LIKENESS)
    if meant:
        raise BadRequestDataError(f"{where} has no member {member!r:.100}; {meant[0]!r} is one")


def read_object(value: Any, where: str) -> Mapping[str, Any]:
    """Read a JSON object; raise BadRequestDataError for anything else."""
    if not isinstance(value, Mapping):
        raise BadRequestDataError(f"{where}: {value!r:.100} is not a JSON object")
    return value


def read_array(value: Any, where: str) -> list[Any]:
    """Read an array that isn't empty; raise BadRequestDataError for anything else."""
    if not isinstance(value, list) or not value:
        raise BadRequestDataError(f"{where}: {value!r:.100} is not an array with an item at least")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadRequestDataError(f"{where}: {value!r:.100} is not a text")
    return value
