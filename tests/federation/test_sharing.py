"""Shared types: what is stated is checked, and objects are judged by it."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.access.tokens import digest_of
from conurb.errors import BadRequestDataError
from conurb.federation.members import check_city
from conurb.federation.sharing import SharedAttribute, iter_faults, read_shared, shared_document
from conurb.federation.trust import Self, token_name
from conurb.model.context import core_terms
from conurb.model.entity import Entity, Instance
from conurb.node.tokens import TokenFile

SPEED = core_terms().expand("speed")


def reasons(rule: SharedAttribute, *instances: Instance) -> list[str]:
    entity = Entity("urn:e:1", ("urn:t",), {SPEED: list(instances)} if instances else {})
    return [one.reason for one in iter_faults(entity, {SPEED: rule})]


@pytest.mark.parametrize(
    ("rule", "instance", "reason"),
    [
        (SharedAttribute(kind="Property"), {"type": "Property", "value": 1}, None),
        (
            SharedAttribute(kind="Property"),
            {"type": "Relationship", "object": "urn:x:1"},
            "is a Relationship, not a Property",
        ),
        (SharedAttribute(holds="number"), {"type": "Property", "value": 1.5}, None),
        (
            SharedAttribute(holds="number"),
            {"type": "Property", "value": True},
            "holds True, not a number",
        ),
        (SharedAttribute(holds="boolean"), {"type": "Property", "value": True}, None),
        (
            SharedAttribute(holds="text"),
            {"type": "Property", "value": 3},
            "holds 3, not a text",
        ),
        (SharedAttribute(unit="KMH"), {"type": "Property", "value": 3, "unitCode": "KMH"}, None),
        (
            SharedAttribute(unit="KMH"),
            {"type": "Property", "value": 3},
            "has the unit None, not 'KMH'",
        ),
    ],
)
def test_an_object_is_judged_by_what_is_shared(
    rule: SharedAttribute, instance: Instance, reason: str | None
) -> None:
    assert reasons(rule, instance) == ([] if reason is None else [reason])


def test_every_instance_is_judged_and_only_what_is_required_may_not_miss() -> None:
    rule = SharedAttribute(holds="number")
    assert len(reasons(rule, *({"type": "Property", "value": text} for text in "ab"))) == 2
    assert reasons(rule) == []
    assert reasons(SharedAttribute(required=True)) == ["is missing"]


def test_what_is_stated_is_given_again() -> None:
    stated = {"Bus": {"speed": {"kind": "Property", "required": True, "value": "number"}}}
    terms = core_terms()
    shared = read_shared(stated, terms)
    assert shared_document(shared, terms) == stated
    assert read_shared(shared_document(shared), terms) == shared


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ([], "types: a JSON object"),
        ({"Bus": 1}, r"types\.Bus: a JSON object"),
        ({"Bus": {"speed": {"kind": "Thing"}}}, r"types\.Bus\.speed\.kind: 'Thing'"),
        ({"Bus": {"speed": {"value": "date"}}}, r"value: 'date' is not of number"),
        ({"Bus": {"speed": {"required": 1}}}, "required: 1"),
        ({"Bus": {"speed": {"unitCode": ""}}}, "unitCode: ''"),
        ({"Bus": {"speed": {"knd": 1}}}, r"\['knd'\] isn't known"),
    ],
)
def test_what_can_not_be_shared_is_refused_with_its_place(stated: Any, said: str) -> None:
    with pytest.raises(BadRequestDataError, match=said):
        read_shared(stated, core_terms())


def test_tokens_go_to_other_machines_over_https_alone() -> None:
    tokens = TokenFile("unused")  # type: ignore[arg-type]
    own = Self("wuxi", tokens)
    for url in (
        "https://delta.example.cn",
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]",
    ):
        own.check_way(url)
    for url in ("http://delta.example.cn", "http://10.0.0.7", "ftp://delta.example.cn", "delta"):
        with pytest.raises(BadRequestDataError):
            own.check_way(url)
    Self("wuxi", tokens, is_lax=True).check_way("http://10.0.0.7")


def test_names_of_tokens_differ_when_names_of_nodes_do() -> None:
    names = {token_name("region", name) for name in ("a/b", "a-b", "a:b", "a" * 57, "a" * 58)}
    assert len(names) == 5
    assert token_name("region", "a/b") == "region.a-b." + digest_of("a/b")[:8]
    with pytest.raises(BadRequestDataError, match="city"):
        check_city("no name")
