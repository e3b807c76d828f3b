"""Entity maps over HTTP: the resource, and queries that use one (6.32, 6.34, 5.5.14)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

BASE = "/ngsi-ld/v1"


@pytest.fixture(autouse=True)
async def buses(client: httpx.AsyncClient) -> None:
    entities = [{"id": f"urn:x:{i}", "type": "Bus", "speed": 10 * i} for i in range(5)]
    assert (await client.post("/entityOperations/create", json=entities)).status_code == 201


async def made(client: httpx.AsyncClient, **params: Any) -> tuple[str, dict[str, Any]]:
    answer = await client.get("/entityMaps", params={"type": "Bus", **params})
    assert answer.status_code == 201
    return answer.headers["NGSILD-EntityMap"], answer.json()


async def test_a_map_lists_what_the_query_found_and_where_it_is(client: httpx.AsyncClient) -> None:
    path, document = await made(client, q="speed>20")
    assert document["type"] == "EntityMap"
    assert document["entityMap"] == {"urn:x:3": ["@none"], "urn:x:4": ["@none"]}
    again = await client.get(path.removeprefix(BASE))
    assert again.json() == document


async def test_a_map_can_be_asked_for_by_a_document(client: httpx.AsyncClient) -> None:
    query = {"type": "Query", "entities": [{"type": "Bus"}], "q": "speed>30"}
    answer = await client.post("/entityMaps", json=query)
    assert answer.status_code == 201
    assert list(answer.json()["entityMap"]) == ["urn:x:4"]


async def test_a_query_by_a_map_pages_over_its_candidates(client: httpx.AsyncClient) -> None:
    first = await client.get("/entities", params={"type": "Bus", "entityMap": "true", "limit": 2})
    assert first.status_code == 201
    headers = {"NGSILD-EntityMap": first.headers["NGSILD-EntityMap"]}
    await client.post("/entities", json={"id": "urn:x:9", "type": "Bus"})
    await client.delete("/entities/urn:x:2")
    params = {"type": "Bus", "limit": "2", "offset": "2", "count": "true"}
    page = await client.get("/entities", params=params, headers=headers)
    assert page.status_code == 200
    assert [one["id"] for one in page.json()] == ["urn:x:3", "urn:x:4"]
    assert page.headers["NGSILD-Results-Count"] == "4"
    assert page.headers["NGSILD-EntityMap"] == headers["NGSILD-EntityMap"]
    assert 'rel="next"' not in page.headers["Link"]


async def test_a_map_that_is_gone_is_made_anew(client: httpx.AsyncClient) -> None:
    path, _ = await made(client)
    assert (await client.delete(path.removeprefix(BASE))).status_code == 204
    answer = await client.get(
        "/entities", params={"type": "Bus"}, headers={"NGSILD-EntityMap": path}
    )
    assert answer.status_code == 201
    assert answer.headers["NGSILD-EntityMap"] != path


async def test_only_the_time_of_a_map_can_be_set(client: httpx.AsyncClient) -> None:
    path, document = await made(client)
    path = path.removeprefix(BASE)
    patch = {"expiresAt": "2000-01-01T00:00:00Z", "entityMap": {}}
    wrong = await client.patch(path, json={"expiresAt": "soon"})
    assert wrong.status_code == 400
    assert (await client.patch(path, json={"entityMap": {}})).status_code == 204
    assert (await client.get(path)).json()["entityMap"] == document["entityMap"]
    assert (await client.patch(path, json=patch)).status_code == 204
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "params", [{"id": "urn:x:1"}, {"type": "Bus", "entityMapLifetime": "soon"}, {}]
)
async def test_a_wrong_query_makes_no_map(
    client: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await client.get("/entityMaps", params=params)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")


async def test_a_map_of_history_has_what_was_in_the_window(client: httpx.AsyncClient) -> None:
    window = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z", "timeproperty": "createdAt"}
    answer = await client.get("/temporal/entityMaps", params={"type": "Bus", **window})
    assert answer.status_code == 201
    assert len(answer.json()["entityMap"]) == 5
    assert (await client.get("/temporal/entityMaps", params={"type": "Bus"})).status_code == 400
    document = {"type": "Query", "entities": [{"type": "Bus"}], "temporalQ": window}
    posted = await client.post("/temporal/entityMaps", json=document)
    assert posted.json()["entityMap"] == answer.json()["entityMap"]
