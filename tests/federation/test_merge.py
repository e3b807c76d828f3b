"""A merged page is the page that one node holding everything would give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.federation.gather import Cursor, Portion, Wish, first_chunk, merge
from conurb.federation.merge import merge_entities
from conurb.model.entity import Entity
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import AttributePath, OrderBy

SIZE = "urn:x:size"
BY_SIZE = (OrderBy(AttributePath((SIZE,)), descending=True),)


def sized(number: int, size: int | None = None) -> Entity:
    attrs = {} if size is None else {SIZE: [{"type": "Property", "value": size}]}
    return Entity(f"urn:x:{number:03d}", ("urn:x:T",), attrs)


def by_id(entity: Entity) -> tuple[str]:
    return (entity.id,)


def cursor_over(
    entities: Sequence[Entity], chunk: int, calls: list[int] | None = None
) -> Cursor[Entity]:
    def portion(limit: int, offset: int) -> Portion[Entity]:
        return Portion(list(entities[offset : offset + limit]), offset + limit < len(entities))

    async def again(wish: Wish) -> Portion[Entity]:
        if calls is not None:
            calls.append(wish.limit)
        return portion(wish.limit, wish.offset)

    return Cursor(again, portion(chunk, 0), chunk=chunk)


@settings(max_examples=80, deadline=None)
@given(
    holdings=st.lists(st.sets(st.integers(0, 40), max_size=25), min_size=1, max_size=5),
    offset=st.integers(0, 30),
    limit=st.integers(0, 12),
    chunk=st.integers(1, 6),
    drain=st.booleans(),
)
def test_a_page_ordered_by_id_is_that_of_the_union(
    holdings: list[set[int]], offset: int, limit: int, chunk: int, drain: bool
) -> None:
    nodes = [[sized(number) for number in sorted(held)] for held in holdings]
    union = sorted(set().union(*holdings))
    page = asyncio.run(
        merge(
            [cursor_over(node, chunk) for node in nodes],
            key=by_id,
            offset=offset,
            limit=limit,
            drain=drain,
        )
    )
    wanted = [f"urn:x:{number:03d}" for number in union[offset : offset + limit]]
    assert [group[0].id for group in page.groups] == wanted
    assert page.more == (len(union) > offset + limit)
    if drain:
        assert page.seen == len(union)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=30),
    nodes=st.integers(1, 4),
    offset=st.integers(0, 20),
    limit=st.integers(1, 10),
)
def test_a_page_ordered_by_an_attribute_is_that_of_the_union(
    sizes: list[int | None], nodes: int, offset: int, limit: int
) -> None:
    everything = [sized(number, size) for number, size in enumerate(sizes)]
    everything.sort(key=lambda entity: order_key(entity, BY_SIZE))
    held = [everything[first::nodes] for first in range(nodes)]
    page = asyncio.run(
        merge(
            [cursor_over(one, 2) for one in held],
            key=lambda one: order_key(one, BY_SIZE),
            offset=offset,
            limit=limit,
            drain=False,
        )
    )
    assert [group[0] for group in page.groups] == everything[offset : offset + limit]


def test_a_node_whose_entities_come_later_is_not_asked_again() -> None:
    calls: list[int] = []
    early = cursor_over([sized(number) for number in range(50)], 10)
    late = cursor_over([sized(number) for number in range(100, 150)], 10, calls)
    asyncio.run(merge([early, late], key=by_id, offset=0, limit=30, drain=False))
    assert calls == []


def test_a_node_is_asked_for_more_each_time_up_to_the_bound() -> None:
    calls: list[int] = []
    long = cursor_over([sized(number) for number in range(900)], 100, calls)
    asyncio.run(merge([long], key=by_id, offset=0, limit=800, drain=False))
    assert calls == [200, 400, 800]


def test_the_first_portion_is_twice_the_share_of_the_page() -> None:
    assert first_chunk(wanted=1001, nodes=41) == 48
    assert first_chunk(wanted=21, nodes=41) == 4
    assert first_chunk(wanted=3, nodes=1) == 3
    assert first_chunk(wanted=100_000, nodes=1, chunk_max=500) == 500


def test_the_latest_statement_of_two_nodes_counts() -> None:
    def said(value: int, **times: str) -> Entity:
        instance = {"type": "Property", "value": value, **times}
        return Entity("urn:x:1", ("urn:x:T",), {SIZE: [instance]})

    observed = said(1, observedAt="2024-01-01T00:00:00.000000Z")
    later = said(2, observedAt="2025-01-01T00:00:00.000000Z")
    modified = said(3, modifiedAt="2026-01-01T00:00:00.000000Z")
    merged = merge_entities([observed, modified, later])
    assert merged.attrs[SIZE][0]["value"] == 2


def test_what_only_one_node_says_is_kept_and_types_and_scopes_are_united() -> None:
    dataset = {"type": "Property", "value": 7, "datasetId": "urn:x:d"}
    one = Entity("urn:x:1", ("urn:x:A",), {SIZE: [dataset]}, scope=("/a",), created_at=5)
    other = Entity(
        "urn:x:1",
        ("urn:x:B", "urn:x:A"),
        {SIZE: [{"type": "Property", "value": 8}]},
        scope=("/b",),
        created_at=3,
    )
    merged = merge_entities([one, other])
    assert merged.types == ("urn:x:A", "urn:x:B")
    assert merged.scope == ("/a", "/b")
    assert merged.created_at == 3
    assert [instance["value"] for instance in merged.attrs[SIZE]] == [8, 7]
