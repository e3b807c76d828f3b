"""Every registration that may hold what is asked for is asked, and no other."""

from __future__ import annotations

import pytest

from conurb.federation.registrations import (
    EntityInfo,
    Information,
    Registration,
    from_document,
    to_document,
)
from conurb.federation.route import retrieval, routes
from conurb.model.query.tree import Query, Selector, TypeAll, TypeAny, TypeIs

CITY, BUS = "urn:x:City", "urn:x:Bus"


def registered(*information: Information, **more: object) -> Registration:
    return Registration(
        id="urn:x:r", endpoint="urn:x:e", alias="wuxi", information=information, **more
    )  # type: ignore[arg-type]


def of(entity: EntityInfo, *attributes: str) -> Registration:
    return registered(Information((entity,), attributes))


def asked(registration: Registration, query: Query) -> bool:
    return bool(routes([registration], query, now_us=1000))


def test_a_registration_of_everything_is_always_asked() -> None:
    everything = registered(Information())
    assert asked(everything, Query())
    assert asked(everything, retrieval("urn:x:1"))


@pytest.mark.parametrize(
    ("types", "is_asked"),
    [
        (TypeIs(CITY), True),
        (TypeIs(BUS), False),
        (TypeAny((TypeIs(BUS), TypeIs(CITY))), True),
        (TypeAll((TypeIs(BUS), TypeIs(CITY))), True),
    ],
)
def test_types_decide(types: TypeIs | TypeAny | TypeAll, is_asked: bool) -> None:
    assert asked(of(EntityInfo((CITY,))), Query(selectors=(Selector(types=types),))) is is_asked


@pytest.mark.parametrize(
    ("info", "entity_id", "is_asked"),
    [
        (EntityInfo((CITY,), id="urn:x:1"), "urn:x:1", True),
        (EntityInfo((CITY,), id="urn:x:1"), "urn:x:2", False),
        (EntityInfo((CITY,), id_pattern="^urn:x:.*$"), "urn:x:2", True),
        (EntityInfo((CITY,), id_pattern="^urn:y:.*$"), "urn:x:2", False),
    ],
)
def test_ids_and_patterns_decide(info: EntityInfo, entity_id: str, is_asked: bool) -> None:
    assert asked(of(info), retrieval(entity_id)) is is_asked


def test_a_pattern_is_held_against_a_registered_id() -> None:
    query = Query(selectors=(Selector(id_pattern="^urn:x:1"),))
    assert asked(of(EntityInfo((CITY,), id="urn:x:12")), query)
    assert not asked(of(EntityInfo((CITY,), id="urn:x:21")), query)


def test_attributes_decide_when_both_name_them() -> None:
    registration = of(EntityInfo((CITY,)), "urn:x:population")
    assert asked(registration, retrieval("urn:x:1", attributes=["urn:x:population"]))
    assert not asked(registration, retrieval("urn:x:1", attributes=["urn:x:gdp"]))
    assert asked(registration, retrieval("urn:x:1"))


def test_what_has_expired_is_not_asked() -> None:
    assert not asked(registered(Information(), expires_us=1000), Query())
    assert asked(registered(Information(), expires_us=1001), Query())


def test_a_registration_comes_back_from_its_document() -> None:
    registration = of(EntityInfo((CITY,), id_pattern="^a"), "urn:x:p")
    assert from_document(to_document(registration)) == registration
