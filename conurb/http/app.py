"""The HTTP application of a process: every module's routes, one router, one shell.

A module of handlers joins by one line in `MODULES`; it has a function `routes()` that gives its
`Route`s. The OpenAPI document is made from the same routes.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.routing import Router as Shell

from conurb.errors import ConurbError
from conurb.http.dispatch import Dispatcher
from conurb.http.metrics import Metrics
from conurb.http.routing import Route, Router

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.http.auth import TokenBook
    from conurb.node.host import Host

MODULES: Final = (
    "entities",
    "attributes",
    "batch",
    "discovery",
    "temporal",
    "temporal_reading",
    "entity_maps",
    "temporal_maps",
    "snapshots",
    "subscriptions",
    "registrations",
    "registration_subscriptions",
    "membership",
    "changes",
    "contexts",
    "identity",
    "vocabulary",
    "region",
    "extents",
    "freshness",
    "remote_notify",
    "ogc.landing",
    "ogc.collections",
    "ogc.items",
    "ogc.tiles",
    "map",
    "live",
    "search",
    "systems",
    "health",
    "page",
    "openapi",
)
"""The modules of `conurb.http` that have routes."""

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


def all_routes() -> tuple[Route, ...]:
    """Give the routes of every module."""
    return tuple(
        route for name in MODULES for route in import_module(f"conurb.http.{name}").routes()
    )


def routes_of_systems(settings: Settings) -> tuple[Route, ...]:
    """Give the routes that the systems that are switched on bring along."""
    if not settings.systems:
        return ()
    from conurb.http.systems import system_routes
    from conurb.systems.registry import get_systems

    return system_routes(get_systems(settings.systems))


def build_app(
    host: Host,
    settings: Settings,
    *,
    tokens: TokenBook | None = None,
    lifespan: Lifespan | None = None,
) -> Starlette:
    """Build the application that serves a host's nodes.

    Without `tokens` it is open to everybody who can reach it. `lifespan` runs around it.
    """
    metrics = Metrics()
    router = Router((*all_routes(), *routes_of_systems(settings)))
    app = _Application()
    app.state.host = host
    app.state.metrics = metrics
    app.state.routes = router.routes
    dispatcher = Dispatcher(router, host=host, settings=settings, tokens=tokens, metrics=metrics)

    @asynccontextmanager
    async def life(served: Any) -> AsyncIterator[None]:
        async with (lifespan or _nothing)(served):
            try:
                yield
            finally:
                dispatcher.reader.close()

    app.router = _Shell(dispatcher, lifespan=life)
    return app


class _Application(Starlette):
    """Starlette without its middleware, whose part the dispatcher does: every error is answered."""

    def build_middleware_stack(self) -> Shell:
        """Give the router alone; what stood before it cost a tenth of a look-up."""
        return self.router


class _Shell(Shell):
    """Starlette's router with its own lifespan, and our dispatcher for every request."""

    def __init__(self, dispatcher: Dispatcher, *, lifespan: Lifespan) -> None:
        super().__init__(lifespan=lifespan)
        self._dispatcher = dispatcher

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._dispatcher(scope, receive, send)
        else:
            await super().__call__(scope, receive, _in_brief(send))


def _in_brief(send: Any) -> Any:
    """Say why a start failed in one line when it is an error of ours, instead of a traceback."""

    async def said(message: Any) -> None:
        error = sys.exc_info()[1]
        if message["type"] == "lifespan.startup.failed" and isinstance(error, ConurbError):
            message = {**message, "message": error.detail}
        await send(message)

    return said


@asynccontextmanager
async def _nothing(_app: Any) -> AsyncIterator[None]:
    yield
