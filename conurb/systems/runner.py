"""Runs systems beside a node: one task per reaction, schedule and connector.

A `Runner` is a companion of its node: it starts when the node has been opened and stops before it
is closed. A node without systems has none, and nothing of this is imported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from conurb.errors import ConfigError
from conurb.node.provide import Provision
from conurb.node.temporal import Temporal
from conurb.systems.checks import CheckedStore, types_of
from conurb.systems.connect.task import ConnectorTask
from conurb.systems.contract import NAME, Connector, Endpoint, Health, Place, Site, System
from conurb.systems.dead_letters import DeadLetters
from conurb.systems.journals import Members, OwnJournal
from conurb.systems.reactions import ReactionTask, RegionReactionTask
from conurb.systems.schedules import ScheduleTask
from conurb.systems.standing import Kind, Standing, keep_going
from conurb.systems.writing import Pen, reader_name

if TYPE_CHECKING:
    from conurb.model.portrayal import Layer
    from conurb.node.node import Node
    from conurb.store.contract import Store

AT: Final = "at"
AT_DEFAULT: Final = "region"
"""What names the table of options for one site, and the site of the default tenant in it."""

HEALTH_S: Final = 5.0
"""How long a system may take to say how it is."""
CONNECTORS_MAX: Final = 1_000
"""How many connectors a system may have at one site."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """What the operator chose: which systems, and what they are told.

    `options` maps the name of a system to its table of settings. `folder` is where systems keep
    files.
    """

    systems: tuple[System, ...]
    folder: Path
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recordings: Path | None = None
    replay: bool = False
    check_types: bool = False


class Journals:
    """The journals of a process by node, so that all who read one share its pages."""

    def __init__(self) -> None:
        self._own: dict[int, OwnJournal] = {}

    def of(self, node: Node) -> OwnJournal:
        """Give the journal of a node."""
        return self._own.setdefault(id(node.store), OwnJournal(node.store))


@dataclass(slots=True)
class Running:
    """One system at one site."""

    system: System
    site: Site
    standings: list[Standing] = field(default_factory=list)


class Runner:
    """The systems of one node."""

    def __init__(
        self, node: Node, setup: Setup, places: frozenset[Place], journals: Journals
    ) -> None:
        self._node = node
        self._setup = setup
        self._places = places
        self._journals = journals
        self._tasks: list[asyncio.Task[None]] = []
        self._store: Store = node.store
        if setup.check_types:
            checked = CheckedStore(node.store, types_of(setup.systems))
            self._store = cast("Store", checked)
        self.running = tuple(
            Running(system, self._site(system))
            for system in setup.systems
            if system.runs_on & places
        )

    def guard(self) -> None:
        """Check what is written to the node by the rules of its systems' types, if it opted in.

        To be called before the node is federated: its own writes are what is checked.
        """
        if self._setup.check_types:
            self._node.provide = Provision(self._store, self._node.bounds)
            self._node.temporal = Temporal(self._store, self._node.bounds)

    def _site(self, system: System) -> Site:
        node, setup = self._node, self._setup
        place = quote(node.tenant, safe="") if node.tenant else "_"
        return Site(
            system=system.name,
            node=node,
            places=self._places & system.runs_on,
            outbound=node.delivery.outbound,
            folder=setup.folder / system.name / place,
            options=options_at(system.name, setup.options.get(system.name, {}), node.tenant),
            recordings=setup.recordings,
            replay=setup.replay,
            checked=self._store,
        )

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Start every part; raise ConfigError when a system's options are wrong."""
        for running in self.running:
            parts = list(self._parts(running))
            name = f"{running.system.name} at {running.site.owner}"
            self._tasks.append(asyncio.create_task(self._run(running, parts), name=name))

    async def close(self) -> None:
        """Stop every part; what was accepted has been stored."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _run(
        self, running: Running, parts: Sequence[Callable[[], Coroutine[Any, Any, None]]]
    ) -> None:
        """Prepare a system, then run its parts side by side."""
        prepare = running.system.prepare
        if prepare is not None:
            standing = Standing("prepare", "prepare")
            running.standings.append(standing)

            async def work() -> None:
                await prepare(running.site)

            await keep_going(work, standing)
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part())

    def _parts(self, running: Running) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
        system, site = running.system, running.site
        own = self._journals.of(self._node)
        for reaction in system.reactions:
            if not _runs(reaction.runs_on, site):
                continue
            pen = self._pen(running, "reaction", reaction.name)
            if reaction.hears == "region":
                members = Members(self._node, self._journals.of)
                yield RegionReactionTask(reaction, site, pen, own, members).run
            else:
                task = ReactionTask(reaction, site, pen, own)
                yield _Bound(task, pen.standing).run
        for schedule in system.schedules:
            if _runs(schedule.runs_on, site):
                pen = self._pen(running, "schedule", schedule.name)
                yield ScheduleTask(schedule, site, pen).run
        for connector in connectors_of(system, site):
            pen = self._pen(running, "connector", connector.name)
            yield ConnectorTask(connector, site, pen).run

    def _pen(self, running: Running, kind: Kind, part: str) -> Pen:
        standing = Standing(kind, part)
        running.standings.append(standing)
        system, site = running.system, running.site
        reader = reader_name(system.name, kind, part, elsewhere=kind != "reaction")
        letters = DeadLetters(site.folder / "dead" / f"{kind}-{part}.jsonl")
        return Pen(site, self._store, standing, letters, reader=reader)

    # ── how they are ──────────────────────────────────────────────────────────────────────────

    async def health(self, running: Running) -> Health:
        """Say how a system is here: its own word, and whether its parts go on."""
        own = Health()
        if running.system.health is not None:
            try:
                async with asyncio.timeout(HEALTH_S):
                    own = await running.system.health(running.site)
            except Exception as error:  # a system that can't say how it is, isn't well
                own = Health("degraded", f"its health can't be said: {error!r}")
        waiting = [one for one in running.standings if one.state == "waiting"]
        if own.status != "ok" or not waiting:
            return own
        detail = "; ".join(f"{one.kind} {one.name}: {one.error}" for one in waiting)
        return Health("degraded", detail, own.figures)

    async def behind(self, running: Running) -> None:
        """Note how many records of the journal each reaction has still to read."""
        end = await self._node.store.journal_end()
        for standing in running.standings:
            if standing.seq is not None:
                standing.behind = max(0, end - standing.seq)

    def endpoints(self) -> Iterator[tuple[Running, Endpoint]]:
        """Stream the HTTP operations that this node answers."""
        for running in self.running:
            for endpoint in running.system.endpoints:
                if _runs(endpoint.runs_on, running.site):
                    yield running, endpoint

    def layers(self) -> Iterator[Layer]:
        """Stream the map layers of the systems that run here."""
        for running in self.running:
            yield from running.system.layers


@dataclass(frozen=True, slots=True)
class _Bound:
    task: ReactionTask
    standing: Standing

    async def run(self) -> None:
        await self.task.run(self.standing)


def _runs(places: frozenset[Place] | None, site: Site) -> bool:
    return places is None or bool(places & site.places)


def connectors_of(system: System, site: Site) -> list[Connector]:
    """Give the connectors of a system at a site; raise ConfigError when they aren't well formed."""
    found = list(system.connectors(site)) if system.connectors is not None else []
    if site.replay and system.replays is not None:
        found += system.replays(site)
    found = [one for one in found if _runs(one.runs_on, site)]
    if len(found) > CONNECTORS_MAX:
        raise ConfigError(f"system {system.name!r}: {len(found)} connectors, over {CONNECTORS_MAX}")
    names = [one.name for one in found]
    for name in names:
        if not NAME.fullmatch(name) or names.count(name) > 1:
            raise ConfigError(
                f"system {system.name!r}: connector {name!r} needs a name of its own, of 2 to 32 "
                "lower-case letters, digits and '-'"
            )
    return found


def options_at(system: str, told: Mapping[str, Any], tenant: str | None) -> Mapping[str, Any]:
    """Give a system's options at a site: those of all sites, and over them those of its own.

    `[system.NAME.at.TENANT]` holds at one tenant, `at.region` at the default one. Raises
    ConfigError for what is no table.
    """
    at = told.get(AT, {})
    own = at.get(tenant or AT_DEFAULT, {}) if isinstance(at, Mapping) else None
    if not isinstance(own, Mapping):
        raise ConfigError(f"system.{system}.{AT}: it is a table of tables, one for each tenant")
    return {**{name: value for name, value in told.items() if name != AT}, **own}


def runner_of(node: Node) -> Runner | None:
    """Find what runs the systems of a node; None when it has none."""
    for companion in node.companions:
        if isinstance(companion, Runner):
            return companion
    return None
