"""What a store promises, by example, on every engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conurb.errors import AlreadyExistsError, ConflictError, NotFoundError, TooComplexQueryError
from conurb.model.changes import Change
from conurb.model.entity import Entity
from conurb.model.operations.attribute import DeleteAttribute, ReplaceAttribute
from conurb.model.operations.entity import CreateEntity, DeleteEntity, UpsertEntity
from conurb.model.operations.expiry import Expire
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Query,
    Restriction,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.model.time import BEGINNING, US_PER_S, fixed
from conurb.store.contract import Document, Position, Store
from conurb.store.engines import open_store
from tests.contracts.conftest import START_US, ManualClock

TYPE = "https://example.org/City"
NAME = "https://example.org/name"
GDP = "https://example.org/gdp"
HOUR_US = 3600 * US_PER_S


def city(name: str, *, gdp: float = 1, **more: Any) -> Entity:
    attrs = {
        NAME: [{"type": "Property", "value": name}],
        GDP: [{"type": "Property", "value": gdp}],
    }
    return Entity(f"urn:ngsi-ld:City:{name}", (TYPE,), attrs, **more)


def above(value: float, **more: Any) -> Query:
    return Query(
        (Selector(types=TypeIs(TYPE)),),
        condition=Compare(AttributePath((GDP,)), ">", value),
        **more,
    )


def set_gdp(name: str, value: float, *, at_us: int | None = None) -> ReplaceAttribute:
    instance: dict[str, Any] = {"type": "Property", "value": value}
    if at_us is not None:
        instance["observedAt"] = fixed(at_us)
    return ReplaceAttribute(f"urn:ngsi-ld:City:{name}", GDP, (instance,))


# ── writing ───────────────────────────────────────────────────────────────────────────────────


async def test_each_operation_has_its_own_outcome(store: Store) -> None:
    outcomes = await store.apply(
        [CreateEntity(city("wuxi")), CreateEntity(city("wuxi")), CreateEntity(city("suzhou"))]
    )
    assert [type(outcome) for outcome in outcomes] == [Change, AlreadyExistsError, Change]
    assert await store.journal_end() == 2


async def test_operations_on_one_object_in_a_batch_see_each_other(store: Store) -> None:
    await store.apply([CreateEntity(city("wuxi")), set_gdp("wuxi", 2), set_gdp("wuxi", 3)])
    found = await store.find("urn:ngsi-ld:City:wuxi")
    assert found is not None
    assert found.attrs[GDP][0]["value"] == 3
    assert [row.instance["value"] for row in await store.history(found.id, [GDP])] == [1, 2, 3]


async def test_all_or_nothing_changes_nothing_when_one_fails(store: Store) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    with pytest.raises(AlreadyExistsError):
        await store.apply_all(
            [CreateEntity(city("suzhou")), set_gdp("wuxi", 5), CreateEntity(city("wuxi"))],
            position=Position("reaction", 1),
        )
    assert await store.find("urn:ngsi-ld:City:suzhou") is None
    found = await store.find("urn:ngsi-ld:City:wuxi")
    assert found is not None
    assert found.attrs[GDP][0]["value"] == 1
    assert await store.position("reaction") == 0
    assert await store.journal_end() == 1


async def test_concurrent_writes_commit_in_groups_and_all_arrive(store: Store) -> None:
    await asyncio.gather(*(store.apply([CreateEntity(city(f"c{n}"))]) for n in range(200)))
    page = await store.query(Query(limit=1, count=True))
    assert page.total == 200
    records = await store.journal(after=0, limit=1000)
    assert [record.seq for record in records] == list(range(1, 201))
    assert [record.at_us for record in records] == sorted({r.at_us for r in records})


async def test_a_position_commits_with_its_writes(store: Store) -> None:
    await store.apply_all([CreateEntity(city("wuxi"))], position=Position("reaction", 1))
    assert await store.position("reaction") == 1
    await store.apply([CreateEntity(city("suzhou"))])
    await store.set_position(Position("reaction", 2))
    assert await store.position("reaction") == 2


async def test_what_was_written_is_there_after_closing(store_url: str) -> None:
    clock = ManualClock()
    first = open_store(store_url, clock=clock)
    await first.open()
    await first.apply([CreateEntity(city("wuxi", gdp=9))], position=Position("r", 1))
    await first.put_document(Document("subscription", "urn:s:1", {"a": [1]}))
    before = await first.find("urn:ngsi-ld:City:wuxi")
    await first.close()
    second = open_store(store_url, clock=clock)
    await second.open()
    assert await second.find("urn:ngsi-ld:City:wuxi") == before
    assert await second.position("r") == 1
    assert await second.journal_end() == 1
    await second.apply([set_gdp("wuxi", 10)])
    rows = await second.history("urn:ngsi-ld:City:wuxi", [GDP])
    numbers = [row.number for row in rows]
    assert len(set(numbers)) == 2, "numbers go on after a restart, with the clock standing still"
    assert await second.check() == []
    await second.close()


async def test_an_expired_object_is_absent_and_its_next_write_buries_it(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi", expires_at=START_US + 5 * US_PER_S))])
    clock.advance(10)
    assert await store.find("urn:ngsi-ld:City:wuxi") is None
    assert (await store.query(Query(count=True))).total == 0
    assert await store.list_expired() == ["urn:ngsi-ld:City:wuxi"]
    assert await store.apply([CreateEntity(city("wuxi"))]) != []
    kinds = [record.kind for record in await store.journal(after=0)]
    assert kinds == ["created", "deleted", "created"]
    assert await store.list_expired() == []


async def test_the_reaper_takes_away_what_has_expired(store: Store, clock: ManualClock) -> None:
    await store.apply([CreateEntity(city("wuxi", expires_at=START_US + 5 * US_PER_S))])
    clock.advance(10)
    await store.apply([Expire("urn:ngsi-ld:City:wuxi")])
    assert await store.list_expired() == []
    page = await store.query(Query(), at_us=START_US + 1)
    assert [entity.id for entity in page.entities] == ["urn:ngsi-ld:City:wuxi"]


# ── two times ─────────────────────────────────────────────────────────────────────────────────


async def test_a_name_without_a_time_held_always_and_its_change_from_then_on(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    changed = clock.advance(100)
    await store.apply([set_gdp("wuxi", 2)])
    rows = await store.history("urn:ngsi-ld:City:wuxi", [GDP])
    assert [row.at_us for row in rows] == [BEGINNING, changed]
    for at_us, expected in ((changed - 1, 1), (changed, 2)):
        page = await store.query(Query(), at_us=at_us)
        assert page.entities[0].attrs[GDP][0]["value"] == expected


async def test_an_object_is_there_from_its_earliest_observation_on(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    assert (await store.query(Query(count=True), at_us=START_US - HOUR_US)).total == 0
    clock.advance()
    observed = {
        "type": "Property",
        "value": 5,
        "observedAt": fixed(START_US - 2 * HOUR_US),
    }
    fragment = TemporalFragment(attrs={GDP: [observed]}, types=(TYPE,))
    await store.apply([AppendEvolution("urn:ngsi-ld:City:wuxi", fragment)])
    page = await store.query(above(4), at_us=START_US - HOUR_US)
    assert [entity.id for entity in page.entities] == ["urn:ngsi-ld:City:wuxi"]
    found = await store.find("urn:ngsi-ld:City:wuxi")
    assert found is not None
    assert found.attrs[GDP][0]["value"] == 1, "an older observation doesn't move the present"


async def test_a_correction_supersedes_and_what_was_known_stays_known(
    store: Store, clock: ManualClock
) -> None:
    at_us = START_US - HOUR_US
    await store.apply([CreateEntity(city("wuxi")), set_gdp("wuxi", 10, at_us=at_us)])
    before = clock.advance(10)
    clock.advance(10)
    await store.apply([set_gdp("wuxi", 11, at_us=at_us)])
    now = await store.query(Query(), at_us=at_us)
    then = await store.query(Query(), at_us=at_us, known_at_us=before)
    assert now.entities[0].attrs[GDP][0]["value"] == 11
    assert then.entities[0].attrs[GDP][0]["value"] == 10


async def test_what_was_deleted_is_gone_from_then_on_and_still_there_before(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    gone = clock.advance(100)
    await store.apply([DeleteAttribute("urn:ngsi-ld:City:wuxi", GDP)])
    later = clock.advance(100)
    await store.apply([DeleteEntity("urn:ngsi-ld:City:wuxi")])
    assert GDP in (await store.query(Query(), at_us=gone - 1)).entities[0].attrs
    assert GDP not in (await store.query(Query(), at_us=gone)).entities[0].attrs
    assert (await store.query(Query(), at_us=later)).entities == []
    assert isinstance((await store.apply([set_gdp("wuxi", 1)]))[0], NotFoundError)


async def test_an_object_made_anew_doesnt_get_its_old_attributes_back(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    clock.advance()
    await store.apply([DeleteEntity("urn:ngsi-ld:City:wuxi")])
    again = clock.advance()
    bare = Entity("urn:ngsi-ld:City:wuxi", (TYPE,))
    await store.apply([CreateEntity(bare)])
    page = await store.query(Query(), at_us=again)
    assert page.entities[0].attrs == {}


# ── reading ───────────────────────────────────────────────────────────────────────────────────


async def test_find_many_gives_what_there_is_in_the_order_asked(store: Store) -> None:
    await store.apply([CreateEntity(city("a")), CreateEntity(city("b"))])
    ids = ["urn:ngsi-ld:City:b", "urn:ngsi-ld:City:x", "urn:ngsi-ld:City:a", "urn:ngsi-ld:City:b"]
    found = await store.find_many(ids)
    assert [entity.id for entity in found] == ["urn:ngsi-ld:City:b", "urn:ngsi-ld:City:a"]


async def test_a_restriction_hides_from_lists_and_counts_alike(store: Store) -> None:
    await store.apply(
        [CreateEntity(city("a", scope=("/yrd/a",))), CreateEntity(city("b", scope=("/yrdx",)))]
    )
    seen = Restriction(scopes=("/yrd",))
    page = await store.query(Query(restriction=seen, count=True))
    assert (page.total, [entity.id for entity in page.entities]) == (1, ["urn:ngsi-ld:City:a"])
    assert await store.find("urn:ngsi-ld:City:b", seen) is None
    assert await store.find_many(["urn:ngsi-ld:City:b"], seen) == []
    assert [info.entity_count for info in await store.list_types(seen)] == [1]
    temporal = TemporalQuery(Query(restriction=seen, count=True), TimeWindow())
    assert (await store.evolution(temporal)).total == 1


async def test_pages_follow_each_other_without_gap_or_repeat(store: Store) -> None:
    await store.apply([CreateEntity(city(f"c{n:03}", gdp=n)) for n in range(25)])
    ids, more, offset = [], True, 0
    while more:
        page = await store.query(Query(limit=10, offset=offset))
        ids += [entity.id for entity in page.entities]
        more, offset = page.more, offset + 10
    assert ids == [f"urn:ngsi-ld:City:c{n:03}" for n in range(25)]


async def test_an_index_changes_no_answer(store: Store) -> None:
    odd: list[dict[str, Any]] = [
        {"type": "Property", "value": value}
        for value in (5, 5.5, "5", True, [5, 6], {"a": 5}, "x" * 300)
    ]
    for number, instance in enumerate(odd):
        entity = Entity(f"urn:ngsi-ld:City:{number}", (TYPE,), {GDP: [instance]})
        await store.apply([CreateEntity(entity)])
    comparisons = [("==", 5), ("!=", 5), (">", 5), ("<=", 5.5), ("==", "5"), ("==", True)]
    queries = [
        Query(
            (Selector(types=TypeIs(TYPE)),),
            condition=Compare(AttributePath((GDP,)), operator, operand),
            count=True,
        )
        for operator, operand in comparisons
    ]
    before = [await store.query(query) for query in queries]
    await store.ensure_index(GDP)
    await store.ensure_index(GDP)
    assert [await store.query(query) for query in queries] == before
    assert [page.total for page in before] == [2, 5, 1, 2, 1, 1]


async def test_a_query_over_the_bounds_is_refused(store: Store) -> None:
    await store.apply([CreateEntity(city("a"))])
    one = Compare(AttributePath((GDP,)), ">", 1)
    with pytest.raises(TooComplexQueryError):
        await store.query(Query(condition=And((one,) * 1000)))


# ── journal, documents ────────────────────────────────────────────────────────────────────────


async def test_the_journal_says_what_became_of_each_instance(
    store: Store, clock: ManualClock
) -> None:
    await store.apply([CreateEntity(city("wuxi"))])
    clock.advance()
    await store.apply([set_gdp("wuxi", 2), DeleteAttribute("urn:ngsi-ld:City:wuxi", NAME)])
    created, updated, removed = await store.journal(after=0)
    assert created.touched == {NAME: {None: "created"}, GDP: {None: "created"}}
    assert (created.kind, created.before) == ("created", {})
    assert updated.touched == {GDP: {None: "updated"}}
    assert updated.before[GDP][0]["value"] == 1
    assert updated.after is not None
    assert updated.after.attrs[GDP][0]["value"] == 2
    assert removed.touched == {NAME: {None: "deleted"}}


async def test_waiting_for_the_journal_ends_with_the_next_write(store: Store) -> None:
    assert not await store.wait_for_journal(0, 0.01)
    waiting = asyncio.create_task(store.wait_for_journal(0, 20))
    await asyncio.sleep(0)
    await store.apply([CreateEntity(city("a"))])
    assert await asyncio.wait_for(waiting, 5)
    assert await store.wait_for_journal(0, 0.01)


async def test_pruning_keeps_what_a_reader_hasnt_seen(store: Store, clock: ManualClock) -> None:
    for number in range(5):
        clock.advance()
        await store.apply([CreateEntity(city(f"c{number}"))])
    await store.set_position(Position("slow", 2))
    await store.set_position(Position("quick", 5))
    assert await store.prune_journal(before_us=clock() + 1) == 2
    assert [record.seq for record in await store.journal(after=0)] == [3, 4, 5]
    assert await store.journal_end() == 5


async def test_readers_of_something_else_neither_hold_the_journal_nor_lie_beyond_it(
    store: Store, clock: ManualClock
) -> None:
    for number in range(3):
        clock.advance()
        await store.apply([CreateEntity(city(f"c{number}"))])
    await store.set_position(Position("~source", 1))
    await store.set_position(Position("~clock", 2**53))
    assert await store.prune_journal(before_us=clock() + 1) == 2
    assert await store.check() == []


async def test_documents_are_listed_in_the_order_of_their_creation(store: Store) -> None:
    for name in ("b", "a", "c"):
        await store.put_document(Document("subscription", f"urn:s:{name}", {"n": name}))
    await store.put_document(Document("subscription", "urn:s:b", {"n": "new"}))
    await store.put_document(Document("context", "urn:c:1", {}))
    listed = await store.list_documents("subscription")
    assert [document.id for document in listed] == ["urn:s:b", "urn:s:a", "urn:s:c"]
    assert listed[0].body == {"n": "new"}
    assert await store.delete_document("subscription", "urn:s:a")
    assert not await store.delete_document("subscription", "urn:s:a")
    assert await store.find_document("subscription", "urn:s:a") is None
    found = await store.find_document("context", "urn:c:1")
    assert found == Document("context", "urn:c:1", {})


# ── the whole of it ───────────────────────────────────────────────────────────────────────────


async def _some_life(store: Store, clock: ManualClock) -> None:
    several = city("several", scope=("/yrd/a", "/b"), expires_at=START_US + 10**12)
    several.types = (TYPE, "https://example.org/Port")
    place = {"type": "Point", "coordinates": [121.5, 31.2]}
    several.attrs["https://example.org/place"] = [{"type": "GeoProperty", "value": place}]
    several.attrs[GDP].append(
        {"type": "Property", "value": 2, "datasetId": "urn:ngsi-ld:Dataset:ceads"}
    )
    await store.apply([CreateEntity(several), CreateEntity(city("gone"))])
    clock.advance()
    await store.apply([DeleteEntity("urn:ngsi-ld:City:gone"), UpsertEntity(city("a", gdp=3))])
    clock.advance()
    await store.apply([set_gdp("a", 4, at_us=START_US), set_gdp("a", 5, at_us=START_US)])
    await store.put_document(Document("subscription", "urn:s:1", {"q": "x"}))
    await store.set_position(Position("reader", 2))


async def _rows(store: Store) -> list[Mapping[str, Any]]:
    return [row async for row in store.export()]


async def _stream(rows: list[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    for row in rows:
        yield row


def _set(rows: list[Mapping[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


async def test_an_export_restores_into_the_same_store(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    await _some_life(store, clock)
    rows = await _rows(store)
    other = open_store(tmp_path / "other.db", clock=clock)
    await other.open()
    await other.restore(_stream(rows))
    assert _set(await _rows(other)) == _set(rows)
    assert await other.check() == []
    assert (await other.query(above(4))).entities == (await store.query(above(4))).entities
    clock.advance()
    await other.apply([set_gdp("a", 6)])
    assert await other.journal_end() == await store.journal_end() + 1
    with pytest.raises(ConflictError):
        await other.restore(_stream(rows))
    await other.close()


async def test_a_restore_that_breaks_off_leaves_nothing(store: Store, clock: ManualClock) -> None:
    rows: list[Mapping[str, Any]] = [
        {"row": "store", "format": "conurb-store/1"},
        {"row": "object", "id": "urn:x:1", "born": 0},
        {"row": "nonsense"},
    ]
    with pytest.raises(Exception, match="nonsense"):
        await store.restore(_stream(rows))
    assert len(await _rows(store)) == 1
    await store.apply([CreateEntity(city("a"))])
    assert await store.find("urn:ngsi-ld:City:a") is not None
