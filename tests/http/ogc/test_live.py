"""What changes, told as it changes: coalesced, resumed after a break, within what a caller may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import BadRequestDataError, ForbiddenError
from conurb.federation import live
from conurb.federation.live import Live, live_of
from conurb.federation.live_token import read_token, write_token
from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.query.tree import Restriction
from conurb.node.node import Node
from tests.federation.served import Served, served
from tests.http.ogc.conftest import put, station

KIND = "https://example.org/Bus"
EVERYTHING: frozenset[str] = frozenset()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    host = build_host(Settings(store=str(tmp_path / "node.db"), outbound=()))
    await host.open()
    yield await host.node()
    await host.close()


@pytest.fixture
def hub(node: Node) -> Live:
    return live_of(node)


def bus(name: str, speed: int = 0, *, scope: tuple[str, ...] = ()) -> Entity:
    attrs = {"https://example.org/speed": [{"type": "Property", "value": speed}]}
    return Entity(f"urn:ngsi-ld:Bus:{name}", (KIND,), attrs, scope=scope)


async def write(node: Node, *buses: Entity) -> None:
    await node.store.apply_all([UpsertEntity(one) for one in buses])


async def told(listener: live.Listener) -> dict[str, Any]:
    """Wait for news, and for what comes right behind them."""
    assert await listener.wait(5)
    await asyncio.sleep(0.05)
    return {
        one.id.rpartition(":")[2]: None
        if one.entity is None
        else one.entity.attrs["https://example.org/speed"][0]["value"]
        for one in listener.take().changes
    }


async def test_each_object_is_told_once_with_its_latest_state(node: Node, hub: Live) -> None:
    listener = await hub.listen(LOCAL, types=EVERYTHING)
    for speed in range(5):
        await write(node, bus("1", speed))
    await write(node, bus("2", 7))
    await node.store.apply_all([DeleteEntity("urn:ngsi-ld:Bus:2")])
    assert await told(listener) == {"1": 4, "2": None}
    assert not await listener.wait(0.05)
    await hub.leave(listener)


async def test_only_the_types_asked_for_are_told(node: Node, hub: Live) -> None:
    listener = await hub.listen(LOCAL, types=frozenset({KIND}))
    await write(node, Entity("urn:x:1", ("https://example.org/Tram",)), bus("1", 1))
    assert await told(listener) == {"1": 1}


async def test_who_comes_back_is_told_what_was_missed_and_nothing_twice(
    node: Node, hub: Live
) -> None:
    first = await hub.listen(LOCAL, types=EVERYTHING)
    await write(node, bus("1", 1))
    await first.wait(5)
    token = first.take().token
    await hub.leave(first)
    await write(node, bus("2", 2), bus("3", 3))
    again = await hub.listen(LOCAL, types=EVERYTHING, token=token)
    await write(node, bus("3", 4))
    await asyncio.sleep(0.2)
    assert await told(again) == {"2": 2, "3": 4}
    # What was not taken yet is not behind the token.
    await write(node, bus("5", 5))
    await again.wait(5)
    assert again.find_token() is None
    last = again.take()
    third = await hub.listen(LOCAL, types=EVERYTHING, token=last.token)
    assert third.find_token() is not None


async def test_what_cannot_be_told_any_more_is_said(
    node: Node, hub: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(node, *(bus(str(n)) for n in range(20)))
    monkeypatch.setattr(live, "MISSED_MAX", 10)
    listener = await hub.listen(LOCAL, types=EVERYTHING, token=write_token({node.id: 1}))
    assert "19 changes were missed, over 10" in (listener.take().reset or "")
    strange = await hub.listen(LOCAL, types=EVERYTHING, token=write_token({node.id: 10_000}))
    assert "another journal" in (strange.take().reset or "")


async def test_a_listener_that_takes_nothing_is_dropped_with_a_message(
    node: Node, hub: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "OBJECTS_MAX", 5)
    listener = await hub.listen(LOCAL, types=EVERYTHING)
    await write(node, *(bus(str(n)) for n in range(6)))
    await listener.wait(5)
    await asyncio.sleep(0.1)
    said = listener.take()
    assert said.changes == []
    assert "too slow" in (said.dropped or "")


async def test_a_caller_is_told_no_more_than_they_may_read(node: Node, hub: Live) -> None:
    caller = Caller("wuxi", frozenset({"read"}), Restriction(scopes=("/yrd/wuxi",)))
    listener = await hub.listen(caller, types=EVERYTHING)
    await write(node, bus("1", 1, scope=("/yrd/wuxi",)), bus("2", 2, scope=("/yrd/huzhou",)))
    await write(node, bus("3", 3))
    await node.store.apply_all([DeleteEntity(f"urn:ngsi-ld:Bus:{n}") for n in (2, 3)])
    assert await told(listener) == {"1": 1}
    with pytest.raises(ForbiddenError):
        await hub.listen(Caller("nobody", frozenset()), types=EVERYTHING)


@pytest.mark.parametrize("token", ["x", "é", "e30", "A" * 30_000, write_token({}) + "!"])
async def test_a_token_that_is_none_is_refused(hub: Live, token: str) -> None:
    with pytest.raises(BadRequestDataError, match="Last-Event-ID"):
        await hub.listen(LOCAL, types=EVERYTHING, token=token)


def test_a_token_says_every_position() -> None:
    positions = {f"city-{n}": n * 1_000_003 for n in range(50)}
    assert read_token(write_token(positions)) == positions


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def events(node: Served, **headers: str) -> AsyncIterator[asyncio.Queue[Any]]:
    """Listen to buses; give the events as (name, data, id) as they come."""
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def listen() -> None:
        params = {"types": "AirQualityObserved", "properties": "pm25"}
        async with node.client.stream("GET", "/live", params=params, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "data" in event:
                    heard.put_nowait((event["event"], json.loads(event["data"]), event.get("id")))
                    event = {}

    listening = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def test_a_browser_s_reader_follows_and_comes_back(tmp_path: Path) -> None:
    async with served(tmp_path, "node") as node:
        async with asyncio.timeout(20), events(node) as heard:
            name, data, _ = await heard.get()
            assert (name, data["silent"]) == ("hello", {})
            await put(node.client, station("1", 120.3, 31.5, pm25=5))
            name, data, token = await heard.get()
            assert name == "changes"
            [feature] = data["features"]
            assert feature["properties"] == {"pm25": 5}
            assert feature["geometry"]["coordinates"] == [120.3, 31.5]
        await put(node.client, station("2", 120.4, 31.5, pm25=6))
        await node.client.delete("/ngsi-ld/v1/entities/urn:ngsi-ld:AirQualityObserved:1")
        async with asyncio.timeout(20), events(node, **{"Last-Event-ID": token}) as heard:
            await heard.get()
            _, data, _ = await heard.get()
            assert [one["properties"]["pm25"] for one in data["features"]] == [6]
            assert [one["id"] for one in data["gone"]] == ["urn:ngsi-ld:AirQualityObserved:1"]


async def test_a_wrong_token_is_a_bad_request(tmp_path: Path) -> None:
    async with served(tmp_path, "node") as node:
        response = await node.client.get("/live", headers={"Last-Event-ID": "nonsense"})
        assert response.status_code == 400
