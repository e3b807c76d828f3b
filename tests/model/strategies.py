"""Hypothesis strategies for entities: as documents, and in internal form.

Reused by the tests of the stores and of the API. Everything drawn is valid; `documents()` draws a
normalized document, `entities()` what the node makes of it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from hypothesis import strategies as st

from conurb.model.context import Terms, core_terms
from conurb.model.entity import NULL, Entity, Instance
from conurb.model.parse import parse_attribute, parse_entity
from conurb.model.time import shown_us

TYPE_NAMES = ("City", "Vehicle", "AirQualityObserved", "Alert")
ATTRIBUTE_NAMES = ("name", "speed", "population", "note", "isPartOf", "观测值", "pm2_5", "status")
SUB_ATTRIBUTE_NAMES = ("source", "confidence", "period")
GEO_NAMES = ("location", "observationSpace")
DATASETS = ("urn:ngsi-ld:Dataset:a", "urn:ngsi-ld:Dataset:b", "urn:ngsi-ld:Dataset:c")
UNIT_CODES = ("MTK", "TNE", "CEL", "KMH")
LANGUAGES = ("zh", "en", "zh-CN", "fr", "@none")
WORDS = ("stopped", "moving", "在建")

# Surrogates can't be UTF-8, and PostgreSQL can't hold U+0000.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
texts = texts.filter(lambda text: text != NULL)
numbers = st.integers(-(2**53), 2**53) | st.floats(
    allow_nan=False, allow_infinity=False, width=64
).map(lambda number: 0.0 if number == 0 else number)
scalars = st.booleans() | numbers | texts
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.filter(bool), inner, max_size=4)
    ),
    max_leaves=8,
)
names = st.sampled_from(ATTRIBUTE_NAMES)
times_us = st.integers(0, 4_000_000_000_000_000)
times = times_us.map(shown_us)

longitudes = st.floats(-179.0, 179.0).map(lambda x: round(x, 6))
latitudes = st.floats(-85.0, 85.0).map(lambda y: round(y, 6))
positions = st.tuples(longitudes, latitudes).map(list)
points = positions.map(lambda position: {"type": "Point", "coordinates": position})


def ids(*, prefix: str = "urn:ngsi-ld:Thing:", count: int = 20) -> st.SearchStrategy[str]:
    """Draw one of few ids, so that operations meet."""
    return st.integers(1, count).map(lambda number: f"{prefix}{number}")


@st.composite
def boxes(draw: st.DrawFn) -> list[list[list[float]]]:
    """Draw the rings of a small rectangle."""
    west = draw(st.floats(-170, 160).map(lambda x: round(x, 4)))
    south = draw(st.floats(-80, 70).map(lambda y: round(y, 4)))
    width = draw(st.floats(0.001, 9).map(lambda x: round(x, 3)))
    height = draw(st.floats(0.001, 9).map(lambda x: round(x, 3)))
    east, north = round(west + width, 4), round(south + height, 4)
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


lines = st.lists(positions, min_size=2, max_size=5)
geometries = st.one_of(
    points,
    st.lists(positions, min_size=1, max_size=4).map(
        lambda coordinates: {"type": "MultiPoint", "coordinates": coordinates}
    ),
    lines.map(lambda coordinates: {"type": "LineString", "coordinates": coordinates}),
    st.lists(lines, min_size=1, max_size=3).map(
        lambda coordinates: {"type": "MultiLineString", "coordinates": coordinates}
    ),
    boxes().map(lambda coordinates: {"type": "Polygon", "coordinates": coordinates}),
    boxes().map(lambda coordinates: {"type": "MultiPolygon", "coordinates": [coordinates]}),
)
language_maps = st.dictionaries(
    st.sampled_from(LANGUAGES), texts | st.lists(texts, max_size=3), min_size=1, max_size=4
)


@cache
def kinds() -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """Give, for every kind of attribute, the strategy of its own members."""
    values = json_values.filter(lambda value: not _has_null(value))
    return {
        "Property": st.fixed_dictionaries(
            {"value": values}, optional={"unitCode": st.sampled_from(UNIT_CODES)}
        ),
        "Relationship": st.fixed_dictionaries(
            {"object": ids() | st.lists(ids(), min_size=1, max_size=3)},
            optional={"objectType": st.sampled_from(TYPE_NAMES)},
        ),
        "GeoProperty": st.fixed_dictionaries({"value": geometries}),
        "LanguageProperty": st.fixed_dictionaries({"languageMap": language_maps}),
        "VocabProperty": st.fixed_dictionaries(
            {
                "vocab": st.sampled_from(WORDS)
                | st.lists(st.sampled_from(WORDS), min_size=1, max_size=2)
            }
        ),
        "JsonProperty": st.fixed_dictionaries(
            {"json": st.dictionaries(texts, json_values, max_size=3) | st.lists(json_values)}
        ),
        "ListProperty": st.fixed_dictionaries({"valueList": st.lists(values, max_size=4)}),
        "ListRelationship": st.fixed_dictionaries(
            {"objectList": st.lists(ids().map(lambda uri: {"object": uri}), max_size=3)}
        ),
    }


@st.composite
def instance_documents(
    draw: st.DrawFn,
    *,
    kind: str | None = None,
    dataset: str | None = None,
    depth: int = 0,
    observed: bool | None = None,
) -> dict[str, Any]:
    """Draw one attribute instance, normalized. `observed` forces or forbids `observedAt`."""
    by_kind = kinds()
    chosen = kind or draw(st.sampled_from(sorted(by_kind)))
    document: dict[str, Any] = {"type": chosen, **draw(by_kind[chosen])}
    if observed or (observed is None and draw(st.booleans())):
        document["observedAt"] = draw(times)
    if dataset is not None:
        document["datasetId"] = dataset
    if depth < 2:
        for name in draw(st.lists(st.sampled_from(SUB_ATTRIBUTE_NAMES), unique=True, max_size=2)):
            document[name] = draw(instance_documents(depth=depth + 1))
    return document


@st.composite
def attribute_documents(draw: st.DrawFn, *, kind: str | None = None) -> Any:
    """Draw the instances of one attribute: one, or several told apart by datasetId."""
    chosen = kind or draw(st.sampled_from(sorted(kinds())))
    datasets = draw(st.lists(st.sampled_from((None, *DATASETS)), unique=True, min_size=1))
    if len(datasets) == 1:
        return draw(instance_documents(kind=chosen, dataset=datasets[0]))
    return [draw(instance_documents(kind=chosen, dataset=dataset)) for dataset in datasets]


@st.composite
def documents(
    draw: st.DrawFn, *, entity_ids: st.SearchStrategy[str] | None = None, expiring: bool = False
) -> dict[str, Any]:
    """Draw a whole entity as a normalized document."""
    document: dict[str, Any] = {"id": draw(entity_ids or ids())}
    types = draw(st.lists(st.sampled_from(TYPE_NAMES), unique=True, min_size=1, max_size=2))
    document["type"] = types[0] if len(types) == 1 else types
    scopes = draw(st.lists(st.sampled_from(("/yrd", "/yrd/wuxi", "/a/b_1/c")), unique=True))
    if scopes:
        document["scope"] = scopes[0] if len(scopes) == 1 else scopes
    if expiring and draw(st.booleans()):
        document["expiresAt"] = draw(times)
    for name in draw(st.lists(names, unique=True, max_size=4)):
        document[name] = draw(attribute_documents())
    for name in draw(st.lists(st.sampled_from(GEO_NAMES), unique=True)):
        document[name] = draw(attribute_documents(kind="GeoProperty"))
    return document


@st.composite
def fragment_documents(draw: st.DrawFn, *, nulls: bool = False) -> dict[str, Any]:
    """Draw part of an entity; with `nulls` some attributes are to be removed."""
    document: dict[str, Any] = {}
    for name in draw(st.lists(names, unique=True, min_size=1, max_size=3)):
        removed = nulls and draw(st.booleans())
        document[name] = NULL if removed else draw(attribute_documents())
    if draw(st.booleans()):
        document["type"] = draw(st.sampled_from(TYPE_NAMES))
    if draw(st.booleans()):
        document["scope"] = draw(st.sampled_from(("/yrd", "/b")))
    return document


@st.composite
def temporal_documents(
    draw: st.DrawFn, *, entity_ids: st.SearchStrategy[str] | None = None
) -> dict[str, Any]:
    """Draw the evolution of an entity: per attribute and datasetId each time at most once."""
    document: dict[str, Any] = {
        "id": draw(entity_ids or ids()),
        "type": draw(st.sampled_from(TYPE_NAMES)),
    }
    for name in draw(st.lists(names, unique=True, min_size=1, max_size=3)):
        kind = draw(st.sampled_from(sorted(kinds())))
        keys = draw(
            st.lists(
                st.tuples(times, st.sampled_from((None, *DATASETS))),
                unique=True,
                min_size=1,
                max_size=5,
            )
        )
        document[name] = [
            {
                **draw(instance_documents(kind=kind, dataset=dataset, depth=1, observed=False)),
                "observedAt": time,
            }
            for time, dataset in keys
        ]
    return document


def entities(
    *,
    entity_ids: st.SearchStrategy[str] | None = None,
    terms: Terms | None = None,
    expiring: bool = False,
) -> st.SearchStrategy[Entity]:
    """Draw a whole entity in internal form, as a node reads it (without system times)."""
    known = terms or core_terms()
    return documents(entity_ids=entity_ids, expiring=expiring).map(
        lambda document: parse_entity(document, known)
    )


def instances(
    *, kind: str | None = None, terms: Terms | None = None
) -> st.SearchStrategy[Instance]:
    """Draw one attribute instance in internal form."""
    known = terms or core_terms()
    return instance_documents(kind=kind).map(
        lambda document: parse_attribute(document, known, nulls=False)[0]
    )


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    if isinstance(value, list):
        return any(map(_has_null, value))
    return value == NULL or (isinstance(value, float) and not math.isfinite(value))
