"""Notifications over MQTT, with a real broker (clause 7.2)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import httpx
import pytest

from tests.services.missing import missing
from tests.services.mosquitto import Mosquitto
from tests.services.postgres import free_port

pytestmark = pytest.mark.mqtt

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
ENTITY = {"id": "urn:ngsi-ld:City:1", "type": "City", "size": {"type": "Property", "value": 1}}
ARRIVAL_S = 5.0


class Listener:
    """The messages of one topic as they come."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._messages = client.messages

    async def next(self) -> tuple[aiomqtt.Message, Any]:
        async with asyncio.timeout(ARRIVAL_S):
            message = await anext(self._messages)
        assert isinstance(message.payload, bytes)
        return message, json.loads(message.payload)


@asynccontextmanager
async def listening(port: int, topic: str, **options: Any) -> AsyncIterator[Listener]:
    async with aiomqtt.Client("127.0.0.1", port, **options) as client:
        await client.subscribe(topic, qos=2)
        yield Listener(client)


@pytest.fixture
def topic() -> str:
    return f"conurb/{uuid4()}/air quality"


async def subscribe(client: httpx.AsyncClient, uri: str, **endpoint: Any) -> None:
    document = {
        "type": "Subscription",
        "id": "urn:s:1",
        "entities": [{"type": "City"}],
        "notification": {"endpoint": {"uri": uri.replace(" ", "%20"), **endpoint}},
    }
    response = await client.post("/subscriptions", json=document)
    assert response.status_code == 201, response.text


async def write(client: httpx.AsyncClient, size: int = 1) -> None:
    document = {**ENTITY, "size": size}
    response = await client.post("/entityOperations/upsert", json=[document])
    assert response.status_code in (201, 204), response.text


async def standing(client: httpx.AsyncClient, status: str) -> Any:
    for _ in range(250):
        notification = (await client.get("/subscriptions/urn:s:1")).json()["notification"]
        if notification.get("status") == status:
            return notification
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {status}: {notification}")


async def test_a_notification_is_metadata_and_body(
    client: httpx.AsyncClient, mosquitto: Mosquitto, topic: str
) -> None:
    async with listening(mosquitto.port, topic) as listener:
        await subscribe(
            client,
            f"{mosquitto.url}/{topic}",
            receiverInfo=[{"key": "test-key", "value": "any text, also 中文"}],
        )
        await write(client)
        message, document = await listener.next()
    assert message.qos == 0
    assert document["metadata"] == {
        "Content-Type": "application/json",
        "Link": f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
        "test-key": "any text, also 中文",
    }
    assert document["body"]["type"] == "Notification"
    assert document["body"]["subscriptionId"] == "urn:s:1"
    assert document["body"]["data"] == [ENTITY]
    assert (await standing(client, "ok"))["timesSent"] == 1


async def test_json_ld_carries_its_context(
    client: httpx.AsyncClient, mosquitto: Mosquitto, topic: str
) -> None:
    async with listening(mosquitto.port, topic) as listener:
        await subscribe(client, f"{mosquitto.url}/{topic}", accept="application/ld+json")
        await write(client)
        _, document = await listener.next()
    assert document["metadata"] == {"Content-Type": "application/ld+json"}
    assert document["body"]["data"][0]["@context"] == CORE


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_version_and_quality_of_service_are_those_asked_for(
    client: httpx.AsyncClient, mosquitto: Mosquitto, topic: str, version: str, qos: int
) -> None:
    info = [{"key": "MQTT-Version", "value": version}, {"key": "MQTT-QoS", "value": str(qos)}]
    async with listening(mosquitto.port, topic) as listener:
        await subscribe(client, f"{mosquitto.url}/{topic}", notifierInfo=info)
        for size in range(3):
            await write(client, size)
        for size in range(3):
            message, document = await listener.next()
            assert message.qos == qos
            assert document["body"]["data"][0]["size"]["value"] == size


async def test_geojson_is_not_for_mqtt(client: httpx.AsyncClient) -> None:
    document = {
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notification": {
            "endpoint": {"uri": "mqtt://127.0.0.1/t", "accept": "application/geo+json"}
        },
    }
    assert (await client.post("/subscriptions", json=document)).status_code == 400


@dataclass(frozen=True, slots=True)
class Guarded:
    """A broker that wants user and password, in the clear and over TLS."""

    port: int
    tls_port: int
    certificate: Path
    config: Path


def start(program: str, config: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        if process.poll() is not None:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise RuntimeError("mosquitto did not start")


def make_guarded(folder: Path) -> tuple[str, Guarded]:
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists() or shutil.which("openssl") is None:
        missing("mosquitto with openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate), *subject],
        check=True,
        capture_output=True,
    )  # fmt: skip
    passwords = folder / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "city user", "p@ss:word"],
        check=True,
        capture_output=True,
    )
    port, tls_port = free_port(), free_port()
    lines = [
        "persistence false",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"listener {port} 127.0.0.1",
        f"listener {tls_port} 127.0.0.1",
        f"certfile {certificate}",
        f"keyfile {key}",
    ]
    if os.geteuid() == 0:
        lines.insert(0, "user root")
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return program, Guarded(port, tls_port, certificate, config)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    program, broker = make_guarded(tmp_path)
    process = start(program, broker.config, broker.port)
    yield broker
    process.terminate()
    process.wait(10)


USER = "city%20user:p%40ss%3Aword"


async def test_user_and_password_come_from_the_uri(
    client: httpx.AsyncClient, guarded: Guarded, topic: str
) -> None:
    login = {"username": "city user", "password": "p@ss:word"}
    async with listening(guarded.port, topic, **login) as listener:
        await subscribe(client, f"mqtt://{USER}@127.0.0.1:{guarded.port}/{topic}")
        await write(client)
        _, document = await listener.next()
    assert document["body"]["data"] == [ENTITY]


async def test_a_broker_that_does_not_take_the_user_is_a_failure(
    client: httpx.AsyncClient, guarded: Guarded, topic: str
) -> None:
    await subscribe(client, f"mqtt://city:wrong@127.0.0.1:{guarded.port}/{topic}")
    await write(client)
    assert (await standing(client, "failed"))["timesFailed"] >= 1


async def test_mqtts_is_encrypted_and_the_certificate_is_checked(
    client: httpx.AsyncClient,
    guarded: Guarded,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = f"mqtts://{USER}@127.0.0.1:{guarded.tls_port}/{topic}"
    await subscribe(client, uri)
    await write(client)
    await standing(client, "failed")
    login = {"username": "city user", "password": "p@ss:word"}
    async with listening(guarded.port, topic, **login) as listener:
        monkeypatch.setenv("SSL_CERT_FILE", str(guarded.certificate))
        _, document = await listener.next()
    assert document["body"]["data"] == [ENTITY]


async def test_a_broker_that_was_away_gets_what_it_missed(
    client: httpx.AsyncClient, tmp_path: Path, topic: str
) -> None:
    program, broker = make_guarded(tmp_path)
    info = [{"key": "MQTT-QoS", "value": "1"}]
    uri = f"mqtt://{USER}@127.0.0.1:{broker.port}/{topic}"
    login = {"username": "city user", "password": "p@ss:word"}
    process = start(program, broker.config, broker.port)
    try:
        await subscribe(client, uri, notifierInfo=info)
        await write(client, 1)
        await standing(client, "ok")
        process.terminate()
        process.wait(10)
        await write(client, 2)
        await standing(client, "failed")
        process = start(program, broker.config, broker.port)
        async with listening(broker.port, topic, **login) as listener:
            _, document = await listener.next()
        assert document["body"]["data"][0]["size"]["value"] == 2
    finally:
        process.terminate()
        process.wait(10)
