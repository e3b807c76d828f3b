"""A region answers as one node that holds everything would, and says who answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import (
    BadRequestDataError,
    ForbiddenError,
    InvariantError,
    NotFoundError,
    TooComplexQueryError,
    UnavailableError,
)
from conurb.federation.completeness import FederatedAnswer
from conurb.federation.region import federate, registrations_of
from conurb.federation.registrations import Registrations
from conurb.model.entity import Entity
from conurb.model.query.match import admits, matches
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    Query,
    Restriction,
    Selector,
    TypeIs,
)
from conurb.model.registration import THIS_PROCESS, EntityInfo, Information, Registration
from conurb.node.join import Join
from conurb.node.node import Node
from conurb.store.contract import AttributeInfo, Document, Page, TypeInfo

CITY, BUS = "urn:x:City", "urn:x:Bus"
SIZE, OF = "urn:x:size", "urn:x:of"


class MemoryStore:
    """A store of a few entities: what a region asks of one, by the reference of the queries."""

    def __init__(self, *entities: Entity) -> None:
        self.entities = {entity.id: entity for entity in entities}
        self.documents: dict[tuple[str, str], Document] = {}
        self.failure: Exception | None = None
        self.delay_s = 0.0
        self.queries = 0

    async def find_many(
        self, entity_ids: list[str], restriction: Restriction = Restriction()
    ) -> list[Entity]:
        await self._answer()
        found = [self.entities[one] for one in entity_ids if one in self.entities]
        return [one for one in found if admits(restriction, one)]

    async def query(self, query: Query, **_times: Any) -> Page:
        await self._answer()
        self.queries += 1
        found = [one for one in self.entities.values() if matches(one, query)]
        found.sort(key=lambda one: order_key(one, query.order))
        page = found[query.offset : query.offset + query.limit]
        total = len(found) if query.count else None
        return Page(page, total, more=query.offset + query.limit < len(found))

    async def list_types(self, restriction: Restriction = Restriction()) -> list[TypeInfo]:
        await self._answer()
        return [TypeInfo(CITY, len(self.entities), {SIZE: ("Property",)})]

    async def list_attributes(
        self, restriction: Restriction = Restriction()
    ) -> list[AttributeInfo]:
        return [AttributeInfo(SIZE, len(self.entities), ("Property",), (CITY,))]

    async def list_documents(self, kind: str) -> list[Document]:
        return [one for one in self.documents.values() if one.kind == kind]

    async def put_document(self, document: Document) -> None:
        self.documents[document.kind, document.id] = document

    async def delete_document(self, kind: str, document_id: str) -> bool:
        return self.documents.pop((kind, document_id), None) is not None

    async def _answer(self) -> None:
        await asyncio.sleep(self.delay_s)
        if self.failure is not None:
            raise self.failure


class Region:
    """A region node and the nodes of its cities, all in memory."""

    def __init__(self, **cities: MemoryStore) -> None:
        self.stores = cities
        self.own = MemoryStore()
        self.nodes = {name: node_on(store) for name, store in cities.items()}
        self.node = node_on(self.own)
        federate(self.node, name="region", open_node=self._open)
        self.registrations = registrations_of(self.node)

    async def _open(self, tenant: str | None) -> Node:
        assert tenant is not None
        return self.nodes[tenant]

    async def register(self, name: str, **changes: Any) -> None:
        registration = Registration(
            id=f"urn:x:registration:{name}", endpoint=THIS_PROCESS, alias=name, tenant=name
        )
        await self.registrations.put(replace(registration, **changes))

    async def query(self, query: Query, caller: Caller = LOCAL, **more: Any) -> FederatedAnswer:
        answer = await self.node.consume.query(caller, query, **more)
        assert isinstance(answer, FederatedAnswer)
        return answer


def node_on(store: MemoryStore) -> Node:
    return Node(node_id="test", tenant=None, store=store, contexts=None)  # type: ignore[arg-type]


def city(name: str, size: int = 1, **more: Any) -> Entity:
    attrs = {SIZE: [{"type": "Property", "value": size}], **more.pop("attrs", {})}
    return Entity(f"urn:ngsi-ld:City:{name}", (CITY,), attrs, **more)


async def region_of(**cities: MemoryStore) -> Region:
    region = Region(**cities)
    for name in cities:
        await region.register(name)
    return region


Make = Callable[[], Awaitable[Region]]


@pytest.fixture
async def region() -> Region:
    return await region_of(
        wuxi=MemoryStore(city("wuxi", 7), city("wuxi-east", 2)),
        huzhou=MemoryStore(city("huzhou", 3)),
        anqing=MemoryStore(city("anqing", 4)),
    )


def ids(answer: FederatedAnswer) -> list[str]:
    return [entity.id.rsplit(":", 1)[1] for entity in answer.entities]


async def test_a_type_query_is_answered_by_every_node_in_order_of_id(region: Region) -> None:
    answer = await region.query(Query(selectors=(Selector(types=TypeIs(CITY)),), count=True))
    assert ids(answer) == ["anqing", "huzhou", "wuxi", "wuxi-east"]
    assert answer.total == 4
    assert answer.completeness.asked == ("region", "wuxi", "huzhou", "anqing")
    assert answer.completeness.whole
    assert answer.completeness.count_is_exact


async def test_conditions_limit_and_offset_are_those_of_the_whole(region: Region) -> None:
    over_two = Compare(AttributePath((SIZE,)), ">", 2)
    query = Query(condition=over_two, limit=1, offset=1, count=True)
    answer = await region.query(query)
    assert ids(answer) == ["huzhou"]
    assert answer.total == 3
    assert answer.more


async def test_a_count_alone_gives_no_entities(region: Region) -> None:
    answer = await region.query(Query(limit=0, count=True))
    assert (answer.entities, answer.total) == ([], 4)


async def test_an_object_that_two_nodes_hold_is_one_and_counts_once() -> None:
    newer = {SIZE: [{"type": "Property", "value": 9, "modifiedAt": "2026-01-01T00:00:00.000000Z"}]}
    region = await region_of(
        wuxi=MemoryStore(city("taihu")),
        huzhou=MemoryStore(city("taihu", attrs=newer), city("huzhou")),
    )
    answer = await region.query(Query(count=True))
    assert ids(answer) == ["huzhou", "taihu"]
    assert answer.total == 2
    assert answer.entities[1].attrs[SIZE][0]["value"] == 9


async def test_an_object_is_retrieved_from_the_node_that_has_it(region: Region) -> None:
    answer = await region.node.consume.retrieve(LOCAL, "urn:ngsi-ld:City:anqing")
    assert answer.entities[0].attrs[SIZE][0]["value"] == 4


async def test_who_does_not_answer_is_named_and_the_rest_answers(region: Region) -> None:
    region.stores["huzhou"].failure = UnavailableError("the disk is gone")
    answer = await region.query(Query(count=True))
    assert ids(answer) == ["anqing", "wuxi", "wuxi-east"]
    assert [(one.node, one.reason) for one in answer.completeness.missing] == [
        ("huzhou", "the disk is gone")
    ]
    assert "3 of 4 nodes answered" in answer.completeness.said()


async def test_who_is_too_slow_is_named(region: Region) -> None:
    await region.register("huzhou", timeout_s=0.02)
    region.stores["huzhou"].delay_s = 5
    answer = await region.query(Query())
    assert [one.node for one in answer.completeness.missing] == ["huzhou"]
    assert ids(answer) == ["anqing", "wuxi", "wuxi-east"]


async def test_a_node_that_falls_silent_between_two_pages_is_named() -> None:
    many = MemoryStore(*(city(f"c{number:03d}") for number in range(60)))
    region = await region_of(wuxi=many, huzhou=MemoryStore(city("d")))
    answering = many.query

    async def once(query: Query, **times: Any) -> Page:
        if many.queries:
            raise UnavailableError("gone")
        return await answering(query, **times)

    many.query = once  # type: ignore[method-assign]
    answer = await region.query(Query(limit=60))
    assert [one.node for one in answer.completeness.missing] == ["wuxi"]
    assert len(answer.entities) < 60


async def test_not_found_says_who_could_not_be_asked(region: Region) -> None:
    region.stores["huzhou"].failure = UnavailableError("the disk is gone")
    with pytest.raises(NotFoundError, match="huzhou"):
        await region.node.consume.retrieve(LOCAL, "urn:ngsi-ld:City:nowhere")


async def test_a_registration_elsewhere_is_named_as_missing(region: Region) -> None:
    await region.register("far", endpoint="http://far.example/ngsi-ld/v1")
    answer = await region.query(Query())
    assert [one.node for one in answer.completeness.missing] == ["far"]


async def test_only_nodes_that_may_hold_it_are_asked(region: Region) -> None:
    await region.register("anqing", information=(Information((EntityInfo((BUS,)),)),))
    answer = await region.query(Query(selectors=(Selector(types=TypeIs(CITY)),)))
    assert "anqing" not in answer.completeness.asked
    assert ids(answer) == ["huzhou", "wuxi", "wuxi-east"]


async def test_a_caller_sees_in_every_node_only_what_they_may(region: Region) -> None:
    region.stores["wuxi"].entities["urn:ngsi-ld:City:wuxi"].scope = ("/yrd/wuxi",)
    caller = Caller("guest", frozenset({"read"}), Restriction(scopes=("/yrd/wuxi",)))
    answer = await region.query(Query(count=True), caller)
    assert (ids(answer), answer.total) == (["wuxi"], 1)
    with pytest.raises(NotFoundError):
        await region.node.consume.retrieve(caller, "urn:ngsi-ld:City:huzhou")
    with pytest.raises(ForbiddenError):
        await region.query(Query(), Caller("nobody", frozenset()))


async def test_what_is_linked_is_read_wherever_it_lives(region: Region) -> None:
    link = {OF: [{"type": "Relationship", "object": "urn:ngsi-ld:City:anqing"}]}
    region.stores["wuxi"].entities["urn:x:bus"] = Entity("urn:x:bus", (BUS,), link)
    answer = await region.node.consume.retrieve(LOCAL, "urn:x:bus", join=Join("flat"))
    assert [entity.id for entity in answer.linked] == ["urn:ngsi-ld:City:anqing"]


async def test_bounds_are_those_of_one_node(region: Region) -> None:
    with pytest.raises(TooComplexQueryError):
        await region.query(Query(limit=region.node.bounds.page_max + 1))
    too_deep = Join("flat", level=region.node.bounds.join_level_max + 1)
    with pytest.raises(BadRequestDataError):
        await region.query(Query(), join=too_deep)


async def test_types_and_attributes_of_all_nodes_are_one_list(region: Region) -> None:
    types = await region.node.consume.list_types(LOCAL)
    assert [(info.iri, info.entity_count) for info in types] == [(CITY, 4)]
    attributes = await region.node.consume.list_attributes(LOCAL)
    assert [(info.iri, info.count) for info in attributes] == [(SIZE, 4)]


async def test_registrations_are_in_the_store_and_can_be_taken_back(region: Region) -> None:
    again = Registrations(region.own)  # type: ignore[arg-type]
    assert [one.alias for one in await again.all()] == ["wuxi", "huzhou", "anqing"]
    assert await region.registrations.delete("urn:x:registration:wuxi")
    assert ids(await region.query(Query())) == ["anqing", "huzhou"]


async def test_a_node_without_registrations_answers_as_before() -> None:
    alone = Region()
    alone.own.entities["urn:x:1"] = city("one")
    answer = await alone.node.consume.query(LOCAL, Query())
    assert len(answer.entities) == 1
    assert not isinstance(answer, FederatedAnswer)


async def test_only_a_node_that_was_federated_has_registrations() -> None:
    with pytest.raises(InvariantError):
        registrations_of(node_on(MemoryStore()))


async def test_nodes_that_register_each_other_do_not_ask_in_circles() -> None:
    region = await region_of(wuxi=MemoryStore(city("wuxi")))
    wuxi = region.nodes["wuxi"]

    async def back(tenant: str | None) -> Node:
        return region.node

    federate(wuxi, name="wuxi", open_node=back)
    await registrations_of(wuxi).put(
        Registration(id="urn:x:back", endpoint=THIS_PROCESS, alias="region")
    )
    region.own.entities["urn:ngsi-ld:City:own"] = city("own")
    answer = await region.query(Query(count=True))
    assert (ids(answer), answer.total) == (["own", "wuxi"], 2)
    assert answer.completeness.whole


async def test_an_entity_map_holds_what_all_nodes_have(region: Region) -> None:
    query = Query(selectors=(Selector(types=TypeIs(CITY)),), limit=3)
    made = await region.node.entity_maps.create(LOCAL, query)
    assert {one.rsplit(":", 1)[1]: sources for one, sources in made.sources.items()} == {
        "anqing": ("urn:x:registration:anqing",),
        "huzhou": ("urn:x:registration:huzhou",),
        "wuxi": ("urn:x:registration:wuxi",),
        "wuxi-east": ("urn:x:registration:wuxi",),
    }
    answer = await region.node.entity_maps.query(LOCAL, made.id, query)
    assert [one.id for one in answer.entities] == list(made.sources)[:3]


async def test_an_entity_map_names_every_source_of_an_entity() -> None:
    region = await region_of(wuxi=MemoryStore(city("both"), city("away")))
    region.own.entities[city("both").id] = city("both")
    for split in (False, True):
        query = Query(selectors=(Selector(types=TypeIs(CITY)),), split=split)
        made = await region.node.entity_maps.create(LOCAL, query)
        assert {one.rsplit(":", 1)[1]: set(found) for one, found in made.sources.items()} == {
            "away": {"urn:x:registration:wuxi"},
            "both": {"@none", "urn:x:registration:wuxi"},
        }


async def test_a_count_of_more_than_is_looked_through_is_said_to_be_a_sum(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conurb.federation.gather.COUNTED_MAX", 3)
    region.stores["huzhou"].entities["urn:ngsi-ld:City:wuxi"] = city("wuxi")
    answer = await region.query(Query(limit=0, count=True))
    assert answer.total == 5
    assert not answer.completeness.count_is_exact
