"""/csourceSubscriptions: subscribe to registrations (clauses 5.11, 6.12, 6.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conurb.federation.region import registration_subscriptions_of
from conurb.federation.registration_subscriptions import render_registration_subscription
from conurb.http.asking import read_limit, read_offset
from conurb.http.exchange import Answer, Exchange, created, no_content
from conurb.http.paging import paging
from conurb.http.params import COUNT, LIMIT, LOCAL, OFFSET, options
from conurb.http.routing import API, Reply, Route
from conurb.http.subscriptions import read_subscription, read_subscription_id

if TYPE_CHECKING:
    from conurb.federation.registration_subscriptions import RegistrationSubscriptions

COLLECTION: Final = API + "/csourceSubscriptions"
ONE: Final = API + "/csourceSubscriptions/{subscriptionId}"


async def create(exchange: Exchange) -> Answer:
    """Subscribe to registrations (clause 5.11.2)."""
    exchange.caller.require("read")
    document, terms = await read_subscription(exchange)
    subscriptions = await _subscriptions(exchange, make=True)
    subscription_id = await subscriptions.create(
        exchange.caller, document, terms, base_url=exchange.base_url
    )
    return created(COLLECTION, subscription_id)


async def query(exchange: Exchange) -> Answer:
    """List subscriptions to registrations (clause 5.11.5)."""
    params = exchange.params
    limit = read_limit(params, exchange.settings)
    offset = read_offset(params, exchange.settings)
    subscriptions = await _subscriptions(exchange)
    page, total = await subscriptions.query(exchange.caller, limit=limit, offset=offset)
    terms = await exchange.link_terms()
    now_us = exchange.host.clock()
    documents = [render_registration_subscription(one, terms, now_us=now_us) for one in page]
    counted = params.flag("count") or params.option("count")
    headers = paging(
        exchange,
        limit=limit,
        offset=offset,
        more=offset + len(page) < total,
        total=total if counted else None,
    )
    return await exchange.give(documents, terms, headers=headers)


async def retrieve(exchange: Exchange) -> Answer:
    """Give one subscription to registrations (clause 5.11.4)."""
    subscription_id = read_subscription_id(exchange)
    subscriptions = await _subscriptions(exchange)
    shown = await subscriptions.get(exchange.caller, subscription_id)
    terms = await exchange.link_terms()
    now_us = exchange.host.clock()
    document = render_registration_subscription(shown, terms, now_us=now_us)
    return await exchange.give(document, terms)


async def update(exchange: Exchange) -> Answer:
    """Change a subscription to registrations by a fragment (clause 5.11.3)."""
    subscription_id = read_subscription_id(exchange)
    document, terms = await read_subscription(exchange)
    subscriptions = await _subscriptions(exchange)
    await subscriptions.update(
        exchange.caller, subscription_id, document, terms, base_url=exchange.base_url
    )
    return no_content()


async def delete(exchange: Exchange) -> Answer:
    """Delete a subscription to registrations (clause 5.11.6)."""
    subscription_id = read_subscription_id(exchange)
    subscriptions = await _subscriptions(exchange)
    await subscriptions.delete(exchange.caller, subscription_id)
    return no_content()


async def _subscriptions(exchange: Exchange, *, make: bool = False) -> RegistrationSubscriptions:
    return registration_subscriptions_of(await exchange.host.node(exchange.tenant, create=make))


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "context sources"
    return (
        Route(
            "POST",
            COLLECTION,
            "createCSourceSubscription",
            "Subscribe to registrations",
            create,
            tag,
            params=(LOCAL,),
            body="Subscription",
            accepts=(),
            replies={201: Reply("Created; its path is in Location.", headers=("Location",))},
            errors=(400, 403, 409, 504),
            makes_tenant=True,
        ),
        Route(
            "GET",
            COLLECTION,
            "queryCSourceSubscription",
            "List subscriptions to registrations",
            query,
            tag,
            params=(LIMIT, OFFSET, COUNT, options("count"), LOCAL),
            replies={200: Reply("The subscriptions, oldest first.", "Subscription", many=True)},
            errors=(400, 403, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveCSourceSubscription",
            "Retrieve a subscription to registrations, and how its notifications stand",
            retrieve,
            tag,
            params=(LOCAL,),
            replies={200: Reply("The subscription.", "Subscription")},
            errors=(400, 404, 504),
        ),
        Route(
            "PATCH",
            ONE,
            "updateCSourceSubscription",
            "Change a subscription to registrations; null removes a member",
            update,
            tag,
            params=(LOCAL,),
            body="SubscriptionFragment",
            accepts=(),
            replies={204: Reply("Changed.")},
            errors=(400, 403, 404, 504),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteCSourceSubscription",
            "Delete a subscription to registrations",
            delete,
            tag,
            params=(LOCAL,),
            accepts=(),
            replies={204: Reply("Deleted.")},
            errors=(400, 404),
        ),
    )
