"""The tenants that hold copies of a member's objects are read only, whoever asks."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from conurb.app import build_host
from conurb.config import Settings
from conurb.http.app import build_app

API = "/ngsi-ld/v1"
BUS = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "speed": 3}
HEADERS = {"NGSILD-Tenant": "replica.wuxi"}
SUBSCRIPTION = {
    "type": "Subscription",
    "entities": [{"type": "Bus"}],
    "notification": {"endpoint": {"uri": "http://127.0.0.1:1/"}},
}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/entities", BUS),
        ("POST", "/entityOperations/upsert", [BUS]),
        ("POST", "/entityOperations/delete", [BUS["id"]]),
        ("PATCH", f"/entities/{BUS['id']}/attrs", {"speed": 4}),
        ("PUT", f"/entities/{BUS['id']}", BUS),
        ("DELETE", f"/entities/{BUS['id']}", None),
        ("POST", "/temporal/entities", {**BUS, "speed": []}),
        ("DELETE", f"/temporal/entities/{BUS['id']}", None),
        ("POST", "/subscriptions", SUBSCRIPTION),
    ],
)
async def test_what_holds_copies_is_not_written_to(
    tmp_path: Path, method: str, path: str, body: object
) -> None:
    settings = Settings(store=str(tmp_path / "a.db"), freshness_s=0)
    host = build_host(settings)
    await host.open()
    transport = httpx.ASGITransport(build_app(host, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
        response = await client.request(method, API + path, json=body, headers=HEADERS)
        assert response.status_code == 403, response.text
        assert "'replica.wuxi' holds copies" in response.json()["detail"]
        assert host.list_tenants() == []
        await host.node("replica.wuxi", create=True)
        asked = {"type": "Query", "entities": [{"type": "Bus"}]}
        response = await client.post(f"{API}/entityOperations/query", json=asked, headers=HEADERS)
        assert response.json() == []
        assert (await client.get(f"{API}/entities?type=Bus", headers=HEADERS)).status_code == 200
    await host.close()
