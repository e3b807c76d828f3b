"""Types, scopes, geoqueries, temporal queries, order and projections: read, and refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, InputError, TooComplexQueryError
from conurb.model.context import core_terms
from conurb.model.query import scope as scope_module
from conurb.model.query import select, types
from conurb.model.query.geo import parse_geo
from conurb.model.query.order import ORDER_MAX, parse_order
from conurb.model.query.scope import parse_scope
from conurb.model.query.select import (
    Projection,
    parse_attrs,
    parse_datasets,
    parse_ids,
    parse_projection,
    picks_links,
)
from conurb.model.query.temporal import parse_aggregation, parse_duration, parse_window
from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    OrderBy,
    ScopeAll,
    ScopeAny,
    ScopeIs,
    TimeWindow,
    TypeAll,
    TypeAny,
    TypeIs,
)
from conurb.model.query.types import parse_types

TERMS = core_terms()
DAY_US = 86_400_000_000


def iri(name: str) -> str:
    return TERMS.expand(name)


def test_type_selections_are_read():
    home, vehicle, motor = (TypeIs(iri(name)) for name in ("Home", "Vehicle", "Motorhome"))
    assert parse_types("Home", TERMS) == home
    assert parse_types("(Home;Vehicle),Motorhome", TERMS) == TypeAny(
        (TypeAll((home, vehicle)), motor)
    )
    assert parse_types("https://example.org/T", TERMS) == TypeIs("https://example.org/T")
    assert parse_types("*", TERMS) is None


@pytest.mark.parametrize("text", ["", "a;b", "(a", "a)", "a|", "()", "(a;)", "a b", "(a|b;c)", "1"])
def test_wrong_type_selections_are_refused(text: str):
    with pytest.raises(BadRequestDataError):
        parse_types(text, TERMS)


def test_scope_queries_are_read():
    assert parse_scope("(/Madrid/Districts;/CompanyA)|CompanyB") == ScopeAny(
        (ScopeAll((ScopeIs("/Madrid/Districts"), ScopeIs("/CompanyA"))), ScopeIs("/CompanyB"))
    )
    assert parse_scope("/Madrid/+/#") == ScopeIs("/Madrid/+/#")
    assert parse_scope("/#") == ScopeIs("/#")


@pytest.mark.parametrize("text", ["", "/", "//", "/a/#/b", "/a b", "a;b", "(/a", "/a|", "/2", "()"])
def test_wrong_scope_queries_are_refused(text: str):
    with pytest.raises(BadRequestDataError, match="scopeQ"):
        parse_scope(text)


def test_long_selections_are_too_complex():
    with pytest.raises(TooComplexQueryError):
        parse_types(",".join(["T"] * (types.TYPES_MAX + 1)), TERMS)
    with pytest.raises(TooComplexQueryError):
        parse_scope(",".join(["/T"] * (scope_module.SCOPE_TERMS_MAX + 1)))
    with pytest.raises(TooComplexQueryError):
        parse_projection(",".join(["T"] * (select.PROJECTIONS_MAX + 1)), TERMS, name="pick")
    depth = select.PROJECTION_DEPTH_MAX
    parse_projection("a{" * depth + "b" + "}" * depth, TERMS, name="pick")
    with pytest.raises(BadRequestDataError, match="braces"):
        parse_projection("a{" * (depth + 1) + "b" + "}" * (depth + 1), TERMS, name="pick")
    with pytest.raises(TooComplexQueryError):
        parse_order(",".join(["a"] * (ORDER_MAX + 1)), TERMS)


def geo(georel: str | None, geometry: str | None = "Point", coordinates: object = "[8,40]"):
    return parse_geo(georel=georel, geometry=geometry, coordinates=coordinates, terms=TERMS)  # type: ignore[arg-type]


def test_geoqueries_are_read():
    near = geo("near;maxDistance==2000")
    assert (near.relation, near.distance_m_max, near.distance_m_min) == ("near", 2000.0, None)
    assert near.attribute == "https://uri.etsi.org/ngsi-ld/location"
    assert near.geometry_wkt == "POINT (8 40)"
    far = geo("near;minDistance==1e3")
    assert (far.distance_m_min, far.distance_m_max) == (1000.0, None)
    ring = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]
    for relation in ("within", "contains", "intersects", "equals", "disjoint", "overlaps"):
        as_text = geo(relation, "Polygon", json.dumps(ring))
        assert as_text.relation == relation
        assert as_text == geo(relation, "Polygon", ring)
    other = parse_geo(
        georel="equals", geometry="Point", coordinates=[8, 40], geoproperty="spot", terms=TERMS
    )
    assert other.attribute == iri("spot")


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "reason"),
    [
        (None, "Point", "[8,40]", "go together"),
        ("within", None, "[8,40]", "go together"),
        ("within", "Point", None, "go together"),
        ("beside", "Point", "[8,40]", "georel: 'beside' is none of near"),
        ("near", "Point", "[8,40]", "near needs"),
        ("near;maxDistance==-1", "Point", "[8,40]", "metres over 0"),
        ("near;maxDistance==0", "Point", "[8,40]", "metres over 0"),
        ("near;maxDistance=5", "Point", "[8,40]", "metres over 0"),
        ("near;maxDistance==1e999", "Point", "[8,40]", "metres over 0"),
        ("near;maxDistance==1;maxDistance==2", "Point", "[8,40]", "is not one"),
        ("near;minDistance==2;maxDistance==3", "Point", "[8,40]", "is not one"),
        ("within;maxDistance==1", "Point", "[8,40]", "takes nothing after it"),
        ("within", "GeometryCollection", "[]", "is none of LineString"),
        ("within", "Circle", "[8,40]", "geometry: 'Circle'"),
        ("within", "Point", "[8,", "not a JSON array"),
        ("within", "Point", "8", "not a JSON array"),
        ("within", "Point", "[" * 100_000, "not a JSON array"),
        ("within", "Point", "[8,400]", "coordinates"),
        ("within", "Point", "[NaN,1]", "coordinates"),
        ("within", "Polygon", "[[[0,0],[1,0],[1,1],[0,1]]]", "closed"),
        ("within", "Polygon", "[[[0,0],[1,1],[1,0],[0,1],[0,0]]]", "coordinates"),
    ],
)
def test_wrong_geoqueries_are_refused(georel: str, geometry: str, coordinates: object, reason: str):
    with pytest.raises(BadRequestDataError, match=reason):
        geo(georel, geometry, coordinates)


def test_windows_are_read():
    day = "1970-01-02T00:00:00Z"
    later = "1970-01-03T00:00:00Z"

    def window(*args: str | None):
        timerel, at, end, name = args
        return parse_window(timerel=timerel, time_at=at, end_time_at=end, timeproperty=name)

    assert window(None, None, None, None) == TimeWindow()
    assert window("before", day, None, None) == TimeWindow("observedAt", "before", DAY_US)
    assert window("between", day, later, "modifiedAt") == TimeWindow(
        "modifiedAt", "between", DAY_US, 2 * DAY_US
    )
    for wrong in [
        ("during", day, None, None),
        ("before", None, None, None),
        ("before", day, later, None),
        ("between", day, None, None),
        ("between", later, day, None),
        ("after", "yesterday", None, None),
        (None, day, None, None),
        ("after", day, None, "name"),
    ]:
        with pytest.raises(BadRequestDataError):
            window(*wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P3Y6M4DT12H30M5S", (42, (4 * 86_400 + 12 * 3600 + 30 * 60 + 5) * 1_000_000)),
        ("P1W", (0, 7 * DAY_US)),
        ("P1D", (0, DAY_US)),
        ("PT0S", (0, 0)),
        ("P0D", (0, 0)),
        ("PT36H", (0, 36 * 3_600_000_000)),
        ("PT0.25S", (0, 250_000)),
        ("PT0,5H", (0, 1_800_000_000)),
        ("P12M", (12, 0)),
    ],
)
def test_durations_are_read(text: str, expected: tuple[int, int]):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1D", "P1S", "PT1D", "P1.5Y", "PT1.5H1S", "P1W1D", "-P1D", "P1H",
     "P0001-01-01T00:00:00", "P99999Y", "P１D"],
)  # fmt: skip
def test_wrong_durations_are_refused(text: str):
    with pytest.raises(BadRequestDataError, match="duration"):
        parse_duration(text)


def test_aggregations_are_read():
    assert parse_aggregation(["sum", "max", "sum"], "P1M") == Aggregation(("sum", "max"), 1, 0)
    assert parse_aggregation(["avg"], None) == Aggregation(("avg",))
    for methods, period in [([], None), (["median"], None), (["sum"], "hourly")]:
        with pytest.raises(BadRequestDataError, match="aggr"):
            parse_aggregation(methods, period)


def test_orders_are_read():
    name = AttributePath((iri("name"),))
    assert parse_order("name,age;desc", TERMS) == (
        OrderBy(name),
        OrderBy(AttributePath((iri("age"),)), descending=True),
    )
    assert parse_order(["address[city]"], TERMS) == (
        OrderBy(AttributePath((iri("address"),), ("city",))),
    )
    assert parse_order("name;asc", TERMS, collation="de-u-co-phonebk")[0].collated
    [near] = parse_order("location;dist-desc", TERMS, order_from="[8,40]")
    assert near.distance_from_wkt == "POINT (8 40)"
    assert near.descending
    [line] = parse_order(
        "location;dist-asc", TERMS, order_from=[[8, 40], [9, 42]], order_geometry="LineString"
    )
    assert line.distance_from_wkt is not None
    assert line.distance_from_wkt.startswith("LINESTRING")


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("", {}),
        ("name;", {}),
        ("name;up", {}),
        ("a{b}", {}),
        ("name desc", {}),
        ("location;dist-asc", {}),
        ("location;dist-asc", {"order_from": "8,40"}),
        ("location;dist-asc", {"order_from": {"x": 1}}),
        ("name", {"collation": "not a tag!!"}),
        ("name", {"collation": 5}),
        ("name", {"order_geometry": 5}),
    ],
)
def test_wrong_orders_are_refused(text: str, more: dict[str, object]):
    with pytest.raises(BadRequestDataError):
        parse_order(text, TERMS, **more)


def test_projections_are_read():
    assert parse_projection("name|owner{name,works{address}},id", TERMS, name="pick") == (
        Projection(iri("name")),
        Projection(
            iri("owner"),
            (Projection(iri("name")), Projection(iri("works"), (Projection(iri("address")),))),
        ),
        Projection("id"),
    )
    assert parse_projection(["a", "b{c}"], TERMS, name="omit") == (
        Projection(iri("a")),
        Projection(iri("b"), (Projection(iri("c")),)),
    )
    assert picks_links(parse_projection("a,b{c}", TERMS, name="pick"))
    assert not picks_links(parse_projection("a,b", TERMS, name="pick"))


@pytest.mark.parametrize("text", ["", "a,,b", "a||b", "a{", "a{}", "a}", "a{b}c", "a b", "{a}"])
def test_wrong_projections_are_refused(text: str):
    with pytest.raises(BadRequestDataError, match=r"pick|not a name"):
        parse_projection(text, TERMS, name="pick")


def test_lists_of_ids_and_names_are_read_once_each():
    assert parse_ids("urn:a:1,urn:a:2,urn:a:1") == ("urn:a:1", "urn:a:2")
    assert parse_datasets("@none,urn:d:1") == ("@none", "urn:d:1")
    assert parse_attrs("name,createdAt,name", TERMS) == (iri("name"), "createdAt")
    with pytest.raises(BadRequestDataError, match="id: 'not a uri'"):
        parse_ids("urn:a:1,not a uri")
    with pytest.raises(BadRequestDataError, match="datasetId: 'x'"):
        parse_datasets("x")
    with pytest.raises(BadRequestDataError):
        parse_attrs("a,,b", TERMS)


@given(st.text(st.sampled_from("ab/#+;|,(){}*:1. "), max_size=15))
def test_whatever_comes_in_only_input_errors_come_out(text: str):
    for read in (
        lambda: parse_types(text, TERMS),
        lambda: parse_scope(text),
        lambda: parse_projection(text, TERMS, name="pick"),
        lambda: parse_order(text, TERMS),
        lambda: geo(text),
        lambda: parse_duration(text),
    ):
        with contextlib.suppress(InputError):
            read()
