"""Monitoring: observations from an MQTT broker to stored and notified, and how soon an alarm is.

Prints observations per second from a broker that holds them, stored and then told to a subscriber,
as a ratio to the same values written to the same node by NGSI-LD batches; the time from publishing
an observation to its alarm, as a ratio to one durable write; and the score of `surprise` on the
Numenta Anomaly Benchmark beside the published table. Run: python bench/bench_systems_monitoring.py
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import httpx
import numpy as np
import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.nab import FOLDER, PROFILES, iter_series, published, score
from conurb.app import build_host
from conurb.config import Settings
from conurb.http.app import build_app
from conurb.model.time import shown_us
from conurb.node.host import Host
from conurb.systems.monitoring.detect.methods import judge
from conurb.systems.monitoring.samples import of_one
from conurb.systems.runner import Runner, runner_of

OBSERVATIONS = 20_000
STREAMS = 500
BATCH = 500
ALARMS = 40
BEGIN_US = 1_780_272_000_000_000
RATIO_MIN = 0.25
"""Stored from MQTT, message by message, against batches of 500 in one request."""
LATENCY_MS_MAX = 500
HOLD = 400
LINK = (
    "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run a mosquitto that keeps whatever it is given; give its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        raise SystemExit("mosquitto isn't installed: make services")
    port = free_port()
    config = folder / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
    config.write_text("\n".join([*lines, "user root", "persistence false"]) + "\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=-3, stderr=-3)
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Told:
    """A subscriber that counts the objects it is told of."""

    objects: int = 0
    url: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, objects: int) -> None:
        """Wait until it was told of so many objects."""
        async with asyncio.timeout(300):
            while self.objects < objects:
                self.changed.clear()
                await self.changed.wait()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take notifications over one connection, as long as it stays."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                [line] = [x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")]
                body = await reader.readexactly(int(line.split(b":")[1]))
                self.objects += len(orjson.loads(body)["data"])
                self.changed.set()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()


@asynccontextmanager
async def opened(folder: Path, port: int) -> AsyncIterator[tuple[Host, Runner, httpx.AsyncClient]]:
    """Open a node with monitoring that listens to the broker."""
    table = {
        "name": "bench",
        "url": f"mqtt://127.0.0.1:{port}",
        "topics": ["bench/#"],
        "device": "{topic[1]}",
        "property": "level",
    }
    settings = Settings(
        store=str(folder / "node.db"),
        data_folder=folder,
        node_id="bench",
        systems=("monitoring",),
        system={"monitoring": {"json": [table]}},
    )
    host = build_host(settings)
    await host.open()
    runner = runner_of(await host.node())
    if runner is None:
        raise SystemExit("the node runs no systems")
    transport = httpx.ASGITransport(app=build_app(host, settings))
    headers = {"Link": LINK}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bench", headers=headers, timeout=60
    ) as client:
        try:
            yield host, runner, client
        finally:
            await host.close()


def part(runner: Runner, name: str) -> object:
    """Give the counters of a part."""
    return next(one for one in runner.running[0].standings if one.name == name)


async def until(runner: Runner, name: str, counter: str, least: int | str) -> None:
    """Wait until a counter of a part has come so far."""
    async with asyncio.timeout(300):
        while True:
            value = getattr(part(runner, name), counter)
            if value == least or (isinstance(least, int) and value >= least):
                return
            await asyncio.sleep(0.002)


def observation(number: int) -> tuple[int, str, float]:
    """Give the stream, time and value of an observation."""
    return number % STREAMS, shown_us(BEGIN_US + number * 1_000_000), number % 97 / 10


async def publish(port: int) -> float:
    """Give the broker every observation; give how many it took per second."""
    began = time.perf_counter()
    async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=1000) as client:
        client.pending_calls_threshold = OBSERVATIONS
        for first in range(0, OBSERVATIONS, 500):
            await asyncio.gather(
                *(
                    client.publish(
                        f"bench/d{stream}", orjson.dumps({"time": at, "value": value}), qos=1
                    )
                    for stream, at, value in map(observation, range(first, first + 500))
                )
            )
    return OBSERVATIONS / (time.perf_counter() - began)


async def from_broker(folder: Path) -> bool:
    """Measure observations from the broker to stored, and to told; against NGSI-LD batches."""
    told = Told()
    server = await asyncio.start_server(told.answer, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/told"
    with broker(folder) as port:
        async with opened(folder, port) as (_, runner, client):
            await until(runner, "bench", "state", "running")
            subscription = {
                "type": "Subscription",
                "entities": [{"type": "DeviceMeasurement"}],
                "watchedAttributes": ["numValue"],
                "notification": {"endpoint": {"uri": told.url}},
            }
            answer = await client.post("/ngsi-ld/v1/subscriptions", json=subscription)
            answer.raise_for_status()
        taken = await publish(port)
        async with opened(folder, port) as (host, runner, client):
            began = time.perf_counter()
            await until(runner, "bench", "read", OBSERVATIONS)
            stored_s = time.perf_counter() - began
            await told.wait_for(OBSERVATIONS)
            told_s = time.perf_counter() - began
            began = time.perf_counter()
            await own_ingest(client, "told")
            await told.wait_for(2 * OBSERVATIONS)
            own_told_s = time.perf_counter() - began
            await client.delete(answer.headers["location"])
            began = time.perf_counter()
            await own_ingest(client, "own")
            own_s = time.perf_counter() - began
            node = await host.node()
            if await node.store.check():
                raise SystemExit("the store doesn't agree with itself")
    server.close()
    own, own_told, stored, notified = (
        OBSERVATIONS / s for s in (own_s, own_told_s, stored_s, told_s)
    )
    print(f"the broker took                      {taken:10,.0f} observations/s")
    print(f"NGSI-LD batches of {BATCH} (the peer)     {own:10,.0f} observations/s")
    print(f"... told to the same subscriber      {own_told:10,.0f} observations/s")
    print(f"MQTT to stored, one by one           {stored:10,.0f} observations/s")
    print(f"MQTT to stored and told              {notified:10,.0f} observations/s")
    ratio = stored / own
    print(f"ratio stored/peer {ratio:.2f} (at least {RATIO_MIN}), told/peer {notified / own:.2f}")
    print(f"ratio told/peer told {notified / own_told:.2f}: what MQTT costs, notifications aside")
    return ratio >= RATIO_MIN


async def own_ingest(client: httpx.AsyncClient, name: str) -> None:
    """Write as many observations of as many objects by NGSI-LD batches."""
    entities = [
        {
            "id": f"urn:ngsi-ld:DeviceMeasurement:bench:{name}{stream}-level",
            "type": "DeviceMeasurement",
            "numValue": {"type": "Property", "value": value, "observedAt": at},
        }
        for stream, at, value in map(observation, range(OBSERVATIONS))
    ]
    for first in range(0, OBSERVATIONS, BATCH):
        answer = await client.post(
            "/ngsi-ld/v1/entityOperations/upsert?options=update",
            json=entities[first : first + BATCH],
        )
        answer.raise_for_status()


async def to_alarm(folder: Path) -> bool:
    """Measure from publishing an observation to the alarm that it leads to."""
    with broker(folder) as port:
        async with opened(folder, port) as (host, runner, client):
            node = await host.node()
            rules = [
                {
                    "id": f"urn:ngsi-ld:DetectionRule:bench:r{number}",
                    "type": "DetectionRule",
                    "refDeviceMeasurement": {
                        "type": "Relationship",
                        "object": f"urn:ngsi-ld:DeviceMeasurement:bench:a{number}-level",
                    },
                    "detectionMethod": "threshold",
                    "detectionOptions": {"type": "JsonProperty", "json": {"high": 5}},
                }
                for number in range(ALARMS)
            ]
            answer = await client.post("/ngsi-ld/v1/entityOperations/upsert", json=rules)
            answer.raise_for_status()
            await until(runner, "bench", "state", "running")
            await until(runner, "watch", "state", "running")
            alert = runner.running[0].site.expand("Alert")
            waits, writes = [], []
            async with aiomqtt.Client("127.0.0.1", port) as sender:
                for number in range(ALARMS):
                    body = orjson.dumps({"time": shown_us(BEGIN_US + number), "value": 9})
                    seq = await node.store.journal_end()
                    began = time.perf_counter()
                    await sender.publish(f"bench/a{number}", body, qos=1)
                    while True:
                        await node.store.wait_for_journal(seq, 10)
                        records = await node.store.journal(after=seq)
                        seq = records[-1].seq if records else seq
                        if any(alert in record.types for record in records):
                            break
                    waits.append(time.perf_counter() - began)
                    began = time.perf_counter()
                    single = {**rules[0], "id": f"urn:ngsi-ld:DetectionRule:bench:w{number}"}
                    await client.post(
                        "/ngsi-ld/v1/entities", json={**single, "type": "DeviceModel"}
                    )
                    writes.append(time.perf_counter() - began)
    wait, worst, write = (
        1000 * x
        for x in (
            statistics.median(waits),
            sorted(waits)[int(ALARMS * 0.95)],
            statistics.median(writes),
        )
    )
    print(f"observation published to alarm stored: median {wait:.1f} ms, 95 % {worst:.1f} ms")
    print(f"ratio to one durable write of {write:.1f} ms: {wait / write:.1f}")
    return worst <= LATENCY_MS_MAX


def benchmark() -> None:
    """Score `surprise` on the Numenta Anomaly Benchmark beside the published table."""
    if not FOLDER.exists():
        print(f"no {FOLDER}: the benchmark's series aren't here")
        return
    corpus = list(iter_series())
    scores = [
        np.nan_to_num(judge("surprise", of_one(one.times_us, one.values), {"hold": HOLD}).score)
        for one in corpus
    ]
    own = {profile.name: score(corpus, scores, profile)[0] for profile in PROFILES}
    table = {**published(), "surprise (ours)": own}
    print(f"{'detector':20}" + "".join(f"{profile.name:>20}" for profile in PROFILES))
    for name, row in sorted(table.items(), key=lambda one: -one[1]["standard"]):
        print(f"{name:20}" + "".join(f"{row[profile.name]:20.1f}" for profile in PROFILES))
    windowed = table["windowedGaussian"]["standard"]
    print(f"ratio to its windowed Gaussian: {own['standard'] / windowed:.2f}")


async def main() -> int:
    """Run all of it; 1 when a bound was missed."""
    held = True
    with tempfile.TemporaryDirectory() as folder:
        held &= await from_broker(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        held &= await to_alarm(Path(folder))
    benchmark()
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(uvloop.run(main()))
