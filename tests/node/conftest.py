"""A host of nodes on the embedded engine, with a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conurb.node.contexts import Contexts
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.node.shelf import open_shelf


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
    opened = Host(
        open_shelf(str(tmp_path / "node.db"), clock=clock),
        node_id="city",
        contexts=Contexts(clock=clock),
        clock=clock,
    )
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def node(host: Host) -> Node:
    return await host.node()
