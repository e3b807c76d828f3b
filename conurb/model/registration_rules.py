"""The rules of a registration: a document is checked and becomes what the federation decides with.

The rules are those of ETSI GS CIM 009 v1.9.1, clauses 5.2.8 to 5.2.11 and 5.2.34, and what a mode
asks for (4.3.6.3, 5.9.2.4). What a registration must not conflict with is looked at where they are
kept, in `conurb.federation.registrations`.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import urlsplit

from conurb.errors import BadRequestDataError
from conurb.model.context import CORE_CONTEXT_URL
from conurb.model.endpoint import HEADER_NAME, HEADER_VALUE, Pairs, read_pairs, read_positive
from conurb.model.geometry import Geometry, check_geometry
from conurb.model.names import check_uri
from conurb.model.query.select import parse_datasets, parse_id_pattern
from conurb.model.query.temporal import parse_duration
from conurb.model.registration import (
    AUXILIARY_OPS,
    FEDERATION_OPS,
    MODES,
    OPERATION_GROUPS,
    OPERATIONS,
    THIS_PROCESS,
    EntityInfo,
    Information,
    Mode,
    Registration,
    TimeInterval,
)
from conurb.model.registration_document import INFORMATION_MEMBERS, SPACES, TYPE, properties_of
from conurb.model.scope import check_scopes
from conurb.model.subscription_document import Document, is_null, read_array
from conurb.model.time import US_PER_S, parse_us

INFORMATION_MAX: Final = 1000
"""Items of `information`, and of `entities` of one of them."""
PROPERTIES_MAX: Final = 100
"""Context source properties of one registration."""
TEXT_MAX: Final = 4096
MONTH_US: Final = 30 * 86_400 * US_PER_S
"""What a month of a duration counts where it has to be so many microseconds."""

_ALIAS: Final = re.compile(r"[!#$%&'*+\-.^_`|~:/\[\]0-9A-Za-z]{1,255}")
"""A pseudonym of RFC 7230; with the colon, slash and brackets of its `uri-host [":" port]`."""
_VERSION: Final = re.compile(r"\d+\.\d+")
_MEDIA: Final = ("application/json", "application/ld+json")


def compile_registration(document: Document, *, anything: bool = False) -> Registration:
    """Check a document and compile it.

    A registrant has to say what a source may know; what a program registers may be `anything`.

    Raises BadRequestDataError, naming the member, its value and what is allowed.
    """
    if document.get("type") != TYPE:
        raise BadRequestDataError(f"type: {document.get('type')!r:.100} is not {TYPE!r}")
    for member, value in document.items():
        if is_null(value):
            raise BadRequestDataError(
                f"{member}: null removes a member that is there; give a value"
            )
    if len(properties_of(document)) > PROPERTIES_MAX:
        raise BadRequestDataError(f"more than {PROPERTIES_MAX} context source properties")
    for member in ("registrationName", "description", "tenant"):
        if member in document:
            _text(document[member], member)
    if "refreshRate" in document:
        parse_duration(document["refreshRate"], name="refreshRate")
    for member in SPACES:
        if member in document:
            check_geometry(document[member], name=member)
    management = document.get("management", {})
    expires_at = document.get("expiresAt")
    registration = Registration(
        id=check_uri(document.get("id"), name="id"),
        endpoint=_endpoint(document.get("endpoint")),
        alias=_alias(document.get("contextSourceAlias")),
        title=document.get("registrationName"),
        information=_compiled(document.get("information"), anything=anything),
        tenant=document.get("tenant"),
        mode=_mode(document.get("mode", "inclusive")),
        operations=_operations(document.get("operations"), document.get("mode")),
        source_info=_source_info(document.get("contextSourceInfo")),
        datasets=_datasets(document.get("datasetId")),
        scopes=check_scopes(document["scope"]) if "scope" in document else (),
        location=cast("Geometry | None", document.get("location")),
        observation_space=cast("Geometry | None", document.get("observationSpace")),
        operation_space=cast("Geometry | None", document.get("operationSpace")),
        management_interval=_interval(document, "managementInterval"),
        observation_interval=_interval(document, "observationInterval"),
        expires_us=None if expires_at is None else parse_us(expires_at, name="expiresAt"),
        timeout_s=_seconds(management, "timeout"),
        cooldown_s=_seconds(management, "cooldown") or 0.0,
        local_only=_flag(management, "localOnly"),
        cache_us=_duration_us(management.get("cacheDuration")),
    )
    _check_mode(registration)
    return registration


def _check_mode(registration: Registration) -> None:
    """Check what a mode asks for (clauses 4.3.6.3, 5.9.2.4)."""
    if registration.mode == "auxiliary" and not registration.operations <= AUXILIARY_OPS:
        raise BadRequestDataError(
            "operations: a source in auxiliary mode offers retrieveOps, retrieveEntity and "
            "queryEntity only (clause 5.9.2.4)"
        )
    if registration.mode != "exclusive":
        return
    for information in registration.information:
        if not information.attributes:
            raise BadRequestDataError(
                "information: an exclusive registration names attributes (clause 4.3.6.3)"
            )
        if not information.entities or any(one.id is None for one in information.entities):
            raise BadRequestDataError(
                "information: an exclusive registration names its entity by id, not by type or "
                "pattern alone (clause 4.3.6.3)"
            )


def _endpoint(value: Any) -> str:
    uri = check_uri(value, name="endpoint", such_as="https://city.example.cn")
    if uri == THIS_PROCESS:
        return uri
    try:
        parts = urlsplit(uri)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise BadRequestDataError(f"endpoint: {uri!r:.200}: {error}") from error
    if not good or parts.query or parts.fragment:
        raise BadRequestDataError(
            f"endpoint: {uri!r:.200} is not a URL of http or https with a host, and without a query"
        )
    return uri


def _alias(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and _ALIAS.fullmatch(value)):
        return value
    raise BadRequestDataError(f"contextSourceAlias: {value!r:.100} is not a pseudonym of RFC 7230")


def _compiled(value: Any, *, anything: bool) -> tuple[Information, ...]:
    """Compile `information`; an item that is empty stands for `anything`."""
    if value is None:
        raise BadRequestDataError("information is missing: what the source may know")
    if len(value) > INFORMATION_MAX:
        raise BadRequestDataError(f"information: {len(value)} items, over {INFORMATION_MAX}")
    if not anything and not all(value):
        raise BadRequestDataError(
            f"information: an item has one of {', '.join(INFORMATION_MEMBERS)} at least"
        )
    return tuple(map(_compiled_one, value))


def _compiled_one(value: Document) -> Information:
    entities = value.get("entities", [])
    if len(entities) > INFORMATION_MAX:
        raise BadRequestDataError(f"entities: {len(entities)} items, over {INFORMATION_MAX}")
    names = [*value.get("propertyNames", []), *value.get("relationshipNames", [])]
    return Information(tuple(map(_compiled_entity, entities)), tuple(dict.fromkeys(names)))


def _compiled_entity(value: Document) -> EntityInfo:
    types = value.get("type", [])
    entity_id, pattern = value.get("id"), value.get("idPattern")
    # Table 5.2.8-1 wants a type always; registrations of one entity by its id alone are about.
    if not types and entity_id is None and pattern is None:
        raise BadRequestDataError("entities: an item has a type, or an id or idPattern at least")
    if entity_id is not None:
        check_uri(entity_id, name="entities: id")
    if pattern is not None:
        pattern = parse_id_pattern(_text(pattern, "entities: idPattern"))
    return EntityInfo(
        (types,) if isinstance(types, str) else tuple(types),
        entity_id,
        None if entity_id is not None else pattern,
    )


def _mode(value: Any) -> Mode:
    if value not in MODES:
        raise BadRequestDataError(f"mode: {value!r:.60} is none of {', '.join(MODES)}")
    return cast(Mode, value)


def _operations(value: Any, mode: Any) -> frozenset[str]:
    """Read operations; a source that doesn't say what it offers offers what its mode allows."""
    if value is None:
        return AUXILIARY_OPS if mode == "auxiliary" else FEDERATION_OPS
    found: set[str] = set()
    for name in _texts(value, "operations"):
        if name not in OPERATIONS and name not in OPERATION_GROUPS:
            raise BadRequestDataError(
                f"operations: {name!r:.60} is no operation and no group of them (clause 4.20)"
            )
        found |= OPERATION_GROUPS.get(name, frozenset({name}))
    return frozenset(found)


def _source_info(value: Any) -> Pairs:
    pairs = read_pairs(value, "contextSourceInfo")
    for key, text in pairs:
        if not HEADER_NAME.fullmatch(key) or not HEADER_VALUE.fullmatch(text):
            raise BadRequestDataError(f"contextSourceInfo: {key!r:.100} can't be an HTTP header")
        if key in ("accept", "contentType") and text not in _MEDIA:
            raise BadRequestDataError(
                f"contextSourceInfo: {key} {text!r:.60} is none of {', '.join(_MEDIA)} (4.3.6.6)"
            )
        if key == "jsonldContext":
            check_uri(text, name="contextSourceInfo: jsonldContext", such_as=CORE_CONTEXT_URL)
        if key == "ngsildConformance" and not _VERSION.fullmatch(text):
            raise BadRequestDataError(
                f"contextSourceInfo: ngsildConformance {text!r:.60} is not a version such as 1.6"
            )
    return pairs


def _datasets(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return parse_datasets(_texts([value] if isinstance(value, str) else value, "datasetId"))


def _interval(document: Document, member: str) -> TimeInterval | None:
    value = document.get(member)
    if value is None:
        return None
    if "startAt" not in value:
        raise BadRequestDataError(f"{member}.startAt is missing")
    start_us = parse_us(value["startAt"], name=f"{member}.startAt")
    end_us = parse_us(value["endAt"], name=f"{member}.endAt") if "endAt" in value else None
    if end_us is not None and end_us < start_us:
        raise BadRequestDataError(f"{member}: endAt {value['endAt']} is before startAt")
    return TimeInterval(start_us, end_us)


def _seconds(management: Document, member: str) -> float | None:
    if member in management and management[member] is None:
        raise BadRequestDataError(f"management.{member}: null is not a number over 0")
    milliseconds = read_positive(management, member, where="management.")
    return None if milliseconds is None else milliseconds / 1000


def _flag(management: Document, member: str) -> bool:
    value = management.get(member, False)
    if not isinstance(value, bool):
        raise BadRequestDataError(f"management.{member}: {value!r:.60} is neither true nor false")
    return value


def _duration_us(value: Any) -> int | None:
    if value is None:
        return None
    months, us = parse_duration(value, name="management.cacheDuration")
    return months * MONTH_US + us


def _text(value: Any, member: str) -> str:
    if not isinstance(value, str) or not value or len(value) > TEXT_MAX:
        raise BadRequestDataError(
            f"{member}: {value!r:.100} is not a text of 1 to {TEXT_MAX} characters"
        )
    return value


def _texts(value: Any, member: str) -> list[str]:
    return [_text(one, member) for one in read_array(value, member)]
