"""Wiring, and nothing else: settings become a host of nodes and an HTTP application around it."""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette

from conurb.access.outbound import Outbound
from conurb.config import Settings
from conurb.errors import ConfigError, UnavailableError
from conurb.federation.copies import keep_copies
from conurb.federation.freshness import watch_freshness
from conurb.federation.frozen import freeze_everywhere
from conurb.federation.region import federate, reach_of
from conurb.federation.replication import COPIES
from conurb.federation.wire import Wire
from conurb.http.app import build_app
from conurb.http.auth import TokenBook
from conurb.model.time import Clock, system_clock
from conurb.model.vocabulary import CONTEXT_URL, platform_context
from conurb.node.bounds import Bounds
from conurb.node.catalogue import read_catalogue
from conurb.node.context_fetch import HttpFetch
from conurb.node.contexts import Contexts
from conurb.node.delivery import Delivery
from conurb.node.host import Host
from conurb.node.node import Companion, Node
from conurb.node.shelf import open_shelf
from conurb.node.tokens import TokenFile

if TYPE_CHECKING:
    from conurb.systems.contract import Place

COLLECTION_THRESHOLDS = (50_000, 20, 100)
"""When Python looks for garbage in circles: a batch makes tens of thousands of objects that are
gone when it is answered, and looking among them takes a tenth of the time."""

BACKLOG = 2048
GRACE_S = 10

Opened = Callable[[Host], Awaitable[None]]
"""Is awaited with a host that has been opened."""


def build_contexts(settings: Settings, *, clock: Clock = system_clock) -> Contexts:
    """Make the @contexts of a process: its catalogue, and fetching when it is configured."""
    fetch = None
    if settings.fetch_contexts:
        fetch = HttpFetch(
            Outbound(settings.outbound_allowed),
            timeout_s=settings.context_timeout_s,
            bytes_max=settings.context_bytes_max,
        )
    catalogue = {} if settings.contexts is None else read_catalogue(settings.contexts)
    return Contexts(
        catalogue,
        builtin={CONTEXT_URL: platform_context()},
        fetch=fetch,
        clock=clock,
        lifetime_s=settings.context_lifetime_s,
        terms_max=settings.contexts_max,
    )


def build_host(settings: Settings, *, clock: Clock = system_clock) -> Host:
    """Make the host of a process, not yet opened: its nodes answer for those they register."""
    contexts = build_contexts(settings, clock=clock)
    wire = Wire(Outbound(settings.outbound_allowed), contexts)
    add_systems = systems_of(settings)

    def prepare(node: Node) -> None:
        runner = add_systems(node)
        federate(
            node,
            name=node.tenant or host.id,
            open_node=host.node,
            alias=host.alias(node.tenant),
            wire=wire,
        )
        keep_copies(node, reach_of(node), host)
        freeze_everywhere(node, reach_of(node))
        watch_freshness(node, reach_of(node), period_s=settings.freshness_s)
        if runner is not None:
            node.companions.append(runner)

    host = Host(
        open_shelf(settings.store, clock=clock),
        node_id=settings.node_id,
        contexts=contexts,
        delivery=Delivery(Outbound(settings.outbound_allowed)),
        clock=clock,
        bounds=Bounds(
            page=settings.page_default,
            page_max=settings.page_max,
            batch_max=settings.batch_max,
            journal_keep_s=settings.journal_keep_s,
        ),
        prepare=prepare,
        release=wire.close,
    )
    return host


def systems_of(settings: Settings) -> Callable[[Node], Companion | None]:
    """Give what adds to a node the systems that are switched on; it gives their runner.

    Copies of a member's objects are no node of their own and have none. Raises ConfigError for a
    system that isn't installed, or an option of one that isn't switched on.
    """
    if not settings.systems:
        return lambda node: None
    from conurb.systems.registry import get_systems
    from conurb.systems.runner import Journals, Runner, Setup

    systems = get_systems(settings.systems)
    strange = set(settings.system) - {one.name for one in systems}
    if strange:
        raise ConfigError(f"system: {', '.join(sorted(strange))} is not among systems")
    setup = Setup(
        systems,
        folder=settings.data_folder / "systems",
        options=settings.system,
        recordings=settings.recordings,
        replay=settings.replay,
        check_types=settings.check_types,
    )
    journals = Journals()

    def add(node: Node) -> Companion | None:
        if (node.tenant or "").startswith(COPIES):
            return None
        places = settings.places if node.tenant is None else ("node",)
        runner = Runner(node, setup, frozenset(cast("tuple[Place, ...]", places)), journals)
        runner.guard()
        return runner

    return add


def tokens_of(settings: Settings) -> TokenBook | None:
    """Give the tokens that callers need; None when the node is open to all who can reach it.

    Beyond loopback a node needs tokens and TLS, or an operator who insists (`insecure_open`);
    else this raises ConfigError saying what is missing.
    """
    file = TokenFile(settings.tokens_path)
    if settings.is_open:
        return None
    if settings.loopback:
        return file
    missing = []
    if not file.list_tokens():
        missing.append(f"a token (conurb token new NAME --file {settings.tokens_path})")
    if settings.tls_certificate is None:
        missing.append("tls_certificate and tls_key")
    if missing:
        raise ConfigError(
            f"host {settings.host} is not loopback: {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} needed, or --insecure-open"
        )
    return file


@asynccontextmanager
async def open_app(
    *, store: str | Path, settings: Settings | None = None
) -> AsyncIterator[Starlette]:
    """Open a node in this process and give its application: for notebooks, commands and tests."""
    chosen = replace(settings or Settings(), store=str(store))
    host = build_host(chosen)
    await host.open()
    try:
        yield build_app(host, chosen)
    finally:
        await host.close()


def build_served(settings: Settings, *, opened: Opened | None = None) -> Starlette:
    """Build the application that a server runs: it opens its host when it starts.

    `opened` is awaited with the open host, before the first request is taken.
    """
    host = build_host(settings)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        await host.open()
        try:
            if opened is not None:
                await opened(host)
            yield
        finally:
            await host.close()

    return build_app(host, settings, tokens=tokens_of(settings), lifespan=lifespan)


def check_address(host: str, port: int) -> None:
    """Raise ConfigError when an address can't be listened to; before any store is opened."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} can't be listened to ({error.strerror}); another --host or --port?"
        ) from error


def serve(
    settings: Settings,
    *,
    opened: Opened | None = None,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Serve a node until it is told to stop.

    `opened` is awaited with the open host, `listening` is called once requests are taken. Raises
    ConfigError when the address can't be listened to, UnavailableError when it can't be served
    for another reason, which has been logged.
    """
    import uvicorn

    check_address(settings.host, settings.port)
    gc.set_threshold(*COLLECTION_THRESHOLDS)

    app = build_served(settings, opened=opened)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                listening()

        async def shutdown(self, sockets: Any = None) -> None:
            app.state.host.leaving.set()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    try:
        Server(config).run()
    except SystemExit as error:
        raise UnavailableError(f"{settings.host}:{settings.port} can't be served") from error
