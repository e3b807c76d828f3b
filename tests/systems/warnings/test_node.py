"""Warnings at a node and at a region, over HTTP and the journal as a user meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from lxml import etree

from conurb.access.caller import Caller
from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import UnauthenticatedError
from conurb.federation.region import registrations_of
from conurb.http.app import build_app
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.query.tree import Query, Selector
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.node.host import Host
from conurb.systems.contract import Message, Site
from conurb.systems.provenance import marked
from conurb.systems.warnings.cap.alert import Alert, MsgType, Scope, to_us
from conurb.systems.warnings.cap.edxl import read_envelope
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.signature import read_certificates, verify
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.compose import follow
from conurb.systems.warnings.expiring import expire
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.querying import count, query_of
from conurb.systems.warnings.regional import EVENT
from conurb.systems.warnings.replay import read_episode, read_snapshot, replays
from conurb.systems.warnings.system import SYSTEM
from tests.systems.places import entity, until

from .certificates import make_certificate
from .sources import DATA, NOW, an_alert, needs_data, read_data

CAP = {"Content-Type": "application/cap+xml"}
PATIENCE_S = 30.0


class At:
    """A region with some cities, its application, and a clock in the test's hands."""

    def __init__(
        self, host: Host, client: httpx.AsyncClient, clock: list[int], settings: Settings
    ) -> None:
        self.host, self.http, self.clock, self.settings = host, client, clock, settings

    async def post(self, alert: Alert, city: str | None = None, **params: str) -> httpx.Response:
        tenant = {} if city is None else {"NGSILD-Tenant": city}
        return await self.http.post(
            "/warnings/cap", content=write(alert), headers={**CAP, **tenant}, params=params
        )

    async def get(self, path: str, city: str | None = None, **params: str) -> Any:
        tenant = {} if city is None else {"NGSILD-Tenant": city}
        answer = await self.http.get(path, headers=tenant, params=params)
        assert answer.is_success, answer.text
        return answer.json()

    async def put(self, document: dict[str, Any], city: str | None = None) -> None:
        node = await self.host.node(city)
        [change] = await node.store.apply_all([UpsertEntity(entity(document))])
        assert change.kind

    async def events(self, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.get("/warnings/events", **params)
        return found


@asynccontextmanager
async def a_region(
    home: Path, *cities: str, store: str | None = None, **options: Any
) -> AsyncIterator[At]:
    clock = [to_us(NOW)]
    settings = Settings(
        store=store or str(home / "node.db"),
        data_folder=home,
        systems=("warnings",),
        system={"warnings": options},
        node_id="region" if cities else "suzhou-jiangsu",
    )
    host = build_host(settings, clock=lambda: clock[0])
    await host.open()
    for city in cities:
        await host.node(city, create=True)
        await registrations_of(await host.node(None)).put(
            Registration(
                id=f"urn:ngsi-ld:ContextSourceRegistration:r:{city}",
                endpoint=THIS_PROCESS,
                alias=city,
                tenant=city,
                operations=FEDERATION_OPS,
            )
        )
    app = build_app(host, settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        yield At(host, client, clock, settings)
    await host.close()


@pytest.fixture(autouse=True)
def members_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for members as often as the test needs: these register after the start."""
    monkeypatch.setattr("conurb.systems.reactions.MEMBERS_S", 0.05)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[At]:
    async with a_region(tmp_path) as at:
        yield at


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[At]:
    async with a_region(tmp_path, "suzhou-jiangsu", "wuxi", "shanghai", "hefei") as at:
        yield at


async def soon(done: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until something is there, and give it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await done()
            if found:
                return found
            await asyncio.sleep(0.02)


async def done_with(at: At, part: str, records: int) -> None:
    """Wait until a reaction has read so many records and stored what came of them."""

    async def read() -> bool:
        [system] = await at.get("/systems")
        return any(one["name"] == part and one["read"] >= records for one in system["parts"])

    await soon(read)


# ── receiving and life cycle ──────────────────────────────────────────────────────────────────


@needs_data
async def test_a_public_alert_is_kept_as_it_came_and_given_again(node: At) -> None:
    document = read_data("alerts/google_australia.cap")
    answer = await node.http.post("/warnings/cap", content=document, headers=CAP)
    assert answer.status_code == 201, answer.text
    row = answer.json()
    again = await node.http.get(f"/warnings/alerts/{row['id']}.cap")
    assert again.headers["content-type"] == "application/cap+xml"
    assert again.content == document
    shown = await node.get(f"/warnings/alerts/{row['id']}")
    assert (shown["kind"], shown["severity"], shown["sender"]) == (
        "buildingFire",
        "low",
        "webmaster@rfs.nsw.gov.au",
    )


@needs_data
async def test_an_alert_of_cap_1_1_is_given_again_as_cap_1_2(node: At) -> None:
    document = read_data("alerts/google_earthquake.cap")
    answer = await node.http.post("/warnings/cap", content=document, headers=CAP)
    given = await node.http.get(f"/warnings/alerts/{answer.json()['id']}.cap")
    assert b"cap:1.2" in given.content
    assert read(given.content) == read(document)


@needs_data
@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("alerts/google_invalid.cap", 400, "alert/scope: is missing"),
        ("standards/cap/sc/invalid_digest.xml", 403, "the signature doesn't hold"),
        ("alerts/google_canada.cap", 404, "none of the messages that it refers to"),
    ],
)
async def test_what_is_invalid_forged_or_refers_to_nothing_is_refused_and_nothing_is_kept(
    node: At, name: str, status: int, said: str
) -> None:
    answer = await node.http.post("/warnings/cap", content=read_data(name), headers=CAP)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert await node.get("/warnings/alerts", state="all") == []


@needs_data
async def test_a_valid_signature_is_told_and_may_be_asked_for(node: At, tmp_path: Path) -> None:
    signed = read_data("standards/cap/sc/valid.xml")
    row = (await node.http.post("/warnings/cap", content=signed, headers=CAP)).json()
    assert (row["signature"], row["signer"]) == ("valid", "CN=www.meteo.sc")
    async with a_region(tmp_path / "strict", require_signature=True) as strict:
        refused = await strict.post(an_alert("suzhou-jiangsu"))
        assert (refused.status_code, "signed messages only" in refused.text) == (403, True)


async def test_what_a_node_issues_is_signed_when_it_has_a_key(tmp_path: Path) -> None:
    key, certificate, _ = make_certificate("suzhou")
    for name, pem in (("key", key), ("certificate", certificate)):
        (tmp_path / name).write_bytes(pem)
    options = {
        "signing_key": str(tmp_path / "key"),
        "signing_certificate": str(tmp_path / "certificate"),
        "trusted_certificates": str(tmp_path / "certificate"),
        "require_trusted": True,
    }
    async with a_region(tmp_path, **options) as at:
        await at.put(air(200.0, NOW))
        [row] = await soon(lambda: at.get("/warnings/alerts"))
        document = (await at.http.get(f"/warnings/alerts/{row['id']}.cap")).content
        verdict = verify(document, at=NOW, trusted=read_certificates(certificate))
        assert (verdict.state, verdict.trusted, row["signature"]) == ("valid", True, "valid")
        unsigned = await at.post(an_alert("suzhou-jiangsu"))
        assert unsigned.status_code == 403


async def test_a_message_twice_is_one_object(node: At) -> None:
    first = await node.post(an_alert("suzhou-jiangsu"))
    second = await node.post(an_alert("suzhou-jiangsu"))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert second.json()["known"] is True
    assert len(await node.get("/warnings/alerts")) == 1


async def test_update_cancel_and_all_clear_go_along_the_chain(node: At) -> None:
    first = an_alert("suzhou-jiangsu")
    second = follow(first, MsgType.UPDATE, sent=NOW + timedelta(minutes=1))
    over = follow(second, MsgType.UPDATE, sent=NOW + timedelta(minutes=2), all_clear=True)
    for alert in (first, second, over):
        assert (await node.post(alert)).status_code == 201
    states = {
        one["issued"][14:16]: one["state"]
        for one in await node.get("/warnings/alerts", state="all")
    }
    assert states == {"00": "superseded", "01": "cleared", "02": "cleared"}
    late = follow(second, MsgType.CANCEL, sent=NOW + timedelta(minutes=3))
    refused = await node.post(late)
    assert (refused.status_code, "is cleared already" in refused.text) == (409, True)


async def test_the_clock_of_the_map_shows_what_was_in_force_then(region: At) -> None:
    first = an_alert("wuxi")
    await region.post(first, "wuxi")
    [event] = await soon(region.events)
    region.clock[0] += 3600 * 1_000_000
    over = follow(first, MsgType.UPDATE, sent=NOW + timedelta(hours=1), all_clear=True)
    await region.post(over, "wuxi")
    await until(lambda: _no_events(region))
    main = await region.host.node(None)
    half_past = to_us(NOW + timedelta(minutes=30))
    for object_id, city in ((event["id"], None), (event["statements"][0]["alert"], "wuxi")):
        node = main if city is None else await region.host.node(city)
        query = Query(selectors=(Selector(ids=(object_id,)),))
        [then] = (await node.store.query(query, at_us=half_past)).entities
        [now] = (await node.store.query(query)).entities
        assert Held(then).text("alertState") == "active"
        assert Held(now).text("alertState") in ("over", "cleared")
        before = (await node.store.query(query, at_us=to_us(NOW - timedelta(hours=1)))).entities
        assert [Held(one).text("alertState") for one in before] in ([], [""])


async def test_an_update_of_what_is_not_known_is_taken_when_asked(node: At) -> None:
    update = follow(an_alert("wuxi"), MsgType.UPDATE, sent=NOW + timedelta(minutes=1))
    assert (await node.post(update)).status_code == 404
    assert (await node.post(update, missing="accept")).json()["state"] == "active"


async def test_an_alert_expires_when_its_time_is_over(node: At) -> None:
    await node.post(an_alert("suzhou-jiangsu", hours=1))
    node.clock[0] += to_us(NOW + timedelta(hours=2)) - to_us(NOW)
    assert await node.get("/warnings/alerts") == []  # at once, not when it is next looked at
    from conurb.systems.contract import Site

    main = await node.host.node(None)
    site = Site("warnings", main, frozenset({"node"}), main.delivery.outbound, Path())
    await main.store.apply_all(await expire(site, node.clock[0]))
    assert await node.get("/warnings/alerts") == []
    [row] = await node.get("/warnings/alerts", state="expired")
    assert row["cities"] == ["suzhou-jiangsu"]


async def test_an_alert_that_comes_after_its_time_is_kept_as_expired(node: At) -> None:
    late = await node.post(an_alert("suzhou-jiangsu", at=NOW - timedelta(days=1)))
    assert (late.status_code, late.json()["state"]) == (201, "expired")


async def test_a_feed_that_was_published_can_be_taken_in_elsewhere(
    node: At, tmp_path: Path
) -> None:
    first = an_alert("suzhou-jiangsu")
    await node.post(first)
    await node.post(follow(first, MsgType.UPDATE, sent=NOW + timedelta(minutes=1)))
    await node.post(an_alert("wuxi"))
    feed = await node.http.get("/warnings/feed.atom")
    assert feed.headers["content-type"] == "application/atom+xml"
    assert len(etree.fromstring(feed.content).findall("{*}entry")) == 2
    only = await node.http.get("/warnings/feed.atom", params={"city": "wuxi"})
    assert len(etree.fromstring(only.content).findall("{*}entry")) == 1
    async with a_region(tmp_path / "other") as other:
        answer = await other.http.post(
            "/warnings/cap", content=feed.content, headers=CAP, params={"missing": "accept"}
        )
        assert len(answer.json()["received"]) == 2
        assert len(await other.get("/warnings/alerts")) == 2


async def test_an_envelope_names_the_cities_and_can_be_taken_in(node: At, tmp_path: Path) -> None:
    row = (await node.post(an_alert("suzhou-jiangsu"))).json()
    act = {"cities": ["wuxi", "shanghai"], "actor": "Li", "note": "downwind"}
    done = await node.http.post(f"/warnings/alerts/{row['id']}/release", json=act)
    assert done.status_code == 201, done.text
    document = (await node.http.get(f"/warnings/alerts/{row['id']}.edxl")).content
    assert read_envelope(document).city_codes == ("320200", "310000")
    async with a_region(tmp_path / "other") as other:
        taken = await other.http.post("/warnings/cap", content=document, headers=CAP)
        assert (taken.status_code, taken.json()["cities"]) == (201, ["suzhou-jiangsu"])


class Tokens:
    """Two callers; whoever else comes is nobody."""

    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        rights = {"writer": {"read", "write"}, "reader": {"read"}}
        if bearer not in rights:
            raise UnauthenticatedError("who are you?")
        return Caller(bearer, frozenset(rights[bearer]))  # type: ignore[arg-type]


async def test_what_is_public_is_open_to_all_and_the_rest_needs_a_right(node: At) -> None:
    open_one = an_alert("suzhou-jiangsu")
    closed = replace(an_alert("suzhou-jiangsu", kind="fog"), scope=Scope.PRIVATE, addresses=("a",))
    ids = [(await node.post(one)).json()["id"] for one in (open_one, closed)]
    app = build_app(node.host, node.settings, tokens=Tokens())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        feed = await client.get("/warnings/feed.atom")
        assert len(etree.fromstring(feed.content).findall("{*}entry")) == 1
        assert (await client.get(f"/warnings/alerts/{ids[0]}.cap")).content == write(open_one)
        for path in (f"{ids[1]}.cap", ids[0], f"{ids[0]}.edxl"):
            assert (await client.get(f"/warnings/alerts/{path}")).status_code == 403
        assert (await client.get("/warnings/alerts")).status_code == 401
        reader = {"Authorization": "Bearer reader"}
        assert (await client.get(f"/warnings/alerts/{ids[1]}.cap", headers=reader)).is_success
        sent = await client.post("/warnings/cap", content=write(open_one), headers=reader)
        assert sent.status_code == 403
        act = await client.post(f"/warnings/alerts/{ids[0]}/acknowledge", json={}, headers=reader)
        assert act.status_code == 403


async def test_a_watched_folder_brings_messages_in_once_and_sets_garbage_aside(
    tmp_path: Path,
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "1.xml").write_bytes(write(an_alert("wuxi")))
    (inbox / "2.xml").write_bytes(b"<not-cap/>")
    async with a_region(tmp_path, folder=str(inbox)) as at:
        await soon(lambda: at.get("/warnings/alerts"))
        (inbox / "3.xml").write_bytes(write(an_alert("wuxi")))
        (inbox / "4.xml").write_bytes(write(an_alert("shanghai")))
        await soon(lambda: _kept(at, 2))
        await until(lambda: bool(list(tmp_path.rglob("*dead*"))))
        assert len(await at.get("/warnings/alerts", state="all")) == 2


async def _kept(at: At, count: int) -> bool:
    return len(await at.get("/warnings/alerts")) == count


async def test_the_duty_desk_keeps_a_log(node: At) -> None:
    row = (await node.post(an_alert("suzhou-jiangsu"))).json()
    path = f"/warnings/alerts/{row['id']}"
    await node.http.post(f"{path}/acknowledge", json={"actor": "Li", "note": "seen"})
    node.clock[0] += 1_000_000
    await node.http.post(f"{path}/release", json={"actor": "Wang", "cities": ["wuxi"]})
    shown = await node.get(path)
    assert (shown["acknowledged"], shown["releasedTo"]) == (True, ["wuxi"])
    log = await node.get("/warnings/log")
    assert [(one["action"], one["actor"], one["cities"]) for one in log] == [
        ("release", "Wang", ["wuxi"]),
        ("acknowledge", "Li", []),
    ]
    assert log[1]["note"] == "seen"
    wrong = await node.http.post(f"{path}/release", json={"cities": ["atlantis"]})
    assert (wrong.status_code, "atlantis" in wrong.text) == (400, True)


async def test_an_alert_is_issued_from_plain_words_and_withdrawn(node: At) -> None:
    order = {"kind": "fog", "severity": "Moderate", "headline": "Fog", "cities": ["wuxi"]}
    row = (await node.http.post("/warnings/issue", json=order)).json()
    message = read((await node.http.get(f"/warnings/alerts/{row['id']}.cap")).content)
    assert [info.event for info in message.infos] == ["大雾", "Fog"]
    node.clock[0] += 60_000_000
    gone = await node.http.post(f"/warnings/alerts/{row['id']}/cancel", json={"note": "mistake"})
    assert gone.status_code == 201, gone.text
    assert await node.get("/warnings/alerts") == []
    for spoilt, said in (
        ({"severity": "Awful"}, "Awful"),
        ({"cities": ["x"]}, "'x'"),
        ({"colour": "red"}, "colour"),
        ({"headline": ""}, "headline"),
    ):
        refused = await node.http.post("/warnings/issue", json={**order, **spoilt})
        assert (refused.status_code, said in refused.text) == (400, True), refused.text


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


def air(pm25: float, at: datetime, city: str = "suzhou-jiangsu", name: str = "1") -> dict[str, Any]:
    places = {"suzhou-jiangsu": [120.6, 31.3], "wuxi": [120.3, 31.5], "shanghai": [121.47, 31.23]}
    moment = at.isoformat().replace("+00:00", "Z")
    return {
        "id": f"urn:ngsi-ld:AirQualityObserved:{city}:{name}",
        "type": "AirQualityObserved",
        "location": {"type": "Point", "coordinates": places[city]},
        "dateObserved": moment,
        "pm25": {"type": "Property", "value": pm25, "unitCode": "GQ", "observedAt": moment},
    }


def water(ammonia: float, at: datetime) -> dict[str, Any]:
    moment = at.isoformat().replace("+00:00", "Z")
    return {
        "id": "urn:ngsi-ld:WaterQualityObserved:wuxi:th",
        "type": "WaterQualityObserved",
        "name": "沙渚",
        "location": {"type": "Point", "coordinates": [120.1347, 31.3028]},
        "dateObserved": moment,
        "waterBodyKind": "lake",
        "NH3": {"type": "Property", "value": ammonia, "observedAt": moment},
        "O2": {"type": "Property", "value": 8.0, "observedAt": moment},
    }


async def test_polluted_air_raises_changes_and_clears_a_warning_with_hysteresis(node: At) -> None:
    # PM2.5 of 120, 200, 108 and 60 ug/m3 is an index of 158, 250, 142 and 82.
    seen = []
    for hour, pm25 in enumerate((60, 120, 200, 108, 60)):
        await node.put(air(pm25, NOW + timedelta(hours=hour)))
        await done_with(node, "watch-air", 2 * (hour + 1))  # each gets its index, too
        rows = await node.get("/warnings/alerts")
        seen.append([one["severity"] for one in rows])
    assert seen == [[], ["medium"], ["high"], ["medium"], []]
    rows = await node.get("/warnings/alerts", state="all")
    assert [one["state"] for one in rows] == ["cleared", "cleared", "superseded", "superseded"]
    assert rows[0]["headline"]["zh"] == "苏州市空气质量良,AQI 82"
    last = await node.http.get(f"/warnings/alerts/{rows[0]['id']}.cap")
    assert read(last.content).all_clear
    assert len(read(last.content).references) == 3


async def test_a_station_that_states_no_index_gets_one_and_one_that_does_keeps_it(
    node: At,
) -> None:
    own = {**air(48.0, NOW, name="own"), "airQualityIndex": 99}
    await node.put(own)
    for hour, pm25 in enumerate((48.0, 75.0)):
        await node.put(air(pm25, NOW + timedelta(hours=hour)))
    main = await node.host.node(None)

    async def indexed() -> Any:
        page = await main.store.query(query_of("AirQualityObserved"))
        found = {one.id: Held(one) for one in page.entities}
        return found if found[other_id].find("airQualityIndex") == 100 else None

    other_id = str(air(1, NOW)["id"])
    stored = await soon(indexed)
    assert stored[own["id"]].find("airQualityIndex") == 99
    assert stored[other_id].find("airQualityLevel") == "moderate"
    assert stored[other_id].find("primaryPollutant") == ["pm25"]
    end = await main.store.journal_end()
    await done_with(node, "watch-air", end)
    assert await main.store.journal_end() == end  # it came to rest


async def test_one_polluted_station_of_many_is_not_a_polluted_city(node: At) -> None:
    for number in range(4):
        await node.put(air(20.0, NOW, name=str(number)))
    await node.put(air(200.0, NOW, name="4"))
    await done_with(node, "watch-air", 10)  # each gets its index, too
    assert await node.get("/warnings/alerts") == []


async def test_bad_water_raises_a_warning_at_its_place(node: At) -> None:
    await node.put(water(1.2, NOW))
    [row] = await soon(lambda: node.get("/warnings/alerts"))
    assert (row["kind"], row["severity"]) == ("waterPollution", "low")
    assert row["headline"]["zh"] == "沙渚水质Ⅳ类,目标Ⅲ类"
    await node.put(water(0.95, NOW + timedelta(hours=1)))  # class III, but not by 10 %
    await done_with(node, "watch-water", 2)
    assert len(await node.get("/warnings/alerts")) == 1
    await node.put(water(0.8, NOW + timedelta(hours=2)))
    await soon(lambda: _none(node))


async def _none(at: At) -> bool:
    return not await at.get("/warnings/alerts")


async def test_the_same_observations_again_make_the_same_alert(node: At, tmp_path: Path) -> None:
    await node.put(air(130.0, NOW))
    [row] = await soon(lambda: node.get("/warnings/alerts"))
    async with a_region(tmp_path / "again") as other:
        await other.put(air(130.0, NOW))
        [same] = await soon(lambda: other.get("/warnings/alerts"))
    assert same == row


@pytest.mark.parametrize("end", ["cleared", "deleted"])
async def test_an_alarm_of_another_system_becomes_an_alert_and_its_end_the_all_clear(
    node: At, end: str
) -> None:
    alarm = {
        "id": "urn:ngsi-ld:Alert:suzhou-jiangsu:bridge-7",
        "type": "Alert",
        "category": "security",
        "subCategory": "bridgeDamage",
        "severity": "high",
        "alertState": "active",
        "validFrom": {"@type": "DateTime", "@value": "2026-11-22T07:50:00Z"},
        "headline": {"languageMap": {"en": "Yonghe bridge", "zh": "永和大桥"}},
        "description": {"languageMap": {"en": "Frequency fell by 4 %", "zh": "频率下降4%"}},
        "location": {"type": "Point", "coordinates": [120.6, 31.3]},
    }
    await node.put(alarm)
    rows = await soon(lambda: _ours(node))
    assert (rows[0]["kind"], rows[0]["severity"], rows[0]["cities"]) == (
        "bridgeDamage",
        "high",
        ["suzhou-jiangsu"],
    )
    message = read((await node.http.get(f"/warnings/alerts/{rows[0]['id']}.cap")).content)
    assert [(info.headline, info.description) for info in message.infos] == [
        ("永和大桥", "频率下降4%"),
        ("Yonghe bridge", "Frequency fell by 4 %"),
    ]
    assert message.sent == NOW - timedelta(minutes=10)
    if end == "cleared":
        await node.put({**alarm, "alertState": "cleared"})
    else:
        main = await node.host.node(None)
        await main.store.apply_all([DeleteEntity(str(alarm["id"]))])
    await until(lambda: _gone(node))


async def _ours(at: At) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await at.get("/warnings/alerts")
    return [one for one in rows if one["sender"] == "warnings@suzhou-jiangsu"]


async def _gone(at: At) -> bool:
    return not await _ours(at)


async def test_a_small_alarm_is_no_warning(node: At) -> None:
    await node.put(
        {"id": "urn:ngsi-ld:Alert:x:1", "type": "Alert", "severity": "low", "subCategory": "fog"}
    )
    await done_with(node, "pick-up-alarms", 1)
    assert await _ours(node) == []


# ── the region ────────────────────────────────────────────────────────────────────────────────


async def test_what_neighbouring_cities_say_becomes_one_event_with_who_said_what(
    region: At,
) -> None:
    await region.post(an_alert("suzhou-jiangsu", sender="w@suzhou"), "suzhou-jiangsu")
    await region.post(an_alert("shanghai", sender="w@shanghai"), "shanghai")
    await region.post(an_alert("hefei", sender="w@hefei"), "hefei")

    async def two() -> Any:
        found = await region.events()
        return found if sorted(len(one["statements"]) for one in found) == [1, 2] else None

    events = await soon(two)
    [joint] = [one for one in events if len(one["statements"]) == 2]
    assert joint["cities"] == ["shanghai", "suzhou-jiangsu"]
    assert {(one["city"], one["sender"]) for one in joint["statements"]} == {
        ("suzhou-jiangsu", "w@suzhou"),
        ("shanghai", "w@shanghai"),
    }
    assert joint["severity"] == "high"
    assert "wuxi" not in joint["cities"]


@pytest.mark.postgres
async def test_a_region_on_postgresql_does_the_same(tmp_path: Path, postgres_url: str) -> None:
    store = f"{postgres_url}?schema=warnings"
    async with a_region(tmp_path, "suzhou-jiangsu", "shanghai", store=store) as at:
        await at.put(air(220.0, NOW), "suzhou-jiangsu")
        await at.put(air(120.0, NOW, city="shanghai"), "shanghai")

        async def joint() -> Any:
            found = await at.events()
            return found if found and len(found[0]["statements"]) == 2 else None

        [event] = await soon(joint)
        assert (event["cities"], event["severity"]) == (["shanghai", "suzhou-jiangsu"], "high")
        await at.put(air(20.0, NOW + timedelta(hours=1)), "suzhou-jiangsu")
        await at.put(air(20.0, NOW + timedelta(hours=1), city="shanghai"), "shanghai")
        await soon(lambda: _no_events(at))


async def test_merging_and_splitting_are_told_in_the_events(region: At) -> None:
    middle = an_alert("suzhou-jiangsu", sender="w@suzhou", at=NOW + timedelta(minutes=2))
    await region.post(an_alert("wuxi", sender="w@wuxi"), "wuxi")
    await region.post(
        an_alert("shanghai", sender="w@sh", at=NOW + timedelta(minutes=1)), "shanghai"
    )
    apart = await soon(lambda: _count(region, 2))
    await region.post(middle, "suzhou-jiangsu")
    [joined] = await soon(lambda: _count(region, 1))
    left = next(one for one in apart if one["cities"] == ["wuxi"])
    right = next(one for one in apart if one["cities"] == ["shanghai"])
    assert (joined["id"], joined["mergedFrom"]) == (left["id"], [right["id"]])
    every = {one["id"]: one for one in await region.events(state="all")}
    assert (every[right["id"]]["state"], every[right["id"]]["mergedInto"]) == (
        "merged",
        left["id"],
    )
    cancel = follow(middle, MsgType.CANCEL, sent=NOW + timedelta(minutes=5))
    assert (await region.post(cancel, "suzhou-jiangsu")).status_code == 201
    parted = {one["id"]: one for one in await soon(lambda: _count(region, 2))}
    assert set(parted) == {left["id"], right["id"]}
    assert parted[right["id"]]["splitFrom"] == left["id"]
    assert parted[right["id"]]["mergedInto"] is None
    main = await region.host.node(None)
    for rule in SYSTEM.types:
        for one in (await main.store.query(query_of(rule.term))).entities:
            rule.examine(one)
    site = Site("x", main, frozenset(), main.delivery.outbound, Path())
    assert await count(site, query_of(EVENT)) == 2


async def _count(at: At, count: int) -> Any:
    found = await at.events()
    return found if len(found) == count else None


async def test_what_comes_after_the_all_clear_is_another_event(region: At) -> None:
    first = an_alert("wuxi", sender="w@wuxi")
    await region.post(first, "wuxi")
    [before] = await soon(region.events)
    over = follow(first, MsgType.UPDATE, sent=NOW + timedelta(minutes=10), all_clear=True)
    await region.post(over, "wuxi")
    await soon(lambda: _no_events(region))
    region.clock[0] += 4 * 3600 * 1_000_000
    again = an_alert("wuxi", sender="w@wuxi", at=NOW + timedelta(hours=4))  # slack: 3 hours
    await region.post(again, "wuxi")
    [after] = await soon(region.events)
    assert before["id"] != after["id"]
    assert [one["state"] for one in after["statements"]] == ["active"]


async def test_air_pollution_is_forecast_downwind_by_the_wind_that_cities_observe(
    region: At,
) -> None:
    moment = NOW.isoformat().replace("+00:00", "Z")
    wind = {
        "id": "urn:ngsi-ld:WeatherObserved:suzhou-jiangsu:1",
        "type": "WeatherObserved",
        "location": {"type": "Point", "coordinates": [120.6, 31.3]},
        "dateObserved": moment,
        "windSpeed": 5.0,
        "windDirection": 285.0,
    }
    await region.put(wind, "suzhou-jiangsu")
    await region.put(air(220.0, NOW), "suzhou-jiangsu")

    async def forecast() -> Any:
        found = await region.events()
        return found[0]["forecast"] if found else None

    told = {one["city"]: one for one in await soon(forecast)}
    assert told["shanghai"]["probability"] > 0.7
    assert "wuxi" not in told
    begin = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    one = told["shanghai"]
    assert begin < one["earliest"] < one["expected"] < one["latest"]
    await region.put(air(20.0, NOW + timedelta(hours=1)), "suzhou-jiangsu")
    await until(lambda: _no_events(region))
    await until(lambda: _no_forecasts(region))


async def _no_events(at: At) -> bool:
    return await at.events() == []


async def _no_forecasts(at: At) -> bool:
    main = await at.host.node(None)
    return (await main.store.query(query_of("ArrivalForecast"))).entities == []


async def test_water_pollution_is_forecast_downstream(region: At) -> None:
    await region.put(water(2.5, NOW), "wuxi")

    async def forecast() -> Any:
        found = await region.events()
        return found[0]["forecast"] if found else None

    told = {one["city"]: one for one in await soon(forecast)}
    assert {"jiaxing", "shanghai"} <= set(told)
    assert all(one["probability"] is None and one["medium"] == "water" for one in told.values())
    asked = await region.get("/warnings/forecast", longitude="118.72", latitude="32.09")
    assert asked["arrivals"][0]["city"] == "yangzhou"
    assert asked["modelled"] is True


# ── replay ────────────────────────────────────────────────────────────────────────────────────


@needs_data
async def test_a_replayed_hour_and_a_simulated_episode_say_so_on_every_object(
    tmp_path: Path,
) -> None:
    async with a_region(tmp_path, "wuxi") as at:
        main = await at.host.node("wuxi")
        site = Site(
            "warnings",
            main,
            frozenset({"node"}),
            main.delivery.outbound,
            tmp_path,
            recordings=DATA,
            replay=True,
        )
        found = {one.name: one for one in replays(site)}
        assert set(found) == {"air-episode", "air-snapshot"}
        entries: Any = found["air-snapshot"].source
        recorded = next(iter(entries.entries()))
        message = Message(recorded.body, at_us=at.clock[0], provenance="replayed")
        operations = marked(await read_snapshot(message, site), "replayed")
        assert len(operations) == 12
        await main.store.apply_all(operations)
        simulated: Any = found["air-episode"].source
        [body] = simulated.step(1, 5 * 60 * 1_000_000, Random(1))
        step = Message(body, at_us=at.clock[0], provenance="simulated")
        await main.store.apply_all(marked(await read_episode(step, site), "simulated"))
        [event] = await soon(at.events)
        assert event["provenance"] == "simulated"
        [row] = await at.get("/warnings/alerts")
        assert row["provenance"] == "simulated"
        cap = read((await at.http.get(f"/warnings/alerts/{row['id']}.cap")).content)
        assert cap.status == "Exercise"
        assert "Simulated" in (cap.note or "")
        stored = await main.store.query(query_of("AirQualityObserved"))
        assert {Held(one).provenance for one in stored.entities} == {"replayed", "simulated"}
