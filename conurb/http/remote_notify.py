"""/ngsi-ld/ex/remote-notify: where context sources tell of what this node subscribed to (5.8.6).

The id of a subscription's copy, which only the source knows, says which subscription is meant, of
which tenant, and that the sender may tell of it.
"""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import BadRequestDataError, ConurbError, NotFoundError, UnavailableError
from conurb.federation.cascade import NOTIFY, Cascade
from conurb.federation.reading import read_told
from conurb.federation.region import cascade_of
from conurb.http.exchange import Answer, Exchange
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.node.notification import Told

ENTITIES_MAX: Final = 10_000
"""Entities of one notification."""


async def notify(exchange: Exchange) -> Answer:
    """Take a notification of a context source, and pass it on to who subscribed here."""
    document = await exchange.json()
    copy_id = document.get("subscriptionId") if isinstance(document, dict) else None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(copy_id, str) or not isinstance(data, list) or len(data) > ENTITIES_MAX:
        raise BadRequestDataError("a notification has a subscriptionId, and data, a list")
    cascade = await _cascade(exchange, copy_id)
    terms = await exchange.link_terms()
    changes: list[Told] = []
    for item in data:
        own: Any = item.get("@context") if isinstance(item, dict) else None
        spoken = terms if own is None else await exchange.contexts.terms(own)
        try:
            changes.append(read_told(item, spoken))
        except ConurbError as error:
            raise BadRequestDataError(f"data: {error.detail}") from error
    if not cascade.told(copy_id, changes):
        raise UnavailableError("too many notifications are being passed on; try again")
    return Answer(200)


SCHEMAS: Final[dict[str, Any]] = {
    "Notification": obj(
        {
            "id": {"type": "string", "format": "uri"},
            "type": {"const": "Notification"},
            "subscriptionId": {"type": "string", "format": "uri"},
            "notifiedAt": {"type": "string", "format": "date-time"},
            "data": items({"type": "object"}),
        },
        required=("subscriptionId", "data"),
    ),
}


async def _cascade(exchange: Exchange, copy_id: str) -> Cascade:
    for tenant in (None, *exchange.host.list_tenants()):
        cascade = cascade_of(await exchange.host.node(tenant))
        if cascade.knows(copy_id):
            return cascade
    raise NotFoundError(f"subscription {copy_id!r} isn't one of this node's")


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "POST",
            NOTIFY,
            "remoteNotify",
            "Take a notification of a context source",
            notify,
            "Region",
            body="Notification",
            accepts=(),
            replies={200: Reply("Taken.")},
            errors=(400, 404),
            any_tenant=True,
            open_to_all=True,
        ),
    )
