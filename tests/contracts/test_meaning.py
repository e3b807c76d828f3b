"""Every engine means by a query what `conurb.model.query.match` means, condition by condition.

One object with a value of every kind and shape, linked to others, and many conditions on it; then
types, scopes, geography, patterns and order over a few objects. The matcher is the reference.
"""

from __future__ import annotations

from typing import Any

import pytest

from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity
from conurb.model.parse import parse_entity
from conurb.model.query.geo import parse_geo
from conurb.model.query.match import matches
from conurb.model.query.order import parse_order
from conurb.model.query.pattern import portable
from conurb.model.query.q import parse_q
from conurb.model.query.ranking import order_key
from conurb.model.query.scope import parse_scope
from conurb.model.query.tree import Query, Restriction, Selector
from conurb.model.query.types import parse_types
from conurb.store.contract import Store

TERMS = core_terms()


def prop(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


def rel(target: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Relationship", "object": target, **members}


def point(longitude: float, latitude: float, **members: Any) -> dict[str, Any]:
    value = {"type": "Point", "coordinates": [longitude, latitude]}
    return {"type": "GeoProperty", "value": value, **members}


def language(**texts: Any) -> dict[str, Any]:
    return {"type": "LanguageProperty", "languageMap": texts}


OBSERVED = "2026-01-01T00:00:00.123456Z"
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": "urn:a:1",
        "type": ["Car", "Toy"],
        "scope": ["/yrd/wuxi", "/bus"],
        "speed": [prop(30, observedAt=OBSERVED), prop(60, datasetId="urn:d:1")],
        "label": prop("30"),
        "on": prop(True),
        "off": prop(False),
        "tags": prop(["a", "b", 7, ["n"], {"x": 1}]),
        "address": prop({"city": "Berlin", "geo": {"lat": 52}, "list": [{"x": 1}], "yes": True}),
        "at": prop({"@type": "DateTime", "@value": "2026-01-01T08:00:00Z"}),
        "textAt": prop("2026-01-01T08:00:00.250Z"),
        "day": prop({"@type": "Date", "@value": "2026-01-01"}),
        "name": language(en=["red", "rose"], zh="红"),
        "gender": {"type": "VocabProperty", "vocab": "Male"},
        "genders": {"type": "VocabProperty", "vocab": ["Male", "Female"]},
        "raw": {"type": "JsonProperty", "json": {"value": "x", "id": 1, "gone": None}},
        "series": {"type": "ListProperty", "valueList": [1, 2]},
        "owner": rel("urn:p:1", since=prop(2020, observedAt=OBSERVED, unitCode="ANN")),
        "many": rel(["urn:p:1", "urn:p:2"]),
        "parts": {"type": "ListRelationship", "objectList": ["urn:p:1", "urn:p:2"]},
        "location": point(120.3, 31.5),
        "odd": prop("a'b\"c%_\\\n上"),
        "big": prop(1e15),
        "small": prop(-0.25),
    },
    {
        "id": "urn:a:2",
        "type": "Bus",
        "scope": "/yrd",
        "speed": prop("fast"),
        "label": prop(30),
        "name": language(zh="蓝"),
        "location": [point(0, 0), point(120.4, 31.5, datasetId="urn:d:1")],
        "address": prop({"city": "Ähre"}),
        "owner": rel("urn:p:9"),
    },
    {"id": "urn:a:3", "type": "Car", "speed": prop([30, 90]), "label": prop({"x": 1})},
    {"id": "urn:a:4", "type": "Toy", "speed": prop(True), "label": prop("上")},
    {"id": "urn:a:5", "type": "Toy", "address": prop({"city": "Zebra"}), "label": prop("é")},
    {"id": "urn:p:1", "type": "Person", "age": prop(40), "boss": rel("urn:p:2")},
    {"id": "urn:p:2", "type": ["Person", "Boss"], "age": prop(60), "name": language(en="Ann")},
]

PATHS = [
    "speed", "label", "on", "off", "tags", "address", "address[city]", "address[geo.lat]",
    "address[yes]", "address[list.x]", "address[none]", "at", "textAt", "day", "name", "name[en]",
    "name[zh]", "name[*]", "name[fr]", "gender", "genders", "raw[value]", "raw[gone]", "series",
    "owner", "many", "parts", "owner.since", "owner.since.unitCode", "owner.since.observedAt",
    "speed.observedAt", "speed.datasetId", "speed.type", "location", "location[type]", "odd",
    "big", "small", "id", "type", "scope", "createdAt", "modifiedAt", "expiresAt", "missing",
    "missing.sub", "owner{age}", "owner{Person:age}", "owner{Boss,Car:age}", "parts{age}",
    "many{age}", "owner{boss{age}}", "owner{type}", "many{name[en]}", "speed{age}",
]  # fmt: skip
OPERANDS = [
    "==30", "!=30", ">30", ">=60", "<40.5", "<=30", '=="30"', '!="30"', '>"2"', '<="上"', "==true",
    "!=true", "==false", ">false", '=="a"', '!="a"', '=="a","30"', '!="red",60', "==10..45",
    "!=10..45", "==1..2,7,40..60", '=="a".."c"', '=="red"', '~="^ro"', '!~="^ro"', '~="."',
    "~=in$", '!~="x"', "==urn:p:1", "!=urn:p:1", '>"urn"', '~="urn"', "==Car", "!=Car",
    "==2026-01-01T08:00:00Z", "!=2026-01-01T08:00:00Z", ">=2026-01-01T00:00:00.123Z",
    "<2026-01-01T08:00:00.2509Z", "==2026-01-01", ">2025-12-31", "<1e300", "==1e15",
    '~="[\'\\"]"', "==2000-01-01T00:00:00Z..2100-01-01T00:00:00Z", '=="/bus"',
]  # fmt: skip


async def stored(store: Store) -> dict[str, Entity]:
    """Store the objects, and give them as the store holds them."""
    await store.apply_all([CreateEntity(parse_entity(one, TERMS)) for one in DOCUMENTS])
    page = await store.query(Query(limit=100))
    assert len(page.entities) == len(DOCUMENTS)
    return {entity.id: entity for entity in page.entities}


async def differences(store: Store, queries: dict[str, Query]) -> list[str]:
    held = await stored(store)
    found = []
    for name, query in queries.items():
        page = await store.query(query)
        given = [entity.id for entity in page.entities]
        wanted = sorted(e.id for e in held.values() if matches(e, query, linked=held.get))
        if given != wanted:
            found.append(f"{name}: {given}, not {wanted}")
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_conditions_mean_what_the_matcher_says(store: Store, path: str):
    texts = [path, f"!{path}", *(path + operand for operand in OPERANDS)]
    queries = {text: Query(condition=parse_q(text, TERMS), limit=100) for text in texts}
    assert await differences(store, queries) == []


async def test_logic_means_what_the_matcher_says(store: Store):
    texts = [
        "speed>20;label",
        "speed>90|!speed",
        "(speed>90|label==30);!on",
        "on==true;(off==true|tags==7);owner{age}>30",
        "owner{age}>30|name[zh]==蓝",
    ]
    queries = {text: Query(condition=parse_q(text, TERMS), limit=100) for text in texts}
    assert await differences(store, queries) == []


async def test_selectors_and_scopes_mean_what_the_matcher_says(store: Store):
    def selector(**parts: Any) -> Query:
        return Query(selectors=(Selector(**parts),), limit=100)

    queries = {
        **{
            f"type={text}": selector(types=parse_types(text, TERMS))
            for text in ("Car", "(Car;Toy)", "Car|Bus", "(Car;Toy),Person", "Nothing")
        },
        **{
            f"idPattern={text}": selector(id_pattern=portable(text))
            for text in ("^urn:a", "[12]$", "a:(1|3)", "", "上", "p:.$")
        },
        **{
            f"scopeQ={text}": Query(scope=parse_scope(text), limit=100)
            for text in ("/yrd", "/yrd/#", "/#", "/+", "/+/wuxi", "(/yrd/#;/bus)", "/x|/bus")
        },
        "ids": selector(ids=("urn:a:3", "urn:x:1", "urn:a:1")),
        "one of two": Query(
            selectors=(
                Selector(ids=("urn:a:2",)),
                Selector(id_pattern="p:", types=parse_types("Boss", TERMS)),
            ),
            limit=100,
        ),
        "attributes": Query(attributes=(TERMS.expand("age"), TERMS.expand("on")), limit=100),
        "datasets": Query(datasets=("urn:d:1",), limit=100),
        "default": Query(datasets=("@none", "urn:d:9"), limit=100),
        "restricted": Query(
            restriction=Restriction(types=(TERMS.expand("Car"),), scopes=("/yrd",)), limit=100
        ),
        "restricted link": Query(
            condition=parse_q("many{age}>50", TERMS),
            restriction=Restriction(types=(TERMS.expand("Toy"), TERMS.expand("Person"))),
            limit=100,
        ),
    }
    assert await differences(store, queries) == []


async def test_geography_means_what_the_matcher_says(store: Store):
    square = [[[120, 31], [121, 31], [121, 32], [120, 32], [120, 31]]]
    queries = {}
    for georel in ("within", "contains", "intersects", "equals", "disjoint", "overlaps"):
        for geometry, coordinates in (
            ("Polygon", square),
            ("Point", [120.3, 31.5]),
            ("LineString", [[120.3, 31.5], [120.4, 31.5]]),
            ("MultiPoint", [[0, 0], [120.3, 31.5]]),
        ):
            geo = parse_geo(georel=georel, geometry=geometry, coordinates=coordinates, terms=TERMS)
            queries[f"{georel} {geometry}"] = Query(geo=geo, limit=100)
    for georel in (
        "near;maxDistance==5000",
        "near;maxDistance==10000",
        "near;minDistance==5000",
    ):
        for coordinates in ([120.3, 31.5], [120.35, 31.5], [-179.9, 0.0]):
            geo = parse_geo(georel=georel, geometry="Point", coordinates=coordinates, terms=TERMS)
            queries[f"{georel} {coordinates}"] = Query(geo=geo, limit=100)
    assert await differences(store, queries) == []


@pytest.mark.parametrize(
    "text",
    ["label", "label;desc", "speed;desc,id;desc", "address[city]", "name[zh];desc", "name", "on",
     "owner", "many;desc", "owner.since", "speed.observedAt;desc", "createdAt", "type",
     "scope;desc", "at", "gender", "genders", "missing", "speed.datasetId", "raw[id]", "id;desc"],
)  # fmt: skip
@pytest.mark.parametrize("collation", [None, "und"])
async def test_order_is_what_the_ranking_says(store: Store, text: str, collation: str | None):
    held = await stored(store)
    order = parse_order(text, TERMS, collation=collation)
    page = await store.query(Query(order=order, limit=100))
    wanted = sorted(held.values(), key=lambda entity: order_key(entity, order))
    assert [one.id for one in page.entities] == [one.id for one in wanted]
    part = await store.query(Query(order=order, limit=2, offset=1))
    assert [one.id for one in part.entities] == [one.id for one in wanted[1:3]]


@pytest.mark.parametrize("text", ["location;dist-asc", "location;dist-desc", "speed;dist-asc"])
async def test_order_by_distance_is_what_the_ranking_says(store: Store, text: str):
    held = await stored(store)
    order = parse_order(text, TERMS, order_from=[120, 31])
    page = await store.query(Query(order=order, limit=100))
    wanted = sorted(held.values(), key=lambda entity: order_key(entity, order))
    assert [one.id for one in page.entities] == [one.id for one in wanted]
