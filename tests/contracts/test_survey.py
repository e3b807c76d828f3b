"""What there is of each type: measured by every engine alike, and kept by the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.query.tree import Restriction
from conurb.model.time import parse_us
from conurb.node.inventory import Inventory
from conurb.store.contract import Store
from tests.contracts.conftest import ManualClock

BUS, TRAM = "https://example.org/Bus", "https://example.org/Tram"
PLACE, SPEED = "https://example.org/place", "https://example.org/speed"


def vehicle(
    name: str, *types: str, at: tuple[float, float] | None = None, observed: str | None = None
) -> Entity:
    speed: dict[str, Any] = {"type": "Property", "value": 1}
    if observed is not None:
        speed["observedAt"] = observed
    attrs: dict[str, Any] = {SPEED: [speed]}
    if at is not None:
        value = {"type": "Point", "coordinates": list(at)}
        attrs[PLACE] = [{"type": "GeoProperty", "value": value}]
    return Entity(f"urn:x:{name}", types, attrs)


async def write(store: Store, *entities: Entity) -> None:
    await store.apply_all([UpsertEntity(one) for one in entities])


async def test_what_is_measured_and_what_is_kept_are_the_same(
    store: Store, clock: ManualClock
) -> None:
    inventory = Inventory(store, clock)
    assert await inventory.survey() == {}
    await write(
        store,
        vehicle("1", BUS, at=(120.0, 31.0), observed="2026-01-01T00:00:00.000000Z"),
        vehicle("2", BUS, TRAM, at=(121.0, 30.0), observed="2025-01-01T00:00:00.000000Z"),
        vehicle("3", TRAM),
    )
    for survey in (await inventory.survey(), await store.survey()):
        bus, tram = survey[BUS], survey[TRAM]
        assert (bus.count, tram.count) == (2, 2)
        assert bus.attributes == {SPEED: {"Property"}, PLACE: {"GeoProperty"}}
        assert bus.spaces[PLACE].box == pytest.approx((120.0, 30.0, 121.0, 31.0), abs=1e-4)
        assert tram.spaces[PLACE].box == pytest.approx((121.0, 30.0, 121.0, 30.0), abs=1e-4)
        assert bus.spaces[PLACE].kinds == {"Point"}
        assert bus.begin_us == tram.begin_us == parse_us("2025-01-01T00:00:00Z")
        assert (bus.end_us, tram.end_us) == (
            parse_us("2026-01-01T00:00:00Z"),
            parse_us("2025-01-01T00:00:00Z"),
        )


async def test_what_is_deleted_counts_no_more_and_narrows_when_measured_anew(
    store: Store, clock: ManualClock
) -> None:
    inventory = Inventory(store, clock)
    await write(store, vehicle("1", BUS, at=(120.0, 31.0)), vehicle("2", BUS, at=(10.0, 31.0)))
    await inventory.survey()
    await store.apply_all([DeleteEntity("urn:x:2")])
    survey = await inventory.survey()
    assert survey[BUS].count == 1
    clock.advance(4000)
    survey = await inventory.survey()
    assert survey[BUS].spaces[PLACE].box[0] == pytest.approx(120.0, abs=1e-4)
    await store.apply_all([DeleteEntity("urn:x:1")])
    assert await inventory.survey() == {}


async def test_types_and_attributes_are_as_they_are_now_however_often_they_are_asked_for(
    store: Store, clock: ManualClock
) -> None:
    async def found() -> tuple[dict[str, int], dict[str, int]]:
        return (
            {one.iri: one.entity_count for one in await store.list_types()},
            {one.iri: one.count for one in await store.list_attributes()},
        )

    await write(store, vehicle("1", BUS), vehicle("2", BUS, at=(121, 31)))
    assert await found() == await found() == ({BUS: 2}, {SPEED: 2, PLACE: 1})
    await write(store, vehicle("3", TRAM))
    assert await found() == ({BUS: 2, TRAM: 1}, {SPEED: 3, PLACE: 1})
    only_trams = Restriction(types=(TRAM,))
    assert [one.iri for one in await store.list_types(only_trams)] == [TRAM]
    assert [(one.iri, one.count) for one in await store.list_attributes(only_trams)] == [(SPEED, 1)]
    await store.apply([DeleteEntity("urn:x:2")])
    leaving = replace(vehicle("4", TRAM), expires_at=clock() + 1_000_000)
    await write(store, leaving)
    assert await found() == ({BUS: 1, TRAM: 2}, {SPEED: 3})
    clock.advance(2)
    assert await found() == ({BUS: 1, TRAM: 1}, {SPEED: 2})
