"""/temporal/entityMaps: entity maps of queries over history (5.14.5; 6.35)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conurb.http.asking import query_params
from conurb.http.entities import object_body
from conurb.http.entity_maps import give_made, lifetime_of
from conurb.http.exchange import Answer, Exchange
from conurb.http.routing import API, Reply, Route
from conurb.http.temporal_asking import read_temporal_query, temporal_params
from conurb.http.temporal_reading import POST_PARAMS, QUERY_PARAMS

if TYPE_CHECKING:
    from conurb.http.params import Params
    from conurb.model.context import Terms
    from conurb.model.query.tree import TemporalQuery

COLLECTION: Final = API + "/temporal/entityMaps"


async def create(exchange: Exchange) -> Answer:
    """Make the entity map of a query over history in the URL (clause 5.14.5)."""
    terms = await exchange.link_terms()
    asked = read_temporal_query(exchange.params, terms, exchange.settings)
    return await _make(exchange, asked, exchange.params, terms)


async def create_by_post(exchange: Exchange) -> Answer:
    """Make the entity map of a query over history in the body (clause 5.14.5)."""
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    params, selectors = query_params(document, exchange.params, terms, temporal=True)
    params = temporal_params(document, params)
    asked = read_temporal_query(params, terms, exchange.settings, selectors=selectors)
    return await _make(exchange, asked, params, terms)


async def _make(exchange: Exchange, asked: TemporalQuery, params: Params, terms: Terms) -> Answer:
    lifetime = lifetime_of(params.text("entityMapLifetime"), name="entityMapLifetime")
    node = await exchange.node()
    made = await node.entity_maps.create_temporal(exchange.caller, asked, lifetime_us=lifetime)
    return await give_made(exchange, made, terms)


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Entity maps"
    made = {201: Reply("The map.", "EntityMap", headers=("NGSILD-EntityMap",))}
    return (
        Route(
            "GET",
            COLLECTION,
            "createEntityMapQueryTemporal",
            "Make the entity map of a query over history",
            create,
            tag,
            params=QUERY_PARAMS,
            replies=made,
            errors=(400, 403, 504),
        ),
        Route(
            "POST",
            COLLECTION,
            "createEntityMapQueryTemporalByPost",
            "Make the entity map of a query over history in the body",
            create_by_post,
            tag,
            params=POST_PARAMS,
            body="Query",
            replies=made,
            errors=(400, 403, 504),
        ),
    )
