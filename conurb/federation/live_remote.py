"""What changes at a member elsewhere, as it tells it itself: the client's side of `LIVE_PATH`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
import orjson

from conurb.errors import ConurbError, SourceError
from conurb.federation.reading import read_entity
from conurb.model.context import core_terms

if TYPE_CHECKING:
    from conurb.access.outbound import Outbound
    from conurb.federation.live import Listener, LiveChange
    from conurb.model.registration import Registration

LIVE_PATH: Final = "/live"
SILENCE_S: Final = 45.0
"""A member that says nothing for so long, not even a heartbeat, is asked anew."""

PAUSE_S: Final = 2.0
PAUSE_S_MAX: Final = 60.0
LATEST_MAX: Final = 5_000
"""Changes that are kept for listeners that come back."""

LINE_BYTES_MAX: Final = 32 * 1024 * 1024

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Whom changes are told to (`conurb.federation.live.Live`)."""

    def publish(self, source: str, change: LiveChange) -> None:
        """Tell of a change."""
        ...

    def start_anew(self, reason: str) -> None:
        """Tell that something can't be told."""
        ...


class RemoteFeed:
    """The changes of one member elsewhere.

    `seq` counts what was heard here, so that it can stand in a token; the latest changes are kept
    for listeners that come back. After a break the member's own token tells it where to go on.
    """

    def __init__(
        self, registration: Registration, outbound: Outbound, sink: Sink, *, seq: int
    ) -> None:
        self.name = registration.name
        self.seq = seq
        self._latest: deque[LiveChange] = deque(maxlen=LATEST_MAX)
        self.error: str | None = "not heard yet"
        self._registration = registration
        self._outbound = outbound
        self._sink = sink
        self._token: str | None = None

    async def begin(self) -> None:
        """Begin with what happens from now on."""

    async def run(self) -> None:
        """Listen until it is cancelled."""
        pause_s = PAUSE_S
        while True:
            try:
                async for event, data, token in self._events():
                    pause_s, self.error = PAUSE_S, None
                    self._hear(event, data)
                    self._token = token or self._token
                raise SourceError(f"{self.name} has stopped telling")
            except ConurbError as error:
                self.error = error.detail
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
                self.error = str(error) or f"nothing was heard for {SILENCE_S:g} s"
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    def _hear(self, event: str, data: Any) -> None:
        from conurb.federation.live import LiveChange

        if event == "reset":
            self._sink.start_anew(f"{self.name}: {data.get('reason')}")
        for one in data.get("changes", ()) if event == "changes" else ():
            self.seq += 1
            document = one.get("entity")
            entity = None if document is None else read_entity(document, core_terms())
            change = LiveChange(
                self.seq,
                int(one["at"]),
                str(one["id"]),
                tuple(one["types"]),
                tuple(one.get("scope", ())),
                entity,
            )
            self._latest.append(change)
            self._sink.publish(self.name, change)

    async def repeat(self, listener: Listener, after: int) -> str | None:
        """Tell a listener what was heard after a number; give why that can't be."""
        first = self._latest[0].seq if self._latest else self.seq + 1
        if not first - 1 <= after <= self.seq:
            return "what was missed isn't known any more"
        for change in self._latest:
            if change.seq > after:
                listener.offer(self.name, change)
        return None

    async def _events(self) -> AsyncIterator[tuple[str, Any, str | None]]:
        """Stream what the member says: name of the event, its data, its token."""
        registration = self._registration
        url = registration.endpoint.removesuffix("/").removesuffix("/ngsi-ld/v1")
        self._outbound.check(url)
        headers = {"Accept": "text/event-stream"}
        if registration.tenant is not None:
            headers["NGSILD-Tenant"] = registration.tenant
        authorization = registration.told("Authorization")
        if authorization is not None:
            headers["Authorization"] = authorization
        if self._token is not None:
            headers["Last-Event-ID"] = self._token
        timeout = httpx.Timeout(10.0, read=SILENCE_S)
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream(
                "GET", url + LIVE_PATH, params={"form": "objects"}, headers=headers
            ) as response,
        ):
            if response.status_code != 200:
                raise SourceError(f"{self.name} tells of no changes: {response.status_code}")
            async for event in _read_events(response):
                yield event


async def _read_events(response: httpx.Response) -> AsyncIterator[tuple[str, Any, str | None]]:
    """Read server-sent events (HTML, 9.2)."""
    event, data, token = "message", "", None
    async for line in response.aiter_lines():
        if len(line) > LINE_BYTES_MAX:
            raise SourceError(f"an event is over {LINE_BYTES_MAX} bytes")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data += value
        elif name == "id":
            token = value
        elif not line and data:
            try:
                yield event, orjson.loads(data), token
            except orjson.JSONDecodeError as error:
                raise SourceError("an event isn't JSON", code=111) from error
            event, data, token = "message", "", None
