"""/temporal/entities and /temporal/entityOperations/query: reading history (5.7.3, 5.7.4).

An answer that is cut at the bound of instances is a 206 and says in Content-Range up to which time
it goes (6.3.10).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.http import params as p
from conurb.http.asking import query_params
from conurb.http.completeness import completeness_headers, history
from conurb.http.entities import entity_id_of, object_body
from conurb.http.entity_maps import HEADER, lifetime_of, made_header, retrieval_map
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.paging import paging
from conurb.http.params import Params
from conurb.http.routing import API, JSON, JSON_LD, Reply, Route
from conurb.http.temporal import COLLECTION, ONE
from conurb.http.temporal_asking import (
    FORMS,
    range_headers,
    read_form,
    read_temporal_query,
    temporal_form,
    temporal_params,
    with_time,
)
from conurb.http.viewing import read_view
from conurb.model.query.select import parse_datasets, picks_links
from conurb.model.query.tree import Query, Selector, TemporalQuery
from conurb.model.render import View, render_evolution

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.evolution import Evolution
    from conurb.store.contract import EvolutionPage

QUERY: Final = API + "/temporal/entityOperations/query"


async def retrieve(exchange: Exchange) -> Answer:
    """Give the history of one entity (clause 5.7.3)."""
    terms = await exchange.link_terms()
    entity_id = entity_id_of(exchange)
    params = exchange.params
    view = _read_view(params, terms)
    datasets = parse_datasets(params.items("datasetId"))
    asked = with_time(Query(datasets=datasets), params, terms, exchange.settings)
    temporal = await history(exchange)
    evolution, page = await temporal.retrieve(exchange.caller, entity_id, asked)
    document = _render([evolution], asked, params, view, terms)[0]
    if not document:
        raise NotFoundError(f"entity {entity_id!r} has none of the members asked for")
    headers = [*range_headers(page, asked), *completeness_headers(exchange, page)]
    headers += await retrieval_map(exchange, entity_id)
    status = 200 if page.truncated_at_us is None else 206
    return await exchange.give(document, terms, status=status, headers=headers)


async def query(exchange: Exchange) -> Answer:
    """Give the histories that a query selects (clause 5.7.4)."""
    terms = await exchange.link_terms()
    params = exchange.params
    view = _read_view(params, terms)
    asked = read_temporal_query(params, terms, exchange.settings)
    return await _give(exchange, asked, params, view, terms)


async def query_by_post(exchange: Exchange) -> Answer:
    """Give the histories that a Query document selects (clauses 5.7.4, 5.2.23)."""
    document = await object_body(exchange)
    terms = await exchange.document_terms(document)
    params, selectors = query_params(document, exchange.params, terms, temporal=True)
    params = temporal_params(document, params)
    view = _read_view(params, terms)
    asked = read_temporal_query(params, terms, exchange.settings, selectors=selectors)
    return await _give(exchange, asked, params, view, terms)


async def _give(
    exchange: Exchange, asked: TemporalQuery, params: Params, view: View, terms: Terms
) -> Answer:
    page, status, headers = await _mapped(exchange, asked, params)
    documents = _render(page.evolutions, asked, params, view, terms)
    headers += [
        *range_headers(page, asked),
        *completeness_headers(exchange, page),
    ]
    headers += paging(
        exchange,
        limit=asked.query.limit,
        offset=asked.query.offset,
        more=page.more,
        total=page.total,
    )
    if page.truncated_at_us is not None:
        status = 206
    return await exchange.give(documents, terms, status=status, headers=headers)


async def _mapped(
    exchange: Exchange, asked: TemporalQuery, params: Params
) -> tuple[EvolutionPage, int, list[Header]]:
    """Give a page, the status and the headers, by way of an entity map if wanted (5.5.14).

    A map that is gone is made anew, which is a 201.
    """
    node = await exchange.node()
    named = exchange.headers.get(HEADER)
    if named is None and not params.flag("entityMap"):
        return await (await history(exchange)).query(exchange.caller, asked), 200, []
    status, header = 200, None if named is None else (HEADER, named)
    try:
        map_id = "" if named is None else named.decode("latin-1").rsplit("/", 1)[-1]
        found = node.entity_maps.get(exchange.caller, map_id)
    except NotFoundError:
        lifetime = lifetime_of(params.text("entityMapLifetime"), name="entityMapLifetime")
        found = await node.entity_maps.create_temporal(exchange.caller, asked, lifetime_us=lifetime)
        status, header = 201, made_header(found)
    narrowed = _within(asked, tuple(found.sources))
    page = await node.temporal.query(exchange.caller, narrowed)
    return page, status, [header] if header is not None else []


def _within(asked: TemporalQuery, ids: tuple[str, ...]) -> TemporalQuery:
    """Narrow a query to the entities of a map."""
    selectors = tuple(
        replace(one, ids=tuple(i for i in ids if i in one.ids) if one.ids else ids)
        for one in asked.query.selectors or (Selector(),)
    )
    kept = tuple(one for one in selectors if one.ids)
    nothing = (Selector(ids=("urn:ngsi-ld:null",)),)
    return replace(asked, query=replace(asked.query, selectors=kept or nothing))


def _read_view(params: Params, terms: Terms) -> View:
    plain = Params({name: value for name, value in params.values.items() if name != "format"})
    view = read_view(plain, terms)
    if picks_links((*view.pick, *view.omit)):
        raise BadRequestDataError("pick, omit: linked entities can't be asked of in history")
    return replace(
        view, representation="concise" if read_form(params) == "concise" else "normalized"
    )


def _render(
    evolutions: list[Evolution],
    asked: TemporalQuery,
    params: Params,
    view: View,
    terms: Terms,
) -> list[dict[str, object]]:
    form = temporal_form(read_form(params))
    return [
        render_evolution(one, terms, view, form=form, timeproperty=asked.window.timeproperty)
        for one in evolutions
    ]


_WINDOW: Final = (
    p.Param("timerel", "Which instances, by their time: before, after, between (4.11)."),
    p.Param("timeAt", "The time compared with; where an interval begins."),
    p.Param("endTimeAt", "Where an interval ends."),
    p.Param("timeproperty", "The time of an instance that is compared; observedAt by default."),
    p.Param("lastN", "Only the last n instances of each attribute.", "count", low=1),
    p.Param("aggrMethods", "How values of a period are aggregated (4.5.19).", "list"),
    p.Param("aggrPeriodDuration", "ISO 8601 duration of a period; PT0S is the whole."),
)
_READ: Final = (
    *_WINDOW,
    p.ATTRS,
    p.PICK,
    p.OMIT,
    p.LANG,
    p.DATASET_IDS,
    p.LOCAL,
    p.STRICT,
    p.ENTITY_MAP,
    p.ENTITY_MAP_LIFETIME,
    p.SYS_ATTRS,
    p.format_of(*FORMS),
    p.options(*FORMS, "sysAttrs", "count"),
)
QUERY_PARAMS: Final = (
    *_READ,
    p.TYPE,
    p.ID,
    p.ID_PATTERN,
    p.Q,
    p.CSF,
    p.SCOPE_Q,
    *p.GEO,
    p.EXPAND_VALUES,
    p.JSON_KEYS,
    p.SPLIT_ENTITIES,
    p.ORDER_BY,
    p.COLLATION,
    *p.PAGE,
)
POST_PARAMS: Final = (
    *p.PAGE,
    p.LOCAL,
    p.STRICT,
    p.LANG,
    p.ENTITY_MAP,
    p.ENTITY_MAP_LIFETIME,
    p.SPLIT_ENTITIES,
    p.SYS_ATTRS,
    p.format_of(*FORMS),
    p.options(*FORMS, "sysAttrs", "count"),
)
_MEDIA: Final = (JSON, JSON_LD)
_MANY: Final = {
    200: Reply("The histories selected.", "EntityTemporal", many=True),
    201: Reply("The same, by an entity map that was made.", "EntityTemporal", many=True),
    206: Reply(
        "The histories as far as Content-Range says.",
        "EntityTemporal",
        many=True,
        headers=("Content-Range",),
    ),
}
_HISTORY: Final = {
    200: Reply("The history.", "EntityTemporal"),
    206: Reply(
        "The history as far as Content-Range says.", "EntityTemporal", headers=("Content-Range",)
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "History"
    missing = (400, 404, 504)
    return (
        Route(
            "GET",
            COLLECTION,
            "queryTemporal",
            "Query histories",
            query,
            tag,
            params=QUERY_PARAMS,
            accepts=_MEDIA,
            replies=_MANY,
            errors=(400, 403, 504),
        ),
        Route(
            "POST",
            QUERY,
            "queryTemporalBatch",
            "Query histories by a Query document",
            query_by_post,
            tag,
            params=POST_PARAMS,
            body="Query",
            accepts=_MEDIA,
            replies=_MANY,
            errors=(400, 403, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveTemporal",
            "Retrieve the history of an entity",
            retrieve,
            tag,
            params=_READ,
            accepts=_MEDIA,
            replies=_HISTORY,
            errors=missing,
        ),
    )
