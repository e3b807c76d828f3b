"""Stating what a pack says, again and again, writes only what is new."""

from __future__ import annotations

from conurb.model.changes import Change, HistoryInstance
from conurb.model.entity import Entity, Instance
from conurb.model.time import fixed_us
from conurb.regions.statement import StateObject

NAME, SIZE, SOURCE = "urn:x:name", "urn:x:size", "urn:x:source"


def observed(value: int, year: int, **more: str) -> Instance:
    source = [{"type": "Property", "value": "book"}]
    time = f"{year}-12-31T15:59:59.000000Z"
    return {"type": "Property", "value": value, "observedAt": time, SOURCE: source, **more}


def statement(*observations: Instance, name: str = "Wuxi") -> StateObject:
    entity = Entity(
        "urn:x:1", ("urn:x:City",), {NAME: [{"type": "Property", "value": name}]}, ("/yrd",)
    )
    return StateObject(entity, {SIZE: list(observations)})


def history_of(*changes: Change) -> list[HistoryInstance]:
    """Give the live history that these changes have left."""
    live = {}
    for number, change in enumerate(changes):
        for written in change.written:
            time = written.instance.get("observedAt")
            if time is not None:
                dataset = written.instance.get("datasetId")
                live[written.attribute, dataset, time] = HistoryInstance(
                    written.attribute, dataset, fixed_us(time), number, None, 1, written.instance
                )
    return list(live.values())


def test_the_first_statement_creates_the_object_with_its_latest_figure() -> None:
    change = statement(observed(1, 2000), observed(2, 2001)).apply(None, 10, ())
    assert change.kind == "created"
    assert change.after is not None
    assert change.after.attrs[SIZE][0]["value"] == 2
    assert change.after.created_at == change.after.modified_at == 10
    assert [one.instance["value"] for one in change.written] == ["Wuxi", 1, 2]
    assert change.after.scope == ("/yrd",)


def test_stating_the_same_again_changes_nothing() -> None:
    first = statement(observed(1, 2000), observed(2, 2001)).apply(None, 10, ())
    again = statement(observed(1, 2000), observed(2, 2001)).apply(
        first.after, 20, history_of(first)
    )
    assert again.kind is None
    assert again.written == []
    assert again.after is first.after


def test_a_corrected_figure_of_the_past_goes_to_history_alone() -> None:
    first = statement(observed(1, 2000), observed(2, 2001)).apply(None, 10, ())
    second = statement(observed(7, 2000), observed(2, 2001)).apply(
        first.after, 20, history_of(first)
    )
    [written] = second.written
    assert (written.instance["value"], written.moves_state) == (7, False)
    assert second.kind == "updated"
    assert second.after is not None
    assert second.after.attrs[SIZE][0]["value"] == 2


def test_a_further_year_becomes_the_present() -> None:
    first = statement(observed(1, 2000)).apply(None, 10, ())
    second = statement(observed(1, 2000), observed(3, 2001)).apply(
        first.after, 20, history_of(first)
    )
    assert [one.instance["value"] for one in second.written] == [3]
    assert second.after is not None
    assert second.after.attrs[SIZE][0]["value"] == 3


def test_sources_are_kept_apart_by_their_dataset() -> None:
    other = observed(5, 2000, datasetId="urn:x:d")
    first = statement(observed(1, 2000), other).apply(None, 10, ())
    assert first.after is not None
    assert [one["value"] for one in first.after.attrs[SIZE]] == [1, 5]
    again = statement(observed(1, 2000), other).apply(first.after, 20, history_of(first))
    assert again.written == []


def test_what_others_said_of_the_object_stays() -> None:
    first = statement(observed(1, 2000)).apply(None, 10, ())
    assert first.after is not None
    others = {**first.after.attrs, "urn:x:mayor": [{"type": "Property", "value": "Li"}]}
    before = first.after.with_attrs(others)
    before.scope = ("/elsewhere",)
    second = statement(observed(1, 2000), name="无锡").apply(before, 20, history_of(first))
    assert second.after is not None
    assert set(second.after.attrs) == {NAME, SIZE, "urn:x:mayor"}
    assert second.after.attrs[NAME][0]["value"] == "无锡"
    assert second.after.scope == ("/elsewhere",)
