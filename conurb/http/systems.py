"""/systems: which systems run here and how they are; and the HTTP interfaces that they bring.

A system stands below this room, so its endpoints are plain values (`conurb.systems.contract`). Each
is mounted at its own path, and below `/tenants/{tenant}` for clients of its standard that can't
name a tenant in a header. Caller, token and tenant are judged as for every other route.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

from conurb.errors import ConurbError, InvalidRequestError, NotFoundError
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.metrics import sample
from conurb.http.params import PARAMS_MAX, Param
from conurb.http.problems import problem_document
from conurb.http.routing import JSON, Reply, Route
from conurb.http.schemas import items, obj

if TYPE_CHECKING:
    from conurb.model.portrayal import Layer
    from conurb.node.node import Node
    from conurb.systems.contract import Asked, Endpoint, System
    from conurb.systems.runner import Runner, Running
    from conurb.systems.standing import Standing

PATH: Final = "/systems"
TENANTS: Final = "/tenants/{tenant}"

_TEXTS: Final = obj({"en": {"type": "string"}, "zh": {"type": "string"}})
SCHEMAS: Final[dict[str, Any]] = {
    "Systems": items(
        obj(
            {
                "name": {"type": "string"},
                "title": _TEXTS,
                "summary": _TEXTS,
                "status": {"type": "string", "enum": ["ok", "degraded", "ill"]},
                "detail": {"type": "string"},
                "figures": {"type": "object"},
                "members": items(
                    obj(
                        {
                            "tenant": {"type": "string"},
                            "status": {"type": "string", "enum": ["ok", "degraded"]},
                            "read": {"type": "integer"},
                            "stored": {"type": "integer"},
                            "dead": {"type": "integer"},
                        }
                    )
                ),
                "types": items({"type": "string"}),
                "parts": items({"type": "object"}),
                "endpoints": items({"type": "object"}),
                "layers": items({"type": "string"}),
            }
        )
    )
}


async def listed(exchange: Exchange) -> Answer:
    """List the systems that run at a node, and how each of them and its parts are.

    Asked of the default tenant, each also has how it goes at the tenants of this process: the
    cities of a region.
    """
    exchange.caller.require("read")
    node = await exchange.node()
    runner = _runner(node)
    if runner is None:
        return give_json([])
    rows = [await _document(runner, running) for running in runner.running]
    if node.tenant is None:
        members = [await exchange.host.node(one) for one in exchange.host.list_tenants()]
        for row in rows:
            row["members"] = [told for one in members if (told := _member(one, row["name"]))]
    return give_json(rows)


def _member(node: Node, name: str) -> dict[str, Any] | None:
    """Say in short how a system goes at a tenant; None where it doesn't run."""
    runner = _runner(node)
    parts = [
        one
        for running in (() if runner is None else runner.running)
        if running.system.name == name
        for one in running.standings
    ]
    if not parts:
        return None
    waiting = any(one.state == "waiting" for one in parts)
    return {
        "tenant": node.tenant,
        "status": "degraded" if waiting else "ok",
        "read": sum(one.read for one in parts),
        "stored": sum(one.stored for one in parts),
        "dead": sum(one.dead for one in parts),
    }


async def _document(runner: Runner, running: Running) -> dict[str, Any]:
    system = running.system
    await runner.behind(running)
    health = await runner.health(running)
    return {
        "name": system.name,
        "title": dict(system.title),
        "summary": dict(system.summary),
        "status": health.status,
        "detail": health.detail,
        "figures": dict(health.figures),
        "replay": running.site.replay,
        "types": [one.term for one in system.types],
        "parts": [_part(one) for one in running.standings],
        "endpoints": [
            {"method": one.method, "path": one.path, "summary": one.summary}
            for of, one in runner.endpoints()
            if of is running
        ],
        "layers": [one.id for one in system.layers],
    }


def _part(standing: Standing) -> dict[str, Any]:
    return {
        "kind": standing.kind,
        "name": standing.name,
        "state": standing.state,
        "read": standing.read,
        "stored": standing.stored,
        "repeated": standing.repeated,
        "dead": standing.dead,
        "failures": standing.failures,
        "behind": standing.behind,
        "error": standing.error,
    }


def _runner(node: Node) -> Runner | None:
    """Find a node's runner without importing anything for a node that has none."""
    for companion in node.companions:
        if type(companion).__module__ == "conurb.systems.runner":
            from conurb.systems.runner import runner_of

            return runner_of(node)
    return None


def system_layers(node: Node) -> tuple[Layer, ...]:
    """Give the map layers of the systems that run at a node."""
    runner = _runner(node)
    return () if runner is None else tuple(runner.layers())


async def system_lines(nodes: Iterable[Node]) -> AsyncIterator[str]:
    """Write what the systems of some nodes count, as lines of Prometheus text."""
    runners = [(node, runner) for node in nodes if (runner := _runner(node)) is not None]
    if not runners:
        return
    yield "# HELP conurb_system_up Whether a system does its work: 1 ok, 0.5 in part, 0 not."
    yield "# TYPE conurb_system_up gauge"
    counted: list[tuple[dict[str, str], Standing]] = []
    figures: list[tuple[dict[str, str], float]] = []
    for node, runner in runners:
        for running in runner.running:
            labels = {"tenant": node.tenant or "", "system": running.system.name}
            await runner.behind(running)
            health = await runner.health(running)
            up = {"ok": 1.0, "degraded": 0.5, "ill": 0.0}[health.status]
            yield sample("conurb_system_up", labels, up)
            figures += [({**labels, "name": name}, one) for name, one in health.figures.items()]
            counted += [
                ({**labels, "kind": one.kind, "part": one.name}, one) for one in running.standings
            ]
    yield "# HELP conurb_system_figure What a system says of itself."
    yield "# TYPE conurb_system_figure gauge"
    for labels, figure in figures:
        yield sample("conurb_system_figure", labels, figure)
    for name, meaning in _COUNTERS.items():
        yield f"# HELP conurb_system_{name}_total {meaning}"
        yield f"# TYPE conurb_system_{name}_total counter"
        for labels, standing in counted:
            yield sample(f"conurb_system_{name}_total", labels, getattr(standing, name))
    yield "# HELP conurb_system_behind Entries of the journal that a reaction has still to read."
    yield "# TYPE conurb_system_behind gauge"
    for labels, standing in counted:
        if standing.seq is not None:
            yield sample("conurb_system_behind", labels, standing.behind)


_COUNTERS: Final[dict[str, str]] = {
    "read": "Records, messages or due times that a part has read.",
    "stored": "Operations that it has stored.",
    "repeated": "Operations that had been done before.",
    "dead": "What it has set aside as a dead letter.",
    "failures": "How often its source or the store didn't answer.",
}


# ── what systems bring ────────────────────────────────────────────────────────────────────────


def system_routes(systems: Iterable[System]) -> tuple[Route, ...]:
    """Give the routes of the endpoints of some systems."""
    found: list[Route] = []
    for system in systems:
        for endpoint in system.endpoints:
            found.append(_route(system, endpoint, ""))
            found.append(_route(system, endpoint, TENANTS))
    return tuple(found)


def _route(system: System, endpoint: Endpoint, prefix: str) -> Route:
    async def handler(exchange: Exchange) -> Answer:
        return await _answer(exchange, system, endpoint)

    produces = endpoint.produces
    suffix = "ofTenant" if prefix else ""
    return Route(
        endpoint.method,
        prefix + endpoint.path,
        f"{system.name}.{endpoint.operation}{suffix}",
        endpoint.summary,
        handler,
        system.title["en"],
        params=tuple(
            Param(one.name, one.meaning, choices=one.choices) for one in endpoint.params or ()
        ),
        accepts=(),
        consumes=endpoint.consumes,
        replies={200: Reply("Done.", media=produces)},
        errors=(400, 404),
        any_params=endpoint.params is None,
        open_to_all=endpoint.right is None,
    )


async def _answer(exchange: Exchange, system: System, endpoint: Endpoint) -> Answer:
    """Hand a request to a system's endpoint, and write its answer or its error."""
    try:
        response = await endpoint.handle(await _asked(exchange, system, endpoint))
    except ConurbError as error:
        if endpoint.failed is None:
            raise
        document = problem_document(error)
        response = endpoint.failed(document["status"], document["detail"])
    headers = [(name.lower().encode(), text.encode()) for name, text in response.headers.items()]
    if response.body:
        headers.append((b"content-type", response.media.encode()))
    return Answer(response.status, response.body, headers)


async def _asked(exchange: Exchange, system: System, endpoint: Endpoint) -> Asked:
    from conurb.systems.contract import Asked

    if endpoint.right is not None:
        exchange.caller.require(endpoint.right)
    node = await exchange.node()
    running = _running(node, system, endpoint)
    query = exchange.scope["query_string"].decode("latin-1")
    if len(query) > exchange.settings.query_text_max:
        raise InvalidRequestError(
            f"the query string has {len(query)} bytes; this node reads "
            f"{exchange.settings.query_text_max}"
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMS_MAX)
    except ValueError as error:
        raise InvalidRequestError(f"the query string can't be read: {error}") from error
    return Asked(
        site=running.site,
        caller=exchange.caller,
        method=exchange.method,
        path=exchange.scope["path"],
        args=exchange.args,
        params=dict(reversed(pairs)),
        headers=_texts(exchange.headers),
        body=await exchange.body() if exchange.method in ("POST", "PUT", "PATCH") else b"",
        base_url=exchange.base_url + _prefix(exchange),
    )


def _running(node: Node, system: System, endpoint: Endpoint) -> Running:
    runner = _runner(node)
    for running, one in runner.endpoints() if runner is not None else ():
        if one is endpoint:
            return running
    raise NotFoundError(f"{system.name} answers {endpoint.path} elsewhere, not at this node")


def _prefix(exchange: Exchange) -> str:
    """Give what stands before a system's own path, when the tenant was named there."""
    if exchange.route.path.startswith(TENANTS) and exchange.tenant is not None:
        return f"/tenants/{quote(exchange.tenant, safe='')}"
    return ""


def _texts(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode("latin-1"): text.decode("latin-1") for name, text in headers.items()}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            PATH,
            "listSystems",
            "The systems that run here, and how they are",
            listed,
            "Systems",
            accepts=(JSON,),
            replies={200: Reply("Systems with the state of their parts.", "Systems")},
            errors=(404,),
        ),
    )
