"""Registrations of a node: kept, found, counted, expired, and never in conflict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.access.outbound import Outbound
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from conurb.federation import registrations as module
from conurb.federation.filing import KIND, Filed, Search, render_registration
from conurb.federation.registrations import Registrations
from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity
from conurb.model.query.q import parse_q
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.model.time import shown_us
from conurb.store.contract import Store
from conurb.store.engines import open_store

TERMS = core_terms()
CITY, SIZE = TERMS.expand("City"), TERMS.expand("size")
BUS = TERMS.expand("Bus")
READER = Caller("reader", frozenset({"read"}))


class Clock:
    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    opened = open_store(tmp_path / "node.db", clock=clock)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def registrations(store: Store, clock: Clock) -> Registrations:
    return Registrations(store, clock=clock, outbound=Outbound(("*.example",)))


def raw(name: str = "wuxi", **members: Any) -> dict[str, Any]:
    return {
        "id": f"urn:r:{name}",
        "type": "ContextSourceRegistration",
        "endpoint": f"http://{name}.example",
        "information": [{"entities": [{"type": "City"}]}],
        **members,
    }


def one_city(name: str = "c:1", *attributes: str, **members: Any) -> list[dict[str, Any]]:
    entity = {"type": "City", "id": f"urn:{name}", **members}
    return [{"entities": [entity], "propertyNames": list(attributes or ("size",))}]


async def found(registrations: Registrations, query: Query | None = None, **more: Any) -> list[str]:
    return [one.registration.id for one in await registrations.find(query or Query(), **more)]


async def hold(store: Store, name: str = "c:1", type_: str = CITY) -> None:
    attrs = {SIZE: [{"type": "Property", "value": 1}]}
    await store.apply_all([CreateEntity(Entity(f"urn:{name}", (type_,), attrs))])


async def test_what_is_registered_is_found_given_and_gone_when_deleted(
    registrations: Registrations,
) -> None:
    assert await registrations.create(LOCAL, raw(), TERMS) == "urn:r:wuxi"
    assert await found(registrations) == ["urn:r:wuxi"]
    shown = await registrations.get(READER, "urn:r:wuxi")
    assert render_registration(shown, TERMS) == raw()
    await registrations.remove(LOCAL, "urn:r:wuxi")
    assert await found(registrations) == []
    with pytest.raises(NotFoundError, match="urn:r:wuxi"):
        await registrations.get(READER, "urn:r:wuxi")
    with pytest.raises(NotFoundError):
        await registrations.remove(LOCAL, "urn:r:wuxi")


async def test_a_registration_without_an_id_is_given_one(registrations: Registrations) -> None:
    document = {key: value for key, value in raw().items() if key != "id"}
    given = await registrations.create(LOCAL, document, TERMS)
    assert given.startswith("urn:ngsi-ld:ContextSourceRegistration:")
    assert await found(registrations) == [given]


async def test_registrations_survive_a_restart(
    registrations: Registrations, store: Store, clock: Clock
) -> None:
    await registrations.create(LOCAL, raw(mode="redirect", scope=["/yrd"]), TERMS)
    await registrations.put(Registration(id="urn:r:here", endpoint=THIS_PROCESS, tenant="here"))
    again = Registrations(store, clock=clock)
    assert await again.all() == await registrations.all()
    assert await found(again, modes=frozenset({"redirect"})) == ["urn:r:wuxi"]


async def test_what_a_program_registers_is_read_again_or_refused(
    registrations: Registrations, store: Store, clock: Clock
) -> None:
    anything = Registration(id="urn:r:far", endpoint="http://far.example")
    await registrations.put(anything)
    with pytest.raises(BadRequestDataError):
        await registrations.put(Registration(id="urn:r:odd", endpoint="nowhere"))
    again = Registrations(store, clock=clock)
    assert await again.all() == [anything]
    await again.update(LOCAL, "urn:r:far", {"description": "far"}, TERMS)
    with pytest.raises(BadRequestDataError, match="information"):
        await again.update(LOCAL, "urn:r:far", {"information": [{}]}, TERMS)


async def test_an_id_is_taken_once(registrations: Registrations) -> None:
    await registrations.create(LOCAL, raw(), TERMS)
    with pytest.raises(AlreadyExistsError, match="urn:r:wuxi"):
        await registrations.create(LOCAL, raw(), TERMS)


async def test_only_who_may_federate_registers(registrations: Registrations) -> None:
    with pytest.raises(ForbiddenError, match="federate"):
        await registrations.create(READER, raw(), TERMS)
    await registrations.create(Caller("peer", frozenset({"federate"})), raw(), TERMS)
    with pytest.raises(ForbiddenError):
        await registrations.update(READER, "urn:r:wuxi", {"description": "x"}, TERMS)
    with pytest.raises(ForbiddenError):
        await registrations.remove(READER, "urn:r:wuxi")


async def test_a_source_is_where_this_node_may_send_to(registrations: Registrations) -> None:
    with pytest.raises(ForbiddenError, match="elsewhere"):
        await registrations.create(LOCAL, raw(endpoint="http://elsewhere.org"), TERMS)
    with pytest.raises(BadRequestDataError, match="this-process"):
        await registrations.create(LOCAL, raw(endpoint=THIS_PROCESS), TERMS)
    await registrations.create(LOCAL, raw(), TERMS)
    with pytest.raises(ForbiddenError):
        await registrations.update(LOCAL, "urn:r:wuxi", {"endpoint": "http://else.org"}, TERMS)
    assert await found(registrations) == ["urn:r:wuxi"]


async def test_an_update_changes_what_is_found_and_keeps_the_rest(
    registrations: Registrations, clock: Clock
) -> None:
    await registrations.create(LOCAL, raw(description="x"), TERMS)
    created_us = clock.us
    clock.us += 1_000_000
    information = [{"entities": [{"type": "Bus"}]}]
    fragment = {"information": information, "description": None}
    await registrations.update(LOCAL, "urn:r:wuxi", fragment, TERMS)
    shown = await registrations.get(READER, "urn:r:wuxi")
    assert render_registration(shown, TERMS, sys_attrs=True) == {
        **raw(information=information),
        "createdAt": shown_us(created_us),
        "modifiedAt": shown_us(clock.us),
    }
    buses, cities = (Query(selectors=(Selector(types=TypeIs(one)),)) for one in (BUS, CITY))
    assert await found(registrations, buses) == ["urn:r:wuxi"]
    assert await found(registrations, cities) == []


async def test_a_bad_update_changes_nothing(registrations: Registrations) -> None:
    await registrations.create(LOCAL, raw(), TERMS)
    for fragment in (
        {"id": "urn:r:other"},
        {"type": "building"},
        {"mode": "x"},
        {"endpoint": None},
    ):
        with pytest.raises(BadRequestDataError):
            await registrations.update(LOCAL, "urn:r:wuxi", fragment, TERMS)
    with pytest.raises(NotFoundError):
        await registrations.update(LOCAL, "urn:r:nobody", {"description": "x"}, TERMS)
    shown = await registrations.get(READER, "urn:r:wuxi")
    assert render_registration(shown, TERMS) == raw()


# ── conflicts (4.3.6.3, 5.9.2.4) ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["exclusive", "redirect"])
async def test_nothing_proxied_is_beside_an_exclusive_source_of_the_same(
    registrations: Registrations, mode: str
) -> None:
    await registrations.create(LOCAL, raw(mode="exclusive", information=one_city()), TERMS)
    with pytest.raises(ConflictError, match="urn:r:wuxi"):
        await registrations.create(
            LOCAL, raw("huzhou", mode=mode, information=one_city("c:1", "size", "name")), TERMS
        )
    for number, fine in enumerate((one_city("c:2"), one_city("c:1", "name"))):
        await registrations.create(LOCAL, raw(f"o{number}", mode=mode, information=fine), TERMS)
    await registrations.create(LOCAL, raw("inclusive", information=one_city()), TERMS)


async def test_an_exclusive_source_has_its_entity_whatever_the_type(
    registrations: Registrations,
) -> None:
    await registrations.create(LOCAL, raw(mode="exclusive", information=one_city()), TERMS)
    with pytest.raises(ConflictError):
        await registrations.create(
            LOCAL, raw("huzhou", mode="exclusive", information=one_city(type="Town")), TERMS
        )


async def test_an_exclusive_source_is_not_beside_a_redirect_of_its_type(
    registrations: Registrations,
) -> None:
    await registrations.create(LOCAL, raw(mode="redirect"), TERMS)
    with pytest.raises(ConflictError, match="urn:r:wuxi"):
        await registrations.create(
            LOCAL, raw("huzhou", mode="exclusive", information=one_city()), TERMS
        )
    town = one_city("t:1", type="Town")
    await registrations.create(LOCAL, raw("town", mode="exclusive", information=town), TERMS)


async def test_redirects_may_overlap(registrations: Registrations) -> None:
    await registrations.create(LOCAL, raw(mode="redirect"), TERMS)
    await registrations.create(LOCAL, raw("huzhou", mode="redirect"), TERMS)
    assert len(await found(registrations)) == 2


async def test_what_is_held_here_is_not_registered_as_held_elsewhere(
    registrations: Registrations, store: Store
) -> None:
    await hold(store)
    for members in (
        {"mode": "exclusive", "information": one_city()},
        {"mode": "exclusive", "information": one_city(type="Town")},
        {"mode": "redirect"},
    ):
        with pytest.raises(ConflictError, match="urn:c:1"):
            await registrations.create(LOCAL, raw(**members), TERMS)
    await registrations.create(
        LOCAL, raw(mode="exclusive", information=one_city("c:1", "name")), TERMS
    )
    await registrations.create(LOCAL, raw("inclusive"), TERMS)


async def test_a_change_of_mode_is_checked_like_a_new_registration(
    registrations: Registrations, store: Store
) -> None:
    await registrations.create(LOCAL, raw(), TERMS)
    await hold(store)
    with pytest.raises(ConflictError):
        await registrations.update(LOCAL, "urn:r:wuxi", {"mode": "redirect"}, TERMS)
    [one] = await registrations.all()
    assert one.mode == "inclusive"


async def test_an_exclusive_source_may_be_updated(registrations: Registrations) -> None:
    await registrations.create(LOCAL, raw(mode="exclusive", information=one_city()), TERMS)
    await registrations.update(LOCAL, "urn:r:wuxi", {"description": "still it"}, TERMS)


# ── time ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_registration_is_for_the_future(registrations: Registrations, clock: Clock) -> None:
    with pytest.raises(BadRequestDataError, match="past"):
        await registrations.create(LOCAL, raw(expiresAt=shown_us(clock.us)), TERMS)


async def test_what_has_expired_is_gone_at_once_and_dropped_soon(
    registrations: Registrations, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.01)
    await registrations.create(LOCAL, raw(expiresAt=shown_us(clock.us + 50_000)), TERMS)
    told: list[tuple[Filed | None, Filed | None]] = []
    registrations.watch(lambda before, after: told.append((before, after)))
    clock.us += 50_000
    assert await found(registrations) == []
    with pytest.raises(NotFoundError):
        await registrations.get(READER, "urn:r:wuxi")
    await registrations.open()
    try:
        async with asyncio.timeout(5):
            while not told:  # noqa: ASYNC110 - the last that is done
                await asyncio.sleep(0.01)
    finally:
        await registrations.close()
    assert await store.list_documents(KIND) == []
    assert [(before and before.id, after) for before, after in told] == [("urn:r:wuxi", None)]


async def test_the_id_of_what_has_expired_is_free_at_once(
    registrations: Registrations, clock: Clock
) -> None:
    expiring = raw(expiresAt=shown_us(clock.us + 1000), description="old")
    await registrations.create(LOCAL, expiring, TERMS)
    registrations.went("urn:r:wuxi", ok=False)
    clock.us += 1000
    await registrations.create(LOCAL, raw(), TERMS)
    shown = await registrations.get(READER, "urn:r:wuxi")
    assert render_registration(shown, TERMS) == raw()


# ── what is counted ───────────────────────────────────────────────────────────────────────────


async def test_how_requests_went_is_counted_shown_and_kept(
    registrations: Registrations, store: Store, clock: Clock
) -> None:
    await registrations.create(LOCAL, raw(), TERMS)
    registrations.went("urn:r:wuxi", ok=True)
    succeeded_us = clock.us
    clock.us += 5_000_000
    registrations.went("urn:r:wuxi", ok=False)
    registrations.went("urn:r:nobody", ok=True)
    await registrations.close()
    again = Registrations(store, clock=clock)
    shown = render_registration(await again.get(READER, "urn:r:wuxi"), TERMS)
    assert {key: shown[key] for key in shown.keys() - raw().keys()} == {
        "status": "failed",
        "timesSent": 2,
        "timesFailed": 1,
        "lastSuccess": shown_us(succeeded_us),
        "lastFailure": shown_us(clock.us),
    }
    await again.remove(LOCAL, "urn:r:wuxi")
    assert await store.list_documents(module.STANDING_KIND) == []


async def test_what_a_source_is_told_is_shown_only_when_secrets_are_asked_for(
    registrations: Registrations,
) -> None:
    secret = [{"key": "Authorization", "value": "Bearer x"}]
    await registrations.create(LOCAL, raw(contextSourceInfo=secret), TERMS)
    shown = await registrations.get(READER, "urn:r:wuxi")
    assert "contextSourceInfo" not in render_registration(shown, TERMS)
    assert render_registration(shown, TERMS, secrets=True)["contextSourceInfo"] == secret


# ── discovery (5.10.2) ────────────────────────────────────────────────────────────────────────


async def test_discovery_gives_pages_of_what_matches_and_of_it_only_that(
    registrations: Registrations,
) -> None:
    both = [{"entities": [{"type": "Bus"}]}, {"entities": [{"type": "City"}]}]
    for name in ("a", "b", "c"):
        await registrations.create(LOCAL, raw(name, information=both, fleet=name), TERMS)
    await registrations.create(LOCAL, raw("d", information=[both[1]]), TERMS)
    search = Search(Query(selectors=(Selector(types=TypeIs(BUS)),)))
    page, total = await registrations.query(READER, search, limit=1, offset=1)
    assert total == 3
    assert [render_registration(one, TERMS) for one in page] == [
        raw("b", information=[both[0]], fleet="b")
    ]
    filtered = Search(search.query, parse_q('fleet=="c"', TERMS))
    page, total = await registrations.query(READER, filtered, limit=10)
    assert ([one.filed.id for one in page], total) == (["urn:r:c"], 1)
    with pytest.raises(ForbiddenError):
        await registrations.query(Caller("nobody", frozenset()), search, limit=1)
