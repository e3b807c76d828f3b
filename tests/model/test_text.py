"""An entity that stays text is the entity that it was written out from."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from conurb.model.entity import Entity, Instance, instance_value
from conurb.model.operations.expiry import next_expiry
from conurb.model.operations.state import created
from conurb.model.text import PLACE, TextEntity, text_of, write_out
from conurb.model.time import BEGINNING, fixed_us
from tests.model.strategies import entities

NOW = 1_800_000_000_000_001


def compared(instance: Instance) -> Any:
    return [instance["type"], instance_value(instance)]


def at_of(instance: Instance) -> int:
    return fixed_us(instance["observedAt"]) if "observedAt" in instance else BEGINNING


def as_text(entity: Entity) -> TextEntity:
    text = write_out(entity.attrs, compared)
    assert text is not None
    return TextEntity(
        entity.id, entity.types, scope=entity.scope, expires_at=entity.expires_at, text=text
    )


@settings(max_examples=25)
@given(entities())
def test_its_attributes_are_those_written_out(entity: Entity) -> None:
    before = copy.deepcopy(entity)
    text = as_text(entity)
    assert text == entity
    assert entity == text
    assert entity == before


@settings(max_examples=25)
@given(entities())
def test_it_comes_into_being_as_any_other(entity: Entity) -> None:
    long, short = created(entity, NOW), created(as_text(entity), NOW)
    assert short.after == long.after
    assert list(short.written) == list(long.written)
    assert orjson.dumps(short.after.attrs) == orjson.dumps(long.after.attrs)  # type: ignore[union-attr]


@settings(max_examples=25)
@given(entities())
def test_what_stands_beside_the_text_agrees_with_it(entity: Entity) -> None:
    text = as_text(entity).text
    assert text is not None
    stored = created(entity, NOW).after
    assert stored is not None
    documents = [orjson.loads(text.document[start:end]) for *_, start, end in text.instances]
    told = [(text.attributes[one[0]], *one[1:4]) for one in text.instances]
    expected = list(stored.iter_instances())
    assert [set(one) for one in documents] == [set(instance) for _, instance in expected]
    assert told == [
        (name, one.get("datasetId"), at_of(one), compared(one)) for name, one in expected
    ]
    assert text.plain == all(
        len(given) == 1 and "datasetId" not in given[0] for given in entity.attrs.values()
    )
    ends = [at for at in (text.due_us, entity.expires_at) if at is not None]
    assert min(ends, default=None) == next_expiry(entity)


@pytest.mark.parametrize("value", [PLACE, f"since {PLACE}", {"deep": [PLACE]}])
def test_what_speaks_of_the_place_itself_is_not_written_out(value: object) -> None:
    assert write_out({"urn:a": [{"type": "Property", "value": value}]}, compared) is None


def test_given_other_attributes_it_has_no_text_any_more() -> None:
    entity = Entity("urn:x:1", ("urn:T",), {"urn:a": [{"type": "Property", "value": 1}]})
    other = replace(as_text(entity), attrs={}, modified_at=NOW)
    assert text_of(other) is None
    assert other.attrs == {}
    assert other != entity
    assert text_of(entity) is None
