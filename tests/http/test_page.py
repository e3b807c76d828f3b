"""The page and its assets as they are served: coding, caching, policy, and what is not served."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from conurb.app import open_app

BASE = "http://node"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    async with open_app(store=tmp_path / "node.db") as opened:
        opened.state.page_folder = tmp_path / "built"
        yield opened


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as asking:
        yield asking


def build(app: Starlette) -> Path:
    folder: Path = app.state.page_folder
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>map</title>")
    (folder / "assets" / "index-AbC1.js").write_text("say()")
    (folder / "assets" / "index-AbC1.js.gz").write_bytes(gzip.compress(b"say()"))
    (folder / "secret.js").write_text("no")
    (folder / "assets" / "notes.txt").write_text("no")
    return folder


async def test_without_a_build_the_front_page_says_what_is_running_and_how_to_build(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "NGSI-LD" in page.text
    assert "节点" in page.text
    assert "make page" in page.text


async def test_the_page_loads_and_asks_its_own_host_alone(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    build(app)
    page = await client.get("/")
    assert "<title>map</title>" in page.text
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_a_link_may_have_parameters_that_only_the_page_knows(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    build(app)
    page = await client.get("/?layers=cities&lang=zh&made=up&made=twice")
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("query", "ancestors"), [("?embed=1", "*"), ("?embed=0", "'self'"), ("?lang=zh", "'self'")]
)
async def test_only_the_page_to_embed_may_be_shown_in_a_frame_elsewhere(
    app: Starlette, client: httpx.AsyncClient, query: str, ancestors: str
) -> None:
    build(app)
    page = await client.get(f"/{query}")
    assert page.headers["content-security-policy"].endswith(f"frame-ancestors {ancestors}")


async def test_an_asset_is_kept_for_good_and_the_page_is_asked_for_again(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    build(app)
    asset = await client.get("/assets/index-AbC1.js")
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"].startswith("text/javascript")
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    known = {"if-none-match": page.headers["etag"]}
    assert (await client.get("/", headers=known)).status_code == 304
    (app.state.page_folder / "index.html").write_text("<title>newer</title>")
    assert (await client.get("/", headers=known)).status_code == 200


async def test_an_asset_is_sent_compressed_to_whoever_takes_that(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    build(app)
    packed = await client.get("/assets/index-AbC1.js", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == "say()"
    bare = await client.get("/assets/index-AbC1.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in bare.headers
    assert bare.text == "say()"


@pytest.mark.parametrize(
    "name",
    ["gone-1.js", "..%2Fsecret.js", "..%2F..%2Fnode.db", "notes.txt", "index-AbC1.js.gz", ".js"],
)
async def test_nothing_but_assets_of_the_build_is_served(
    app: Starlette, client: httpx.AsyncClient, name: str
) -> None:
    build(app)
    answer = await client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("the page has no asset")
