"""What a region costs over one node that holds everything: in one process, and over HTTP.

41 city nodes are filled with generated objects (`region_sample.py`), and one node with all of them.
The same queries go to both in turn. First co-located: the region's facade against the one node's,
in this process. Then four processes serve the cities over loopback HTTP, one of them the region,
and a fifth the one node. Printed are p50, p95 and p99 in milliseconds, the ratios region/one node,
how many nodes were asked, and how many requests the region sent for a query.

    python bench/bench_federation.py [--cities 41] [--objects 10000] [--rounds 100] [--data FOLDER]

`--data` keeps what was filled for the next run. Exits with 1 when the region of one process is
slower than `RATIO_MAX` times the one node at p99, or a pruned query reaches nodes that it needn't.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from region_sample import (
    BEGIN_US,
    HALF_HOUR_US,
    NO2,
    PLACE,
    PRICE,
    SPOT,
    STATION,
    STATUS,
    VALUES,
    CityPlan,
    operations_of,
)

from conurb.access.caller import LOCAL
from conurb.app import COLLECTION_THRESHOLDS, build_host
from conurb.config import Settings
from conurb.federation.asking import query_params, temporal_params
from conurb.federation.region import registrations_of
from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    Compare,
    GeoCondition,
    OrderBy,
    Query,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.model.vocabulary import CONTEXT_URL, platform_terms
from conurb.node.host import Host, place_of
from conurb.node.node import Node
from conurb.node.shelf import SUFFIX, written

RATIO_MAX = 5.0
PROCESSES = 4
BATCH = 2000
SECONDS_MAX = 12.0
"""Rounds of one query end after this, however many there were."""
ROUNDS_MIN = 5
START_S = 60.0
SETTLE_S = 8.0
"""Indexes are made and extents measured in the background, after the first questions."""
NEAR_M = 9000
HOUR_US = 2 * HALF_HOUR_US
LINK = f'<{CONTEXT_URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


@dataclass(frozen=True, slots=True)
class Question:
    """One query of the bench, current or temporal; `asks` is how many nodes it may reach."""

    name: str
    query: Query | TemporalQuery
    asks: int | None = None


def questions(cities: int) -> list[Question]:
    """Give what is asked; three cities of 41 meet where the geographic query looks."""
    price = AttributePath((PRICE,))
    spots, stations = ((Selector(types=TypeIs(one)),) for one in (SPOT, STATION))
    costly = Query(spots, condition=Compare(price, ">", 98.0), limit=100)
    west, south = CityPlan(cities - 1, 0).corner
    corner = f"POINT ({west + 0.45:.4f} {south - 0.05:.4f})"
    near = GeoCondition(PLACE, "near", corner, distance_m_max=NEAR_M)
    day = TimeWindow("observedAt", "between", BEGIN_US, BEGIN_US + VALUES * HALF_HOUR_US)
    hourly = Aggregation(("avg",), period_us=HOUR_US)
    by_value = (OrderBy(AttributePath((NO2,))),)
    free = Compare(AttributePath((STATUS,)), "==", "free")
    return [
        Question("q, limit 100", costly),
        Question("ordered by value, limit 100", Query(stations, order=by_value, limit=100)),
        Question(
            "ordered and q, limit 100",
            replace(costly, condition=Compare(price, ">", 95.0), order=(OrderBy(price, True),)),
        ),
        Question("count by q", replace(costly, limit=0, count=True)),
        Question("near, at three cities", Query(spots, geo=near, condition=free, limit=100), 4),
        Question(
            "hourly average, 100 objects",
            TemporalQuery(Query(stations, limit=100), day, (NO2,), aggregation=hourly),
        ),
    ]


# ── filling ───────────────────────────────────────────────────────────────────────────────────


def host_of(data: Path, name: str, *, outbound: bool = False) -> Host:
    """Make a host whose store stands in the folder."""
    settings = Settings(
        store=str(data / f"{name}.db"),
        data_folder=data / name,
        node_id=name,
        outbound=("loopback",) if outbound else None,
    )
    return build_host(settings)


async def fill(data: Path, part: str, cities: int, objects: int) -> None:
    """Fill the region's cities, or the one node."""
    host = host_of(data, part)
    await host.open()
    for number in range(cities):
        plan = CityPlan(number, objects)
        node = await host.node(plan.name if part == "region" else None, create=True)
        operations = list(operations_of(plan))
        for first in range(0, len(operations), BATCH):
            await node.store.apply(operations[first : first + BATCH])
    if part == "region":
        known = registrations_of(await host.node())
        for number in range(cities):
            await known.put(registration_of(number, THIS_PROCESS))
    await host.close()


def registration_of(number: int, endpoint: str) -> Registration:
    """Give the registration of a city."""
    name = CityPlan(number, 0).name
    return Registration(
        id=f"urn:ngsi-ld:ContextSourceRegistration:{name}",
        endpoint=endpoint,
        alias=name,
        tenant=name,
        operations=FEDERATION_OPS | {"retrieveTemporal", "queryTemporal"},
    )


async def share_out(data: Path, cities: int, ports: list[int]) -> None:
    """Give each process its cities, as copies of the files, and the first one the region."""
    tenants = data / "region.db.tenants"
    for process in range(PROCESSES):
        mine = [n for n in range(cities) if n % PROCESSES == process]
        host = host_of(data, f"part{process}", outbound=True)
        await host.open()
        for number in mine:
            await host.node(CityPlan(number, 0).name, create=True)
        if process == 0:
            known = registrations_of(await host.node())
            for number in range(cities):
                at = number % PROCESSES
                endpoint = f"http://127.0.0.1:{ports[at]}" if at else THIS_PROCESS
                await known.put(registration_of(number, endpoint))
        await host.close()
        for number in mine:
            name = written(place_of(CityPlan(number, 0).name) or "") + SUFFIX
            shutil.copyfile(tenants / name, data / f"part{process}.db.tenants" / name)


# ── measuring ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds at p50, p95 and p99 (nearest rank)."""

    p50: float
    p95: float
    p99: float

    def __str__(self) -> str:
        return f"{self.p50:8.2f} {self.p95:8.2f} {self.p99:8.2f}"


def times_of(seconds: list[float]) -> Times:
    """Take percentiles."""
    ordered = sorted(seconds)
    at = (ordered[min(len(ordered) - 1, int(s * len(ordered)))] for s in (0.5, 0.95, 0.99))
    return Times(*(one * 1000 for one in at))


async def in_turn(
    region: Callable[[], Awaitable[Any]], one: Callable[[], Awaitable[Any]], rounds: int
) -> tuple[Times, Times]:
    """Time both in turn, so that whatever else the machine does hits both."""
    taken: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    for number in range(rounds):
        for ask, times in zip((region, one), taken, strict=True):
            start = time.perf_counter()
            await ask()
            times.append(time.perf_counter() - start)
        if number + 1 >= ROUNDS_MIN and time.perf_counter() - began > SECONDS_MAX:
            break
    return times_of(taken[0]), times_of(taken[1])


def report(name: str, region: Times, one: Times, asked: int, requests: float) -> float:
    """Print a line; give the ratio at p99."""
    ratio = region.p99 / one.p99
    print(
        f"{name:28} {region}  {one}  {region.p50 / one.p50:6.2f} {ratio:6.2f}"
        f"  {asked:5d} {requests:8.1f}",
        flush=True,
    )
    return ratio


HEADER = (
    f"{'':28} {'region p50':>8} {'p95':>7} {'p99':>8}  {'one p50':>8} {'p95':>8} {'p99':>8}"
    f"  {'x p50':>6} {'x p99':>6}  {'asked':>5} {'requests':>8}"
)


def asker(node: Node, question: Question) -> Callable[[], Awaitable[Any]]:
    """Give a call of a node's facade."""
    query = question.query
    if isinstance(query, TemporalQuery):
        return lambda: node.temporal.query(LOCAL, query)
    return lambda: node.consume.query(LOCAL, query)


def content_of(answer: Any) -> Any:
    """Give what has to be the same in both answers."""
    if hasattr(answer, "evolutions"):
        return [(one.id, one.aggregates) for one in answer.evolutions]
    return [one.id for one in answer.entities], answer.total


async def one_process(data: Path, cities: int, rounds: int) -> bool:
    """Measure co-located nodes; whether everything is as it should be."""
    hosts = [host_of(data, name) for name in ("region", "whole")]
    for host in hosts:
        await host.open()
    region, whole = [await host.node() for host in hosts]
    asked_all = questions(cities)
    for question in asked_all:
        for node in (region, whole):
            await asker(node, question)()
    await asyncio.sleep(SETTLE_S)
    good = True
    print(f"one process, {cities} nodes\n{HEADER}")
    for question in asked_all:
        of_region, of_one = asker(region, question), asker(whole, question)
        for _ in range(3):
            given, wanted = await of_region(), await of_one()
        if content_of(given) != content_of(wanted):
            raise SystemExit(f"{question.name}: the region's answer isn't the one node's")
        asked = len(given.completeness.asked)
        gc.collect()
        times = await in_turn(of_region, of_one, rounds)
        ratio = report(question.name, *times, asked, 0.0)
        good &= ratio <= RATIO_MAX and (question.asks is None or asked <= question.asks)
    for host in hosts:
        await host.close()
    return good


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(data: Path, name: str, port: int) -> Iterator[str]:
    """Serve a store of the folder in a process of its own."""
    command = [
        *(sys.executable, "-c", "from conurb.cli.main import main; main()", "node", "serve"),
        *("--store", str(data / f"{name}.db"), "--port", str(port)),
    ]
    environment = {
        **os.environ,
        "CONURB_NODE_ID": name,
        "CONURB_OUTBOUND": "loopback",
        "CONURB_DATA_FOLDER": str(data / name),
    }
    process = subprocess.Popen(
        command, env=environment, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        began = time.monotonic()
        while not _answers(url):
            if process.poll() is not None or time.monotonic() - began > START_S:
                raise SystemExit(f"{name} doesn't answer")
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def request_of(url: str, question: Question) -> str:
    """Write a query as a URL."""
    query, terms = question.query, platform_terms()
    if isinstance(query, TemporalQuery):
        params = {**query_params(query.query, terms), **temporal_params(query)}
        params["attrs"] = ",".join(map(terms.compact, query.attributes))
        path = "temporal/entities"
    else:
        params, path = query_params(query, terms), "entities"
    params.pop("options", None)
    return str(httpx.URL(f"{url}/ngsi-ld/v1/{path}", params=params))


def clear(data: Path) -> None:
    """Take away what an earlier run shared out."""
    for old in data.glob("part*"):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


async def over_http(data: Path, cities: int, rounds: int) -> None:
    """Measure four processes and a fifth with everything."""
    ports = [free_port() for _ in range(PROCESSES + 1)]
    clear(data)
    await share_out(data, cities, ports)
    async with AsyncExitStack() as stack:
        region, *_ = [
            stack.enter_context(served(data, f"part{process}", ports[process]))
            for process in range(PROCESSES)
        ]
        whole = stack.enter_context(served(data, "whole", ports[-1]))
        client = httpx.AsyncClient(timeout=60, headers={"Link": LINK})
        await stack.enter_async_context(client)

        async def sent() -> int:
            health = (await client.get(f"{region}/region/health")).json()
            return sum(node["requests"] for node in health["nodes"])

        async def get(url: str) -> httpx.Response:
            return (await client.get(url)).raise_for_status()

        asked_all = questions(cities)
        for _ in range(2):
            for question in asked_all:
                for base in (region, whole):
                    await get(request_of(base, question))
            await asyncio.sleep(SETTLE_S / 2)
        print(f"\n{PROCESSES} processes over HTTP, {cities} nodes\n{HEADER}")
        for question in asked_all:
            urls = [request_of(base, question) for base in (region, whole)]
            given, wanted = [await get(url) for url in urls]
            if given.json() != wanted.json():
                raise SystemExit(f"{question.name}: the region's answer isn't the one node's")
            before = await sent()
            given = await get(urls[0])
            requests = await sent() - before
            asked = int(given.headers["conurb-completeness"].partition("/")[2].partition(";")[0])
            times = await in_turn(partial(get, urls[0]), partial(get, urls[1]), rounds)
            report(question.name, *times, asked, requests)


async def measure(data: Path, cities: int, objects: int, rounds: int) -> bool:
    """Fill what isn't there, and measure."""
    for part in ("region", "whole"):
        if not (data / f"{part}.done").exists():
            began = time.monotonic()
            await fill(data, part, cities, objects)
            (data / f"{part}.done").touch()
            print(f"filled {part} in {time.monotonic() - began:.0f} s", flush=True)
    good = await one_process(data, cities, rounds)
    await over_http(data, cities, rounds)
    return good


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cities", type=int, default=41)
    parser.add_argument("--objects", type=int, default=10_000, help="objects of each city")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--data", type=Path, help="a folder that keeps what is filled")
    args = parser.parse_args()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        good = asyncio.run(measure(data, args.cities, args.objects, args.rounds))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
