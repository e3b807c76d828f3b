"""Messages at a node: received, judged, filed, followed along their chains, and given again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from lxml import etree

from conurb.http.app import build_app
from conurb.model.query.tree import Query, Selector
from conurb.systems.contract import Site
from conurb.systems.warnings.cap.alert import MsgType, Scope, to_us
from conurb.systems.warnings.cap.edxl import read_envelope
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.signature import read_certificates, verify
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.compose import follow
from conurb.systems.warnings.expiring import expire
from conurb.systems.warnings.objects import Held
from tests.systems.places import until

from .certificates import make_certificate
from .nodes import CAP, At, Tokens, a_region, air, no_events, soon
from .sources import NOW, an_alert, needs_data, read_data


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
    await until(lambda: no_events(region))
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
