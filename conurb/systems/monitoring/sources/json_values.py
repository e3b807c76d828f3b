"""JSON from MQTT topics or files: which member is what is said by the operator.

    [[system.monitoring.json]]
    name = "piers"
    url = "mqtt://broker.example.org"       # or: folder = "incoming", whose files' lines are read
    topics = ["bridge/+/acceleration"]
    device = "{topic[1]}"                    # default: the member "device"
    property = "acceleration"                # default: the member "property"
    value = "payload.v"                      # default: the member "value"
    time = "payload.ts"                      # default: the member "time"; ISO 8601 or epoch
    unit = "m/s2"

A message that has `values` (an object of property to value) gives one measurement for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.errors import BadRequestDataError, ConfigError
from conurb.model.time import US_PER_S, parse_us
from conurb.systems.contract import Connector, FileWatch, Message, MqttTopics, Site
from conurb.systems.monitoring.sources.measuring import Measured, operations_of

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.sources import Read

KNOWN: Final = frozenset(
    {"name", "url", "topics", "qos", "folder", "pattern", "device", "property", "value"}
    | {"time", "unit", "longitude", "latitude", "values"}
)
_SLOT: Final = re.compile(r"\{(topic\[(\d+)\]|[\w.]+)\}")
MILLISECONDS_FROM: Final = 1e11
"""An epoch from which a number counts milliseconds: in seconds it would be the year 5138."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where in a message things stand: paths of members (`a.b`), or templates (`{topic[1]}`)."""

    device: str = "{device}"
    property: str = "{property}"
    value: str = "value"
    values: str = "values"
    time: str = "time"
    unit: str | None = None
    longitude: str = "lon"
    latitude: str = "lat"


def connectors(site: Site) -> list[Connector]:
    """Give the connectors of the tables `json`; raise ConfigError for one that isn't right."""
    tables = site.options.get("json", [])
    if not isinstance(tables, list):
        raise ConfigError("system.monitoring.json: it is a list of tables, [[...]]")
    return [_connector(table) for table in tables]


def _connector(table: Mapping[str, Any]) -> Connector:
    strange = sorted(set(table) - KNOWN)
    if strange or "name" not in table:
        raise ConfigError(
            f"system.monitoring.json: {strange[0]!r} isn't known"
            if strange
            else "system.monitoring.json: a name is needed"
        )
    given = {
        name: str(table[name]) for name in Form.__dataclass_fields__ if table.get(name) is not None
    }
    form = Form(**given)
    if "folder" in table:
        pattern = str(table.get("pattern", "*"))
        files = FileWatch(Path(str(table["folder"])), pattern, lines=True)
        return Connector(str(table["name"]), files, _reader(form))
    if "url" not in table or not table.get("topics"):
        raise ConfigError("system.monitoring.json: either folder, or url and topics are needed")
    source = MqttTopics(
        str(table["url"]), tuple(map(str, table["topics"])), 0 if table.get("qos") == 0 else 1
    )
    return Connector(str(table["name"]), source, _reader(form))


def _reader(form: Form) -> Read:
    async def read(message: Message, site: Site) -> Sequence[Operation]:
        return await operations_of(measured(message, form), site)

    return read


def measured(message: Message, form: Form = Form()) -> list[Measured]:
    """Read the values out of a message; raise BadRequestDataError naming what isn't there."""
    document = orjson.loads(message.body)
    if not isinstance(document, dict):
        raise BadRequestDataError("the message is not a JSON object")
    topic = message.topic.split("/")
    device = _filled(form.device, document, topic)
    at_us = _time(find(document, form.time), message.at_us)
    position = _position(document, form)
    values = find(document, form.values)
    if isinstance(values, dict):
        pairs = [(str(name), value) for name, value in values.items()]
    else:
        value = find(document, form.value)
        if value is None:
            raise BadRequestDataError(f"{form.value}: the message has no value")
        pairs = [(_filled(form.property, document, topic), value)]
    unit = form.unit
    if unit is None:
        given = find(document, "unit")
        unit = given if isinstance(given, str) else None
    return [Measured(device, name, value, at_us, unit, position) for name, value in pairs]


def find(document: Any, path: str) -> Any:
    """Find a member by its path; None when there is none.

    >>> find({"a": [{"b": 1}]}, "a.0.b")
    1
    """
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _filled(template: str, document: Any, topic: list[str]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[2] is not None:
            index = int(match[2])
            value: Any = topic[index] if index < len(topic) else None
        else:
            value = find(document, match[1])
        if value is None or isinstance(value, dict | list):
            raise BadRequestDataError(f"{match[0]}: the message doesn't say it")
        return str(value)

    return _SLOT.sub(fill, template)


def _time(given: Any, received_us: int) -> int:
    if given is None:
        return received_us
    if isinstance(given, str):
        return parse_us(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadRequestDataError(f"time: {given!r:.100} is neither ISO 8601 nor an epoch")
    return int(given * (1_000 if given >= MILLISECONDS_FROM else US_PER_S))


def _position(document: Any, form: Form) -> tuple[float, float] | None:
    longitude, latitude = find(document, form.longitude), find(document, form.latitude)
    if isinstance(longitude, int | float) and isinstance(latitude, int | float):
        return float(longitude), float(latitude)
    return None
