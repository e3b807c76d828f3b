"""What a system brings is part of the node: endpoints, layers, health, counters, checked types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from conurb.access.caller import Caller
from conurb.app import build_host
from conurb.cli.system import summed
from conurb.config import Settings
from conurb.errors import ConfigError, UnauthenticatedError
from conurb.http.app import build_app
from conurb.systems.runner import runner_of
from tests.systems.door.packages import HEARING, install
from tests.systems.places import until

DEVICE = {"id": "urn:ngsi-ld:Device:t:1", "type": "Device", "value": 60}
DEVICE_IRI = "https://smartdatamodels.org/dataModel.Device/Device"
LINK = {
    "Link": "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
}


class Tokens:
    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        if bearer == "writer":
            return Caller("writer", frozenset({"read", "write"}))
        if bearer == "reader":
            return Caller("reader", frozenset({"read"}))
        raise UnauthenticatedError("who are you?")


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    packages = tmp_path / "packages"
    install(packages, "hearing", HEARING)
    monkeypatch.syspath_prepend(str(packages))
    settings = Settings(
        store=str(tmp_path / "node.db"),
        data_folder=tmp_path,
        node_id="node",
        systems=("hearing",),
        check_types=True,
    )
    host = build_host(settings)
    await host.open()
    await host.node("wuxi", create=True)
    app = build_app(host, settings, tokens=Tokens())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:
        yield client
    await host.close()


WRITER = {"Authorization": "Bearer writer"}
READER = {"Authorization": "Bearer reader"}


async def test_an_endpoint_that_is_open_answers_everybody(node: httpx.AsyncClient) -> None:
    answer = await node.get("/hearing/echo/Things(1)/a%2Fb")
    assert answer.text == "node|Things(1)/a%2Fb|http://node.test|nobody"
    assert answer.headers["content-type"] == "text/plain"


async def test_a_tenant_is_named_by_header_or_by_path(node: httpx.AsyncClient) -> None:
    by_header = await node.get("/hearing/echo/x", headers={"NGSILD-Tenant": "wuxi"})
    assert by_header.text == "wuxi|x|http://node.test|nobody"
    by_path = await node.get("/tenants/wuxi/hearing/echo/x")
    assert by_path.text == "wuxi|x|http://node.test/tenants/wuxi|nobody"
    assert (await node.get("/tenants/nobody/hearing/echo/x")).status_code == 404


async def test_an_endpoint_asks_for_the_right_it_names(node: httpx.AsyncClient) -> None:
    assert (await node.post("/hearing/echo", content=b"!")).status_code == 401
    assert (await node.post("/hearing/echo", content=b"!", headers=READER)).status_code == 403
    answer = await node.post("/hearing/echo", content=b"!", headers=WRITER)
    assert answer.text.endswith("|writer!")
    strange = await node.post("/hearing/echo?soft=1", content=b"!", headers=WRITER)
    assert strange.status_code == 400
    assert "'soft'" in strange.json()["detail"]


async def test_errors_are_written_in_the_form_of_the_standard(node: httpx.AsyncClient) -> None:
    answer = await node.get("/hearing/echo/x?loud=no")
    assert (answer.status_code, answer.text) == (400, "<no>it is always loud</no>")
    assert answer.headers["content-type"] == "application/xml"
    assert (await node.delete("/hearing/echo/x")).status_code == 405


async def test_endpoints_are_described(node: httpx.AsyncClient) -> None:
    document = (await node.get("/openapi.json")).json()
    posted = document["paths"]["/hearing/echo"]["post"]
    assert list(posted["requestBody"]["content"]) == ["text/plain"]
    assert [one["name"] for one in posted["parameters"]] == ["loud"]
    assert "/tenants/{tenant}/hearing/echo/{rest}" in document["paths"]


async def test_the_systems_that_run_are_listed_with_their_state(node: httpx.AsyncClient) -> None:
    [listed] = (await node.get("/systems", headers=READER)).json()
    assert (listed["name"], listed["status"], listed["figures"]) == ("hearing", "ok", {"ears": 2})
    assert listed["layers"] == ["hearing-ears"]
    metrics = (await node.get("/metrics", headers=READER)).text
    assert 'conurb_system_up{tenant="wuxi",system="hearing"} 1' in metrics
    assert 'conurb_system_figure{tenant="",system="hearing",name="ears"} 2' in metrics


async def test_its_layers_are_on_the_map(node: httpx.AsyncClient) -> None:
    layers = (await node.get("/map/layers", headers=READER)).json()["layers"]
    assert "hearing-ears" in [one["id"] for one in layers]


async def test_objects_that_break_a_rule_are_refused_however_they_come(
    node: httpx.AsyncClient,
) -> None:
    headers = {**WRITER, **LINK}
    good = await node.post("/ngsi-ld/v1/entities", json=DEVICE, headers=headers)
    assert good.status_code == 201
    loud = {**DEVICE, "id": "urn:ngsi-ld:Device:t:2", "value": 170}
    refused = await node.post("/ngsi-ld/v1/entities", json=loud, headers=headers)
    assert refused.status_code == 400
    assert "value is 170, above 140" in refused.json()["detail"]
    silent = {"id": "urn:ngsi-ld:Device:t:3", "type": "Device", "name": "n"}
    batch = await node.post("/ngsi-ld/v1/entityOperations/upsert", json=[silent], headers=headers)
    assert "needs value" in batch.text
    patched = await node.patch(
        f"/ngsi-ld/v1/entities/{DEVICE['id']}/attrs", json={"value": -1}, headers=headers
    )
    assert patched.status_code == 400
    temporal = {"id": DEVICE["id"], "type": "Device", "value": [{"type": "Property", "value": "x"}]}
    by_history = await node.post("/ngsi-ld/v1/temporal/entities", json=temporal, headers=headers)
    assert by_history.status_code == 400
    kept = await node.get(f"/ngsi-ld/v1/entities/{DEVICE['id']}", headers=headers)
    assert kept.json()["value"]["value"] == 60


async def test_a_region_tells_at_which_of_its_cities_a_source_is_away(tmp_path: Path) -> None:
    feed = {"kind": "points", "name": "parks", "folder": str(tmp_path / "nowhere")}
    settings = Settings(
        store=str(tmp_path / "node.db"),
        data_folder=tmp_path,
        systems=("transport",),
        system={"transport": {"feeds": [feed]}},
    )
    host = build_host(settings)
    await host.open()
    await host.node("wuxi", create=True)
    transport = httpx.ASGITransport(app=build_app(host, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as client:

        async def away() -> bool:
            [row] = (await client.get("/systems")).json()
            return [(one["tenant"], one["status"]) for one in row["members"]] == [
                ("wuxi", "degraded")
            ]

        await until(away)
        [row] = (await client.get("/systems")).json()
        [of_city] = (await client.get("/systems", headers={"NGSILD-Tenant": "wuxi"})).json()
    await host.close()
    assert "members" not in of_city
    assert "nowhere is not a folder" in of_city["detail"]
    shown = summed({**row, "status": "ok", "detail": ""})
    assert (shown["status"], shown["detail"]) == ("degraded", "degraded at wuxi")


@pytest.mark.parametrize("name", ["transport", "warnings", "monitoring"])
async def test_an_option_that_a_system_does_not_have_ends_the_start(
    tmp_path: Path, name: str
) -> None:
    settings = Settings(
        store=str(tmp_path / "node.db"),
        data_folder=tmp_path,
        systems=(name,),
        system={name: {"colour": "red"}},
    )
    host = build_host(settings)
    with pytest.raises(ConfigError, match="there is no 'colour'"):
        await host.open()
    await host.close()


async def test_a_source_of_one_city_is_read_there_alone(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    own = {"feeds": [{"kind": "points", "name": "parks", "folder": str(inbox)}]}
    settings = Settings(
        store=str(tmp_path / "node.db"),
        data_folder=tmp_path,
        systems=("transport",),
        system={"transport": {"replay_speed": 2, "at": {"wuxi": own}}},
    )
    host = build_host(settings)
    await host.open()
    found = {}
    for tenant in (None, "wuxi", "suzhou"):
        runner = runner_of(await host.node(tenant, create=tenant is not None))
        assert runner is not None
        [running] = runner.running
        assert running.site.options["replay_speed"] == 2
        found[tenant] = [one.name for one in running.standings if one.kind == "connector"]
    await host.close()
    assert found == {None: [], "wuxi": ["points-parks"], "suzhou": []}
