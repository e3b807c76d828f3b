"""What a registration means, and how its document is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError
from conurb.model.context import Terms, core_terms
from conurb.model.query.match import holds
from conurb.model.query.q import parse_q
from conurb.model.registration import (
    FEDERATION_OPS,
    MODES,
    OPERATION_GROUPS,
    OPERATIONS,
    THIS_PROCESS,
    EntityInfo,
    Information,
    Registration,
    TimeInterval,
)
from conurb.model.registration_document import (
    document_of,
    read_document,
    show_document,
    source_of,
)
from conurb.model.registration_rules import compile_registration
from conurb.model.subscription_document import merge_documents
from conurb.model.time import parse_us

CITY, SIZE, OWNER = "https://x.org/City", "https://x.org/size", "https://x.org/owner"
NAMES = {"City": CITY, "size": SIZE, "owner": OWNER, "fleet": "https://x.org/fleet"}
TERMS = Terms(None, {**NAMES, "endpoint": core_terms().expand("endpoint")}, {})


def raw(**members: Any) -> dict[str, Any]:
    document = {
        "id": "urn:r:1",
        "type": "ContextSourceRegistration",
        "endpoint": "http://wuxi.example:8080",
        "information": [{"entities": [{"type": "City"}]}],
        **members,
    }
    return {key: value for key, value in document.items() if value is not ...}


def meant(**members: Any) -> Registration:
    return compile_registration(read_document(raw(**members), TERMS))


def refused(**members: Any) -> str:
    with pytest.raises(BadRequestDataError) as caught:
        meant(**members)
    return caught.value.detail


def test_what_is_registered_is_compiled_with_full_names() -> None:
    information = [
        {
            "entities": [{"type": "City", "id": "urn:c:1"}, {"type": ["City", "Town"]}],
            "propertyNames": ["size"],
            "relationshipNames": ["owner", "size"],
        },
        {"entities": [{"type": "City", "idPattern": "^urn:c:\\d+$"}]},
    ]
    town = TERMS.expand("Town")
    assert meant(information=information).information == (
        Information(
            (EntityInfo((CITY,), "urn:c:1"), EntityInfo((CITY, town))),
            (SIZE, OWNER),
        ),
        Information((EntityInfo((CITY,), None, "\\Aurn:c:[0-9]+\\Z"),)),
    )


def test_an_id_goes_before_a_pattern() -> None:
    [information] = meant(
        information=[{"entities": [{"type": "City", "id": "urn:c:1", "idPattern": "x"}]}]
    ).information
    assert information.entities == (EntityInfo((CITY,), "urn:c:1"),)


def test_a_registration_that_says_no_more_offers_federation_operations_inclusively() -> None:
    registration = meant()
    assert registration.mode == "inclusive"
    assert registration.operations == FEDERATION_OPS
    assert not registration.is_temporal
    assert registration.name == "urn:r:1"


def test_groups_of_operations_are_taken_apart() -> None:
    assert meant(operations=["retrieveOps", "createEntity"]).operations == {
        "retrieveEntity",
        "queryEntity",
        "createEntity",
    }
    assert "nonsense" in refused(operations=["nonsense"])
    assert all(group <= OPERATIONS for group in OPERATION_GROUPS.values())
    assert len(OPERATIONS) == 21 + 11 + 5 + 6  # rows of table 4.20-1, group by group


def test_how_a_source_is_asked_is_compiled() -> None:
    registration = meant(
        tenant="bus",
        contextSourceAlias="wuxi.bus",
        contextSourceInfo=[{"key": "Authorization", "value": "Bearer x"}],
        management={"timeout": 1500, "cooldown": 200, "localOnly": True, "cacheDuration": "PT1M"},
        datasetId=["urn:d:1", "@none"],
        scope="/yrd/wuxi",
        expiresAt="2030-01-01T00:00:00Z",
    )
    assert registration.tenant == "bus"
    assert registration.name == registration.alias == "wuxi.bus"
    assert registration.told("authorization") == "Bearer x"
    assert registration.told("accept") is None
    assert (registration.timeout_s, registration.cooldown_s) == (1.5, 0.2)
    assert registration.local_only
    assert registration.cache_us == 60_000_000
    assert registration.datasets == ("urn:d:1", "@none")
    assert registration.scopes == ("/yrd/wuxi",)
    assert registration.expires_us == parse_us("2030-01-01T00:00:00Z")
    assert registration.is_expired(parse_us("2030-01-01T00:00:00Z"))
    assert not registration.is_expired(parse_us("2029-12-31T23:59:59Z"))


def test_an_interval_makes_a_source_one_of_history() -> None:
    registration = meant(observationInterval={"startAt": "2020-01-01T00:00:00Z"})
    assert registration.is_temporal
    assert registration.observation_interval == TimeInterval(parse_us("2020-01-01T00:00:00Z"))
    assert meant(
        managementInterval={"startAt": "2020-01-01T00:00:00Z", "endAt": "2020-01-01T00:00:00Z"}
    ).is_temporal


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"type": "Subscription"}, "type"),
        ({"id": "wuxi"}, "id"),
        ({"endpoint": ...}, "endpoint"),
        ({"endpoint": "mqtt://wuxi.example/x"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://h:99999"}, "endpoint"),
        ({"endpoint": "http://h/?q=1"}, "endpoint"),
        ({"information": ...}, "information"),
        ({"information": []}, "information"),
        ({"information": [{}]}, "information"),
        ({"information": [{"entities": []}]}, "entities"),
        ({"information": [{"entities": [{}]}]}, "entities"),
        ({"information": [{"entities": [{"type": "City", "id": "wuxi"}]}]}, "id"),
        ({"information": [{"entities": [{"type": "City", "idPattern": "("}]}]}, "regular"),
        ({"information": [{"propertyNames": []}]}, "propertyNames"),
        ({"information": [{"propertyName": ["size"]}]}, "propertyName"),
        ({"mode": "sometimes"}, "mode"),
        ({"mode": ["inclusive"]}, "mode"),
        ({"operations": []}, "operations"),
        ({"operations": [7]}, "operations"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"location": {"type": "Point", "coordinates": [200, 0]}}, "location"),
        ({"scope": "a b"}, "scope"),
        ({"tenant": ""}, "tenant"),
        ({"contextSourceAlias": "a b"}, "contextSourceAlias"),
        ({"contextSourceInfo": {"key": "a"}}, "contextSourceInfo"),
        ({"contextSourceInfo": [{"key": "a b", "value": "x"}]}, "contextSourceInfo"),
        ({"contextSourceInfo": [{"key": "accept", "value": "text/html"}]}, "accept"),
        ({"contextSourceInfo": [{"key": "ngsildConformance", "value": "new"}]}, "Conformance"),
        ({"contextSourceInfo": [{"key": "jsonldContext", "value": "x"}]}, "jsonldContext"),
        ({"observationInterval": {"endAt": "2020-01-01T00:00:00Z"}}, "startAt"),
        (
            {"managementInterval": {"startAt": "2020-01-02T00:00:00Z", "endAt": "2020-01-01"}},
            "endAt",
        ),
        ({"refreshRate": "often"}, "refreshRate"),
        ({"management": "yes"}, "management"),
        ({"management": {"timeout": 0}}, "management.timeout"),
        ({"management": {"cooldown": None}}, "management.cooldown"),
        ({"management": {"localOnly": "yes"}}, "management.localOnly"),
        ({"management": {"cacheDuration": "bogus"}}, "management.cacheDuration"),
        ({"description": None}, "description"),
        ({"registrationname": "x"}, "registrationName"),
        ({f"property{n}": n for n in range(101)}, "properties"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(members: dict[str, Any], named: str) -> None:
    assert named in refused(**members)


def test_an_exclusive_source_names_attributes_of_an_entity_by_id() -> None:
    entity = {"type": "City", "id": "urn:c:1"}
    good = [{"entities": [entity], "propertyNames": ["size"]}]
    assert meant(mode="exclusive", information=good).mode == "exclusive"
    for bad in (
        {"entities": [entity]},
        {"propertyNames": ["size"]},
        {"entities": [{"type": "City"}], "propertyNames": ["size"]},
        {"entities": [{"type": "City", "idPattern": "x"}], "propertyNames": ["size"]},
    ):
        assert "exclusive" in refused(mode="exclusive", information=[bad])


def test_an_auxiliary_source_is_only_read_from() -> None:
    assert meant(mode="auxiliary", operations=["retrieveOps"]).mode == "auxiliary"
    assert "auxiliary" in refused(mode="auxiliary", operations=["updateEntity"])
    assert meant(mode="auxiliary").operations == {"retrieveEntity", "queryEntity"}


def test_only_a_program_registers_a_source_of_anything() -> None:
    document = read_document(raw(information=[{}]), TERMS)
    assert compile_registration(document, anything=True).information == (Information(),)
    with pytest.raises(BadRequestDataError, match="entities"):
        compile_registration(document)


def test_a_document_is_shown_in_the_names_of_whoever_asks() -> None:
    given = raw(
        information=[
            {
                "entities": [{"type": "City", "idPattern": "^a"}],
                "propertyNames": ["size"],
                "relationshipNames": ["owner"],
            }
        ],
        fleet="buses",
        status="ok",
        timesSent=4,
        **{"@context": "http://c"},
    )
    document = read_document(given, TERMS)
    kept = {
        key: one for key, one in given.items() if key not in ("status", "timesSent", "@context")
    }
    assert show_document(document, TERMS) == kept
    bare = show_document(document, Terms(None, {}, {}))
    assert bare["information"][0]["propertyNames"] == [SIZE]
    assert bare["https://x.org/fleet"] == "buses"


def test_a_fragment_replaces_members_and_null_removes_them() -> None:
    document = read_document(raw(expiresAt="2030-01-01T00:00:00Z", description="x"), TERMS)
    fragment = read_document({"expiresAt": None, "description": "urn:ngsi-ld:null"}, TERMS)
    assert merge_documents(document, fragment) == read_document(raw(), TERMS)


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        ('fleet=="buses"', True),
        ('fleet=="taxis"', False),
        ('endpoint=="http://wuxi.example:8080"', True),
        ("rank>3", True),
        ("kind", True),
        ('kind=="sensor"', True),
        ("nothing", False),
    ],
)
def test_a_filter_is_asked_of_what_a_source_says_of_itself(text: str, is_held: bool) -> None:
    document = read_document(
        raw(fleet="buses", rank=4, kind={"type": "Property", "value": "sensor"}), TERMS
    )
    assert holds(parse_q(text, TERMS), source_of(document)) is is_held


uris = st.sampled_from(["urn:a:1", "urn:b:2"])
intervals = st.none() | st.builds(
    TimeInterval, st.integers(0, 10**12), st.none() | st.integers(10**12, 10**15)
)
registrations = st.builds(
    Registration,
    id=uris,
    endpoint=st.sampled_from([THIS_PROCESS, "http://wuxi.example:8080"]),
    alias=st.none() | st.just("wuxi"),
    information=st.lists(
        st.builds(
            Information,
            st.lists(
                st.builds(EntityInfo, st.lists(uris, min_size=1, max_size=2).map(tuple), uris),
                max_size=2,
            ).map(tuple),
            st.lists(uris, max_size=2, unique=True).map(tuple),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    tenant=st.none() | st.just("t"),
    mode=st.sampled_from([mode for mode in MODES if mode not in ("exclusive", "auxiliary")]),
    operations=st.sets(st.sampled_from(sorted(OPERATIONS)), min_size=1).map(frozenset),
    source_info=st.lists(st.tuples(st.just("X-Key"), st.text("ab")), max_size=2).map(tuple),
    datasets=st.lists(uris, max_size=2, unique=True).map(tuple),
    scopes=st.lists(st.sampled_from(["/a", "/b/c"]), max_size=2, unique=True).map(tuple),
    location=st.none() | st.just({"type": "Point", "coordinates": [1, 2]}),
    management_interval=intervals,
    observation_interval=intervals,
    expires_us=st.none() | st.integers(1, 10**15),
    timeout_s=st.none() | st.sampled_from([0.5, 10.0]),
    cooldown_s=st.sampled_from([0.0, 1.5]),
    local_only=st.booleans(),
    cache_us=st.none() | st.integers(1, 10**12),
)


@given(registrations)
def test_what_a_program_registers_comes_back_from_its_document(registration: Registration) -> None:
    assert compile_registration(document_of(registration), anything=True) == registration
