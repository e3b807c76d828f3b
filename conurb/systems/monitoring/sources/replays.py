"""What there is to look at when the operator asks for `--replay`: a bridge, and a GNSS station.

The bridge's recording is `shm/Yonghe_Modal_FDD.csv` of the recordings' folder (modal frequencies of
the Yonghe bridge by hour, a row per mode; Mendeley Data 2xnn95rpb5): 216 hours in less than four
minutes, the last 24 after damage. Without it, a bridge is made up whose first mode falls every two
minutes. It stands in one city, the option `replay_at`.

The station's is `gnss/G001neu9818.csv` (daily displacement in mm, east, north, up; a station in
Japan): the year about 11 March 2011, when the ground made a step, a day in a second. It stands in
another city, the option `replay_gnss_at`; without the recording there is none. All of it says that
it is replayed, or simulated, on every attribute.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import US_PER_S, shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Connector, Message, Recorded, Recording, Simulation, Site
from conurb.systems.monitoring.rules import TYPE
from conurb.systems.monitoring.sources.measuring import Measured, operations_of

if TYPE_CHECKING:
    from conurb.model.changes import Operation

CITY: Final = "nanjing"
PLACE: Final = (118.738, 32.114)
FILE: Final = Path("shm") / "Yonghe_Modal_FDD.csv"
HOUR_US: Final = 3600 * US_PER_S
SPEED: Final = 3_600.0
"""An hour of the recording takes a second."""
SOUND_HOURS: Final = 96
TICK_S: Final = 1.0
CYCLE_TICKS: Final = 120
DAMAGED_TICKS: Final = 30
SOUND_HZ: Final = (0.41, 0.59, 0.94, 1.14)
FALL: Final = 0.85
NOISE_HZ: Final = 0.004
LIMIT_HZ: Final = 0.38

GNSS_CITY: Final = "shanghai"
GNSS_PLACE: Final = (121.61, 31.19)
GNSS_FILE: Final = Path("gnss") / "G001neu9818.csv"
GNSS_FROM, GNSS_TO = "2010-09-01", "2011-08-31"
GNSS_COLUMNS: Final = {"lon": "east", "lat": "north", "ver": "up"}
GNSS_DEVICE: Final = "gnss-station-replay"
GNSS_SPEED: Final = 86_400.0
"""A day of the recording takes a second."""
GNSS_RULE: Final = {"step_mm": 20, "half": 10, "recent": 30, "samples": 150}
DAY_US: Final = 24 * HOUR_US
CATEGORIES: Final = {"bridgeDamage": "security", "subsidence": "naturalDisaster"}


def replays(site: Site) -> Sequence[Connector]:
    """Give what a site has to show: the bridge, the station, both (a node alone) or nothing."""
    return (*_bridge(site), *_station(site))


def _is_at(site: Site, option: str, city: str) -> bool:
    """Whether a site is the city that an option names; a node alone is any."""
    return site.places >= {"node", "region"} or site.owner == site.options.get(option, city)


def _bridge(site: Site) -> Sequence[Connector]:
    if not _is_at(site, "replay_at", CITY):
        return ()
    file = None if site.recordings is None else site.recordings / FILE
    if file is not None and file.is_file():
        path = file
        recording = Recording(lambda: entries_of(path), speed=SPEED)
        return (Connector("bridge", recording, read_recorded),)
    return (Connector("bridge", Simulation(made_up, TICK_S), read_made_up),)


def _station(site: Site) -> Sequence[Connector]:
    file = None if site.recordings is None else site.recordings / GNSS_FILE
    if file is None or not file.is_file() or not _is_at(site, "replay_gnss_at", GNSS_CITY):
        return ()
    path = file
    recording = Recording(lambda: days_of(path), speed=GNSS_SPEED)
    return (Connector("gnss", recording, read_day),)


def days_of(path: Path) -> Iterable[Recorded]:
    """Give the days of the recording, each with how far the station was moved."""
    with path.open(encoding="ascii", newline="") as file:
        days = [row for row in csv.DictReader(file) if GNSS_FROM <= row["time"] <= GNSS_TO]
    for number, row in enumerate(days):
        moved = {name: float(row[column]) for column, name in GNSS_COLUMNS.items()}
        yield Recorded(number * DAY_US, orjson.dumps({"day": row["time"], "mm": moved}))


async def read_day(message: Message, site: Site) -> Sequence[Operation]:
    """Write where the station is on a day; with the first day, the rule that judges it."""
    document = orjson.loads(message.body)
    measured = [
        Measured(GNSS_DEVICE, name, value, message.at_us, "MMT", GNSS_PLACE)
        for name, value in document["mm"].items()
    ]
    operations = await operations_of(measured, site)
    if document["day"] == GNSS_FROM:
        title = f"{GNSS_DEVICE}: northward motion"
        streams = [site.urn("DeviceMeasurement", f"{GNSS_DEVICE}-north")]
        operations.append(
            _rule(title, streams, "motion", GNSS_RULE, "subsidence", GNSS_DEVICE, site)
        )
    return operations


def entries_of(path: Path) -> Iterable[Recorded]:
    """Give the hours of the recording, each with the frequencies of all modes."""
    with path.open(encoding="ascii") as file:
        modes = [[float(cell) for cell in line.split(",")] for line in file if line.strip()]
    for hour, values in enumerate(zip(*modes, strict=True)):
        yield Recorded(hour * HOUR_US, orjson.dumps({"hour": hour, "hz": values}))


async def read_recorded(message: Message, site: Site) -> Sequence[Operation]:
    """Write the frequencies of an hour; with the first hour, the rule that judges them."""
    document = orjson.loads(message.body)
    device = "yonghe-bridge-replay"
    operations = await _frequencies(device, document["hz"], message.at_us, site)
    if document["hour"] == 0:
        step_us = int(HOUR_US / SPEED)
        options = {
            "confirm": 2,
            "clear": 2,
            "train_from": shown_us(message.at_us),
            "train_to": shown_us(message.at_us + (SOUND_HOURS - 1) * step_us + step_us // 2),
        }
        operations.append(_bridge_rule(device, "modal", options, len(document["hz"]), site))
    return operations


def made_up(tick: int, _at_us: int, random: Random) -> Sequence[bytes]:
    """Make the frequencies of a moment up: sound for most of a cycle, then fallen."""
    damaged = tick % CYCLE_TICKS >= CYCLE_TICKS - DAMAGED_TICKS
    factor = FALL if damaged else 1.0
    values = [hz * factor + random.gauss(0, NOISE_HZ) for hz in SOUND_HZ]
    return [orjson.dumps({"hz": values})]


async def read_made_up(message: Message, site: Site) -> Sequence[Operation]:
    """Write made-up frequencies, and once the rule that judges the first mode."""
    device = "simulated-bridge"
    values = orjson.loads(message.body)["hz"]
    operations = await _frequencies(device, values, message.at_us, site)
    if not site.memory.get("bridge-rule"):
        site.memory["bridge-rule"] = True
        options = {"low": LIMIT_HZ, "confirm": 3, "clear": 3, "samples": 50}
        operations.append(_bridge_rule(device, "threshold", options, 1, site))
    return operations


async def _frequencies(
    device: str, values: Sequence[float], at_us: int, site: Site
) -> list[Operation]:
    measured = [
        Measured(device, f"mode {number} frequency", value, at_us, "HTZ", PLACE)
        for number, value in enumerate(values, 1)
    ]
    return await operations_of(measured, site)


def _bridge_rule(
    device: str, method: str, options: Mapping[str, Any], modes: int, site: Site
) -> UpsertEntity:
    streams = [
        site.urn("DeviceMeasurement", f"{device}-mode-{number}-frequency")
        for number in range(1, modes + 1)
    ]
    title = f"{device}: modal frequencies"
    return _rule(title, streams, method, options, "bridgeDamage", device, site)


def _rule(
    title: str,
    streams: Sequence[str],
    method: str,
    options: Mapping[str, Any],
    kind: str,
    device: str,
    site: Site,
) -> UpsertEntity:
    document = {
        "id": site.urn(TYPE, f"{device}-{method}"),
        "type": TYPE,
        "name": title,
        "refDeviceMeasurement": {"type": "Relationship", "object": streams},
        "detectionMethod": method,
        "detectionOptions": {"type": "JsonProperty", "json": dict(options)},
        "severity": "high",
        "category": CATEGORIES[kind],
        "subCategory": kind,
    }
    return UpsertEntity(parse_entity(document, platform_terms()))
