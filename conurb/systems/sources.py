"""Where a system's data comes from: sources and the connectors that read them.

Plain values; `conurb.systems.connect` runs them. Part of the contract of a system: import these
names from `conurb.systems.contract`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from conurb.errors import ConfigError

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.contract import Place, Site

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024


Provenance = Literal["live", "replayed", "simulated"]


@dataclass(frozen=True, slots=True)
class Message:
    """What came from a source: one body, where and when it came from.

    `at_us` is when it was received; of a recording, the recorded time moved to the present.
    `recorded_us` is the time as it was recorded. `topic` is the MQTT topic, the file's name, the
    URL, or what a recording says. `position` is how far the source has been read with it; `key`
    tells messages of a source apart whose positions aren't one line (a file of many). `fault` says
    why what came can't be taken (over a bound, not to be opened): it is set aside.
    """

    body: bytes
    topic: str = ""
    at_us: int = 0
    recorded_us: int | None = None
    provenance: Provenance = "live"
    position: int = 0
    key: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class HttpPoll:
    """Ask a URL again and again; a body that is the same as before is no message.

    Sends If-None-Match and If-Modified-Since. Only hosts of the outbound allow-list are asked.
    """

    url: str
    every_s: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20.0
    bytes_max: int = MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class MqttTopics:
    """Listen to topics of a broker: `mqtt://user:password@host:port` or `mqtts://`.

    Raises ConfigError for another URL, or without topics.

    With `qos` 1 the session is kept by the broker and a message is acknowledged once it is
    stored, so that nothing is lost while this node is away. A message over `bytes_max` is set
    aside.
    """

    url: str
    topics: tuple[str, ...]
    qos: Literal[0, 1] = 1
    bytes_max: int = 1024 * 1024

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            shown = self.url.rpartition("@")[2]  # without user and password
            raise ConfigError(f"{shown!r:.200} is neither mqtt://HOST nor mqtts://HOST")
        if not self.topics:
            raise ConfigError(f"{parts.scheme}://{parts.hostname}: no topics to listen to")


@dataclass(frozen=True, slots=True)
class FileWatch:
    """Watch a folder's files: each new or changed file is a message, or each new line of one.

    A file (or a line) over `bytes_max`, or one that may not be read, is set aside.
    """

    folder: Path
    pattern: str = "*"
    lines: bool = False
    every_s: float = 1.0
    bytes_max: int = MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry of a recording: when it was, and what came."""

    at_us: int
    body: bytes
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """Replay recorded entries as if they came now, `speed` times as fast as they once did.

    `entries` gives them in order of time, the same each time it is called. With `repeat` it
    begins again at the end.
    """

    entries: Callable[[], Iterable[Recorded]]
    speed: float = 1.0
    repeat: bool = True


@dataclass(frozen=True, slots=True)
class Simulation:
    """Make messages up, every `every_s` seconds: `step(tick, at_us, random)` gives their bodies.

    `random` is seeded by site, connector and tick, so that a tick is the same whenever it is made.
    """

    step: Callable[[int, int, Random], Sequence[bytes]]
    every_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Any other source: `open(site, position)` streams messages from a position on.

    It ends when the source goes away, and is then opened again, later and later. `provenance` is
    said of what comes.
    """

    open: Callable[[Site, int], AsyncIterator[Message]]
    provenance: Provenance = "live"


Source = HttpPoll | MqttTopics | FileWatch | Recording | Simulation | Stream

Read = Callable[[Message, "Site"], Awaitable["Sequence[Operation]"]]
"""Turns a message into operations; raises InputError (or ValueError, KeyError) for garbage. Any
error but UnavailableError, after which it comes again, sets the message aside as a dead letter."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A source and how its messages are read.

    Up to `batch_max` messages that wait together are stored in one transaction. `runs_on` None
    is where the system runs. What comes of replayed or simulated sources is marked so on every
    attribute by the runner (sub-attribute `replayed` or `simulated`, true).
    """

    name: str
    source: Source
    read: Read
    runs_on: frozenset[Place] | None = None
    batch_max: int = 500


Connectors = Callable[["Site"], Sequence[Connector]]
"""Gives the connectors that a site's options ask for."""
