"""What the tests of systems share: a host, a site at its node, and systems that run there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conurb.app import build_host
from conurb.config import Settings
from conurb.model.entity import Entity
from conurb.model.parse import parse_entity
from conurb.model.time import Clock, system_clock
from conurb.model.vocabulary import platform_terms
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.store.contract import Record
from conurb.systems.contract import EVERYWHERE, Place, Site, System
from conurb.systems.runner import Journals, Runner, Setup
from conurb.systems.standing import Standing

PATIENCE_S = 45.0


def entity(document: dict[str, Any]) -> Entity:
    """Read an object of the tests in the platform's terms."""
    return parse_entity(document, platform_terms())


@asynccontextmanager
async def open_host(
    folder: Path, clock: Clock = system_clock, **settings: Any
) -> AsyncIterator[Host]:
    """Open a host whose stores are in a folder."""
    named = {"node_id": "node", **settings}
    chosen = Settings(store=str(folder / "node.db"), data_folder=folder, **named)
    host = build_host(chosen, clock=clock)
    await host.open()
    try:
        yield host
    finally:
        await host.close()


@dataclass
class Running:
    """Systems that run at a node, in the test's hands."""

    node: Node
    runner: Runner

    @property
    def site(self) -> Site:
        return self.runner.running[0].site

    def part(self, name: str) -> Standing:
        """Give the counters of a part of the first system."""
        return next(one for one in self.runner.running[0].standings if one.name == name)

    async def journal(self) -> list[Record]:
        return await self.node.store.journal(after=0, limit=100_000)


@asynccontextmanager
async def running(
    node: Node,
    folder: Path,
    *systems: System,
    places: frozenset[Place] = EVERYWHERE,
    **setup: Any,
) -> AsyncIterator[Running]:
    """Run systems at a node, until the end of the block."""
    runner = Runner(node, Setup(systems, folder=folder / "systems", **setup), places, Journals())
    await runner.open()
    try:
        yield Running(node, runner)
    finally:
        await runner.close()


async def until(done: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; fail when it takes too long."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            held = done()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.01)


TITLES = {"en": "A test", "zh": "测试"}


def system(name: str = "test", **parts: Any) -> System:
    """Make a system for a test."""
    return System(name, TITLES, TITLES, **parts)
