"""Query by type and number, near and within, over 100,000 objects: the store against bare SQL.

Bare SQL is a statement written by hand for the same file, run on a connection of its own in this
process, and the documents it gives read as JSON: the least that a reader of the same objects does.
The store's time is that of `store.query`
awaited on the event loop: compiling the query, the way to a reader's thread and back, and the
entities as objects included.

    python bench/bench_queries.py [--entities 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import orjson

from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    GeoCondition,
    Query,
    Selector,
    TypeIs,
)
from conurb.store.contract import Store
from conurb.store.engines import open_store
from conurb.store.sqlite import functions

TYPE = "https://example.org/Sensor"
TEMPERATURE, HUMIDITY, NAME, STATE, PLACE = (
    f"https://example.org/{name}"
    for name in ("temperature", "humidity", "name", "state", "location")
)
RUNS = 50
LIMIT = 100


def make_entity(number: int, chance: random.Random) -> Entity:
    """Make a sensor with a point and four properties, some 600 bytes as JSON."""
    place = {
        "type": "Point",
        "coordinates": [120 + chance.random() * 2, 30.5 + chance.random() * 1.5],
    }
    attrs: dict[str, list[dict[str, Any]]] = {
        TEMPERATURE: [
            {
                "type": "Property",
                "value": round(chance.uniform(-10, 40), 3),
                "unitCode": "CEL",
                "observedAt": "2026-01-01T00:00:00.000000Z",
            }
        ],
        HUMIDITY: [{"type": "Property", "value": round(chance.random(), 4), "unitCode": "P1"}],
        NAME: [{"type": "Property", "value": f"Sensor number {number} of the bench"}],
        STATE: [{"type": "Property", "value": chance.choice(["on", "off", "broken"])}],
        PLACE: [{"type": "GeoProperty", "value": place}],
    }
    return Entity(f"urn:ngsi-ld:Sensor:{number:07d}", (TYPE,), attrs)


async def fill(store: Store, count: int) -> None:
    """Write the objects in batches."""
    chance = random.Random(1)
    for first in range(0, count, 1000):
        batch = [make_entity(n, chance) for n in range(first, min(first + 1000, count))]
        await store.apply([UpsertEntity(entity) for entity in batch])


async def time_store(run: Callable[[int], Awaitable[Any]]) -> float:
    """Give the median time of a query, in seconds."""
    times = []
    for number in range(RUNS):
        start = time.perf_counter()
        await run(number)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def documents(rows: list[Any]) -> list[Any]:
    """Read the document of each row, its last column."""
    return [orjson.loads(row[-1]) for row in rows]


def time_bare(run: Callable[[int], Any]) -> float:
    """Give the median time of a bare statement, in seconds."""
    times = []
    for number in range(RUNS):
        start = time.perf_counter()
        run(number)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


class Bare:
    """Statements written by hand on the same file."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path))
        self.connection.execute("PRAGMA query_only = ON")
        functions.register(self.connection)
        terms = dict(self.connection.execute("SELECT iri, id FROM term"))
        self.type = terms[TYPE]
        self.value = f"flat ->> '$.a{terms[TEMPERATURE]}'"
        self.place = terms[PLACE]

    def above(self, least: float) -> list[Any]:
        """Find by type and number."""
        rows = self.connection.execute(
            f"SELECT e.* FROM (SELECT eid, id FROM entity WHERE type = ? AND {self.value} > ? "
            f"AND {self.value} < '' ORDER BY id LIMIT ?) p JOIN entity e ON e.eid = p.eid",
            (self.type, least, LIMIT + 1),
        )
        return documents(rows.fetchall())

    def count_above(self, least: float) -> Any:
        """Count by type and number."""
        return self.connection.execute(
            f"SELECT count(*) FROM entity WHERE type = ? AND {self.value} > ? "
            f"AND {self.value} < ''",
            (self.type, least),
        ).get

    def near(self, x: float, y: float, meters: float) -> list[Any]:
        """Find by distance."""
        degrees = meters / 111_000
        rows = self.connection.execute(
            "SELECT e.* FROM geo g CROSS JOIN entity e ON e.eid = g.eid WHERE g.attr = ?1 "
            "AND g.east >= ?2 - ?4 * 1.2 AND g.west <= ?2 + ?4 * 1.2 "
            "AND g.north >= ?3 - ?4 AND g.south <= ?3 + ?4 AND e.type = ?6 "
            "AND 12742017.5428 * asin(sqrt(pow(sin(radians(g.y - ?3) / 2), 2) + "
            "cos(radians(?3)) * cos(radians(g.y)) * pow(sin(radians(g.x - ?2) / 2), 2))) <= ?5 "
            "ORDER BY e.id LIMIT ?7",
            (self.place, x, y, degrees, meters, self.type, LIMIT + 1),
        )
        return documents(rows.fetchall())

    def within(self, wkt: str, box: tuple[float, float, float, float]) -> list[Any]:
        """Find inside of a polygon."""
        rows = self.connection.execute(
            "SELECT e.* FROM geo g CROSS JOIN entity e ON e.eid = g.eid WHERE g.attr = ? "
            "AND g.east >= ? AND g.west <= ? AND g.north >= ? AND g.south <= ? AND e.type = ? "
            "AND conurb_relates('within', ?, g.x, g.y, g.wkb) ORDER BY e.id LIMIT ?",
            (self.place, box[0], box[2], box[1], box[3], self.type, wkt, LIMIT + 1),
        )
        return documents(rows.fetchall())


def _polygon(number: int, size: float) -> tuple[str, tuple[float, float, float, float]]:
    x, y = 120.2 + number % 10 / 10, 30.7 + number % 7 / 10
    wkt = f"POLYGON (({x} {y}, {x + size} {y}, {x + size / 2} {y + size}, {x} {y}))"
    return wkt, (x, y, x + size, y + size)


async def main(count: int) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        store = open_store(path)
        await store.open()
        start = time.perf_counter()
        await fill(store, count)
        print(f"{count:,} objects written in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        await store.ensure_index(TEMPERATURE)
        print(f"index on a number: {time.perf_counter() - start:.2f} s")
        try:
            await _compare(store, Bare(path))
        finally:
            await store.close()


async def _compare(store: Store, bare: Bare) -> None:
    selectors = (Selector(types=TypeIs(TYPE)),)

    def above(least: float, **more: Any) -> Query:
        condition = Compare(AttributePath((TEMPERATURE,)), ">", least)
        return Query(selectors, condition=condition, **{"limit": LIMIT, **more})

    def near(number: int) -> Query:
        wkt = f"POINT ({120.5 + number % 9 / 10} 31.2)"
        return Query(
            selectors, geo=GeoCondition(PLACE, "near", wkt, distance_m_max=2_000), limit=LIMIT
        )

    def within(number: int) -> Query:
        wkt, _ = _polygon(number, 0.1)
        return Query(selectors, geo=GeoCondition(PLACE, "within", wkt), limit=LIMIT)

    cases: list[tuple[str, Callable[[int], Query], Callable[[int], Any]]] = [
        (
            "type and number, 100 of 100",
            lambda n: above(39.95 + n * 1e-6),
            lambda n: bare.above(39.95 + n * 1e-6),
        ),
        (
            "type and number, 100 of 2,000",
            lambda n: above(39 + n * 1e-6),
            lambda n: bare.above(39 + n * 1e-6),
        ),
        (
            "type and number, 100 of 60,000",
            lambda n: above(10 + n * 1e-6),
            lambda n: bare.above(10 + n * 1e-6),
        ),
        (
            "count by type and number, 2,000",
            lambda n: above(39 + n * 1e-6, limit=0, count=True),
            lambda n: bare.count_above(39 + n * 1e-6),
        ),
        ("near, 2 km", near, lambda n: bare.near(120.5 + n % 9 / 10, 31.2, 2_000)),
        ("within a triangle", within, lambda n: bare.within(*_polygon(n, 0.1))),
    ]
    for name, make, run_bare in cases:
        page, rows = await store.query(make(0)), run_bare(0)
        found = page.total if isinstance(rows, int) else len(page.entities) + page.more
        expected = rows if isinstance(rows, int) else len(rows)
        assert found == expected, (name, found, expected)
        ours = await time_store(lambda n, make=make: store.query(make(n)))
        theirs = time_bare(run_bare)
        print(
            f"{name:34} {ours * 1e3:8.3f} ms   bare SQL {theirs * 1e3:8.3f} ms"
            f"   ratio {ours / theirs:5.2f}   ({expected} rows)"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().entities))
