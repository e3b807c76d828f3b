"""Nobody waits longer than they want to, and what was missing then is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import monotonic, perf_counter

import pytest

from conurb.access.caller import LOCAL
from conurb.errors import BadRequestDataError
from conurb.federation.deadlines import HEADER, bounded, deadline_of, left_s, written
from tests.federation.served import API, bus, faulty, served


def test_without_a_deadline_a_node_has_its_own_time() -> None:
    assert left_s(LOCAL) is None
    assert bounded(7.0, LOCAL) == 7.0
    assert bounded(7.0, None) == 7.0


def test_a_node_keeps_a_part_of_the_time_for_itself() -> None:
    caller = replace(LOCAL, deadline_s=monotonic() + 0.2)
    assert 0.15 < bounded(7.0, caller) < 0.195
    assert bounded(0.1, caller) == 0.1
    late = replace(LOCAL, deadline_s=monotonic() - 1)
    assert bounded(7.0, late) == 0.0


def test_a_deadline_goes_as_milliseconds() -> None:
    assert written(0.2504) == "250"
    assert 0.9 < deadline_of("1000") - monotonic() <= 1.0


@pytest.mark.parametrize("text", ["", "-1", "soon", "1.5", "3600001", "9" * 30])
def test_what_is_no_number_of_milliseconds_is_refused(text: str) -> None:
    with pytest.raises(BadRequestDataError, match=HEADER):
        deadline_of(text)


async def test_a_slow_node_holds_nobody_up_longer_than_they_allow(tmp_path: Path) -> None:
    async with served(tmp_path, "region") as region, faulty("slow") as slow:
        await region.put(bus("1"))
        await region.register(slow.url, contextSourceAlias="slow")
        started = perf_counter()
        response = await region.client.get(
            f"{API}/entities", params={"type": "Bus"}, headers={HEADER: "400"}
        )
        assert perf_counter() - started < 2.0
        assert [one["id"] for one in response.json()] == ["urn:ngsi-ld:Bus:1"]
        assert response.headers["conurb-completeness"] == "1/2"
        assert response.headers["ngsild-warning"].startswith('199 slow "no answer in 0.3')
        assert b"conurb-deadline-ms: 3" in slow.requests[0].lower()
        refused = await region.client.get(
            f"{API}/entities", params={"type": "Bus"}, headers={HEADER: "soon"}
        )
        assert refused.status_code == 400


async def test_who_is_in_a_hurry_puts_no_source_out_of_use(tmp_path: Path) -> None:
    """Five requests that were given up soon say nothing of a source that takes a while."""
    async with served(tmp_path, "region") as region, faulty("slow") as slow:
        await region.register(slow.url, contextSourceAlias="slow")
        for _ in range(6):
            await region.client.get(
                f"{API}/entities", params={"type": "Bus"}, headers={HEADER: "60"}
            )
        [node] = (await region.client.get("/region/health")).json()["nodes"]
        assert node["state"] == "closed"
        slow.fault = "empty"
        response = await region.buses()
        assert response.headers["conurb-completeness"] == "2/2"


async def test_time_that_is_left_is_passed_on_through_a_region_of_regions(tmp_path: Path) -> None:
    async with (
        served(tmp_path, "region") as region,
        served(tmp_path, "delta") as delta,
        faulty("slow") as slow,
    ):
        await delta.put(bus("1"))
        await delta.register(slow.url, contextSourceAlias="slow")
        await region.register(delta.url, contextSourceAlias="delta")
        response = await region.client.get(
            f"{API}/entities", params={"type": "Bus"}, headers={HEADER: "3000"}
        )
        # The delta itself answered in time, without the one behind it.
        assert [one["id"] for one in response.json()] == ["urn:ngsi-ld:Bus:1"]
        assert response.headers["conurb-completeness"] == "2/3"
        assert "slow" in response.headers["ngsild-warning"]


async def test_who_is_missing_behind_a_node_is_missing_from_whatever_is_read(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, "region") as region, served(tmp_path, "delta") as delta:
        await delta.put(bus("1", speed=1))
        history = ["retrieveTemporal", "queryTemporal", "federationOps"]
        gone = "http://127.0.0.1:9"
        await delta.register(gone, contextSourceAlias="nantong", operations=history)
        await region.register(delta.url, contextSourceAlias="delta", operations=history)
        one = "urn:ngsi-ld:Bus:1"
        paths = [
            f"{API}/entities/{one}",
            f"{API}/entities/urn:ngsi-ld:Bus:none",
            f"{API}/temporal/entities/{one}",
            f"{API}/temporal/entities?type=Bus&timerel=after&timeAt=2020-01-01T00:00:00Z",
        ]
        for path in paths:
            response = await region.client.get(path)
            assert response.status_code == (404 if path.endswith("none") else 200), path
            assert response.headers["conurb-completeness"] == "2/3", path
            assert response.headers["ngsild-warning"].startswith("199 nantong "), path
            if response.status_code == 200:
                told = await region.client.get(path, headers={"Conurb-Completeness": "body"})
                assert told.json()["answer"] == response.json(), path
                assert told.json()["completeness"]["missing"][0]["node"] == "nantong", path
            strict = await region.client.get(path, headers={"Conurb-Strict": "true"})
            assert strict.status_code == 503, path


async def test_a_history_that_arrives_by_two_ways_is_there_once(tmp_path: Path) -> None:
    """Suzhou is registered with the region, and with the delta that the region asks too."""
    async with (
        served(tmp_path, "region") as region,
        served(tmp_path, "delta") as delta,
        served(tmp_path, "suzhou") as suzhou,
    ):
        history = ["retrieveTemporal", "queryTemporal", "federationOps"]
        # Some values speak of a time, some don't, and one attribute was deleted.
        first = bus("1", speed=1, line="a", doors=2)
        first["speed"]["observedAt"] = "2026-01-01T00:00:00Z"
        await suzhou.put(first)
        path = f"{API}/entities/urn:ngsi-ld:Bus:1"
        line = {"line": {"type": "Property", "value": "b"}}
        assert (await suzhou.client.patch(f"{path}/attrs", json=line)).status_code == 204
        assert (await suzhou.client.delete(f"{path}/attrs/doors")).status_code == 204
        for place, alias in ((suzhou, "suzhou"), (delta, "delta")):
            await region.register(place.url, contextSourceAlias=alias, operations=history)
        await delta.register(suzhou.url, contextSourceAlias="suzhou", operations=history)
        temporal = f"{API}/temporal/entities/urn:ngsi-ld:Bus:1"
        own = (await suzhou.client.get(temporal)).json()
        merged = (await region.client.get(temporal)).json()

        def values(document: dict[str, object], name: str) -> list[object]:
            found = document[name]
            items = found if isinstance(found, list) else [found]
            return [one["value"] for one in items]

        for name in ("speed", "line", "doors"):
            assert values(merged, name) == values(own, name), name
        counted = {"aggrMethods": "totalCount,sum,avg", "options": "aggregatedValues"}
        params = {
            **counted,
            "attrs": "speed",
            "timerel": "after",
            "timeAt": "2025-12-31T00:00:00Z",
            "type": "Bus",
        }
        url = f"{API}/temporal/entities"
        [alone] = (await suzhou.client.get(url, params=params)).json()
        [together] = (await region.client.get(url, params=params)).json()
        assert together["speed"] == alone["speed"]


async def test_counts_of_nodes_elsewhere_add_up_where_their_ids_lie_apart(tmp_path: Path) -> None:
    async with (
        served(tmp_path, "region") as region,
        served(tmp_path, "suzhou") as suzhou,
        served(tmp_path, "wuxi") as wuxi,
    ):
        for place, name in ((suzhou, "suzhou"), (wuxi, "wuxi")):
            await place.put(*(bus(f"{name}:{n}") for n in range(5)))
            await region.register(place.url, contextSourceAlias=name)

        async def sent() -> int:
            health = (await region.client.get("/region/health")).json()
            return sum(node["requests"] for node in health["nodes"])

        counting = {"count": "true", "limit": "0"}
        apart = await region.buses(**counting)
        assert apart.headers["ngsild-results-count"] == "10"
        assert await sent() == 2  # one each: nothing has to be looked at
        assert "conurb-ids" not in apart.headers
        asked = await suzhou.client.get(
            f"{API}/entities", params={"type": "Bus", **counting}, headers={"Via": "1.1 other"}
        )
        assert (
            asked.headers["conurb-ids"] == '"urn:ngsi-ld:Bus:suzhou:0" "urn:ngsi-ld:Bus:suzhou:4"'
        )
        await wuxi.put(bus("suzhou:3"))
        mixed = await region.buses(**counting)
        assert mixed.headers["ngsild-results-count"] == "10"
        assert mixed.headers["conurb-completeness"] == "3/3"
        assert await sent() > 4
