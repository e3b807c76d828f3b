"""What the operations on one attribute decide (clauses 5.6.4, 5.6.5, 5.6.19)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.context import core_terms
from conurb.model.entity import NULL, Entity, Instance
from conurb.model.operations.attribute import (
    DeleteAttribute,
    DeleteScope,
    PartialUpdateAttribute,
    ReplaceAttribute,
)
from conurb.model.operations.entity import CreateEntity
from conurb.model.parse import parse_attribute, parse_entity
from conurb.model.time import US_PER_S, fixed

TERMS = core_terms()
T0, T1 = 1_000 * US_PER_S, 2_000 * US_PER_S
TWO = [{"value": 5}, {"value": 7, "datasetId": "urn:d:1"}]
ID = "urn:ngsi-ld:Vehicle:1"
SPEED, COLOR = TERMS.expand("speed"), TERMS.expand("color")


def stored(**attributes: Any) -> Entity:
    given = parse_entity({"id": ID, "type": "Vehicle", **attributes}, TERMS)
    after = CreateEntity(given).apply(None, T0, ()).after
    assert after is not None
    return after


def updated(before: Entity, patch: Any) -> Instance:
    instances = parse_attribute(patch, TERMS, nulls=True, partial=True)
    change = PartialUpdateAttribute(ID, SPEED, tuple(instances)).apply(before, T1, ())
    assert change.after is not None
    assert [written.new for written in change.written] == [False]
    return change.after.attrs[SPEED][0]


def test_a_partial_update_overwrites_what_it_gives_and_leaves_the_rest() -> None:
    before = stored(speed={"value": {"a": 1}, "unitCode": "KMH", "color": {"value": 1}})
    instance = updated(before, {"type": "Property", "value": {"b": 2}})
    assert instance["value"] == {"b": 2}
    assert instance["unitCode"] == "KMH"
    assert instance[COLOR][0]["modifiedAt"] == fixed(T0)
    assert instance["modifiedAt"] == fixed(T1)


def test_a_partial_update_without_value_or_type_leaves_both() -> None:
    instance = updated(stored(speed=5), {"unitCode": "KMH"})
    assert (instance["type"], instance["value"], instance["unitCode"]) == ("Property", 5, "KMH")


def test_a_partial_update_deletes_members_and_sub_attributes_by_null() -> None:
    before = stored(speed={"value": 5, "unitCode": "KMH", "color": {"value": 1}})
    instance = updated(before, {"unitCode": NULL, "color": NULL})
    assert "unitCode" not in instance
    assert COLOR not in instance


def test_a_partial_update_does_not_change_the_kind() -> None:
    with pytest.raises(BadRequestDataError, match="partial update"):
        updated(stored(speed=5), {"type": "Relationship", "object": "urn:x:1"})


def test_a_partial_update_deletes_the_instance_by_null() -> None:
    before = stored(speed=TWO)
    patch = parse_attribute({"value": NULL}, TERMS, nulls=True, partial=True)
    change = PartialUpdateAttribute(ID, SPEED, tuple(patch)).apply(before, T1, ())
    assert change.after is not None
    assert [one["value"] for one in change.after.attrs[SPEED]] == [7]


def test_a_partial_update_needs_the_instance_that_it_names() -> None:
    with pytest.raises(NotFoundError, match="urn:d:1"):
        updated(stored(speed=5), {"value": 6, "datasetId": "urn:d:1"})


def test_replacing_an_attribute_keeps_its_creation_alone() -> None:
    before = stored(speed={"value": 5, "unitCode": "KMH"})
    change = ReplaceAttribute(ID, SPEED, ({"type": "Property", "value": 6},)).apply(before, T1, ())
    assert change.after is not None
    assert change.after.attrs[SPEED] == [
        {"type": "Property", "value": 6, "createdAt": fixed(T0), "modifiedAt": fixed(T1)}
    ]


def test_replacing_an_attribute_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotFoundError, match="default instance"):
        ReplaceAttribute(ID, COLOR, ({"type": "Property", "value": 6},)).apply(stored(), T1, ())


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        (DeleteAttribute(ID, SPEED), [7]),
        (DeleteAttribute(ID, SPEED, dataset="urn:d:1"), [5]),
        (DeleteAttribute(ID, SPEED, all_instances=True), []),
    ],
)
def test_deleting_the_default_instance_one_of_a_dataset_or_all(
    operation: DeleteAttribute, left: list[int]
) -> None:
    change = operation.apply(stored(speed=TWO), T1, ())
    assert change.after is not None
    assert [one["value"] for one in change.after.attrs.get(SPEED, ())] == left
    assert len(change.removed) == 2 - len(left)
    assert change.after.modified_at == T1


@pytest.mark.parametrize(
    "operation",
    [
        DeleteAttribute(ID, COLOR),
        DeleteAttribute(ID, COLOR, all_instances=True),
        DeleteAttribute(ID, SPEED, dataset="urn:d:2"),
        DeleteScope(ID),
    ],
)
def test_deleting_what_is_not_there_is_refused(operation: Any) -> None:
    with pytest.raises(NotFoundError, match="Vehicle:1"):
        operation.apply(stored(speed=TWO), T1, ())


def test_deleting_the_scope_leaves_the_rest() -> None:
    change = DeleteScope(ID).apply(stored(speed=5, scope="/a"), T1, ())
    assert change.after is not None
    assert change.after.scope == ()
    assert change.after.attrs.keys() == {SPEED}
    assert change.kind == "updated"
