"""A snapshot of a region holds what all of its nodes answered, and says who didn't."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.federation.served import API, Served, bus, faulty, served

QUERY = {"type": "Query", "entities": [{"type": "Bus"}], "q": "speed>5"}
HISTORY = {
    "type": "Query",
    "entities": [{"type": "Bus"}],
    "temporalQ": {
        "type": "TemporalQuery",
        "timerel": "after",
        "timeAt": "2020-01-01T00:00:00Z",
        "timeproperty": "createdAt",
    },
}


async def frozen(region: Served, **queries: Any) -> dict[str, Any]:
    """Make a snapshot and wait until it is filled."""
    response = await region.client.post(f"{API}/snapshots", json={"type": "Snapshot", **queries})
    assert response.status_code == 201, response.text
    async with asyncio.timeout(20):
        while True:
            document = (await region.client.get(response.headers["Location"])).json()
            if document["snapshotStatus"] != "preparing":
                return dict(document)
            await asyncio.sleep(0.02)


async def held(region: Served, snapshot: dict[str, Any], path: str) -> list[str]:
    headers = {"NGSILD-Snapshot": snapshot["id"]}
    response = await region.client.get(f"{API}{path}", headers=headers)
    assert response.status_code in (200, 206), response.text
    return [one["id"].rsplit(":", 1)[1] for one in response.json()]


async def test_a_snapshot_holds_what_sources_answered_and_keeps_it(tmp_path: Path) -> None:
    async with (
        served(tmp_path, "region", page_max=20) as region,
        served(tmp_path, "suzhou") as suzhou,
    ):
        operations = ["federationOps", "queryTemporal", "retrieveTemporal"]
        await region.register(suzhou.url, operations=operations)
        await region.put(bus("00", speed=10), bus("slow", speed=1))
        await suzhou.put(*(bus(f"{n:02}", speed=10) for n in range(1, 45)))
        snapshot = await frozen(region, snapshotQueries=[QUERY], snapshotTemporalQueries=[HISTORY])
        assert snapshot["snapshotStatus"] == "success"
        await suzhou.client.delete(f"{API}/entities/urn:ngsi-ld:Bus:01")
        pages = [
            await held(region, snapshot, f"/entities?type=Bus&limit=20&offset={offset}&q=speed>5")
            for offset in (0, 20, 40)
        ]
        assert [one for page in pages for one in page] == [f"{n:02}" for n in range(45)]
        path = "/temporal/entities?type=Bus&id=urn:ngsi-ld:Bus:07&timerel=before"
        assert await held(
            region, snapshot, path + "&timeAt=2100-01-01T00:00:00Z&timeproperty=createdAt"
        ) == ["07"]


async def test_a_snapshot_says_who_did_not_answer(tmp_path: Path) -> None:
    async with served(tmp_path, "region") as region, faulty("error") as source:
        await region.register(source.url, contextSourceAlias="evil")
        await region.put(bus("1", speed=10))
        snapshot = await frozen(region, snapshotQueries=[QUERY])
        assert snapshot["snapshotStatus"] == "success"
        [detail] = snapshot["snapshotQueriesDetails"]
        assert "missing: evil" in detail["problemDetails"]["detail"]
        assert await held(region, snapshot, "/entities?type=Bus") == ["1"]
