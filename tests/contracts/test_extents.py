"""Every engine measures where its objects lie, and which kinds of them move."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.store.contract import Store

SPOT, ROBOT, BUS = "urn:x:Spot", "urn:x:Robot", "urn:x:Bus"
PLACE, AREA = "urn:x:place", "urn:x:area"


def at(x: float, y: float, **more: Any) -> dict[str, Any]:
    value = {"type": "Point", "coordinates": [x, y]}
    return {"type": "GeoProperty", "value": value, **more}


def thing(name: str, types: tuple[str, ...], *places: dict[str, Any]) -> Entity:
    attrs = {PLACE: list(places)} if places else {}
    return Entity(f"urn:x:{name}", types, attrs)


async def put(store: Store, *entities: Entity) -> None:
    await store.apply_all([UpsertEntity(one) for one in entities])


async def test_the_box_of_a_kind_is_that_of_all_of_it(store: Store) -> None:
    await put(store, *(thing(f"{n}", (SPOT,), at(120.0 + n, 31.0 - n)) for n in range(3)))
    await put(store, thing("both", (SPOT, ROBOT), at(119.0, 32.0)), thing("nowhere", (BUS,)))
    extents = await store.extents()
    assert extents.seq == await store.journal_end()
    assert set(extents.kinds) == {(SPOT, PLACE), (ROBOT, PLACE)}
    spots = extents.kinds[SPOT, PLACE]
    box = (spots.west, spots.south, spots.east, spots.north)
    assert box == pytest.approx((119.0, 29.0, 122.0, 32.0), abs=1e-4)
    assert (spots.count, spots.moves) == (4, False)


async def test_what_was_observed_at_a_time_moves(store: Store) -> None:
    await put(store, thing("1", (BUS,), at(1, 1, observedAt="2026-01-01T00:00:00.000000Z")))
    assert (await store.extents()).kinds[BUS, PLACE].moves


async def test_what_has_lain_elsewhere_moves_and_what_was_said_again_does_not(
    store: Store,
) -> None:
    scales = (at(1, 1), at(1, 2, datasetId="urn:x:scale"))
    still, robot = thing("still", (SPOT,), *scales), thing("robot", (ROBOT,), at(1, 1))
    await put(store, still, robot)
    await put(store, still, thing("robot", (ROBOT,), at(2, 1)))
    kinds = (await store.extents()).kinds
    assert not kinds[SPOT, PLACE].moves
    assert kinds[ROBOT, PLACE].moves


async def test_what_is_gone_lies_nowhere(store: Store) -> None:
    await put(store, thing("1", (SPOT,), at(1, 1)))
    await store.apply_all([DeleteEntity("urn:x:1")])
    assert (await store.extents()).kinds == {}
