"""What a node writes, what it tells, and what a restricted caller may write."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TooComplexQueryError,
    TooLargeError,
)
from conurb.model.context import core_terms
from conurb.model.entity import NULL, Entity
from conurb.model.parse import Fragment, parse_entity, parse_fragment
from conurb.model.query.q import parse_q
from conurb.model.query.tree import Query, Restriction, Selector, TypeIs
from conurb.node.bounds import Bounds
from conurb.node.node import Node
from conurb.node.provide import Provision

TERMS = core_terms()
BUS, TRAM = TERMS.expand("Bus"), TERMS.expand("Tram")
SPEED, NAME = TERMS.expand("speed"), TERMS.expand("name")
ALL_BUSES = Query(selectors=(Selector(types=TypeIs(BUS)),))
WRITER_OF_BUSES = Caller("bus desk", frozenset({"read", "write"}), Restriction(types=(BUS,)))
READER = Caller("reader", frozenset({"read"}))


def bus(number: int, **attributes: Any) -> Entity:
    return parse_entity({"id": f"urn:x:{number}", "type": "Bus", **attributes}, TERMS)


def fragment(**attributes: Any) -> Fragment:
    return parse_fragment(attributes, TERMS, nulls=True, partial=True)


async def held(node: Node, number: int) -> Entity:
    return (await node.consume.retrieve(LOCAL, f"urn:x:{number}")).entities[0]


async def test_one_entity_goes_through_its_life(node: Node) -> None:
    provide = node.provide
    await provide.create(LOCAL, bus(1, speed=5))
    with pytest.raises(AlreadyExistsError):
        await provide.create(LOCAL, bus(1))
    await provide.merge(LOCAL, "urn:x:1", fragment(name="a"))
    appended = await provide.append(LOCAL, "urn:x:1", fragment(speed=9), overwrite=False)
    assert [name for name, _ in appended.not_updated] == [SPEED]
    updated = await provide.update(LOCAL, "urn:x:1", fragment(speed=6))
    assert updated.updated == [SPEED]
    await provide.partial_update(LOCAL, "urn:x:1", SPEED, [{"unitCode": "KMH"}])
    instance = (await held(node, 1)).attrs[SPEED][0]
    assert (instance["value"], instance["unitCode"]) == (6, "KMH")
    await provide.replace_attribute(LOCAL, "urn:x:1", SPEED, [{"type": "Property", "value": 7}])
    assert "unitCode" not in (await held(node, 1)).attrs[SPEED][0]
    await provide.delete_attribute(LOCAL, "urn:x:1", SPEED)
    assert (await held(node, 1)).attrs.keys() == {NAME}
    await provide.replace(LOCAL, "urn:x:1", bus(99, scope="/a"))
    assert (await held(node, 1)).scope == ("/a",)
    await provide.delete_scope(LOCAL, "urn:x:1")
    assert (await held(node, 1)).scope == ()
    await provide.delete(LOCAL, "urn:x:1")
    with pytest.raises(NotFoundError):
        await held(node, 1)


async def test_upsert_says_whether_it_created(node: Node) -> None:
    assert await node.provide.upsert(LOCAL, bus(1, speed=5))
    assert not await node.provide.upsert(LOCAL, bus(1, name="a"), mode="update")
    assert (await held(node, 1)).attrs.keys() == {SPEED, NAME}


async def test_a_write_to_an_entity_of_another_type_finds_nothing(node: Node) -> None:
    await node.provide.create(LOCAL, bus(1))
    with pytest.raises(NotFoundError, match="types"):
        await node.provide.delete(LOCAL, "urn:x:1", types=TypeIs(TRAM))
    await node.provide.delete(LOCAL, "urn:x:1", types=TypeIs(BUS))


async def test_a_batch_says_what_became_of_each_and_repeats_are_done_in_order(node: Node) -> None:
    created = await node.provide.create_batch(LOCAL, [bus(1), bus(2), bus(1)])
    assert created.success == created.created == ["urn:x:1", "urn:x:2"]
    assert [(one, type(why)) for one, why in created.errors] == [("urn:x:1", AlreadyExistsError)]
    upserted = await node.provide.upsert_batch(LOCAL, [bus(2, speed=1), bus(3), bus(2, speed=2)])
    assert upserted.success == ["urn:x:2", "urn:x:3"]
    assert upserted.created == ["urn:x:3"]
    assert (await held(node, 2)).attrs[SPEED][0]["value"] == 2
    merged = await node.provide.merge_batch(
        LOCAL, [("urn:x:2", fragment(speed=NULL)), ("urn:x:9", fragment(speed=1))]
    )
    assert merged.success == ["urn:x:2"]
    assert [(one, type(why)) for one, why in merged.errors] == [("urn:x:9", NotFoundError)]
    deleted = await node.provide.delete_batch(LOCAL, ["urn:x:2", "urn:x:2"])
    assert deleted.success == ["urn:x:2"]
    assert len(deleted.errors) == 1


async def test_a_batch_update_that_may_not_overwrite_reports_what_it_left(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [bus(1, speed=5), bus(2)])
    result = await node.provide.update_batch(
        LOCAL,
        [("urn:x:1", fragment(speed=6, name="a")), ("urn:x:2", fragment(speed=6))],
        overwrite=False,
    )
    assert result.success == ["urn:x:2"]
    assert [(one, type(why)) for one, why in result.errors] == [("urn:x:1", ConflictError)]
    entity = await held(node, 1)
    assert entity.attrs[SPEED][0]["value"] == 5
    assert NAME in entity.attrs


async def test_a_batch_is_bounded_and_not_empty(node: Node) -> None:
    small = Provision(node.store, Bounds(batch_max=2))
    with pytest.raises(TooLargeError, match="3 entities"):
        await small.create_batch(LOCAL, [bus(1), bus(2), bus(3)])
    with pytest.raises(BadRequestDataError, match="no entities"):
        await small.create_batch(LOCAL, [])


async def test_a_purge_takes_what_the_query_selects_whatever_its_page(node: Node) -> None:
    tram = parse_entity({"id": "urn:x:t", "type": "Tram"}, TERMS)
    await node.provide.create_batch(LOCAL, [*(bus(i, speed=i) for i in range(7)), tram])
    small = Provision(node.store, Bounds(page_max=2, batch_max=3))
    query = Query(
        selectors=ALL_BUSES.selectors, condition=parse_q("speed>1", TERMS), limit=1, offset=1
    )
    result = await small.purge(LOCAL, query)
    assert sorted(result.success) == [f"urn:x:{i}" for i in range(2, 7)]
    left = await node.consume.query(LOCAL, Query(limit=10))
    assert [entity.id for entity in left.entities] == ["urn:x:0", "urn:x:1", "urn:x:t"]


async def test_a_purge_can_take_attributes_alone(node: Node) -> None:
    await node.provide.create(LOCAL, bus(1, speed=5, name="a"))
    await node.provide.purge(LOCAL, ALL_BUSES, drop=[SPEED])
    assert (await held(node, 1)).attrs.keys() == {NAME}
    await node.provide.purge(LOCAL, ALL_BUSES, keep=[SPEED])
    assert not (await held(node, 1)).attrs


async def test_a_purge_over_the_bound_or_by_linked_entities_takes_nothing(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [bus(1), bus(2)])
    with pytest.raises(TooComplexQueryError):
        await Provision(node.store, Bounds(purge_max=1)).purge(LOCAL, ALL_BUSES)
    linked = Query(condition=parse_q('line{Line:name}=="1"', TERMS))
    with pytest.raises(BadRequestDataError, match="linked"):
        await node.provide.purge(LOCAL, linked)
    assert len((await node.consume.query(LOCAL, ALL_BUSES)).entities) == 2


async def test_a_reader_may_not_write(node: Node) -> None:
    with pytest.raises(ForbiddenError, match="write"):
        await node.provide.create(READER, bus(1))
    with pytest.raises(ForbiddenError, match="write"):
        await node.provide.purge(READER, ALL_BUSES)


async def test_a_restricted_caller_writes_inside_of_the_restriction_alone(node: Node) -> None:
    tram = parse_entity({"id": "urn:x:t", "type": "Tram"}, TERMS)
    await node.provide.create(LOCAL, tram)
    with pytest.raises(ForbiddenError):
        await node.provide.create(
            WRITER_OF_BUSES, parse_entity({"id": "urn:x:9", "type": "Tram"}, TERMS)
        )
    with pytest.raises(ForbiddenError):
        await node.provide.merge(WRITER_OF_BUSES, "urn:x:t", fragment(type="Bus"))
    await node.provide.create(WRITER_OF_BUSES, bus(1))
    with pytest.raises(ForbiddenError):
        await node.provide.replace(WRITER_OF_BUSES, "urn:x:1", tram)
    result = await node.provide.delete_batch(WRITER_OF_BUSES, ["urn:x:1", "urn:x:t"])
    assert result.success == ["urn:x:1"]
    assert [(one, type(why)) for one, why in result.errors] == [("urn:x:t", ForbiddenError)]


async def test_a_purge_stays_inside_of_the_callers_restriction(node: Node) -> None:
    tram = parse_entity({"id": "urn:x:t", "type": "Tram"}, TERMS)
    await node.provide.create_batch(LOCAL, [bus(1), tram])
    result = await node.provide.purge(WRITER_OF_BUSES, Query())
    assert result.success == ["urn:x:1"]
    assert not result.errors
