"""What an entity map fixes, what it lets go, and how long and for whom it is there (5.5.9.3)."""

from __future__ import annotations

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import NotFoundError, TooComplexQueryError
from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.query.q import parse_q
from conurb.model.query.temporal import parse_window
from conurb.model.query.tree import Query, Restriction, Selector, TemporalQuery, TypeIs
from conurb.model.time import US_PER_S
from conurb.node.bounds import Bounds
from conurb.node.entity_maps import LIFETIME_US_MAX, EntityMaps
from conurb.node.node import Node
from tests.node.conftest import HandClock

TERMS = core_terms()
SPEED = TERMS.expand("speed")
FAST = Query(condition=parse_q("speed>10", TERMS), limit=2)


def bus(number: int, speed: int) -> Entity:
    return Entity(
        f"urn:x:{number}", ("urn:t:Bus",), {SPEED: [{"type": "Property", "value": speed}]}
    )


@pytest.fixture
async def maps(node: Node) -> EntityMaps:
    await node.provide.create_batch(LOCAL, [bus(i, 5 + i) for i in range(12)])
    return node.entity_maps


def ids(entities: list[Entity]) -> list[str]:
    return [one.id.removeprefix("urn:x:") for one in entities]


async def test_a_map_fixes_the_candidates(node: Node, maps: EntityMaps) -> None:
    made = await maps.create(LOCAL, FAST)
    assert len(made.sources) == 6
    await node.provide.create(LOCAL, bus(99, 50))
    answer = await maps.query(LOCAL, made.id, Query(condition=FAST.condition, limit=100))
    assert ids(answer.entities) == ["10", "11", "6", "7", "8", "9"]


async def test_pages_are_filled_up_and_what_no_longer_fits_leaves_the_map(
    node: Node, maps: EntityMaps
) -> None:
    made = await maps.create(LOCAL, FAST)
    await node.provide.delete(LOCAL, "urn:x:10")
    await node.provide.replace(LOCAL, "urn:x:6", bus(6, 1))
    first = await maps.query(LOCAL, made.id, FAST)
    assert ids(first.entities) == ["11", "7"]
    assert first.more
    assert {"urn:x:10", "urn:x:6"}.isdisjoint(made.sources)
    last = await maps.query(LOCAL, made.id, Query(condition=FAST.condition, limit=5, offset=2))
    assert (ids(last.entities), last.more) == (["8", "9"], False)


async def test_counting_rechecks_every_candidate(node: Node, maps: EntityMaps) -> None:
    made = await maps.create(LOCAL, FAST)
    await node.provide.delete(LOCAL, "urn:x:9")
    counted = Query(condition=FAST.condition, limit=1, count=True)
    assert (await maps.query(LOCAL, made.id, counted)).total == 5


async def test_ids_asked_for_besides_narrow_the_candidates(maps: EntityMaps) -> None:
    made = await maps.create(LOCAL, FAST)
    asked = Query(selectors=(Selector(ids=("urn:x:7", "urn:x:0")),), limit=10)
    assert ids((await maps.query(LOCAL, made.id, asked)).entities) == ["7"]


async def test_a_map_goes_by_its_time_and_by_deletion(maps: EntityMaps, clock: HandClock) -> None:
    made = await maps.create(LOCAL, FAST, lifetime_us=5 * US_PER_S)
    clock.now += 4 * US_PER_S
    assert maps.get(LOCAL, made.id) is made
    clock.now += US_PER_S
    with pytest.raises(NotFoundError):
        maps.get(LOCAL, made.id)
    other = await maps.create(LOCAL, FAST)
    maps.delete(LOCAL, other.id)
    with pytest.raises(NotFoundError):
        maps.delete(LOCAL, other.id)


async def test_nobody_keeps_a_map_for_ever(maps: EntityMaps, clock: HandClock) -> None:
    made = await maps.create(LOCAL, FAST, lifetime_us=10**18)
    assert made.expires_us == clock.now + LIFETIME_US_MAX
    assert maps.update(LOCAL, made.id, expires_us=10**18).expires_us == made.expires_us
    assert maps.update(LOCAL, made.id, expires_us=clock.now + 1).expires_us == clock.now + 1


async def test_a_map_shows_its_ids_to_nobody_who_may_see_less(maps: EntityMaps) -> None:
    narrow = Caller("desk", frozenset({"read"}), Restriction(types=("urn:t:Tram",)))
    made = await maps.create(LOCAL, FAST)
    with pytest.raises(NotFoundError):
        maps.get(narrow, made.id)
    own = await maps.create(narrow, FAST)
    assert not own.sources
    assert maps.get(LOCAL, own.id) is own


async def test_maps_are_bounded_in_number_and_size(node: Node, maps: EntityMaps) -> None:
    small = EntityMaps(
        node.store, node.consume, Bounds(entity_maps_max=2, entity_map_max=6), node.clock
    )
    first, second, third = [await small.create(LOCAL, FAST) for _ in range(3)]
    with pytest.raises(NotFoundError):
        small.get(LOCAL, first.id)
    assert {small.get(LOCAL, one.id).id for one in (second, third)} == {second.id, third.id}
    with pytest.raises(TooComplexQueryError):
        await small.create(LOCAL, Query())


async def test_a_query_over_history_makes_a_map_of_what_was_in_the_window(
    node: Node, maps: EntityMaps
) -> None:
    def asked(timerel: str) -> TemporalQuery:
        window = parse_window(
            timerel=timerel,
            time_at="2026-01-01T00:00:00Z",
            end_time_at=None,
            timeproperty="createdAt",
        )
        return TemporalQuery(Query(selectors=(Selector(types=TypeIs("urn:t:Bus")),)), window)

    assert len((await maps.create_temporal(LOCAL, asked("after"))).sources) == 12
    assert not (await maps.create_temporal(LOCAL, asked("before"))).sources
