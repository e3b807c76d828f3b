"""What the operations on a whole object decide (clauses 5.6.1 to 5.6.3, 5.6.17, 5.6.18, 5.6.21)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import AlreadyExistsError, BadRequestDataError, NotFoundError
from conurb.model.changes import Change
from conurb.model.context import core_terms
from conurb.model.entity import NULL, Entity
from conurb.model.operations.entity import (
    AppendAttributes,
    CreateEntity,
    DeleteEntity,
    KeepAttributes,
    MergeEntity,
    ReplaceEntity,
    UpdateAttributes,
    UpsertEntity,
)
from conurb.model.operations.expiry import Expire, next_expiry
from conurb.model.parse import parse_entity, parse_fragment
from conurb.model.time import US_PER_S, fixed

TERMS = core_terms()
T0, T1 = 1_000 * US_PER_S, 2_000 * US_PER_S
ID = "urn:ngsi-ld:Vehicle:1"
SPEED, NAME, COLOR = (TERMS.expand(name) for name in ("speed", "name", "color"))


def entity(**attributes: Any) -> Entity:
    return parse_entity({"id": ID, "type": "Vehicle", **attributes}, TERMS)


def stored(**attributes: Any) -> Entity:
    after = CreateEntity(entity(**attributes)).apply(None, T0, ()).after
    assert after is not None
    return after


def fragment(partial: bool = False, nulls: bool = False, **attributes: Any) -> Any:
    return parse_fragment(attributes, TERMS, nulls=nulls, partial=partial)


def merged(
    before: Entity, *, observed_at: str | None = None, lang: str | None = None, **patch: Any
) -> Entity:
    operation = MergeEntity(
        ID, fragment(partial=True, nulls=True, **patch), observed_at=observed_at, lang=lang
    )
    after = operation.apply(before, T1, ()).after
    assert after is not None
    return after


def touched(change: Change) -> set[tuple[str, str | None, bool]]:
    return {(w.attribute, w.instance.get("datasetId"), w.new) for w in change.written}


def test_creating_stamps_the_entity_its_attributes_and_their_sub_attributes() -> None:
    after = stored(
        speed={"type": "Property", "value": 5, "color": {"type": "Property", "value": 1}}
    )
    instance = after.attrs[SPEED][0]
    assert (after.created_at, after.modified_at) == (T0, T0)
    assert instance["createdAt"] == instance["modifiedAt"] == fixed(T0)
    assert instance[COLOR][0]["createdAt"] == fixed(T0)


def test_creating_leaves_the_document_it_was_given_as_it_was() -> None:
    given = entity(speed=5)
    CreateEntity(given).apply(None, T0, ())
    assert "createdAt" not in given.attrs[SPEED][0]


def test_creating_what_exists_is_refused() -> None:
    with pytest.raises(AlreadyExistsError, match="Vehicle:1"):
        CreateEntity(entity()).apply(stored(), T1, ())


def test_replacing_keeps_the_creation_times_and_removes_what_is_not_given() -> None:
    change = ReplaceEntity(entity(speed=6, color="red")).apply(stored(speed=5, name="a"), T1, ())
    after = change.after
    assert after is not None
    assert (after.created_at, after.modified_at) == (T0, T1)
    assert after.attrs.keys() == {SPEED, COLOR}
    assert after.attrs[SPEED][0]["createdAt"] == fixed(T0)
    assert after.attrs[SPEED][0]["modifiedAt"] == fixed(T1)
    assert touched(change) == {(SPEED, None, False), (COLOR, None, True)}
    assert [(r.attribute, r.dataset) for r in change.removed] == [(NAME, None)]


def test_replacing_can_take_a_type_away_and_upsert_update_can_not() -> None:
    before = stored()
    before.types = (*before.types, "urn:Other")
    replaced = UpsertEntity(entity()).apply(before, T1, ()).after
    updated = UpsertEntity(entity(), mode="update").apply(before, T1, ()).after
    assert replaced is not None
    assert replaced.types == entity().types
    assert updated is not None
    assert updated.types == before.types


def test_upsert_creates_what_is_not_there() -> None:
    change = UpsertEntity(entity(speed=5), mode="update").apply(None, T1, ())
    assert change.kind == "created"
    assert change.after is not None
    assert change.after.created_at == T1


def test_upsert_update_leaves_the_other_attributes() -> None:
    change = UpsertEntity(entity(speed=6), mode="update").apply(stored(speed=5, name="a"), T1, ())
    assert change.after is not None
    assert change.after.attrs.keys() == {SPEED, NAME}
    assert touched(change) == {(SPEED, None, False)}


def test_append_without_overwrite_leaves_what_exists_and_says_so() -> None:
    operation = AppendAttributes(ID, fragment(speed=9, color="red"), overwrite=False)
    change = operation.apply(stored(speed=5), T1, ())
    assert change.after is not None
    assert change.after.attrs[SPEED][0]["value"] == 5
    assert change.result.updated == [COLOR]
    assert [attribute for attribute, _ in change.result.not_updated] == [SPEED]


def test_append_puts_an_instance_of_another_dataset_beside_the_default_one() -> None:
    dataset = {"type": "Property", "value": 7, "datasetId": "urn:d:1"}
    change = AppendAttributes(ID, fragment(speed=dataset)).apply(stored(speed=5), T1, ())
    assert change.after is not None
    assert [one["value"] for one in change.after.attrs[SPEED]] == [5, 7]
    assert touched(change) == {(SPEED, "urn:d:1", True)}


def test_the_default_instance_stands_first_whenever_it_comes() -> None:
    dataset = {"type": "Property", "value": 7, "datasetId": "urn:d:1"}
    change = AppendAttributes(ID, fragment(speed=5)).apply(stored(speed=dataset), T1, ())
    assert change.after is not None
    assert [one["value"] for one in change.after.attrs[SPEED]] == [5, 7]


def test_append_adds_types_and_never_takes_one_away() -> None:
    change = AppendAttributes(ID, fragment(type="Car")).apply(stored(), T1, ())
    assert change.after is not None
    assert change.after.types == (TERMS.expand("Vehicle"), TERMS.expand("Car"))
    assert change.kind == "updated"


@pytest.mark.parametrize(("overwrite", "scope"), [(True, ("/b",)), (False, ("/a", "/b"))])
def test_append_replaces_the_scope_or_adds_to_it(overwrite: bool, scope: tuple[str, ...]) -> None:
    operation = AppendAttributes(ID, fragment(scope="/b"), overwrite=overwrite)
    change = operation.apply(stored(scope="/a"), T1, ())
    assert change.after is not None
    assert change.after.scope == scope


def test_update_replaces_the_whole_attribute_and_keeps_its_creation() -> None:
    before = stored(speed={"type": "Property", "value": 5, "unitCode": "KMH"})
    change = UpdateAttributes(ID, fragment(speed=6, nulls=True)).apply(before, T1, ())
    assert change.after is not None
    instance = change.after.attrs[SPEED][0]
    assert "unitCode" not in instance
    assert instance["createdAt"] == fixed(T0)


def test_update_deletes_by_null_only_the_instance_that_is_named() -> None:
    before = stored(speed=[{"value": 5}, {"value": 7, "datasetId": "urn:d:1"}])
    null = {"type": "Property", "value": NULL, "datasetId": "urn:d:1"}
    change = UpdateAttributes(ID, fragment(speed=null, nulls=True)).apply(before, T1, ())
    assert change.after is not None
    assert [one["value"] for one in change.after.attrs[SPEED]] == [5]
    assert [(r.attribute, r.dataset) for r in change.removed] == [(SPEED, "urn:d:1")]


def test_update_says_which_attribute_it_could_not_delete() -> None:
    change = UpdateAttributes(ID, fragment(color=NULL, nulls=True)).apply(stored(), T1, ())
    assert change.after is change.before
    assert [attribute for attribute, _ in change.result.not_updated] == [COLOR]


def test_update_gives_a_scope_only_to_an_entity_that_has_one() -> None:
    operation = UpdateAttributes(ID, fragment(scope="/b", nulls=True))
    without, with_scope = (
        operation.apply(stored(), T1, ()),
        operation.apply(stored(scope="/a"), T1, ()),
    )
    assert without.after is not None
    assert without.after.scope == ()
    assert [name for name, _ in without.result.not_updated] == ["scope"]
    assert with_scope.after is not None
    assert with_scope.after.scope == ("/b",)


def test_merge_leaves_the_members_that_the_patch_does_not_speak_of() -> None:
    before = stored(speed={"type": "Property", "value": 5, "unitCode": "KMH"})
    instance = merged(before, speed={"type": "Property", "value": 6}).attrs[SPEED][0]
    assert (instance["value"], instance["unitCode"]) == (6, "KMH")
    assert instance["createdAt"] == fixed(T0)
    assert instance["modifiedAt"] == fixed(T1)


def test_merge_goes_into_the_value_and_null_takes_a_member_away() -> None:
    before = stored(name={"type": "Property", "value": {"a": 1, "b": {"c": 2, "d": 3}}})
    after = merged(before, name={"value": {"a": NULL, "b": {"c": 4}}})
    assert after.attrs[NAME][0]["value"] == {"b": {"c": 4, "d": 3}}


def test_merge_takes_an_attribute_a_sub_attribute_and_a_unit_away_by_null() -> None:
    before = stored(speed={"value": 5, "unitCode": "KMH", "color": {"value": 1}}, name="a")
    after = merged(before, name=NULL, speed={"unitCode": NULL, "color": NULL})
    assert after.attrs.keys() == {SPEED}
    assert "unitCode" not in after.attrs[SPEED][0]
    assert COLOR not in after.attrs[SPEED][0]
    assert after.attrs[SPEED][0]["value"] == 5


def test_merge_appends_what_is_not_there_without_its_nulls() -> None:
    after = merged(stored(), name={"value": {"a": NULL, "b": 1}, "color": NULL})
    assert after.attrs[NAME][0]["value"] == {"b": 1}
    assert COLOR not in after.attrs[NAME][0]


def test_merge_of_a_null_for_what_is_not_there_changes_nothing() -> None:
    before = stored()
    assert merged(before, name=NULL) is before


def test_merge_refuses_to_append_an_attribute_without_value() -> None:
    with pytest.raises(BadRequestDataError, match="without its value"):
        merged(stored(), name={"type": "Property", "unitCode": "KMH"})


def test_merge_of_a_bare_text_keeps_the_kind_that_is_there() -> None:
    before = stored(
        name={"languageMap": {"zh": "上海", "en": "Shanghai"}}, color={"object": "urn:x:1"}
    )
    after = merged(before, name="Shanghai City", color="urn:x:2", lang="en")
    assert after.attrs[NAME][0]["languageMap"] == {"zh": "上海", "en": "Shanghai City"}
    assert after.attrs[NAME][0]["type"] == "LanguageProperty"
    assert after.attrs[COLOR][0]["object"] == "urn:x:2"
    assert after.attrs[COLOR][0]["type"] == "Relationship"


def test_merge_gives_the_common_time_to_attributes_that_have_one_and_say_none() -> None:
    observed = "2026-01-01T00:00:00Z"
    before = stored(
        speed={"value": 5, "observedAt": observed},
        color={"value": 1, "observedAt": observed},
        name="a",
    )
    common = "2026-02-01T00:00:00.000000Z"
    after = merged(
        before,
        speed={"value": 6},
        color={"value": 2, "observedAt": "2026-03-01T00:00:00Z"},
        name="b",
        observed_at=common,
    )
    assert after.attrs[SPEED][0]["observedAt"] == common
    assert after.attrs[COLOR][0]["observedAt"] == "2026-03-01T00:00:00.000000Z"
    assert "observedAt" not in after.attrs[NAME][0]


def test_merge_moves_only_the_sub_attributes_that_it_names() -> None:
    before = stored(speed={"value": 5, "color": {"value": 1}, "name": {"value": "n"}})
    instance = merged(before, speed={"type": "Property", "color": {"value": 2}}).attrs[SPEED][0]
    assert instance[COLOR][0]["value"] == 2
    assert instance[COLOR][0]["modifiedAt"] == fixed(T1)
    assert instance[COLOR][0]["createdAt"] == fixed(T0)
    assert instance[NAME][0]["modifiedAt"] == fixed(T0)


def test_merge_sets_and_drops_the_time_of_expiry_and_nothing_else() -> None:
    before = stored()
    transient = merged(before, expiresAt="2030-01-01T00:00:00Z")
    assert transient.expires_at == 1_893_456_000 * US_PER_S
    assert merged(transient, expiresAt=NULL).expires_at is None
    assert merged(transient, name="a").expires_at == transient.expires_at


def test_deleting_gives_no_object_after() -> None:
    change = DeleteEntity(ID).apply(stored(), T1, ())
    assert change.after is None
    assert change.kind == "deleted"


@pytest.mark.parametrize(
    "operation",
    [
        ReplaceEntity(entity()),
        AppendAttributes(ID, fragment()),
        UpdateAttributes(ID, fragment()),
        MergeEntity(ID, fragment()),
        DeleteEntity(ID),
        KeepAttributes(ID, drop=frozenset()),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_changes_an_object_needs_one(operation: Any) -> None:
    with pytest.raises(NotFoundError, match="Vehicle:1"):
        operation.apply(None, T1, ())


def test_keeping_and_dropping_attributes() -> None:
    before = stored(speed=[{"value": 5}, {"value": 7, "datasetId": "urn:d:1"}], name="a")
    dropped = KeepAttributes(ID, drop=frozenset({SPEED})).apply(before, T1, ())
    kept = KeepAttributes(ID, keep=frozenset({SPEED})).apply(before, T1, ())
    assert dropped.after is not None
    assert dropped.after.attrs.keys() == {NAME}
    assert len(dropped.removed) == 2
    assert kept.after is not None
    assert kept.after.attrs.keys() == {SPEED}


def test_an_object_expires_when_the_first_of_its_times_has_come() -> None:
    transient = stored(
        expiresAt=fixed(T1 + 5 * US_PER_S),
        speed={"value": 5, "expiresAt": fixed(T1)},
        name="a",
    )
    assert next_expiry(transient) == T1
    early = Expire(ID).apply(transient, T1 - 1, ())
    assert early.after is transient
    middle = Expire(ID).apply(transient, T1, ())
    assert middle.after is not None
    assert middle.after.attrs.keys() == {NAME}
    assert next_expiry(middle.after) == T1 + 5 * US_PER_S
    late = Expire(ID).apply(middle.after, T1 + 5 * US_PER_S, ())
    assert late.after is None
    assert next_expiry(stored()) is None


def test_merge_reads_a_bare_value_anew_as_the_kind_that_is_there() -> None:
    before = stored(color={"vocab": "red"}, name={"object": "urn:x:1"})
    assert merged(before, color="blue").attrs[COLOR][0]["vocab"] == TERMS.expand_value("blue")
    with pytest.raises(BadRequestDataError, match="neither a URI"):
        merged(before, name="not a URI")
