"""The meaning of a query on one entity, point by point as `conurb.model.query.match` says it."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.query.match import has_scope, has_types, holds, matches
from conurb.model.query.q import parse_q
from conurb.model.query.scope import parse_scope
from conurb.model.query.tree import (
    GeoCondition,
    GeoRelation,
    Query,
    Restriction,
    Selector,
    TypeIs,
)
from conurb.model.query.types import parse_types

TERMS = core_terms()
OBSERVED = "2026-01-01T00:00:00.123456Z"


def iri(name: str) -> str:
    return TERMS.expand(name)


def prop(value: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


def rel(target: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Relationship", "object": target, **members}


def entity(entity_id: str = "urn:a:1", types: tuple[str, ...] = ("Car",), **attrs: Any) -> Entity:
    return Entity(
        entity_id,
        tuple(map(iri, types)),
        {iri(k): v if isinstance(v, list) else [v] for k, v in attrs.items()},
        scope=("/yrd/wuxi", "/bus"),
        created_at=1_500_000,
        modified_at=2_000_000,
    )


CAR = entity(
    speed=[prop(30, observedAt=OBSERVED), prop(60, datasetId="urn:d:1")],
    label=prop("30"),
    on=prop(True),
    off=prop(False),
    tags=prop(["a", "b", 7, None, ["n"]]),
    none=prop([]),
    null=prop(None),
    address=prop({"city": "Berlin", "geo": {"lat": 52}, "gone": None, "list": [{"x": 1}]}),
    at=prop({"@type": "DateTime", "@value": "2026-01-01T08:00:00Z"}),
    text_at=prop("2026-01-01T08:00:00.250Z"),
    name={"type": "LanguageProperty", "languageMap": {"en": ["red", "rose"], "zh": "红"}},
    bare={"type": "LanguageProperty", "languageMap": {}},
    gender={"type": "VocabProperty", "vocab": iri("Male")},
    raw={"type": "JsonProperty", "json": {"value": "x", "id": 1}},
    series={"type": "ListProperty", "valueList": [1, 2]},
    owner=rel("urn:p:1", **{iri("since"): [prop(2020, observedAt=OBSERVED, unitCode="ANN")]}),
    parts={"type": "ListRelationship", "objectList": ["urn:p:1", {"object": "urn:p:2"}]},
    location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [120.3, 31.5]}},
)
PEOPLE = {
    "urn:p:1": entity("urn:p:1", ("Person",), age=prop(40), boss=rel("urn:p:2")),
    "urn:p:2": entity("urn:p:2", ("Person", "Boss"), age=prop(60)),
}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        # every instance is a target; != wants one instance that differs
        ("speed>50", True),
        ("speed==30", True),
        ("speed!=30", True),
        ("speed!=30,60", False),
        ("speed==31..59", False),
        ("speed==10..40", True),
        ("speed!=10..60", False),
        # types are never converted
        ('speed=="30"', False),
        ('speed!="30"', True),
        ("label==30", False),
        ('label=="30"', True),
        ("label>100", False),
        ('label>"200"', True),
        ("on==true", True),
        ("on==1", False),
        ("on!=1", True),
        ("off==false", True),
        ("off==0", False),
        ("on>0", False),
        ('on~="true"', False),
        # lists: == any element, != none, nothing else
        ('tags=="a"', True),
        ('tags!="a"', False),
        ('tags!="z"', True),
        ('tags=="z","b"', True),
        ("tags==5..9", True),
        ("tags>5", False),
        ('tags~="a"', False),
        ('tags!~="z"', False),
        ('tags=="n"', False),
        ("none", True),
        ("none==1", False),
        ("none!=1", True),
        # missing and null
        ("missing", False),
        ("missing!=1", False),
        ('missing!~="x"', False),
        ("!missing", True),
        ("!speed", False),
        ("null", True),
        ("null!=1", False),
        # members
        ('address[city]=="Berlin"', True),
        ("address[geo.lat]>=52", True),
        ("address[gone]", False),
        ("!address[gone]", True),
        ("address[list.x]==1", False),
        ("address==1", False),
        ("address!=1", True),
        ("speed[x]", False),
        ("owner[x]", False),
        ('raw[value]=="x"', True),
        ("series==2", True),
        ("location[type]==Point", True),
        # texts of languages
        ('name=="red"', True),
        ('name[*]=="红"', True),
        ('name[en]=="rose"', True),
        ('name[en]=="红"', False),
        ('name[fr]=="red"', False),
        ('name[fr]!="red"', False),
        ('name[en]!="red"', False),
        ('name[zh]!="red"', True),
        ('name!="red"', False),
        ('name[en]~="^ro"', True),
        ('name!~="^x"', True),
        ('name!~="^ro"', False),
        ('name[zh]>"a"', True),
        ("name[en.x]", False),
        ("bare", True),
        ('bare!="x"', False),
        # links
        ("owner==urn:p:1", True),
        ('owner=="urn:p:1"', True),
        ('owner!="urn:p:1"', False),
        ("owner!=5", True),
        ('owner>"urn"', False),
        ('owner~="urn"', False),
        ("parts==urn:p:2", True),
        ("parts!=urn:p:3", True),
        # vocabulary
        ("gender==Male", False),
        (f'gender=="{TERMS.expand("Male")}"', True),
        ('gender~="Male$"', True),
        # sub-attributes and system members
        ("owner.since==2020", True),
        ("owner.since.unitCode==ANN", True),
        ("owner.since.observedAt>=2026-01-01T00:00:00.123Z", True),
        ("owner.since.observedAt==2026-01-01T00:00:00.123Z", True),
        ("owner.since.observedAt>2026-01-01T00:00:00.123Z", False),
        ("owner.until", False),
        ("speed.datasetId==urn:d:1", True),
        ("speed.observedAt", True),
        ("!owner.observedAt", True),
        ("speed.type==Property", True),
        ('speed.observedAt~="2026"', False),
        ("speed.observedAt!=5", True),
        # times
        ("at>=2026-01-01T08:00:00Z", True),
        ("at==2026-01-01T16:00:00+08:00", True),
        ("at==2026-01-01T08:00:00.0001Z", True),
        ("text_at==2026-01-01T08:00:00.25Z", True),
        ("text_at>2026-01-01T08:00:00.25Z", False),
        ("text_at>2026-01-01", True),
        ("text_at==2026-01-01T00:00:00Z..2026-01-02T00:00:00Z", True),
        ("label>2026-01-01T08:00:00Z", False),
        ("createdAt==1970-01-01T00:00:01.5Z", True),
        ("modifiedAt<1970-01-02", True),
        ("expiresAt", False),
        # the entity itself
        ("id==urn:a:1", True),
        ('id~="^urn:a:"', True),
        ("type==Car", True),
        ("type!=Car", False),
        ('scope=="/bus"', True),
        ('scope~="wuxi$"', True),
        ("observedAt", False),
        # linked entities
        ("owner{age}==40", True),
        ("owner{Person:age}==40", True),
        ("owner{Boss:age}==40", False),
        ("owner{Cat,Person:age}==40", True),
        ("parts{age}==60", True),
        ("parts{age}!=60", True),
        ("owner{boss{age}}==60", True),
        ("owner{boss{Cat:age}}", False),
        ("owner{type}==Person", True),
        ("speed{age}", False),
        ("missing{age}", False),
        ("!owner{missing}", True),
        # logic
        ("speed>100;on==true|off==false", True),
        ("speed>100;(on==true|off==false)", False),
    ],
)
def test_what_a_condition_means(q: str, expected: bool):
    assert holds(parse_q(q, TERMS), CAR, PEOPLE.get) is expected


def test_expanded_values_meet_a_vocabulary():
    assert holds(parse_q("gender==Male", TERMS, expand_values=["gender"]), CAR)


def test_text_is_ordered_by_code_point():
    assert holds(parse_q('n>"Z"', TERMS), entity(n=prop("a")))
    assert holds(parse_q('n>"z"', TERMS), entity(n=prop("é")))
    assert holds(parse_q('n<"\U0001f600"', TERMS), entity(n=prop("\uffff")))


def test_without_a_way_to_other_entities_links_lead_nowhere():
    assert not holds(parse_q("owner{age}", TERMS), CAR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Car", True),
        ("Bus", False),
        ("Bus|Car", True),
        ("Bus,Car", True),
        ("(Car;Bus)", False),
        ("(Car;Tram)", True),
        ("(Car;Bus)|Tram", True),
    ],
)
def test_type_selections(text: str, expected: bool):
    selection = parse_types(text, TERMS)
    assert selection is not None
    assert has_types(selection, (iri("Car"), iri("Tram"))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/A/B/C", True),
        ("/A/B", False),
        ("/A/B/#", True),
        ("/A/B/C/#", True),
        ("/A/B/C/D/#", False),
        ("/A/+/C", True),
        ("/+/+", False),
        ("/+/+/#", True),
        ("/#", True),
        ("/a/b/c", False),
        ("(/A/#;/X)", True),
        ("(/A/#;/Y)", False),
        ("(/A/#;/Y)|/X", True),
        ("Z,X", True),
    ],
)
def test_scope_queries(text: str, expected: bool):
    assert has_scope(parse_scope(text), ("/A/B/C", "/X")) is expected


def test_no_scope_query_takes_an_entity_without_scope():
    assert not has_scope(parse_scope("/#"), ())


SQUARE = "POLYGON ((120 31, 121 31, 121 32, 120 32, 120 31))"


@pytest.mark.parametrize(
    ("relation", "wkt", "expected"),
    [
        ("within", SQUARE, True),
        ("intersects", SQUARE, True),
        ("disjoint", SQUARE, False),
        ("disjoint", "POINT (0 0)", True),
        ("equals", "POINT (120.3 31.5)", True),
        ("equals", "POINT (120.3 31.6)", False),
        ("contains", "POINT (120.3 31.5)", True),
        ("overlaps", SQUARE, False),
    ],
)
def test_geo_relations(relation: GeoRelation, wkt: str, expected: bool):
    condition = GeoCondition(iri("location"), relation, wkt)
    assert matches(CAR, Query(geo=condition)) is expected
    assert not matches(entity(), Query(geo=condition))


def test_near_is_a_distance_on_the_sphere():
    # 0.1 degrees of latitude are 11,119.5 m on the sphere of the query tree.
    def near(low: float | None, high: float | None) -> bool:
        condition = GeoCondition(iri("location"), "near", "POINT (120.3 31.6)", low, high)
        return matches(CAR, Query(geo=condition))

    assert near(None, 11_120)
    assert not near(None, 11_119)
    assert near(11_119, None)
    assert not near(11_120, None)
    assert near(11_119, 11_120)


def test_one_geometry_of_several_is_enough():
    def point(longitude: float, **more: Any) -> dict[str, Any]:
        value = {"type": "Point", "coordinates": [longitude, 31.5]}
        return {"type": "GeoProperty", "value": value, **more}

    both = entity(location=[point(0), point(120.3, datasetId="urn:d:1")])
    assert matches(both, Query(geo=GeoCondition(iri("location"), "within", SQUARE)))
    assert matches(both, Query(geo=GeoCondition(iri("location"), "disjoint", SQUARE)))


def test_a_query_wants_everything_that_it_gives():
    car = TypeIs(iri("Car"))
    assert matches(CAR, Query())
    assert matches(CAR, Query(selectors=(Selector(ids=("urn:x:1",)), Selector(types=car))))
    assert not matches(CAR, Query(selectors=(Selector(ids=("urn:x:1",), types=car),)))
    assert matches(CAR, Query(selectors=(Selector(id_pattern=r"\Aurn:a"),)))
    assert not matches(CAR, Query(selectors=(Selector(id_pattern=r"\Aa"),)))
    assert matches(CAR, Query(attributes=(iri("x"), iri("speed"))))
    assert not matches(CAR, Query(attributes=(iri("x"),)))
    assert matches(CAR, Query(datasets=("urn:d:1",)))
    assert not matches(CAR, Query(datasets=("urn:d:2",)))
    assert matches(CAR, Query(datasets=("@none",)))
    assert matches(CAR, Query(restriction=Restriction(types=(iri("Car"),), scopes=("/yrd",))))
    assert not matches(CAR, Query(restriction=Restriction(scopes=("/y", "/yrd/wu"))))
    assert not matches(CAR, Query(restriction=Restriction(types=(iri("Bus"),))))
    assert not matches(CAR, Query(condition=parse_q("speed>90", TERMS)))
    assert not matches(CAR, Query(scope=parse_scope("/x")))
