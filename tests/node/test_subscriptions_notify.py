"""Which changes concern which subscriptions."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.model.endpoint import Endpoint
from conurb.model.entity import Entity
from conurb.model.query.tree import Query, Selector, TypeAll, TypeAny, TypeIs
from conurb.model.subscription import (
    DEFAULT_TRIGGERS,
    NotificationParams,
    Subscription,
    Trigger,
)
from conurb.node.notify import Index, fires, merged, subject, touches
from conurb.store.contract import Record

NAME = "https://example.org/name"
LEVEL = "https://example.org/level"
BUILDING = "https://example.org/Building"
HOUSE = "https://example.org/House"
ID = "urn:ngsi-ld:Building:1"


def value(what: Any, at: str = "2026-01-01T00:00:00.000000Z", **members: Any) -> dict[str, Any]:
    return {"type": "Property", "value": what, "createdAt": at, "modifiedAt": at, **members}


def building(**attrs: list[dict[str, Any]]) -> Entity:
    names = {"name": NAME, "level": LEVEL}
    return Entity(ID, (BUILDING,), {names[key]: instances for key, instances in attrs.items()})


def record(kind: str, after: Entity | None, touched: Any = None, before: Any = None) -> Record:
    return Record(
        seq=1,
        at_us=1,
        kind=kind,
        entity_id=ID,
        types=(BUILDING,),
        touched=touched or {},
        before=before or {},
        after=after,
    )


def subscription(
    *selectors: Selector,
    triggers: tuple[Trigger, ...] = DEFAULT_TRIGGERS,
    watched: tuple[str, ...] = (),
    name: str = "urn:s:1",
) -> Subscription:
    return Subscription(
        id=name,
        notification=NotificationParams(Endpoint("http://127.0.0.1/")),
        query=Query(selectors=selectors),
        triggers=frozenset(triggers),
        watched=frozenset(watched),
    )


def updated(before: Any, after: Any) -> Record:
    return record(
        "updated",
        building(level=[after]),
        {LEVEL: {None: "updated"}},
        {LEVEL: [before]},
    )


def found(index: Index, entry: Record) -> list[str]:
    return [one.id for one in index.candidates(entry, touches(entry))]


CREATED = record("created", building(name=[value("a")], level=[value(1)]))
DELETED = record("deleted", None, before={NAME: [value("a")]})


def test_a_value_written_again_is_no_change() -> None:
    entry = updated(value(1), value(1, "2026-02-01T00:00:00.000000Z"))
    assert touches(entry) == {}
    assert not fires(subscription(), entry, touches(entry))


def test_another_value_is_a_change() -> None:
    assert touches(updated(value(1), value(2))) == {LEVEL: {None: "updated"}}


def test_another_observation_time_is_a_change() -> None:
    later = value(1, observedAt="2026-01-01T00:00:00.000000Z")
    assert touches(updated(value(1), later)) == {LEVEL: {None: "updated"}}


def test_a_sub_attribute_written_again_is_no_change_and_another_one_is() -> None:
    source = "https://example.org/source"
    before = value(1, **{source: [value("x")]})
    again = value(1, **{source: [value("x", "2026-02-01T00:00:00.000000Z")]})
    other = value(1, **{source: [value("y")]})
    assert touches(updated(before, again)) == {}
    assert touches(updated(before, other)) == {LEVEL: {None: "updated"}}


def test_a_creation_creates_every_attribute_and_a_deletion_deletes_them() -> None:
    assert touches(CREATED) == {NAME: {None: "created"}, LEVEL: {None: "created"}}
    assert touches(DELETED) == {NAME: {None: "deleted"}}


@pytest.mark.parametrize(
    ("triggers", "entry", "expected"),
    [
        (DEFAULT_TRIGGERS, CREATED, True),
        (DEFAULT_TRIGGERS, updated(value(1), value(2)), True),
        (DEFAULT_TRIGGERS, DELETED, False),
        (("attributeDeleted",), DELETED, True),
        (("attributeDeleted",), CREATED, False),
        (("attributeCreated",), updated(value(1), value(2)), False),
        (("entityCreated",), CREATED, True),
        (("entityCreated",), updated(value(1), value(2)), False),
        (("entityDeleted",), DELETED, True),
        (("entityDeleted",), CREATED, False),
        (("entityCreated",), record("created", Entity(ID, (BUILDING,))), True),
        (DEFAULT_TRIGGERS, record("created", Entity(ID, (BUILDING,))), False),
    ],
)
def test_a_subscription_fires_for_its_triggers(
    triggers: tuple[Trigger, ...], entry: Record, expected: bool
) -> None:
    assert fires(subscription(triggers=triggers), entry, touches(entry)) is expected


@pytest.mark.parametrize(
    ("watched", "expected"), [((), True), ((LEVEL,), True), ((NAME,), False), ((NAME, LEVEL), True)]
)
def test_only_watched_attributes_fire(watched: tuple[str, ...], expected: bool) -> None:
    entry = updated(value(1), value(2))
    assert fires(subscription(watched=watched), entry, touches(entry)) is expected


def test_a_deletion_fires_only_for_entities_that_had_a_watched_attribute() -> None:
    triggers: tuple[Trigger, ...] = ("entityDeleted",)
    assert fires(subscription(triggers=triggers, watched=(NAME,)), DELETED, touches(DELETED))
    assert not fires(subscription(triggers=triggers, watched=(LEVEL,)), DELETED, touches(DELETED))


def test_conditions_are_asked_of_a_deleted_entity_as_it_was() -> None:
    gone = record("deleted", None, before={NAME: [value("a")]})
    gone.scope, gone.created_us, gone.modified_us = ("/yrd",), 5, 7
    assert subject(gone) == Entity(
        ID, (BUILDING,), {NAME: [value("a")]}, scope=("/yrd",), created_at=5, modified_at=7
    )


# ── the index ─────────────────────────────────────────────────────────────────────────────────


def test_the_index_finds_by_type_id_and_watched_attribute() -> None:
    index = Index()
    for one in (
        subscription(Selector(types=TypeIs(BUILDING)), name="urn:s:type"),
        subscription(Selector(types=TypeIs(HOUSE)), name="urn:s:other-type"),
        subscription(Selector(ids=(ID,)), name="urn:s:id"),
        subscription(Selector(ids=("urn:x:2",)), name="urn:s:other-id"),
        subscription(Selector(id_pattern="x"), name="urn:s:pattern"),
        subscription(watched=(LEVEL,), name="urn:s:watched"),
        subscription(watched=(NAME,), name="urn:s:other-watched"),
        subscription(
            Selector(types=TypeIs(BUILDING)), watched=(NAME,), name="urn:s:type-other-watched"
        ),
        subscription(name="urn:s:any"),
    ):
        index.put(one)
    assert sorted(found(index, updated(value(1), value(2)))) == [
        "urn:s:any",
        "urn:s:id",
        "urn:s:pattern",
        "urn:s:type",
        "urn:s:watched",
    ]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (TypeAny((TypeIs(HOUSE), TypeIs(BUILDING))), True),
        (TypeAll((TypeIs(BUILDING), TypeAny((TypeIs(HOUSE), TypeIs(NAME))))), True),
        (TypeAny((TypeIs(HOUSE), TypeIs(NAME))), False),
    ],
)
def test_the_index_takes_type_selections_apart(types: Any, expected: bool) -> None:
    index = Index()
    index.put(subscription(Selector(types=types)))
    assert (found(index, updated(value(1), value(2))) == ["urn:s:1"]) is expected


def test_a_subscription_that_is_put_again_or_dropped_is_no_longer_found_where_it_stood() -> None:
    index = Index()
    index.put(subscription(Selector(types=TypeIs(BUILDING))))
    index.put(subscription(Selector(types=TypeIs(HOUSE))))
    assert found(index, CREATED) == []
    index.put(subscription(Selector(types=TypeIs(BUILDING))))
    assert found(index, CREATED) == ["urn:s:1"]
    index.drop("urn:s:1")
    index.drop("urn:s:1")
    assert found(index, CREATED) == []
    assert len(index) == 0


def test_each_candidate_is_given_once() -> None:
    index = Index()
    index.put(
        subscription(Selector(types=TypeIs(BUILDING)), Selector(ids=(ID,)), watched=(NAME, LEVEL))
    )
    assert found(index, CREATED) == ["urn:s:1"]


# ── records that are told together ────────────────────────────────────────────────────────────


def test_two_updates_together_go_from_the_first_value_to_the_last() -> None:
    both = merged(updated(value(1), value(2)), updated(value(2), value(3)))
    assert both.before == {LEVEL: [value(1)]}
    assert both.after == building(level=[value(3)])
    assert both.touched == {LEVEL: {None: "updated"}}


def test_what_one_update_deleted_stays_deleted_in_the_next() -> None:
    first = record(
        "updated", building(level=[value(1)]), {NAME: {None: "deleted"}}, {NAME: [value("a")]}
    )
    both = merged(first, updated(value(1), value(2)))
    assert both.touched == {NAME: {None: "deleted"}, LEVEL: {None: "updated"}}
    assert both.before == {NAME: [value("a")], LEVEL: [value(1)]}


def test_what_came_and_went_is_not_told() -> None:
    first = record("updated", building(name=[value("a")]), {NAME: {None: "created"}})
    second = record("updated", building(), {NAME: {None: "deleted"}}, {NAME: [value("a")]})
    both = merged(first, second)
    assert (both.touched, both.before) == ({}, {})


def test_what_went_and_came_is_an_update() -> None:
    first = record("updated", building(), {NAME: {None: "deleted"}}, {NAME: [value("a")]})
    second = record("updated", building(name=[value("b")]), {NAME: {None: "created"}})
    both = merged(first, second)
    assert both.touched == {NAME: {None: "updated"}}
    assert both.before == {NAME: [value("a")]}


def test_a_creation_and_an_update_are_a_creation() -> None:
    both = merged(CREATED, updated(value(1), value(2)))
    assert both.kind == "created"
    assert both.after == building(level=[value(2)])


def test_a_deletion_covers_what_was_before_it() -> None:
    assert merged(updated(value(1), value(2)), DELETED) is DELETED


def test_an_entity_that_is_born_again_is_an_update() -> None:
    both = merged(DELETED, record("created", building(name=[value("b")], level=[value(1)])))
    assert both.kind == "updated"
    assert both.touched == {NAME: {None: "updated"}, LEVEL: {None: "created"}}
    assert both.before == DELETED.before
