"""A node of its own for each test, asked in process over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from conurb.app import open_app
from conurb.config import Settings
from tests.services.receiver import Receiver, receiving

BASE = "http://node.test"


@pytest.fixture
def settings() -> Settings:
    return Settings(body_bytes_max=100_000, batch_max=1500, outbound=("loopback",))


@pytest.fixture
async def app(tmp_path: Path, settings: Settings) -> AsyncIterator[Starlette]:
    async with open_app(store=tmp_path / "node.db", settings=settings) as opened:
        yield opened


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url=BASE + "/ngsi-ld/v1") as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give a receiver of notifications."""
    async with receiving() as running:
        yield running
