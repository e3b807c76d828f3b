"""Nodes on ports of their own within the test's process, and a source that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn

from conurb.app import build_served
from conurb.config import Settings
from tests.services.postgres import free_port

API = "/ngsi-ld/v1"
BUS = "Bus"


@dataclass
class Served:
    """A node that is served: its URL, and a client of it."""

    url: str
    client: httpx.AsyncClient

    async def put(self, *entities: dict[str, Any]) -> None:
        """Write objects into this node alone."""
        for entity in entities:
            response = await self.client.post(
                f"{API}/entities", json=entity, params={"local": "true"}
            )
            assert response.status_code == 201, response.text

    async def has(self, entity_id: str) -> dict[str, Any] | None:
        """Give what this node alone has of an entity."""
        response = await self.client.get(f"{API}/entities/{entity_id}", params={"local": "true"})
        return response.json() if response.status_code == 200 else None

    async def register(self, endpoint: str, **members: Any) -> str:
        """Register a source with this node; any bus of it unless `members` say otherwise."""
        document = {
            "id": f"urn:ngsi-ld:ContextSourceRegistration:{free_port()}",
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": BUS}]}],
            "endpoint": endpoint,
            **members,
        }
        response = await self.client.post(f"{API}/csourceRegistrations", json=document)
        assert response.status_code == 201, response.text
        return str(document["id"])

    async def buses(self, **params: str) -> httpx.Response:
        """Query buses."""
        return await self.client.get(f"{API}/entities", params={"type": BUS, **params})


@asynccontextmanager
async def served(folder: Path, name: str, **settings: Any) -> AsyncIterator[Served]:
    """Serve a node on a port of its own."""
    settings = {"store": str(folder / f"{name}.db"), **settings}
    chosen = Settings(port=free_port(), node_id=name, **settings)
    config = uvicorn.Config(
        build_served(chosen),
        host="127.0.0.1",
        port=chosen.port,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110  (uvicorn tells nobody)
            await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{chosen.port}"
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        try:
            yield Served(url, client)
        finally:
            server.should_exit = True
            await task


Fault = Literal["garbage", "not-ngsi-ld", "cut", "slow", "endless", "error", "refused", "empty"]


@dataclass
class Faulty:
    """A source that answers every request in one wrong way; it counts them."""

    url: str
    fault: Fault = "empty"
    requests: list[bytes] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if not await self._sent(writer):
                    break
        writer.close()

    async def _sent(self, writer: asyncio.StreamWriter) -> bool:
        bodies = {"garbage": b"GARBAGE{", "not-ngsi-ld": b'[{"id": 3}]', "empty": b"[]"}
        if self.fault in bodies:
            writer.write(_http(200, bodies[self.fault]))
        elif self.fault == "error":
            writer.write(_http(500, b'{"marker": "EVIL"}'))
        elif self.fault == "cut":
            writer.write(_http(200, b'[{"id": "urn:x:1", "type"', length=10_000))
            await writer.drain()
            return False
        elif self.fault == "endless":
            writer.write(_http(200, b"[", length=10**12))
            while True:
                writer.write(b" " * 65_536)
                await writer.drain()
        elif self.fault == "slow":
            await asyncio.sleep(10)
        else:
            return False
        await writer.drain()
        return True


def _http(status: int, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def faulty(fault: Fault = "empty") -> AsyncIterator[Faulty]:
    """Serve a source that misbehaves."""
    port = free_port()
    source = Faulty(f"http://127.0.0.1:{port}", fault)
    server = await asyncio.start_server(source.answer, "127.0.0.1", port)
    try:
        yield source
    finally:
        server.close()


def bus(local: str, **attributes: Any) -> dict[str, Any]:
    """Write a bus with attributes by their values."""
    return {
        "id": f"urn:ngsi-ld:Bus:{local}",
        "type": BUS,
        **{name: {"type": "Property", "value": value} for name, value in attributes.items()},
    }
