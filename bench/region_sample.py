"""The objects of a region of cities, made by a rule: what `bench_federation` is measured on.

Nothing here is measured or copied from anywhere: cities stand in a grid over the Delta, each with
parking spots (still), stations with a day of half-hourly values, and buses of which some are in
other cities. The same arguments give the same objects.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from conurb.model.changes import Operation
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment
from conurb.model.time import fixed, parse_us
from conurb.model.vocabulary import platform_terms

COLUMNS: Final = 7
"""Cities stand in rows of this many, half a degree apart; each takes four tenths of a degree."""
STEP: Final = 0.5
SIZE: Final = 0.4
WEST, SOUTH = 116.0, 28.0
STATIONS: Final = 100
BUSES_SHARE: Final = 0.09
AWAY_SHARE: Final = 0.05
VALUES: Final = 48
BEGIN_US: Final = parse_us("2026-01-01T00:00:00Z")
HALF_HOUR_US: Final = 1_800_000_000

_expand = platform_terms().expand
SPOT, STATION, BUS = (_expand(n) for n in ("ParkingSpot", "AirQualityObserved", "Vehicle"))
PRICE, NAME, STATUS, PLACE, NO2 = (
    _expand(n) for n in ("price", "name", "status", "location", "no2")
)


@dataclass(frozen=True, slots=True)
class CityPlan:
    """One city: its number, its name, and how many objects it holds."""

    number: int
    objects: int

    @property
    def name(self) -> str:
        """Give the name, as ids and tenants have it."""
        return f"city{self.number:02d}"

    @property
    def corner(self) -> tuple[float, float]:
        """Give the south-western corner, in degrees."""
        row, column = divmod(self.number, COLUMNS)
        return WEST + column * STEP, SOUTH + row * STEP


def operations_of(plan: CityPlan) -> Iterator[Operation]:
    """Stream the writes that make one city's objects."""
    chance = random.Random(plan.number)
    stations = min(STATIONS, plan.objects // 10)
    buses = int(plan.objects * BUSES_SHARE)
    for number in range(plan.objects - stations - buses):
        yield UpsertEntity(_spot(plan, number, chance))
    for number in range(buses):
        yield UpsertEntity(_bus(plan, number, chance))
    for number in range(stations):
        yield _station(plan, number, chance)


def _point(plan: CityPlan, chance: random.Random) -> dict[str, Any]:
    west, south = plan.corner
    x, y = west + chance.random() * SIZE, south + chance.random() * SIZE
    return {"type": "Point", "coordinates": [round(x, 6), round(y, 6)]}


def _spot(plan: CityPlan, number: int, chance: random.Random) -> Entity:
    attrs: dict[str, list[dict[str, Any]]] = {
        PRICE: [{"type": "Property", "value": round(chance.uniform(0, 100), 3), "unitCode": "CNY"}],
        NAME: [{"type": "Property", "value": f"Spot {number} of {plan.name}, on a street"}],
        STATUS: [{"type": "Property", "value": chance.choice(["free", "occupied", "closed"])}],
        PLACE: [{"type": "GeoProperty", "value": _point(plan, chance)}],
    }
    return Entity(f"urn:ngsi-ld:ParkingSpot:{plan.name}:{number:06d}", (SPOT,), attrs)


def _bus(plan: CityPlan, number: int, chance: random.Random) -> Entity:
    where = CityPlan(chance.randrange(41), 0) if chance.random() < AWAY_SHARE else plan
    seen = fixed(BEGIN_US + number)
    attrs: dict[str, list[dict[str, Any]]] = {
        NAME: [{"type": "Property", "value": f"Bus {number} of {plan.name}"}],
        PLACE: [{"type": "GeoProperty", "value": _point(where, chance), "observedAt": seen}],
    }
    return Entity(f"urn:ngsi-ld:Vehicle:{plan.name}:{number:06d}", (BUS,), attrs)


def _station(plan: CityPlan, number: int, chance: random.Random) -> Operation:
    values = [
        {
            "type": "Property",
            "value": round(chance.gauss(40, 8), 2),
            "observedAt": fixed(BEGIN_US + at * HALF_HOUR_US),
        }
        for at in range(VALUES)
    ]
    attrs: dict[str, list[dict[str, Any]]] = {
        NO2: values,
        PLACE: [{"type": "GeoProperty", "value": _point(plan, chance)}],
    }
    entity_id = f"urn:ngsi-ld:AirQualityObserved:{plan.name}:{number:06d}"
    return AppendEvolution(entity_id, TemporalFragment(attrs, entity_id, (STATION,)))
