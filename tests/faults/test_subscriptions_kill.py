"""A node that is killed between a write and its notification: each notification still arrives."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.postgres import free_port
from tests.services.receiver import Receiver, receiving

START_S = 20.0
ARRIVAL_S = 30.0
WRITES_MIN = 12
"""Writes of one life before its end is set."""
COMMAND = "from conurb.cli.main import main; main()"


@asynccontextmanager
async def node(port: int, store: Path) -> AsyncIterator[Process]:
    """Run a node in a process of its own; it is killed, never asked to stop."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "node", "serve"),
        *("--port", str(port), "--store", str(store)),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        await answering(process, f"http://127.0.0.1:{port}/health")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answering(process: Process, url: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(START_S):
        while process.returncode is None:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise RuntimeError("the node did not start")


def subscription(receiver_port: int, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notification": {"endpoint": {"uri": f"http://127.0.0.1:{receiver_port}/notify"}},
    }


async def write(client: httpx.AsyncClient, number: int) -> str | None:
    """Write an entity; give its id when the write was acknowledged."""
    entity_id = f"urn:e:{number}"
    document = {"id": entity_id, "type": "City", "number": number}
    try:
        response = await client.post("/entities", json=document)
    except httpx.TransportError:
        return None
    assert response.status_code == 201, response.text
    return entity_id


def told(receiver: Receiver) -> set[str]:
    return {one["id"] for post in receiver.posts for one in post.document["data"]}


async def all_told(receiver: Receiver, expected: set[str]) -> None:
    async with asyncio.timeout(ARRIVAL_S):
        while not expected <= told(receiver):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.3])
async def test_a_node_killed_between_write_and_delivery_misses_nothing(
    tmp_path: Path, after_s: float
) -> None:
    port, dead_port = free_port(), free_port()
    base_url = f"http://127.0.0.1:{port}/ngsi-ld/v1"
    written: set[str] = set()
    async with receiving() as alive, httpx.AsyncClient(base_url=base_url) as client:
        async with node(port, tmp_path / "node.db") as process:
            for name, target in (("urn:s:alive", alive.port), ("urn:s:dead", dead_port)):
                response = await client.post("/subscriptions", json=subscription(target, name))
                assert response.status_code == 201
            for number in range(40):
                written.add(await write(client, number) or "")
            await asyncio.sleep(after_s)
            process.kill()
            await process.wait()
        assert "" not in written
        async with receiving(dead_port) as back, node(port, tmp_path / "node.db"):
            await all_told(back, written)
            await all_told(alive, written)
            assert told(back) == told(alive) == written


async def test_a_node_killed_while_it_is_written_to_tells_everything_acknowledged(
    tmp_path: Path,
) -> None:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}/ngsi-ld/v1"
    written: set[str] = set()
    number = 0
    async with receiving() as receiver, httpx.AsyncClient(base_url=base_url) as client:
        receiver.delay_s = 0.005
        for life in range(3):
            async with node(port, tmp_path / "node.db") as process:
                if life == 0:
                    document = subscription(receiver.port, "urn:s:1")
                    assert (await client.post("/subscriptions", json=document)).is_success
                stop: asyncio.TimerHandle | None = None
                told_apart = number + WRITES_MIN
                while (acknowledged := await write(client, number := number + 1)) is not None:
                    written.add(acknowledged)
                    # By writes and not by time alone, so that a busy machine shows as much.
                    if stop is None and number >= told_apart:
                        stop = asyncio.get_running_loop().call_later(0.4, process.kill)
                assert stop is not None, "nothing was written: the test shows nothing"
        async with node(port, tmp_path / "node.db"):
            await all_told(receiver, written)
    assert len(written) > 30
