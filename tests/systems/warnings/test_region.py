"""A region: alerts of many cities as one event, its merging and splitting, its forecasts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conurb.systems.contract import Site
from conurb.systems.warnings.cap.alert import MsgType
from conurb.systems.warnings.compose import follow
from conurb.systems.warnings.querying import count, query_of
from conurb.systems.warnings.regional import EVENT
from conurb.systems.warnings.system import SYSTEM
from tests.systems.places import until

from .nodes import At, a_region, air, no_events, soon, water
from .sources import NOW, an_alert


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
        await soon(lambda: no_events(at))


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
    await soon(lambda: no_events(region))
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
    await until(lambda: no_events(region))
    await until(lambda: _no_forecasts(region))


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
