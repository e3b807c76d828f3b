"""/csourceRegistrations: register, discover, update, delete (clauses 5.9, 5.10, 6.8, 6.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.federation.filing import Search, Shown, render_registration
from conurb.federation.region import registrations_of
from conurb.federation.registrations import Registrations
from conurb.http.asking import (
    is_own,
    read_attrs,
    read_geo,
    read_limit,
    read_offset,
    read_selectors,
)
from conurb.http.exchange import Answer, Exchange, created, no_content
from conurb.http.paging import paging
from conurb.http.params import (
    ATTRS,
    COUNT,
    CSF,
    DATASET_IDS,
    EXPAND_VALUES,
    GEO,
    GEOMETRY_PROPERTY,
    ID,
    ID_PATTERN,
    LANG,
    LIMIT,
    LOCAL,
    OFFSET,
    SCOPE_Q,
    SYS_ATTRS,
    TYPE,
    Param,
    Params,
    described,
    options,
)
from conurb.http.params import Q as QUERY
from conurb.http.routing import API, Reply, Route
from conurb.model.names import check_uri
from conurb.model.query.q import parse_q
from conurb.model.query.scope import parse_scope
from conurb.model.query.select import parse_datasets
from conurb.model.query.temporal import parse_window
from conurb.model.query.tree import Query, attributes_of
from conurb.model.registration import THIS_PROCESS

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.subscription_document import Document

COLLECTION: Final = API + "/csourceRegistrations"
ONE: Final = API + "/csourceRegistrations/{registrationId}"

TIMEREL: Final = Param("timerel", "Sources of history: relation to timeAt (4.11).")
TIME_AT: Final = Param("timeAt", "Time that timerel relates to.")
END_TIME_AT: Final = Param("endTimeAt", "End of the time of timerel=between.")
TIMEPROPERTY: Final = Param("timeproperty", "Time that history is asked by (4.11).")
OPTIONS: Final = options("sysAttrs", "count")


async def create(exchange: Exchange) -> Answer:
    """Register a context source (clause 5.9.2)."""
    exchange.caller.require("federate")
    document, terms = await _body(exchange)
    registrations = await _registrations(exchange, make=True)
    return created(COLLECTION, await registrations.create(exchange.caller, document, terms))


async def query(exchange: Exchange) -> Answer:
    """Give the registrations of sources that may hold what is asked for (clause 5.10.2)."""
    params = exchange.params
    terms = await exchange.link_terms()
    search = _search(params, terms)
    limit = read_limit(params, exchange.settings)
    offset = read_offset(params, exchange.settings)
    registrations = await _registrations(exchange)
    page, total = await registrations.query(exchange.caller, search, limit=limit, offset=offset)
    counted = params.flag("count") or params.option("count")
    headers = paging(
        exchange,
        limit=limit,
        offset=offset,
        more=offset + len(page) < total,
        total=total if counted else None,
    )
    documents = [_written(exchange, one, terms) for one in page]
    return await exchange.give(documents, terms, headers=headers)


async def retrieve(exchange: Exchange) -> Answer:
    """Give one registration (clause 5.10.1)."""
    registration_id = _registration_id(exchange)
    registrations = await _registrations(exchange)
    shown = await registrations.get(exchange.caller, registration_id)
    terms = await exchange.link_terms()
    return await exchange.give(_written(exchange, shown, terms), terms)


async def update(exchange: Exchange) -> Answer:
    """Change a registration by a fragment (clause 5.9.3)."""
    registration_id = _registration_id(exchange)
    exchange.caller.require("federate")
    document, terms = await _body(exchange)
    registrations = await _registrations(exchange)
    await registrations.update(exchange.caller, registration_id, document, terms)
    return no_content()


async def delete(exchange: Exchange) -> Answer:
    """Delete a registration (clause 5.9.4)."""
    registration_id = _registration_id(exchange)
    registrations = await _registrations(exchange)
    await registrations.remove(exchange.caller, registration_id)
    return no_content()


# ── reading ───────────────────────────────────────────────────────────────────────────────────


async def _registrations(exchange: Exchange, *, make: bool = False) -> Registrations:
    """Give the registrations of the request's tenant; a snapshot has none of its own."""
    return registrations_of(await exchange.host.node(exchange.tenant, create=make))


def _registration_id(exchange: Exchange) -> str:
    return check_uri(exchange.args["registrationId"], name="registration id")


async def _body(exchange: Exchange) -> tuple[Any, Terms]:
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object: a registration or part of it")
    return document, await exchange.document_terms(document)


def _search(params: Params, terms: Terms) -> Search:
    """Read what sources are asked for (clause 5.10.2.3).

    Attributes of q and of the geoquery count as attributes asked for. Raises BadRequestDataError
    when neither types, attributes, q nor a geoquery are given.
    """
    q, csf, scope = params.text("q"), params.text("csf"), params.text("scopeQ")
    condition = None if q is None else parse_q(q, terms, expand_values=params.items("expandValues"))
    selectors = read_selectors(params, terms)
    attributes = [name for name in read_attrs(params, terms) if is_own(name)]
    attributes += attributes_of(condition)
    geo = read_geo(params, terms)
    if geo is not None:
        attributes.append(geo.attribute)
    typed = any(one.types is not None for one in selectors)
    if not (typed or attributes or condition is not None):
        raise BadRequestDataError(
            "too wide: give a type, attributes, q or a geoquery that sources may serve"
        )
    asked = Query(
        selectors=selectors,
        attributes=tuple(dict.fromkeys(attributes)),
        datasets=parse_datasets(params.items("datasetId")),
        geo=geo,
        scope=None if scope is None else parse_scope(scope),
    )
    temporal = any(name in params for name in ("timerel", "timeAt", "endTimeAt", "timeproperty"))
    return Search(
        query=asked,
        filter=None if csf is None else parse_q(csf, terms),
        window=None
        if not temporal
        else parse_window(
            timerel=params.text("timerel"),
            time_at=params.text("timeAt"),
            end_time_at=params.text("endTimeAt"),
            timeproperty=params.text("timeproperty"),
        ),
    )


def _written(exchange: Exchange, shown: Shown, terms: Terms) -> Document:
    params = exchange.params
    document = render_registration(
        shown,
        terms,
        sys_attrs=params.flag("sysAttrs") or params.option("sysAttrs"),
        secrets=exchange.caller.may("admin"),
    )
    if document["endpoint"] == THIS_PROCESS:
        document["endpoint"] = exchange.base_url
    return document


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "context sources"
    one_reply = {200: Reply("The registration.", "Registration")}
    return (
        Route(
            "POST",
            COLLECTION,
            "createCSR",
            "Register a context source",
            create,
            tag,
            params=(LOCAL,),
            body="Registration",
            accepts=(),
            replies={201: Reply("Created; its path is in Location.", headers=("Location",))},
            errors=(400, 403, 409, 504),
            makes_tenant=True,
        ),
        Route(
            "GET",
            COLLECTION,
            "queryCSR",
            "Find the registrations of sources that may hold what is asked for",
            query,
            tag,
            params=(
                ID,
                TYPE,
                ID_PATTERN,
                described(ATTRS, "Attributes that sources may hold one of."),
                described(QUERY, "Query over attribute values (4.9): sources may hold them."),
                described(CSF, "Filter over the properties of sources (4.9)."),
                *GEO,
                GEOMETRY_PROPERTY,
                TIMEREL,
                TIME_AT,
                END_TIME_AT,
                TIMEPROPERTY,
                SCOPE_Q,
                DATASET_IDS,
                EXPAND_VALUES,
                LANG,
                LIMIT,
                OFFSET,
                COUNT,
                SYS_ATTRS,
                OPTIONS,
                LOCAL,
            ),
            replies={200: Reply("The registrations, oldest first.", "Registration", many=True)},
            errors=(400, 403, 504),
        ),
        Route(
            "GET",
            ONE,
            "retrieveCSR",
            "Retrieve a registration, and how requests to its source went",
            retrieve,
            tag,
            params=(SYS_ATTRS, options("sysAttrs"), LOCAL),
            replies=one_reply,
            errors=(400, 404, 504),
        ),
        Route(
            "PATCH",
            ONE,
            "updateCSR",
            "Change a registration; null removes a member",
            update,
            tag,
            params=(LOCAL,),
            body="RegistrationFragment",
            accepts=(),
            replies={204: Reply("Changed.")},
            errors=(400, 403, 404, 409, 504),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteCSR",
            "Delete a registration",
            delete,
            tag,
            params=(LOCAL,),
            accepts=(),
            replies={204: Reply("Deleted.")},
            errors=(400, 403, 404),
        ),
    )
