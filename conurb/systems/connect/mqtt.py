"""Listens to topics of an MQTT broker (3.1.1 and 5.0 brokers; spoken as 5.0).

With quality of service 1 the broker keeps the session of this node while it is away, and a message
is acknowledged only when it has been stored: what the broker was given is stored at least once, and
ids that derive from the message make it once in effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from conurb.errors import ForbiddenError, UnavailableError
from conurb.systems.connect.feed import Reading
from conurb.systems.sources import MESSAGE_BYTES_MAX, Message, MqttTopics

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
IN_FLIGHT_MAX: Final = 2_000
"""How many messages the broker is asked to send ahead of their acknowledgements at most. Of quality
of service 0, which promises nothing, as many wait here and those that come beyond are dropped."""
SESSION_S: Final = 7 * 86_400
"""How long the broker is asked to keep the session of a node that is away."""
CONNECT_S: Final = 10.0

_log_mqtt = logging.getLogger("conurb.systems.mqtt")
_log_mqtt.setLevel(logging.ERROR)


class _Client(aiomqtt.Client):
    """aiomqtt's client with its queue read in bulk, and acknowledging when it is told to."""

    def acknowledge_by_hand(self) -> None:
        """Leave it to `acknowledge` to tell the broker that messages were taken."""
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that a message was taken."""
        self._client.ack(message.mid, message.qos)

    async def bulk(self) -> list[aiomqtt.Message]:
        """Wait for messages and give all that have come; raise MqttError when cut off."""
        first = await anext(self.messages)
        queue = self._queue
        return [first, *(queue.get_nowait() for _ in range(queue.qsize()))]


class MqttFeed:
    """The feed of a broker's topics."""

    def __init__(self, source: MqttTopics, reading: Reading) -> None:
        self._source = source
        self._reading = reading
        self._client: _Client | None = None
        self._unacknowledged: list[aiomqtt.Message] = []

    async def messages(self) -> AsyncIterator[Message]:
        """Stream messages until the broker goes away, which raises UnavailableError."""
        source, site = self._source, self._reading.site
        try:
            site.outbound.check(source.url)
            client = await self._connect()
            async with client:
                self._client = client
                wanted: list[tuple[str, int]] = [(one, source.qos) for one in source.topics]
                await client.subscribe(wanted)
                self._reading.standing.going()
                while True:
                    for message in await client.bulk():
                        if source.qos:
                            self._unacknowledged.append(message)
                        yield self._message(message)
        except (aiomqtt.MqttError, OSError, TimeoutError, ForbiddenError) as error:
            raise UnavailableError(f"{_shown(source.url)}: {error or 'no answer'}") from error
        finally:
            self._client = None
            self._unacknowledged.clear()

    def _message(self, message: aiomqtt.Message) -> Message:
        payload: Any = message.payload
        body = payload if isinstance(payload, bytes) else str(payload or "").encode()
        topic, at_us = str(message.topic), self._reading.site.now_us()
        if len(body) > self._source.bytes_max:
            fault = f"{len(body)} bytes; at most {self._source.bytes_max} are taken"
            return Message(body, topic=topic, at_us=at_us, fault=fault)
        return Message(body, topic=topic, at_us=at_us)

    async def stored(self, messages: Sequence[Message]) -> None:
        """Acknowledge what has been stored: messages come and are stored in one order."""
        if self._client is None or not self._source.qos:
            return
        done = self._unacknowledged[: len(messages)]
        del self._unacknowledged[: len(messages)]
        for message in done:
            self._client.acknowledge(message)

    async def close(self) -> None:
        """The connection is closed with its stream."""

    async def _connect(self) -> _Client:
        parts = urlsplit(self._source.url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        # The library connects in a thread, of which there are few: a broker that doesn't answer is
        # found out here, where it costs nothing.
        async with asyncio.timeout(CONNECT_S):
            _, probe = await asyncio.open_connection(host, port)
        probe.close()
        with contextlib.suppress(OSError):
            await probe.wait_closed()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = IN_FLIGHT_MAX
        properties.MaximumPacketSize = MESSAGE_BYTES_MAX
        properties.SessionExpiryInterval = SESSION_S if self._source.qos else 0
        client = _Client(
            host,
            port,
            identifier=self._identifier(),
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=not self._source.qos,
            # Some brokers send more than they were asked to: what is promised isn't dropped.
            max_queued_incoming_messages=None if self._source.qos else IN_FLIGHT_MAX,
            properties=properties,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls_context=ssl.create_default_context() if parts.scheme == "mqtts" else None,
            logger=_log_mqtt,
        )
        if self._source.qos:
            client.acknowledge_by_hand()
        return client

    def _identifier(self) -> str:
        """Name the session: the same whenever this connector of this site comes back."""
        site = self._reading.site
        whole = "/".join((site.node.id, site.node.tenant or "", site.system))
        whole += f"/{self._reading.connector}/{','.join(self._source.topics)}"
        return f"conurb-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def _shown(url: str) -> str:
    """Give a broker's URL without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
