"""What the PostgreSQL engine costs: the store against the bare statements and queries, in one run.

- batch upsert of 600-byte entities with a point and four properties, 1,000 a request, through the
  store, against the very same statements with their rows computed beforehand: the same final
  tables, indexes, transactions and durability;
- single upserts by 64 writers that wait for each other's group, per second;
- query by type and numeric q, near, and within, on the entities written, against bare SQL;
- hourly averages of one object's observations, and the state at a past time, against bare SQL.

It starts a PostgreSQL of its own from the system's packages. Run: python bench/bench_postgres.py
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg

from conurb.app import COLLECTION_THRESHOLDS
from conurb.model.entity import Entity, Instance
from conurb.model.operations.entity import UpsertEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment
from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    Compare,
    GeoCondition,
    Query,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.model.time import fixed, system_clock
from conurb.store.postgres.engine import PostgresStore
from tests.services.postgres import PostgresServer, find_programs

BATCH = 1_000
BATCHES = 30
ENTITIES = 100_000
SINGLES_S = 4.0
WRITERS = 64
ROUNDS = 40
OBSERVATIONS = 200_000
HOUR_US = 3_600_000_000
RATIO_MIN = 0.5
RATIO_MAX = 3.0

NAMES = "https://uri.etsi.org/ngsi-ld/default-context/"
PLACE = "https://uri.etsi.org/ngsi-ld/location"
TYPE = NAMES + "AirQualityObserved"

Statement = tuple[str, Sequence[Any]]


def entity(number: int, chance: random.Random) -> Entity:
    """Make an entity that is 600 bytes as normalized NGSI-LD."""
    point = [round(chance.uniform(118, 123), 6), round(chance.uniform(28, 33), 6)]
    attrs: dict[str, list[Instance]] = {
        PLACE: [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": point}}]
    }
    for name in ("pm25", "pm10", "no2", "temperature"):
        value = round(chance.uniform(0, 1000), 2)
        attrs[NAMES + name] = [{"type": "Property", "value": value, "unitCode": "GQ"}]
    return Entity(f"urn:ngsi-ld:AirQualityObserved:bench:{number:07d}", (TYPE,), attrs)


class Recorder:
    """Stands for the writer's connection and remembers what it was told to write."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements: list[Statement] = []

    async def execute(self, sql: str, *arguments: Any) -> Any:
        """Remember a statement and run it."""
        self.statements.append((sql, arguments))
        return await self._connection.execute(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def store_at(server: PostgresServer, schema: str) -> PostgresStore:
    """Open a store in a schema of its own."""
    store = PostgresStore(server.url(schema=schema))
    await store.open()
    await store.apply([])
    return store


async def bench_batches(server: PostgresServer) -> None:
    """Compare batches through the store with the bare statements."""
    chance = random.Random(1)
    batches = [
        [UpsertEntity(entity(number, chance)) for number in range(start, start + BATCH)]
        for start in range(0, BATCHES * BATCH, BATCH)
    ]
    recorded = await store_at(server, "recorded")
    writer = recorded._open_writer()
    await writer.connection()
    recorder = Recorder(writer._connection)
    writer._connection = recorder
    for batch in batches:
        await recorded.apply(batch)
    await recorded.close()

    engine, bare = [], []
    store = await store_at(server, "engine")
    await (await store_at(server, "bare")).close()
    connection = await asyncpg.connect(
        server.url(), server_settings={"search_path": "bare,public", "jit": "off"}
    )
    # Interleaved, so that what disturbs the one disturbs the other.
    for batch, statement in zip(batches, recorder.statements, strict=True):
        engine.append(await timed(lambda batch=batch: store.apply(batch)))
        sql, arguments = statement
        bare.append(await timed(lambda s=sql, a=arguments: connection.execute(s, *a)))
    await connection.close()
    ratio = sum(bare) / sum(engine)
    rate, bare_rate = BATCHES * BATCH / sum(engine), BATCHES * BATCH / sum(bare)
    report("batch upsert", f"{rate:,.0f} entities/s", f"{bare_rate:,.0f} bare", ratio, RATIO_MIN)
    await bench_singles(store)
    await store.close()


async def bench_singles(store: PostgresStore) -> None:
    """Count durable single upserts by many writers."""
    chance = random.Random(2)
    deadline = time.perf_counter() + SINGLES_S
    counts = [0] * WRITERS

    async def write(number: int) -> None:
        while time.perf_counter() < deadline:
            await store.apply([UpsertEntity(entity(chance.randrange(30_000), chance))])
            counts[number] += 1

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    print(f"single upsert, {WRITERS} writers: {sum(counts) / SINGLES_S:,.0f}/s, durable")


async def bench_queries(server: PostgresServer) -> None:
    """Compare queries with bare SQL on the same tables."""
    chance = random.Random(3)
    store = await store_at(server, "queries")
    for start in range(0, ENTITIES, BATCH):
        await store.apply(
            [UpsertEntity(entity(number, chance)) for number in range(start, start + BATCH)]
        )
    await store.ensure_index(NAMES + "pm25")
    connection = await asyncpg.connect(
        server.url(), server_settings={"search_path": "queries,public", "jit": "off"}
    )
    await connection.execute("VACUUM ANALYZE")
    tid = await connection.fetchval("SELECT tid FROM term WHERE iri = $1", NAMES + "pm25")
    place = await connection.fetchval("SELECT tid FROM term WHERE iri = $1", PLACE)
    selectors = (Selector(types=TypeIs(TYPE)),)
    columns = "id, typeset, scope, created, modified, expires, doc"
    compare = Compare(AttributePath((NAMES + "pm25",)), ">", 999.0)
    await against(
        "type and q, 100 of 100,000",
        lambda: store.query(Query(selectors=selectors, condition=compare, limit=100)),
        lambda: connection.fetch(
            f"SELECT {columns} FROM entity WHERE typeset = 1 AND (flat -> '{tid}') > '999.0' "
            f"AND (flat -> '{tid}') < 'false' ORDER BY id LIMIT 100"
        ),
    )
    near = GeoCondition(PLACE, "near", "POINT (121 31)", distance_m_max=5000.0)
    await against(
        "near 5 km of 100,000",
        lambda: store.query(Query(selectors=selectors, geo=near, limit=100)),
        lambda: connection.fetch(
            f"SELECT {columns} FROM entity JOIN geometry g USING (eid) WHERE g.attr = {place} "
            "AND ST_DWithin(geography(geom), geography(ST_Point(121, 31, 4326)), 5000, false) "
            "AND typeset = 1 ORDER BY id LIMIT 100"
        ),
    )
    box = "POLYGON ((121 31, 121.2 31, 121.2 31.2, 121 31.2, 121 31))"
    within = GeoCondition(PLACE, "within", box)
    await against(
        "within 20 km of 100,000",
        lambda: store.query(Query(selectors=selectors, geo=within, limit=100)),
        lambda: connection.fetch(
            f"SELECT {columns} FROM entity JOIN geometry g USING (eid) WHERE g.attr = {place} "
            f"AND ST_Within(geom, ST_GeomFromText('{box}', 4326)) AND typeset = 1 "
            "ORDER BY id LIMIT 100"
        ),
    )
    at = system_clock()
    await against(
        "state at a past time, 100,000 counted by q",
        lambda: store.query(
            Query(selectors=selectors, condition=compare, limit=0, count=True), at_us=at
        ),
        lambda: connection.fetch(
            "SELECT count(*) FROM object o, LATERAL (SELECT num FROM history h WHERE h.eid = o.eid "
            "AND attr = 0 AND dataset = '' AND at <= $1 AND superseded IS NULL "
            "ORDER BY at DESC LIMIT 1) head, LATERAL (SELECT num FROM history h "
            f"WHERE h.eid = o.eid AND attr = {tid} AND dataset = '' AND at <= $1 "
            "AND superseded IS NULL ORDER BY at DESC LIMIT 1) v WHERE head.num = 1 AND v.num > 999",
            at,
        ),
        rounds=3,
    )
    await connection.close()
    await store.close()


async def bench_evolution(server: PostgresServer) -> None:
    """Compare hourly averages with bare SQL on the same tables."""
    store = await store_at(server, "evolution")
    start, step = 1_700_000_000_000_000, 60_000_000
    for first in range(0, OBSERVATIONS, 5_000):
        instances = [
            {"type": "Property", "value": n % 997 / 10, "observedAt": fixed(start + n * step)}
            for n in range(first, first + 5_000)
        ]
        fragment = TemporalFragment(attrs={NAMES + "pm25": instances}, types=(TYPE,))
        await store.apply_all([AppendEvolution("urn:ngsi-ld:AirQualityObserved:1", fragment)])
    connection = await asyncpg.connect(
        server.url(), server_settings={"search_path": "evolution,public", "jit": "off"}
    )
    await connection.execute("VACUUM ANALYZE")
    tid = await connection.fetchval("SELECT tid FROM term WHERE iri = $1", NAMES + "pm25")
    query = TemporalQuery(
        Query(selectors=(Selector(ids=("urn:ngsi-ld:AirQualityObserved:1",)),)),
        window=TimeWindow(relation="after", at_us=start),
        attributes=(NAMES + "pm25",),
        aggregation=Aggregation(("avg",), period_us=HOUR_US),
    )
    await against(
        f"hourly averages of {OBSERVATIONS:,} observations",
        lambda: store.evolution(query),
        lambda: connection.fetch(
            "SELECT (at - $1) / $2 AS hour, avg(num) FROM history WHERE eid = 1 "
            f"AND attr = {tid} AND dataset = '' AND superseded IS NULL AND at >= $1 "
            "GROUP BY 1 ORDER BY 1",
            start,
            HOUR_US,
        ),
        rounds=5,
    )
    await connection.close()
    await store.close()


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Give how long some work took, in seconds."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def against(
    name: str,
    ours: Callable[[], Awaitable[Any]],
    bare: Callable[[], Awaitable[Any]],
    *,
    rounds: int = ROUNDS,
) -> None:
    """Compare the medians of the same question put in two ways, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        times[0].append(await timed(ours))
        times[1].append(await timed(bare))
    mine, theirs = (statistics.median(one) for one in times)
    report(name, f"{mine * 1e3:.2f} ms", f"{theirs * 1e3:.2f} ms bare", mine / theirs, RATIO_MAX)


def report(name: str, ours: str, bare: str, ratio: float, bound: float) -> None:
    """Print one comparison and its bound."""
    sign = "at least" if bound < 1 else "at most"
    held = ratio >= bound if bound < 1 else ratio <= bound
    print(f"{name}: {ours}, {bare}, ratio {ratio:.2f} ({sign} {bound}){'' if held else ' MISSED'}")


async def main() -> None:
    """Run every comparison on one server."""
    gc.set_threshold(*COLLECTION_THRESHOLDS)  # as a node does
    programs = find_programs()
    if programs is None:
        print("PostgreSQL with PostGIS isn't installed: make services")
        return
    server = PostgresServer(programs, durable=True)
    try:
        server.create()
        await bench_batches(server)
        await bench_queries(server)
        await bench_evolution(server)
    finally:
        server.remove()


if __name__ == "__main__":
    asyncio.run(main())
