"""Sending one notification: over HTTP, or over MQTT (ETSI GS CIM 009 v1.9.1, clauses 6.3.8, 7.2).

`Delivery` hands a `Message` to the sender of its scheme and says
what became of it; it never raises for what a receiver does. When to send, and whether to try
again, is the business of `conurb.node.courier`.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlsplit

import httpx

from conurb import __version__
from conurb.access.outbound import Outbound
from conurb.errors import ConurbError
from conurb.node.message import TAKEN, Message, Outcome, Sender
from conurb.node.mqtt import MqttSender

TIMEOUT_S: Final = 10.0
"""How long a receiver may take that has no `timeout` of its own."""
TIMEOUT_S_MAX: Final = 60.0
"""How long a receiver may take at most; the node overrides more (clause 5.2.15)."""
ANSWER_BYTES_MAX: Final = 65_536
"""How much of a receiver's answer is read, so that its connection can be used again."""
KEPT_CONNECTIONS: Final = 64
"""Idle connections that are kept."""
KEPT_CONNECTION_S: Final = 30.0
"""How long an idle connection is kept."""

REFUSALS: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501, 505})
"""Answers after which sending the same again can't help."""


class Delivery:
    """Sends messages to where they go, if the node may send there."""

    def __init__(self, outbound: Outbound) -> None:
        self.outbound = outbound
        http = HttpSender()
        mqtt = MqttSender()
        self._senders: dict[str, Sender] = {
            "http": http,
            "https": http,
            "mqtt": mqtt,
            "mqtts": mqtt,
        }

    async def send(self, message: Message) -> Outcome:
        """Send a message within its time; give what became of it."""
        uri = message.endpoint.uri
        try:
            self.outbound.check(uri)
        except ConurbError as error:
            return Outcome(ok=False, again=True, detail=error.detail)
        within_s = min(message.endpoint.timeout_s or TIMEOUT_S, TIMEOUT_S_MAX)
        try:
            async with asyncio.timeout(within_s):
                return await self._senders[urlsplit(uri).scheme].send(message)
        except TimeoutError:
            return Outcome(ok=False, again=True, detail=f"no answer within {within_s:g} s")

    async def close(self) -> None:
        """Let go of every connection."""
        for sender in set(self._senders.values()):
            await sender.close()


class HttpSender:
    """Posts messages over pooled connections; redirects aren't followed."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    def _connected(self) -> httpx.AsyncClient:
        """Give the client, made when it is first needed: its certificates take a while to read."""
        if self._client is None:
            self._client = self._make()
        return self._client

    def _make(self) -> httpx.AsyncClient:
        # Connections aren't bounded here: each subscription has one message under way at most,
        # and a bound would let dead receivers hold up the others.
        limits = httpx.Limits(
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_CONNECTION_S,
        )
        return httpx.AsyncClient(
            limits=limits,
            timeout=None,  # noqa: S113 - `Delivery` bounds the whole exchange
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": f"conurb/{__version__}", "Accept": "*/*"},
        )

    async def send(self, message: Message) -> Outcome:
        """Post a message; give what became of it."""
        try:
            async with self._connected().stream(
                "POST",
                message.endpoint.uri,
                content=message.body,
                headers=[(k.encode(), v.encode()) for k, v in message.headers().items()],
            ) as response:
                status = response.status_code
                size = 0
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size > ANSWER_BYTES_MAX:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Outcome(ok=False, again=True, detail=f"{type(error).__name__}: {error}")
        if 200 <= status < 300:
            return TAKEN
        return Outcome(ok=False, again=status not in REFUSALS, detail=f"the answer was {status}")

    async def close(self) -> None:
        """Let go of every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
