"""Writes measurements and the devices that make them: objects once, then history alone.

A measurement's id is `DeviceMeasurement:{owner}:{device}-{property}`, so that whatever way a value
comes, it belongs to the same series; a value that comes twice is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.entity import Entity, Instance
from conurb.model.operations.entity import CreateEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment, parse_entity
from conurb.model.time import fixed
from conurb.model.vocabulary import platform_terms
from conurb.systems.monitoring.sensorthings.mapping import NUMBER, OTHER, iri

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.contract import Site

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.\-]+")
KNOWN_MAX: Final = 200_000
"""Objects that are remembered to exist."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One value: of which device and property, when, and in which unit.

    `position` is longitude and latitude, where it is said with the value.
    """

    device: str
    property: str
    value: Any
    at_us: int
    unit: str | None = None
    position: tuple[float, float] | None = None


def local_name(text: str) -> str:
    """Make a local id of a name: what a URN can't hold becomes '-'.

    >>> local_name("pier 3/x")
    'pier-3-x'
    """
    name = _UNSAFE.sub("-", text).strip("-")
    if not name:
        raise BadRequestDataError(f"{text!r:.100} is not a name that an id can be made of")
    return name


async def operations_of(measured: Sequence[Measured], site: Site) -> list[Operation]:
    """Give the operations that write values, and the objects that aren't there yet."""
    known: set[str] = site.memory.setdefault("known", set())
    operations: list[Operation] = []
    for one in measured:
        device = local_name(one.device)
        local = f"{device}-{local_name(one.property)}"
        device_id = site.urn("Device", device)
        stream_id = site.urn("DeviceMeasurement", local)
        if stream_id not in known:
            operations += await _objects(one, device_id, stream_id, site)
        operations.append(AppendEvolution(stream_id, _fragment(one)))
    return operations


def _fragment(one: Measured) -> TemporalFragment:
    """Write a value as history; built directly, as this is the path of every observation."""
    numeric = isinstance(one.value, int | float) and not isinstance(one.value, bool)
    if not numeric and not isinstance(one.value, str | bool):
        raise BadRequestDataError(f"{one.property}: {one.value!r:.100} is not a value")
    instance: Instance = {
        "type": "Property",
        "value": one.value,
        "observedAt": fixed(one.at_us),
    }
    if one.unit is not None and numeric:
        instance["unitCode"] = one.unit
    attrs = {iri(NUMBER if numeric else OTHER): [instance]}
    return TemporalFragment(attrs, types=(iri("DeviceMeasurement"),))


async def _objects(one: Measured, device_id: str, stream_id: str, site: Site) -> list[CreateEntity]:
    """Give the objects of a new series that aren't in the store."""
    there = {entity.id for entity in await site.node.store.find_many([device_id, stream_id])}
    known: set[str] = site.memory["known"]
    if len(known) >= KNOWN_MAX:
        known.clear()
    known |= there  # what isn't stored yet may never be: it is looked for again
    place: dict[str, Any] = {}
    if one.position is not None:
        point = {"type": "Point", "coordinates": list(one.position)}
        place["location"] = {"type": "GeoProperty", "value": point}
    made: list[Entity] = []
    if device_id not in there:
        document = {"id": device_id, "type": "Device", "name": one.device, **place}
        made.append(parse_entity(document, platform_terms()))
    if stream_id not in there:
        document = {
            "id": stream_id,
            "type": "DeviceMeasurement",
            "name": f"{one.device}: {one.property}",
            "controlledProperty": one.property,
            "refDevice": {"type": "Relationship", "object": device_id},
            **place,
        }
        if one.unit is not None:
            document["unit"] = one.unit
        made.append(parse_entity(document, platform_terms()))
    return [CreateEntity(entity) for entity in made]
