"""A promise of freshness whose city is killed, and whose region is killed while it says so."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.federation.nodes import ADMIN, COMMAND, Place, command, joined, kill, place, put, running

pytestmark = pytest.mark.slow

API = "/ngsi-ld/v1"
AIR = "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved"
ARRIVAL_S = 90.0
"""A node that has been silent for long is asked again after a minute at most."""
MAX_AGE = "PT6S"
"""Long enough to be kept while a busy machine starts a process, short enough to wait for."""


def air() -> dict[str, object]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    pm25 = {"type": "Property", "value": 31, "observedAt": now}
    name = "https://smartdatamodels.org/dataModel.Environment/pm25"
    return {"id": "urn:ngsi-ld:Air:wuxi:1", "type": AIR, name: pm25}


async def breaches(region: Place) -> list[dict[str, Any]]:
    link = "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    link += 'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    async with region.client() as client:
        path = f"{API}/entities?type=FreshnessBreach&options=keyValues"
        return list((await client.get(path, headers={"Link": link})).json())


async def breach(region: Place, status: str) -> dict[str, Any]:
    """Wait until the one breach there is has a status; give it."""
    async with asyncio.timeout(ARRIVAL_S):
        while True:
            found = await breaches(region)
            assert len(found) <= 1, found
            if [one["status"] for one in found] == [status]:
                return found[0]
            await asyncio.sleep(0.1)


@asynccontextmanager
async def observing(city: Place) -> AsyncIterator[None]:
    """Keep the city's object fresh, however long what is done meanwhile takes."""

    async def observe() -> None:
        while True:
            await put(city, air())
            await asyncio.sleep(0.5)

    task = asyncio.create_task(observe())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def kept(region: Place) -> None:
    """Wait until the one promise there is is kept."""
    async with asyncio.timeout(ARRIVAL_S), region.client() as client:
        while True:
            answer = (await client.get("/region/freshness")).json()
            if [one["state"] for one in answer["promises"]] == ["kept"]:
                return
            await asyncio.sleep(0.1)


async def test_a_silent_city_breaks_its_promise_once_and_mends_it_by_coming_back(
    tmp_path: Path,
) -> None:
    region = place(tmp_path, "delta", more="freshness_s = 0.3\n")
    city = place(tmp_path, "wuxi")
    async with running(region) as first:
        async with running(city), observing(city):
            response = await joined(city, region, types=[AIR])
            assert response.status_code == 201, response.text
            words = ("promise", "AirQualityObserved", "--max-age", MAX_AGE, "--by", "pm25")
            _, said = await command(city, *words, "--contact", "duty@wuxi.example")
            assert "urn:ngsi-ld:UpdateAgreement:wuxi:AirQualityObserved" in said
            await kept(region)
            out, _ = await command(region, "freshness", "--json")
            [shown] = json.loads(out)["promises"]
            assert (shown["node"], shown["state"]) == ("wuxi", "kept")
            assert shown["contact"] == "duty@wuxi.example"
        raised = await breach(region, "open")
        assert (raised["atNode"], raised["breachCause"]) == ("wuxi", "silent")
        await kill(first)
    async with running(region):
        await asyncio.sleep(1.0)  # a few rounds: nothing may be raised again
        assert [one["id"] for one in await breaches(region)] == [raised["id"]]
        await _fails(region)
        async with running(city), observing(city):
            closed = await breach(region, "closed")
            assert closed["id"] == raised["id"]


async def _fails(region: Place) -> None:
    """The command shows who broke what, and ends with 1."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "region", "freshness"),
        *("--url", region.url, "--token", ADMIN),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 1
    assert "wuxi" in out.decode()
    assert "AirQualityObserved" in out.decode()
    assert "1 of 1 promises are broken" in err.decode()
