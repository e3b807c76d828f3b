"""Nodes are left out of a question by where their objects lie, and by nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from conurb.federation.completeness import FederatedAnswer
from conurb.federation.extents import box_of, lies_elsewhere, read, written
from conurb.federation.region import reach_of, registrations_of
from conurb.federation.surveys import EXTENTS_PATH
from conurb.model.entity import Entity
from conurb.model.query.tree import GeoCondition, Query
from conurb.model.registration import Registration
from conurb.model.time import US_PER_S
from conurb.store.extent import Extent
from tests.federation.region_of_files import (
    BUS,
    HISTORY,
    PLACE,
    SPOT,
    Files,
    files,
    ids,
    of,
    placed,
    spot,
)
from tests.federation.served import served

SHANGHAI, SUZHOU, WUXI = (121.47, 31.23), (120.62, 31.3), (120.3, 31.57)
ROBOT = "urn:x:DeliveryRobot"
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[120.5, 31.2], [120.8, 31.2], [120.8, 31.4], [120.5, 31.4], [120.5, 31.2]]],
}
"""Around Suzhou."""


def near(place: tuple[float, float], metres: float = 5000.0) -> GeoCondition:
    x, y = place
    return GeoCondition(PLACE, "near", f"POINT ({x} {y})", distance_m_max=metres)


def bus(name: str, place: tuple[float, float], *, type_: str = BUS, seen: bool = False) -> Entity:
    entity = Entity(f"urn:ngsi-ld:Vehicle:suzhou:{name}", (type_,), {})
    return placed(entity, *place, observed_us=1_780_000_000 * US_PER_S if seen else None)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Files]:
    """Three cities with a spot each, already measured."""
    async with files(tmp_path) as opened:
        for name, place in (("shanghai", SHANGHAI), ("suzhou", SUZHOU), ("wuxi", WUXI)):
            await opened.put(name, placed(spot(name, 1), *place))
        await measured(opened)
        yield opened


async def measured(world: Files) -> None:
    """Ask once, so that everything is measured, and wait until it is."""
    surveys = reach_of(world.region).surveys
    surveys._paused_s.clear()
    await world.query(of(SPOT, geo=near(SHANGHAI)))
    await surveys.settled()


async def asked(world: Files, query: Query) -> FederatedAnswer:
    return await world.query(query)


async def test_suzhous_bus_in_shanghai_is_found(world: Files) -> None:
    """Also when Suzhou is registered for its own area alone, and its buses were measured there."""
    await world.register("suzhou", location=SQUARE)
    await world.put("suzhou", bus("1", SUZHOU))
    await measured(world)
    await world.put("suzhou", bus("1", SHANGHAI))
    answer = await world.query(of(BUS, geo=near(SHANGHAI)))
    assert ids(answer.entities) == ["urn:ngsi-ld:Vehicle:suzhou:1"]
    await measured(world)
    answer = await world.query(of(BUS, geo=near(SHANGHAI)))
    assert ids(answer.entities) == ["urn:ngsi-ld:Vehicle:suzhou:1"]
    assert answer.completeness.skipped == ()


async def test_what_was_seen_to_move_is_never_left_out_by_its_area(world: Files) -> None:
    await world.put("suzhou", bus("seen", SUZHOU, type_=ROBOT, seen=True))
    await world.put("wuxi", placed(Entity("urn:x:still", (ROBOT,), {}), *WUXI))
    await measured(world)
    answer = await asked(world, of(ROBOT, geo=near(SHANGHAI)))
    assert [one.node for one in answer.completeness.skipped] == ["shanghai", "wuxi"]
    assert "suzhou" in answer.completeness.asked
    await world.put("wuxi", placed(Entity("urn:x:still", (ROBOT,), {}), *SUZHOU))
    await measured(world)
    answer = await asked(world, of(ROBOT, geo=near(SHANGHAI)))
    assert [one.node for one in answer.completeness.skipped] == ["shanghai"]


async def test_nodes_whose_objects_lie_elsewhere_are_left_out_and_listed_with_why(
    world: Files,
) -> None:
    answer = await asked(world, of(SPOT, geo=near(SUZHOU), count=True))
    assert ids(answer.entities) == ["urn:ngsi-ld:ParkingSpot:suzhou:001"]
    assert answer.completeness.asked == ("region", "suzhou")
    assert [(one.node, one.reason, one.age_s) for one in answer.completeness.skipped] == [
        ("shanghai", "none of its objects lie there", 0.0),
        ("wuxi", "none of its objects lie there", 0.0),
    ]
    assert "not asked: shanghai (none of its objects lie there)" in answer.completeness.said()
    assert answer.completeness.whole


async def test_a_node_that_has_changed_is_asked_until_it_was_measured_again(world: Files) -> None:
    await world.put("wuxi", placed(spot("wuxi", 2), *SUZHOU))
    answer = await asked(world, of(SPOT, geo=near(SUZHOU)))
    assert ids(answer.entities) == [
        "urn:ngsi-ld:ParkingSpot:suzhou:001",
        "urn:ngsi-ld:ParkingSpot:wuxi:002",
    ]
    assert [one.node for one in answer.completeness.skipped] == ["shanghai"]


async def test_a_node_that_keeps_changing_is_measured_less_and_less(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("conurb.federation.surveys.monotonic", lambda: now[0])
    surveys = reach_of(world.region).surveys
    surveys._paused_s.clear()
    measures = []
    for second in range(200):
        now[0] += 1
        await world.put("wuxi", placed(spot("wuxi", 2), 120.3, 31.5 + second / 1000))
        await world.query(of(SPOT, geo=near(SUZHOU)))
        if surveys._tasks:
            measures.append(second)
        await surveys.settled()
    assert 3 <= len(measures) <= 7
    gaps = [after - before for before, after in pairwise(measures)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > gaps[0]


async def test_what_has_no_area_asks_everybody(world: Files) -> None:
    disjoint = GeoCondition(PLACE, "disjoint", "POINT (1 1)")
    far = GeoCondition(PLACE, "near", "POINT (1 1)", distance_m_min=5.0)
    for geo in (disjoint, far, None):
        answer = await asked(world, of(SPOT, geo=geo))
        assert len(answer.entities) == 3
        assert answer.completeness.skipped == ()


async def test_a_question_of_the_past_goes_to_where_objects_may_have_been(world: Files) -> None:
    at_us = world.one.clock()
    await world.put("wuxi", placed(spot("wuxi", 1), *SHANGHAI))
    await measured(world)
    now = await asked(world, of(SPOT, geo=near(WUXI)))
    assert now.entities == []
    then = await world.query(of(SPOT, geo=near(WUXI)), at_us=at_us)
    assert ids(then.entities) == ["urn:ngsi-ld:ParkingSpot:wuxi:001"]


async def test_a_declared_area_counts_where_nothing_was_measured_but_not_for_what_may_move(
    world: Files,
) -> None:
    elsewhere = Registration(
        id="urn:x:registration:far",
        endpoint="http://far.example",
        alias="far",
        location=SQUARE,
        operations=HISTORY,
    )
    await registrations_of(world.region).put(elsewhere)
    still = await asked(world, of(SPOT, geo=near(SHANGHAI)))
    assert ("far", "registered for another area") in [
        (one.node, one.reason) for one in still.completeness.skipped
    ]
    moving = await asked(world, of(BUS, geo=near(SHANGHAI)))
    anything = await asked(world, Query(geo=near(SHANGHAI)))
    for answer in (moving, anything):
        assert "far" in answer.completeness.asked


async def test_a_node_that_asks_others_in_turn_is_never_left_out(world: Files) -> None:
    province = world.cities["wuxi"]
    await registrations_of(province).put(
        Registration(
            id="urn:x:registration:below",
            endpoint="urn:conurb:this-process",
            alias="below",
            tenant="suzhou",
            operations=HISTORY,
        )
    )
    answer = await asked(world, of(SPOT, geo=near(SUZHOU)))
    assert "wuxi" in answer.completeness.asked
    assert ids(answer.entities) == ["urn:ngsi-ld:ParkingSpot:suzhou:001"]


@pytest.mark.parametrize("relation", ["within", "intersects", "contains", "equals", "overlaps"])
def test_the_box_of_a_shape_is_its_own(relation: str) -> None:
    wkt = "POLYGON ((1 2, 3 2, 3 5, 1 2))"
    assert box_of(GeoCondition(PLACE, relation, wkt)) == (1, 2, 3, 5)  # type: ignore[arg-type]


def test_the_box_of_a_distance_over_the_antimeridian_is_the_whole_way_round() -> None:
    box = box_of(GeoCondition(PLACE, "near", "POINT (179.99 10)", distance_m_max=50_000))
    assert box is not None
    assert (box[0], box[2]) == (-180.0, 180.0)


def test_what_was_measured_can_be_written_and_read() -> None:
    kinds = {(SPOT, PLACE): Extent(1.0, 2.0, 3.0, 4.0, 7, True)}
    assert read(written(kinds)) == kinds  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no extent"):
        read([{"type": SPOT}])
    query = of(SPOT, geo=near((50.0, 50.0)))
    assert not lies_elsewhere(kinds, query)
    assert lies_elsewhere({(SPOT, PLACE): Extent(1.0, 2.0, 3.0, 4.0, 7, False)}, query)
    assert lies_elsewhere({}, query)


async def test_a_node_elsewhere_says_where_its_objects_lie_and_how_old_that_is(
    tmp_path: Path,
) -> None:
    point = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": list(WUXI)}}
    stop = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "location": point}
    async with (
        served(tmp_path, "region", outbound=("loopback",)) as region,
        served(tmp_path, "wuxi") as wuxi,
    ):
        await wuxi.put(stop)
        told = (await wuxi.client.get(EXTENTS_PATH)).json()
        assert told["age"] == 0.0
        assert [(one["count"], one["moves"]) for one in told["extents"]] == [(1, False)]
        await region.register(wuxi.url, contextSourceAlias="wuxi")
        there, elsewhere = (
            {
                "georel": "near;maxDistance==5000",
                "geometry": "Point",
                "coordinates": f"[{place[0]},{place[1]}]",
            }
            for place in (WUXI, SHANGHAI)
        )
        found = await region.buses(**there)
        assert len(found.json()) == 1
        response = found
        for _ in range(200):  # it is asked where its objects lie in the background
            response = await region.buses(**elsewhere)
            if "conurb-skipped" in response.headers:
                break
            await asyncio.sleep(0.02)
        assert len((await region.buses(**there)).json()) == 1
        assert response.json() == []
        assert response.headers["conurb-completeness"] == "1/1"
        assert response.headers["conurb-skipped"] == (
            'wuxi; age=0; reason="none of its objects lie there"'
        )
        assert (await region.client.get(EXTENTS_PATH)).json()["extents"] is None
