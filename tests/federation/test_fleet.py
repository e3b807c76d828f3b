"""Co-located nodes are asked in one go, and answer as one node that holds everything would."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import UnavailableError
from conurb.federation.completeness import FederatedEvolutionPage
from conurb.federation.fleet import Fleet, muster
from conurb.federation.reach import QUERYING
from conurb.federation.region import reach_of
from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity
from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    Compare,
    OrderBy,
    Query,
    Restriction,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeAny,
    TypeIs,
)
from conurb.model.registration import EntityInfo, Information
from conurb.model.time import US_PER_S, fixed
from conurb.store.sqlite import together as reading
from conurb.store.sqlite.connections import in_readers
from conurb.store.sqlite.select import selection
from conurb.store.together import Asked, find_runs, meeting, query_together
from tests.federation.region_of_files import (
    BUS,
    CITIES,
    NAME,
    NO2,
    PRICE,
    SPOT,
    STATION,
    Files,
    files,
    ids,
    of,
    placed,
    spot,
)

PATH = AttributePath((PRICE,))
BEGIN_US = 1_767_225_600 * US_PER_S
HOUR_US = 3_600 * US_PER_S
DAY = TimeWindow("observedAt", "between", BEGIN_US, BEGIN_US + 24 * HOUR_US)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Files]:
    async with files(tmp_path) as opened:
        yield opened


async def filled(world: Files) -> Files:
    """Give every city 40 spots of which some have no price, and some prices are texts."""
    chance = random.Random(3)
    for city in CITIES:
        spots = []
        for number in range(40):
            value: Any = chance.choice([None, chance.randint(0, 9), chance.random() * 9, "free"])
            one = spot(city, number, scope=(f"/{city}",) if number % 2 else ())
            if value is not None:
                one = one.with_attrs({**one.attrs, PRICE: [{"type": "Property", "value": value}]})
            spots.append(placed(one, 120 + chance.random(), 31 + chance.random()))
        await world.put(city, *spots)
    return world


QUERIES: dict[str, Query] = {
    "by id": of(SPOT, limit=50, count=True),
    "the second page": of(SPOT, limit=25, offset=30, count=True),
    "the last page": of(SPOT, limit=25, offset=110),
    "past the end": of(SPOT, limit=5, offset=500, count=True),
    "a count alone": of(SPOT, limit=0, count=True),
    "a condition": of(SPOT, condition=Compare(PATH, ">", 4), limit=10, count=True),
    "a condition on text": of(SPOT, condition=Compare(PATH, "==", "free"), limit=10, count=True),
    "ascending": of(SPOT, order=(OrderBy(PATH),), limit=30, offset=5, count=True),
    "descending": of(SPOT, order=(OrderBy(PATH, descending=True),), limit=70),
    "by two values": of(
        SPOT, order=(OrderBy(PATH, descending=True), OrderBy(AttributePath((NAME,)))), limit=90
    ),
    "collated": of(SPOT, order=(OrderBy(AttributePath((NAME,)), collated=True),), limit=40),
    "by distance": of(
        SPOT,
        order=(
            OrderBy(
                AttributePath(("https://uri.etsi.org/ngsi-ld/location",)),
                distance_from_wkt="POINT (120.5 31.5)",
            ),
        ),
        limit=30,
    ),
    "ids": Query(
        (Selector(ids=tuple(f"urn:ngsi-ld:ParkingSpot:{one}:007" for one in CITIES)),), count=True
    ),
    "a pattern of ids": Query((Selector(id_pattern="wuxi:00[1-4]"),), count=True),
    "any of two types": Query(
        (Selector(types=TypeAny((TypeIs(SPOT), TypeIs(BUS)))),), limit=15, count=True
    ),
    "anything": Query(limit=200, count=True),
    "a type that nobody has": of("urn:x:Nothing", count=True),
}


@pytest.mark.parametrize("inline_s_max", [0.0, 10.0], ids=["in a thread", "on the loop"])
async def test_pages_are_those_of_one_node_with_everything(
    world: Files, inline_s_max: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "INLINE_S_MAX", inline_s_max)
    monkeypatch.setattr(reading, "INLINE_WAIT_S_MAX", max(inline_s_max, 0.001))
    await filled(world)
    for name, query in QUERIES.items():
        answer = await world.query(query)
        wanted = await world.one.consume.query(LOCAL, query)
        assert ids(answer.entities) == ids(wanted.entities), name
        assert [one.attrs.keys() for one in answer.entities] == [
            one.attrs.keys() for one in wanted.entities
        ], name
        assert (answer.total, answer.more) == (wanted.total, wanted.more), name
        assert answer.completeness.whole, name
        assert answer.completeness.count_is_exact, name


async def test_the_state_at_a_time_is_that_of_one_node(world: Files) -> None:
    await filled(world)
    before_us = world.one.clock()
    for number in range(5):
        gone = f"urn:ngsi-ld:ParkingSpot:suzhou:{number:03d}"
        for node in (world.cities["suzhou"], world.one):
            await node.store.apply_all([DeleteEntity(gone)])
    query = of(SPOT, limit=60, offset=30, count=True)
    for at_us in (before_us, None):
        answer = await world.query(query, at_us=at_us)
        wanted = await world.one.consume.query(LOCAL, query, at_us=at_us)
        assert ids(answer.entities) == ids(wanted.entities)
        assert answer.total == wanted.total


async def test_a_caller_sees_of_every_node_only_what_they_may(world: Files) -> None:
    await filled(world)
    caller = Caller("guest", frozenset({"read"}), Restriction(scopes=("/wuxi",)))
    answer = await world.query(of(SPOT, limit=100, count=True), caller)
    assert answer.total == 20
    assert {one.id.split(":")[3] for one in answer.entities} == {"wuxi"}


async def test_a_node_is_asked_as_far_as_its_registration_goes(world: Files) -> None:
    await filled(world)
    await world.put("wuxi", Entity("urn:ngsi-ld:Vehicle:wuxi:1", (BUS,), {}))
    await world.register("wuxi", information=(Information((EntityInfo((BUS,)),)),))
    answer = await world.query(Query(limit=200, count=True))
    assert answer.total == 81
    assert "urn:ngsi-ld:Vehicle:wuxi:1" in ids(answer.entities)


async def test_an_object_of_two_nodes_is_one_and_counts_once(world: Files) -> None:
    await filled(world)
    twice = spot("suzhou", 3, price=77.0)
    await world.put("shanghai", twice)
    answer = await world.query(of(SPOT, limit=200, count=True))
    assert answer.total == 120
    assert answer.completeness.count_is_exact
    [found] = [one for one in answer.entities if one.id == twice.id]
    assert found.attrs[PRICE][0]["value"] == 77.0


async def test_a_count_of_too_many_that_may_be_the_same_is_said_to_be_a_sum(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    monkeypatch.setattr("conurb.store.sqlite.job.COUNTED_MAX", 50)
    apart = await world.query(of(SPOT, limit=0, count=True))
    assert (apart.total, apart.completeness.count_is_exact) == (120, True)
    await world.put("shanghai", spot("suzhou", 3))
    mixed = await world.query(of(SPOT, limit=0, count=True))
    assert (mixed.total, mixed.completeness.count_is_exact) == (121, False)


async def test_where_ids_lie_is_told_by_their_first_and_last(world: Files) -> None:
    await filled(world)
    runs = await find_runs(world.cities["wuxi"].store, of(SPOT))
    assert runs == (("urn:ngsi-ld:ParkingSpot:wuxi:000", "urn:ngsi-ld:ParkingSpot:wuxi:039"),)
    await world.put("wuxi", Entity("urn:x:both", (SPOT, BUS), {}))
    runs = await find_runs(world.cities["wuxi"].store, of(SPOT))
    assert runs is not None
    assert ("urn:x:both", "urn:x:both") in runs


def test_stores_of_which_one_may_hold_any_id_all_belong_together() -> None:
    assert meeting({1: [("a", "b")], 2: None, 3: [("c", "d")]}) == [[1, 2, 3]]
    assert meeting({1: [("a", "c"), ("x", "y")], 2: [("d", "e")], 3: [("b", "b")]}) == [[1, 3], [2]]


async def test_files_whose_ids_come_later_are_not_read(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    opened: list[int] = []
    original = reading._QueryJob._open

    def counting(job: Any, one: Any) -> None:
        opened.append(one.number)
        original(job, one)

    monkeypatch.setattr(reading._QueryJob, "_open", counting)
    monkeypatch.setattr(reading, "INLINE_S_MAX", 0.0)
    await world.query(of(SPOT, limit=20))
    assert opened == [1]  # the region's own store is 0, Shanghai's ids come first
    await world.query(of(SPOT, limit=60))
    assert opened[1:] == [1, 2]


async def test_what_was_compiled_for_one_file_serves_those_that_are_alike(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    compiled = []
    original = selection

    def counting(*args: Any, **more: Any) -> Any:
        compiled.append(1)
        return original(*args, **more)

    monkeypatch.setattr(reading, "selection", counting)
    monkeypatch.setattr(reading, "INLINE_S_MAX", 0.0)
    query = of(SPOT, condition=Compare(PATH, ">", 4), order=(OrderBy(PATH),), limit=50)
    first = await world.query(query)
    assert len(compiled) <= 2  # the cities are alike, the region's own store has no such type
    await world.put("wuxi", Entity("urn:x:both", (SPOT, BUS), {PRICE: [_value(99)]}))
    again = await world.query(query)
    assert set(ids(again.entities)) == {*ids(first.entities), "urn:x:both"}


async def test_a_write_is_in_the_next_answer_although_answers_of_the_file_are_kept(
    world: Files,
) -> None:
    await filled(world)
    query = of(SPOT, limit=3, count=True)
    assert (await world.query(query)).total == 120
    early = Entity("urn:a:first", (SPOT,), {})
    await world.put("wuxi", early)
    answer = await world.query(query)
    assert (answer.entities[0].id, answer.total) == (early.id, 121)


async def test_a_file_that_can_not_be_read_is_named_and_the_rest_answers(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    door = world.cities["suzhou"].store.door  # type: ignore[attr-defined]

    def broken() -> Any:
        raise UnavailableError("the disk is gone")

    monkeypatch.setattr(door.connections, "lease", broken)
    answer = await world.query(of(SPOT, limit=100, count=True))
    assert [(one.node, one.reason) for one in answer.completeness.missing] == [
        ("suzhou", "the disk is gone")
    ]
    assert answer.total == 80
    page = await world.history(TemporalQuery(of(SPOT, limit=100)))
    assert [one.node for one in page.completeness.missing] == ["suzhou"]
    assert len(page.evolutions) == 80


async def test_a_file_that_takes_too_long_is_given_up(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    monkeypatch.setattr("conurb.store.sqlite.job.PROGRESS_STEPS", 1)
    stores = [world.cities[one].store for one in CITIES]
    late = await query_together(
        [Asked(one, of(SPOT, order=(OrderBy(PATH),))) for one in stores], within_s=-1.0
    )
    assert set(late.failures) == {0, 1, 2}
    assert late.groups == []
    again = await query_together([Asked(one, of(SPOT, limit=2)) for one in stores], within_s=10)
    assert len(again.groups) == 2
    assert not again.failures


async def test_nodes_that_could_not_answer_in_time_are_missing_by_their_names(
    world: Files,
) -> None:
    await filled(world)
    late = replace(LOCAL, deadline_s=monotonic() - 1)
    answer = await world.query(of(SPOT, limit=100, count=True), late)
    assert answer.completeness.asked == ("region", *CITIES)
    assert [one.node for one in answer.completeness.missing] == ["region", *CITIES]
    page = await world.region.temporal.query(late, TemporalQuery(of(SPOT, limit=100)))
    assert isinstance(page, FederatedEvolutionPage)
    assert [one.node for one in page.completeness.missing] == ["region", *CITIES]


async def test_a_job_that_takes_too_long_for_the_loop_begins_anew_in_a_thread(
    world: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    monkeypatch.setattr("conurb.store.sqlite.job.INLINE_STEPS", 1)
    monkeypatch.setattr(reading, "INLINE_S_MAX", 1e-6)
    jobs = []
    original = in_readers

    async def counting(work: Any) -> Any:
        jobs.append(work)
        return await original(work)

    monkeypatch.setattr(reading, "in_readers", counting)
    answer = await world.query(of(SPOT, limit=100, count=True))
    assert (len(answer.entities), answer.total, len(jobs)) == (100, 120, 1)
    assert answer.completeness.whole


async def test_only_nodes_that_answer_for_themselves_are_asked_in_one_go(world: Files) -> None:
    await world.register("wuxi", information=(Information((EntityInfo((SPOT,)),), (PRICE,)),))
    await world.register("suzhou", timeout_s=3.0)
    caller = reach_of(world.region).passed(LOCAL)
    choice = await reach_of(world.region).choose(caller, of(SPOT), QUERYING)
    sorted_ = await muster(choice.peers, caller, of(SPOT))
    assert isinstance(sorted_.fleet, Fleet)
    assert [ship.peer.name for ship in sorted_.fleet.ships] == ["region", "shanghai"]
    assert [peer.name for peer in sorted_.others] == ["suzhou", "wuxi"]
    await filled(world)
    answer = await world.query(of(SPOT, limit=200, count=True, order=(OrderBy(PATH),)))
    priced = await world.cities["wuxi"].consume.query(LOCAL, Query(attributes=(PRICE,), limit=100))
    assert answer.total == 80 + len(priced.entities) < 120
    of_wuxi = [one for one in answer.entities if ":wuxi:" in one.id]
    assert len(of_wuxi) == len(priced.entities)
    assert not any(NAME in one.attrs for one in of_wuxi)


# ── history ───────────────────────────────────────────────────────────────────────────────────


def _value(value: Any, hour: float | None = None, **more: Any) -> dict[str, Any]:
    at = {} if hour is None else {"observedAt": fixed(BEGIN_US + int(hour * HOUR_US))}
    return {"type": "Property", "value": value, **at, **more}


async def measured(world: Files) -> Files:
    """Give every city two stations with a day of values, and Suzhou one that has gone."""
    chance = random.Random(5)
    for city in CITIES:
        for number in range(2):
            values = [_value(round(chance.gauss(40, 9), 3), at / 2) for at in range(48)]
            await world.append(city, f"urn:ngsi-ld:AirQualityObserved:{city}:{number}", *values)
    for node in (world.cities["suzhou"], world.one):
        await node.store.apply_all([DeleteEntity("urn:ngsi-ld:AirQualityObserved:suzhou:1")])
    return world


METHODS = ("totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq")
HOURLY = TemporalQuery(
    of(STATION, limit=10, count=True),
    DAY,
    (NO2,),
    aggregation=Aggregation(METHODS, period_us=HOUR_US),  # type: ignore[arg-type]
)
HISTORIES: dict[str, TemporalQuery] = {
    "everything": TemporalQuery(of(STATION, limit=10, count=True), DAY),
    "a page": TemporalQuery(of(STATION, limit=2, offset=3, count=True), DAY),
    "from the end": TemporalQuery(
        of(STATION, limit=4, order=(OrderBy(AttributePath(("id",)), descending=True),)), DAY
    ),
    "the latest": TemporalQuery(of(STATION, limit=10), last_n=3),
    "cut": TemporalQuery(of(STATION, limit=10), DAY, instance_limit=50),
    "cut, the latest first": TemporalQuery(of(STATION, limit=10), last_n=20, instance_limit=33),
    "hourly": HOURLY,
    "hourly without a window": replace(HOURLY, window=TimeWindow()),
    "in months": replace(HOURLY, aggregation=Aggregation(("avg",), period_months=1)),
    "the whole day": replace(HOURLY, aggregation=Aggregation(("avg", "stddev"))),
}


def told(page: Any) -> list[Any]:
    return [
        (
            one.id,
            {name: [i.instance for i in items] for name, items in one.instances.items()},
            one.aggregates,
            one.deleted_us is None,
        )
        for one in page.evolutions
    ]


def timeless(told_: list[Any]) -> list[Any]:
    """Leave out when a node has stored something: two nodes do at two times."""
    return [
        (
            one,
            {
                name: [
                    {k: v for k, v in (i or {}).items() if k not in ("createdAt", "modifiedAt")}
                    for i in items
                ]
                for name, items in instances.items()
            },
            aggregates,
            alive,
        )
        for one, instances, aggregates, alive in told_
    ]


async def test_histories_are_those_of_one_node_with_everything(world: Files) -> None:
    await measured(world)
    for name, query in HISTORIES.items():
        page = await world.history(query)
        wanted = await world.one.temporal.query(LOCAL, query)
        assert timeless(told(page)) == timeless(told(wanted)), name
        assert (page.total, page.more) == (wanted.total, wanted.more), name
        assert page.truncated_at_us == wanted.truncated_at_us, name
        assert page.completeness.asked == ("region", *CITIES), name


async def test_a_history_that_lies_with_two_nodes_is_one(world: Files) -> None:
    """Half of the values lie with Shanghai, half with Wuxi, and some of them with both."""
    chance = random.Random(7)
    station = "urn:ngsi-ld:AirQualityObserved:taihu:1"
    values = [_value(round(chance.gauss(40, 9), 3), at / 2) for at in range(48)]
    for city, part in (("shanghai", values[:30]), ("wuxi", values[20:])):
        await _append(world.cities[city], station, part)
    await _append(world.one, station, values)
    await measured(world)
    for name, query in HISTORIES.items():
        page = await world.history(query)
        wanted = await world.one.temporal.query(LOCAL, query)
        if "cut" in name:  # values that lie with both count twice before they are put together
            assert page.truncated_at_us is not None
            assert wanted.truncated_at_us is not None
            continue
        assert ids(page.evolutions) == ids(wanted.evolutions), name
        for given, expected in zip(page.evolutions, wanted.evolutions, strict=True):
            assert _observed(given) == _observed(expected), name
            _same_aggregates(given.aggregates, expected.aggregates)
        assert page.total == wanted.total, name


def _same_aggregates(given: Any, expected: Any) -> None:
    """Compare aggregates; summed in another order, the last digits may differ."""
    assert given.keys() == expected.keys()
    for key, methods in expected.items():
        for method, rows in methods.items():
            found = given[key][method]
            assert [row[1:] for row in found] == [row[1:] for row in rows]
            assert [row[0] for row in found] == pytest.approx(
                [row[0] for row in rows], rel=1e-9, abs=1e-6
            )


def _observed(evolution: Any) -> list[int]:
    return [i.at_us for i in evolution.instances.get(NO2, ()) if i.instance is not None]


async def _append(node: Any, entity_id: str, values: list[dict[str, Any]]) -> None:
    from conurb.model.operations.temporal import AppendEvolution
    from conurb.model.parse import TemporalFragment

    fragment = TemporalFragment({NO2: values}, entity_id, (STATION,))
    await node.store.apply_all([AppendEvolution(entity_id, fragment)])


async def test_a_deleted_object_counts_among_histories_where_its_id_lies(world: Files) -> None:
    await measured(world)
    gone = "urn:ngsi-ld:AirQualityObserved:suzhou:1"
    await _append(world.cities["wuxi"], gone, [_value(1.0, 2)])
    page = await world.history(TemporalQuery(of(STATION, limit=0, count=True)))
    assert page.total == 6
    assert page.completeness.count_is_exact
