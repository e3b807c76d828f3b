"""What a subscription means, and how its document is kept."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, InputError
from conurb.model.context import Terms, core_terms
from conurb.model.query.select import Projection
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Restriction,
    ScopeIs,
    Selector,
    TypeAll,
    TypeAny,
    TypeIs,
)
from conurb.model.subscription import (
    DEFAULT_TRIGGERS,
    UPDATED_TRIGGERS,
    Subscription,
    compile_subscription,
)
from conurb.model.subscription_document import merge_documents, read_document, show_document

TERMS = Terms(None, {"City": "https://x.org/City", "size": "https://x.org/size"}, {})
SIZE = "https://x.org/size"


def raw(**members: Any) -> dict[str, Any]:
    return {
        "id": "urn:s:1",
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notification": {"endpoint": {"uri": "http://receiver.example.org/path"}},
        **members,
    }


def compiled(**members: Any) -> Subscription:
    return compile_subscription(read_document(raw(**members), TERMS), TERMS)


def test_the_smallest_subscription_waits_for_new_values_of_any_attribute() -> None:
    subscription = compiled()
    assert subscription.query.selectors == (Selector(types=TypeIs("https://x.org/City")),)
    assert subscription.triggers == frozenset(DEFAULT_TRIGGERS)
    assert subscription.watched == frozenset()
    assert (subscription.throttling_us, subscription.interval_us) == (0, None)
    assert subscription.notification.representation == "normalized"
    assert subscription.notification.endpoint.accept == "application/json"


def test_everything_is_expanded_and_compiled() -> None:
    subscription = compiled(
        entities=[
            {"type": "(City;Town)|Village", "id": ["urn:x:1", "urn:x:2"]},
            {"type": "*", "idPattern": "^urn:x:"},
        ],
        watchedAttributes=["size"],
        q="size>10;name==%22a%20b%22",
        scopeQ="/yrd/#",
        datasetId=["urn:d:1", "@none"],
        throttling=0.5,
        expiresAt="2100-01-01T00:00:00Z",
        notificationTrigger=["entityUpdated", "entityCreated"],
    )
    default = "https://uri.etsi.org/ngsi-ld/default-context/"
    selection = TypeAny(
        (
            TypeAll((TypeIs("https://x.org/City"), TypeIs(default + "Town"))),
            TypeIs(default + "Village"),
        )
    )
    assert subscription.query.selectors == (
        Selector(ids=("urn:x:1", "urn:x:2"), types=selection),
        Selector(id_pattern=r"\Aurn:x:"),
    )
    assert subscription.watched == {SIZE}
    assert subscription.query.condition == And(
        (
            Compare(AttributePath((SIZE,)), ">", 10),
            Compare(AttributePath((default + "name",)), "==", "a b"),
        )
    )
    assert subscription.query.scope == ScopeIs("/yrd/#")
    assert subscription.datasets == ("urn:d:1", "@none")
    assert subscription.throttling_us == 500_000
    assert subscription.triggers == {*UPDATED_TRIGGERS, "entityCreated"}


def test_an_id_goes_before_a_pattern() -> None:
    subscription = compiled(entities=[{"type": "*", "id": "urn:x:1", "idPattern": "a"}])
    assert subscription.query.selectors == (Selector(ids=("urn:x:1",)),)


def test_the_restriction_joins_the_query() -> None:
    restriction = Restriction(scopes=("/yrd",))
    document = read_document(raw(), TERMS)
    subscription = compile_subscription(document, TERMS, restriction=restriction)
    assert subscription.query.restriction == restriction


def test_projections_are_compiled() -> None:
    endpoint = {"uri": "http://receiver.example.org/"}
    subscription = compiled(
        notification={"endpoint": endpoint, "pick": ["id", "size{name,size}"], "joinLevel": 2.0}
    )
    default = "https://uri.etsi.org/ngsi-ld/default-context/name"
    assert subscription.notification.pick == (
        Projection("id"),
        Projection(SIZE, (Projection(default), Projection(SIZE))),
    )
    assert subscription.notification.join_level == 2


def test_times_of_the_endpoint_come_in_milliseconds() -> None:
    endpoint = {"uri": "http://receiver.example.org/", "timeout": 1500, "cooldown": 250}
    subscription = compiled(notification={"endpoint": endpoint})
    assert subscription.notification.endpoint.timeout_s == 1.5
    assert subscription.notification.endpoint.cooldown_s == 0.25


@pytest.mark.parametrize(
    ("members", "now_us", "status"),
    [
        ({}, 0, "active"),
        ({"isActive": False}, 0, "paused"),
        ({"expiresAt": "1970-01-01T00:00:01Z"}, 999_999, "active"),
        ({"expiresAt": "1970-01-01T00:00:01Z"}, 1_000_000, "expired"),
        ({"expiresAt": "1970-01-01T00:00:01Z", "isActive": False}, 999_999, "paused"),
        ({"expiresAt": "1970-01-01T00:00:01Z", "isActive": False}, 1_000_000, "expired"),
    ],
)
def test_status(members: dict[str, Any], now_us: int, status: str) -> None:
    assert compiled(**members).status(now_us) == status


def test_a_local_subscription_needs_neither_entities_nor_attributes() -> None:
    document = raw(localOnly=True)
    del document["entities"]
    subscription = compile_subscription(read_document(document, TERMS), TERMS)
    assert subscription.query.selectors == ()


def test_a_misspelt_member_is_refused_and_a_strange_one_ignored() -> None:
    with pytest.raises(BadRequestDataError, match="watchedAttributes"):
        read_document(raw(watchedAtributes=["size"]), TERMS)
    with pytest.raises(BadRequestDataError, match="receiverInfo"):
        read_document(
            raw(notification={"endpoint": {"uri": "http://a/", "recieverInfo": []}}), TERMS
        )
    assert "more" not in read_document(raw(more=1), TERMS)


def test_json_ld_keywords_are_understood() -> None:
    document = raw()
    document["@id"], document["@type"] = document.pop("id"), document.pop("type")
    assert read_document(document, TERMS)["id"] == "urn:s:1"


def test_a_document_is_shown_as_it_was_read() -> None:
    document = raw(
        entities=[{"type": "(City;Town)|Village"}],
        watchedAttributes=["size", "name"],
        geoQ={
            "georel": "within",
            "geometry": "Point",
            "coordinates": [1, 2],
            "geoproperty": "size",
        },
        q="size>1",
        notification={
            "pick": ["id", "size|name", "scope"],
            "attributes": ["size"],
            "endpoint": {"uri": "http://receiver.example.org/"},
        },
    )
    kept = read_document(document, TERMS)
    assert kept["watchedAttributes"][0] == SIZE
    assert kept["notification"]["pick"][1].startswith(SIZE + "|https://uri.etsi.org/")
    assert show_document(kept, TERMS) == document


def test_a_document_is_shown_with_other_names_by_other_terms() -> None:
    kept = read_document(raw(watchedAttributes=["size", "name"]), TERMS)
    assert show_document(kept, core_terms())["watchedAttributes"] == [SIZE, "name"]


def test_a_fragment_replaces_whole_members() -> None:
    kept = read_document(raw(throttling=5, description="a"), TERMS)
    fragment = {"throttling": None, "description": "urn:ngsi-ld:null", "isActive": False}
    merged = merge_documents(kept, read_document(fragment, TERMS))
    assert "throttling" not in merged
    assert "description" not in merged
    assert merged["isActive"] is False
    assert merged["notification"] == kept["notification"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBER = st.sampled_from(
    [
        "id", "type", "entities", "watchedAttributes", "notificationTrigger", "timeInterval",
        "throttling", "q", "geoQ", "scopeQ", "csf", "datasetId", "lang", "expandValues",
        "jsonKeys", "isActive", "expiresAt", "localOnly", "splitEntities", "ngsildConformance",
        "jsonldContext", "notification", "description", "subscriptionName",
    ]
)  # fmt: skip
INNER = st.sampled_from(
    [
        "endpoint", "attributes", "pick", "omit", "format", "join", "joinLevel", "sysAttrs",
        "showChanges", "uri", "accept", "timeout", "cooldown", "receiverInfo", "notifierInfo",
        "type", "id", "idPattern", "georel", "geometry", "coordinates", "geoproperty", "key",
    ]
)  # fmt: skip
NESTED = st.dictionaries(INNER, JSON | st.dictionaries(INNER, JSON, max_size=4), max_size=4)


@given(st.dictionaries(MEMBER, JSON | NESTED | st.lists(NESTED, max_size=2), max_size=4))
def test_whatever_is_sent_is_compiled_or_refused(members: dict[str, Any]) -> None:
    with suppress(InputError):
        assert compile_subscription(read_document(raw(**members), TERMS), TERMS)
