"""A bridge to look at when the operator asks for `--replay`: recorded where there is a recording.

The recording is `shm/Yonghe_Modal_FDD.csv` of the recordings' folder (modal frequencies of the
Yonghe bridge by hour, a row per mode; Mendeley Data 2xnn95rpb5): 216 hours in less than four
minutes, the last 24 after damage. Without it, a bridge is made up whose first mode falls every two
minutes. Both say so on every attribute, and stand in one city, the option `replay_at`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def replays(site: Site) -> Sequence[Connector]:
    """Give the bridge of a site, if it is the one that has it."""
    alone = site.places >= {"node", "region"}
    if site.owner != site.options.get("replay_at", CITY) and not alone:
        return ()
    file = None if site.recordings is None else site.recordings / FILE
    if file is not None and file.is_file():
        path = file
        recording = Recording(lambda: entries_of(path), speed=SPEED)
        return (Connector("bridge", recording, read_recorded),)
    return (Connector("bridge", Simulation(made_up, TICK_S), read_made_up),)


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
        operations.append(_rule(device, "modal", options, len(document["hz"]), site))
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
        operations.append(_rule(device, "threshold", options, 1, site))
    return operations


async def _frequencies(
    device: str, values: Sequence[float], at_us: int, site: Site
) -> list[Operation]:
    measured = [
        Measured(device, f"mode {number} frequency", value, at_us, "HTZ", PLACE)
        for number, value in enumerate(values, 1)
    ]
    return await operations_of(measured, site)


def _rule(
    device: str, method: str, options: dict[str, Any], modes: int, site: Site
) -> UpsertEntity:
    streams = [
        site.urn("DeviceMeasurement", f"{device}-mode-{number}-frequency")
        for number in range(1, modes + 1)
    ]
    document = {
        "id": site.urn(TYPE, f"{device}-{method}"),
        "type": TYPE,
        "name": f"{device}: modal frequencies",
        "refDeviceMeasurement": {"type": "Relationship", "object": streams},
        "detectionMethod": method,
        "detectionOptions": {"type": "JsonProperty", "json": options},
        "severity": "high",
        "category": "security",
        "subCategory": "bridgeDamage",
    }
    return UpsertEntity(parse_entity(document, platform_terms()))
