"""The history of a node's objects: what a restricted caller may write and see of it."""

from __future__ import annotations

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import ForbiddenError, NotFoundError, TooComplexQueryError
from conurb.model.context import core_terms
from conurb.model.parse import TemporalFragment, parse_temporal_entity
from conurb.model.query.tree import Query, Restriction, TemporalQuery, TimeWindow
from conurb.node.node import Node

TERMS = core_terms()
BUS, CITY = "urn:ngsi-ld:Bus:1", "urn:ngsi-ld:City:1"
BUSES = Restriction(types=(TERMS.expand("Bus"),))
DRIVER = Caller("driver", frozenset({"read", "write"}), BUSES)
READER = Caller("reader", frozenset({"read"}))


def fragment(entity_id: str, kind: str, *years: int) -> TemporalFragment:
    instances = [
        {"type": "Property", "value": n, "observedAt": f"{n}-01-01T00:00:00Z"} for n in years
    ]
    return parse_temporal_entity({"id": entity_id, "type": kind, "load": instances}, TERMS)


async def ids(node: Node, caller: Caller) -> list[str]:
    page = await node.temporal.query(caller, TemporalQuery(Query(), TimeWindow()))
    return [one.id for one in page.evolutions]


async def test_a_restricted_caller_writes_and_sees_their_part_of_history(node: Node):
    assert await node.temporal.upsert(LOCAL, CITY, fragment(CITY, "City", 2000))
    assert await node.temporal.upsert(DRIVER, BUS, fragment(BUS, "Bus", 2000))
    assert not await node.temporal.upsert(DRIVER, BUS, fragment(BUS, "Bus", 2001))
    assert await ids(node, DRIVER) == [BUS]
    assert await ids(node, LOCAL) == [BUS, CITY]
    with pytest.raises(NotFoundError):
        await node.temporal.retrieve(DRIVER, CITY, TemporalQuery(Query()))
    with pytest.raises(ForbiddenError):
        await node.temporal.upsert(DRIVER, CITY, fragment(CITY, "City", 2001))
    with pytest.raises(ForbiddenError):
        await node.temporal.delete(DRIVER, CITY)
    with pytest.raises(ForbiddenError):
        await node.temporal.upsert(READER, CITY, fragment(CITY, "City", 2001))


async def test_a_deleted_object_stays_restricted(node: Node):
    await node.temporal.upsert(LOCAL, CITY, fragment(CITY, "City", 2000))
    await node.provide.delete(LOCAL, CITY)
    assert await ids(node, LOCAL) == [CITY]
    assert await ids(node, DRIVER) == []
    with pytest.raises(NotFoundError):
        await node.temporal.delete(DRIVER, CITY)
    await node.temporal.delete(LOCAL, CITY)
    assert await ids(node, LOCAL) == []


async def test_a_page_has_a_bound(node: Node):
    query = TemporalQuery(Query(limit=node.bounds.page_max + 1))
    with pytest.raises(TooComplexQueryError, match="limit"):
        await node.temporal.query(LOCAL, query)
