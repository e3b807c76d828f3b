"""/info/sourceIdentity: who this context source is (clauses 5.15.1, 5.2.40, 6.33)."""

from __future__ import annotations

from conurb.http.exchange import Answer, Exchange
from conurb.http.routing import API, Reply, Route
from conurb.model.context import core_terms
from conurb.model.time import US_PER_S, shown_us


async def retrieve(exchange: Exchange) -> Answer:
    """Say who this context source is.

    The alias is that of the tenant asked (4.14), so that two tenants of one process are never
    mistaken for a loop; the tenant needn't exist.
    """
    exchange.caller.require("read")
    host = exchange.host
    now = host.clock()
    document = {
        "id": f"urn:ngsi-ld:ContextSourceIdentity:{host.alias(exchange.tenant)}",
        "type": "ContextSourceIdentity",
        "contextSourceAlias": host.alias(exchange.tenant),
        "contextSourceUptime": f"PT{max(0, now - host.started_us) // US_PER_S}S",
        "contextSourceTimeAt": shown_us(now),
    }
    return await exchange.give(document, core_terms())


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            API + "/info/sourceIdentity",
            "retrieveSourceIdentity",
            "Say who this context source is",
            retrieve,
            "Identity",
            replies={200: Reply("The identity.", "ContextSourceIdentity")},
            any_tenant=True,
        ),
    )
