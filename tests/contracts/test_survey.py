"""What there is of each type: measured by every engine alike, and kept by the journal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from conurb.model.entity import Entity
from conurb.model.operations.attribute import DeleteAttribute
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.query.tree import Restriction
from conurb.model.time import parse_us
from conurb.model.vocabulary import platform_terms
from conurb.node.inventory import Inventory
from conurb.store.contract import Record, Store
from conurb.store.usage import KeptUsage, Usage
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
    assert (await inventory.survey()).survey == {}
    await write(
        store,
        vehicle("1", BUS, at=(120.0, 31.0), observed="2026-01-01T00:00:00.000000Z"),
        vehicle("2", BUS, TRAM, at=(121.0, 30.0), observed="2025-01-01T00:00:00.000000Z"),
        vehicle("3", TRAM),
    )
    for found in (await inventory.survey(), await store.survey()):
        survey = found.survey
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
    survey = (await inventory.survey()).survey
    assert survey[BUS].count == 1
    clock.advance(4000)
    survey = (await inventory.survey()).survey
    assert survey[BUS].spaces[PLACE].box[0] == pytest.approx(120.0, abs=1e-4)
    await store.apply_all([DeleteEntity("urn:x:1")])
    assert (await inventory.survey()).survey == {}


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


async def test_a_type_says_what_geometries_it_has_and_how_its_objects_were_made(
    store: Store, clock: ManualClock
) -> None:
    mark = platform_terms().expand("simulated")
    line = {"type": "LineString", "coordinates": [[120, 30], [121, 31]]}
    made = vehicle("1", BUS, at=(120.0, 31.0))
    made.attrs[SPEED][0][mark] = [{"type": "Property", "value": True}]
    track = Entity("urn:x:2", (BUS,), {PLACE: [{"type": "GeoProperty", "value": line}]})
    inventory = Inventory(store, clock)
    assert (await inventory.survey()).survey == {}
    await write(store, made, track, vehicle("3", TRAM, at=(120.0, 31.0)))
    for found in (await inventory.survey(), await store.survey()):
        assert found.survey[BUS].spaces[PLACE].kinds == {"Point", "LineString"}
        assert (found.survey[BUS].marks, found.survey[TRAM].marks) == ({"simulated"}, set())


class Held:
    """A store whose journal can't be read for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.free = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def journal(self, *, after: int, limit: int) -> list[Record]:
        await self.free.wait()
        return await self._store.journal(after=after, limit=limit)


async def test_who_asks_while_much_is_read_is_told_what_was_known_and_of_when(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conurb.node.inventory.WAIT_S", 0.05)
    held = Held(store)
    inventory = Inventory(cast("Store", held), clock)
    await write(store, vehicle("1", BUS))
    known = await inventory.survey()
    clock.advance(60)
    await write(store, vehicle("2", TRAM))
    late = await inventory.survey()
    assert set(late.survey) == {BUS}
    assert late.at_us == known.at_us < clock()
    held.free.set()
    now = await inventory.survey()
    assert set(now.survey) == {BUS, TRAM}
    assert now.at_us == clock()


async def test_what_is_measured_while_others_write_counts_each_object_once(
    store: Store, clock: ManualClock
) -> None:
    inventory = Inventory(store, clock)
    await write(store, *(vehicle(str(n), BUS) for n in range(50)))
    writing = asyncio.gather(*(write(store, vehicle(f"new-{n}", BUS)) for n in range(50)))
    asked = [await inventory.survey() for _ in range(5)]
    await writing
    assert all(50 <= one.survey[BUS].count <= 100 for one in asked)
    assert (await inventory.survey()).survey[BUS].count == 100


async def test_types_and_attributes_follow_what_is_written_of_each_object(store: Store) -> None:
    async def found() -> tuple[dict[str, int], dict[str, tuple[int, tuple[str, ...]]]]:
        return (
            {one.iri: one.entity_count for one in await store.list_types()},
            {one.iri: (one.count, one.kinds) for one in await store.list_attributes()},
        )

    await write(store, vehicle("1", BUS), vehicle("2", TRAM))
    assert await found() == ({BUS: 1, TRAM: 1}, {SPEED: (2, ("Property",))})
    # Both change their types: how many there are of each stays, what they have doesn't.
    link = {SPEED: [{"type": "Relationship", "object": "urn:x:2"}]}
    await write(store, replace(vehicle("1", TRAM), attrs=link), vehicle("2", BUS))
    assert await found() == ({BUS: 1, TRAM: 1}, {SPEED: (2, ("Property", "Relationship"))})
    assert {one.iri: dict(one.attributes) for one in await store.list_types()} == {
        BUS: {SPEED: ("Property",)},
        TRAM: {SPEED: ("Relationship",)},
    }
    await store.apply([DeleteAttribute("urn:x:1", SPEED)])
    assert await found() == ({BUS: 1, TRAM: 1}, {SPEED: (1, ("Property",))})
    await store.apply([DeleteEntity("urn:x:1"), DeleteEntity("urn:x:2")])
    assert await found() == ({}, {})
    await write(store, vehicle("1", BUS, at=(121, 31)))
    assert await found() == ({BUS: 1}, {SPEED: (1, ("Property",)), PLACE: (1, ("GeoProperty",))})


async def test_a_write_to_one_of_many_does_not_have_all_counted_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(store, *(vehicle(str(number), BUS) for number in range(20)))
    await store.list_types()
    counted: list[Any] = []

    def keep(_: KeptUsage, usage: Usage, *given: Any, **more: Any) -> Usage:
        counted.append(usage)
        return usage

    monkeypatch.setattr(KeptUsage, "keep", keep)
    await write(store, vehicle("3", BUS, at=(121, 31)), vehicle("20", TRAM))
    assert {one.iri: one.entity_count for one in await store.list_types()} == {BUS: 20, TRAM: 1}
    assert counted == []
