"""Promises of freshness: measured at the nodes, shown, and said by an object when not kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import BadRequestDataError, ConfigError
from conurb.federation.agreements import AGREEMENT, Agreement, agreement_of, read_agreement
from conurb.federation.breaches import BREACH, STATUS
from conurb.federation.freshness import Freshness, freshness_of
from conurb.federation.region import registrations_of
from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.query.tree import Query, Selector, TemporalQuery, TypeIs
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.model.time import US_PER_S, fixed, system_clock
from conurb.model.vocabulary import platform_terms
from conurb.node.host import Host
from conurb.node.node import Node
from tests.federation.served import Served, served

TERMS = platform_terms()
AIR = TERMS.expand("AirQualityObserved")
PM25 = TERMS.expand("pm25")
START_US = 1_790_000_000 * US_PER_S
MINUTE_US = 60 * US_PER_S


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.us = START_US

    def __call__(self) -> int:
        return self.us

    def pass_s(self, seconds: float) -> None:
        self.us += round(seconds * US_PER_S)


class Town:
    """A region of two cities in one process, whose time is the test's."""

    def __init__(self, host: Host, time: Time) -> None:
        self.host = host
        self.time = time

    async def region(self) -> Node:
        return await self.host.node()

    async def look(self) -> Freshness:
        found = freshness_of(await self.region())
        await found.look()
        return found

    async def observe(self, city: str, number: int, *, age_s: float = 0.0) -> None:
        at_us = self.time.us - round(age_s * US_PER_S)
        instance = {"type": "Property", "value": 1, "observedAt": fixed(at_us)}
        entity = Entity(f"urn:ngsi-ld:Air:{city}:{number}", (AIR,), {PM25: [instance]})
        await self.write(city, entity)

    async def promise(self, city: str, **changes: Any) -> None:
        await self.write(city, parse_entity(agreement(city, **changes), TERMS))

    async def write(self, city: str, entity: Entity) -> None:
        store = (await self.host.node(city)).store
        await store.apply_all([UpsertEntity(entity, mode="update")])

    async def breaches(self) -> list[Entity]:
        query = Query(selectors=(Selector(types=TypeIs(BREACH)),), limit=100)
        return (await (await self.region()).store.query(query)).entities

    async def states(self) -> dict[str, str]:
        found = await self.look()
        return {one.node: one.state(self.time.us) for one in found.list_standings()}


def agreement(city: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "agreedType": {"type": "VocabProperty", "vocab": "AirQualityObserved"},
        "maxAge": {"type": "Property", "value": "PT10M"},
        "measuredBy": {"type": "VocabProperty", "vocab": "pm25"},
        **changes,
    }
    attributes = {name: value for name, value in given.items() if value is not None}
    return {
        "id": f"urn:ngsi-ld:UpdateAgreement:{city}:air",
        "type": "UpdateAgreement",
        **attributes,
    }


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


@asynccontextmanager
async def town_at(folder: Path, time: Time) -> AsyncIterator[Town]:
    settings = Settings(store=str(folder / "town.db"), node_id="delta", freshness_s=0)
    host = build_host(settings, clock=time)
    await host.open()
    try:
        yield Town(host, time)
    finally:
        await host.close()


async def register(town: Town, *cities: str) -> None:
    for city in cities:
        await town.host.node(city, create=True)
        await registrations_of(await town.region()).put(
            Registration(id=f"urn:x:r:{city}", endpoint=THIS_PROCESS, alias=city, tenant=city)
        )


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_at(tmp_path, Time()) as town:
        await register(town, "wuxi", "huzhou")
        yield town


# ── what a promise says ───────────────────────────────────────────────────────────────────────


def read(**changes: Any) -> Agreement:
    return read_agreement(parse_entity(agreement("wuxi", **changes), TERMS))


def test_a_promise_is_read_kept_and_read_again() -> None:
    changes = {
        "agreedShare": prop(0.9),
        "contactPoint": prop("duty@wuxi.example"),
        "validFrom": prop("2026-01-01T00:00:00Z"),
    }
    found = read(**changes)
    assert (found.type, found.attribute, found.max_age_us) == (AIR, PM25, 10 * MINUTE_US)
    assert (found.share, found.contact) == (0.9, "duty@wuxi.example")
    assert agreement_of(found.document()) == found


@pytest.mark.parametrize(
    "by", [None, prop("modifiedAt"), {"type": "VocabProperty", "vocab": "modifiedAt"}]
)
def test_without_an_attribute_the_last_change_counts(by: Any) -> None:
    assert read(measuredBy=by).attribute is None


def test_an_age_may_be_seconds_and_a_type_a_term() -> None:
    found = read(maxAge=prop(90), agreedType=prop("AirQualityObserved"))
    assert (found.max_age_us, found.type) == (90 * US_PER_S, AIR)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"maxAge": None}, "maxAge: None is not a duration"),
        ({"maxAge": prop("soon")}, "maxAge: 'soon'"),
        ({"maxAge": prop(0.2)}, "under 1 s"),
        ({"agreedType": None}, "agreedType"),
        ({"agreedShare": prop(90)}, "agreedShare: 90 is not over 0 and up to 1"),
        ({"validTo": prop("tomorrow")}, "validTo: 'tomorrow'"),
    ],
)
def test_what_can_not_be_measured_is_no_promise(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestDataError, match="UpdateAgreement:wuxi:air.*" + said):
        read(**changes)


def test_a_period_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="freshness_s"):
        Settings(freshness_s=-1)


# ── how it stands ─────────────────────────────────────────────────────────────────────────────


async def test_ages_are_counted_at_the_node_by_parts_of_the_age_promised(town: Town) -> None:
    await town.promise("wuxi")
    for number, age_s in enumerate((0, 200, 400, 700, 1300, 9000)):
        await town.observe("wuxi", number, age_s=age_s)
    await town.observe("wuxi", 6, age_s=-300)
    await town.write("wuxi", Entity("urn:ngsi-ld:Air:wuxi:none", (AIR,)))
    [one] = (await town.look()).list_standings()
    measure = one.measure
    assert measure is not None
    assert (measure.count, measure.dated, measure.ahead) == (8, 7, 1)
    assert measure.within == (2, 3, 4, 5, 6, 6)
    assert measure.oldest_us == town.time.us - 9000 * US_PER_S
    assert measure.newest_us == town.time.us + 300 * US_PER_S


async def test_each_node_has_its_own_promise_and_its_own_standing(town: Town) -> None:
    await town.promise("wuxi")
    await town.promise("huzhou", measuredBy=None, maxAge=prop("PT1H"))
    await town.observe("wuxi", 1, age_s=601)
    await town.observe("huzhou", 1, age_s=86_400)
    assert await town.states() == {"wuxi": "broken", "huzhou": "kept"}
    town.time.pass_s(3601)
    assert await town.states() == {"wuxi": "broken", "huzhou": "broken"}


async def test_a_share_of_the_objects_may_be_older_when_that_was_promised(town: Town) -> None:
    await town.promise("wuxi", agreedShare=prop(0.5))
    await town.observe("wuxi", 1)
    await town.observe("wuxi", 2, age_s=10_000)
    assert await town.states() == {"wuxi": "kept"}
    await town.observe("wuxi", 3, age_s=10_000)
    town.time.pass_s(60)
    assert await town.states() == {"wuxi": "broken"}


async def test_nothing_is_broken_without_objects_or_out_of_its_time(town: Town) -> None:
    await town.promise("wuxi")
    await town.promise("huzhou", validTo=prop("2026-01-01T00:00:00Z"))
    await town.observe("huzhou", 1, age_s=10_000)
    assert await town.states() == {"wuxi": "empty", "huzhou": "idle"}
    assert await town.breaches() == []


async def test_what_is_wrong_with_a_promise_is_shown(town: Town) -> None:
    await town.promise("wuxi", maxAge=prop("soon"))
    found = await town.look()
    assert found.list_standings() == []
    [(node, fault)] = found.list_faults()
    assert node == "wuxi"
    assert "maxAge: 'soon'" in fault


# ── the breach ────────────────────────────────────────────────────────────────────────────────


def value(entity: Entity, name: str) -> Any:
    instance = entity.instance(TERMS.expand(name))
    assert instance is not None, name
    return instance.get("value", instance.get("object", instance.get("vocab")))


async def test_a_breach_is_raised_once_followed_and_closed(town: Town) -> None:
    await town.promise("wuxi")
    await town.observe("wuxi", 1)
    await town.observe("wuxi", 2)
    await town.look()
    assert await town.breaches() == []
    town.time.pass_s(700)
    for _ in range(3):
        await town.look()
    [breach] = await town.breaches()
    assert breach.id.startswith("urn:ngsi-ld:FreshnessBreach:delta:")
    assert value(breach, "refUpdateAgreement") == "urn:ngsi-ld:UpdateAgreement:wuxi:air"
    assert (value(breach, "atNode"), value(breach, "agreedType")) == ("wuxi", AIR)
    assert (value(breach, "staleCount"), value(breach, "objectCount")) == (2, 2)
    assert (value(breach, "breachCause"), value(breach, "status")) == ("old", "open")
    assert value(breach, "validFrom") == "2026-09-21T14:23:20Z"

    town.time.pass_s(1)
    await town.observe("wuxi", 1)
    await town.look()
    assert value((await town.breaches())[0], "staleCount") == 1
    await town.observe("wuxi", 2)
    town.time.pass_s(1)
    await town.look()
    [breach] = await town.breaches()
    assert (value(breach, "status"), value(breach, "staleCount")) == ("closed", 0)
    assert value(breach, "validTo") == "2026-09-21T14:25:02Z"
    assert await history(town, breach.id, STATUS) == ["closed", "open"]
    assert await history(town, breach.id, TERMS.expand("staleCount")) == [0, 1, 2]


async def history(town: Town, entity_id: str, attribute: str) -> list[Any]:
    query = TemporalQuery(
        Query(selectors=(Selector(ids=(entity_id,)),)), attributes=(attribute,), last_n=10
    )
    [evolution] = (await (await town.region()).store.evolution(query)).evolutions
    return [one.instance["value"] for one in evolution.instances[attribute] if one.instance]


async def test_a_promise_that_breaks_again_is_another_breach(town: Town) -> None:
    await town.promise("wuxi")
    for _ in range(2):
        await town.observe("wuxi", 1)
        await town.look()
        town.time.pass_s(700)
        await town.look()
    found = await town.breaches()
    assert sorted(value(one, "status") for one in found) == ["closed", "open"]


async def test_the_same_measure_is_written_once(town: Town) -> None:
    await town.promise("wuxi")
    await town.observe("wuxi", 1, age_s=10_000)
    await town.look()
    end = await (await town.region()).store.journal_end()
    town.time.pass_s(60)
    await town.look()
    assert await (await town.region()).store.journal_end() == end


async def test_a_breach_ends_with_its_promise(town: Town) -> None:
    await town.promise("wuxi")
    await town.observe("wuxi", 1, age_s=10_000)
    await town.look()
    store = (await town.host.node("wuxi")).store
    await store.apply_all([DeleteEntity("urn:ngsi-ld:UpdateAgreement:wuxi:air")])
    found = await town.look()
    assert found.list_standings() == []
    assert [value(one, "status") for one in await town.breaches()] == ["closed"]


async def test_a_node_that_is_silent_for_longer_than_it_promised_has_broken_its_promise(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.promise("wuxi")
    await town.observe("wuxi", 1)
    await town.look()
    registrations = registrations_of(await town.region())
    away = Registration(id="urn:x:r:wuxi", endpoint=THIS_PROCESS, alias="wuxi", tenant="nowhere")
    home = Registration(id="urn:x:r:wuxi", endpoint=THIS_PROCESS, alias="wuxi", tenant="wuxi")
    await registrations.put(away)
    assert await town.states() == {"wuxi": "unknown"}
    town.time.pass_s(601)
    assert await town.states() == {"wuxi": "broken"}
    [breach] = await town.breaches()
    assert value(breach, "breachCause") == "silent"
    await registrations.put(home)
    await town.observe("wuxi", 1)
    assert await town.states() == {"wuxi": "kept"}
    assert [value(one, "status") for one in await town.breaches()] == ["closed"]


async def test_what_was_known_and_raised_survives_a_restart(tmp_path: Path) -> None:
    time = Time()
    async with town_at(tmp_path, time) as town:
        await register(town, "wuxi")
        await town.promise("wuxi")
        await town.observe("wuxi", 1, age_s=601)
        await town.look()
        [raised] = await town.breaches()
    time.pass_s(100)
    async with town_at(tmp_path, time) as town:
        await register(town, "wuxi")
        [known] = freshness_of(await town.region()).list_standings()
        assert known.measure is not None
        await town.look()
        assert [one.id for one in await town.breaches()] == [raised.id]


async def test_a_node_without_others_looks_after_nothing(tmp_path: Path) -> None:
    async with town_at(tmp_path, Time()) as town:
        store = (await town.region()).store
        await store.apply_all([UpsertEntity(parse_entity(agreement("delta"), TERMS))])
        assert (await town.look()).list_standings() == []
        await register(town, "wuxi")
        assert [one.node for one in (await town.look()).list_standings()] == ["delta"]


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────

LINK = {
    "Link": "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
}
API = "/ngsi-ld/v1"


WAIT_S = 60
"""For what nodes tell each other in turn, on a machine that is busy."""


async def told(region: Served, count: int) -> list[dict[str, Any]]:
    """Wait until there are so many breaches, which are written after a promise is broken."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await region.client.get(f"{API}/entities?type=FreshnessBreach", headers=LINK)
            assert found.status_code == 200, found.text
            breaches: list[dict[str, Any]] = found.json()
            if len(breaches) >= count:
                return breaches
            await asyncio.sleep(0.05)


async def shown(region: Served, state: str) -> dict[str, Any]:
    """Wait until the one promise stands so; give it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            response = await region.client.get("/region/freshness", headers=LINK)
            assert response.status_code == 200, response.text
            answer = response.json()
            if [one["state"] for one in answer["promises"]] == [state]:
                return dict(answer["promises"][0])
            await asyncio.sleep(0.05)


async def test_a_node_elsewhere_is_measured_by_the_words_of_the_standard(tmp_path: Path) -> None:
    async with (
        served(tmp_path, "delta", freshness_s=0.1) as region,
        served(tmp_path, "wuxi", freshness_s=0) as city,
    ):
        await region.register(
            city.url,
            information=[{"entities": [{"type": "Sluice"}, {"type": AGREEMENT}]}],
            contextSourceAlias="wuxi",
        )
        promised = agreement(
            "wuxi",
            agreedType={"type": "VocabProperty", "vocab": "https://example.org/only-here/Sluice"},
            measuredBy={"type": "VocabProperty", "vocab": "https://example.org/only-here/level"},
            maxAge=prop("PT1H"),
        )
        old = {"type": "Property", "value": 3, "observedAt": "2020-01-01T00:00:00Z"}
        new = {**old, "observedAt": fixed(system_clock())}
        sluice = "https://example.org/only-here/"
        await city.put(
            *(
                {"id": f"urn:x:sluice:{n}", "type": sluice + "Sluice", sluice + "level": new}
                for n in range(3)
            )
        )
        context = {"@context": "https://w3id.org/conurb/contexts/conurb-v1.jsonld"}
        response = await city.client.post(
            f"{API}/entities",
            json={**promised, **context},
            headers={"Content-Type": "application/ld+json"},
        )
        assert response.status_code == 201, response.text
        one = await shown(region, "kept")
        assert (one["node"], one["type"]) == ("wuxi", sluice + "Sluice")
        assert (one["measured"]["objects"], one["measured"]["fresh_share"]) == (3, 1.0)
        response = await city.client.patch(
            f"{API}/entities/urn:x:sluice:1/attrs", json={sluice + "level": old}
        )
        assert response.status_code == 204, response.text
        # What is kept isn't measured in every round: the promise is stated anew.
        response = await city.client.patch(
            f"{API}/entities/{promised['id']}/attrs",
            json={"maxAge": prop("PT2H"), **context},
            headers={"Content-Type": "application/ld+json"},
        )
        assert response.status_code == 204, response.text
        one = await shown(region, "broken")
        assert one["broken_since"] == "2020-01-01T02:00:00Z"
        assert one["measured"]["ages"][-1]["objects"] == 2
        assert [breach["atNode"]["value"] for breach in await told(region, 1)] == ["wuxi"]
        metrics = (await region.client.get("/metrics")).text
        assert 'conurb_promise_broken{node="wuxi"' in metrics
        assert re.search(r'conurb_promise_objects\{node="wuxi".*,le="1"\} 2\n', metrics)
