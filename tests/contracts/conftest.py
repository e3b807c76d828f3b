"""The engines that the contract is tested on; each test gets an empty store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conurb.model.time import US_PER_S
from conurb.store.contract import Store
from conurb.store.engines import open_store

START_US = 1_700_000_000 * US_PER_S


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def advance(self, seconds: float = 1.0) -> int:
        self.now_us += int(seconds * US_PER_S)
        return self.now_us


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty store, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "node.db")
    url: str = request.getfixturevalue("postgres_node_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    """Give an open store; whatever a test did to it, it must agree with itself at the end."""
    opened = open_store(store_url, clock=clock)
    await opened.open()
    try:
        yield opened
        assert await opened.check() == []
    finally:
        await opened.close()
