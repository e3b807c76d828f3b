"""Whatever JSON comes in: it is read, or refused with a reason; nothing else happens.

Keys and values are drawn from what has a meaning somewhere in NGSI-LD, so that they meet in
combinations that nobody would write.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, ContextUnavailableError, InvalidRequestError
from conurb.model.context import compile_context, core_terms
from conurb.model.entity import ENTITY_MEMBERS, MEMBERS, NULL, VALUE_MEMBER
from conurb.model.geometry import GEOMETRY_TYPES
from conurb.model.parse import (
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_temporal_entity,
    parse_temporal_fragment,
)
from conurb.model.render import View, render_entity, render_geojson_feature

TERMS = core_terms()
WORDS = sorted(
    MEMBERS
    | ENTITY_MEMBERS
    | GEOMETRY_TYPES
    | set(VALUE_MEMBER)
    | {"@id", "@type", "@value", "@none", "@list", "@json", "dataset", "coordinates", "geometries"}
    | {"name", "location", "ngsildproof", "a b", "", "urn:x:1", "ex:a", "urn:ngsi-ld:null"}
    | {"2026-01-31T08:00:00Z", "/a/b", "lang", "geometry", "properties", "Feature", "\0", "é"}
)
words = st.sampled_from(WORDS)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(words, anything, max_size=6)
named = objects.map(lambda given: {"id": "urn:x:1", "type": "T"} | given)
relaxed = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)

READERS = {
    "entity": lambda document: parse_entity(document, TERMS),
    "fragment": lambda document: parse_fragment(document, TERMS, nulls=False),
    "update": lambda document: parse_fragment(document, TERMS, nulls=True),
    "merge": lambda document: parse_fragment(document, TERMS, nulls=True, partial=True),
    "attribute": lambda document: parse_attribute(document, TERMS, nulls=False),
    "patch": lambda document: parse_attribute(document, TERMS, nulls=True, partial=True),
    "temporal": lambda document: parse_temporal_entity(document, TERMS),
    "addition": lambda document: parse_temporal_fragment(document, TERMS),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@relaxed
@given(document=named | objects | anything)
def test_any_json_is_read_or_refused(reader: Any, document: Any) -> None:
    before = copy.deepcopy(document)
    with contextlib.suppress(BadRequestDataError, InvalidRequestError):
        reader(document)
    assert repr(document) == repr(before)


@relaxed
@given(document=named)
def test_what_is_read_can_be_written_and_holds_no_null(document: Any) -> None:
    try:
        entity = parse_entity(document, TERMS)
    except BadRequestDataError:
        return
    for representation in ("normalized", "concise", "simplified"):
        view = View(representation, sys_attrs=True, lang="zh,*")
        orjson.dumps(render_entity(entity, TERMS, view))
        orjson.dumps(render_geojson_feature(entity, TERMS, view))
    for _, instance in entity.iter_instances():
        assert instance.get(VALUE_MEMBER[instance["type"]]) not in (None, NULL)


@relaxed
@given(context=anything | objects | st.lists(objects, max_size=2))
def test_any_context_is_compiled_or_refused(context: Any) -> None:
    def load(url: str) -> Any:
        raise ContextUnavailableError(url)

    try:
        terms = compile_context(context, load)
    except (BadRequestDataError, ContextUnavailableError):
        return
    assert terms.expand("location") == TERMS.expand("location")
