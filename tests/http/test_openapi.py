"""The OpenAPI document: every route is in it, and what it says is well-formed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from conurb.http.app import all_routes
from conurb.http.openapi import document_of
from conurb.http.routing import Route

ROUTES = all_routes()
DOCUMENT = document_of(ROUTES)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


async def test_served_document_is_of_the_routes(client: httpx.AsyncClient) -> None:
    response = await client.get("http://node.test/openapi.json")
    assert response.json() == DOCUMENT


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_every_route_is_described(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert operation["operationId"] == route.operation
    names = {(one["name"], one["in"]) for one in operation["parameters"]}
    assert {(param.name, "query") for param in route.params} <= names
    assert {(name, "path") for name in re.findall(r"{(\w+)}", route.path)} <= names
    assert {str(status) for status in route.replies} <= set(operation["responses"])
    assert route.replies, "an operation has a success"


def test_operation_ids_are_unique() -> None:
    ids = [route.operation for route in ROUTES]
    assert len(ids) == len(set(ids))


def test_references_lead_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for node in nodes(DOCUMENT):
        target = node.get("$ref")
        if isinstance(target, str):
            assert target.removeprefix("#/components/schemas/") in schemas


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_schemas_are_json_schemas(name: str) -> None:
    schema = {**DOCUMENT["components"]["schemas"][name], "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema)
