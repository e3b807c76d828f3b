"""What a node gives: one entity, a page, what is linked, and what a caller may not see."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import BadRequestDataError, ForbiddenError, NotFoundError, TooComplexQueryError
from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.parse import parse_entity
from conurb.model.query.tree import Query, Restriction, Selector, TypeIs
from conurb.node.bounds import Bounds
from conurb.node.consume import Consumption
from conurb.node.join import Join
from conurb.node.node import Node

TERMS = core_terms()
BUS, STOP = TERMS.expand("Bus"), TERMS.expand("Stop")
NEXT, NAME = TERMS.expand("next"), TERMS.expand("name")


def thing(key: str, kind: str = "Bus", /, **attributes: Any) -> Entity:
    return parse_entity({"id": f"urn:x:{key}", "type": kind, **attributes}, TERMS)


def to(*names: str) -> dict[str, Any]:
    uris = [f"urn:x:{name}" for name in names]
    return {"type": "Relationship", "object": uris if len(uris) > 1 else uris[0]}


async def test_retrieving_needs_one_of_the_attributes_in_one_of_the_datasets(node: Node) -> None:
    name = {"type": "Property", "value": "a", "datasetId": "urn:d:1"}
    await node.provide.create(LOCAL, thing("1", name=name))
    retrieve = node.consume.retrieve
    found = await retrieve(LOCAL, "urn:x:1", attributes=[NAME], datasets=["urn:d:1"])
    assert found.entities[0].id == "urn:x:1"
    with pytest.raises(NotFoundError, match="attributes"):
        await retrieve(LOCAL, "urn:x:1", attributes=[NAME], datasets=["@none"])
    with pytest.raises(NotFoundError, match="attributes"):
        await retrieve(LOCAL, "urn:x:1", attributes=[NEXT])
    with pytest.raises(NotFoundError):
        await retrieve(LOCAL, "urn:x:1", types=TypeIs(STOP))
    with pytest.raises(NotFoundError):
        await retrieve(LOCAL, "urn:x:2")


async def test_what_is_outside_of_the_restriction_is_not_there(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("1"), thing("s", "Stop")])
    caller = Caller("bus desk", frozenset({"read"}), Restriction(types=(BUS,)))
    with pytest.raises(NotFoundError):
        await node.consume.retrieve(caller, "urn:x:s")
    answer = await node.consume.query(caller, Query(count=True))
    assert ([one.id for one in answer.entities], answer.total) == (["urn:x:1"], 1)
    assert [info.iri for info in await node.consume.list_types(caller)] == [BUS]
    with pytest.raises(NotFoundError):
        await node.consume.get_type(caller, STOP)
    with pytest.raises(ForbiddenError):
        await node.consume.query(Caller("nobody", frozenset()), Query())


async def test_a_page_is_bounded(node: Node) -> None:
    with pytest.raises(TooComplexQueryError, match="limit: 1001"):
        await node.consume.query(LOCAL, Query(limit=1001))


async def test_types_and_attributes_are_found_by_name(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("1", name="a"), thing("s", "Stop", name="b")])
    assert (await node.consume.get_type(LOCAL, STOP)).entity_count == 1
    assert (await node.consume.get_attribute(LOCAL, NAME)).count == 2
    with pytest.raises(NotFoundError):
        await node.consume.get_attribute(LOCAL, NEXT)


async def joined(node: Node, name: str, join: Join) -> Entity:
    return (await node.consume.retrieve(LOCAL, f"urn:x:{name}", join=join)).entities[0]


def linked(entity: Entity, attribute: str = NEXT) -> Any:
    return entity.attrs[attribute][0].get("entity")


async def test_an_inline_join_goes_as_deep_as_its_level(node: Node) -> None:
    await node.provide.create_batch(
        LOCAL, [thing("a", next=to("b")), thing("b", next=to("c")), thing("c")]
    )
    one = linked(await joined(node, "a", Join("inline", 1)))
    assert one.id == "urn:x:b"
    assert linked(one) is None
    two = linked(linked(await joined(node, "a", Join("inline", 2))))
    assert two.id == "urn:x:c"


async def test_a_circle_of_relationships_ends(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("a", next=to("b")), thing("b", next=to("a"))])
    one = linked(await joined(node, "a", Join("inline", 5)))
    assert one.id == "urn:x:b"
    assert linked(one) is None


async def test_what_the_caller_met_before_is_not_given_again(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("a", next=to("b", "c")), thing("b"), thing("c")])
    one = await joined(node, "a", Join("inline", 1, contained_by=("urn:x:b",)))
    assert [entity.id for entity in linked(one)] == ["urn:x:c"]


async def test_list_relationships_are_joined_in_their_order(node: Node) -> None:
    stops = {"type": "ListRelationship", "objectList": ["urn:x:c", "urn:x:b", "urn:x:gone"]}
    await node.provide.create_batch(LOCAL, [thing("a", next=stops), thing("b"), thing("c")])
    one = await joined(node, "a", Join("inline", 1))
    assert [entity.id for entity in one.attrs[NEXT][0]["entityList"]] == ["urn:x:c", "urn:x:b"]


async def test_a_join_shows_nothing_that_the_caller_may_not_see(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("a", next=to("s")), thing("s", "Stop")])
    caller = Caller("bus desk", frozenset({"read"}), Restriction(types=(BUS,)))
    answer = await node.consume.retrieve(caller, "urn:x:a", join=Join("inline", 1))
    assert linked(answer.entities[0]) is None


async def test_the_walk_to_linked_entities_is_bounded(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [thing("a", next=to("b", "c")), thing("b"), thing("c")])
    query = Query(selectors=(Selector(ids=("urn:x:a",)),))
    with pytest.raises(BadRequestDataError, match="joinLevel"):
        await node.consume.query(LOCAL, query, join=Join("inline", 99))
    small = Consumption(node.store, Bounds(join_entities_max=1))
    with pytest.raises(TooComplexQueryError, match="join"):
        await small.query(LOCAL, query, join=Join("inline", 1))


async def test_a_flat_join_gives_each_linked_entity_once_and_no_root_again(node: Node) -> None:
    await node.provide.create_batch(
        LOCAL, [thing("a", next=to("b", "c")), thing("b", next=to("c", "a")), thing("c")]
    )
    query = Query(selectors=(Selector(ids=("urn:x:a", "urn:x:b")),))
    answer = await node.consume.query(LOCAL, query, join=Join("flat", 3))
    assert [one.id for one in answer.entities] == ["urn:x:a", "urn:x:b"]
    assert [one.id for one in answer.linked] == ["urn:x:c"]
