"""/openapi.json: the description of every operation, made from the routes themselves.

There is no second list to keep: a route says its parameters, body, answers and errors, and this
module writes them as OpenAPI 3.1. Schemas of bodies are in `schemas` and, for a module of its own
resources, in its `SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

import orjson

from conurb import __version__
from conurb.http.exchange import JSON_HEADER, Answer, Exchange
from conurb.http.problems import PROBLEMS
from conurb.http.routing import (
    BINARY,
    CSV,
    EVENTS,
    GEO_JSON,
    HTML,
    JSON,
    JSON_LD,
    MERGE_PATCH,
    TEXT,
    Reply,
    Route,
)
from conurb.http.schemas import SCHEMAS

TITLES: Final = {problem.status: problem.title for problem in PROBLEMS.values()}
PATH_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "entityId": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:[^/<>{}|^`\\\\ ]+$"},
    "contextId": {"type": "string", "minLength": 1},
}
BODY_ERRORS: Final = (411, 413, 415)
TENANT: Final[dict[str, Any]] = {
    "name": "NGSILD-Tenant",
    "in": "header",
    "description": "The tenant that is meant; without it, the default one (6.3.14).",
    "required": False,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$"},
}
LINK: Final[dict[str, Any]] = {
    "name": "Link",
    "in": "header",
    "description": "The JSON-LD @context of names in the request and the answer (6.3.5).",
    "required": False,
    "schema": {"type": "string"},
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Location": {"description": "Path of what was created.", "schema": {"type": "string"}},
    "NGSILD-EntityMap": {"description": "Path of the entity map.", "schema": {"type": "string"}},
    "Content-Range": {
        "description": "Up to which time a truncated answer goes (6.3.10).",
        "schema": {"type": "string"},
    },
}


async def description(exchange: Exchange) -> Answer:
    """Give the OpenAPI description of this process."""
    state = exchange.scope["app"].state
    if not hasattr(state, "openapi"):
        state.openapi = orjson.dumps(document_of(state.routes))
    return Answer(200, state.openapi, [JSON_HEADER])


def document_of(routes: Iterable[Route]) -> dict[str, Any]:
    """Write the OpenAPI 3.1 document of some routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = route.path.replace("*}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conurb",
            "version": __version__,
            "description": "Objects of cities by NGSI-LD (ETSI GS CIM 009 v1.9.1).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _schemas() -> dict[str, Any]:
    from conurb.http.app import MODULES

    schemas = dict(SCHEMAS)
    for name in MODULES:
        schemas.update(getattr(import_module(f"conurb.http.{name}"), "SCHEMAS", {}))
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = _body(route)
    elif route.consumes:
        content: dict[str, Any] = {media: {"schema": {}} for media in route.consumes}
        operation["requestBody"] = {"required": True, "content": content}
    if route.open_to_all:
        operation["security"] = [{}]
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1].rstrip("*") for part in route.path.split("/") if part.startswith("{")]
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PATH_SCHEMAS.get(name, {"type": "string", "minLength": 1}),
        }
        for name in names
    ]
    for param in route.params:
        written: dict[str, Any] = {
            "name": param.name,
            "in": "query",
            "description": param.meaning,
            "required": False,
            "schema": param.schema(),
        }
        if param.kind == "list":
            written["style"], written["explode"] = "form", False
        parameters.append(written)
    if route.path.startswith("/ngsi-ld"):
        parameters += [LINK, TENANT]
    return parameters


def _body(route: Route) -> dict[str, Any]:
    schema = _reference(route.body or "", many=route.body_many)
    media = [JSON, JSON_LD, *([MERGE_PATCH] if route.method == "PATCH" else [])]
    return {"required": True, "content": {name: {"schema": schema} for name in media}}


def _reference(name: str, *, many: bool) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{name}"}
    return {"type": "array", "items": one, "minItems": 1} if many else one


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(status): _response(route, reply) for status, reply in route.replies.items()}
    for status in _errors(route):
        if str(status) not in responses:
            responses[str(status)] = _problem(status)
    return responses


def _errors(route: Route) -> list[int]:
    errors = {*route.errors, 500, 503}
    if not route.open_to_all:
        errors |= {401, 403}
    if route.path.startswith("/ngsi-ld") and not route.makes_tenant and not route.any_tenant:
        errors.add(404)
    if route.params or "{" in route.path or route.path.startswith("/ngsi-ld"):
        errors.add(400)
    if route.accepts:
        errors.add(406)
    if route.body is not None:
        errors.update(BODY_ERRORS)
    return sorted(errors)


def _response(route: Route, reply: Reply) -> dict[str, Any]:
    response: dict[str, Any] = {"description": reply.meaning}
    if reply.headers:
        response["headers"] = {name: HEADERS[name] for name in reply.headers}
    if reply.media:
        response["content"] = {media: {"schema": _plain(reply, media)} for media in reply.media}
    elif reply.schema in (TEXT, HTML):
        response["content"] = {reply.schema: {"schema": {"type": "string"}}}
    elif reply.schema is not None:
        response["content"] = {
            media: {"schema": _answer_schema(reply, media)} for media in route.accepts or (JSON,)
        }
    return response


def _plain(reply: Reply, media: str) -> dict[str, Any]:
    """Give the schema of an answer in one of the media types that the reply names itself."""
    if reply.schema is None or media in BINARY:
        return {}
    if media in (TEXT, HTML, CSV, EVENTS):
        return {"type": "string"}
    return {"$ref": f"#/components/schemas/{reply.schema}"}


def _answer_schema(reply: Reply, media: str) -> dict[str, Any]:
    if media == GEO_JSON:
        name = "FeatureCollection" if reply.many else "FeatureOrCollection"
        return {"$ref": f"#/components/schemas/{name}"}
    one = {"$ref": f"#/components/schemas/{reply.schema}"}
    return {"type": "array", "items": one} if reply.many else one


def _problem(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {"description": TITLES.get(status, "Problem")}
    if status not in {problem.status for problem in PROBLEMS.values() if problem.bodyless}:
        response["content"] = {JSON: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return response


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            "/openapi.json",
            "openapi",
            "This description",
            description,
            "Process",
            accepts=(),
            replies={200: Reply("OpenAPI 3.1.", "OpenApi")},
            errors=(),
            any_tenant=True,
            open_to_all=True,
        ),
    )
