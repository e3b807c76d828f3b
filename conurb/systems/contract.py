"""What a system is: one value that says everything a node needs to run it.

A system's folder has a module `system.py` with `SYSTEM: System`, named by the entry-point group
`conurb.systems`. That module is imported whenever the system is switched on, so it imports little:
heavy libraries belong inside of the functions that need them.

What a system does, it does to a `Site`: one node (a tenant) at which it runs. There are four ways
to write, and all end in `Operation`s of `conurb.model.operations` that one transaction stores:

| what | called with | its writes commit together with |
|---|---|---|
| `Reaction` | records of the journal, in order | how far it has read the journal |
| `Schedule` | the time that it was due | that this time is done |
| `Connector` | a message of a source | how far it has read the source |
| `Endpoint` | a request | nothing: it writes through `site.node.provide` as the caller |

So a crash repeats nothing, provided that the ids of what is created derive from the cause
(`Site.urn` of the record's object, the message's own id ...), never from a clock or chance.

Names of types and attributes are terms of the platform's @context here; `site.expand` gives IRIs.
Imports: a system may import what stands below it (`regions`, `federation`, `node`, `store`,
`access`, `model`) and this module; `commands.py` of its folder may import `conurb.cli` besides.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.access.caller import LOCAL, Caller, Right
from conurb.errors import ConfigError
from conurb.model.portrayal import Layer
from conurb.model.vocabulary import platform_terms
from conurb.systems.objecttypes import Attribute, ObjectType
from conurb.systems.sources import (
    MESSAGE_BYTES_MAX,
    Connector,
    Connectors,
    FileWatch,
    HttpPoll,
    Message,
    MqttTopics,
    Provenance,
    Read,
    Recorded,
    Recording,
    Simulation,
    Source,
    Stream,
)

if TYPE_CHECKING:
    from conurb.access.outbound import Outbound
    from conurb.model.changes import Operation
    from conurb.node.node import Node
    from conurb.store.contract import Record, Store

__all__ = [
    "EVERYWHERE",
    "MESSAGE_BYTES_MAX",
    "NODE",
    "OWN",
    "REGION",
    "Asked",
    "Attribute",
    "Connector",
    "Connectors",
    "Endpoint",
    "Failed",
    "FileWatch",
    "Handle",
    "Health",
    "HttpPoll",
    "Message",
    "MqttTopics",
    "ObjectType",
    "Parameter",
    "Place",
    "Provenance",
    "React",
    "Reaction",
    "Read",
    "Recorded",
    "Recording",
    "Response",
    "Run",
    "Schedule",
    "Simulation",
    "Site",
    "Source",
    "Status",
    "Stream",
    "System",
]

Place = Literal["node", "region"]
"""Where a part of a system runs. In `conurb up` each city is a "node", the default tenant the
"region"; a single `conurb node serve` is both."""

EVERYWHERE: Final[frozenset[Place]] = frozenset({"node", "region"})
NODE: Final[frozenset[Place]] = frozenset({"node"})
REGION: Final[frozenset[Place]] = frozenset({"region"})

NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,31}")
"""What a system, a reaction, a schedule or a connector may be called; positions hang on it."""


@dataclass(frozen=True, slots=True)
class Site:
    """One node at which a system runs, and what it may use there.

    `node.store` is what the node itself holds; `node.consume`, `node.temporal` and `node.provide`
    also reach the members of a region. `options` is the table `[system.NAME]` of the settings, and
    over it the one `[system.NAME.at.TENANT]` of this site. `folder` is where the system may keep
    files, `recordings` the folder of recorded files to replay (None: none was given; simulate).
    `replay` says that the operator asked for replayed and simulated sources (`--replay`).
    `outbound` is the allow-list that every URL must pass.
    `memory` is the system's own at this site: caches, lost with the process. `store` is the node's
    own store, checking what is written where the node opted in.
    """

    system: str
    node: Node
    places: frozenset[Place]
    outbound: Outbound
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    recordings: Path | None = None
    replay: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    checked: Store | None = None

    @property
    def store(self) -> Store:
        """Give the node's own store, as it is to be written to."""
        return self.node.store if self.checked is None else self.checked

    @property
    def owner(self) -> str:
        """Give who owns what is made here: the tenant (a city), or the node's id."""
        return self.node.tenant or self.node.id

    def check_options(self, known: Collection[str]) -> None:
        """Raise ConfigError for an option that the system doesn't have."""
        strange = sorted(set(self.options) - set(known))
        if strange:
            raise ConfigError(
                f"system.{self.system}: there is no {strange[0]!r}; "
                f"options: {', '.join(sorted(known))}"
            )

    def now_us(self) -> int:
        """Give the present by the node's clock: microseconds since the epoch."""
        return self.node.clock()

    def urn(self, type_term: str, local: str) -> str:
        """Make the id of an object that this site owns: `urn:ngsi-ld:{Type}:{owner}:{local}`."""
        return f"urn:ngsi-ld:{type_term}:{self.owner}:{local}"

    def expand(self, term: str) -> str:
        """Give the IRI of a term of the platform's @context."""
        return platform_terms().expand(term)

    def compact(self, iri: str) -> str:
        """Give the term of an IRI."""
        return platform_terms().compact(iri)


React = Callable[["Sequence[Record]", Site], Awaitable["Sequence[Operation]"]]
"""Answers records of the journal with operations on the site's own store.

It may read (`site.node`), and ask others (`site.node.provide`, which may come twice after a
crash). An AlreadyExistsError of a `CreateEntity` counts as done before. When it raises
UnavailableError the same records come again later; any other error sets the record that caused it
aside, as a dead letter.
"""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reader of the journal: it is told of every change of objects of `types`.

    `types` are terms; none means every type. `attributes` (terms), when given, leaves out records
    that touch none of them. `hears` "region" also reads the journals of the region's members (its
    operations still write at the site); a record of a member that is elsewhere has every attribute
    in `touched` and nothing in `before`. A reaction hears its own writes: it must come to rest.
    `from_start` False begins with what happens after the system was first switched on.
    """

    name: str
    react: React
    types: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    runs_on: frozenset[Place] | None = None
    hears: Literal["own", "region"] = "own"
    from_start: bool = True
    batch_max: int = 500


Run = Callable[[Site, int], Awaitable["Sequence[Operation]"]]
"""Does a scheduled job; is given the site and the time it was due, in microseconds."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job done every `every_s` seconds, at multiples of it since the epoch.

    After a pause of the process only the latest time that was missed is made up for. A run that
    takes longer than `timeout_s` is given up, counted as failed, and comes again at the next time.
    """

    name: str
    every_s: float
    run: Run
    runs_on: frozenset[Place] | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its name, what it means, its choices if it has any."""

    name: str
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to an endpoint, its caller known and its right checked.

    `args` are the path's variables; `params` the query's parameters (the first of each
    name). `base_url` is where others reach this path's root: scheme, host and, when the tenant
    was named in the path, that prefix. `headers` have lower-case names.
    """

    site: Site
    caller: Caller
    method: str
    path: str
    args: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What an endpoint answers. An error is raised instead (`conurb.errors`), never built."""

    body: bytes = b""
    media: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handle = Callable[[Asked], Awaitable[Response]]

Failed = Callable[[int, str], Response]
"""Writes an error in the form of a standard: HTTP status and why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of a system's HTTP interface.

    `path` begins with a segment that the system owns (`/sensorthings/v1.1/{path*}`); variables
    stand in braces, `{name*}` at the end takes the rest of the path, still encoded. It is mounted
    as it is, and below `/tenants/{tenant}` for clients that can't name a tenant in a header.
    `right` is what a caller needs (None: open to all, as a published feed is). `params` None: any
    parameter is taken (the standard has its own rules); else one that isn't listed is refused.
    `produces` and `consumes` are media types, for the OpenAPI document. `failed` writes errors in
    the standard's own form; else they are problem documents.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    operation: str
    summary: str
    handle: Handle
    right: Right | None = "read"
    params: tuple[Parameter, ...] | None = None
    consumes: tuple[str, ...] = ()
    produces: tuple[str, ...] = ("application/json",)
    runs_on: frozenset[Place] | None = None
    failed: Failed | None = None


Status = Literal["ok", "degraded", "ill"]


@dataclass(frozen=True, slots=True)
class Health:
    """How a system is at a site: `degraded` still does its work in part.

    `figures` go to /metrics as `conurb_system_figure`, by tenant, system and name.
    """

    status: Status = "ok"
    detail: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class System:
    """A system: everything that a node needs to know to run it.

    `title` and `summary` are in `en` and `zh`. `connectors` gives the sources that the site's
    options name; `replays` those that run when the operator asks for `--replay`. `commands` names
    the `cyclopts.App` of its CLI noun as `package.module:attribute`, imported when it is called.
    `prepare` is awaited once per site before anything else runs: what it writes must be
    idempotent. `health` adds what the runner can't know. Raises ConfigError when it isn't well
    formed.
    """

    name: str
    title: Mapping[str, str]
    summary: Mapping[str, str]
    runs_on: frozenset[Place] = EVERYWHERE
    types: tuple[ObjectType, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    connectors: Connectors | None = None
    replays: Connectors | None = None
    endpoints: tuple[Endpoint, ...] = ()
    layers: tuple[Layer, ...] = ()
    commands: str | None = None
    prepare: Callable[[Site], Awaitable[None]] | None = None
    health: Callable[[Site], Awaitable[Health]] | None = None

    def __post_init__(self) -> None:
        reactions = [one.name for one in self.reactions]
        schedules = [one.name for one in self.schedules]
        for name in (self.name, *reactions, *schedules):
            if not NAME.fullmatch(name):
                raise ConfigError(
                    f"system {self.name!r}: {name!r} is not 2 to 32 lower-case letters, digits "
                    "and '-', beginning with a letter"
                )
        for kind, names in (("reactions", reactions), ("schedules", schedules)):
            if len(set(names)) < len(names):
                raise ConfigError(f"system {self.name!r}: two of its {kind} have one name")
        for text in (self.title, self.summary):
            if not (text.get("en") and text.get("zh")):
                raise ConfigError(f"system {self.name!r}: {dict(text)!r} lacks en or zh")


OWN: Final = LOCAL
"""The caller by which a system reads and writes on its own behalf (`site.node.consume` ...)."""
