"""Notifications over MQTT (ETSI GS CIM 009 v1.9.1, clause 7.2), over kept connections.

The endpoint's URI says broker, user and topic; `notifierInfo` the version of the protocol and the
quality of service. One connection per broker, user and version is shared by all subscriptions and
closed when it has been idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiomqtt
import orjson

from conurb.model.endpoint import Endpoint
from conurb.node.message import TAKEN, Message, Outcome

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
VERSIONS: Final = {
    "mqtt3.1.1": aiomqtt.ProtocolVersion.V311,
    "mqtt5.0": aiomqtt.ProtocolVersion.V5,
}
DEFAULT_VERSION: Final = "mqtt5.0"
IDLE_S: Final = 60.0
"""How long a connection is kept that nothing is sent over."""
CLOSE_S: Final = 2.0
"""How long a broker may take to say goodbye."""
CONNECTIONS_MAX: Final = 256
"""How many brokers are connected at once."""

_log = logging.getLogger(__name__)
_log_mqtt = logging.getLogger("conurb.node.mqtt.client")
_log_mqtt.setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker and how to speak to it: what a connection can be shared by."""

    host: str
    port: int
    secure: bool
    user: str | None
    password: str | None
    version: str


def broker_of(endpoint: Endpoint) -> Broker:
    """Read the broker out of an endpoint."""
    parts = urlsplit(endpoint.uri)
    return Broker(
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        secure=parts.scheme == "mqtts",
        user=_decoded(parts.username),
        password=_decoded(parts.password),
        version=dict(endpoint.notifier_info).get("MQTT-Version", DEFAULT_VERSION),
    )


def topic_of(endpoint: Endpoint) -> str:
    """Read the topic out of an endpoint's URI.

    >>> from conurb.model.endpoint import Endpoint
    >>> topic_of(Endpoint("mqtt://broker.example.org/city/air%20quality"))
    'city/air quality'
    """
    parts: SplitResult = urlsplit(endpoint.uri)
    return unquote(parts.path[1:])


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


class MqttSender:
    """Publishes messages; a connection that breaks is made anew once."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lines: dict[Broker, _Line] = {}
        self._janitor: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> Outcome:
        """Publish a message; give what became of it."""
        endpoint = message.endpoint
        body = b'{"metadata":%b,"body":%b}' % (orjson.dumps(message.headers()), message.body)
        qos = int(dict(endpoint.notifier_info).get("MQTT-QoS", "0"))
        broker = broker_of(endpoint)
        try:
            line = await self._line(broker)
            await line.publish(topic_of(endpoint), body, qos)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            return Outcome(ok=False, again=True, detail=f"{type(error).__name__}: {error}")
        return TAKEN

    async def close(self) -> None:
        """Let go of every connection."""
        if self._janitor is not None:
            self._janitor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._janitor
            self._janitor = None
        for broker in list(self._lines):
            await self._lines.pop(broker).close()

    async def _line(self, broker: Broker) -> _Line:
        line = self._lines.get(broker)
        if line is None:
            if len(self._lines) >= CONNECTIONS_MAX:
                oldest = min(self._lines, key=lambda one: self._lines[one].used)
                await self._lines.pop(oldest).close()
            line = self._lines.setdefault(broker, _Line(broker))
        if self._janitor is None:
            self._janitor = asyncio.create_task(self._tidy(), name="mqtt-janitor")
        return line

    async def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle_s / 2)
            for broker, line in list(self._lines.items()):
                if not line.busy and loop.time() - line.used > self._idle_s:
                    del self._lines[broker]
                    await line.close()


class _Line:
    """One connection to one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client: aiomqtt.Client | None = None
        self._watch: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self.busy = 0
        self.used = asyncio.get_running_loop().time()

    async def publish(self, topic: str, body: bytes, qos: int) -> None:
        """Publish, connecting first when there is no connection, or the one there was broke."""
        self.busy += 1
        try:
            kept = self._client
            client = await self._connected()
            try:
                await client.publish(topic, body, qos=qos)
            except aiomqtt.MqttError:
                await self._drop(client)
                if client is not kept:
                    raise
                await (await self._connected()).publish(topic, body, qos=qos)
        finally:
            self.busy -= 1
            self.used = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._drop(self._client)

    async def _connected(self) -> aiomqtt.Client:
        async with self._connecting:
            if self._client is None:
                broker = self._broker
                # The library connects in a thread, of which there are few: a broker that doesn't
                # answer is found out here, where it costs nothing.
                _, probe = await asyncio.open_connection(broker.host, broker.port)
                probe.close()
                client = aiomqtt.Client(
                    broker.host,
                    broker.port,
                    username=broker.user,
                    password=broker.password,
                    protocol=VERSIONS[broker.version],
                    tls_context=ssl.create_default_context() if broker.secure else None,
                    logger=_log_mqtt,
                )
                await client.__aenter__()
                self._client = client
                self._watch = asyncio.create_task(self._watched(client), name="mqtt-watch")
            return self._client

    async def _watched(self, client: aiomqtt.Client) -> None:
        """Notice that the broker has closed the connection; nothing else ever comes over it."""
        with contextlib.suppress(aiomqtt.MqttError):
            async for _ in client.messages:
                pass
        if self._client is client:
            self._client = self._watch = None

    async def _drop(self, client: aiomqtt.Client) -> None:
        if self._client is client:
            if self._watch is not None:
                self._watch.cancel()
            self._client = self._watch = None
        try:
            async with asyncio.timeout(CLOSE_S):
                await client.__aexit__(None, None, None)
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            _log.debug("%s:%s didn't say goodbye: %s", self._broker.host, self._broker.port, error)
