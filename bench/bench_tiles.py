"""Vector tiles: what they cost, on both engines, against the bare engine in the same run.

- the tile of 100,000 points that all lie on it, drawn anew, p95, against PostGIS's bare ST_AsMVT of
  the same points, each drawn; wanted under 150 ms on PostgreSQL;
- tiles of several levels, cold, per second, against the bare engine: ST_AsMVT with the same
  properties, every point drawn; or the rows of the R*Tree with those values out of SQLite's JSON,
  nothing drawn;
- kept tiles per second, through `Tiles` (the journal is looked at each time);
- features per second of the encoder, against mapbox-vector-tile when that is installed.

It starts a PostgreSQL of its own from the system's packages. Run: python bench/bench_tiles.py
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import apsw
import asyncpg

from conurb.access.caller import LOCAL
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.render.flat import FlatView
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.draw import point_commands
from conurb.model.tiles.mvt import POINT, LayerWriter
from conurb.model.tiles.quad import BUFFER, mercator, square
from conurb.model.time import system_clock
from conurb.model.vocabulary import platform_terms
from conurb.node.tiles import Tiles
from conurb.store.contract import Store
from conurb.store.engines import open_store
from tests.services.postgres import PostgresServer, find_programs

EXPAND = platform_terms().expand
TYPE, PLACE = EXPAND("OffStreetParking"), EXPAND("location")
SPOTS, NAME = "availableSpotNumber", "name"
WHOLE_MS_MAX = 150.0
ROUNDS = 12
KEPT = 2_000
FEATURES = 2_000

BARE = """
SELECT ST_AsMVT(t.*, 'a', 4096, 'geom') FROM (
  SELECT ST_AsMVTGeom(ST_Transform(g.geom, 3857), ST_TileEnvelope($1, $2, $3), 4096, 64, true)
    AS geom, jsonb_build_object('id', e.id, 'spots', e.flat -> $4, 'name', e.flat -> $5) AS props
  FROM geometry g JOIN entity e ON e.eid = g.eid
  WHERE g.geom && ST_MakeEnvelope($6, $7, $8, $9, 4326)) t"""

BARE_SQLITE = f"""
SELECT g.x, g.y, e.id, e.doc ->> '$."{EXPAND(SPOTS)}"[0].value',
  e.doc ->> '$."{EXPAND(NAME)}"[0].value'
FROM geo g CROSS JOIN entity e ON e.eid = g.eid
WHERE g.east >= ? AND g.west <= ? AND g.north >= ? AND g.south <= ?"""
Bare = Callable[[TileAsk], Awaitable[Any]]


def park(number: int, chance: random.Random) -> Entity:
    """Make a car park with a name and two figures."""
    place = [round(chance.uniform(115, 123), 6), round(chance.uniform(27, 35), 6)]
    figures = {SPOTS: chance.randrange(300), "totalSpotNumber": 300, NAME: f"Car park {number}"}
    attrs: dict[str, Any] = {
        EXPAND(name): [{"type": "Property", "value": value}] for name, value in figures.items()
    }
    attrs[PLACE] = [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}}]
    return Entity(f"urn:ngsi-ld:OffStreetParking:{number}", (TYPE,), attrs)


async def fill(store: Store, count: int) -> None:
    """Write car parks, all over the Delta."""
    chance = random.Random(1)
    for first in range(0, count, 1000):
        batch = [park(n, chance) for n in range(first, min(first + 1000, count))]
        await store.apply_all([CreateEntity(one) for one in batch])


def asked(z: int, longitude: float, latitude: float) -> TileAsk:
    """Ask for the tile of a place."""
    x, y = (int(one * 2**z) for one in mercator(longitude, latitude))
    view = FlatView(names=frozenset({SPOTS, NAME}), geometry=PLACE)
    query = Query((Selector(types=TypeIs(TYPE)),))
    return TileAsk("a", square(z, x, y), query, PLACE, view)


async def timed(run: Callable[[], Awaitable[Any]], rounds: int = ROUNDS) -> list[float]:
    """Give the times of some runs in milliseconds, in order."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await run()
        times.append((time.perf_counter() - begun) * 1e3)
    return sorted(times)


async def bare_postgres(connection: Any) -> Bare:
    """Give the bare statement of PostGIS for a tile."""
    tids = [
        str(await connection.fetchval("SELECT tid FROM term WHERE iri = $1", EXPAND(name)))
        for name in (SPOTS, NAME)
    ]

    async def run(ask: TileAsk) -> Any:
        place = ask.square
        arguments = [place.z, place.x, place.y, *tids, *place.bounds(buffer=BUFFER)]
        return await connection.fetchval(BARE, *arguments)

    return run


def bare_sqlite(connection: apsw.Connection) -> Bare:
    """Give the bare statement of SQLite for a tile."""

    async def run(ask: TileAsk) -> Any:
        west, south, east, north = ask.square.bounds(buffer=BUFFER)
        return connection.execute(BARE_SQLITE, (west, east, south, north)).fetchall()

    return run


async def bench(name: str, store: Store, bare: Bare) -> bool:
    """Measure one engine; whether it reached what was wanted."""
    whole = asked(3, 119.0, 31.0)
    times = await timed(lambda: store.tile(whole))
    p95 = times[round(0.95 * (len(times) - 1))]
    theirs = statistics.median(await timed(lambda: bare(whole)))
    print(
        f"{name:10} all points on one tile, p95 {p95:7.1f} ms   bare engine, every point "
        f"{theirs:7.1f} ms, ratio {p95 / theirs:.2f}"
    )
    reached = p95 <= WHOLE_MS_MAX
    for z in (6, 8, 10, 12):
        asks = [asked(z, 116.0 + n * 0.7, 28.0 + n * 0.7) for n in range(8)]
        ours = sum([statistics.median(await timed(lambda a=a: store.tile(a))) for a in asks])
        theirs = sum([statistics.median(await timed(lambda a=a: bare(a))) for a in asks])
        points = (await store.tile(asks[0])).points
        drawn = f"{points} points" if points else "cells"
        print(
            f"{name:10} level {z:2}, {drawn:11} {1e3 * len(asks) / ours:7.1f} tiles/s   bare "
            f"{1e3 * len(asks) / theirs:7.1f} tiles/s, ratio {theirs / ours:.2f}"
        )
    tiles = Tiles(store)
    ask = asked(10, 119.0, 31.0)
    await tiles.draw(LOCAL, ask)
    begun = time.perf_counter()
    for _ in range(KEPT):
        await tiles.draw(LOCAL, replace(ask))
    print(f"{name:10} kept       {KEPT / (time.perf_counter() - begun):17,.0f} tiles/s")
    return reached


def bench_encoder() -> None:
    """Measure the encoder."""
    chance = random.Random(2)
    rows = [{"id": f"urn:{n}", "spots": chance.randrange(300)} for n in range(FEATURES)]
    places = [(chance.randrange(4096), chance.randrange(4096)) for _ in range(FEATURES)]

    def ours() -> bytes:
        writer = LayerWriter("a")
        for (x, y), row in zip(places, rows, strict=True):
            writer.add(POINT, point_commands(x, y), row)
        return writer.layer()

    rate = FEATURES / _best(ours)
    try:
        import mapbox_vector_tile
        import shapely
    except ImportError:
        print(f"encoder    {rate:17,.0f} features/s   (mapbox-vector-tile isn't installed)")
        return
    pairs = zip(places, rows, strict=True)
    features = [{"geometry": shapely.Point(*p), "properties": row} for p, row in pairs]
    layer = {"name": "a", "features": features}
    theirs = FEATURES / _best(lambda: mapbox_vector_tile.encode(layer))
    print(
        f"encoder    {rate:17,.0f} features/s   mapbox-vector-tile {theirs:,.0f}, "
        f"ratio {rate / theirs:.1f}"
    )


def _best(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


async def main(count: int) -> int:
    """Run all."""
    bench_encoder()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "tiles.db")
        store = open_store(path, clock=system_clock)
        await store.open()
        await fill(store, count)
        plain = apsw.Connection(path)
        await bench("SQLite", store, bare_sqlite(plain))
        plain.close()
        await store.close()
    programs = find_programs()
    if programs is None:
        print("PostgreSQL with PostGIS isn't installed")
        return 0
    server = PostgresServer(programs)
    try:
        server.create()
        store = open_store(server.url(schema="tiles"), clock=system_clock)
        await store.open()
        await fill(store, count)
        connection = await asyncpg.connect(server.url())
        await connection.execute("SET search_path = tiles, public; ANALYZE")
        reached = await bench("PostgreSQL", store, await bare_postgres(connection))
        await connection.close()
        await store.close()
    finally:
        server.stop()
        server.remove()
    if not reached:
        print(f"missed: over {WHOLE_MS_MAX:.0f} ms")
    return 0 if reached else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=100_000)
    sys.exit(asyncio.run(main(parser.parse_args().points)))
