"""How a connection reaches its node: over HTTP, or by opening the store in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from conurb.errors import ConfigError

IN_PROCESS: Final = "http://in-process"
DATABASES: Final = ("postgresql://", "postgres://", "sqlite://")
STORES: Final = (".db", ".sqlite", ".sqlite3")
"""Ends of names of stores: what is made for a name without one would be a mistyped URL."""


@asynccontextmanager
async def open_transport(target: str) -> AsyncIterator[tuple[str, httpx.AsyncBaseTransport]]:
    """Open the way to a node: give its base URL and the transport to it.

    An `http(s)` URL is called; anything else is a store, for which a node is made here and closed
    with the connection, and whose file is made when its name says that it is one. Raises
    ConfigError for what is neither.
    """
    if target.startswith(("http://", "https://")):
        async with httpx.AsyncHTTPTransport(retries=1) as transport:
            yield target.rstrip("/"), transport
        return
    from conurb.app import open_app

    _check_store(target)
    async with open_app(store=target) as app:
        yield IN_PROCESS, httpx.ASGITransport(app=app)


def _check_store(target: str) -> None:
    """Raise ConfigError for what was meant to be something else: a URL without its scheme, say."""
    named = target.startswith(DATABASES) or target.endswith(STORES)
    if not named and not Path(target).exists():
        raise ConfigError(
            f"{target!r} is neither the URL of a node, such as http://127.0.0.1:8080, nor a store: "
            "a file that is there, one to be made whose name ends in .db, or postgresql://..."
        )
