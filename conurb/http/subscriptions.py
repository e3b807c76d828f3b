"""/subscriptions: create, query, retrieve, update, delete (clauses 5.8, 6.10, 6.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conurb.errors import InvalidRequestError, TooComplexQueryError
from conurb.http.exchange import Answer, Exchange, created, no_content
from conurb.http.paging import paging
from conurb.http.params import COUNT, LIMIT, OFFSET, options
from conurb.http.routing import API, Reply, Route
from conurb.model.names import check_uri
from conurb.node.subscriptions import render_subscription

if TYPE_CHECKING:
    from conurb.model.context import Terms

COLLECTION: Final = API + "/subscriptions"
ONE: Final = API + "/subscriptions/{subscriptionId}"


async def create(exchange: Exchange) -> Answer:
    """Create a subscription (clause 5.8.1)."""
    exchange.caller.require("read")
    document, terms = await read_subscription(exchange)
    node = await exchange.node()
    subscription_id = await node.subscriptions.create(
        exchange.caller, document, terms, base_url=exchange.base_url
    )
    return created(COLLECTION, subscription_id)


async def query(exchange: Exchange) -> Answer:
    """List subscriptions (clause 5.8.4)."""
    params, settings = exchange.params, exchange.settings
    limit = params.count("limit")
    if limit is None:
        limit = settings.page_default
    if limit > settings.page_max:
        raise TooComplexQueryError(f"limit: {limit} is over the {settings.page_max} of this node")
    offset = params.count("offset") or 0
    node = await exchange.node()
    page, total = await node.subscriptions.query(exchange.caller, limit=limit, offset=offset)
    terms = await exchange.link_terms()
    now_us = node.clock()
    documents = [render_subscription(one, terms, now_us=now_us) for one in page]
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
    """Give one subscription (clause 5.8.3)."""
    subscription_id = read_subscription_id(exchange)
    node = await exchange.node()
    shown = await node.subscriptions.get(exchange.caller, subscription_id)
    terms = await exchange.link_terms()
    return await exchange.give(render_subscription(shown, terms, now_us=node.clock()), terms)


async def update(exchange: Exchange) -> Answer:
    """Change a subscription by a fragment (clause 5.8.2)."""
    subscription_id = read_subscription_id(exchange)
    document, terms = await read_subscription(exchange)
    node = await exchange.node()
    await node.subscriptions.update(
        exchange.caller, subscription_id, document, terms, base_url=exchange.base_url
    )
    return no_content()


async def delete(exchange: Exchange) -> Answer:
    """Delete a subscription (clause 5.8.5)."""
    subscription_id = read_subscription_id(exchange)
    node = await exchange.node()
    await node.subscriptions.delete(exchange.caller, subscription_id)
    return no_content()


def read_subscription_id(exchange: Exchange) -> str:
    """Read the id of the path; raise BadRequestDataError when it isn't a URI."""
    return check_uri(exchange.args["subscriptionId"], name="subscription id")


async def read_subscription(exchange: Exchange) -> tuple[Any, Terms]:
    """Read the body, a subscription or part of it, and the terms that it speaks."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object: a subscription or part of it")
    return document, await exchange.document_terms(document)


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "subscriptions"
    return (
        Route(
            "POST",
            COLLECTION,
            "createSubscription",
            "Subscribe to changes of entities",
            create,
            tag,
            body="Subscription",
            accepts=(),
            replies={201: Reply("Created; its path is in Location.", headers=("Location",))},
            errors=(400, 403, 409, 504),
            makes_tenant=True,
        ),
        Route(
            "GET",
            COLLECTION,
            "querySubscription",
            "List subscriptions",
            query,
            tag,
            params=(LIMIT, OFFSET, COUNT, options("count")),
            replies={200: Reply("The subscriptions, oldest first.", "Subscription", many=True)},
            errors=(400, 403, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveSubscription",
            "Retrieve a subscription, and how its notifications stand",
            retrieve,
            tag,
            replies={200: Reply("The subscription.", "Subscription")},
            errors=(400, 404, 504),
        ),
        Route(
            "PATCH",
            ONE,
            "updateSubscription",
            "Change a subscription; null removes a member",
            update,
            tag,
            body="SubscriptionFragment",
            accepts=(),
            replies={204: Reply("Changed.")},
            errors=(400, 403, 404, 504),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteSubscription",
            "Delete a subscription",
            delete,
            tag,
            accepts=(),
            replies={204: Reply("Deleted.")},
            errors=(400, 404),
        ),
    )
