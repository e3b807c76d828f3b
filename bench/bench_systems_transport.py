"""Transport: a live feed kept up with, and travel times between all cities.

    python bench/bench_systems_transport.py [--vehicles 5000] [--rounds 6]

- A GTFS-Realtime feed of 5,000 vehicles that come anew every 10 s, from its bytes to durable
  objects with history: the share of a processor that it takes, and the ratio to the node's own
  batch upsert of the same objects, in the same run.
- The matrix of travel times between the 41 cities of the Delta, on the graph of its real timetables
  (a made-up graph of the same size where the data isn't there), against networkx's Dijkstra.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import networkx as nx
import numpy as np

from conurb.access.caller import LOCAL
from conurb.app import build_host
from conurb.config import Settings
from conurb.regions.pack import read_pack
from conurb.systems.transport.connectors import operations_of
from conurb.systems.transport.gtfs.realtime import read_message, write_message
from conurb.systems.transport.gtfs.tables import Frequency, Stop, StopTime, Trip
from conurb.systems.transport.importing import service_span
from conurb.systems.transport.live import Batch, Position
from conurb.systems.transport.live_objects import entities_of
from conurb.systems.transport.network.building import (
    CityPlace,
    Service,
    add_cities,
    add_service,
    add_walks,
)
from conurb.systems.transport.network.graph import Builder, Network
from conurb.systems.transport.network.reach import matrix
from conurb.systems.transport.objects import Maker
from conurb.systems.transport.sources import metro, rail

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PERIOD_S = 10.0
START_US = 1_780_286_400_000_000
SHARE_MAX = 0.5
UPSERT_RATIO_MIN = 0.5
MATRIX_RATIO_MIN = 5.0
SEED = 20260601


def feed(vehicles: int, number: int) -> bytes:
    """Make one message: every vehicle a little farther on, 10 s later."""
    at_us = START_US + round(number * PERIOD_S * 1_000_000)
    rng = random.Random(SEED)
    told = tuple(
        Position(
            f"v{one}",
            at_us,
            round(120 + rng.random() * 2 + number * 1e-3, 5),
            round(30 + rng.random() * 2, 5),
            bearing=90.0,
            speed_kmh=30.0 + number,
            trip=f"t{one}",
            route=f"r{one % 300}",
            stop=f"s{(one + number) % 5000}",
            sequence=number + 1,
            status="IN_TRANSIT_TO",
        )
        for one in range(vehicles)
    )
    return write_message(Batch(told), at_us=at_us)


async def live(vehicles: int, rounds: int) -> tuple[float, float, float]:
    """Give the seconds of one message, bytes to durable objects, and of the node's own upsert.

    The second figure is the processor's time of the first, whatever else keeps the machine busy.
    """
    maker = Maker("bench", "a bench", "bus")
    taken, worked, own = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        host = build_host(Settings(store=str(place / "node.db"), data_folder=place))
        await host.open()
        feeds, other = [await host.node(name, create=True) for name in ("feeds", "own")]
        for number in range(rounds):
            body = feed(vehicles, number)
            started, work = time.perf_counter(), time.process_time()
            batch = read_message(body, at_us=START_US)
            await feeds.store.apply(operations_of(batch, maker))
            taken.append(time.perf_counter() - started)
            worked.append(time.process_time() - work)
            entities = entities_of(batch, maker)
            started = time.perf_counter()
            await other.provide.upsert_batch(LOCAL, entities, mode="update")
            own.append(time.perf_counter() - started)
        await host.close()
    # The first round creates the objects, the others move them.
    return (
        statistics.median(taken[1:]),
        statistics.median(worked[1:]),
        statistics.median(own[1:]),
    )


def delta() -> tuple[Network, list[str]]:
    """Build the graph of the Delta: trains, ten metros, neighbouring cities."""
    pack = read_pack("yrd")
    builder = Builder()
    days = service_span(date(2026, 6, 1))
    places = {
        one.name["zh"].removesuffix("市"): rail.Place(one.id, "", "", *one.centre)
        for one in pack.cities
    }
    lines = DATA / "metro" / "yrd_metro_lines_wgs84.geojson"
    stations = DATA / "metro" / "yrd_metro_stations_wgs84.geojson"
    trains = DATA / "rail" / "thaddywu_schedulers.json"
    tables = [("rail", rail.read_timetable(trains, places, start=days[0], end=days[1]))]
    for network in metro.read_networks(lines, stations):
        tables.append((network.adcode, metro.timetable(network, metro.Assumptions(*days))))
    for name, rows in tables:
        add_service(
            builder,
            Service(
                [replace(one, stop_id=f"{name}:{one.stop_id}") for one in rows.rows(Stop)],
                [replace(one, trip_id=f"{name}:{one.trip_id}") for one in rows.rows(Trip)],
                [
                    replace(one, trip_id=f"{name}:{one.trip_id}", stop_id=f"{name}:{one.stop_id}")
                    for one in rows.rows(StopTime)
                ],
                [replace(one, trip_id=f"{name}:{one.trip_id}") for one in rows.rows(Frequency)],
            ),
        )
    add_walks(builder)
    add_cities(builder, [CityPlace(one.id, *one.centre, one.boundary) for one in pack.cities])
    return builder.network(), [one.id for one in pack.cities]


def made_up() -> tuple[Network, list[str]]:
    """Build a graph of the same size: each node to a few others."""
    rng = random.Random(SEED)
    builder = Builder()
    for one in range(6_700):
        kind = "city" if one < 41 else "stop"
        builder.node(f"n{one}", kind, rng.random(), rng.random())  # type: ignore[arg-type]
    for one in range(6_700):
        for _ in range(2):
            builder.edge(one, rng.randrange(6_700), rng.uniform(30, 3_000), "ride")
        builder.edge(one, (one + 1) % 6_700, 3_000, "walk")
    return builder.network(), [f"n{one}" for one in range(41)]


def compare(network: Network, cities: list[str]) -> tuple[float, float]:
    """Give the seconds of our matrix and of networkx's, which have to agree."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        found = matrix(network, cities)
        times.append(time.perf_counter() - started)
    graph = nx.DiGraph()
    rows = np.repeat(np.arange(len(network.ids)), np.diff(network.matrix.indptr))
    edges = zip(rows.tolist(), network.matrix.indices.tolist(), strict=True)
    for (start, end), cost in zip(edges, network.matrix.data.tolist(), strict=True):
        graph.add_edge(start, end, weight=cost)
    started = time.perf_counter()
    other = []
    for city in cities:
        reached = nx.single_source_dijkstra_path_length(graph, network.places[city])
        other.append([reached.get(network.places[one], math.inf) for one in cities])
    theirs = time.perf_counter() - started
    assert np.allclose(found.seconds, np.array(other))
    return statistics.median(times), theirs


def main() -> int:
    """Run both; give 1 when a target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--vehicles", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    taken, worked, own = asyncio.run(live(asked.vehicles, asked.rounds))
    share, ratio = worked / PERIOD_S, own / taken
    print(f"GTFS-Realtime, {asked.vehicles:,} vehicles per {PERIOD_S:g} s:")
    print(f"  bytes to durable objects: {taken:.2f} s; {worked:.2f} s of a processor, {share:.0%}")
    print(f"  the node's own batch upsert of the same objects: {own:.2f} s; ratio {ratio:.2f}")
    real = DATA.is_dir()
    network, cities = delta() if real else made_up()
    ours, theirs = compare(network, cities)
    what = "the Delta's timetables" if real else "a made-up graph"
    print(f"matrix 41 x 41, {what}: {len(network.ids):,} nodes, {network.matrix.nnz:,} edges:")
    print(f"  {ours * 1000:.0f} ms; networkx {theirs * 1000:,.0f} ms; ratio {theirs / ours:.1f}")
    missed = [
        text
        for text, held in (
            (f"share of a processor at most {SHARE_MAX:.0%}", share <= SHARE_MAX),
            (f"ratio to the own upsert at least {UPSERT_RATIO_MIN}", ratio >= UPSERT_RATIO_MIN),
            (f"ratio to networkx at least {MATRIX_RATIO_MIN}", theirs / ours >= MATRIX_RATIO_MIN),
        )
        if not held
    ]
    for text in missed:
        print(f"missed: {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
