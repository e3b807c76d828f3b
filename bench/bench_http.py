"""What HTTP costs: a node against the bare engine and against bare Starlette, in the same run.

(a) batch upsert of 600-byte entities with a point and four properties, 1,000 a request, over four
    connections, against SQLite given the same final rows, computed beforehand, in the same
    transactions, with the same tables, indexes and durability;
(b) single create and single attribute update, durable, 64 connections, and (c) retrieve by id,
    against a Starlette route on the same server that reads and answers as many bytes and does
    nothing else.

Loads with wrk when it is installed, else with a client on plain sockets. Run:
python bench/bench_http.py
"""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import apsw
import orjson

from conurb.model.time import system_clock
from conurb.store.engines import open_store
from conurb.store.sqlite import schema

BATCH = 1_000
BATCHES = 20
SENDERS = 4
CONNECTIONS = 64
SECONDS = 4
STORED = 10_000
ROUNDS = 3
CREATES_PER_S_MIN = 1_500
RATIO_MIN = {"batch upsert": 0.5, "retrieve": 0.4}
START_TIMEOUT_S = 30

BARE = """
import orjson, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
DOCUMENT = orjson.loads(DOCUMENT_TEXT)
async def retrieve(request):
    request.path_params["id"]
    return Response(orjson.dumps(DOCUMENT), media_type="application/json")
async def create(request):
    orjson.loads(await request.body())
    return Response(status_code=201)
async def update(request):
    orjson.loads(await request.body())
    return Response(status_code=204)
app = Starlette(routes=[
    Route("/ngsi-ld/v1/entities", create, methods=["POST"]),
    Route("/ngsi-ld/v1/entities/{id}", retrieve, methods=["GET"]),
    Route("/ngsi-ld/v1/entities/{id}/attrs/{name}", update, methods=["PATCH"]),
])
uvicorn.run(app, host="127.0.0.1", port=PORT, http="httptools", loop="auto", access_log=False,
            log_level="warning", server_header=False)
"""

LUA = """
local n, id = 0, math.random(1e9)
function setup(thread) end
function init(args) math.randomseed(os.time()); id = math.random(1e9) end
function request()
  n = n + 1
  BODY
end
"""


def entity(number: int) -> dict[str, object]:
    """Make an entity of some 600 bytes with a point and four properties."""
    draw = random.Random(number)
    place = [round(118 + draw.random() * 4, 6), round(29 + draw.random() * 4, 6)]
    return {
        "id": f"urn:ngsi-ld:AirQualityObserved:bench:{number:08d}",
        "type": "AirQualityObserved",
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}},
        **{
            name: {
                "type": "Property",
                "value": round(draw.random() * 100, 2),
                "unitCode": "GQ",
                "observedAt": "2026-01-31T08:00:00Z",
            }
            for name in ("pm25", "pm10", "no2")
        },
        "station": {"type": "Property", "value": f"station {number} " + "by the lake " * 10},
    }


def free_port() -> int:
    """Find a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        began = time.monotonic()
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() - began > START_TIMEOUT_S:
                raise SystemExit(f"{command[:3]} didn't come up")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def node(folder: Path, port: int) -> list[str]:
    """Give the command of a node with a new store."""
    conurb = str(Path(sys.executable).with_name("conurb"))
    return [conurb, "node", "serve", "--port", str(port), "--store", str(folder / "node.db")]


def bare(port: int) -> list[str]:
    """Give the command of a server that does nothing but HTTP."""
    text = orjson.dumps(entity(0)).decode()
    code = BARE.replace("DOCUMENT_TEXT", repr(text)).replace("PORT", str(port))
    return [sys.executable, "-c", code]


# ── (a) batches ───────────────────────────────────────────────────────────────────────────────


def upsert_over_http(port: int) -> float:
    """Upsert all batches over a few connections; give the seconds that it took."""
    bodies = [
        orjson.dumps([entity(n) for n in range(start, start + BATCH)])
        for start in range(0, BATCH * BATCHES, BATCH)
    ]

    def send(own: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in own:
            connection.request(
                "POST",
                "/ngsi-ld/v1/entityOperations/upsert",
                body,
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status

    with ThreadPoolExecutor(SENDERS) as senders:
        began = time.perf_counter()
        list(senders.map(send, [bodies[n::SENDERS] for n in range(SENDERS)]))
        return time.perf_counter() - began


TABLES = {
    "entity": "(eid - 1) / :batch",
    "history": "(eid - 1) / :batch",
    "geo": "(eid - 1) / :batch",
    "journal": "(seq - 1) / :batch",
    "term": "0",
}
"""Table of final rows to the batch that a row was written in."""


def write_bare(written: Path, folder: Path) -> float:
    """Write the rows of a node's file into a new file of the same tables; give the seconds."""
    source = apsw.Connection(str(written))
    batches: list[dict[str, list[tuple[object, ...]]]] = [{} for _ in range(BATCHES)]
    for table, batch_of in TABLES.items():
        query = f"SELECT {batch_of.replace(':batch', str(BATCH))}, * FROM {table}"
        for batch, *row in source.execute(query):
            batches[int(batch)].setdefault(table, []).append(tuple(row))
    source.close()
    target = folder / "bare.db"

    async def make() -> None:
        store = open_store(target, clock=system_clock)
        await store.open()
        await store.close()

    asyncio.run(make())
    connection = apsw.Connection(str(target))
    schema.prepare(connection, cache_kib=8_192, write=True)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in batch.items():
            marks = ", ".join("?" * len(rows[0]))
            verb = "INSERT OR IGNORE" if table == "term" else "INSERT"
            connection.executemany(f"{verb} INTO {table} VALUES ({marks})", rows)
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return took


def bench_batches() -> float:
    """Compare batches over HTTP with the bare engine, best of the rounds; give the ratio."""
    over_http, bare_engine = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=".") as name:
            folder, port = Path(name), free_port()
            with running(node(folder, port), port):
                over_http.append(upsert_over_http(port))
            bare_engine.append(write_bare(folder / "node.db", folder))
    total = BATCH * BATCHES
    ours, theirs = total / min(over_http), total / min(bare_engine)
    print(f"batch upsert     {ours:9,.0f} entities/s over HTTP; bare engine {theirs:9,.0f}/s")
    return ours / theirs


# ── (b), (c) single requests ──────────────────────────────────────────────────────────────────

Load = Callable[[int], float]
"""Loads the server at a port; gives requests answered per second."""


def create_load(port: int) -> float:
    """Create entities, each with an id of its own."""
    document = {**entity(0), "id": "ID"}
    body = orjson.dumps(document).decode()
    lua = (
        f"local body = ([[{body}]]):gsub('\"ID\"', '\"urn:x:' .. id .. ':' .. n .. '\"')\n"
        '  return wrk.format("POST", "/ngsi-ld/v1/entities", '
        '{["Content-Type"]="application/json"}, body)'
    )
    return load(port, lua)


def update_load(port: int) -> float:
    """Update one attribute of one of the entities stored."""
    lua = (
        f"local e = string.format('urn:ngsi-ld:AirQualityObserved:bench:%08d', n % {STORED})\n"
        '  return wrk.format("PATCH", "/ngsi-ld/v1/entities/" .. e .. "/attrs/pm25", '
        '{["Content-Type"]="application/json"}, \'{"value": \' .. n .. \'}\')'
    )
    return load(port, lua)


def retrieve_load(port: int) -> float:
    """Retrieve one of the entities stored."""
    lua = (
        f"local e = string.format('urn:ngsi-ld:AirQualityObserved:bench:%08d', n % {STORED})\n"
        '  return wrk.format("GET", "/ngsi-ld/v1/entities/" .. e)'
    )
    return load(port, lua)


def load(port: int, request: str) -> float:
    """Load a server with wrk from all connections; give the requests it answered a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA.replace("BODY", request))
        script.flush()
        said = subprocess.run(
            [
                "wrk",
                f"-c{CONNECTIONS}",
                "-t1",
                f"-d{SECONDS}s",
                "-s",
                script.name,
                f"http://127.0.0.1:{port}",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    if "Non-2xx" in said:
        raise SystemExit(f"requests failed:\n{said}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])  # type: ignore[index]


def bench_singles() -> dict[str, tuple[float, float]]:
    """Load node and bare server in turns; give the best requests per second of both."""
    loads: dict[str, Load] = {
        "create": create_load,
        "attribute update": update_load,
        "retrieve": retrieve_load,
    }
    best = dict.fromkeys(loads, (0.0, 0.0))
    with tempfile.TemporaryDirectory(dir=".") as name:
        port, bare_port = free_port(), free_port()
        with running(node(Path(name), port), port), running(bare(bare_port), bare_port):
            for start in range(0, STORED, BATCH):
                store_batch(port, start)
            for _ in range(ROUNDS):
                for what, run in loads.items():
                    ours, theirs = run(port), run(bare_port)
                    best[what] = max(best[what][0], ours), max(best[what][1], theirs)
    return best


def store_batch(port: int, start: int) -> None:
    """Store entities for the loads to ask for."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = orjson.dumps([entity(n) for n in range(start, start + BATCH)])
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/ngsi-ld/v1/entityOperations/upsert", body, headers)
    assert connection.getresponse().status == 201


def main() -> None:
    """Run every benchmark and say which bounds hold."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    missed = []
    ratios = {"batch upsert": bench_batches()}
    for name, (ours, theirs) in bench_singles().items():
        print(f"{name:16} {ours:9,.0f} requests/s; bare Starlette {theirs:9,.0f}/s")
        ratios[name] = ours / theirs
        if name != "retrieve" and ours < CREATES_PER_S_MIN:
            missed.append(f"{name}: {ours:.0f}/s, at least {CREATES_PER_S_MIN} wanted")
    for name, ratio in ratios.items():
        wanted = RATIO_MIN.get(name)
        print(f"ratio {name:20} {ratio:5.2f}" + (f"  (at least {wanted})" if wanted else ""))
        if wanted and ratio < wanted:
            missed.append(f"{name}: ratio {ratio:.2f}, at least {wanted} wanted")
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
