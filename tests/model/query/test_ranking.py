"""The order of answers, as point 9 of `conurb.model.query.match` says it."""

from __future__ import annotations

from typing import Any

from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.query.order import parse_order
from conurb.model.query.ranking import order_key

TERMS = core_terms()


def entity(name: str, *instances: dict[str, Any]) -> Entity:
    attrs = {TERMS.expand("v"): list(instances)} if instances else {}
    return Entity(f"urn:e:{name}", ("urn:T",), attrs, created_at=ord(name[0]))


def prop(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


def ordered(entities: list[Entity], text: str, **more: Any) -> str:
    order = parse_order(text, TERMS, **more)
    return "".join(e.id[6:] for e in sorted(entities, key=lambda e: order_key(e, order)))


def test_types_have_an_order_that_a_direction_keeps():
    mixed = [
        entity("h"),
        entity("g", prop({"@type": "Date", "@value": "2026-01-01"})),
        entity("f", prop(True)),
        entity("e", prop(False)),
        entity("d", prop([1])),
        entity("c", prop({"x": 1})),
        entity("b", prop("text")),
        entity("a", prop(99)),
        entity("0", prop(1.5)),
    ]
    assert ordered(mixed, "v") == "0abcdefgh"
    assert ordered(mixed, "v;desc") == "a0bcdfegh"


def test_ties_are_broken_by_id_in_both_directions():
    same = [entity("b", prop(1)), entity("a", prop(1)), entity("c", prop(2))]
    assert ordered(same, "v") == "abc"
    assert ordered(same, "v;desc") == "cab"


def test_the_first_instance_counts():
    two = [entity("a", prop(9), prop(1, datasetId="urn:d:1")), entity("b", prop(5))]
    assert ordered(two, "v") == "ba"


def test_text_is_ordered_by_code_point_unless_collated():
    words = [entity("1", prop("b")), entity("2", prop("á")), entity("3", prop("A"))]
    assert ordered(words, "v") == "312"
    assert ordered(words, "v", collation="und") == "321"
    assert ordered(words, "v;desc", collation="und") == "123"


def test_members_sub_attributes_and_system_members():
    deep = [
        entity("a", prop({"city": "Wuxi"}, observedAt="2026-01-02T00:00:00.000000Z")),
        entity("b", prop({"city": "Hefei"}, observedAt="2026-01-01T00:00:00.000000Z")),
        entity("c", prop({}, **{TERMS.expand("s"): [prop(1)]})),
    ]
    assert ordered(deep, "v[city]") == "bac"
    assert ordered(deep, "v.observedAt") == "bac"
    assert ordered(deep, "v.s") == "cab"
    assert ordered(deep, "createdAt;desc") == "cba"
    assert ordered(deep, "id;desc") == "cba"


def test_languages_order_by_tag():
    def named(key: str, **texts: str) -> Entity:
        return entity(key, {"type": "LanguageProperty", "languageMap": texts})

    names = [named("a", en="Wuxi"), named("b", en="Hefei"), named("c", zh="上海")]
    assert ordered(names, "v[en]") == "bac"


def test_distance_orders_from_the_nearest():
    def at(key: str, longitude: float) -> Entity:
        value = {"type": "Point", "coordinates": [longitude, 40]}
        return entity(key, {"type": "GeoProperty", "value": value})

    places = [at("f", 20), at("n", 8.1), at("m", 10), entity("x", prop(1))]
    assert ordered(places, "v;dist-asc", order_from="[8,40]") == "nmfx"
    assert ordered(places, "v;dist-desc", order_from="[8,40]") == "fmnx"
