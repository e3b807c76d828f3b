"""Rules at a node: observations and alarms become warnings, and their all-clear."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conurb.model.operations.entity import DeleteEntity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import NODE, Site
from conurb.systems.warnings.cap.alert import MsgType
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.expiring import expire
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.querying import query_of
from tests.systems.places import until

from .nodes import At, a_region, air, done_with, none_at, soon, water
from .sources import NOW

HOUR_US = 3_600_000_000


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
    assert rows[0]["headline"]["zh"] == "苏州市空气质量良,AQI 100"
    last = await node.http.get(f"/warnings/alerts/{rows[0]['id']}.cap")
    assert read(last.content).all_clear
    assert len(read(last.content).references) == 3


async def test_a_station_that_states_no_index_gets_one_and_one_that_does_keeps_it(
    node: At,
) -> None:
    own = {**air(48.0, NOW, name="own"), "airQualityIndex": 99}
    await node.put(own)
    for hour, pm25 in enumerate((48.0, 60.0)):
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
    source = stored[other_id].instance("airQualityIndex")[platform_terms().expand("source")]
    assert source[0]["value"] == "computed by HJ 633-2026"
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
    await soon(lambda: none_at(node))


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


@pytest.mark.parametrize(("options", "raised"), [({}, 0), ({"traffic_from": "high"}, 1)])
async def test_traffic_is_no_warning_unless_asked_for(
    tmp_path: Path, options: dict[str, Any], raised: int
) -> None:
    works = {"id": "urn:ngsi-ld:Alert:x:1", "type": "Alert", "category": "traffic"}
    async with a_region(tmp_path, **options) as at:
        for number, severity in enumerate(("medium", "high")):
            alert = {**works, "id": f"{works['id']}{number}", "severity": severity}
            await at.put({**alert, "subCategory": "detour", "name": "works"})
        await done_with(at, "pick-up-alarms", 2)
        assert len(await _ours(at)) == raised


async def test_an_alarm_that_goes_on_for_days_is_told_again_each_day(
    node: At, tmp_path: Path
) -> None:
    alarm = {
        "id": "urn:ngsi-ld:Alert:suzhou-jiangsu:bridge-8",
        "type": "Alert",
        "severity": "high",
        "subCategory": "bridgeDamage",
        "validFrom": {"@type": "DateTime", "@value": shown_us(node.clock[0] - 30 * HOUR_US)},
    }
    await node.put(alarm)
    [first] = await soon(lambda: _ours(node))
    main = await node.host.node(None)
    site = Site("warnings", main, NODE, main.delivery.outbound, tmp_path)
    for day in (1, 2):
        node.clock[0] += (18 if day == 1 else 24) * HOUR_US - 60_000_000
        for _ in range(2):  # the second time there is nothing to do
            await main.store.apply_all(await expire(site, node.clock[0]))
        [row] = await _ours(node)
        assert row["id"] != first["id"]
        message = read((await node.http.get(f"/warnings/alerts/{row['id']}.cap")).content)
        assert (message.msg_type, len(message.references)) == (MsgType.UPDATE, day)
        node.clock[0] += 60_000_000
        assert len(await _ours(node)) == 1, "nor is there a gap"
    await node.put({**alarm, "alertState": "cleared"})
    await until(lambda: _gone(node))
