"""A way between two nodes that can be broken: a TCP proxy that injects one fault at a time.

It stands on a port of its own in front of a node and passes bytes on in both directions, until it
is told to do otherwise. Connections that are open when the fault changes are ended, so that what
follows meets the new one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from tests.services.postgres import free_port

Fault = Literal["none", "refused", "silent", "slow", "garbage", "cut", "endless"]

CHUNK = 65_536
CUT_AFTER = 200
"""Bytes of an answer that pass before it is cut off: the head, and the body's beginning."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = HEAD + b"Content-Length: 1000000000000\r\n\r\n["
GARBAGE = HEAD + b"Content-Length: 8\r\n\r\nGARBAGE{"


class Proxy:
    """Passes on to `target`, a port of this machine, or does what `fault` says.

    `refused` takes no connection, `silent` takes it and says nothing, `slow` passes the answer on
    after `delay_s`, `garbage` answers what isn't JSON, `cut` ends an answer within its body,
    `endless` never ends it. `taken` counts the connections.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.target = target
        self.fault: Fault = "none"
        self.delay_s = 10.0
        self.taken = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def be(self, fault: Fault) -> None:
        """Inject a fault from now on, or `none`."""
        self.fault = fault
        for writer in list(self._writers):
            writer.transport.abort()
        if fault == "refused":
            await self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._taken, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self._writers.add(writer)
        try:
            # Cancelled: the loop ends while an answer is being held back.
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "silent":
            await reader.read()
        elif self.fault in ("garbage", "endless"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(GARBAGE if self.fault == "garbage" else ENDLESS)
            while self.fault == "endless":
                writer.write(b" " * CHUNK)
                await writer.drain()
            await writer.drain()
        else:
            await self._pass_on(reader, writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(back)
        try:
            async with asyncio.TaskGroup() as group:
                forth = group.create_task(self._forth(reader, back))
                await self._back(there, writer)
                forth.cancel()
        except* (ConnectionError, OSError):
            pass
        finally:
            self._writers.discard(back)
            back.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(CHUNK):
            if self.fault == "slow":
                await asyncio.sleep(self.delay_s)
            if self.fault == "cut":
                data = data[: CUT_AFTER - passed]
            writer.write(data)
            await writer.drain()
            passed += len(data)
            if self.fault == "cut" and passed >= CUT_AFTER:
                return


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """Stand in front of a port of this machine."""
    found = Proxy(target)
    await found.be("none")
    try:
        yield found
    finally:
        await found.close()
