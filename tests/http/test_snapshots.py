"""Snapshots over HTTP: the resource, and requests that name one (6.36 to 6.38, 6.3.22)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

BASE = "/ngsi-ld/v1"
QUERY = {"type": "Query", "entities": [{"type": "Bus"}], "q": "speed>15"}


@pytest.fixture(autouse=True)
async def buses(client: httpx.AsyncClient) -> None:
    entities = [{"id": f"urn:x:{i}", "type": "Bus", "speed": 10 * i} for i in range(4)]
    assert (await client.post("/entityOperations/create", json=entities)).status_code == 201


async def made(
    client: httpx.AsyncClient, path: str = "/snapshots", **members: Any
) -> tuple[str, dict[str, Any]]:
    if path == "/snapshots":
        members = {"snapshotQueries": [QUERY], **members}
    answer = await client.post(path, json={"type": "Snapshot", **members})
    assert answer.status_code == 201
    location = answer.headers["Location"].removeprefix(BASE)
    for _ in range(500):
        document = (await client.get(location)).json()
        if document["snapshotStatus"] != "preparing":
            return location, document
        await asyncio.sleep(0.01)
    raise AssertionError(f"{location} is still being filled")


async def test_a_request_that_names_a_snapshot_sees_the_frozen_entities(
    client: httpx.AsyncClient,
) -> None:
    _, snapshot = await made(client)
    assert snapshot["snapshotStatus"] == "success"
    assert snapshot["snapshotPriority"] == 5
    assert snapshot["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    headers = {"NGSILD-Snapshot": snapshot["id"]}
    await client.patch("/entities/urn:x:2/attrs", json={"speed": 0})
    found = await client.get("/entities", params={"type": "Bus"}, headers=headers)
    assert [(one["id"], one["speed"]["value"]) for one in found.json()] == [
        ("urn:x:2", 20),
        ("urn:x:3", 30),
    ]
    assert found.headers["NGSILD-Snapshot"] == snapshot["id"]


async def test_a_snapshot_can_be_written_without_touching_the_node(
    client: httpx.AsyncClient,
) -> None:
    _, snapshot = await made(client)
    headers = {"NGSILD-Snapshot": snapshot["id"]}
    what_if = {"id": "urn:x:new", "type": "Bus"}
    assert (await client.post("/entities", json=what_if, headers=headers)).status_code == 201
    assert (await client.get("/entities/urn:x:new", headers=headers)).status_code == 200
    assert (await client.get("/entities/urn:x:new")).status_code == 404


async def test_an_unknown_snapshot_is_not_found(client: httpx.AsyncClient) -> None:
    headers = {"NGSILD-Snapshot": "urn:ngsi-ld:Snapshot:absent"}
    answer = await client.get("/entities", params={"type": "Bus"}, headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Snapshot"},
        {"type": "Snapshot", "snapshotQueries": []},
        {"type": "Subscription", "snapshotQueries": [QUERY]},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "snapshotPriority": 11},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "snapshotPriority": True},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "snapshotLifetime": "an hour"},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "snapshotStatus": "success"},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "endpoint": "nowhere"},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "receiverInfo": [{"key": "a"}]},
        {"type": "Snapshot", "snapshotQueries": [QUERY], "id": "no-uri"},
        {"type": "Snapshot", "snapshotQueries": [{**QUERY, "temporalQ": {"timerel": "after"}}]},
        {"type": "Snapshot", "snapshotTemporalQueries": [QUERY]},
    ],
)
async def test_a_wrong_snapshot_is_refused(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    answer = await client.post("/snapshots", json=document)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")


async def test_what_may_change_changes_and_the_rest_is_refused(client: httpx.AsyncClient) -> None:
    location, before = await made(client)
    changed = await client.patch(location, json={"snapshotPriority": 2, "snapshotLifetime": "P1D"})
    assert changed.status_code == 200
    assert changed.json()["snapshotPriority"] == 2
    assert changed.json()["expiresAt"] > before["expiresAt"]
    assert (await client.patch(location, json={"snapshotQueries": []})).status_code == 400


async def test_clone_delete_and_purge(client: httpx.AsyncClient) -> None:
    location, _ = await made(client, snapshotPriority=2)
    clone, document = await made(client, location + "/clone", snapshotPriority=9)
    assert document["snapshotQueries"] == [QUERY]
    purged = await client.delete("/snapshots", params={"q": "snapshotPriority<5"})
    assert purged.status_code == 204
    assert (await client.get(location)).status_code == 404
    headers = {"NGSILD-Snapshot": document["id"]}
    left = await client.get("/entities", params={"type": "Bus"}, headers=headers)
    assert len(left.json()) == 2
    assert (await client.delete(clone)).status_code == 204
    assert (await client.delete(clone)).status_code == 404
    assert (await client.delete("/snapshots", params={"q": "speed>50"})).status_code == 400
    assert (await client.delete("/snapshots")).status_code == 400


async def test_a_snapshot_of_history_answers_temporal_queries(client: httpx.AsyncClient) -> None:
    await client.patch("/entities/urn:x:3/attrs", json={"speed": 35})
    window = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z", "timeproperty": "createdAt"}
    query = {"type": "Query", "entities": [{"type": "Bus", "id": "urn:x:3"}], "temporalQ": window}
    _, snapshot = await made(client, snapshotQueries=[], snapshotTemporalQueries=[query])
    assert snapshot["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}]
    await client.delete("/temporal/entities/urn:x:3")
    answer = await client.get(
        "/temporal/entities/urn:x:3",
        params={"options": "temporalValues", "timeproperty": "modifiedAt"},
        headers={"NGSILD-Snapshot": snapshot["id"]},
    )
    assert [value for value, _ in answer.json()["speed"]["values"]] == [30, 35]
