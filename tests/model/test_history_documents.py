"""Reading and writing the history of entities (clauses 4.5.6 to 4.5.9, 4.5.19, 5.6.11)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.changes import HistoryInstance
from conurb.model.context import core_terms
from conurb.model.entity import NULL, Instance
from conurb.model.evolution import HEAD, Evolution, instance_id, parse_instance_id
from conurb.model.nulls import is_null
from conurb.model.parse import parse_temporal_entity, parse_temporal_fragment
from conurb.model.parse.temporal import TEMPORAL_INSTANCES_MAX
from conurb.model.render import View, render_evolution
from conurb.model.time import US_PER_S, fixed, parse_us

TERMS = core_terms()
SPEED, STREET = TERMS.expand("speed"), TERMS.expand("street")
T1, T2, T3 = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


def read(**members: Any) -> dict[str, list[Instance]]:
    fragment = parse_temporal_entity({"id": "urn:x:1", "type": "T", **members}, TERMS)
    return {TERMS.compact(iri): instances for iri, instances in fragment.attrs.items()}


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def test_an_attribute_has_its_instances_in_the_order_given() -> None:
    speed = read(
        speed=[
            {"type": "Property", "value": 2, "observedAt": T2},
            {"value": 1, "observedAt": T1, "datasetId": "urn:x:d"},
            {"value": 1, "observedAt": T1},
        ]
    )["speed"]
    assert [one["value"] for one in speed] == [2, 1, 1]
    assert [one["observedAt"][:10] for one in speed] == ["2026-01-02", "2026-01-01", "2026-01-01"]
    assert speed[1]["datasetId"] == "urn:x:d"


def test_a_single_instance_and_a_bare_value_are_read_too() -> None:
    assert read(speed={"value": 1, "observedAt": T1})["speed"][0]["value"] == 1
    assert read(speed=1, note=[1, 2])["note"] == [{"type": "Property", "value": [1, 2]}]


def test_a_deleted_instance_is_history() -> None:
    instances = read(
        speed=[{"type": "Property", "value": NULL, "observedAt": T1}],
        street=[{"type": "LanguageProperty", "languageMap": {"@none": NULL}, "observedAt": T1}],
    )
    assert all(is_null(one) for many in instances.values() for one in many)


def test_scopes_are_read_with_the_times_from_which_they_hold() -> None:
    def scopes(value: Any) -> list[tuple[int | None, tuple[str, ...]]]:
        fragment = parse_temporal_fragment({"scope": value}, TERMS)
        return [(one.at_us, one.scope) for one in fragment.scopes]

    assert scopes("/a") == [(None, ("/a",))]
    assert scopes(["/a", "/b"]) == [(None, ("/a", "/b"))]
    over_time = [
        {"type": "Property", "value": ["/new"], "observedAt": T2},
        {"type": "Property", "value": "/old", "observedAt": T1},
    ]
    assert scopes(over_time) == [(parse_us(T2), ("/new",)), (parse_us(T1), ("/old",))]
    assert scopes({"type": "Property", "value": []}) == [(None, ())]


@pytest.mark.parametrize(
    "members",
    [
        {"speed": NULL},
        {"speed": None},
        {"speed": []},
        {"speed": [{"value": 1, "unitCode": NULL}]},
        {"speed": [{"value": 1, "observedAt": "noon"}]},
        {"speed": [{"type": "Property", "observedAt": T1}]},
        {"expiresAt": NULL},
        {"scope": [{"no": "value"}]},
        {"unitCode": 5},
    ],
)
def test_wrong_history_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(BadRequestDataError):
        read(**members)


def test_history_needs_id_and_type_but_an_addition_does_not() -> None:
    for document in ({"id": "urn:x:1"}, {"type": "T"}, {"id": NULL, "type": "T"}):
        with pytest.raises(BadRequestDataError):
            parse_temporal_entity(document, TERMS)
    with pytest.raises(InvalidRequestError):
        parse_temporal_fragment([], TERMS)
    fragment = parse_temporal_fragment({"speed": [{"value": 1}]}, TERMS)
    assert (fragment.id, fragment.types) == (None, ())


def test_the_instances_of_one_document_are_bounded() -> None:
    with pytest.raises(BadRequestDataError, match=str(TEMPORAL_INSTANCES_MAX)):
        read(speed=[{"value": 1}] * (TEMPORAL_INSTANCES_MAX + 1))


# ── instance ids ──────────────────────────────────────────────────────────────────────────────


def test_an_instance_id_gives_its_number_back() -> None:
    assert parse_instance_id(instance_id(42)) == 42
    assert parse_instance_id("urn:ngsi-ld:Instance:x") is None
    assert parse_instance_id("urn:uuid:1") is None
    with pytest.raises(BadRequestDataError, match="instanceId"):
        parse_instance_id("42")


# ── writing ───────────────────────────────────────────────────────────────────────────────────


def row(
    at: str,
    number: int,
    instance: Instance | None,
    *,
    dataset: str | None = None,
    kind: str | None = None,
) -> HistoryInstance:
    if instance is not None:
        stamp = fixed(number * US_PER_S)
        instance = {**instance, "createdAt": stamp, "modifiedAt": stamp}
        if at:
            instance["observedAt"] = at[:19] + ".000000Z"
        if dataset:
            instance["datasetId"] = dataset
    return HistoryInstance(SPEED, dataset, 0, number * US_PER_S, None, number, instance, kind=kind)


def history(**attributes: list[HistoryInstance]) -> Evolution:
    instances = {TERMS.expand(name): rows for name, rows in attributes.items()}
    return Evolution("urn:x:1", (TERMS.expand("T"),), (), 0, 1, instances=instances)


NUMBERS = [
    row(T1, 1, {"type": "Property", "value": 5}),
    row(T2, 2, {"type": "Property", "value": 6}),
]


def test_normalized_history_has_arrays_with_instance_ids() -> None:
    assert render_evolution(history(speed=NUMBERS), TERMS, View()) == {
        "id": "urn:x:1",
        "type": "T",
        "speed": [
            {"type": "Property", "value": 5, "observedAt": T1, "instanceId": instance_id(1)},
            {"type": "Property", "value": 6, "observedAt": T2, "instanceId": instance_id(2)},
        ],
    }
    one = render_evolution(history(speed=NUMBERS[:1]), TERMS, View(sys_attrs=True))
    assert one["speed"][0]["createdAt"] == "1970-01-01T00:00:01Z"
    assert (one["createdAt"], one["modifiedAt"]) == (
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000001Z",
    )
    concise = render_evolution(history(speed=NUMBERS[:1]), TERMS, View("concise"))
    assert concise["speed"] == [{"value": 5, "observedAt": T1, "instanceId": instance_id(1)}]


def test_an_attribute_that_the_answer_was_cut_before_is_an_empty_series() -> None:
    cut = history(speed=[])
    assert render_evolution(cut, TERMS, View())["speed"] == []
    pairs = render_evolution(cut, TERMS, View(), form="temporalValues")
    assert pairs["speed"] == {"type": "Property", "values": []}


@pytest.mark.parametrize(
    ("instance", "member", "value"),
    [
        ({"type": "Property", "value": 5}, "values", 5),
        ({"type": "GeoProperty", "value": {"type": "Point"}}, "values", {"type": "Point"}),
        ({"type": "Relationship", "object": "urn:x:2"}, "objects", "urn:x:2"),
        (
            {"type": "LanguageProperty", "languageMap": {"zh": "x"}},
            "languageMaps",
            {"languageMap": {"zh": "x"}},
        ),
        ({"type": "VocabProperty", "vocab": TERMS.expand("calm")}, "vocabs", {"vocab": "calm"}),
        ({"type": "JsonProperty", "json": {"a": 1}}, "jsons", {"json": {"a": 1}}),
        ({"type": "ListProperty", "valueList": [1]}, "valueLists", [1]),
        ({"type": "ListRelationship", "objectList": ["urn:x:2"]}, "objectLists", ["urn:x:2"]),
    ],
)
def test_temporal_values_are_pairs_of_value_and_time(
    instance: Instance, member: str, value: Any
) -> None:
    written = render_evolution(
        history(speed=[row(T1, 1, instance)]), TERMS, View(), form="temporalValues"
    )
    assert written["speed"] == {"type": instance["type"], member: [[value, T1]]}


def test_temporal_values_stand_apart_by_dataset_and_kind() -> None:
    rows = [
        *NUMBERS,
        row(T1, 3, {"type": "Property", "value": 7}, dataset="urn:x:d"),
        row(T3, 4, {"type": "Relationship", "object": "urn:x:2"}),
    ]
    written = render_evolution(history(speed=rows), TERMS, View(), form="temporalValues")
    assert written["speed"] == [
        {"type": "Property", "values": [[5, T1], [6, T2]]},
        {"type": "Property", "datasetId": "urn:x:d", "values": [[7, T1]]},
        {"type": "Relationship", "objects": [["urn:x:2", T3]]},
    ]
    chosen = View(datasets=("urn:x:d",))
    written = render_evolution(history(speed=rows), TERMS, chosen, form="temporalValues")
    assert written["speed"] == {"type": "Property", "datasetId": "urn:x:d", "values": [[7, T1]]}


def test_temporal_values_give_the_time_asked_for() -> None:
    written = render_evolution(
        history(speed=NUMBERS), TERMS, View(), form="temporalValues", timeproperty="modifiedAt"
    )
    assert written["speed"]["values"] == [[5, "1970-01-01T00:00:01Z"], [6, "1970-01-01T00:00:02Z"]]


def test_a_language_filter_makes_texts_of_language_maps_over_time() -> None:
    rows = [row(T1, 1, {"type": "LanguageProperty", "languageMap": {"zh": "路", "en": "road"}})]
    view = View(lang="en")
    written = render_evolution(history(street=rows), TERMS, view, form="temporalValues")
    assert written["street"] == {"type": "Property", "values": [["road", T1]]}
    assert render_evolution(history(street=rows), TERMS, view)["street"][0]["lang"] == "en"


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        (None, "value", NULL),
        ("Relationship", "object", NULL),
        ("LanguageProperty", "languageMap", {"@none": NULL}),
        ("ListProperty", "valueList", [NULL]),
        ("ListRelationship", "objectList", [NULL]),
    ],
)
def test_a_tombstone_is_an_instance_with_a_null(kind: str | None, member: str, value: Any) -> None:
    written = render_evolution(history(speed=[row("", 9, None, kind=kind)]), TERMS, View())
    assert written["speed"] == [
        {
            "type": kind or "Property",
            member: value,
            "instanceId": instance_id(9),
            "deletedAt": "1970-01-01T00:00:09Z",
        }
    ]


def test_a_tombstone_takes_the_kind_of_its_neighbours() -> None:
    rows = [row(T1, 1, {"type": "Relationship", "object": "urn:x:2"}), row("", 9, None)]
    written = render_evolution(history(speed=rows), TERMS, View(), form="temporalValues")
    assert written["speed"]["objects"] == [["urn:x:2", T1], [NULL, "1970-01-01T00:00:09Z"]]


def heads(*scopes: list[str] | None) -> Evolution:
    rows = [
        HistoryInstance(
            HEAD, None, 0, n * US_PER_S, None, n, None if s is None else {"types": [], "scope": s}
        )
        for n, s in enumerate(scopes, 1)
    ]
    evolution = history()
    evolution.instances[HEAD] = rows
    return evolution


def test_the_scope_is_a_property_over_time() -> None:
    evolution = heads(["/a"], ["/a"], ["/a", "/b"], [])
    assert render_evolution(evolution, TERMS, View())["scope"] == [
        {"type": "Property", "value": "/a", "observedAt": "1970-01-01T00:00:01Z"},
        {"type": "Property", "value": ["/a", "/b"], "observedAt": "1970-01-01T00:00:03Z"},
        {"type": "Property", "value": [], "deletedAt": "1970-01-01T00:00:04Z"},
    ]
    deleted = render_evolution(
        evolution, TERMS, View(), form="temporalValues", timeproperty="deletedAt"
    )
    assert deleted["scope"] == {"type": "Property", "values": [[[], "1970-01-01T00:00:04Z"]]}
    assert "scope" not in render_evolution(heads([]), TERMS, View())


def test_aggregates_are_rows_of_value_and_period() -> None:
    evolution = history()
    hour = 3600 * US_PER_S
    evolution.aggregates = {
        (SPEED, None): {"avg": [(5.5, 0, hour)], "max": [(6, 0, hour)]},
        (SPEED, "urn:x:d"): {"avg": [(7.0, 0, hour)], "max": [(7, 0, hour)]},
        (STREET, None): {"distinctCount": [(2, 0, hour)]},
    }
    evolution.kinds = {STREET: "Relationship"}
    written = render_evolution(evolution, TERMS, View(), form="aggregatedValues")
    period = ["1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"]
    assert written["speed"] == [
        {"type": "Property", "avg": [[5.5, *period]], "max": [[6, *period]]},
        {
            "type": "Property",
            "datasetId": "urn:x:d",
            "avg": [[7.0, *period]],
            "max": [[7, *period]],
        },
    ]
    assert written["street"] == {"type": "Relationship", "distinctCount": [[2, *period]]}
    chosen = View(attrs=frozenset({STREET}))
    assert "speed" not in render_evolution(evolution, TERMS, chosen, form="aggregatedValues")
