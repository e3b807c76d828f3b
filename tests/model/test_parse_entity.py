"""Reading entities: three forms, eight kinds, and what is refused (clauses 4.5, 4.6, 5.5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.context import compile_context, core_terms
from conurb.model.entity import NULL, Instance
from conurb.model.parse import parse_attribute, parse_entity, parse_fragment
from conurb.model.parse.rules import (
    ATTRIBUTES_MAX,
    INSTANCES_MAX,
    SUB_ATTRIBUTE_DEPTH_MAX,
    VALUE_DEPTH_MAX,
)

TERMS = core_terms()
POINT = {"type": "Point", "coordinates": [120.3, 31.5]}
URI = "urn:ngsi-ld:City:wuxi"


def read(**attributes: Any) -> dict[str, list[Instance]]:
    entity = parse_entity({"id": "urn:ngsi-ld:T:1", "type": "T", **attributes}, TERMS)
    return {TERMS.compact(iri): instances for iri, instances in entity.attrs.items()}


def one(value: Any) -> Instance:
    return read(a=value)["a"][0]


def refused(value: Any) -> str:
    with pytest.raises(BadRequestDataError) as error:
        read(theName=value)
    assert "theName" in error.value.detail
    return error.value.detail


@pytest.mark.parametrize(
    ("normalized", "concise", "internal"),
    [
        ({"type": "Property", "value": 5}, 5, {"type": "Property", "value": 5}),
        ({"type": "Property", "value": {"x": 1}}, {"x": 1}, None),
        ({"type": "Property", "value": [1, "b"]}, [1, "b"], None),
        (
            {"type": "Property", "value": {"@type": "Date", "@value": "2026-01-31"}},
            {"@type": "Date", "@value": "2026-01-31"},
            None,
        ),
        (
            {"type": "Property", "value": 5, "unitCode": "MTK"},
            {"value": 5, "unitCode": "MTK"},
            None,
        ),
        ({"type": "GeoProperty", "value": POINT}, POINT, None),
        (
            {"type": "GeoProperty", "value": POINT, "observedAt": "2026-01-31T08:00:00Z"},
            {"value": POINT, "observedAt": "2026-01-31T08:00:00Z"},
            {
                "type": "GeoProperty",
                "value": POINT,
                "observedAt": "2026-01-31T08:00:00.000000Z",
            },
        ),
        ({"type": "Relationship", "object": URI}, {"object": URI}, None),
        ({"type": "Relationship", "object": [URI, "urn:x:y"]}, {"object": [URI, "urn:x:y"]}, None),
        (
            {"type": "LanguageProperty", "languageMap": {"zh": "无锡", "en": ["Wuxi", "Wusih"]}},
            {"languageMap": {"zh": "无锡", "en": ["Wuxi", "Wusih"]}},
            None,
        ),
        ({"type": "JsonProperty", "json": {"id": None}}, {"json": {"id": None}}, None),
        ({"type": "ListProperty", "valueList": [1, [2]]}, {"valueList": [1, [2]]}, None),
        (
            {"type": "VocabProperty", "vocab": "stopped"},
            {"vocab": "stopped"},
            {"type": "VocabProperty", "vocab": TERMS.expand("stopped")},
        ),
        (
            {"type": "ListRelationship", "objectList": [{"object": URI}]},
            {"objectList": [URI]},
            {"type": "ListRelationship", "objectList": [URI]},
        ),
    ],
)
def test_normalized_and_concise_say_the_same(
    normalized: Any, concise: Any, internal: Instance | None
) -> None:
    assert one(normalized) == one(concise) == (internal or normalized)


def test_types_scopes_and_times_of_the_entity_are_read() -> None:
    entity = parse_entity(
        {
            "@id": "urn:x:1",
            "@type": ["City", "City", "Place"],
            "scope": ["yrd/wuxi", "/a"],
            "expiresAt": "1970-01-01T00:00:01Z",
            "createdAt": "yesterday",
            "modifiedAt": 7,
            "@context": "https://example.org/c.jsonld",
        },
        TERMS,
    )
    assert entity.id == "urn:x:1"
    assert entity.types == (TERMS.expand("City"), TERMS.expand("Place"))
    assert entity.scope == ("/yrd/wuxi", "/a")
    assert entity.expires_at == 1_000_000
    assert entity.attrs == {}


def test_a_users_own_words_for_id_and_type_are_understood() -> None:
    terms = compile_context({"identifier": "@id", "kind": "@type"}, lambda url: {})
    entity = parse_entity({"identifier": "urn:x:1", "kind": "City", "a": 1}, terms)
    assert (entity.id, entity.types) == ("urn:x:1", (terms.expand("City"),))
    with pytest.raises(BadRequestDataError, match="twice"):
        parse_entity({"identifier": "urn:x:1", "id": "urn:x:2", "kind": "City"}, terms)


def test_several_instances_are_told_apart_by_dataset_the_default_first() -> None:
    instances = read(
        a=[
            {"type": "Property", "value": 2, "datasetId": "urn:x:b"},
            {"value": 1, "datasetId": "urn:x:a"},
            {"type": "Property", "value": 0, "datasetId": "@none"},
        ]
    )["a"]
    assert [one.get("datasetId") for one in instances] == [None, "urn:x:a", "urn:x:b"]
    assert [one["value"] for one in instances] == [0, 1, 2]


def test_the_simplified_form_of_several_instances_is_read() -> None:
    simplified = read(a={"dataset": {"urn:x:b": 2, "@none": 1}})["a"]
    assert simplified == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:x:b"},
    ]


def test_sub_attributes_of_sub_attributes_are_read() -> None:
    instance = one(
        {
            "value": 5,
            "source": {"object": URI, "confidence": 0.5},
            "note": [{"value": "x"}, {"value": "y", "datasetId": "urn:x:d"}],
        }
    )
    source = instance[TERMS.expand("source")]
    assert source[0]["type"] == "Relationship"
    assert source[0][TERMS.expand("confidence")] == [{"type": "Property", "value": 0.5}]
    assert [n["value"] for n in instance[TERMS.expand("note")]] == ["x", "y"]


def test_a_word_for_values_may_name_an_attribute_but_no_sub_attribute() -> None:
    assert read(vocab=1, value={"type": "Property", "value": 2}).keys() == {"vocab", "value"}
    refused({"type": "Property", "value": 1, "vocab": 2})


def test_a_geometry_written_as_text_becomes_a_geometry() -> None:
    text = '{"type": "Point", "coordinates": [120.3, 31.5]}'
    assert one({"type": "GeoProperty", "value": text})["value"] == POINT


def test_what_only_a_node_writes_is_ignored() -> None:
    instance = one(
        {
            "type": "Relationship",
            "object": URI,
            "createdAt": "x",
            "modifiedAt": "x",
            "instanceId": "x",
            "deletedAt": "x",
            "entity": {"id": URI, "type": "City"},
        }
    )
    assert instance == {"type": "Relationship", "object": URI}


def test_words_of_relationships_and_values_are_expanded() -> None:
    assert one({"object": URI, "objectType": ["City", "Place"]})["objectType"] == [
        TERMS.expand("City"),
        TERMS.expand("Place"),
    ]
    assert one({"value": "2026", "valueType": "Year"})["valueType"] == TERMS.expand("Year")


def test_null_inside_of_a_compound_value_is_kept_as_given() -> None:
    assert one({"type": "Property", "value": {"a": None}})["value"] == {"a": None}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "Property"}, "value"),
        ({"type": "Property", "value": None}, "null"),
        (None, "null"),
        (NULL, "null"),
        ({"type": "Property", "value": NULL}, NULL),
        ({"value": {"deep": [NULL]}}, NULL),
        ({"type": "Relationship", "object": NULL}, "null"),
        ({"languageMap": {"@none": NULL}}, "null"),
        ({"type": "Relationship"}, "object"),
        ({"type": "LanguageProperty"}, "languageMap"),
        ({"type": "Relationship", "object": "not a uri"}, "URI"),
        ({"type": "Relationship", "object": []}, "URI"),
        ({"type": "Relationship", "object": URI, "unitCode": "MTK"}, "unitCode"),
        ({"type": "Relationship", "object": URI, "value": 5}, "value"),
        ({"type": "Property", "value": 5, "object": URI}, "object"),
        ({"type": "Property", "value": 5, "languageMap": {"zh": "x"}}, "languageMap"),
        ({"type": "Property", "value": 5, "objectType": "City"}, "objectType"),
        ({"type": "Property", "value": 5, "entityIdSealed": URI}, "entityIdSealed"),
        ({"type": "Property", "value": 5, "@context": {}}, "@context"),
        ({"type": "Property", "value": 5, "id": "urn:x:1"}, "id"),
        ({"type": "Property", "value": {"@context": {}}}, "@context"),
        ({"type": "Nonsense", "value": 5}, "Nonsense"),
        ({"type": ["Property"], "value": 5}, "type"),
        ({"type": "Property", "value": 5, "previousValue": 4}, "previousValue"),
        ({"value": 5, "observedAt": "2026-08-10T12:00:00+02:00"}, "UTC"),
        ({"languageMap": {"zh": "x"}, "valueType": "xsd:string"}, "langString"),
        ({"type": "Property", "value": 5, "observedAt": "not-a-date"}, "observedAt"),
        ({"type": "Property", "value": 5, "observedAt": {"type": "Property"}}, "observedAt"),
        ({"type": "Property", "value": 5, "observedAt": None}, "observedAt"),
        ({"type": "Property", "value": 5, "expiresAt": "soon"}, "expiresAt"),
        ({"type": "Property", "value": 5, "unitCode": 7}, "unitCode"),
        ({"type": "Property", "value": 5, "datasetId": "x"}, "datasetId"),
        ({"type": "Property", "value": float("nan")}, "number"),
        ({"type": "Property", "value": [float("inf")]}, "number"),
        ({"type": "Property", "value": 2**70}, "64 bits"),
        ({"type": "Property", "value": "a\0b"}, "U\\+0000"),
        ({"type": "Property", "value": {"a\0": 1}}, "U\\+0000"),
        ({"type": "Property", "value": {1, 2}}, "set"),
        ({"type": "GeoProperty", "value": "Shanghai"}, "geometry"),
        ({"type": "GeoProperty", "value": {"type": "Point"}}, "position"),
        ({"type": "GeoProperty", "value": 5}, "geometry"),
        ({"type": "Point", "coordinates": [500, 0]}, "position"),
        ({"type": "GeometryCollection", "geometries": [POINT]}, "GeometryCollection"),
        ({"type": "LanguageProperty", "languageMap": "Wuxi"}, "languageMap"),
        ({"type": "LanguageProperty", "languageMap": {}}, "languageMap"),
        ({"type": "LanguageProperty", "languageMap": {"z h": "x"}}, "language tag"),
        ({"type": "LanguageProperty", "languageMap": {"zh": 5}}, "zh"),
        ({"type": "VocabProperty", "vocab": 5}, "vocab"),
        ({"type": "JsonProperty", "json": "text"}, "json"),
        ({"type": "ListProperty", "valueList": 5}, "valueList"),
        ({"type": "ListRelationship", "objectList": ["x y"]}, "objectList"),
        ([{"value": 1}, {"value": 2}], "two instances"),
        ([{"value": 1, "datasetId": "urn:x:1"}, {"value": 2, "datasetId": "urn:x:1"}], "urn:x:1"),
    ],
)
def test_a_wrong_attribute_is_refused_by_name_and_reason(value: Any, reason: str) -> None:
    import re

    assert re.search(reason, refused(value))


@pytest.mark.parametrize(
    "document",
    [
        {"type": "T"},
        {"id": "urn:x:1"},
        {"id": "no-uri", "type": "T"},
        {"id": 5, "type": "T"},
        {"id": NULL, "type": "T"},
        {"id": "urn:x:1", "type": "type"},
        {"id": "urn:x:1", "type": []},
        {"id": "urn:x:1", "type": "a b"},
        {"id": "urn:x:1", "type": {"a": 1}},
        {"id": "urn:x:1", "type": "T", "scope": "a-b"},
        {"id": "urn:x:1", "type": "T", "scope": []},
        {"id": "urn:x:1", "type": "T", "scope": NULL},
        {"id": "urn:x:1", "type": "T", "expiresAt": NULL},
        {"id": "urn:x:1", "type": "T", "unitCode": 5},
        {"id": "urn:x:1", "type": "T", "observedAt": {"type": "Property", "value": 5}},
        {"id": "urn:x:1", "type": "T", "datasetId": "urn:x:d"},
        {"id": "urn:x:1", "type": "T", "a b": 5},
        {"id": "urn:x:1", "type": "T", "a": 1, "https://uri.etsi.org/ngsi-ld/default-context/a": 2},
    ],
)
def test_a_wrong_entity_is_refused(document: Any) -> None:
    with pytest.raises(BadRequestDataError):
        parse_entity(document, TERMS)


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_object_cannot_be_read(document: Any) -> None:
    with pytest.raises(InvalidRequestError):
        parse_entity(document, TERMS)


def test_a_wrong_name_of_a_sub_attribute_is_refused() -> None:
    with pytest.raises(BadRequestDataError, match="a b"):
        one({"type": "Property", "value": 5, "a b": 1})


def test_depth_and_counts_are_bounded() -> None:
    nested: Any = 1
    for _ in range(VALUE_DEPTH_MAX - 1):
        nested = [nested]
    assert one({"type": "Property", "value": nested})
    refused({"type": "Property", "value": [[nested]]})
    sub: Any = {"value": 1}
    for _ in range(SUB_ATTRIBUTE_DEPTH_MAX):
        sub = {"value": 1, "s": sub}
    assert one(sub)
    refused({"value": 1, "s": sub})
    refused([{"value": i, "datasetId": f"urn:x:{i}"} for i in range(INSTANCES_MAX + 1)])
    with pytest.raises(BadRequestDataError, match=str(ATTRIBUTES_MAX)):
        read(**{f"a{i}": i for i in range(ATTRIBUTES_MAX + 1)})


def test_a_proof_has_sealed_members_and_an_object_as_value() -> None:
    proof = {
        "type": "Property",
        "value": {"type": "DataIntegrityProof"},
        "entityIdSealed": URI,
        "entityTypeSealed": "City",
    }
    assert read(ngsildproof=proof)["ngsildproof"][0]["entityTypeSealed"] == TERMS.expand("City")
    sub = one({"value": 5, "ngsildproof": proof})
    assert sub[TERMS.expand("ngsildproof")][0]["entityIdSealed"] == URI
    for wrong in ({**proof, "value": "x"}, {**proof, "entityIdSealed": 5}):
        with pytest.raises(BadRequestDataError, match="ngsildproof"):
            read(ngsildproof=wrong)


# ── fragments ─────────────────────────────────────────────────────────────────────────────────


def test_a_fragment_says_only_what_it_speaks_of() -> None:
    fragment = parse_fragment({"a": 1}, TERMS, nulls=False)
    assert (fragment.id, fragment.types, fragment.scope, fragment.expires_at) == (
        None,
        (),
        None,
        None,
    )
    assert not fragment.drops_expiry
    whole = parse_fragment(
        {"id": "urn:x:1", "type": "T", "scope": "a", "expiresAt": "1970-01-01T00:00:01Z"},
        TERMS,
        nulls=True,
    )
    assert (whole.id, whole.types, whole.scope) == ("urn:x:1", (TERMS.expand("T"),), ("/a",))
    assert whole.expires_at == 1_000_000


@pytest.mark.parametrize("null", [NULL])
def test_nulls_say_what_is_removed(null: Any) -> None:
    from conurb.model.nulls import is_null

    fragment = parse_fragment(
        {
            "bare": null,
            "p": {"type": "Property", "value": null},
            "r": {"type": "Relationship", "object": null, "datasetId": "urn:x:d"},
            "g": {"type": "GeoProperty", "value": null},
            "l": {"type": "LanguageProperty", "languageMap": {"@none": null}},
            "l2": {"languageMap": null},
            "v": {"vocab": null},
            "j": {"json": null},
            "vl": {"valueList": null},
            "ol": {"objectList": null},
            "scope": null,
            "expiresAt": null,
        },
        TERMS,
        nulls=True,
    )
    assert all(is_null(i) for instances in fragment.attrs.values() for i in instances)
    assert fragment.attrs[TERMS.expand("r")][0]["datasetId"] == "urn:x:d"
    assert fragment.scope == ()
    assert fragment.drops_expiry


def test_nulls_are_refused_where_nothing_can_be_removed() -> None:
    for document in ({"a": NULL}, {"scope": NULL}, {"expiresAt": None}, {"a": {"value": None}}):
        with pytest.raises(BadRequestDataError):
            parse_fragment(document, TERMS, nulls=False)


def test_members_and_parts_of_values_can_be_removed() -> None:
    fragment = parse_fragment(
        {
            "a": {"value": {"x": NULL}, "unitCode": NULL, "observedAt": NULL, "source": NULL},
            "l": {"languageMap": {"fr": NULL, "zh": "x"}},
        },
        TERMS,
        nulls=True,
        partial=True,
    )
    a = fragment.attrs[TERMS.expand("a")][0]
    assert a["value"] == {"x": NULL}
    assert a["unitCode"] == a["observedAt"] == NULL
    assert a[TERMS.expand("source")] == [{"type": "Property", "value": NULL}]
    assert fragment.attrs[TERMS.expand("l")][0]["languageMap"] == {"fr": NULL, "zh": "x"}


def test_null_inside_of_a_compound_value_goes_with_a_merge_alone() -> None:
    with pytest.raises(BadRequestDataError, match="null"):
        parse_fragment({"a": {"value": {"x": NULL}}}, TERMS, nulls=True)
    with pytest.raises(BadRequestDataError, match="null"):
        parse_attribute({"value": {"x": NULL}}, TERMS, nulls=True, partial=True)


@pytest.mark.parametrize(
    "document", [{"a": None}, {"a": {"value": None}}, {"a": {"value": 1, "unitCode": None}}]
)
def test_json_null_removes_nothing(document: Any) -> None:
    with pytest.raises(BadRequestDataError, match="null"):
        parse_fragment(document, TERMS, nulls=True, partial=True)


def test_a_location_is_a_geometry() -> None:
    with pytest.raises(BadRequestDataError, match="GeoProperty"):
        parse_fragment({"location": 7}, TERMS, nulls=True)
    assert parse_fragment({"location": NULL}, TERMS, nulls=True).attrs


def test_a_dataset_cannot_be_removed_by_null() -> None:
    with pytest.raises(BadRequestDataError, match="datasetId"):
        parse_fragment({"a": {"value": 1, "datasetId": NULL}}, TERMS, nulls=True)


def test_a_partial_fragment_may_leave_out_value_and_type() -> None:
    document = {"a": {"unitCode": "MTK"}, "b": {"type": "Property", "observedAt": NULL}}
    with pytest.raises(BadRequestDataError):
        parse_fragment({"b": document["b"]}, TERMS, nulls=True)
    fragment = parse_fragment(document, TERMS, nulls=True, partial=True)
    assert fragment.attrs[TERMS.expand("a")] == [{"unitCode": "MTK"}]
    assert fragment.attrs[TERMS.expand("b")] == [{"type": "Property", "observedAt": NULL}]


def test_a_fragment_names_what_was_given_by_its_value_alone() -> None:
    fragment = parse_fragment(
        {
            "a": 1,
            "b": {"x": 1},
            "c": POINT,
            "d": {"value": 1},
            "e": {"type": "Property", "value": 1},
        },
        TERMS,
        nulls=True,
        partial=True,
    )
    assert fragment.bare == {TERMS.expand(name) for name in "abc"}


# ── one attribute ─────────────────────────────────────────────────────────────────────────────


def test_the_body_of_one_attribute_is_read_in_every_form() -> None:
    read_as = {"type": "Property", "value": 5}
    assert parse_attribute(5, TERMS, nulls=False) == [read_as]
    assert parse_attribute({"value": 5}, TERMS, nulls=False) == [read_as]
    assert parse_attribute([{"value": 5}], TERMS, nulls=False) == [read_as]
    assert parse_attribute({**read_as, "@context": "urn:x:c"}, TERMS, nulls=False) == [read_as]
    assert parse_attribute({"x": 1}, TERMS, nulls=False) == [
        {"type": "Property", "value": {"x": 1}}
    ]


def test_a_partial_body_is_a_fragment_and_no_value() -> None:
    body = {"providedBy": {"type": "Relationship", "object": URI}}
    assert parse_attribute(body, TERMS, nulls=True, partial=True) == [
        {TERMS.expand("providedBy"): [{"type": "Relationship", "object": URI}]}
    ]
    assert parse_attribute(
        {"value": 5, "datasetId": "urn:x:d"}, TERMS, nulls=True, partial=True
    ) == [{"type": "Property", "value": 5, "datasetId": "urn:x:d"}]


def test_errors_name_the_attribute_asked() -> None:
    with pytest.raises(BadRequestDataError, match="speed"):
        parse_attribute({"type": "Relationship"}, TERMS, name="speed", nulls=False)
