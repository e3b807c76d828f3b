"""How a connection reaches its node: over HTTP, or by opening the store in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

IN_PROCESS = "http://in-process"


@asynccontextmanager
async def open_transport(target: str) -> AsyncIterator[tuple[str, httpx.AsyncBaseTransport]]:
    """Open the way to a node: give its base URL and the transport to it.

    An `http(s)` URL is called; anything else is a store, for which a node is made here and closed
    with the connection.
    """
    if target.startswith(("http://", "https://")):
        async with httpx.AsyncHTTPTransport(retries=1) as transport:
            yield target.rstrip("/"), transport
        return
    from conurb.app import open_app

    async with open_app(store=target) as app:
        yield IN_PROCESS, httpx.ASGITransport(app=app)
