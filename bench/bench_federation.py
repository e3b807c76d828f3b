"""What a region costs over one node that holds everything: in one process, and over HTTP.

41 city nodes are filled with generated objects (`region_sample.py`), and one node with all of them.
The same queries go to both in turn. First co-located: the region's facade against the one node's,
in this process. Then four processes serve the cities over loopback HTTP, one of them the region
(`region_processes.py`), and a fifth the one node. Printed are p50, p95 and p99 in milliseconds, the
ratios region/one node, how many nodes were asked, and how many requests were sent for a query.

    python bench/bench_federation.py [--cities 41] [--objects 10000] [--rounds 100] [--data FOLDER]

`--data` keeps what was filled for the next run. Exits with 1 when the region of one process is
slower than `RATIO_MAX` times the one node at p99, or a pruned query reaches nodes that it needn't.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from region_processes import (
    NESTED,
    PROCESSES,
    clear,
    free_port,
    host_of,
    registration_of,
    served,
    share_out,
)
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
from conurb.app import COLLECTION_THRESHOLDS
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
from conurb.model.registration import THIS_PROCESS
from conurb.model.vocabulary import CONTEXT_URL, platform_terms
from conurb.node.node import Node

RATIO_MAX = 5.0
BATCH = 2000
SECONDS_MAX = 12.0
"""Rounds of one query end after this, however many there were."""
ROUNDS_MIN = 5
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
            name = CityPlan(number, 0).name
            await known.put(registration_of(name, THIS_PROCESS, tenant=name))
    await host.close()


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
        for title, headers in (
            (f"{PROCESSES} processes over HTTP, {cities} nodes, all asked by the region", {}),
            ("the same, other processes asked as regions", {"NGSILD-Tenant": NESTED}),
        ):
            client = httpx.AsyncClient(timeout=60, headers={"Link": LINK})
            await stack.enter_async_context(client)
            print(f"\n{title}\n{HEADER}")
            await _over_http(client, region, whole, headers, questions(cities), rounds)


async def _over_http(
    client: httpx.AsyncClient,
    region: str,
    whole: str,
    headers: dict[str, str],
    asked_all: list[Question],
    rounds: int,
) -> None:
    async def sent() -> int:
        health = (await client.get(f"{region}/region/health", headers=headers)).json()
        return sum(node["requests"] for node in health["nodes"])

    async def get(base: str, question: Question) -> httpx.Response:
        given = headers if base == region else {}
        response = await client.get(request_of(base, question), headers=given)
        return response.raise_for_status()

    for _ in range(2):
        for question in asked_all:
            for base in (region, whole):
                await get(base, question)
        await asyncio.sleep(SETTLE_S / 2)
    for question in asked_all:
        given, wanted = [await get(base, question) for base in (region, whole)]
        if given.json() != wanted.json():
            raise SystemExit(f"{question.name}: the region's answer isn't the one node's")
        before = await sent()
        given = await get(region, question)
        requests = await sent() - before
        asked = int(given.headers["conurb-completeness"].partition("/")[2].partition(";")[0])
        calls = partial(get, region, question), partial(get, whole, question)
        times = await in_turn(*calls, rounds)
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
