"""The page that people look at: One Map at `/` and its assets, as `make setup` built them.

`web/` is built into `conurb/web_dist`: `index.html`, and `assets/` whose names carry a hash of
what they hold, so that a browser keeps them for good. Each has a compressed form beside it. A
process without a build answers `/` with a plain page that says what is running and how to build.
The content security policy lets the page load from and speak to its own host alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from conurb import __version__
from conurb.errors import NotFoundError
from conurb.http.exchange import Answer, Exchange, Header
from conurb.http.health import NGSI_LD_VERSION
from conurb.http.routing import HTML, TEXT, Reply, Route

FOLDER: Final = Path(str(files("conurb"))) / "web_dist"
ASSETS: Final = "assets"
ASSET_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
"""Content codings in order of preference, and the ending of a file that has it."""

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Media types by ending: what is not here is not served."""

FOREVER: Final = b"public, max-age=31536000, immutable"
AGAIN: Final = b"no-cache"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
)
FRAMED: Final = {False: "frame-ancestors 'self'", True: "frame-ancestors *"}
"""Who may show the page in a frame: anybody, when it is asked for as one to embed."""

SAFE: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(self), camera=(), microphone=()"),
)


@dataclass(frozen=True, slots=True)
class Body:
    """A file as it is sent: its bytes, and the coding they are in (None: as they are)."""

    content: bytes
    coding: str | None


def find_body(path: Path, accepted: str) -> Body | None:
    """Find a file in the best coding that an Accept-Encoding header takes; None without a file."""
    wanted = {part.partition(";")[0].strip() for part in accepted.split(",")}
    for coding, ending in ENCODINGS:
        if coding in wanted:
            compressed = path.with_name(path.name + ending)
            if compressed.is_file():
                return Body(compressed.read_bytes(), coding)
    return Body(path.read_bytes(), None) if path.is_file() else None


def is_built() -> bool:
    """Whether there is a page, rather than a plain word on what is running."""
    return (FOLDER / "index.html").is_file()


async def front(exchange: Exchange) -> Answer:
    """Give the page; without a build, say what is running."""
    body = await asyncio.to_thread(find_body, _folder(exchange) / "index.html", _accepted(exchange))
    if body is None:
        return _plain(exchange)
    query = parse_qs(exchange.scope["query_string"].decode("latin-1"))
    framed = query.get("embed", ["0"])[0] in ("1", "true")
    headers = [
        (b"content-security-policy", (POLICY + FRAMED[framed]).encode()),
        (b"cache-control", AGAIN),
        *SAFE,
    ]
    return _give(exchange, body, ".html", headers)


async def asset(exchange: Exchange) -> Answer:
    """Give an asset of the page; raise NotFoundError when the build has none of that name."""
    name = exchange.args["asset"]
    path = _folder(exchange) / ASSETS / name
    if ASSET_NAME.fullmatch(name) and path.suffix in TYPES:
        body = await asyncio.to_thread(find_body, path, _accepted(exchange))
        if body is not None:
            return _give(exchange, body, path.suffix, [(b"cache-control", FOREVER), *SAFE])
    raise NotFoundError(f"the page has no asset {name!r}")


def _folder(exchange: Exchange) -> Path:
    folder: Path = getattr(exchange.scope["app"].state, "page_folder", FOLDER)
    return folder


def _accepted(exchange: Exchange) -> str:
    return exchange.headers.get(b"accept-encoding", b"").decode("latin-1")


def _give(exchange: Exchange, body: Body, suffix: str, headers: list[Header]) -> Answer:
    tag = f'"{hashlib.sha256(body.content).hexdigest()[:20]}"'.encode()
    sent = [*headers, (b"etag", tag), (b"vary", b"accept-encoding")]
    known = exchange.headers.get(b"if-none-match", b"")
    if tag in (one.strip() for one in known.split(b",")):
        return Answer(304, b"", sent)
    sent.append((b"content-type", TYPES[suffix].encode()))
    if body.coding is not None:
        sent.append((b"content-encoding", body.coding.encode()))
    return Answer(200, body.content, sent)


def _plain(exchange: Exchange) -> Answer:
    rows: list[tuple[str, str]] = [
        ("节点 · node", exchange.host.id),
        ("版本 · version", f"Conurb {__version__}, NGSI-LD {NGSI_LD_VERSION}"),
        ("租户 · tenants", ", ".join(exchange.host.list_tenants()) or "—"),
    ]
    links = (
        ("/health", "状态 · health"),
        ("/metrics", "指标 · metrics"),
        ("/openapi.json", "接口说明 · OpenAPI description"),
        ("/ngsi-ld/v1/types", "对象类型 · types of objects"),
    )
    body = _PAGE.format(
        rows="".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows),
        links="".join(f'<li><a href="{url}">{escape(text)}</a></li>' for url, text in links),
    )
    return Answer(200, body.encode(), [(b"content-type", TYPES[".html"].encode())])


_PAGE: Final = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conurb</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 3rem auto; max-width: 44rem; padding: 0 1rem }}
th {{ text-align: left; padding-right: 2rem; font-weight: 600; vertical-align: top }}
td {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>Conurb</h1>
<p>此进程保存城市对象，并以 NGSI-LD 接口提供服务。<br>
<span lang="en">This process keeps the objects of cities and serves them by NGSI-LD.</span></p>
<table>{rows}</table>
<ul>{links}</ul>
<p>地图页面尚未构建：安装 Node.js（20.19 或更新）后运行 <code>make page</code>。<br>
<span lang="en">The map isn't built here: install Node.js (20.19 or newer), then
<code>make page</code>.</span></p>
</body>
</html>
"""


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    shared: dict[str, Any] = {
        "tag": "Page",
        "accepts": (),
        "any_tenant": True,
        "any_params": True,
        "open_to_all": True,
    }
    return (
        Route(
            "GET",
            "/",
            "front",
            "The map, for people",
            front,
            replies={200: Reply("A page.", HTML)},
            errors=(),
            **shared,
        ),
        Route(
            "GET",
            f"/{ASSETS}/{{asset}}",
            "asset",
            "A part of the page",
            asset,
            replies={200: Reply("The part.", TEXT)},
            errors=(404,),
            **shared,
        ),
    )
