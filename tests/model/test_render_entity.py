"""Writing entities: forms, views, languages, joins and GeoJSON (clauses 4.5, 4.15, 4.21)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conurb.errors import BadRequestDataError
from conurb.model.context import compile_context, core_terms
from conurb.model.entity import NULL, Entity
from conurb.model.parse import parse_entity
from conurb.model.query.select import parse_projection
from conurb.model.render import (
    View,
    parse_lang,
    render_entity,
    render_flat,
    render_geojson_collection,
    render_geojson_feature,
)
from conurb.model.render.language import choose_language

TERMS = core_terms()
PLAIN = View()
POINT = {"type": "Point", "coordinates": [120.3, 31.5]}
OTHER = {"type": "Point", "coordinates": [121.5, 31.2]}
STREET = {"zh": "人民路", "en": "Renmin Road", "fr-CH": "rue du Peuple"}


def entity(entity_id: str = "urn:x:1", **attributes: Any) -> Entity:
    return parse_entity({"id": entity_id, "type": "T", **attributes}, TERMS)


def shown(one: Entity, view: View = PLAIN) -> dict[str, Any]:
    return render_entity(one, TERMS, view)


def members(one: Entity, **view: Any) -> set[str]:
    chosen = {
        key: parse_projection(value, TERMS, name=key) if key in ("pick", "omit") else value
        for key, value in view.items()
    }
    return set(shown(one, View(**chosen)))


ALL_KINDS = {
    "p": {"type": "Property", "value": 5, "unitCode": "MTK"},
    "plain": {"type": "Property", "value": "x"},
    "compound": {"type": "Property", "value": {"type": "x", "value": 1}},
    "g": {"type": "GeoProperty", "value": POINT},
    "r": {"type": "Relationship", "object": "urn:x:2"},
    "l": {"type": "LanguageProperty", "languageMap": STREET},
    "v": {"type": "VocabProperty", "vocab": ["stopped", "non-commercial"]},
    "j": {"type": "JsonProperty", "json": {"a": 1}},
    "vl": {"type": "ListProperty", "valueList": [1, 2]},
    "ol": {"type": "ListRelationship", "objectList": [{"object": "urn:x:2"}]},
}


def test_normalized_is_what_was_given() -> None:
    assert shown(entity(**ALL_KINDS)) == {"id": "urn:x:1", "type": "T", **ALL_KINDS}


def test_concise_leaves_out_what_can_be_told() -> None:
    assert shown(entity(**ALL_KINDS), View("concise")) == {
        "id": "urn:x:1",
        "type": "T",
        "p": {"value": 5, "unitCode": "MTK"},
        "plain": "x",
        "compound": {"value": {"type": "x", "value": 1}},
        "g": POINT,
        "r": {"object": "urn:x:2"},
        "l": {"languageMap": STREET},
        "v": {"vocab": ["stopped", "non-commercial"]},
        "j": {"json": {"a": 1}},
        "vl": {"valueList": [1, 2]},
        "ol": {"objectList": ["urn:x:2"]},
    }


def test_simplified_gives_values() -> None:
    assert shown(entity(**ALL_KINDS), View("simplified")) == {
        "id": "urn:x:1",
        "type": "T",
        "p": 5,
        "plain": "x",
        "compound": {"type": "x", "value": 1},
        "g": POINT,
        "r": "urn:x:2",
        "l": {"languageMap": STREET},
        "v": {"vocab": ["stopped", "non-commercial"]},
        "j": {"json": {"a": 1}},
        "vl": [1, 2],
        "ol": ["urn:x:2"],
    }


def test_a_geometry_that_is_no_location_keeps_its_type_in_concise() -> None:
    one = entity(a={"type": "Property", "value": POINT})
    assert shown(one, View("concise"))["a"] == {"type": "Property", "value": POINT}


def test_several_types_and_scopes_are_arrays_and_single_ones_texts() -> None:
    one = parse_entity({"id": "urn:x:1", "type": ["A", "B"], "scope": ["/a", "/b"]}, TERMS)
    assert shown(one)["type"] == ["A", "B"]
    assert shown(one)["scope"] == ["/a", "/b"]
    assert shown(replace(one, scope=("/a",)))["scope"] == "/a"
    assert "scope" not in shown(replace(one, scope=()))


def test_several_instances_are_an_array_or_a_map_of_datasets() -> None:
    one = entity(a=[{"value": 1}, {"value": 2, "datasetId": "urn:x:d"}])
    assert shown(one)["a"] == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:x:d"},
    ]
    assert shown(one, View("concise"))["a"] == [{"value": 1}, {"value": 2, "datasetId": "urn:x:d"}]
    assert shown(one, View("simplified"))["a"] == {"dataset": {"@none": 1, "urn:x:d": 2}}


def test_an_only_instance_with_a_dataset_says_so_unless_it_was_asked_for() -> None:
    one = entity(a={"value": 2, "datasetId": "urn:x:d"})
    assert shown(one, View("simplified"))["a"] == {"dataset": {"urn:x:d": 2}}
    assert shown(one, View("simplified", datasets=("urn:x:d",)))["a"] == 2


def test_a_view_of_datasets_keeps_their_instances() -> None:
    one = entity(a=[{"value": 1}, {"value": 2, "datasetId": "urn:x:d"}], b=3)
    assert shown(one, View(datasets=("urn:x:d",))).keys() == {"id", "type", "a"}
    assert shown(one, View(datasets=("@none",)))["a"] == {"type": "Property", "value": 1}


def test_system_times_are_given_when_asked() -> None:
    stamp = "2026-11-22T08:00:00.000000Z"
    one = entity(a={"value": 1, "expiresAt": stamp, "s": 2})
    one = replace(one, created_at=1_000_000, modified_at=2_000_000, expires_at=3_000_000)
    instance = one.attrs[TERMS.expand("a")][0]
    instance["createdAt"] = instance["modifiedAt"] = stamp
    plain, full = shown(one), shown(one, View(sys_attrs=True))
    assert plain["a"].keys() == {"type", "value", "s"}
    assert plain.keys() == {"id", "type", "a"}
    assert full["a"]["createdAt"] == full["a"]["expiresAt"] == "2026-11-22T08:00:00Z"
    assert (full["createdAt"], full["modifiedAt"], full["expiresAt"]) == (
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:02Z",
        "1970-01-01T00:00:03Z",
    )


def test_names_and_words_are_compacted_by_the_readers_context() -> None:
    mine = compile_context({"ex": "https://example.org/"}, lambda url: {})
    one = parse_entity(
        {
            "id": "urn:x:1",
            "type": "ex:City",
            "ex:state": {"vocab": "ex:calm", "ex:by": {"object": "urn:x:2", "objectType": "ex:A"}},
        },
        mine,
    )
    assert shown(one) == {
        "id": "urn:x:1",
        "type": "https://example.org/City",
        "https://example.org/state": {
            "type": "VocabProperty",
            "vocab": "https://example.org/calm",
            "https://example.org/by": {
                "type": "Relationship",
                "object": "urn:x:2",
                "objectType": "https://example.org/A",
            },
        },
    }
    assert render_entity(one, mine, View())["ex:state"]["vocab"] == "ex:calm"


def test_a_removed_attribute_shows_the_null_of_its_kind() -> None:
    one = entity(a=1, l={"languageMap": {"zh": "x"}})
    one.attrs[TERMS.expand("a")] = [{"type": "Property", "value": NULL}]
    one.attrs[TERMS.expand("l")] = [{"type": "LanguageProperty", "languageMap": {"@none": NULL}}]
    assert shown(one)["a"] == {"type": "Property", "value": NULL}
    assert shown(one, View("concise"))["a"] == NULL
    assert shown(one, View("simplified", lang="zh"))["l"] == {"languageMap": {"@none": NULL}}


# ── languages ─────────────────────────────────────────────────────────────────────────────────


def test_a_language_filter_makes_properties_of_language_properties() -> None:
    one = entity(street={"languageMap": STREET, "source": "map"})
    assert shown(one, View(lang="en"))["street"] == {
        "type": "Property",
        "value": "Renmin Road",
        "lang": "en",
        "source": {"type": "Property", "value": "map"},
    }
    assert shown(one, View("simplified", lang="zh"))["street"] == "人民路"
    assert shown(one, View("concise", lang="zh"))["street"]["lang"] == "zh"


@pytest.mark.parametrize(
    ("lang", "chosen"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("fr", "fr-CH"),
        ("zh-CN", "zh"),
        ("de,en;q=0.1,zh;q=0.5", "zh"),
        ("de", "zh"),
        ("*", "zh"),
        ("en;q=0,zh", "zh"),
    ],
)
def test_the_best_language_is_chosen(lang: str, chosen: str) -> None:
    assert choose_language(STREET, parse_lang(lang)) == chosen


def test_without_a_match_the_text_of_no_language_is_given() -> None:
    assert choose_language({"zh": "x", "@none": "y"}, parse_lang("de")) == "@none"


@pytest.mark.parametrize("lang", ["", "e n", "en;q=2", "en;x=1", "en,,zh", "12", "en;q=a"])
def test_a_wrong_language_filter_is_refused(lang: str) -> None:
    with pytest.raises(BadRequestDataError, match="lang"):
        parse_lang(lang)


# ── projections ───────────────────────────────────────────────────────────────────────────────


def test_pick_omit_and_attrs_choose_members() -> None:
    one = entity(scope="/a", a=1, b=2)
    assert members(one, pick="id,a") == {"id", "a"}
    assert members(one, pick="b") == {"b"}
    assert members(one, pick="unknown") == set()
    assert members(one, omit="id,type,b") == {"scope", "a"}
    assert members(one, attrs=frozenset({TERMS.expand("a")})) == {"id", "type", "scope", "a"}
    assert members(one, pick="id,createdAt", sys_attrs=True) == {"id", "createdAt"}


def joined() -> Entity:
    country = entity("urn:x:fr", name="France", description="a country")
    city = entity(
        "urn:x:paris", name="Paris", description="a city", inCountry={"object": country.id}
    )
    building = entity(locatedAt={"object": city.id, "source": "map"}, name="tower")
    city.attrs[TERMS.expand("inCountry")][0]["entity"] = country
    building.attrs[TERMS.expand("locatedAt")][0]["entity"] = city
    return building


def view(**given: str) -> View:
    return View(**{key: parse_projection(text, TERMS, name=key) for key, text in given.items()})


def test_linked_entities_stand_inside_of_relationships() -> None:
    written = shown(joined())
    assert written["locatedAt"]["object"] == "urn:x:paris"
    assert written["locatedAt"]["entity"]["name"] == {"type": "Property", "value": "Paris"}
    assert written["locatedAt"]["entity"]["inCountry"]["entity"]["id"] == "urn:x:fr"
    simplified = shown(joined(), View("simplified"))
    assert simplified["locatedAt"]["inCountry"]["name"] == "France"


def test_lists_of_linked_entities_keep_their_order() -> None:
    one = entity(
        route={"objectList": ["urn:x:a", "urn:x:b"]}, many={"object": ["urn:x:b", "urn:x:a"]}
    )
    a, b = entity("urn:x:a"), entity("urn:x:b")
    one.attrs[TERMS.expand("route")][0]["entityList"] = [a, b]
    one.attrs[TERMS.expand("many")][0]["entity"] = [b, a]
    written = shown(one)
    assert [e["id"] for e in written["route"]["entityList"]] == ["urn:x:a", "urn:x:b"]
    assert [e["id"] for e in written["many"]["entity"]] == ["urn:x:b", "urn:x:a"]
    assert shown(one, View("simplified"))["route"] == [
        {"id": "urn:x:a", "type": "T"},
        {"id": "urn:x:b", "type": "T"},
    ]
    assert [e["id"] for e in render_flat([one], TERMS, View())] == ["urn:x:1", "urn:x:a", "urn:x:b"]


def test_a_nested_pick_speaks_of_linked_entities() -> None:
    written = shown(joined(), view(pick="id,locatedAt{name,inCountry{description}}"))
    assert written.keys() == {"id", "locatedAt"}
    city = written["locatedAt"]["entity"]
    assert city.keys() == {"name", "inCountry"}
    assert city["inCountry"]["entity"].keys() == {"description"}


def test_a_nested_omit_leaves_the_relationship() -> None:
    written = shown(joined(), view(omit="type,locatedAt{name,inCountry{description}}"))
    assert written.keys() == {"id", "locatedAt", "name"}
    assert written["locatedAt"]["entity"].keys() == {"id", "type", "description", "inCountry"}
    assert written["locatedAt"]["entity"]["inCountry"]["entity"].keys() == {"id", "type", "name"}


def test_flat_gives_each_linked_entity_once_in_its_own_view() -> None:
    plain = render_flat([joined(), joined()], TERMS, View())
    assert [e["id"] for e in plain] == ["urn:x:1", "urn:x:1", "urn:x:paris", "urn:x:fr"]
    assert "entity" not in plain[0]["locatedAt"]
    assert "source" in plain[0]["locatedAt"]
    picked = render_flat([joined()], TERMS, view(pick="id,locatedAt{name,inCountry{description}}"))
    assert [set(e) for e in picked] == [{"id", "locatedAt"}, {"name", "inCountry"}, {"description"}]
    assert len(render_flat([joined()], TERMS, view(pick="id,name"))) == 1


# ── GeoJSON ───────────────────────────────────────────────────────────────────────────────────


def test_a_feature_has_the_geometry_of_its_location_and_all_properties() -> None:
    feature = render_geojson_feature(entity(location=POINT, a=1), TERMS, View("simplified"))
    assert feature == {
        "id": "urn:x:1",
        "type": "Feature",
        "geometry": POINT,
        "properties": {"type": "T", "location": POINT, "a": 1},
    }


def test_the_geometry_is_chosen_by_property_and_dataset() -> None:
    one = entity(
        location=[
            {"type": "GeoProperty", "value": POINT},
            {"type": "GeoProperty", "value": OTHER, "datasetId": "urn:x:d"},
        ],
        observationSpace=OTHER,
        a=1,
    )

    def geometry(**chosen: Any) -> Any:
        return render_geojson_feature(one, TERMS, View(**chosen))["geometry"]

    assert geometry() == geometry(geometry_dataset="@none") == POINT
    assert geometry(geometry_dataset="urn:x:d") == OTHER
    assert geometry(geometry_dataset="urn:x:none") is None
    assert geometry(geometry_property=TERMS.expand("observationSpace")) == OTHER
    assert geometry(geometry_property=TERMS.expand("a")) is None
    assert geometry(geometry_property=TERMS.expand("operationSpace")) is None


def test_a_picked_feature_keeps_its_geometry() -> None:
    one = entity(location=POINT, a=1)
    feature = render_geojson_feature(one, TERMS, view(pick="a"))
    assert feature["geometry"] == POINT
    assert feature["properties"].keys() == {"a"}


def test_a_collection_holds_features() -> None:
    collection = render_geojson_collection([entity(), entity("urn:x:2")], TERMS, View())
    assert collection["type"] == "FeatureCollection"
    assert [f["id"] for f in collection["features"]] == ["urn:x:1", "urn:x:2"]
