"""What a subscription means (ETSI GS CIM 009 v1.9.1, clauses 5.2.12 to 5.2.15, 5.2.22, 5.2.33).

`compile_subscription` checks a document (`conurb.model.subscription_document`) against every rule
of these clauses and gives a `Subscription`: frozen, in IRIs and microseconds, with its conditions
as the syntax tree that queries use. Who is notified of what is decided from it by
`conurb.node.notify`; nothing here knows of HTTP, MQTT or storage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote

from conurb.errors import BadRequestDataError
from conurb.model.context import CORE_CONTEXT_URL, Terms, core_terms
from conurb.model.endpoint import Endpoint, read_endpoint, read_positive, read_text
from conurb.model.names import check_uri
from conurb.model.query.geo import parse_geo
from conurb.model.query.q import parse_q
from conurb.model.query.scope import parse_scope
from conurb.model.query.select import (
    Projection,
    parse_datasets,
    parse_id_pattern,
    parse_ids,
    parse_projection,
)
from conurb.model.query.tree import (
    Condition,
    GeoCondition,
    Query,
    Restriction,
    ScopeCondition,
    Selector,
)
from conurb.model.query.types import parse_types
from conurb.model.render.language import parse_lang
from conurb.model.subscription_document import Document, is_null
from conurb.model.time import US_PER_S, parse_us

Trigger = Literal[
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
]
Status = Literal["active", "paused", "expired"]
Representation = Literal["normalized", "concise", "simplified"]

TRIGGERS: Final[tuple[Trigger, ...]] = (
    "entityCreated",
    "entityUpdated",
    "entityDeleted",
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
)
DEFAULT_TRIGGERS: Final[tuple[Trigger, ...]] = ("attributeCreated", "attributeUpdated")
UPDATED_TRIGGERS: Final[tuple[Trigger, ...]] = (
    "attributeCreated",
    "attributeUpdated",
    "attributeDeleted",
)
"""What `entityUpdated` is the same as (table 5.2.12-1)."""

REPRESENTATIONS: Final[dict[str, Representation]] = {
    "normalized": "normalized",
    "concise": "concise",
    "simplified": "simplified",
    "keyValues": "simplified",
}
JOINS: Final = ("flat", "inline", "@none")

JOIN_LEVEL_MAX: Final = 10

_VERSION: Final = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class NotificationParams:
    """What a notification holds (clause 5.2.14).

    `attributes` are IRIs. Empty `attributes`, `pick` or `omit`: no choice.
    """

    endpoint: Endpoint
    representation: Representation = "normalized"
    attributes: tuple[str, ...] = ()
    pick: tuple[Projection, ...] = ()
    omit: tuple[Projection, ...] = ()
    sys_attrs: bool = False
    show_changes: bool = False
    join: Literal["flat", "inline"] | None = None
    join_level: int = 1


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription, checked and compiled.

    `query` has its selectors, conditions and the restriction of who subscribed. `triggers` has
    `entityUpdated` taken apart. `watched` are IRIs, empty for any. `interval_us` is that of a
    periodic subscription, None for one that waits for changes.
    """

    id: str
    notification: NotificationParams
    query: Query
    triggers: frozenset[Trigger]
    watched: frozenset[str] = frozenset()
    datasets: tuple[str, ...] = ()
    lang: str | None = None
    throttling_us: int = 0
    interval_us: int | None = None
    is_active: bool = True
    expires_us: int | None = None
    conformance: str | None = None

    def status(self, now_us: int) -> Status:
        """Say whether notifications are sent at this time (table 5.2.12-2)."""
        if self.expires_us is not None and self.expires_us <= now_us:
            return "expired"
        return "active" if self.is_active else "paused"


def compile_subscription(
    document: Document, terms: Terms, *, restriction: Restriction = Restriction()
) -> Subscription:
    """Check a document and compile it; `terms` are those that its `q` and `csf` speak.

    Raises BadRequestDataError, naming the member, its value and what is allowed.
    """
    if document.get("type") != "Subscription":
        raise BadRequestDataError(
            f"type: {document.get('type')!r:.100} is not 'Subscription', which it has to be"
        )
    for member, value in document.items():
        if is_null(value):
            raise BadRequestDataError(
                f"{member}: null removes a member that is there; give a value"
            )
    _check_together(document)
    if document.get("csf") is not None:
        parse_q(read_text(document["csf"], "csf"), terms)
    for member in ("subscriptionName", "description"):
        if member in document and not isinstance(document[member], str):
            raise BadRequestDataError(f"{member}: {document[member]!r:.100} is not a text")
    _flag(document, "splitEntities")
    if "jsonldContext" in document:
        check_uri(document["jsonldContext"], name="jsonldContext", such_as=CORE_CONTEXT_URL)
    expires_at = document.get("expiresAt")
    interval = _period_us(document, "timeInterval")
    return Subscription(
        id=check_uri(document.get("id"), name="id"),
        notification=_notification(document.get("notification")),
        query=Query(
            selectors=tuple(_selector(one) for one in document.get("entities", ())),
            condition=_condition(document, terms),
            geo=_geo(document.get("geoQ"), terms),
            scope=_scope(document),
            restriction=restriction,
        ),
        triggers=_triggers(document.get("notificationTrigger")),
        watched=frozenset(document.get("watchedAttributes", ())),
        datasets=_datasets(document.get("datasetId")),
        lang=_lang(document.get("lang")),
        throttling_us=_period_us(document, "throttling") or 0,
        interval_us=interval,
        is_active=_flag(document, "isActive", default=True),
        expires_us=None if expires_at is None else parse_us(expires_at, name="expiresAt"),
        conformance=_conformance(document.get("ngsildConformance")),
    )


def _check_together(document: Document) -> None:
    local = _flag(document, "localOnly")
    if not local and "entities" not in document and "watchedAttributes" not in document:
        raise BadRequestDataError(
            "a subscription needs entities or watchedAttributes, or localOnly true"
        )
    if "timeInterval" in document:
        for other in ("watchedAttributes", "throttling"):
            if other in document:
                raise BadRequestDataError(f"timeInterval and {other} exclude each other")
        if not local and "entities" not in document:
            raise BadRequestDataError("timeInterval needs entities, or localOnly true")


def _selector(value: Document) -> Selector:
    types = value.get("type")
    if not isinstance(types, str) or not types.strip():
        raise BadRequestDataError(
            f"entities: type {types!r:.100} is not a selection of types; '*' is any type"
        )
    ids = value.get("id", ())
    if not isinstance(ids, (str, list, tuple)):
        raise BadRequestDataError(f"entities: id {ids!r:.100} is neither a URI nor an array")
    pattern = value.get("idPattern")
    if pattern is not None:
        pattern = parse_id_pattern(read_text(pattern, "entities: idPattern"))
    # Names in a document are IRIs already: any terms leave them as they are.
    return Selector(
        ids=parse_ids((ids,) if isinstance(ids, str) else ids, name="entities: id"),
        id_pattern=None if ids else pattern,
        types=parse_types(_ungrouped(types.strip()), core_terms()),
    )


def _ungrouped(types: str) -> str:
    """Take parentheses off that are around a mere list: clause 4.17 has none, but they are written.

    >>> _ungrouped("(A|B)"), _ungrouped("(A;B)"), _ungrouped("(A;B)|(C;D)")
    ('A|B', '(A;B)', '(A;B)|(C;D)')
    """
    inner = types[1:-1]
    is_list = types[:1] == "(" and types[-1:] == ")" and not set(inner) & set("(;)")
    return inner if is_list else types


def _condition(document: Document, terms: Terms) -> Condition | None:
    if "q" not in document:
        return None
    # Subscribers percent-encode q as in a URL; clause 4.9 doesn't say that they may not.
    text = unquote(read_text(document["q"], "q"))
    return parse_q(text, terms, expand_values=_listed(document, "expandValues"))


def _listed(document: Document, member: str) -> tuple[str, ...]:
    if member not in document:
        return ()
    return tuple(name.strip() for name in read_text(document[member], member).split(","))


def _scope(document: Document) -> ScopeCondition | None:
    return parse_scope(read_text(document["scopeQ"], "scopeQ")) if "scopeQ" in document else None


def _geo(value: Document | None, terms: Terms) -> GeoCondition | None:
    if value is None:
        return None
    return parse_geo(
        georel=read_text(value.get("georel"), "geoQ.georel"),
        geometry=read_text(value.get("geometry"), "geoQ.geometry"),
        coordinates=value.get("coordinates"),
        geoproperty=value.get("geoproperty"),
        terms=terms,
    )


def _triggers(value: Any) -> frozenset[Trigger]:
    if value is None:
        return frozenset(DEFAULT_TRIGGERS)
    if not isinstance(value, list) or not value:
        raise BadRequestDataError(
            f"notificationTrigger: {value!r:.100} is not an array of triggers"
        )
    for one in value:
        if one not in TRIGGERS:
            raise BadRequestDataError(
                f"notificationTrigger: {one!r:.100} is none of {', '.join(TRIGGERS)}"
            )
    more = UPDATED_TRIGGERS if "entityUpdated" in value else ()
    return frozenset(one for one in (*value, *more) if one != "entityUpdated")


def _datasets(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise BadRequestDataError(f"datasetId: {value!r:.100} is not an array of URIs")
    return parse_datasets(value)


def _lang(value: Any) -> str | None:
    if value is None:
        return None
    text = read_text(value, "lang")
    parse_lang(text)
    return text


def _conformance(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and _VERSION.fullmatch(value)):
        return value
    raise BadRequestDataError(f"ngsildConformance: {value!r:.100} is not a version such as 1.6")


def _notification(value: Document | None) -> NotificationParams:
    if value is None:
        raise BadRequestDataError("notification is missing; a subscription has to say where to")
    representation = value.get("format", "normalized")
    if not isinstance(representation, str) or representation not in REPRESENTATIONS:
        raise BadRequestDataError(
            f"notification.format: {representation!r:.100} is none of {', '.join(REPRESENTATIONS)}"
        )
    params = NotificationParams(
        endpoint=read_endpoint(value.get("endpoint")),
        representation=REPRESENTATIONS[representation],
        attributes=tuple(value.get("attributes", ())),
        pick=_projection(value.get("pick"), "notification.pick"),
        omit=_projection(value.get("omit"), "notification.omit"),
        sys_attrs=_flag(value, "sysAttrs", where="notification."),
        show_changes=_flag(value, "showChanges", where="notification."),
        join=_join(value.get("join")),
        join_level=_join_level(value.get("joinLevel", 1)),
    )
    if params.show_changes and params.representation == "simplified":
        raise BadRequestDataError(
            f"notification.showChanges: true doesn't go with format {representation}, which has "
            "no place for what was before"
        )
    _check_projection(params)
    return params


def _check_projection(params: NotificationParams) -> None:
    if params.attributes and (params.pick or params.omit):
        raise BadRequestDataError(
            "notification.attributes goes with neither pick nor omit; use pick and omit alone"
        )
    for word in ("id", "type", "scope"):
        if word in params.attributes:
            raise BadRequestDataError(f"notification.attributes: {word!r} is not an attribute")
    both = sorted({one.name for one in params.pick} & {one.name for one in params.omit})
    if both:
        raise BadRequestDataError(f"notification: {', '.join(both)} stands in pick and in omit")


def _projection(items: list[str] | None, name: str) -> tuple[Projection, ...]:
    return parse_projection(items, core_terms(), name=name) if items else ()


def _join(value: Any) -> Literal["flat", "inline"] | None:
    match value:
        case None | "@none":
            return None
        case "flat":
            return "flat"
        case "inline":
            return "inline"
    raise BadRequestDataError(f"notification.join: {value!r:.100} is none of {', '.join(JOINS)}")


def _join_level(value: Any) -> int:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    if not whole or not 1 <= value <= JOIN_LEVEL_MAX:
        raise BadRequestDataError(
            f"notification.joinLevel: {value!r:.100} is not a whole number from 1 to "
            f"{JOIN_LEVEL_MAX}"
        )
    return int(value)


def _period_us(document: Document, member: str) -> int | None:
    seconds = read_positive(document, member)
    return None if seconds is None else max(1, round(seconds * US_PER_S))


def _flag(document: Document, member: str, *, default: bool = False, where: str = "") -> bool:
    value = document.get(member, default)
    if not isinstance(value, bool):
        raise BadRequestDataError(f"{where}{member}: {value!r:.100} is neither true nor false")
    return value
