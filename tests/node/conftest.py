"""A host of nodes on the embedded engine, with a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conurb.node.contexts import Contexts
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.node.shelf import open_shelf
from tests.node.city import City, opened
from tests.services.receiver import Receiver, receiving


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_800_000_000_000_000)


@pytest.fixture
async def host(tmp_path: Path, clock: HandClock) -> AsyncIterator[Host]:
    one = Host(
        open_shelf(str(tmp_path / "node.db"), clock=clock),
        node_id="city",
        contexts=Contexts(clock=clock),
        clock=clock,
    )
    await one.open()
    yield one
    await one.close()


@pytest.fixture
async def node(host: Host) -> Node:
    return await host.node()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store of a city is, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "city.db")
    url: str = request.getfixturevalue("postgres_node_url")
    return url


@pytest.fixture
async def city(place: str) -> AsyncIterator[City]:
    async with opened(place) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running
