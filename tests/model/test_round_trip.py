"""What is written is read back as it was: parse(render(entity)) == entity."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from conurb.model.changes import HistoryInstance
from conurb.model.context import Terms, compile_context, core_terms
from conurb.model.entity import Entity
from conurb.model.evolution import Evolution
from conurb.model.nulls import is_null
from conurb.model.parse import parse_entity, parse_fragment, parse_temporal_entity
from conurb.model.render import View, render_entity, render_evolution, render_flat
from conurb.model.render.view import Representation
from tests.model.strategies import (
    documents,
    entities,
    fragment_documents,
    temporal_documents,
)

CORE = core_terms()


def _no_context(url: str) -> Any:
    raise AssertionError(f"nothing is to be fetched: {url}")


CUSTOM = compile_context(
    {
        "ex": "https://example.org/",
        "name": "https://example.org/name",
        "speed": {"@id": "ex:speed"},
        "isPartOf": {"@id": "ex:isPartOf", "@type": "@id"},
        "City": "ex:City",
        "stopped": "ex:stopped",
        "source": "http://purl.org/dc/terms/source",
    },
    _no_context,
)

relaxed = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)


@pytest.mark.parametrize("representation", ["normalized", "concise"])
@pytest.mark.parametrize("terms", [CORE, CUSTOM], ids=["core", "custom"])
@relaxed
@given(document=documents(expiring=True))
def test_a_lossless_representation_is_read_back_as_it_was(
    representation: Representation, terms: Terms, document: dict[str, Any]
) -> None:
    entity = parse_entity(document, terms)
    written = render_entity(entity, terms, View(representation, sys_attrs=True))
    wire = orjson.loads(orjson.dumps(written))
    assert parse_entity(wire, terms) == entity


@relaxed
@given(document=documents())
def test_reading_changes_nothing_in_the_document(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    entity = parse_entity(document, CORE)
    snapshot = copy.deepcopy(entity)
    for representation in ("normalized", "concise", "simplified"):
        render_entity(entity, CORE, View(representation, sys_attrs=True, lang="zh"))
    assert document == before
    assert entity == snapshot


@relaxed
@given(entity=entities())
def test_another_context_names_the_same_entity_differently_and_loses_nothing(
    entity: Entity,
) -> None:
    written = render_entity(entity, CUSTOM, View())
    assert parse_entity(written, CUSTOM) == entity


@relaxed
@given(entity=entities())
def test_flattening_what_is_not_joined_is_rendering(entity: Entity) -> None:
    assert render_flat([entity], CORE, View()) == [render_entity(entity, CORE, View())]


@pytest.mark.parametrize("representation", ["normalized", "concise"])
@relaxed
@given(document=temporal_documents())
def test_history_is_read_back_as_it_was(
    representation: Representation, document: dict[str, Any]
) -> None:
    read = parse_temporal_entity(document, CORE)
    evolution = Evolution(str(read.id), read.types, (), 0, 0)
    for attribute, instances in read.attrs.items():
        evolution.instances[attribute] = [
            HistoryInstance(attribute, one.get("datasetId"), 0, 0, None, number, one)
            for number, one in enumerate(instances)
        ]
    written = render_evolution(evolution, CORE, View(representation))
    again = parse_temporal_entity(orjson.loads(orjson.dumps(written)), CORE)
    assert again == read


@relaxed
@given(document=fragment_documents(nulls=True))
def test_a_fragment_removes_what_is_null_and_gives_the_rest(document: dict[str, Any]) -> None:
    fragment = parse_fragment(document, CORE, nulls=True, partial=True)
    for name, value in document.items():
        if name in ("type", "scope"):
            continue
        instances = fragment.attrs[CORE.expand(name)]
        assert all(map(is_null, instances)) == (value == "urn:ngsi-ld:null")
