"""Subscribing to cities over HTTP, for tests of what a receiver is told."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.services.receiver import Receiver

SUBSCRIPTION = "urn:ngsi-ld:Subscription:1"
CITY = "urn:ngsi-ld:City:shanghai"
LD = {"Content-Type": "application/ld+json"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def body(receiver: Receiver | None = None, /, **members: Any) -> dict[str, Any]:
    """A subscription to cities; keyword members go before, those of notification into it."""
    inner = ("format", "sysAttrs", "showChanges", "attributes", "pick", "omit", "join", "joinLevel")
    notification = {key: members.pop(key) for key in inner if key in members}
    endpoint = {"uri": receiver.url if receiver else "http://127.0.0.1:9/notify"}
    endpoint |= members.pop("endpoint", {})
    document = {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notification": {**notification, "endpoint": endpoint},
        **members,
    }
    return {key: value for key, value in document.items() if value is not ...}


async def subscribe(client: httpx.AsyncClient, document: dict[str, Any]) -> str:
    response = await client.post("/subscriptions", json=document)
    assert response.status_code == 201, response.text
    return str(response.headers["location"])


async def put(client: httpx.AsyncClient, entity_id: str = CITY, /, **attrs: Any) -> None:
    document = {"id": entity_id, "type": "City", **attrs}
    response = await client.post("/entities", json=document)
    assert response.status_code == 201, response.text


async def patch(client: httpx.AsyncClient, entity_id: str = CITY, /, **attrs: Any) -> None:
    response = await client.patch(f"/entities/{entity_id}/attrs", json=attrs)
    assert response.status_code == 204, response.text


async def shown(client: httpx.AsyncClient) -> Any:
    response = await client.get(f"/subscriptions/{SUBSCRIPTION}")
    assert response.status_code == 200, response.text
    return response.json()


async def notification_of(client: httpx.AsyncClient, member: str, value: Any) -> Any:
    """Wait until a subscription's notification shows a value; give all of it."""
    for _ in range(250):
        notification = (await shown(client))["notification"]
        if notification.get(member) == value:
            return notification
        await asyncio.sleep(0.02)
    raise AssertionError(f"{member} is not {value}: {notification}")
