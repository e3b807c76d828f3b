"""Where live data comes in: what the operator's settings name, and what `--replay` shows.

In the table `[system.transport]` of the settings, each list names sources:

    [[system.transport.feeds]]
    kind = "gtfs-rt"                       # gtfs-rt, siri, datex, gbfs, points
    name = "bus"                           # the feed's name, that of its timetable; several may be
                                           # of one: vehicles, trip updates and alerts by themselves
    url = "https://example.org/vehicles.pb"
    every_s = 10
    # or folder = "inbox" (files as they come), or mqtt = "mqtt://host:1883" with topics = [...]
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConfigError
from conurb.systems.contract import (
    NODE,
    Connector,
    FileWatch,
    HttpPoll,
    Message,
    MqttTopics,
    Recorded,
    Recording,
    Simulation,
    Site,
    Source,
)
from conurb.systems.transport.gtfs import realtime
from conurb.systems.transport.importing import (
    LINES_FILE,
    METRO_FEED,
    RAIL_FEED,
    STATIONS_FILE,
    TRAINS_FILE,
    day_of,
    metro_objects,
    rail_bundle,
    service_span,
    write_once,
)
from conurb.systems.transport.live import Batch, Notice
from conurb.systems.transport.live_objects import entities_of, segment
from conurb.systems.transport.objects import Maker
from conurb.systems.transport.observing import Observe
from conurb.systems.transport.sources import gbfs, metro, points, shanghai, simulated

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.regions.pack import Pack

KINDS: Final = ("gtfs-rt", "siri", "datex", "gbfs", "points")
OPTIONS: Final = frozenset({"feeds", "replay_speed"})
FEED_OPTIONS: Final = frozenset(
    {"kind", "name", "url", "every_s", "headers", "folder", "pattern", "mqtt", "topics"}
)
SHANGHAI: Final = "shanghai"
SHANGHAI_FOLDER: Final = "transport_samples/shanghai_2015"
PACK: Final = "yrd"
STEP_S: Final = 600
"""Between two steps of the recorded indices; gaps of the sample are closed."""

REPLAY_SPEED: Final = 60.0
TRAINS_EVERY_S: Final = 20.0
"""Each time costs the stores of the Delta some megabytes of history and journal."""

POINTS_EVERY_S: Final = 60.0


def connectors(site: Site) -> Sequence[Connector]:
    """Give the sources that the site's settings name; raise ConfigError for a wrong one."""
    site.check_options(OPTIONS)
    told = site.options.get("feeds", ())
    found: list[Connector] = []
    named: Counter[str] = Counter()
    for number, one in enumerate(told):
        connector = _connector(one, number)
        named[connector.name] += 1
        if named[connector.name] > 1:
            connector = replace(connector, name=f"{connector.name}-{named[connector.name]}")
        found.append(connector)
    return found


def _connector(told: Mapping[str, Any], number: int) -> Connector:
    kind = told.get("kind")
    strange = sorted(set(told) - FEED_OPTIONS)
    if strange:
        raise ConfigError(
            f"system.transport.feeds: there is no {strange[0]!r}; "
            f"a feed has {', '.join(sorted(FEED_OPTIONS))}"
        )
    if kind not in KINDS:
        raise ConfigError(f"system.transport.feeds: kind {kind!r} is none of {', '.join(KINDS)}")
    name = str(told.get("name") or f"feed{number}")
    return Connector(f"{kind}-{name}", _source(told), READERS[kind](name))


def _source(told: Mapping[str, Any]) -> Source:
    if "url" in told:
        return HttpPoll(
            str(told["url"]),
            every_s=float(told.get("every_s", 30)),
            headers=dict(told.get("headers", {})),
        )
    if "folder" in told:
        return FileWatch(Path(told["folder"]), str(told.get("pattern", "*")))
    if "mqtt" in told:
        return MqttTopics(str(told["mqtt"]), tuple(told.get("topics", ("#",))))
    raise ConfigError("system.transport.feeds: a source needs url, folder or mqtt")


def maker_at(site: Site, feed: str, source: str = "") -> Maker:
    """Give what makes the objects of a feed at a site."""
    return Maker(site.owner, source or f"feed {feed}", feed)


def operations_of(batch: Batch, maker: Maker, *, told_us: int = 0) -> list[Operation]:
    """Give the operations that state what a message tells; `told_us` is when it came."""
    return [Observe(one) for one in entities_of(batch, maker, told_us=told_us)]


def _reader(name: str, read: Callable[[bytes, int], Batch]) -> Callable[[Message, Site], Any]:
    """Give what reads the messages of a feed; beside the event loop, for they may be large.

    An alert that a source told before and leaves out of all that it has is over.
    """
    told: set[str] = set()

    async def taken(message: Message, site: Site) -> Sequence[Operation]:
        maker = maker_at(site, name)

        def operations() -> list[Operation]:
            batch = read(message.body, message.at_us)
            if batch.whole:
                now = {one.id for one in batch.notices}
                gone = [Notice(one, message.at_us, ended=True) for one in sorted(told - now)]
                batch = replace(batch, notices=(*batch.notices, *gone))
                told.clear()
                told.update(now)
            return operations_of(batch, maker, told_us=message.at_us)

        return await asyncio.to_thread(operations)

    return taken


def _read_gtfs_rt(body: bytes, at_us: int) -> Batch:
    return realtime.read_message(body, at_us=at_us)


def _read_siri(body: bytes, at_us: int) -> Batch:
    from conurb.systems.transport.siri.reading import read

    return read(body, at_us=at_us).batch


def _read_datex(body: bytes, at_us: int) -> Batch:
    from conurb.systems.transport.datex import read

    return read(body, at_us=at_us)


def _points_reader(name: str) -> Callable[[Message, Site], Any]:
    async def taken(message: Message, site: Site) -> Sequence[Operation]:
        maker = maker_at(site, name)
        return [Observe(one) for one in points.read_points(message.body, maker)]

    return taken


def _gbfs_reader(name: str) -> Callable[[Message, Site], Any]:
    async def taken(message: Message, site: Site) -> Sequence[Operation]:
        stations = gbfs.read_stations(message.body, maker_at(site, name), at_us=message.at_us)
        return [Observe(one) for one in stations]

    return taken


READERS: Final[Mapping[str, Callable[[str], Callable[[Message, Site], Any]]]] = {
    "gtfs-rt": lambda name: _reader(name, _read_gtfs_rt),
    "siri": lambda name: _reader(name, _read_siri),
    "datex": lambda name: _reader(name, _read_datex),
    "gbfs": _gbfs_reader,
    "points": _points_reader,
}


# ── replayed and simulated ────────────────────────────────────────────────────────────────────


def find_recording(site: Site, name: str) -> Path | None:
    """Find a file or folder among the recordings; None when it isn't there."""
    path = None if site.recordings is None else site.recordings / name
    return path if path is not None and path.exists() else None


def replays(site: Site) -> Sequence[Connector]:
    """Give what shows the site alive: Shanghai's recorded indices, and what is simulated."""
    found: list[Connector] = []
    city = site.node.tenant
    folder = find_recording(site, SHANGHAI_FOLDER)
    if city == SHANGHAI and folder is not None:
        entries = partial(_recorded, folder)
        speed = float(site.options.get("replay_speed", REPLAY_SPEED))
        sections = shanghai.read_sections(folder / shanghai.SECTIONS)
        found.append(
            Connector("road-index", Recording(entries, speed), _index_reader(sections), NODE)
        )
    network = _metro_of(site)
    if network is not None:
        tracks = simulated.tracks_of(network)
        found.append(_simulation("trains", TRAINS_EVERY_S, partial(_trains, tracks), "gtfs-rt"))
    centre = _centre(city)
    if centre is not None:
        found.append(_simulation("points", POINTS_EVERY_S, partial(_points, centre), "points"))
    return found


def _simulation(
    name: str, every_s: float, step: Callable[[int, int, Random], Sequence[bytes]], kind: str
) -> Connector:
    feed = METRO_FEED if kind == "gtfs-rt" else "simulated"
    return Connector(f"simulated-{name}", Simulation(step, every_s), READERS[kind](feed), NODE)


def _recorded(folder: Path) -> Iterable[Recorded]:
    """Give the recorded steps one after the other: the sample leaves out most of a month."""
    times: dict[int, int] = {}
    for step in shanghai.read_steps(folder):
        at = times.setdefault(step.recorded_us, len(times) * STEP_S * 1_000_000)
        yield Recorded(at, step.body, step.file)


def _index_reader(sections: Mapping[str, shanghai.Section]) -> Callable[[Message, Site], Any]:
    async def taken(message: Message, site: Site) -> Sequence[Operation]:
        maker = maker_at(site, "index", shanghai.SOURCE)
        flows = shanghai.read_flows(message.topic, message.body, sections, at_us=message.at_us)
        roads: list[Operation] = [Observe(segment(one, maker)) for one in flows if one.road]
        return [*roads, *operations_of(Batch(flows=tuple(flows)), maker)]

    return taken


def _trains(
    tracks: Sequence[simulated.Track], _tick: int, at_us: int, _random: Random
) -> list[bytes]:
    return [realtime.write_message(simulated.trains(tracks, at_us), at_us=at_us)]


def _points(centre: tuple[float, float], _tick: int, at_us: int, random: Random) -> list[bytes]:
    return [simulated.points(*centre, at_us, random)]


@lru_cache(maxsize=2)
def _pack(name: str) -> Pack:
    from conurb.regions.pack import read_pack

    return read_pack(name)


def _centre(city: str | None) -> tuple[float, float] | None:
    found = next((one for one in _pack(PACK).cities if one.id == city), None)
    return None if found is None else (found.centre[0], found.centre[1])


@lru_cache(maxsize=2)
def _networks(lines: Path, stations: Path) -> Mapping[str, metro.Network]:
    """Read the metro networks once for all cities of a process: by code of the city."""
    return {one.adcode: one for one in metro.read_networks(lines, stations)}


def _metro_of(site: Site) -> metro.Network | None:
    lines, stations = find_recording(site, LINES_FILE), find_recording(site, STATIONS_FILE)
    codes = {one.id: one.code for one in _pack(PACK).cities}
    code = codes.get(site.node.tenant or "")
    if lines is None or stations is None or code is None:
        return None
    return _networks(lines, stations).get(code)


async def prepare(site: Site) -> None:
    """Bring in the timetables that recordings hold, when the operator asked for a replay.

    A city gets its metro, the region the trains between its cities; the second time nothing is
    written.
    """
    if not site.replay or site.recordings is None:
        return
    days = service_span(day_of(site.now_us()))
    network = await asyncio.to_thread(_metro_of, site)
    if network is not None:
        maker = Maker(site.owner, metro.SOURCE, METRO_FEED)
        files = [site.recordings / LINES_FILE, site.recordings / STATIONS_FILE]
        await write_once(
            site.node.store, METRO_FEED, files, lambda: metro_objects(network, maker, days)
        )
    trains = find_recording(site, TRAINS_FILE)
    if site.node.tenant is None and trains is not None:
        await write_once(
            site.node.store,
            RAIL_FEED,
            [trains],
            lambda: rail_bundle(trains, _pack(PACK), site.owner, days).objects,
        )
