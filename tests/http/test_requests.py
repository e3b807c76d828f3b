"""What any request is judged by before anything happens: length, media types, @context, tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from conurb.access.tokens import Token, digest_of
from conurb.app import build_host, open_app
from conurb.config import Settings
from conurb.http.app import build_app
from conurb.node.tokens import TokenFile

ENTITY = {"id": "urn:x:1", "type": "T"}
JSON = {"Content-Type": "application/json"}
LD = {"Content-Type": "application/ld+json"}
LINK = {"Link": '<https://example.org/c>; rel="http://www.w3.org/ns/json-ld#context"'}
CORE_LINK = {
    "Link": "<https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"'
}
BASE = "http://node.test"


async def count(client: httpx.AsyncClient) -> int:
    response = await client.get("/entities?local=true&limit=0&count=true")
    return int(response.headers["ngsild-results-count"])


async def test_a_body_without_length_is_411_whatever_else_is_wrong(
    client: httpx.AsyncClient,
) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield orjson.dumps(ENTITY)

    for method, url in (
        ("POST", "/entities"),
        ("PATCH", "/entities/urn:x:1/attrs"),
        ("PUT", "/entities/urn:x:1"),
    ):
        headers = {**JSON, "NGSILD-Tenant": "nobody"}
        response = await client.request(method, url, content=stream(), headers=headers)
        assert (response.status_code, response.content) == (411, b"")


async def test_a_body_over_the_bound_is_413_and_not_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/entities", content=b"x" * 100_001, headers=JSON)
    assert response.status_code == 413
    assert "100000" in response.json()["detail"]
    lied = await client.post(
        "/entities", content=b"{}", headers={**JSON, "Content-Length": "9" * 30}
    )
    assert lied.status_code == 413


@pytest.mark.parametrize("header", ["text/plain", "application/xml", "application/geo+json", ""])
async def test_another_media_type_is_415_without_a_body(
    client: httpx.AsyncClient, header: str
) -> None:
    response = await client.post("/entities", content=b"{}", headers={"Content-Type": header})
    assert (response.status_code, response.content) == (415, b"")


async def test_nothing_acceptable_is_406_and_lists_what_there_is(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/entities?type=T", headers={"Accept": "text/html"})
    assert response.status_code == 406
    for media in ("application/json", "application/ld+json", "application/geo+json"):
        assert media in response.json()["detail"]
    types = await client.get("/types", headers={"Accept": "application/geo+json"})
    assert types.status_code == 406


async def test_another_method_is_405_with_those_that_are_possible(
    client: httpx.AsyncClient,
) -> None:
    response = await client.put("/entities", json=ENTITY)
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, POST"


async def test_an_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nothing")).status_code == 404
    assert (await client.get(f"{BASE}/ngsi-ld/v2/entities")).status_code == 404


async def test_a_slash_at_the_end_is_the_same_resource(client: httpx.AsyncClient) -> None:
    assert (await client.post("/entities/", json=ENTITY)).status_code == 201
    assert (await client.get("/entities/urn:x:1/")).status_code == 200


async def test_head_answers_as_get_without_a_body(client: httpx.AsyncClient) -> None:
    await client.post("/entities", json=ENTITY)
    response = await client.head("/entities/urn:x:1")
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        (JSON, {**ENTITY, "@context": {}}, "Link header"),
        (LD, ENTITY, "missing"),
        ({**LD, **LINK}, {**ENTITY, "@context": {}}, "may not name one too"),
        (LD, {**ENTITY, "@context": 5}, "@context"),
        ({**JSON, "Link": "nonsense"}, ENTITY, "Link"),
    ],
)
async def test_mixed_or_missing_contexts_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str], body: dict[str, Any], why: str
) -> None:
    response = await client.post("/entities", content=orjson.dumps(body), headers=headers)
    assert response.status_code == 400
    assert why in response.json()["detail"]
    assert await count(client) == 0


async def test_an_unresolvable_context_is_504_and_named(client: httpx.AsyncClient) -> None:
    for response in (
        await client.get("/entities?type=T", headers=LINK),
        await client.post("/entities", json=ENTITY, headers=LINK),
    ):
        assert response.status_code == 504
        assert response.json()["type"].endswith("/LdContextNotAvailable")
        assert "https://example.org/c" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b'{"id": NaN}', b"[" * 5000, b'{"a":' * 300 + b"1" + b"}" * 300, b"null", b"[]"],
)
async def test_what_is_no_object_is_an_invalid_request(
    client: httpx.AsyncClient, body: bytes
) -> None:
    for method, url in (("POST", "/entities"), ("PATCH", "/entities/urn:x:1")):
        response = await client.request(method, url, content=body, headers=JSON)
        assert response.status_code == 400
        assert response.json()["type"].endswith("/InvalidRequest")
    assert await count(client) == 0


async def test_a_context_in_a_link_names_the_terms(client: httpx.AsyncClient) -> None:
    hosted = await client.post(
        "/jsonldContexts", json={"@context": {"Stadt": "https://example.org/City"}}
    )
    assert hosted.status_code == 201
    link = f'<{BASE}{hosted.headers["location"]}>; rel="http://www.w3.org/ns/json-ld#context"'
    await client.post("/entities", json={"id": "urn:x:1", "type": "Stadt"}, headers={"Link": link})
    plain = (await client.get("/entities/urn:x:1")).json()
    assert plain["type"] == "https://example.org/City"
    named = await client.get("/entities/urn:x:1", headers={"Link": link})
    assert named.json()["type"] == "Stadt"
    assert hosted.headers["location"] in named.headers["link"]


async def test_a_context_without_url_is_hosted_for_the_answer(client: httpx.AsyncClient) -> None:
    await client.post("/entities", json={"id": "urn:x:1", "type": "https://example.org/City"})
    response = await client.post(
        "/entityOperations/query",
        content=orjson.dumps(
            {
                "type": "Query",
                "entities": [{"type": "Stadt"}],
                "@context": {"Stadt": "https://example.org/City"},
            }
        ),
        headers=LD,
    )
    assert response.json() == [{"id": "urn:x:1", "type": "Stadt"}]
    [url] = [one["url"] for one in response.links.values() if "json-ld#context" in one["rel"]]
    served = await client.get(url)
    assert served.json() == {"@context": {"Stadt": "https://example.org/City"}}


async def test_tenants_are_apart_made_by_writes_and_echoed(client: httpx.AsyncClient) -> None:
    wuxi = {"NGSILD-Tenant": "wuxi"}
    missing = await client.get("/entities?type=T", headers=wuxi)
    assert missing.status_code == 404
    assert missing.json()["type"].endswith("/NonexistentTenant")
    assert missing.headers["ngsild-tenant"] == "wuxi"
    made = await client.post("/entities", json=ENTITY, headers=wuxi)
    assert (made.status_code, made.headers["ngsild-tenant"]) == (201, "wuxi")
    assert (await client.get("/entities/urn:x:1", headers=wuxi)).status_code == 200
    assert (await client.get("/entities/urn:x:1")).status_code == 404
    wrong = await client.post("/entities", json=ENTITY, headers={"NGSILD-Tenant": "a b/../c"})
    assert wrong.status_code == 400


async def test_a_write_that_fails_makes_no_tenant(client: httpx.AsyncClient) -> None:
    headers = {"NGSILD-Tenant": "ghost"}
    assert (await client.post("/entities", json={"id": 1}, headers=headers)).status_code == 400
    assert (await client.get("/entities?type=T", headers=headers)).status_code == 404


async def test_errors_of_ours_are_logged_and_not_told(
    app: Starlette, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    node = await app.state.host.node()
    monkeypatch.setattr(type(node.consume), "retrieve", broken)
    response = await client.get("/entities/urn:x:1")
    assert response.status_code == 500
    assert "secret" not in response.text


# ── access ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    file = TokenFile(tmp_path / "tokens.json")
    for name, rights in (("reader", {"read"}), ("writer", {"read", "write"})):
        file.add(Token(name, digest_of(name), frozenset(rights)))  # type: ignore[arg-type]
    file.add(Token("bounded", digest_of("bounded"), frozenset({"read"}), types=("urn:none",)))
    settings = Settings(store=str(tmp_path / "node.db"), tokens=file.path)
    host = build_host(settings)
    await host.open()
    app = build_app(host, settings, tokens=file)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE + "/ngsi-ld/v1") as client:
        yield client
    await host.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_rights_are_held(guarded: httpx.AsyncClient) -> None:
    for headers in ({}, bearer("unknown"), {"Authorization": "Basic eDp5"}):
        refused = await guarded.post("/entities", json=ENTITY, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    reader = await guarded.post("/entities", json=ENTITY, headers=bearer("reader"))
    assert reader.status_code == 403
    writer = await guarded.post("/entities", json=ENTITY, headers=bearer("writer"))
    assert writer.status_code == 201
    assert (await guarded.get("/entities/urn:x:1", headers=bearer("reader"))).status_code == 200


async def test_bounds_hold_for_counts_too(guarded: httpx.AsyncClient) -> None:
    await guarded.post("/entities", json=ENTITY, headers=bearer("writer"))
    url = "/entities?type=T&count=true"
    seen = await guarded.get(url, headers=bearer("bounded"))
    assert (seen.json(), seen.headers["ngsild-results-count"]) == ([], "0")
    one = await guarded.get("/entities/urn:x:1", headers=bearer("bounded"))
    assert one.status_code == 404
    types = await guarded.get("/types", headers=bearer("bounded"))
    assert types.json()["typeList"] == []


async def test_only_how_the_process_is_doing_is_open_to_all(guarded: httpx.AsyncClient) -> None:
    for path in ("/", "/health", "/version", "/openapi.json"):
        assert (await guarded.get(BASE + path)).status_code == 200
    assert (await guarded.get(BASE + "/metrics")).status_code == 401


# ── the process ───────────────────────────────────────────────────────────────────────────────


async def test_metrics_count_what_was_asked(client: httpx.AsyncClient) -> None:
    await client.post("/entities", json=ENTITY)
    await client.get("/entities/urn:x:2")
    text = (await client.get(BASE + "/metrics")).text
    assert 'conurb_requests_total{operation="createEntity",status="201"} 1' in text
    assert 'conurb_requests_total{operation="retrieveEntity",status="404"} 1' in text
    assert 'conurb_request_seconds_count{operation="createEntity"} 1' in text
    assert (
        'conurb_entities{tenant="",type="https://uri.etsi.org/ngsi-ld/default-context/T"} 1' in text
    )
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0


async def test_health_says_whether_the_store_answers(
    app: Starlette, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get(BASE + "/health")).json()["status"] == "ok"

    async def away(*_: Any) -> int:
        from conurb.errors import UnavailableError

        raise UnavailableError("the disk is gone")

    node = await app.state.host.node()
    monkeypatch.setattr(type(node.store), "journal_end", away)
    ill = await client.get(BASE + "/health")
    assert (ill.status_code, ill.json()["status"]) == (503, "ill")
    assert ill.json()["detail"] == "the disk is gone"


async def test_each_tenant_has_an_alias_of_its_own(client: httpx.AsyncClient) -> None:
    names = set()
    for headers in ({}, {"NGSILD-Tenant": "a"}, {"NGSILD-Tenant": "b"}):
        identity = (await client.get("/info/sourceIdentity", headers=headers)).json()
        assert identity["type"] == "ContextSourceIdentity"
        names.add(identity["contextSourceAlias"])
    assert len(names) == 3


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for attempt in range(2):
        async with open_app(store=tmp_path / "node.db") as app:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                if attempt == 0:
                    headers = {"NGSILD-Tenant": "wuxi"}
                    for extra in ({}, headers):
                        await client.post("/ngsi-ld/v1/entities", json=ENTITY, headers=extra)
                for extra in ({}, {"NGSILD-Tenant": "wuxi"}):
                    found = await client.get("/ngsi-ld/v1/entities/urn:x:1", headers=extra)
                    assert found.status_code == 200
