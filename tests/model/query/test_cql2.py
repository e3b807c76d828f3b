"""Filters in CQL2: what the text form says in JSON, and what the JSON form asks of an object."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.crs import EPSG
from conurb.model.entity import Entity
from conurb.model.query.cql2 import Named, compile_filter, parse_text
from conurb.model.query.match import holds
from conurb.model.query.tree import And, Compare, GeoCondition, OneOf, Or, Range
from conurb.model.time import parse_us
from conurb.model.vocabulary import platform_terms

TERMS = platform_terms()
NAMED = Named(TERMS, TERMS.expand("location"))


def value(one: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "Property", "value": one, **more}]


def attributes(**attrs: Any) -> dict[str, Any]:
    return {TERMS.expand(name): instances for name, instances in attrs.items()}


STATION = Entity(
    "urn:ngsi-ld:AirQualityObserved:wuxi:1",
    (TERMS.expand("AirQualityObserved"),),
    attributes(
        pm25=value(
            35.5,
            observedAt="2026-01-31T08:00:00.000000Z",
            **{TERMS.expand("confidence"): value("high")},
        ),
        name=[{"type": "LanguageProperty", "languageMap": {"en": "Tai Lake (1)", "zh": "太湖"}}],
        address=value({"city": "Wuxi"}),
        memberOf=value(["a", "b"]),
        congested=value(True),
        validFrom=value({"@type": "DateTime", "@value": "2026-01-01T00:00:00Z"}),
        validTo=value({"@type": "DateTime", "@value": "2026-12-31T00:00:00Z"}),
        location=[
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [120.3, 31.5]}}
        ],
    ),
    created_at=parse_us("2026-01-01T10:00:00Z"),
    modified_at=parse_us("2026-01-31T08:00:01Z"),
)


def prop(name: str) -> dict[str, str]:
    return {"property": name}


def op(name: str, *arguments: Any) -> dict[str, Any]:
    return {"op": name, "args": list(arguments)}


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("pm25 > 35", op(">", prop("pm25"), 35)),
        ("pm25<>-1.5e2", op("<>", prop("pm25"), -150.0)),
        ("'it''s' = name", op("=", "it's", prop("name"))),
        ('"co2@edgar" = 1', op("=", prop("co2@edgar"), 1)),
        ("名称 = '太湖'", op("=", prop("名称"), "太湖")),
        (
            "a = 1 OR b = 2 AND NOT c = 3",
            op(
                "or",
                op("=", prop("a"), 1),
                op("and", op("=", prop("b"), 2), op("not", op("=", prop("c"), 3))),
            ),
        ),
        (
            "(a = 1 OR b = 2) AND c",
            op("and", op("or", op("=", prop("a"), 1), op("=", prop("b"), 2)), prop("c")),
        ),
        ("a NOT LIKE 'x%'", op("not", op("like", prop("a"), "x%"))),
        ("a BETWEEN 1 AND 2 AND b", op("and", op("between", prop("a"), 1, 2), prop("b"))),
        ("a IN (1, 'b', TRUE)", op("in", prop("a"), [1, "b", True])),
        ("a IS NOT NULL", op("not", op("isNull", prop("a")))),
        ("a = 1 + 2 * 3", op("=", prop("a"), op("+", 1, op("*", 2, 3)))),
        ("a > DATE('2026-01-31')", op(">", prop("a"), {"date": "2026-01-31"})),
        (
            "T_DURING(a, INTERVAL('2026-01-01', '..'))",
            op("t_during", prop("a"), {"interval": ["2026-01-01", ".."]}),
        ),
        (
            "S_INTERSECTS(location, POLYGON((0 0, 1 0, 1 1, 0 0)))",
            op(
                "s_intersects",
                prop("location"),
                {
                    "type": "Polygon",
                    "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]],
                },
            ),
        ),
        (
            "s_within(location, BBOX(1, 2, 3, 4))",
            op("s_within", prop("location"), {"bbox": [1, 2, 3, 4]}),
        ),
        ("A_OVERLAPS(a, ('x', 'y'))", op("a_overlaps", prop("a"), ["x", "y"])),
        ("CASEI(a) = CASEI('X')", op("=", op("casei", prop("a")), op("casei", "X"))),
    ],
)
def test_text_says_what_the_json_says(text: str, document: Any) -> None:
    assert parse_text(text) == document


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pm25 > 35", True),
        ("35.5 <= pm25", True),
        ("35.5 < pm25", False),
        ("pm25 BETWEEN 35 AND 36", True),
        ("pm25 NOT BETWEEN 35 AND 36", False),
        ("pm25 IN (1, 35.5)", True),
        ("pm25 NOT IN (1, 35.5)", False),
        ("pm25 IN ()", False),
        ("NOT (pm25 > 40 OR pm25 < 30)", True),
        ("pm10 = 1 OR NOT pm10 = 1", False),  # unknown either way
        ("pm10 IS NULL AND pm25 IS NOT NULL", True),
        ("NOT pm10 IS NULL", False),
        ("name = '太湖'", True),
        ("name.zh = '太湖' AND name.en <> '太湖'", True),
        ("name LIKE 'Tai%(_)'", True),
        ("name LIKE 'tai%'", False),
        ("CASEI(name) LIKE CASEI('tai%')", True),
        ("CASEI(name) = 'TAI LAKE (1)'", True),
        ("address.city = 'Wuxi'", True),
        ("address.city <> 'Wuxi'", False),
        ("NOT address.city = 'Wuxi'", False),
        ("NOT address.city = 'Hefei'", True),
        ("address.street IS NULL", True),
        ("pm25.confidence = 'high'", True),
        ("pm25.observedAt = TIMESTAMP('2026-01-31T08:00:00Z')", True),
        ("pm25.observedAt > DATE('2026-01-30')", True),
        ("pm25.observedAt > DATE('2026-01-31')", False),
        ("pm25.observedAt = DATE('2026-01-31')", True),
        ("createdAt < DATE('2026-01-02')", True),
        ("T_AFTER(modifiedAt, DATE('2026-01-30'))", True),
        ("T_BEFORE(TIMESTAMP('2026-01-31T08:00:00Z'), modifiedAt)", True),
        ("T_INTERSECTS(modifiedAt, INTERVAL('2026-01-31', '..'))", True),
        ("T_INTERSECTS(pm25.observedAt, INTERVAL('2026-01-01', '2026-01-31'))", True),
        ("T_DISJOINT(pm25.observedAt, INTERVAL('2026-01-01', '2026-01-31'))", False),
        (
            "T_CONTAINS(INTERVAL(validFrom, validTo), TIMESTAMP('2026-06-01T00:00:00Z'))",
            True,
        ),
        (
            "T_INTERSECTS(INTERVAL(validFrom, validTo), "
            "INTERVAL('2027-01-01T00:00:00Z', '2027-02-01T00:00:00Z'))",
            False,
        ),
        ("congested", True),
        ("NOT congested", False),
        ("congested = FALSE", False),
        ("A_CONTAINS(memberOf, ('a', 'b'))", True),
        ("A_CONTAINS(memberOf, ('a', 'c'))", False),
        ("A_OVERLAPS(memberOf, ('x', 'b'))", True),
        ("S_INTERSECTS(location, BBOX(120, 31, 121, 32))", True),
        ("NOT S_INTERSECTS(geometry, BBOX(120, 31, 121, 32))", False),
        ("S_WITHIN(location, BBOX(0, 0, 1, 1)) OR pm25 > 1", True),
        ("S_CONTAINS(POLYGON((120 31, 121 31, 121 32, 120 32, 120 31)), location)", True),
        ("S_DISJOINT(location, POINT(0 0))", True),
        ("NOT S_WITHIN(location, BBOX(0, 0, 1, 1))", True),
        (
            "NOT (S_WITHIN(location, BBOX(120, 31, 121, 32))"
            " OR NOT S_DISJOINT(POINT(0 0), location))",
            False,
        ),
        ("S_TOUCHES(location, LINESTRING(120 31, 121 31))", False),
        ("S_CROSSES(LINESTRING(120 31, 121 32), location)", False),
        ("NOT S_CROSSES(location, LINESTRING(120 31, 121 32))", True),
        ("id = 'urn:ngsi-ld:AirQualityObserved:wuxi:1'", True),
        ("1 = 1 AND pm25 > 10 * 3", True),
        ("1 = 2", False),
        ("TRUE", True),
    ],
)
def test_a_filter_asks_what_it_says(text: str, wanted: bool) -> None:
    assert holds(compile_filter(parse_text(text), NAMED), STATION) is wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pm25 >", "was expected"),
        ("pm25 > 3 4", "AND, OR or the end"),
        ("(pm25 > 3", "','"),
        ("pm25 ~ 3", "nothing can begin with"),
        ("pm25", None),
        ("pm25 > pm10", "not with another property"),
        ("pm25 + 1 > 3", "not over properties"),
        ("avg(pm25) > 3", "asks of a property"),
        ("foo(pm25)", "'foo' is no operator or function known here"),
        ("S_COVERS(location, POINT(0 0))", "s_covers isn't among the relations"),
        ("S_INTERSECTS(location, pm25)", "relates a property to a geometry"),
        ("S_INTERSECTS(location, POINT(0 200))", "not a GeoJSON geometry"),
        ('"co2@edgar" > 1', "one source's figure"),
        ("pm25 < TRUE", "doesn't order true and false"),
        ("T_MEETS(pm25, DATE('2026-01-01'))", "t_meets isn't among"),
        ("modifiedAt > DATE('2026-02-30')", "2026-02-30"),
        ("pm25 = 1 / 0", "'/'"),
        ("ACCENTI(name) = 'x'", "asks of a property"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_part(text: str, reason: str | None) -> None:
    if reason is None:
        compile_filter(parse_text(text), NAMED)
        return
    with pytest.raises(BadRequestDataError, match=reason.replace("(", r"\(")):
        compile_filter(parse_text(text), NAMED)


@pytest.mark.parametrize("document", [None, 3, "x", [], {}, {"op": "="}, {"op": 1, "args": []}])
def test_json_that_is_no_condition_is_refused(document: Any) -> None:
    with pytest.raises(BadRequestDataError, match="is not a condition"):
        compile_filter(document, NAMED)


def test_a_filter_is_bounded() -> None:
    with pytest.raises(TooComplexQueryError):
        parse_text("(" * 200 + "a = 1" + ")" * 200)
    with pytest.raises(TooComplexQueryError):
        parse_text("a = '" + "x" * 60_000 + "'")
    nested: Any = op("=", prop("a"), 1)
    for _ in range(100):
        nested = op("and", nested)
    with pytest.raises(TooComplexQueryError):
        compile_filter(nested, NAMED)
    with pytest.raises(TooComplexQueryError):
        compile_filter(op("or", *[op("=", prop("a"), n) for n in range(300)]), NAMED)


def test_ranges_and_lists_are_single_comparisons_that_an_index_serves() -> None:
    between = compile_filter(parse_text("pm25 BETWEEN 1 AND 2"), NAMED)
    assert isinstance(between, Compare)
    assert between.operand == Range(1, 2)
    listed = compile_filter(parse_text("pm25 IN (1, 2)"), NAMED)
    assert isinstance(listed, Compare)
    assert listed.operand == OneOf((1, 2))


def test_geometries_are_read_in_the_filter_s_reference_system() -> None:
    metres = Named(TERMS, NAMED.geometry, EPSG + "3857")
    turned = Named(TERMS, NAMED.geometry, EPSG + "4326")
    text = "S_INTERSECTS(location, BBOX(13391700, 3697800, 13391800, 3697900))"
    assert holds(compile_filter(parse_text(text), metres), STATION)
    assert holds(
        compile_filter(parse_text("S_INTERSECTS(location, BBOX(31,120,32,121))"), turned), STATION
    )


def test_a_box_over_the_antimeridian_is_two() -> None:
    found = compile_filter(parse_text("S_INTERSECTS(location, BBOX(170, -10, -170, 10))"), NAMED)
    assert isinstance(found, GeoCondition)
    assert found.geometry_wkt.startswith("MULTIPOLYGON")


def test_nothing_and_everything_are_empty_joins() -> None:
    assert compile_filter(True, NAMED) == And(())
    assert compile_filter(op("not", True), NAMED) == Or(())
