"""Subscriptions reach the sources that they concern, and leave them when they go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conurb.federation.filing import KIND as REGISTRATION
from conurb.store.engines import open_store
from tests.federation.served import API, Served, bus, served
from tests.services.postgres import free_port

SUBSCRIPTION = "urn:ngsi-ld:Subscription:1"
WITHIN_S = 10.0


class Receiver:
    """Takes notifications."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.notifications: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        self.notifications.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            return await self.notifications.get()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    port = free_port()
    here = Receiver(f"http://127.0.0.1:{port}/")
    server = await asyncio.start_server(here.answer, "127.0.0.1", port)
    try:
        yield here
    finally:
        server.close()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Served, Served, Receiver]]:
    async with AsyncExitStack() as stack:
        region = await stack.enter_async_context(served(tmp_path, "region"))
        suzhou = await stack.enter_async_context(served(tmp_path, "suzhou"))
        yield region, suzhou, await stack.enter_async_context(receiver())


async def subscribe(node: Served, to: Receiver, **members: Any) -> None:
    document = {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "Bus"}],
        "notification": {"endpoint": {"uri": to.url, "accept": "application/json"}},
        **members,
    }
    response = await node.client.post(f"{API}/subscriptions", json=document)
    assert response.status_code == 201, response.text


async def copies(node: Served, count: int) -> list[dict[str, Any]]:
    """Wait until a node has so many subscriptions, and give them."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = (await node.client.get(f"{API}/subscriptions")).json()
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


async def test_a_subscriber_is_told_of_what_a_source_holds(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    await subscribe(region, told, q="speed>50")
    [copy] = await copies(suzhou, 1)
    assert copy["q"] == "speed>50"
    assert told.url not in json.dumps(copy)
    await suzhou.put(bus("slow", speed=10), bus("fast", speed=60))
    notification = await told.next()
    assert notification["subscriptionId"] == SUBSCRIPTION
    assert [one["id"] for one in notification["data"]] == ["urn:ngsi-ld:Bus:fast"]
    assert notification["data"][0].keys() == {"id", "type", "speed"}


async def test_a_subscriber_is_told_of_what_is_deleted_at_a_source(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    triggers = ["attributeDeleted", "entityDeleted"]
    await subscribe(region, told, notificationTrigger=triggers, q="speed>0")
    await copies(suzhou, 1)
    await suzhou.put(bus("1", speed=10, line="a"))
    path = f"{API}/entities/urn:ngsi-ld:Bus:1"
    assert (await suzhou.client.delete(path + "/attrs/line")).status_code == 204
    [entity] = (await told.next())["data"]
    assert entity["line"]["value"] == "urn:ngsi-ld:null"
    assert (await suzhou.client.delete(path)).status_code == 204
    [entity] = (await told.next())["data"]
    assert "deletedAt" in entity
    assert "speed" not in entity


async def test_the_copy_goes_when_the_subscription_goes(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    await subscribe(region, told)
    await copies(suzhou, 1)
    response = await region.client.delete(f"{API}/subscriptions/{SUBSCRIPTION}")
    assert response.status_code == 204
    await copies(suzhou, 0)


async def test_a_source_registered_later_gets_its_copy_and_loses_it_with_the_registration(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await subscribe(region, told)
    registration = await region.register(suzhou.url)
    await copies(suzhou, 1)
    await region.client.delete(f"{API}/csourceRegistrations/{registration}")
    await copies(suzhou, 0)


async def test_a_copy_goes_although_the_node_ended_right_after_its_registration_was_deleted(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, "suzhou") as suzhou, receiver() as told:
        async with served(tmp_path, "region") as region:
            registration = await region.register(suzhou.url)
            await subscribe(region, told)
            await copies(suzhou, 1)
        store = open_store(str(tmp_path / "region.db"))
        await store.open()
        assert await store.delete_document(REGISTRATION, registration)
        await store.close()
        async with served(tmp_path, "region"):
            await copies(suzhou, 0)


async def test_a_copy_follows_its_source_when_that_moves(
    tmp_path: Path, nodes: tuple[Served, Served, Receiver]
) -> None:
    region, suzhou, told = nodes
    registration = await region.register(suzhou.url)
    await subscribe(region, told)
    await copies(suzhou, 1)
    async with served(tmp_path, "moved") as moved:
        path = f"{API}/csourceRegistrations/{registration}"
        response = await region.client.patch(path, json={"endpoint": moved.url})
        assert response.status_code == 204, response.text
        await copies(moved, 1)
        await copies(suzhou, 0)


async def test_a_periodic_subscription_tells_of_what_sources_hold(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    await region.put(bus("1", speed=10))
    await suzhou.put(bus("2", speed=20), bus("3", speed=1))
    await subscribe(region, told, timeInterval=1, q="speed>5")
    first = await told.next()
    assert [one["id"].rsplit(":", 1)[1] for one in first["data"]] == ["1", "2"]
    await suzhou.put(bus("4", speed=40))
    async with asyncio.timeout(WITHIN_S):
        while len((await told.next())["data"]) < 3:
            pass
    assert (await suzhou.client.get(f"{API}/subscriptions")).json() == []


async def test_a_changed_subscription_changes_its_copy(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    await subscribe(region, told, q="speed>50")
    await copies(suzhou, 1)
    path = f"{API}/subscriptions/{SUBSCRIPTION}"
    assert (await region.client.patch(path, json={"q": "speed>90"})).status_code == 204
    async with asyncio.timeout(WITHIN_S):
        while [one["q"] for one in await copies(suzhou, 1)] != ["speed>90"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await region.client.patch(path, json={"isActive": False})).status_code == 204
    await copies(suzhou, 0)


async def test_a_source_is_given_what_it_is_registered_for_alone(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(
        suzhou.url, information=[{"entities": [{"type": "Bus"}], "propertyNames": ["speed"]}]
    )
    await subscribe(region, told, entities=[{"type": "Bus"}, {"type": "Tram"}])
    [copy] = await copies(suzhou, 1)
    assert copy["entities"] == [{"type": "Bus"}]
    assert copy["watchedAttributes"] == ["speed"]


async def test_an_entity_that_is_spread_over_nodes_is_told_as_a_whole(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.put(bus("1", line="a"))
    await region.register(suzhou.url)
    await subscribe(region, told, splitEntities=True, q='speed>50;line=="a"')
    [copy] = await copies(suzhou, 1)
    assert "q" not in copy
    await suzhou.put(bus("1", speed=10))
    await suzhou.client.patch(
        f"{API}/entities/urn:ngsi-ld:Bus:1/attrs", json={"speed": {"value": 60}}
    )
    [entity] = (await told.next())["data"]
    assert entity["speed"]["value"] == 60
    assert entity["line"]["value"] == "a"


async def test_nodes_that_register_each_other_do_not_copy_in_circles(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, suzhou, told = nodes
    await region.register(suzhou.url)
    await suzhou.register(region.url)
    await subscribe(region, told)
    await copies(suzhou, 1)
    await suzhou.put(bus("1", speed=1))
    await told.next()
    await asyncio.sleep(0.5)
    assert told.notifications.empty()
    await copies(region, 1)


async def test_what_nobody_subscribed_to_is_not_passed_on(
    nodes: tuple[Served, Served, Receiver],
) -> None:
    region, _, _ = nodes
    response = await region.client.post(
        "/ngsi-ld/ex/remote-notify",
        json={"type": "Notification", "subscriptionId": "urn:x:guessed", "data": [bus("1")]},
    )
    assert response.status_code == 404
