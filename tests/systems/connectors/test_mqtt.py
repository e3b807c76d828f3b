"""MQTT: what the broker was given is stored, also when this node or the broker went away."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import aiomqtt
import orjson
import pytest

from conurb.model.changes import Operation
from conurb.model.operations.entity import UpsertEntity
from conurb.systems.connect import mqtt
from conurb.systems.contract import Connector, Message, MqttTopics, Site, System
from tests.services.mosquitto import Mosquitto
from tests.services.postgres import free_port
from tests.systems.places import entity, open_host, running, system, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.mqtt


async def read(message: Message, site: Site) -> Sequence[Operation]:
    number = orjson.loads(message.body)["n"]
    device = {"id": f"urn:ngsi-ld:Device:t:{number}", "type": "Device", "value": number}
    return [UpsertEntity(entity(device))]


def listening(url: str, topic: str) -> System:
    connector = Connector("mqtt", MqttTopics(url, (f"{topic}/#",), bytes_max=1000), read)
    return system(connectors=lambda site: (connector,))


async def publish(port: int, topic: str, numbers: Sequence[int]) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for number in numbers:
            await client.publish(f"{topic}/{number}", orjson.dumps({"n": number}), qos=1)


async def test_messages_sent_while_the_node_is_away_are_stored_once_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    topic = f"t{uuid4().hex}"
    async with open_host(tmp_path, node_id=topic) as host:
        node = await host.node()
        async with running(node, tmp_path, listening(mosquitto.url, topic)) as run:
            await until(lambda: run.part("mqtt").state == "running")
            await publish(mosquitto.port, topic, range(50))
            await until(lambda: run.part("mqtt").stored == 50)
        await publish(mosquitto.port, topic, range(50, 100))
        async with running(node, tmp_path, listening(mosquitto.url, topic)) as run:
            await until(lambda: run.part("mqtt").stored == 50)
            await asyncio.sleep(0.1)
        counted = Counter(one.entity_id for one in await node.store.journal(after=0))
    assert len(counted) == 100
    assert set(counted.values()) == {1}, "acknowledged messages were sent again"


@contextmanager
def broker(port: int, folder: Path, *more: str) -> Iterator[None]:
    config = folder / "m.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "user root", *more]
    config.write_text("\n".join([*lines, ""]))
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([program, "-c", str(config)], stdout=-3, stderr=-3)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


async def test_a_broker_that_goes_away_and_comes_back_is_found_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    port = free_port()
    async with open_host(tmp_path) as host:
        node = await host.node()
        system = listening(f"mqtt://127.0.0.1:{port}", "t")
        async with running(node, tmp_path, system) as run:
            await until(lambda: run.part("mqtt").state == "waiting")
            for first in (0, 10):
                with broker(port, tmp_path):
                    await until(lambda: run.part("mqtt").state == "running")
                    await publish(port, "t", range(first, first + 10))
                    await until(lambda first=first: run.part("mqtt").stored == first + 10)
                await until(lambda: run.part("mqtt").state == "waiting")
        assert await node.store.journal_end() == 20


async def test_garbage_over_mqtt_is_acknowledged_and_set_aside(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    topic = f"t{uuid4().hex}"
    async with (
        open_host(tmp_path, node_id=topic) as host,
        running(await host.node(), tmp_path, listening(mosquitto.url, topic)) as run,
    ):
        await until(lambda: run.part("mqtt").state == "running")
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            await client.publish(f"{topic}/x", b"\x00garbage", qos=1)
            await client.publish(f"{topic}/x", b'{"n": 2}' + b" " * 1000, qos=1)
        await publish(mosquitto.port, topic, [1])
        await until(lambda: run.part("mqtt").stored == 1)
        assert run.part("mqtt").dead == 2


async def test_nothing_is_dropped_when_a_broker_sends_more_than_it_is_asked_to(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """Mosquitto 2.0 sends a session all that waits when the node comes back to it."""
    port, count = free_port(), 3 * mqtt.IN_FLIGHT_MAX
    system = listening(f"mqtt://127.0.0.1:{port}", "t")
    async with open_host(tmp_path) as host:
        node = await host.node()
        with broker(port, tmp_path, "max_queued_messages 0"):
            async with running(node, tmp_path, system) as run:
                await until(lambda: run.part("mqtt").state == "running")
            await publish(port, "t", range(count))
            async with running(node, tmp_path, system) as run:
                await until(lambda: run.part("mqtt").stored == count)
