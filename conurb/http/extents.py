"""/federation/extents: where a node's objects lie, for regions that ask it by place."""

from __future__ import annotations

from typing import Any, Final

from conurb.federation.extents import written
from conurb.federation.region import reach_of
from conurb.federation.surveys import EXTENTS_PATH
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.model.time import US_PER_S


async def extents(exchange: Exchange) -> Answer:
    """Give where the node's objects lie, as far as the caller may read them.

    A node that asks others in turn doesn't know where theirs lie, and a caller who may read some
    scopes only isn't told where the rest is: both are given null, which says nothing.
    """
    restriction = exchange.caller.require("read")
    node = await exchange.node()
    reach = reach_of(node)
    if restriction.scopes is not None or not await reach.is_alone(exchange.caller):
        return give_json({"age": 0.0, "extents": None})
    asked_us = node.clock()
    measured = await reach.surveys.own()
    holds = measured.seq == await node.store.journal_end()
    kinds = {
        kind: extent
        for kind, extent in measured.kinds.items()
        if restriction.types is None or kind[0] in restriction.types
    }
    age_s = 0.0 if holds else max(0.0, (asked_us - measured.at_us) / US_PER_S)
    return give_json({"age": age_s, "extents": written(kinds)})


SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Extents": obj(
        {
            "age": {"type": "number", "minimum": 0},
            "extents": {
                "type": ["array", "null"],
                "items": obj(
                    {
                        "type": {"type": "string"},
                        "attribute": {"type": "string"},
                        "bbox": {**items({"type": "number"}), "minItems": 4, "maxItems": 4},
                        "count": {"type": "integer", "minimum": 1},
                        "moves": {"type": "boolean"},
                    },
                    required=("type", "attribute", "bbox", "count", "moves"),
                ),
            },
        },
        required=("age", "extents"),
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            EXTENTS_PATH,
            "getExtents",
            "Give where the node's objects lie, by type and attribute",
            extents,
            "region",
            accepts=(),
            replies={200: Reply("Where they lie, and how old that is in seconds.", "Extents")},
            errors=(403, 404),
        ),
    )
