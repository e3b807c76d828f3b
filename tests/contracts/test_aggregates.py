"""What each kind of value gives to each aggregation method, on every engine.

Row by row the tables 4.5.19.1-1 to 3 of ETSI GS CIM 009 v1.9.1; `...` stands for N/A.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from conurb.model.entity import Entity
from conurb.model.evolution import Evolution
from conurb.model.operations.entity import CreateEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment
from conurb.model.query.tree import Aggregation, AggregationMethod, Query, TemporalQuery
from conurb.model.time import fixed
from conurb.store.contract import Store
from tests.contracts.conftest import START_US

THING = "urn:ngsi-ld:Thing:1"
VALUE = "https://example.org/value"
METHODS: tuple[AggregationMethod, ...] = get_args(AggregationMethod)
DAY_US = 86_400_000_000


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


def typed(kind: str, *texts: str) -> list[dict[str, Any]]:
    return [prop({"@type": kind, "@value": text}) for text in texts]


def time(text: str) -> dict[str, str]:
    return {"@type": "Time", "@value": text}


async def aggregates(store: Store, *instances: dict[str, Any], days: int = 0) -> Evolution:
    """Store one instance a second (or every so many days) and aggregate all of them."""
    await store.apply([CreateEntity(Entity(THING, ("https://example.org/Thing",)))])
    history = [
        {**one, "observedAt": fixed(START_US + n * (days * DAY_US or 1_000_000))}
        for n, one in enumerate(instances)
    ]
    await store.apply([AppendEvolution(THING, TemporalFragment({VALUE: history}))])
    aggregation = Aggregation(METHODS, 0, days * DAY_US)
    asked = TemporalQuery(Query(), attributes=(VALUE,), aggregation=aggregation)
    (found,) = (await store.evolution(asked)).evolutions
    return found


def values(found: Evolution) -> dict[str, Any]:
    methods = found.aggregates[VALUE, None]
    return {method: rows[0][0] for method, rows in methods.items() if rows}


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "numbers": (
        [prop(1), prop(2), prop(2), prop(7)],
        {"distinctCount": 3, "sum": 12, "avg": 3, "min": 1, "max": 7, "sumsq": 58}
        | {"stddev": pytest.approx(5.5**0.5)},
    ),
    "booleans": (
        [prop(True), prop(False), prop(True), prop(True)],
        {"distinctCount": 2, "sum": 3, "avg": 0.75, "min": 0, "max": 1, "sumsq": 3}
        | {"stddev": pytest.approx(0.1875**0.5)},
    ),
    "strings": (
        [prop("b"), prop("a"), prop("é"), prop("a")],
        {"distinctCount": 3, "min": "a", "max": "é"},
    ),
    "objects": ([prop({"a": 1, "b": 2}), prop({"b": 2, "a": 1})], {"distinctCount": 1}),
    "arrays, by their sizes": (
        [prop([1, 2, 3]), prop([]), prop([4])],
        {"distinctCount": 3, "sum": 4, "avg": pytest.approx(4 / 3), "min": 0, "max": 3},
    ),
    "an array and the text of one": (
        [prop([1]), prop("[1]")],
        {"distinctCount": 2, "sum": 1, "avg": 1, "min": 1, "max": 1},
    ),
    "date-times": (
        typed("DateTime", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z"),
        {
            "distinctCount": 2,
            "min": {"@type": "DateTime", "@value": "2026-01-01T00:00:00Z"},
            "max": {"@type": "DateTime", "@value": "2026-01-01T00:00:00.5Z"},
        },
    ),
    "dates": (
        typed("Date", "2026-02-01", "2025-12-31", "2026-02-01"),
        {
            "distinctCount": 2,
            "min": {"@type": "Date", "@value": "2025-12-31"},
            "max": {"@type": "Date", "@value": "2026-02-01"},
        },
    ),
    "times of day": (
        typed("Time", "08:00:00Z", "08:30:00.250Z", "09:30:00,250000Z"),
        {
            "distinctCount": 3,
            "avg": time("08:40:00.166666Z"),
            "min": time("08:00:00Z"),
            "max": time("09:30:00.25Z"),
        },
    ),
    "times of day by valueType": (
        [
            prop(text, valueType="https://uri.etsi.org/ngsi-ld/Time")
            for text in ("23:59:59Z", "00:00:01Z")
        ],
        {
            "distinctCount": 2,
            "avg": time("12:00:00Z"),
            "min": time("00:00:01Z"),
            "max": time("23:59:59Z"),
        },
    ),
    "what is no time of day": (typed("Time", "25:00:00Z", "soon"), {"distinctCount": 2}),
    "URIs": (
        [
            prop(uri, valueType="http://www.w3.org/2001/XMLSchema#anyURI")
            for uri in ("urn:x:1", "urn:x:2")
        ],
        {"distinctCount": 2},
    ),
    "words of a vocabulary": (
        [{"type": "VocabProperty", "vocab": f"https://example.org/{word}"} for word in "ab"],
        {"distinctCount": 2},
    ),
    "texts in languages": (
        [{"type": "LanguageProperty", "languageMap": {"zh": text}} for text in "江河"],
        {"distinctCount": 2},
    ),
    "geometries": (
        [
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [n, n]}}
            for n in (1, 2, 2)
        ],
        {"distinctCount": 2},
    ),
    "lists": (
        [{"type": "ListProperty", "valueList": [1, 2]}, {"type": "ListProperty", "valueList": []}],
        {"distinctCount": 2, "sum": 2, "avg": 1, "min": 0, "max": 2},
    ),
    "relationships": (
        [{"type": "Relationship", "object": f"urn:x:{n}"} for n in (1, 2, 1)],
        {"distinctCount": 2},
    ),
    "lists of relationships": (
        [{"type": "ListRelationship", "objectList": ["urn:x:1", "urn:x:2"]}],
        {"distinctCount": 1},
    ),
    "numbers and texts, where numbers count": (
        [prop(3), prop("x"), *typed("Time", "08:00:00Z"), prop([1])],
        {"distinctCount": 4, "sum": 4, "avg": 2, "min": 1, "max": 3, "sumsq": 9, "stddev": 0},
    ),
}


@pytest.mark.parametrize(("instances", "expected"), CASES.values(), ids=CASES)
async def test_each_kind_of_value_gives_what_the_clause_says(
    store: Store, instances: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    found = values(await aggregates(store, *instances))
    assert found == {"totalCount": len(instances), **expected}


async def test_a_period_without_numbers_has_its_times_beside_one_that_has(store: Store) -> None:
    found = await aggregates(store, prop(1), *typed("Time", "08:00:00Z"), prop("x"), days=1)
    methods = found.aggregates[VALUE, None]
    assert [row[0] for row in methods["max"]] == [1, time("08:00:00Z"), "x"]
    assert [row[0] for row in methods["avg"]] == [1, time("08:00:00Z")]
    assert methods["avg"][1][1:] == (START_US + DAY_US, START_US + 2 * DAY_US)
