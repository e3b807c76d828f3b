"""What the operations on history decide (clauses 5.6.11 to 5.6.16, docs/decisions/0002)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import NotFoundError
from conurb.model.changes import Change, HistoryInstance, TimedScope
from conurb.model.context import core_terms
from conurb.model.entity import NULL, Entity
from conurb.model.operations.entity import CreateEntity
from conurb.model.operations.temporal import (
    AppendEvolution,
    DeleteEvolution,
    DeleteInstance,
    DeleteTemporalAttribute,
    UpdateInstance,
)
from conurb.model.parse import parse_entity, parse_temporal_entity
from conurb.model.time import US_PER_S, fixed, parse_us

TERMS = core_terms()
ID = "urn:ngsi-ld:City:1"
GDP = TERMS.expand("gdp")
NOW = parse_us("2026-01-01T00:00:00Z")
LATER = NOW + US_PER_S


def year(value: Any, number: int, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"{number}-01-01T00:00:00Z", **more}


def append(before: Entity | None, *instances: dict[str, Any], **more: Any) -> Change:
    document = {"id": ID, "type": "City", "gdp": list(instances), **more}
    fragment = parse_temporal_entity(document, TERMS)
    return AppendEvolution(ID, fragment).apply(before, NOW if before is None else LATER, ())


def current(change: Change, dataset: str | None = None) -> Any:
    assert change.after is not None
    instance = change.after.instance(GDP, dataset)
    return None if instance is None else instance["value"]


def rows(change: Change) -> list[HistoryInstance]:
    """The history that an engine would hold after a first write."""
    return [
        HistoryInstance(
            written.attribute,
            written.instance.get("datasetId"),
            parse_us(written.instance["observedAt"]),
            NOW,
            None,
            NOW + index,
            written.instance,
        )
        for index, written in enumerate(change.written)
    ]


def test_the_latest_instance_of_a_first_write_is_the_current_one():
    change = append(None, year(2, 2001), year(3, 2002), year(1, 2000))
    assert change.before is None
    assert current(change) == 3
    assert [one.instance["value"] for one in change.written] == [1, 2, 3]
    assert [one.new for one in change.written] == [True, False, False]
    assert change.after is not None
    assert (change.after.created_at, change.after.modified_at) == (NOW, NOW)


def test_older_figures_never_move_the_present():
    before = append(None, year(3, 2002)).after
    change = append(before, year(1, 2000))
    assert current(change) == 3
    assert [one.moves_state for one in change.written] == [False]
    assert change.after is not None
    assert change.after.attrs == before.attrs  # type: ignore[union-attr]


def test_what_is_as_late_or_later_becomes_current():
    before = append(None, year(3, 2002)).after
    assert current(append(before, year(4, 2002))) == 4
    assert current(append(before, year(5, 2003))) == 5


def test_a_current_instance_without_a_time_holds_since_its_last_change():
    document = {"id": ID, "type": "City", "gdp": {"type": "Property", "value": 7}}
    before = CreateEntity(parse_entity(document, TERMS)).apply(None, NOW, ()).after
    assert current(append(before, year(1, 2025))) == 7
    assert current(append(before, year(1, 2027))) == 1


def test_datasets_have_a_present_of_their_own():
    change = append(None, year(1, 2000), year(9, 1999, datasetId="urn:d:x"))
    assert current(change) == 1
    assert current(change, "urn:d:x") == 9


def test_types_are_joined_and_a_first_scope_without_a_time_holds_from_now():
    before = append(None, year(1, 2000)).after
    change = append(before, year(2, 2001), type=["Town", "City"], scope="/yrd")
    assert change.after is not None
    assert change.after.types == (TERMS.expand("City"), TERMS.expand("Town"))
    assert change.after.scope == ("/yrd",)
    assert change.scopes == [TimedScope(None, ("/yrd",))]


def test_the_latest_of_the_scopes_with_times_is_the_current_one():
    scopes = [
        {"type": "Property", "value": "/new", "observedAt": "2002-01-01T00:00:00Z"},
        {"type": "Property", "value": "/old", "observedAt": "2000-01-01T00:00:00Z"},
    ]
    change = append(None, year(1, 2000), scope=scopes)
    assert change.after is not None
    assert change.after.scope == ("/new",)
    assert len(change.scopes) == 2


def test_a_stated_deletion_is_a_tombstone_at_its_time():
    before = append(None, year(1, 2000)).after
    change = append(before, year(NULL, 2005))
    assert change.written == []
    [tombstone] = change.corrected
    assert tombstone.instance is None
    assert tombstone.at_us == parse_us("2005-01-01T00:00:00Z")
    assert tombstone.kind == "Property"
    assert current(change) is None
    earlier = append(before, year(NULL, 1999))
    assert current(earlier) == 1


def test_attributes_are_added_to_what_exists_only():
    fragment = parse_temporal_entity({"id": ID, "type": "City", "gdp": year(1, 2000)}, TERMS)
    with pytest.raises(NotFoundError, match=ID):
        AppendEvolution(ID, fragment, must_exist=True).apply(None, NOW, ())


def updated(change: Change, number: int, instance: dict[str, Any]) -> Change:
    [parsed] = parse_temporal_entity({"id": ID, "type": "City", "gdp": instance}, TERMS).attrs[GDP]
    return UpdateInstance(ID, GDP, number, parsed).apply(change.after, LATER, rows(change))


def test_correcting_the_current_instance_moves_the_present_and_keeps_created_at():
    first = append(None, year(1, 2000), year(2, 2001))
    change = updated(first, NOW + 1, year(20, 2001))
    assert current(change) == 20
    [corrected] = change.corrected
    assert corrected.number == NOW + 1
    assert corrected.instance is not None
    assert corrected.instance["createdAt"] == fixed(NOW)
    assert corrected.instance["modifiedAt"] == fixed(LATER)


def test_correcting_an_older_instance_leaves_the_present():
    first = append(None, year(1, 2000), year(2, 2001))
    change = updated(first, NOW, year(10, 2000))
    assert current(change) == 2
    assert change.after is first.after


def test_a_correction_may_make_another_instance_the_latest():
    first = append(None, year(1, 2000), year(2, 2001))
    assert current(updated(first, NOW + 1, year(2, 1999))) == 1
    assert current(updated(first, NOW, year(1, 2002))) == 1


def test_deleting_the_current_instance_makes_the_latest_that_remains_current():
    first = append(None, year(1, 2000), year(2, 2001))
    change = DeleteInstance(ID, GDP, NOW + 1).apply(first.after, LATER, rows(first))
    assert change.superseded == [(GDP, NOW + 1)]
    assert current(change) == 1
    last = DeleteInstance(ID, GDP, NOW).apply(change.after, LATER, rows(first)[:1])
    assert last.after is not None
    assert GDP not in last.after.attrs


def test_deleting_an_older_instance_leaves_the_present():
    first = append(None, year(1, 2000), year(2, 2001))
    change = DeleteInstance(ID, GDP, NOW).apply(first.after, LATER, rows(first))
    assert change.after is first.after


def test_an_instance_that_is_not_there_is_named():
    first = append(None, year(1, 2000))
    with pytest.raises(NotFoundError, match="urn:ngsi-ld:Instance:5"):
        DeleteInstance(ID, GDP, 5).apply(first.after, LATER, rows(first))
    with pytest.raises(NotFoundError, match="urn:ngsi-ld:Instance:5"):
        updated(first, 5, year(1, 2000))


def test_an_attribute_leaves_history_by_dataset_or_whole():
    first = append(None, year(1, 2000), year(9, 1999, datasetId="urn:d:x"))

    def deleted(**which: Any) -> Change:
        operation = DeleteTemporalAttribute(ID, GDP, **which)
        return operation.apply(first.after, LATER, rows(first))

    default = deleted()
    assert current(default) is None
    assert current(default, "urn:d:x") == 9
    assert current(deleted(dataset="urn:d:x"), "urn:d:x") is None
    whole = deleted(all_instances=True)
    assert whole.after is not None
    assert whole.after.attrs == {}
    assert len(whole.superseded) == 2
    with pytest.raises(NotFoundError, match="urn:d:y"):
        deleted(dataset="urn:d:y")


def test_an_evolution_is_erased_also_when_the_object_was_deleted():
    first = append(None, year(1, 2000))
    assert DeleteEvolution(ID).apply(first.after, LATER, ()).erase
    assert DeleteEvolution(ID).apply(None, LATER, rows(first)).erase
    with pytest.raises(NotFoundError, match=ID):
        DeleteEvolution(ID).apply(None, LATER, ())
