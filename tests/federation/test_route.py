"""Every registration that may hold what is asked for is found, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.federation.route import Index, Match, covers, retrieval
from conurb.model.query.automaton import search
from conurb.model.query.match import has_scope
from conurb.model.query.select import parse_id_pattern
from conurb.model.query.tree import (
    GeoCondition,
    Query,
    ScopeAll,
    ScopeAny,
    ScopeIs,
    Selector,
    TimeWindow,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.model.registration import (
    FEDERATION_OPS,
    EntityInfo,
    Information,
    Registration,
    TimeInterval,
)

CITY, BUS, TAXI = "urn:x:City", "urn:x:Bus", "urn:x:Taxi"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
WUXI = {"type": "Polygon", "coordinates": [[[120, 31], [121, 31], [121, 32], [120, 32], [120, 31]]]}
NOW = 1000


def registered(*information: Information, **more: Any) -> Registration:
    given: dict[str, Any] = {"id": "urn:x:r", "endpoint": "http://e", "alias": "wuxi"}
    return Registration(information=information or (Information(),), **{**given, **more})


def of(entity: EntityInfo, *attributes: str) -> Registration:
    return registered(Information((entity,), attributes))


def found(registration: Registration, query: Query, **more: Any) -> bool:
    index = Index()
    index.put(registration)
    return bool(index.find(query, now_us=NOW, **more))


def near(relation: str, wkt: str, **more: float) -> Query:
    return Query(geo=GeoCondition(LOCATION, relation, wkt, **more))  # type: ignore[arg-type]


def test_a_registration_of_everything_is_always_asked() -> None:
    assert found(registered(), Query())
    assert found(registered(), retrieval("urn:x:1"))


@pytest.mark.parametrize(
    ("types", "is_asked", "is_meant"),
    [
        (TypeIs(CITY), True, True),
        (TypeIs(BUS), False, False),
        (TypeAny((TypeIs(BUS), TypeIs(CITY))), True, True),
        (TypeAll((TypeIs(BUS), TypeIs(CITY))), True, False),
    ],
)
def test_types_lead_where_one_of_them_is_registered(
    types: TypeSelection, is_asked: bool, is_meant: bool
) -> None:
    query = Query(selectors=(Selector(types=types),))
    assert found(of(EntityInfo((CITY,))), query) is is_asked
    assert found(of(EntityInfo((CITY,))), query, strict=True) is is_meant


def test_entities_of_several_types_are_found_by_each_of_them() -> None:
    both = of(EntityInfo((CITY, BUS)))
    query = Query(selectors=(Selector(types=TypeAll((TypeIs(BUS), TypeIs(CITY)))),))
    assert found(both, query, strict=True)


@pytest.mark.parametrize(
    ("entity", "entity_id", "is_asked"),
    [
        (EntityInfo((CITY,), id="urn:x:1"), "urn:x:1", True),
        (EntityInfo((CITY,), id="urn:x:1"), "urn:x:2", False),
        (EntityInfo((CITY,), id_pattern=parse_id_pattern("^urn:x:.*$")), "urn:x:2", True),
        (EntityInfo((CITY,), id_pattern=parse_id_pattern("^urn:x:.*$")), "urn:y:2", False),
        (EntityInfo((CITY,), id_pattern=parse_id_pattern("[13]$")), "urn:x:3", True),
        (EntityInfo((CITY,), id_pattern=parse_id_pattern("[13]$")), "urn:x:2", False),
        (EntityInfo((), id="urn:x:1"), "urn:x:1", True),
    ],
)
def test_an_id_leads_where_it_may_be(entity: EntityInfo, entity_id: str, is_asked: bool) -> None:
    assert found(of(entity), retrieval(entity_id)) is is_asked
    assert found(of(entity), retrieval(entity_id, types=TypeIs(CITY))) is is_asked
    assert found(of(entity), retrieval(entity_id, types=TypeIs(BUS))) is (
        is_asked and not entity.types
    )


def test_a_pattern_leads_to_ids_it_takes_and_to_patterns_that_may_begin_alike() -> None:
    def asked(entity: EntityInfo, pattern: str) -> bool:
        selector = Selector(id_pattern=parse_id_pattern(pattern))
        return found(of(entity), Query(selectors=(selector,)))

    one = EntityInfo((CITY,), id="urn:x:1")
    assert asked(one, "^urn:x:")
    assert not asked(one, "^urn:y:")
    buses = EntityInfo((BUS,), id_pattern=parse_id_pattern("^urn:bus:.*7$"))
    assert asked(buses, "urn")
    assert asked(buses, "^urn:bus:w")
    assert not asked(buses, "^urn:taxi:")


def test_discovery_takes_any_two_patterns_to_be_alike() -> None:
    buses = of(EntityInfo((BUS,), id_pattern=parse_id_pattern("^urn:bus:")))
    taxis = Query(selectors=(Selector(id_pattern=parse_id_pattern("^urn:taxi:")),))
    assert found(buses, taxis, strict=True)
    assert not found(buses, taxis)


def test_ids_and_a_pattern_together_take_what_is_in_both() -> None:
    selector = Selector(("urn:x:1", "urn:x:2"), parse_id_pattern("2$"))
    assert not found(of(EntityInfo((CITY,), id="urn:x:1")), Query(selectors=(selector,)))
    assert found(of(EntityInfo((CITY,), id="urn:x:2")), Query(selectors=(selector,)))
    assert not found(registered(), Query(selectors=(Selector(("urn:x:1",), "2"),)))


def test_attributes_lead_where_one_of_them_is_registered() -> None:
    registration = of(EntityInfo((CITY,)), "urn:x:population")
    assert found(registration, retrieval("urn:x:1", attributes=["urn:x:population"]))
    assert not found(registration, retrieval("urn:x:1", attributes=["urn:x:gdp"]))
    assert found(registration, retrieval("urn:x:1"))


def test_entities_and_attributes_of_different_information_are_not_taken_together() -> None:
    registration = registered(
        Information((EntityInfo((CITY,)),), ("urn:x:gdp",)),
        Information((EntityInfo((BUS,)),), ("urn:x:speed",)),
    )
    assert not found(
        registration, retrieval("urn:x:1", types=TypeIs(CITY), attributes=["urn:x:speed"])
    )
    assert found(registration, retrieval("urn:x:1", types=TypeIs(BUS), attributes=["urn:x:speed"]))


def test_only_that_information_is_given_that_matches() -> None:
    cities = Information((EntityInfo((CITY,)), EntityInfo((TAXI,))), ("urn:x:gdp",))
    buses = Information((EntityInfo((BUS,)),), ("urn:x:speed",))
    registration = registered(cities, buses)
    index = Index()
    index.put(registration)
    [match] = index.find(Query(selectors=(Selector(types=TypeIs(BUS)),)), now_us=NOW)
    assert match == Match(registration, (buses,))
    assert match.attributes == frozenset({"urn:x:speed"})
    [match] = index.find(Query(), now_us=NOW)
    assert match.information == (cities, buses)
    assert Match(registration, (cities, Information())).attributes is None


def test_what_has_expired_is_not_asked() -> None:
    assert not found(registered(expires_us=NOW), Query())
    assert found(registered(expires_us=NOW + 1), Query())


def test_a_source_is_asked_for_what_it_offers_and_in_the_mode_wanted() -> None:
    reading = registered(operations=FEDERATION_OPS, mode="redirect")
    assert found(reading, Query(), operation="queryEntity")
    assert not found(reading, Query(), operation="createEntity")
    assert found(reading, Query(), modes={"redirect", "exclusive"})
    assert not found(reading, Query(), modes={"inclusive"})


def test_a_source_that_the_request_has_passed_is_not_asked() -> None:
    assert not found(registered(), Query(), passed=("wuxi",))
    assert found(registered(alias=None), Query(), passed=("wuxi",))


def test_datasets_lead_where_one_is_in_common_or_none_is_named() -> None:
    assert found(registered(datasets=("urn:x:a",)), Query(datasets=("urn:x:a", "urn:x:b")))
    assert not found(registered(datasets=("urn:x:a",)), Query(datasets=("@none",)))
    assert found(registered(), Query(datasets=("@none",)))
    assert found(registered(datasets=("urn:x:a",)), Query())


@pytest.mark.parametrize(
    ("pattern", "is_asked"),
    [("/yrd/wuxi", True), ("/yrd/#", True), ("/+/wuxi", True), ("/yrd", False), ("/gba/#", False)],
)
def test_scopes_lead_where_they_are_registered(pattern: str, is_asked: bool) -> None:
    query = Query(scope=ScopeIs(pattern))
    assert found(registered(scopes=("/yrd/wuxi",)), query) is is_asked


def test_a_source_that_names_no_scope_or_area_is_asked_but_not_discovered() -> None:
    for query in (Query(scope=ScopeIs("/yrd/#")), near("within", "POINT (120 31)")):
        assert found(registered(), query)
        assert not found(registered(), query, strict=True)


@pytest.mark.parametrize(
    ("query", "is_asked"),
    [
        (near("within", "POLYGON ((119 30, 122 30, 122 33, 119 33, 119 30))"), True),
        (near("within", "POLYGON ((110 30, 111 30, 111 31, 110 31, 110 30))"), False),
        (near("intersects", "POINT (120.5 31.5)"), True),
        (near("contains", "POINT (119.9 31.5)"), False),
        (near("disjoint", "POINT (120.5 31.5)"), True),
        (near("near", "POINT (121.01 31.5)", distance_m_max=2000), True),
        (near("near", "POINT (121.10 31.5)", distance_m_max=2000), False),
        (near("near", "POINT (-179.9 31.5)", distance_m_max=7_000_000), True),
        (near("near", "POINT (0 0)", distance_m_min=2000), True),
    ],
)
def test_an_area_is_asked_when_it_may_hold_what_is_meant(query: Query, is_asked: bool) -> None:
    assert found(registered(location=WUXI), query) is is_asked
    assert found(registered(location=WUXI), query, strict=True) is is_asked


def test_an_area_is_compared_with_the_property_asked_of() -> None:
    condition = near("intersects", "POINT (0 0)").geo
    assert condition is not None
    space = replace(condition, attribute="https://uri.etsi.org/ngsi-ld/observationSpace")
    assert found(registered(location=WUXI), Query(geo=space))
    assert not found(registered(observation_space=WUXI), Query(geo=space))
    elsewhere = replace(condition, attribute="urn:x:parcel")
    assert found(registered(location=WUXI), Query(geo=elsewhere))
    assert not found(registered(location=WUXI), Query(geo=elsewhere), strict=True)


def test_sources_of_history_give_history_and_nothing_else() -> None:
    history = registered(observation_interval=TimeInterval(100, 200))
    assert not found(history, Query())
    assert found(history, Query(), window=TimeWindow())
    assert not found(history, Query(), window=TimeWindow("modifiedAt"))
    assert found(registered(), Query(), window=TimeWindow())
    assert not found(registered(), Query(), window=TimeWindow(), strict=True)


@pytest.mark.parametrize(
    ("window", "is_covered"),
    [
        (TimeWindow("observedAt", "before", 300), True),
        (TimeWindow("observedAt", "before", 99), False),
        (TimeWindow("observedAt", "after", 200), True),
        (TimeWindow("observedAt", "after", 201), False),
        (TimeWindow("observedAt", "between", 150, 160), True),
        (TimeWindow("observedAt", "between", 10, 99), False),
        (TimeWindow("observedAt", "between", 201, 300), False),
    ],
)
def test_an_interval_covers_a_window_that_has_a_time_in_common(
    window: TimeWindow, is_covered: bool
) -> None:
    assert covers(registered(observation_interval=TimeInterval(100, 200)), window) is is_covered


def test_an_interval_without_end_covers_whatever_comes() -> None:
    source = registered(management_interval=TimeInterval(100))
    assert covers(source, TimeWindow("createdAt", "after", 10**15))
    assert not covers(source, TimeWindow("observedAt", "after", 10**15))


def test_registrations_come_in_order_and_keep_their_place_when_changed() -> None:
    index = Index()
    for name in ("a", "b", "c"):
        index.put(registered(id=name))
    index.drop("b")
    index.put(registered(id="d"))
    index.put(registered(Information((EntityInfo((CITY,)),)), id="a"))
    assert [one.registration.id for one in index.find(Query(), now_us=NOW)] == ["a", "c", "d"]
    assert len(index) == 3
    index.drop("nobody")


# ── an index finds what looking at each of them finds ─────────────────────────────────────────

IDS = ["urn:a:1", "urn:a:12", "urn:b:1", "urn:b:2"]
PATTERNS = [parse_id_pattern(one) for one in ("^urn:a:", "^urn:a:1$", "2$", "b", "^urn:b:[12]$")]
SCOPES = ["/a", "/a/b", "/a/b/c", "/d"]

types = st.sampled_from([CITY, BUS, TAXI])
entities = st.builds(
    EntityInfo,
    st.lists(types, min_size=1, max_size=2, unique=True).map(tuple),
    st.none() | st.sampled_from(IDS),
    st.none() | st.sampled_from(PATTERNS),
).map(lambda one: replace(one, id_pattern=None) if one.id else one)
attributes = st.lists(st.sampled_from(["urn:x:p", "urn:x:q", "urn:x:r"]), max_size=2, unique=True)
information = st.builds(
    Information, st.lists(entities, max_size=2).map(tuple), attributes.map(tuple)
)
registrations = st.builds(
    Registration,
    id=st.sampled_from([f"urn:r:{n}" for n in range(6)]),
    endpoint=st.just("http://e"),
    information=st.lists(information, min_size=1, max_size=2).map(tuple),
    mode=st.sampled_from(["inclusive", "redirect"]),
    scopes=st.lists(st.sampled_from(SCOPES), max_size=2, unique=True).map(tuple),
    datasets=st.lists(st.sampled_from(["urn:d:1", "@none"]), max_size=1).map(tuple),
)
selections: st.SearchStrategy[TypeSelection] = st.recursive(
    st.builds(TypeIs, types),
    lambda inner: st.lists(inner, min_size=1, max_size=2).flatmap(
        lambda items: st.sampled_from([TypeAll(tuple(items)), TypeAny(tuple(items))])
    ),
    max_leaves=3,
)
selectors = st.builds(
    Selector,
    st.lists(st.sampled_from(IDS), max_size=2, unique=True).map(tuple),
    st.none() | st.sampled_from(PATTERNS),
    st.none() | selections,
)
patterns = st.sampled_from(["/a", "/a/#", "/+/b", "/a/+/c", "/d", "/+/#", "/a/b"])
scopes = st.builds(ScopeIs, patterns) | st.lists(
    st.builds(ScopeIs, patterns), min_size=1, max_size=2
).flatmap(lambda items: st.sampled_from([ScopeAll(tuple(items)), ScopeAny(tuple(items))]))
queries = st.builds(
    Query,
    selectors=st.lists(selectors, max_size=2).map(tuple),
    attributes=attributes.map(tuple),
    datasets=st.lists(st.sampled_from(["urn:d:1", "@none"]), max_size=1).map(tuple),
    scope=st.none() | scopes,
)


def mentioned(selection: TypeSelection) -> set[str]:
    if isinstance(selection, TypeIs):
        return {selection.iri}
    return set().union(*map(mentioned, selection.items))


def meets(entity: EntityInfo, selector: Selector) -> bool:
    if selector.types is not None and not set(entity.types) & mentioned(selector.types):
        return False
    ids = [
        one
        for one in selector.ids
        if selector.id_pattern is None or search(selector.id_pattern, one)
    ]
    if selector.ids and not ids:
        return False
    if entity.id is not None:
        if selector.ids:
            return entity.id in ids
        return selector.id_pattern is None or search(selector.id_pattern, entity.id)
    if entity.id_pattern is not None and selector.ids:
        return any(search(entity.id_pattern, one) for one in ids)
    return True


def concerns(registration: Registration, query: Query) -> bool:
    scope, datasets = query.scope, set(query.datasets)
    if scope is not None and registration.scopes and not has_scope(scope, registration.scopes):
        return False
    if datasets and registration.datasets and not datasets & set(registration.datasets):
        return False
    return any(
        (not one.attributes or not query.attributes or set(one.attributes) & set(query.attributes))
        and (
            not query.selectors
            or any(
                (not one.entities and nameable(selector))
                or any(meets(entity, selector) for entity in one.entities)
                for selector in query.selectors
            )
        )
        for one in registration.information
    )


def nameable(selector: Selector) -> bool:
    """Whether there can be an entity that the selector takes."""
    if not selector.ids or selector.id_pattern is None:
        return True
    return any(search(selector.id_pattern, one) for one in selector.ids)


def unlike(registration: Registration, query: Query) -> bool:
    """Whether only patterns that begin differently could have met: the index may leave it out."""
    return any(
        entity.id_pattern is not None and selector.id_pattern is not None and not selector.ids
        for one in registration.information
        for entity in one.entities
        for selector in query.selectors
    )


@given(st.lists(registrations, max_size=12), st.lists(st.integers(0, 5), max_size=3), queries)
def test_the_index_finds_what_a_look_at_each_registration_finds(
    put: list[Registration], dropped: list[int], query: Query
) -> None:
    index, kept = Index(), {}
    for one in put:
        index.put(one)
        kept[one.id] = one
    for number in dropped:
        index.drop(f"urn:r:{number}")
        kept.pop(f"urn:r:{number}", None)
    is_found = {one.registration.id for one in index.find(query, now_us=NOW)}
    for name, one in kept.items():
        if name in is_found:
            assert concerns(one, query)
        else:
            assert not concerns(one, query) or unlike(one, query)
    assert is_found <= set(kept)
