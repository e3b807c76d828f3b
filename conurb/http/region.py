"""/region/health: how the nodes are doing that this node answers for; a resource of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from conurb.federation.health import NodeHealth, health_of
from conurb.federation.region import reach_of
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.metrics import sample
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj

HEALTH: Final = "/region/health"


async def health(exchange: Exchange) -> Answer:
    """Say how each registered node has answered lately, and which aren't asked at present."""
    exchange.caller.require("read")
    nodes = await health_of(reach_of(await exchange.node()))
    ill = sum(one.is_ill for one in nodes)
    return give_json({"nodes": [asdict(one) for one in nodes], "ill": ill})


def health_lines(nodes: Sequence[NodeHealth]) -> Iterator[str]:
    """Write the health of nodes as lines of Prometheus text; nothing of nodes never asked."""
    asked = [one for one in nodes if one.requests or one.refused]
    yield "# HELP conurb_source_up Whether a registered node is asked (its breaker is closed)."
    yield "# TYPE conurb_source_up gauge"
    for one in asked:
        yield sample("conurb_source_up", _labels(one), int(not one.is_ill))
    yield "# HELP conurb_source_requests_total Requests sent to registered nodes."
    yield "# TYPE conurb_source_requests_total counter"
    for one in asked:
        yield sample("conurb_source_requests_total", _labels(one), one.requests)
    yield "# HELP conurb_source_failures_total Those that failed."
    yield "# TYPE conurb_source_failures_total counter"
    for one in asked:
        yield sample("conurb_source_failures_total", _labels(one), one.failures)
    yield "# HELP conurb_source_milliseconds Latest latencies of registered nodes."
    yield "# TYPE conurb_source_milliseconds gauge"
    for one in asked:
        shares = (("0.5", one.p50_ms), ("0.95", one.p95_ms), ("0.99", one.p99_ms))
        for share, value in shares:
            if value is not None:
                labels = {**_labels(one), "quantile": share}
                yield sample("conurb_source_milliseconds", labels, value)


def _labels(node: NodeHealth) -> dict[str, str]:
    return {"node": node.node}


_NUMBER: Final = {"type": ["number", "null"]}
_TEXT: Final = {"type": ["string", "null"]}
SCHEMAS: Final[dict[str, Any]] = {
    "RegionHealth": obj(
        {
            "ill": {"type": "integer"},
            "nodes": items(
                obj(
                    {
                        "node": {"type": "string"},
                        "registration": {"type": "string"},
                        "endpoint": {"type": "string"},
                        "tenant": _TEXT,
                        "mode": {"type": "string"},
                        "state": {"enum": ["closed", "open", "half-open", "here", "unknown"]},
                        "requests": {"type": "integer"},
                        "failures": {"type": "integer"},
                        "refused": {"type": "integer"},
                        "contact_age_s": _NUMBER,
                        "failure_age_s": _NUMBER,
                        "reason": _TEXT,
                        "p50_ms": _NUMBER,
                        "p95_ms": _NUMBER,
                        "p99_ms": _NUMBER,
                    }
                )
            ),
        }
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            HEALTH,
            "regionHealth",
            "How the nodes are doing that this node answers for",
            health,
            "Region",
            accepts=(),
            replies={200: Reply("What requests to each have shown.", "RegionHealth")},
            errors=(),
        ),
    )
