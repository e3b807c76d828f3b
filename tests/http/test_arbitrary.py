"""Entities, fragments and queries made by hypothesis: read or refused, never a 5xx or half done.

What is stored is given back as it was stored, whatever it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conurb.app import open_app
from conurb.config import Settings

BASE = "http://node.test/ngsi-ld/v1"
NULL = "urn:ngsi-ld:null"

JSON = {"Content-Type": "application/json"}

names = st.sampled_from(
    ["name", "p", "location", "观测", "type", "id", "scope", "a-b", "@x", "", "x:y"]
)
members = "value object type languageMap vocab json valueList objectList observedAt unitCode"
others = "datasetId expiresAt @type @value @id coordinates Property Relationship GeoProperty Point"
kinds = "LanguageProperty VocabProperty JsonProperty ListProperty ListRelationship urn:x:1"
words = st.sampled_from(
    [*members.split(), *others.split(), *kinds.split(), "2026-01-31T08:00:00Z", NULL]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
    | st.text(max_size=5)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | names, inner, max_size=4),
    max_leaves=12,
)
entities = st.dictionaries(names | words, json_values, max_size=5).map(
    lambda members: {"id": "urn:x:1", "type": "T", **members}
)
operators = st.sampled_from(
    ["==", "!=", ">", "<=", "~=", "!~=", ";", "|", "(", ")", "..", ",", "{", "}"]
)
literals = st.sampled_from(['"text"', "5", "-1e9", "true", "2026-01-31T08:00:00Z"])
pieces = operators | names | literals
queries = st.lists(pieces, max_size=8).map("".join)

ask = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run something against one node, on one event loop, for all examples of this file."""
    folder: Path = tmp_path_factory.mktemp("arbitrary")
    loop = asyncio.new_event_loop()
    opened = open_app(store=folder / "node.db", settings=Settings(outbound=()))
    app = loop.run_until_complete(opened.__aenter__())
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url=BASE)

    def run_one(work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        return loop.run_until_complete(work(client))

    yield run_one
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


def assert_answered(response: httpx.Response, *expected: int) -> None:
    said = f"{response.request.method} {response.request.url}: {response.text[:300]}"
    assert response.status_code in (400, 403, 404, 409, *expected), said
    if response.status_code >= 400:
        assert response.json()["detail"], said


@ask
@given(entity=entities)
def test_an_entity_is_stored_as_it_is_or_refused(run: Any, entity: dict[str, Any]) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        await client.delete("/entities/urn:x:1")
        created = await client.post("/entities", json=entity)
        assert_answered(created, 201)
        if created.status_code != 201:
            return
        path = created.headers["location"].removeprefix("/ngsi-ld/v1")
        first = await client.get(path)
        assert first.status_code == 200
        again = await client.put(path, json=first.json())
        assert again.status_code == 204, (first.text, again.text)
        assert (await client.get(path)).json() == first.json()
        for view in ("options=concise", "options=keyValues", "options=sysAttrs", "lang=zh"):
            assert (await client.get(f"{path}?{view}")).status_code == 200
        geo = await client.get(path, headers={"Accept": "application/geo+json"})
        assert geo.json()["type"] == "Feature"
        await client.delete(path)

    run(work)


@ask
@given(fragment=st.dictionaries(names, json_values, max_size=4))
def test_a_fragment_is_taken_or_refused_and_leaves_an_entity(
    run: Any, fragment: dict[str, Any]
) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        whole = {"id": "urn:x:2", "type": "T", "p": {"type": "Property", "value": 1}}
        await client.post("/entityOperations/upsert", json=[whole])
        for method, url in (
            ("PATCH", "/entities/urn:x:2"),
            ("POST", "/entities/urn:x:2/attrs"),
            ("PATCH", "/entities/urn:x:2/attrs"),
            ("PATCH", "/entities/urn:x:2/attrs/p"),
            ("PUT", "/entities/urn:x:2/attrs/p"),
            ("POST", "/temporal/entities/urn:x:2/attrs"),
        ):
            assert_answered(await client.request(method, url, json=fragment), 204, 207)
            assert (await client.get("/entities/urn:x:2?options=sysAttrs")).status_code == 200

    run(work)


@ask
@given(q=queries, scope=queries, types=queries, pick=queries, order=queries)
def test_a_query_is_answered_or_refused(
    run: Any, q: str, scope: str, types: str, pick: str, order: str
) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for params in (
            {"q": q},
            {"scopeQ": scope},
            {"type": types},
            {"pick": pick},
            {"orderBy": order},
            {"q": q, "scopeQ": scope, "type": types, "pick": pick, "orderBy": order},
        ):
            for url in ("/entities", "/temporal/entities"):
                response = await client.get(url, params={"local": "true", **params})
                assert_answered(response, 200, 206)

    run(work)


@ask
@given(document=st.dictionaries(words | names | st.just("q"), json_values, max_size=4))
def test_a_query_document_is_answered_or_refused(run: Any, document: dict[str, Any]) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for body in (document, {"type": "Query", "entities": [{"type": "T"}], **document}):
            for url in ("/entityOperations/query", "/temporal/entityOperations/query"):
                response = await client.post(url, content=json.dumps(body).encode(), headers=JSON)
                assert_answered(response, 200, 206)

    run(work)
