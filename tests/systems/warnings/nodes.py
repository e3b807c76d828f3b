"""A node and a region with warnings, as the tests of this folder meet them: over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from conurb.access.caller import Caller
from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import UnauthenticatedError
from conurb.federation.region import registrations_of
from conurb.http.app import build_app
from conurb.model.operations.entity import UpsertEntity
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.node.host import Host
from conurb.systems.warnings.cap.alert import Alert, to_us
from conurb.systems.warnings.cap.write import write
from tests.systems.places import entity

from .sources import NOW

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


async def none_at(at: At) -> bool:
    """Whether no alert is in force."""
    return not await at.get("/warnings/alerts")


async def no_events(at: At) -> bool:
    """Whether no regional event goes on."""
    return await at.events() == []


class Tokens:
    """Two callers; whoever else comes is nobody."""

    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        rights = {"writer": {"read", "write"}, "reader": {"read"}}
        if bearer not in rights:
            raise UnauthenticatedError("who are you?")
        return Caller(bearer, frozenset(rights[bearer]))  # type: ignore[arg-type]
