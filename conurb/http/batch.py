"""/entityOperations: many entities in one request (clauses 5.6.7 to 5.6.10, 5.6.20; 6.14 to 6.31).

A batch is read in slices between which the event loop goes on, so that a thousand entities don't
hold up a look-up. An entity that can't be read fails alone; the others go to the store as one
transaction, and the answer says what became of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import orjson

from conurb.errors import BadRequestDataError, ConurbError
from conurb.http import params as p
from conurb.http.asking import query_params, read_join, read_query
from conurb.http.completeness import (
    completeness_headers,
    consumption,
    id_headers,
    provision,
)
from conurb.http.entities import MEDIA, MULTI_STATUS
from conurb.http.exchange import Answer, Exchange, give_json, no_content
from conurb.http.outcomes import batch_result
from conurb.http.paging import page_headers
from conurb.http.reading import BatchRead, EntityFailure, batch_id, check_batch
from conurb.http.routing import API, Reply, Route
from conurb.http.viewing import ENTITY_OPTIONS, give_entities, inlined, read_view
from conurb.model.names import check_uri
from conurb.model.parse import Fragment, parse_entity, parse_fragment
from conurb.model.time import parse_fixed
from conurb.node.outcomes import BatchResult

if TYPE_CHECKING:
    from conurb.model.context import Terms

OPERATIONS: Final = API + "/entityOperations"
SLICE: Final = 50
"""Entities read before the event loop goes on: about a millisecond."""

Read = TypeVar("Read")


async def _documents(exchange: Exchange) -> list[Any]:
    return check_batch(await exchange.json(), exchange.settings.batch_max)


async def _read_entities(exchange: Exchange) -> BatchRead:
    """Read the entities of a batch; those of JSON-LD each by its own @context, so here."""
    if exchange.is_ld:
        return BatchRead(*await _read_all(exchange, parse_entity))
    terms = await exchange.link_terms()
    return await exchange.reader.read(await exchange.body(), terms, exchange.limits)


class _TermsOf:
    """The terms for each document of a batch.

    The Link header's are looked up once; with JSON-LD every document brings its own, and equal ones
    in a row are looked up once.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._context: Any = None
        self._terms: Terms | None = None

    async def __call__(self, document: Any) -> Terms:
        context = document.get("@context") if isinstance(document, dict) else None
        if self._terms is None or context != self._context:
            self._terms = await self._exchange.document_terms(document)
            self._context = context
        return self._terms


async def _read_all(
    exchange: Exchange, read: Callable[[Any, Terms], Read]
) -> tuple[list[Read], list[EntityFailure]]:
    """Read every document of a batch; give what was read, and what couldn't be with its reason."""
    documents = await _documents(exchange)
    exchange.check_context_source()
    terms_of = _TermsOf(exchange)
    done: list[Read] = []
    failures: list[EntityFailure] = []
    for position, document in enumerate(documents):
        if position % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        try:
            done.append(read(document, await terms_of(document)))
        except ConurbError as error:
            failures.append((batch_id(document, position), error))
    return done, failures


def _read_fragment(
    document: Any, terms: Terms, *, partial: bool, nulls: bool
) -> tuple[str, Fragment]:
    fragment = parse_fragment(document, terms, nulls=nulls, partial=partial)
    if fragment.id is None:
        raise BadRequestDataError("id: an entity of a batch needs one")
    return fragment.id, fragment


def _outcome(
    result: BatchResult, failures: list[EntityFailure], *, created: bool = False
) -> Answer:
    """Answer a batch: 207 when anything failed, 201 with what was created, else 204."""
    if failures or result.errors:
        return give_json(batch_result(result, failures), status=207)
    if created and result.created:
        return give_json(result.created, status=201)
    return no_content()


async def create(exchange: Exchange) -> Answer:
    """Create a batch of entities (clause 5.6.7)."""
    read = await _read_entities(exchange)
    exchange.caller.require("write")
    provide = await provision(exchange)
    result = BatchResult()
    if read.entities:
        result = await provide.create_batch(exchange.caller, read.entities)
    return _outcome(result, read.failures, created=True)


async def upsert(exchange: Exchange) -> Answer:
    """Create a batch of entities, replacing or updating those that exist (clause 5.6.8)."""
    read = await _read_entities(exchange)
    exchange.caller.require("write")
    mode: Literal["replace", "update"] = "update" if exchange.params.option("update") else "replace"
    provide = await provision(exchange)
    result = BatchResult()
    if read.entities:
        result = await provide.upsert_batch(exchange.caller, read.entities, mode=mode)
    return _outcome(result, read.failures, created=True)


async def update(exchange: Exchange) -> Answer:
    """Append attributes to a batch of entities (clause 5.6.9)."""
    fragments, failures = await _read_all(
        exchange, lambda document, terms: _read_fragment(document, terms, partial=False, nulls=True)
    )
    provide = await provision(exchange)
    result = BatchResult()
    if fragments:
        result = await provide.update_batch(
            exchange.caller, fragments, overwrite=not exchange.params.option("noOverwrite")
        )
    return _outcome(result, failures)


async def merge(exchange: Exchange) -> Answer:
    """Merge fragments into a batch of entities (clause 5.6.20)."""
    fragments, failures = await _read_all(
        exchange, lambda document, terms: _read_fragment(document, terms, partial=True, nulls=True)
    )
    params = exchange.params
    observed_at = params.text("observedAt")
    provide = await provision(exchange)
    result = BatchResult()
    if fragments:
        result = await provide.merge_batch(
            exchange.caller,
            fragments,
            observed_at=(
                None if observed_at is None else parse_fixed(observed_at, name="observedAt")
            ),
            lang=params.text("lang"),
        )
    return _outcome(result, failures)


async def delete(exchange: Exchange) -> Answer:
    """Delete a batch of entities by their ids (clause 5.6.10)."""
    ids: list[str] = []
    failures: list[EntityFailure] = []
    for given in await _documents(exchange):
        try:
            ids.append(check_uri(given, name="id"))
        except BadRequestDataError as error:
            failures.append((given if isinstance(given, str) else _shown(given), error))
    provide = await provision(exchange)
    result = BatchResult()
    if ids:
        result = await provide.delete_batch(exchange.caller, ids)
    return _outcome(result, failures)


def _shown(given: Any) -> str:
    return orjson.dumps(given).decode()[:200]


async def query(exchange: Exchange) -> Answer:
    """Give the entities that a Query document selects (clauses 5.7.2, 5.2.23)."""
    document = await exchange.json()
    terms = await exchange.document_terms(document)
    params, selectors = query_params(document, exchange.params, terms)
    asked = read_query(params, terms, exchange.settings, selectors=selectors)
    join = read_join(params)
    view = read_view(params, terms, media=exchange.media, join=join)
    consume = await consumption(exchange)
    answer = await consume.query(exchange.caller, asked, join=inlined(join))
    headers = page_headers(exchange, asked, more=answer.more, total=answer.total)
    headers += completeness_headers(exchange, answer)
    headers += await id_headers(exchange, asked, answer)
    exchange.params = params
    return await give_entities(exchange, answer.entities, terms, view, join=join, headers=headers)


_MERGE: Final = (
    p.LANG,
    p.OBSERVED_AT,
    p.LOCAL,
    p.format_of("simplified", "keyValues", "normalized", "concise"),
    p.options("simplified", "keyValues", "normalized", "concise"),
)
_QUERY: Final = (
    *p.PAGE,
    p.LOCAL,
    p.STRICT,
    p.ENTITY_MAP,
    p.ENTITY_MAP_LIFETIME,
    p.SPLIT_ENTITIES,
    p.LANG,
    p.GEOMETRY_PROPERTY,
    p.format_of(*p.REPRESENTATIONS),
    p.options(*ENTITY_OPTIONS),
    p.SYS_ATTRS,
)
_CREATED: Final = Reply("The ids of what was created.", "Ids")
_DONE: Final = Reply("Done.")
_ERRORS: Final = (400, 413, 504)


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Batches"
    return (
        Route(
            "POST",
            OPERATIONS + "/create",
            "createBatch",
            "Create a batch of entities",
            create,
            tag,
            params=(p.LOCAL,),
            body="Entity",
            body_many=True,
            accepts=(),
            replies={201: _CREATED, 207: MULTI_STATUS},
            errors=_ERRORS,
            makes_tenant=True,
        ),
        Route(
            "POST",
            OPERATIONS + "/upsert",
            "upsertBatch",
            "Create a batch of entities, replacing or updating those that exist",
            upsert,
            tag,
            params=(p.options("replace", "update"), p.LOCAL),
            body="Entity",
            body_many=True,
            accepts=(),
            replies={201: _CREATED, 204: _DONE, 207: MULTI_STATUS},
            errors=_ERRORS,
            makes_tenant=True,
        ),
        Route(
            "POST",
            OPERATIONS + "/update",
            "updateBatch",
            "Append attributes to a batch of entities",
            update,
            tag,
            params=(p.options("noOverwrite"), p.LOCAL),
            body="EntityFragment",
            body_many=True,
            accepts=(),
            replies={204: _DONE, 207: MULTI_STATUS},
            errors=_ERRORS,
        ),
        Route(
            "POST",
            OPERATIONS + "/merge",
            "mergeBatch",
            "Merge fragments into a batch of entities",
            merge,
            tag,
            params=_MERGE,
            body="EntityFragment",
            body_many=True,
            accepts=(),
            replies={204: _DONE, 207: MULTI_STATUS},
            errors=_ERRORS,
        ),
        Route(
            "POST",
            OPERATIONS + "/delete",
            "deleteBatch",
            "Delete a batch of entities",
            delete,
            tag,
            params=(p.LOCAL,),
            body="Id",
            body_many=True,
            accepts=(),
            replies={204: _DONE, 207: MULTI_STATUS},
            errors=_ERRORS,
        ),
        Route(
            "POST",
            OPERATIONS + "/query",
            "queryBatch",
            "Query entities by a Query document",
            query,
            tag,
            params=_QUERY,
            body="Query",
            accepts=MEDIA,
            replies={200: Reply("The entities selected.", "Entity", many=True)},
            errors=(400, 403, 504),
        ),
    )
