"""/live: what changes, told as it changes (server-sent events, HTML, 9.2).

Events: `hello` says who is listened to, `changes` holds the latest state of objects that have
changed, `reset` says that something was missed and what is shown has to be read anew, `dropped`
that the reader was too slow and the stream ends. The id of an event is the token with which a
reader comes back (Last-Event-ID): one for all nodes of a region. A comment is a heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.federation.live import Listener, Live, LiveChange, live_of
from conurb.federation.live_remote import LIVE_PATH
from conurb.http.exchange import Answer, Exchange
from conurb.http.ogc.asking import (
    GEOMETRY,
    LANGUAGE,
    PROPERTIES,
    WITH,
    Shown,
    read_shown,
    read_view,
    terms,
)
from conurb.http.ogc.features import feature_of
from conurb.http.params import Param
from conurb.http.routing import EVENTS, Reply, Route
from conurb.model.context import core_terms
from conurb.model.render.entity import render_entity
from conurb.model.render.flat import FlatView
from conurb.model.render.view import View
from conurb.model.time import shown_us

if TYPE_CHECKING:
    from conurb.node.host import Host

COALESCE_S: Final = 0.5
"""What changes within this time is told at once, each object once."""

HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 2_000
"""When a reader comes back by itself."""

CHANGES_MAX: Final = 1_000
"""Objects of one event."""

TYPES: Final = Param("types", "Types whose objects are told of; without it, any.", "list")
FORM: Final = Param(
    "form", "features (GeoJSON, the default) or objects (NGSI-LD).", choices=("features", "objects")
)
FROM: Final = Param("from", "Id of the last event that was taken; the header goes before it.")


async def live(exchange: Exchange) -> Answer:
    """Tell of changes for as long as the reader listens."""
    params = exchange.params
    types = frozenset(terms().expand(name) for name in params.items("types"))
    shown = read_shown(params)
    view = read_view(params, shown)
    given = exchange.headers.get(b"last-event-id")
    token = given.decode("latin-1").strip() if given else params.text("from")
    hub = live_of(await exchange.node())
    listener = await hub.listen(exchange.caller, types=types, token=token or None)
    as_objects = params.text("form") == "objects"
    stream = _events(exchange.host, hub, listener, _Writer(shown, view, as_objects))
    headers = [
        (b"content-type", f"{EVENTS}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    return Answer(200, headers=headers, stream=stream)


async def _events(
    host: Host, hub: Live, listener: Listener, writer: _Writer
) -> AsyncIterator[bytes]:
    try:
        hello = {"sources": hub.sources, "silent": hub.silent}
        yield f"retry: {RETRY_MS}\n".encode() + _event("hello", hello, listener.find_token())
        while not host.leaving.is_set():
            if not await _news(host, listener):
                yield b": heartbeat\n\n"
                continue
            await asyncio.sleep(COALESCE_S)
            told = listener.take()
            if told.dropped is not None:
                yield _event("dropped", {"reason": told.dropped}, told.token)
                return
            if told.reset is not None:
                yield _event("reset", {"reason": told.reset}, told.token)
            for first in range(0, len(told.changes), CHANGES_MAX):
                changes = told.changes[first : first + CHANGES_MAX]
                last = first + CHANGES_MAX >= len(told.changes)
                # Only with the last one everything up to the token has been told.
                yield _event("changes", writer.document(changes), told.token if last else None)
    finally:
        await hub.leave(listener)


async def _news(host: Host, listener: Listener) -> bool:
    """Wait for something to tell; False for a heartbeat, or when the process is leaving."""
    waiting = asyncio.ensure_future(listener.wait(HEARTBEAT_S))
    leaving = asyncio.ensure_future(host.leaving.wait())
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.done() and waiting.result()
    finally:
        waiting.cancel()
        leaving.cancel()


class _Writer:
    """Writes changes as the data of an event."""

    def __init__(self, shown: Shown, view: FlatView, as_objects: bool) -> None:
        self._shown = shown
        self._view = view
        self._as_objects = as_objects

    def document(self, changes: list[LiveChange]) -> dict[str, Any]:
        """Write changes: objects as they are, or features, and what is gone."""
        if self._as_objects:
            return {"changes": [_object(one) for one in changes]}
        return {
            "type": "FeatureCollection",
            "features": [self._feature(one) for one in changes if one.entity is not None],
            "gone": [
                {"id": one.id, "collections": _collections(one), "at": shown_us(one.at_us)}
                for one in changes
                if one.entity is None
            ],
        }

    def _feature(self, change: LiveChange) -> dict[str, Any]:
        assert change.entity is not None  # noqa: S101 - the caller has looked
        feature = feature_of(change.entity, terms(), self._view, self._shown)
        return {**feature, "collections": _collections(change), "at": shown_us(change.at_us)}


def _collections(change: LiveChange) -> list[str]:
    return [terms().compact(one) for one in change.types]


def _object(change: LiveChange) -> dict[str, Any]:
    entity = change.entity
    return {
        "id": change.id,
        "at": change.at_us,
        "types": list(change.types),
        "scope": list(change.scope),
        "entity": None
        if entity is None
        else render_entity(entity, core_terms(), View(sys_attrs=True)),
    }


def _event(name: str, data: Any, token: str | None) -> bytes:
    written = b"id: " + token.encode() + b"\n" if token is not None else b""
    return b"".join((written, b"event: ", name.encode(), b"\ndata: ", orjson.dumps(data), b"\n\n"))


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            LIVE_PATH,
            "live",
            "What changes, as it changes: server-sent events without an end",
            live,
            "Map",
            params=(TYPES, FORM, PROPERTIES, WITH, LANGUAGE, GEOMETRY, FROM),
            accepts=(),
            replies={200: Reply("Events, for as long as the reader listens.", media=(EVENTS,))},
            errors=(400, 404, 503),
        ),
    )
