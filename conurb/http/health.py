"""How the process is doing: /health, /metrics, /version."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final

from conurb import __version__
from conurb.errors import ConurbError
from conurb.federation.freshness import freshness_of
from conurb.federation.health import NodeHealth, health_of
from conurb.federation.region import reach_of
from conurb.federation.replication import replication_of
from conurb.http.changes import copy_lines
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.freshness import freshness_lines
from conurb.http.metrics import Metrics, sample
from conurb.http.region import health_lines
from conurb.http.routing import TEXT, Reply, Route
from conurb.http.systems import system_lines
from conurb.model.time import US_PER_S

if TYPE_CHECKING:
    from conurb.node.node import Node

NGSI_LD_VERSION: Final = "1.9.1"
PROMETHEUS: Final = b"text/plain; version=0.0.4; charset=utf-8"
CHECK_TIMEOUT_S: Final = 5.0


async def health(exchange: Exchange) -> Answer:
    """Say whether the default node's store answers: 200 with `ok`, 503 with what is wrong."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            node = await exchange.host.node()
            end = await node.store.journal_end()
    except TimeoutError:
        return _ill(f"the store doesn't answer within {CHECK_TIMEOUT_S} s")
    except ConurbError as error:
        return _ill(error.detail)
    return give_json({"status": "ok", "version": __version__, "journal": end})


def _ill(detail: str) -> Answer:
    return give_json({"status": "ill", "version": __version__, "detail": detail}, status=503)


async def version(exchange: Exchange) -> Answer:
    """Say which versions are running."""
    return give_json(
        {
            "conurb": __version__,
            "ngsi-ld": NGSI_LD_VERSION,
            "python": platform.python_version(),
            "node": exchange.host.id,
        }
    )


async def metrics(exchange: Exchange) -> Answer:
    """Give what the process counts, as Prometheus text."""
    exchange.caller.require("read")
    counted: Metrics = exchange.scope["app"].state.metrics
    lines = [*counted.lines(), *_process_lines(exchange)]
    async for line in _store_lines(exchange):
        lines.append(line)
    return Answer(200, ("\n".join(lines) + "\n").encode(), [(b"content-type", PROMETHEUS)])


def _process_lines(exchange: Exchange) -> Iterator[str]:
    host = exchange.host
    yield "# HELP conurb_info Version and id of the process."
    yield "# TYPE conurb_info gauge"
    yield sample("conurb_info", {"version": __version__, "node": host.id}, 1)
    yield "# HELP conurb_uptime_seconds Time since the start."
    yield "# TYPE conurb_uptime_seconds gauge"
    yield sample("conurb_uptime_seconds", {}, (host.clock() - host.started_us) / US_PER_S)
    yield "# HELP conurb_resident_bytes Memory held by the process."
    yield "# TYPE conurb_resident_bytes gauge"
    yield sample("conurb_resident_bytes", {}, _resident_bytes())
    yield "# HELP conurb_contexts_stored JSON-LD @contexts stored."
    yield "# TYPE conurb_contexts_stored gauge"
    yield sample("conurb_contexts_stored", {}, len(exchange.contexts.list_entries()))


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def _store_lines(exchange: Exchange) -> AsyncIterator[str]:
    yield "# HELP conurb_journal_entries Number of the last entry of the journal, by tenant."
    yield "# TYPE conurb_journal_entries gauge"
    nodes = [await exchange.host.node(tenant) for tenant in _tenants(exchange)]
    for node in nodes:
        yield sample("conurb_journal_entries", _labels(node), await node.store.journal_end())
    for line in _subscription_lines(nodes):
        yield line
    seen: dict[str, NodeHealth] = {}
    for node in nodes:
        seen |= {one.node: one for one in await health_of(reach_of(node))}
    for line in health_lines(list(seen.values())):
        yield line
    copies = [one for node in nodes for one in replication_of(node).list_standings()]
    for line in copy_lines(copies):
        yield line
    promises = [one for node in nodes for one in freshness_of(node).list_standings()]
    for line in freshness_lines(promises, exchange.host.clock()):
        yield line
    async for line in system_lines(nodes):
        yield line
    yield "# HELP conurb_entities Current entities, by tenant and type."
    yield "# TYPE conurb_entities gauge"
    for node in nodes:
        for info in await node.store.list_types():
            labels = {**_labels(node), "type": info.iri}
            yield sample("conurb_entities", labels, info.entity_count)


def _subscription_lines(nodes: list[Node]) -> Iterator[str]:
    figures = [(_labels(node), node.subscriptions.dispatcher.figures()) for node in nodes]
    yield "# HELP conurb_subscriptions Subscriptions, by tenant."
    yield "# TYPE conurb_subscriptions gauge"
    for labels, one in figures:
        yield sample("conurb_subscriptions", labels, one.subscriptions)
    yield "# HELP conurb_subscriptions_behind Those whose backlog waits in the journal."
    yield "# TYPE conurb_subscriptions_behind gauge"
    for labels, one in figures:
        yield sample("conurb_subscriptions_behind", labels, one.behind)
    yield "# HELP conurb_subscriptions_failing Those whose last notification failed."
    yield "# TYPE conurb_subscriptions_failing gauge"
    for labels, one in figures:
        yield sample("conurb_subscriptions_failing", labels, one.failing)


def _tenants(exchange: Exchange) -> list[str | None]:
    return [None, *exchange.host.list_tenants()]


def _labels(node: Node) -> dict[str, str]:
    return {"tenant": node.tenant or ""}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "Process"
    plain: dict[str, Any] = {"errors": (), "any_tenant": True}
    return (
        Route(
            "GET",
            "/health",
            "health",
            "Whether the process can do its work",
            health,
            tag,
            accepts=(),
            replies={
                200: Reply("It can.", "Health"),
                503: Reply("It can't, and why.", "Health"),
            },
            open_to_all=True,
            **plain,
        ),
        Route(
            "GET",
            "/version",
            "version",
            "Which versions are running",
            version,
            tag,
            accepts=(),
            replies={200: Reply("The versions.", "Version")},
            open_to_all=True,
            **plain,
        ),
        Route(
            "GET",
            "/metrics",
            "metrics",
            "What the process counts, for Prometheus",
            metrics,
            tag,
            accepts=(),
            replies={200: Reply("Prometheus text.", TEXT)},
            **plain,
        ),
    )
