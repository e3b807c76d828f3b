"""Subscriptions as a resource over HTTP: created, shown, changed, paused and deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.http.subscribing import (
    CITY,
    CORE,
    LD,
    SUBSCRIPTION,
    body,
    patch,
    put,
    shown,
    subscribe,
)
from tests.services.receiver import Receiver

# ── the resource ──────────────────────────────────────────────────────────────────────────────


async def test_a_subscription_is_created_shown_and_deleted(client: httpx.AsyncClient) -> None:
    assert await subscribe(client, body()) == f"/ngsi-ld/v1/subscriptions/{SUBSCRIPTION}"
    assert await shown(client) == {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notificationTrigger": ["attributeCreated", "attributeUpdated"],
        "jsonldContext": CORE,
        "status": "active",
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify"}},
    }
    assert (await client.delete(f"/subscriptions/{SUBSCRIPTION}")).status_code == 204
    assert (await client.get(f"/subscriptions/{SUBSCRIPTION}")).status_code == 404
    assert (await client.delete(f"/subscriptions/{SUBSCRIPTION}")).status_code == 404


async def test_a_subscription_without_id_is_given_one(client: httpx.AsyncClient) -> None:
    location = await subscribe(client, body(id=...))
    response = await client.get(location.removeprefix("/ngsi-ld/v1"))
    assert response.json()["id"].startswith("urn:ngsi-ld:Subscription:")


async def test_an_id_that_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    await subscribe(client, body())
    response = await client.post("/subscriptions", json=body())
    assert response.status_code == 409
    assert response.json()["type"].endswith("/AlreadyExists")


async def test_names_are_shown_by_the_context_that_is_asked_with(
    client: httpx.AsyncClient,
) -> None:
    context = {"Town": "https://example.org/Town", "size": "https://example.org/size"}
    document = body(
        entities=[{"type": "(Town;City)|Village"}],
        watchedAttributes=["size"],
        attributes=["size", "name"],
        geoQ={
            "georel": "near;maxDistance==10",
            "geometry": "Point",
            "coordinates": [1, 2],
            "geoproperty": "size",
        },
    )
    document["@context"] = context
    response = await client.post("/subscriptions", json=document, headers=LD)
    assert response.status_code == 201, response.text
    plain = await shown(client)
    assert plain["entities"] == [{"type": "(https://example.org/Town;City)|Village"}]
    assert plain["watchedAttributes"] == ["https://example.org/size"]
    assert plain["notification"]["attributes"] == ["https://example.org/size", "name"]
    assert plain["geoQ"]["geoproperty"] == "https://example.org/size"
    assert plain["jsonldContext"].startswith("http://node.test/ngsi-ld/v1/jsonldContexts/")
    context_url = plain["jsonldContext"]
    link = f'<{context_url}>; rel="http://www.w3.org/ns/json-ld#context"'
    named = await client.get(f"/subscriptions/{SUBSCRIPTION}", headers={"Link": link})
    assert named.json()["entities"] == [{"type": "(Town;City)|Village"}]
    assert named.json()["geoQ"]["geoproperty"] == "size"


async def test_subscriptions_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await subscribe(client, body(id=f"urn:s:{number}"))
    response = await client.get("/subscriptions", params={"limit": 2, "count": "true"})
    assert [one["id"] for one in response.json()] == ["urn:s:0", "urn:s:1"]
    assert response.headers["ngsild-results-count"] == "3"
    assert 'offset=2>; rel="next"' in response.headers["link"]
    response = await client.get("/subscriptions", params={"limit": 2, "offset": 2})
    assert [one["id"] for one in response.json()] == ["urn:s:2"]
    assert 'rel="next"' not in response.headers["link"]


async def test_a_fragment_replaces_members_and_null_removes_them(
    client: httpx.AsyncClient,
) -> None:
    await subscribe(client, body(description="old", throttling=5))
    fragment = {
        "description": "new",
        "throttling": None,
        "notification": {"endpoint": {"uri": "http://127.0.0.1:10/"}},
    }
    response = await client.patch(f"/subscriptions/{SUBSCRIPTION}", json=fragment)
    assert response.status_code == 204
    document = await shown(client)
    assert document["description"] == "new"
    assert "throttling" not in document
    assert document["notification"] == {"endpoint": {"uri": "http://127.0.0.1:10/"}}


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"type": "City"}, "type"),
        ({"id": "no-uri"}, "id"),
        ({"entities": []}, "entities"),
        ({"entities": ...}, "entities"),
        ({"entities": [{"id": CITY}]}, "type"),
        ({"entities": [{"type": "City", "idPattern": "["}]}, "position"),
        ({"watchedAttributes": []}, "watchedAttributes"),
        ({"watchedAttributes": ["a"], "timeInterval": 5}, "timeInterval"),
        ({"throttling": 1, "timeInterval": 5}, "timeInterval"),
        ({"throttling": -1}, "throttling"),
        ({"throttling": "1"}, "throttling"),
        ({"timeInterval": True}, "timeInterval"),
        ({"notificationTrigger": ["entityMoved"]}, "entityMoved"),
        ({"notificationTrigger": []}, "notificationTrigger"),
        ({"q": "a=="}, "q"),
        ({"geoQ": {"georel": "near"}}, "geometry"),
        ({"scopeQ": "//"}, "scope"),
        ({"datasetId": ["none"]}, "datasetId"),
        ({"lang": "e n"}, "lang"),
        ({"isActive": "yes"}, "isActive"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": "2000-01-01T00:00:00Z"}, "past"),
        ({"ngsildConformance": "new"}, "ngsildConformance"),
        ({"jsonldContext": "here"}, "jsonldContext"),
        ({"watchedAtributes": ["a"]}, "watchedAtributes"),
        ({"notification": ...}, "notification"),
        ({"notification": {}}, "endpoint"),
        ({"format": "short"}, "format"),
        ({"format": "keyValues", "showChanges": True}, "showChanges"),
        ({"attributes": []}, "attributes"),
        ({"attributes": ["id"]}, "id"),
        ({"attributes": ["a"], "pick": ["a"]}, "pick"),
        ({"attributes": ["a"], "omit": ["a"]}, "omit"),
        ({"pick": ["id", "a"], "omit": ["a"]}, "omit"),
        ({"join": "deep"}, "join"),
        ({"join": "flat", "joinLevel": 0}, "joinLevel"),
        ({"endpoint": {"uri": "here"}}, "uri"),
        ({"endpoint": {"uri": "ftp://127.0.0.1/"}}, "ftp"),
        ({"endpoint": {"uri": "mqtt://127.0.0.1"}}, "topic"),
        ({"endpoint": {"accept": "text/html"}}, "accept"),
        ({"endpoint": {"timeout": 0}}, "timeout"),
        ({"endpoint": {"cooldown": "1"}}, "cooldown"),
        ({"endpoint": {"receiverInfo": [{"key": "a"}]}}, "receiverInfo"),
        ({"endpoint": {"receiverInfo": [{"key": "a", "value": 1}]}}, "receiverInfo"),
        ({"endpoint": {"receiverInfo": [{"key": "a b", "value": "c"}]}}, "a b"),
        ({"endpoint": {"receiverInfo": [{"key": "a", "value": "c\r\nd: e"}]}}, "header"),
        ({"endpoint": {"receiverInfo": [{"key": "Content-Length", "value": "1"}]}}, "header"),
        (
            {
                "endpoint": {
                    "uri": "mqtt://127.0.0.1/t",
                    "notifierInfo": [{"key": "MQTT-QoS", "value": "3"}],
                }
            },
            "MQTT-QoS",
        ),
    ],
)
async def test_what_breaks_a_rule_is_named_and_nothing_is_created(
    client: httpx.AsyncClient, members: dict[str, Any], word: str
) -> None:
    response = await client.post("/subscriptions", json=body(**members))
    assert response.status_code == 400, response.text
    assert response.json()["type"].endswith("/BadRequestData")
    assert word in response.json()["detail"]
    assert (await client.get("/subscriptions")).json() == []


async def test_members_that_nobody_knows_are_ignored(client: httpx.AsyncClient) -> None:
    await subscribe(client, body(__context="x", status="expired", endpoint={"__more": 1}))
    document = await shown(client)
    assert document["status"] == "active"
    assert "__context" not in document
    assert document["notification"]["endpoint"] == {"uri": "http://127.0.0.1:9/notify"}


async def test_an_update_that_breaks_a_rule_changes_nothing(client: httpx.AsyncClient) -> None:
    await subscribe(client, body())
    before = await shown(client)
    for fragment in (
        {"notification": {"format": "keyValues"}},
        {"notification": None},
        {"entities": None},
        {"id": "urn:other:1"},
        {"expiresAt": "2000-01-01T00:00:00Z"},
    ):
        response = await client.patch(f"/subscriptions/{SUBSCRIPTION}", json=fragment)
        assert response.status_code == 400, fragment
    assert await shown(client) == before


async def test_an_endpoint_that_the_node_may_not_send_to_is_refused(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        "/subscriptions", json=body(endpoint={"uri": "http://internal.example.org/"})
    )
    assert response.status_code == 403
    assert "internal.example.org" in response.json()["detail"]


async def test_a_context_that_cannot_be_resolved_is_said_at_once(
    client: httpx.AsyncClient,
) -> None:
    document = body(jsonldContext="https://example.org/absent.jsonld")
    response = await client.post("/subscriptions", json=document)
    assert response.status_code == 504
    assert response.json()["type"].endswith("/LdContextNotAvailable")


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({}, "active"),
        ({"isActive": False}, "paused"),
        ({"expiresAt": "2100-01-01T00:00:00Z"}, "active"),
    ],
)
async def test_the_status_is_told(
    client: httpx.AsyncClient, members: dict[str, Any], status: str
) -> None:
    await subscribe(client, body(**members))
    assert (await shown(client))["status"] == status


# ── pauses ────────────────────────────────────────────────────────────────────────────────────


async def test_a_paused_subscription_misses_what_happens(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver, isActive=False))
    await put(client, size=1)
    await receiver.silence()
    await client.patch(f"/subscriptions/{SUBSCRIPTION}", json={"isActive": True})
    await patch(client, size=2)
    assert (await receiver.next())["data"][0]["size"]["value"] == 2
    await client.patch(f"/subscriptions/{SUBSCRIPTION}", json={"isActive": False})
    await patch(client, size=3)
    await receiver.silence()


async def test_a_deleted_subscription_is_told_nothing_more(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver))
    await client.delete(f"/subscriptions/{SUBSCRIPTION}")
    await put(client, size=1)
    await receiver.silence()


async def test_an_update_goes_on_with_what_it_says(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver, q="size>10"))
    await put(client, size=1)
    await client.patch(f"/subscriptions/{SUBSCRIPTION}", json={"q": "size<10"})
    await patch(client, size=2)
    assert (await receiver.next())["data"][0]["size"]["value"] == 2
    await receiver.silence()


async def test_metrics_tell_of_subscriptions_and_failing_receivers(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver))
    await subscribe(client, body(id="urn:s:dead"))
    await put(client, size=1)
    await receiver.wait(1)
    for _ in range(100):
        lines = (await client.get("http://node.test/metrics")).text.splitlines()
        if 'conurb_subscriptions_failing{tenant=""} 1' in lines:
            break
        await asyncio.sleep(0.02)
    assert 'conurb_subscriptions{tenant=""} 2' in lines
    assert 'conurb_subscriptions_behind{tenant=""} 0' in lines
    assert 'conurb_subscriptions_failing{tenant=""} 1' in lines
