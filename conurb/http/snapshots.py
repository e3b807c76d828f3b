"""/snapshots: make, clone, retrieve, update, delete and purge snapshots (5.16; 6.36 to 6.38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conurb import errors
from conurb.errors import BadRequestDataError, ConurbError, InvalidRequestError
from conurb.http.asking import query_params, read_query
from conurb.http.entity_maps import lifetime_of
from conurb.http.exchange import Answer, Exchange, created, give_json, no_content
from conurb.http.outcomes import batch_result
from conurb.http.params import NONE, Param
from conurb.http.problems import problem_document
from conurb.http.routing import API, Reply, Route
from conurb.http.schemas import items, obj, ref
from conurb.http.temporal_asking import read_temporal_query, temporal_params
from conurb.model.context import core_terms
from conurb.model.names import check_uri, is_uri
from conurb.model.query.q import parse_q
from conurb.model.time import shown_us
from conurb.node.snapshot import PRIORITIES, Detail, Snapshot, SnapshotOrder, SnapshotPatch

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.query.tree import Query, TemporalQuery

COLLECTION: Final = API + "/snapshots"
ONE: Final = API + "/snapshots/{snapshotId}"
CLONE: Final = ONE + "/clone"
QUERIES_MAX: Final = 100
"""Queries of one snapshot."""

_PARTS: Final = frozenset({"snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo"})
_ORDERED: Final = _PARTS | {"id", "type", "@context", "snapshotQueries", "snapshotTemporalQueries"}


async def create(exchange: Exchange) -> Answer:
    """Make a snapshot and begin to fill it (clause 5.16.1)."""
    document, terms = await _body(exchange, _ORDERED)
    order = _order(exchange, document, terms)
    if not order.queries and not order.temporal_queries:
        raise BadRequestDataError(
            "snapshotQueries: a snapshot needs them, or snapshotTemporalQueries"
        )
    node = await exchange.node()
    snapshot = await node.snapshots.create(exchange.caller, order)
    return created(COLLECTION, snapshot.id)


async def clone(exchange: Exchange) -> Answer:
    """Copy a snapshot with everything in it (clause 5.16.2)."""
    snapshot_id = _snapshot_id(exchange)
    document, terms = await _body(exchange, _PARTS | {"id", "type", "@context"})
    node = await exchange.node()
    snapshot = await node.snapshots.clone(
        exchange.caller, snapshot_id, _order(exchange, document, terms)
    )
    return created(COLLECTION, snapshot.id)


async def retrieve(exchange: Exchange) -> Answer:
    """Give the status of a snapshot (clause 5.16.3)."""
    snapshot_id = _snapshot_id(exchange)
    node = await exchange.node()
    snapshot = node.snapshots.get(exchange.caller, snapshot_id)
    return await exchange.give(document_of(snapshot), core_terms())


async def update(exchange: Exchange) -> Answer:
    """Change what may be changed in a snapshot (clause 5.16.4)."""
    snapshot_id = _snapshot_id(exchange)
    document, _ = await _body(exchange, _PARTS | {"type", "@context"})
    parts = _parts(document)
    node = await exchange.node()
    snapshot = await node.snapshots.update(exchange.caller, snapshot_id, SnapshotPatch(**parts))
    return await exchange.give(document_of(snapshot), core_terms())


async def delete(exchange: Exchange) -> Answer:
    """Delete a snapshot with everything in it (clause 5.16.5)."""
    snapshot_id = _snapshot_id(exchange)
    node = await exchange.node()
    await node.snapshots.delete(exchange.caller, snapshot_id)
    return no_content()


async def purge(exchange: Exchange) -> Answer:
    """Delete the snapshots that a query over their members selects (clause 5.16.7)."""
    text = exchange.params.text("q")
    if text is None:
        raise BadRequestDataError("q: it is needed to say which snapshots are meant")
    node = await exchange.node()
    result = await node.snapshots.purge(exchange.caller, parse_q(text, core_terms()))
    if result.errors:
        return give_json(batch_result(result), status=207)
    return no_content()


def document_of(snapshot: Snapshot) -> dict[str, Any]:
    """Write a Snapshot (clause 5.2.41)."""
    document: dict[str, Any] = {
        "id": snapshot.id,
        "type": "Snapshot",
        "snapshotStatus": snapshot.status,
        "snapshotPriority": snapshot.priority,
        "createdAt": shown_us(snapshot.created_us),
        "modifiedAt": shown_us(snapshot.modified_us),
        "lastUsedAt": shown_us(snapshot.used_us),
        "expiresAt": shown_us(snapshot.expires_us),
    }
    optional = {
        "snapshotQueries": snapshot.queries,
        "snapshotTemporalQueries": snapshot.temporal_queries,
        "snapshotQueriesDetails": [_detail(one) for one in snapshot.details],
        "snapshotTemporalQueriesDetails": [_detail(one) for one in snapshot.temporal_details],
        "endpoint": snapshot.endpoint,
        "receiverInfo": snapshot.receiver_info,
    }
    return document | {name: value for name, value in optional.items() if value}


def _detail(detail: Detail) -> dict[str, Any]:
    document: dict[str, Any] = {"resultStatus": detail.status}
    if detail.error is not None:
        kind: type[ConurbError] = getattr(errors, detail.error, ConurbError)
        document["problemDetails"] = problem_document(kind(detail.detail or ""))
    return document


async def _body(exchange: Exchange, members: frozenset[str]) -> tuple[dict[str, Any], Terms]:
    """Read a Snapshot, or part of one; only `members` may be in it."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object of type Snapshot")
    terms = await exchange.document_terms(document)
    if document.get("type", "Snapshot") != "Snapshot":
        raise BadRequestDataError(f"type: {document['type']!r:.100} is not 'Snapshot'")
    for name in document.keys() - members:
        raise BadRequestDataError(
            f"{name}: it can't be given here; possible: {', '.join(sorted(members))}"
        )
    return document, terms


def _order(exchange: Exchange, document: dict[str, Any], terms: Terms) -> SnapshotOrder:
    documents = _list(document, "snapshotQueries")
    temporal = _list(document, "snapshotTemporalQueries")
    return SnapshotOrder(
        id=check_uri(document["id"], name="id") if "id" in document else None,
        queries=tuple(_query(exchange, one, terms) for one in documents),
        documents=tuple(documents),
        temporal_queries=tuple(_temporal_query(exchange, one, terms) for one in temporal),
        temporal_documents=tuple(temporal),
        **_parts(document),
    )


def _query(exchange: Exchange, document: Any, terms: Terms) -> Query:
    """Read one Query of a snapshot."""
    params, selectors = query_params(document, NONE, terms)
    return read_query(params, terms, exchange.settings, selectors=selectors)


def _temporal_query(exchange: Exchange, document: Any, terms: Terms) -> TemporalQuery:
    """Read one Query over history of a snapshot."""
    params, selectors = query_params(document, NONE, terms, temporal=True)
    params = temporal_params(document, params)
    return read_temporal_query(params, terms, exchange.settings, selectors=selectors)


def _parts(document: dict[str, Any]) -> dict[str, Any]:
    """Read what may be given at the making and changed later."""
    parts: dict[str, Any] = {}
    if "snapshotLifetime" in document:
        parts["lifetime_us"] = lifetime_of(document["snapshotLifetime"], name="snapshotLifetime")
    if "snapshotPriority" in document:
        priority = document["snapshotPriority"]
        if isinstance(priority, bool) or priority not in PRIORITIES:
            raise BadRequestDataError(f"snapshotPriority: {priority!r:.50} is not 1 to 10")
        parts["priority"] = priority
    if "endpoint" in document:
        if not is_uri(document["endpoint"]):
            raise BadRequestDataError(f"endpoint: {document['endpoint']!r:.200} is not a URI")
        parts["endpoint"] = document["endpoint"]
    if "receiverInfo" in document:
        info = document["receiverInfo"]
        if not isinstance(info, list) or not all(map(_is_pair, info)):
            raise BadRequestDataError("receiverInfo: it must be a list of key and value")
        parts["receiver_info"] = tuple(info)
    return parts


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"key", "value"}
        and all(isinstance(one, str) for one in value.values())
    )


def _list(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > QUERIES_MAX:
        raise BadRequestDataError(f"{name}: it must be a list of at most {QUERIES_MAX} queries")
    return value


def _snapshot_id(exchange: Exchange) -> str:
    return check_uri(exchange.args["snapshotId"], name="snapshot id")


_TIME: Final = {"type": "string", "format": "date-time", "readOnly": True}
_DETAILS: Final = {
    **items(
        obj(
            {
                "resultStatus": {"enum": ["success", "empty", "failure"]},
                "problemDetails": ref("ProblemDetails"),
            },
            required=("resultStatus",),
        )
    ),
    "readOnly": True,
}
_PART_SCHEMAS: Final[dict[str, Any]] = {
    "type": {"const": "Snapshot"},
    "snapshotLifetime": {"type": "string", "pattern": "^P"},
    "snapshotPriority": {"type": "integer", "minimum": PRIORITIES[0], "maximum": PRIORITIES[-1]},
    "endpoint": {"type": "string", "format": "uri"},
    "receiverInfo": items(ref("KeyValuePair")),
    "@context": {"type": ["string", "object", "array"]},
}
SCHEMAS: Final[dict[str, Any]] = {
    "Snapshot": obj(
        {
            **_PART_SCHEMAS,
            "id": {"type": "string", "format": "uri"},
            "snapshotQueries": items(ref("Query")),
            "snapshotTemporalQueries": items(ref("Query")),
            "snapshotStatus": {
                "enum": ["preparing", "success", "partial", "empty", "failure"],
                "readOnly": True,
            },
            "snapshotQueriesDetails": _DETAILS,
            "snapshotTemporalQueriesDetails": _DETAILS,
            "createdAt": _TIME,
            "modifiedAt": _TIME,
            "lastUsedAt": _TIME,
            "expiresAt": _TIME,
        }
    ),
    "SnapshotFragment": obj(_PART_SCHEMAS, more=False),
    "SnapshotClone": obj({**_PART_SCHEMAS, "id": {"type": "string", "format": "uri"}}, more=False),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Snapshots"
    made = {201: Reply("Made; its path is in Location.", headers=("Location",))}
    status = {200: Reply("Its status.", "Snapshot")}
    done = {204: Reply("Done.")}
    return (
        Route(
            "POST",
            COLLECTION,
            "createSnapshot",
            "Make a snapshot of what queries give",
            create,
            tag,
            body="Snapshot",
            accepts=(),
            replies=made,
            errors=(400, 409, 422, 504),
        ),
        Route(
            "DELETE",
            COLLECTION,
            "purgeSnapshots",
            "Delete the snapshots that a query selects",
            purge,
            tag,
            params=(Param("q", "Query over members of a snapshot (4.9)."),),
            accepts=(),
            replies=done | {207: Reply("What became of each.", "BatchOperationResult")},
            errors=(400, 404),
        ),
        Route(
            "GET",
            ONE,
            "retrieveSnapshotStatus",
            "Retrieve the status of a snapshot",
            retrieve,
            tag,
            replies=status,
            errors=(400, 404),
        ),
        Route(
            "PATCH",
            ONE,
            "updateSnapshotStatus",
            "Change a snapshot's lifetime, priority or endpoint",
            update,
            tag,
            body="SnapshotFragment",
            replies=status,
            errors=(400, 404),
        ),
        Route(
            "DELETE",
            ONE,
            "deleteSnapshot",
            "Delete a snapshot",
            delete,
            tag,
            accepts=(),
            replies=done,
            errors=(400, 404),
        ),
        Route(
            "POST",
            CLONE,
            "cloneSnapshot",
            "Copy a snapshot",
            clone,
            tag,
            body="SnapshotClone",
            accepts=(),
            replies=made,
            errors=(400, 404, 409),
        ),
    )
