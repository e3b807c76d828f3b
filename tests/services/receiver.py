"""A receiver of notifications: a real HTTP server on a free loopback port, told what to answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

ARRIVAL_S = 20.0
"""How long a test waits for a notification that has to come, on a machine that is busy."""

SILENCE_S = 0.4
"""How long a test waits for one that must not come."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def document(self) -> Any:
        """Give the body as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Takes requests; `answer` says the status to answer each with, after `delay_s`."""

    port: int = 0
    answer: Callable[[Post], int] = lambda post: 200
    delay_s: float = 0.0
    posts: list[Post] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Give where notifications are to be sent."""
        return f"http://127.0.0.1:{self.port}/notify"

    async def wait(self, count: int, timeout_s: float = ARRIVAL_S) -> list[Post]:
        """Wait until so many requests have arrived; give them."""
        async with asyncio.timeout(timeout_s):
            while len(self.posts) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.posts[:count]

    async def next(self, timeout_s: float = ARRIVAL_S) -> Any:
        """Wait for a request, take it out and give its document."""
        await self.wait(1, timeout_s)
        return self.posts.pop(0).document

    async def silence(self, silence_s: float = SILENCE_S) -> None:
        """Fail if a request arrives."""
        await asyncio.sleep(silence_s)
        assert self.posts == []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in headers.items()}
                body = await reader.readexactly(int(headers["content-length"]))
                at_s = asyncio.get_running_loop().time()
                post = Post(head[0].split(" ")[1], headers, body, at_s)
                self.posts.append(post)
                self._arrived.set()
                await asyncio.sleep(self.delay_s)
                status = self.answer(post)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def hang_up(self) -> None:
        """Close every connection."""
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """Run a receiver; on a given port when it is to come back where one was."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.hang_up()
