"""/federation/changes and /federation/replicas: reading a member's changes, and what is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.federation.changes import CHANGES_PATH, read_changes
from conurb.federation.replication import replication_of
from conurb.http.exchange import Answer, Exchange, give_json, no_content
from conurb.http.metrics import sample
from conurb.http.params import Param
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj

REPLICAS_PATH: Final = "/federation/replicas"
ONE_PATH: Final = REPLICAS_PATH + "/{city}"
TYPES_MAX: Final = 1000
AFTER: Final = Param("after", "Number up to which the caller has read.", kind="count")
TYPES: Final = Param("types", "Types (IRIs), comma-separated; without it, any.", kind="list")
WAIT: Final = Param("wait", "Seconds to wait for a change when there is none.", kind="count")
NUMBER_MAX: Final = 2**62


async def changes(exchange: Exchange) -> Answer:
    """Give a page of the node's changes, for a region that keeps copies."""
    params = exchange.params
    after = params.count("after") or 0
    if after > NUMBER_MAX:
        raise BadRequestDataError(f"after: {after} is over {NUMBER_MAX}")
    node = await exchange.host.node(exchange.tenant)
    feed = await read_changes(
        node,
        exchange.caller,
        after=after,
        types=params.items("types"),
        wait_s=float(params.count("wait") or 0),
    )
    return give_json(feed.document())


async def list_replicas(exchange: Exchange) -> Answer:
    """List what is copied, how far it has come, and how old it is."""
    exchange.caller.require("read")
    node = await exchange.host.node(exchange.tenant)
    return give_json(replication_of(node).list_standings())


async def keep(exchange: Exchange) -> Answer:
    """Keep copies of a member's types from now on."""
    exchange.caller.require("admin")
    document = await exchange.json()
    given = document.get("types", []) if isinstance(document, dict) else None
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise InvalidRequestError("the body must be a JSON object with a list of texts, 'types'")
    if len(given) > TYPES_MAX:
        raise InvalidRequestError(f"types: {len(given)} are over {TYPES_MAX}")
    terms = await exchange.link_terms()
    node = await exchange.host.node(exchange.tenant)
    types = [terms.expand(one) for one in given]
    await replication_of(node).keep(exchange.caller, exchange.args["city"], types)
    return no_content()


async def drop(exchange: Exchange) -> Answer:
    """Drop the copies of a member."""
    node = await exchange.host.node(exchange.tenant)
    await replication_of(node).drop(exchange.caller, exchange.args["city"])
    return no_content()


def copy_lines(standings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write how far copies are behind as lines of Prometheus text."""
    yield "# HELP conurb_copies_behind Changes of a member that its copies don't have yet."
    yield "# TYPE conurb_copies_behind gauge"
    for one in standings:
        yield sample("conurb_copies_behind", {"city": one["city"]}, one["behind"])
    yield "# HELP conurb_copies_age_seconds How old the copies of a member are."
    yield "# TYPE conurb_copies_age_seconds gauge"
    for one in standings:
        if one["age"] is not None:
            yield sample("conurb_copies_age_seconds", {"city": one["city"]}, one["age"])
    yield "# HELP conurb_copies_failing Whether copying a member doesn't go on at present."
    yield "# TYPE conurb_copies_failing gauge"
    for one in standings:
        yield sample("conurb_copies_failing", {"city": one["city"]}, int(bool(one["error"])))


_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_NUMBER: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Changes": obj(
        {
            "next": _NUMBER,
            "end": _NUMBER,
            "at": {"type": ["integer", "null"]},
            "changes": items(
                obj(
                    {
                        "seq": _NUMBER,
                        "at": {"type": "integer"},
                        "id": _TEXT,
                        "entity": {"type": ["object", "null"]},
                    }
                )
            ),
        },
        required=("next", "end", "changes"),
    ),
    "ReplicaWish": obj({"types": {**items(_TEXT), "maxItems": TYPES_MAX}}),
    "Replica": obj(
        {
            "city": _TEXT,
            "types": items(_TEXT),
            "seq": _NUMBER,
            "behind": _NUMBER,
            "asOf": {"type": ["string", "null"]},
            "age": {"type": ["number", "null"]},
            "error": {"type": ["string", "null"]},
        },
        required=("city", "types", "seq", "behind", "asOf", "age", "error"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "region"
    return (
        Route(
            "GET",
            CHANGES_PATH,
            "getChanges",
            "Give a page of the node's changes, for a region that keeps copies",
            changes,
            tag,
            params=(AFTER, TYPES, WAIT),
            accepts=(),
            replies={200: Reply("The changes.", "Changes")},
            errors=(400, 403, 404, 409),
        ),
        Route(
            "GET",
            REPLICAS_PATH,
            "listReplicas",
            "List what is copied, how far it has come, and how old it is",
            list_replicas,
            tag,
            accepts=(),
            replies={200: Reply("The copies.", "Replica", many=True)},
            errors=(400, 403, 404),
        ),
        Route(
            "PUT",
            ONE_PATH,
            "keepReplica",
            "Keep copies of a member's types",
            keep,
            tag,
            body="ReplicaWish",
            accepts=(),
            replies={204: Reply("They are kept from now on.")},
            errors=(400, 403, 404, 409, 504),
        ),
        Route(
            "DELETE",
            ONE_PATH,
            "dropReplica",
            "Drop the copies of a member",
            drop,
            tag,
            accepts=(),
            replies={204: Reply("Dropped.")},
            errors=(400, 403, 404),
        ),
    )
