"""The duty desk: who did what, to whom it goes, and what isn't the desk's to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from conurb.http.app import build_app
from conurb.systems.warnings.cap.alert import MsgType
from conurb.systems.warnings.compose import follow

from .nodes import At, Tokens, a_region, soon
from .sources import NOW, an_alert

ORDER = {"kind": "fog", "severity": "Moderate", "headline": "Fog", "cities": ["wuxi"]}


@pytest.fixture(autouse=True)
def members_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for members as often as the test needs: these register after the start."""
    monkeypatch.setattr("conurb.systems.reactions.MEMBERS_S", 0.05)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[At]:
    async with a_region(tmp_path, "suzhou-jiangsu", "wuxi", "shanghai") as at:
        yield at


async def act(
    at: At, target: str, action: str, city: str | None = None, **body: Any
) -> httpx.Response:
    base = "/warnings" if city is None else f"/tenants/{city}/warnings"
    at.clock[0] += 1_000_000
    return await at.http.post(f"{base}/alerts/{target}/{action}", json=body)


async def test_a_desk_is_told_who_asks_and_where_alerts_are_acted_on(desk: At) -> None:
    told = await desk.get("/warnings/desk")
    assert (told["owner"], told["caller"], told["mayAct"]) == ("region", "local", True)
    assert told["desks"] == {
        "region": "/warnings",
        **{one: f"/tenants/{one}/warnings" for one in ("suzhou-jiangsu", "wuxi", "shanghai")},
    }
    [wuxi] = [one for one in told["cities"] if one["id"] == "wuxi"]
    assert (wuxi["name"], wuxi["province"]["zh"]) == ({"zh": "无锡市", "en": "Wuxi"}, "江苏省")
    assert {"key": "fog", "name": {"zh": "大雾", "en": "Fog"}} in told["kinds"]
    app = build_app(desk.host, desk.settings, tokens=Tokens())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        bearer = {"Authorization": "Bearer reader"}
        seen = (await client.get("/warnings/desk", headers=bearer)).json()
        assert (seen["caller"], seen["mayAct"]) == ("reader", False)


async def test_everything_that_goes_out_stands_in_one_log_with_who_did_it(desk: At) -> None:
    made = await desk.http.post("/warnings/issue", json={**ORDER, "actor": "Li"})
    issued = made.json()["id"]
    own = (await desk.http.post("/tenants/wuxi/warnings/issue", json=ORDER)).json()["id"]
    assert (await act(desk, issued, "cancel", actor="Wang", note="mistake")).status_code == 201
    assert (await act(desk, own, "clear", "wuxi", actor="Zhao")).status_code == 201
    log = await desk.get("/warnings/log")
    assert [(one["action"], one["actor"], one["target"]) for one in log[:2]] == [
        ("clear", "Zhao", own),
        ("cancel", "Wang", issued),
    ]
    assert {(one["action"], one["actor"]) for one in log[2:]} == {
        ("issue", "Li"),
        ("issue", "local"),
    }
    assert log[1]["note"] == "mistake"
    assert log[1]["title"]["en"] == "Fog"
    assert {one["account"] for one in log} == {"local"}
    only = await desk.get("/warnings/log", target=own)
    assert [one["action"] for one in only] == ["clear", "issue"]


async def test_what_was_refused_is_not_in_the_log(desk: At) -> None:
    spoilt = await desk.http.post("/warnings/issue", json={**ORDER, "severity": "Awful"})
    long = await desk.http.post("/warnings/issue", json={**ORDER, "note": "x" * 2_001})
    assert (spoilt.status_code, long.status_code) == (400, 400)
    assert await desk.get("/warnings/log") == []
    assert await desk.get("/warnings/alerts") == []


async def test_only_its_sender_may_end_an_alert(desk: At) -> None:
    row = (await desk.post(an_alert("wuxi", sender="w@elsewhere.example"), "wuxi")).json()
    for action in ("cancel", "clear"):
        refused = await act(desk, row["id"], action, "wuxi")
        assert (refused.status_code, "who alone may" in refused.text) == (409, True)
    [shown] = await desk.get("/warnings/alerts")
    assert (shown["own"], shown["state"], shown["scope"]) == (False, "active", "Public")
    assert (await act(desk, row["id"], "acknowledge", "wuxi", actor="Li")).status_code == 201
    [shown] = await desk.get("/warnings/alerts")
    assert shown["acknowledgedBy"] == ["Li"]


async def test_an_event_is_released_to_cities_and_so_are_the_alerts_that_it_consists_of(
    desk: At,
) -> None:
    alert = an_alert("wuxi", sender="w@wuxi")
    await desk.post(alert, "wuxi")
    [event] = await soon(desk.events)
    assert await entries(desk, "shanghai") == 0
    done = await act(desk, event["id"], "release", cities=["shanghai"], actor="Li")
    assert done.status_code == 201, done.text
    assert await entries(desk, "shanghai") == 1
    assert await entries(desk, "hefei") == 0
    [row] = (await desk.http.get("/warnings/alerts", params={"city": "shanghai"})).json()
    assert row["releasedTo"] == []  # it is the event that was released
    ended = await act(desk, event["id"], "cancel")
    assert (ended.status_code, "ends when its alerts do" in ended.text) == (400, True)
    update = follow(alert, MsgType.UPDATE, sent=NOW + timedelta(minutes=1))
    await desk.post(update, "wuxi")
    await soon(lambda: _two_statements(desk))
    assert await entries(desk, "shanghai") == 1  # the update, in place of what it supersedes


async def entries(at: At, city: str) -> int:
    feed = await at.http.get("/warnings/feed.atom", params={"city": city})
    return len(etree.fromstring(feed.content).findall("{*}entry"))


async def _two_statements(at: At) -> bool:
    events = await at.events()
    return bool(events) and len(events[0]["statements"]) == 2


async def test_an_exercise_says_so_and_never_joins_what_is_real(desk: At) -> None:
    await desk.http.post("/warnings/issue", json={**ORDER, "exercise": True})
    await desk.post(an_alert("wuxi", kind="fog"), "wuxi")

    async def two() -> Any:
        found = await desk.events()
        return found if len(found) == 2 else None

    assert {one["provenance"] for one in await soon(two)} == {"live", "simulated"}
    rows = await desk.get("/warnings/alerts")
    assert {(one["status"], one["provenance"]) for one in rows} == {
        ("Exercise", "simulated"),
        ("Actual", "live"),
    }
