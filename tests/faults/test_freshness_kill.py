"""A promise of freshness whose city is killed, and whose region is killed while it says so."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.federation.nodes import ADMIN, COMMAND, Place, command, joined, kill, place, put, running

pytestmark = pytest.mark.slow

API = "/ngsi-ld/v1"
AIR = "https://smartdatamodels.org/dataModel.Environment/AirQualityObserved"
ARRIVAL_S = 40.0
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


async def state(region: Place) -> str:
    out, _ = await command(region, "freshness", "--json")
    return " ".join(one["state"] for one in json.loads(out)["promises"])


async def test_a_silent_city_breaks_its_promise_once_and_mends_it_by_coming_back(
    tmp_path: Path,
) -> None:
    region = place(tmp_path, "delta", more="freshness_s = 0.3\n")
    city = place(tmp_path, "wuxi")
    async with running(region) as first:
        async with running(city):
            await put(city, air())
            response = await joined(city, region, types=[AIR])
            assert response.status_code == 201, response.text
            words = ("promise", "AirQualityObserved", "--max-age", MAX_AGE, "--by", "pm25")
            _, said = await command(city, *words, "--contact", "duty@wuxi.example")
            assert "urn:ngsi-ld:UpdateAgreement:wuxi:AirQualityObserved" in said
            await put(city, air())
            async with asyncio.timeout(ARRIVAL_S):
                while await state(region) != "kept":
                    await put(city, air())
        raised = await breach(region, "open")
        assert (raised["atNode"], raised["breachCause"]) == ("wuxi", "silent")
        await kill(first)
    async with running(region):
        await asyncio.sleep(1.0)  # a few rounds: nothing may be raised again
        assert [one["id"] for one in await breaches(region)] == [raised["id"]]
        await _fails(region)
        async with running(city):
            closed = await _mended(region, city)
            assert closed["id"] == raised["id"]


async def _mended(region: Place, city: Place) -> dict[str, Any]:
    """Keep the city's object fresh until the breach is closed."""
    waiting = asyncio.create_task(breach(region, "closed"))
    while not waiting.done():
        await put(city, air())
        await asyncio.wait([waiting], timeout=0.5)
    return waiting.result()


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
