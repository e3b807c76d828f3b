"""Averages by hour over 1M observations, and the state at a past time over 100,000 objects.

Bare SQL is a statement written by hand for the same file, run on a connection of its own in this
process. The observations are inserted beneath the store, as rows of its own form: this is about
reading them.

    python bench/bench_history.py [--observations 1000000] [--entities 100000]
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
from pathlib import Path
from typing import Any

import apsw
import orjson

from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    Compare,
    Query,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.model.time import US_PER_S, fixed, parse_us
from conurb.store.contract import Store
from conurb.store.engines import open_store

sys.path.insert(0, str(Path(__file__).parent))
from bench_queries import TEMPERATURE, TYPE, fill

SERIES = 100
START_US = parse_us("2025-01-01T00:00:00Z")
HOUR_US = 3600 * US_PER_S
RUNS = 5
VERSIONS = 4
"""Earlier values of one attribute of every object, for the state at a past time."""


def _term(connection: apsw.Connection, iri: str) -> int:
    return int(connection.execute("SELECT id FROM term WHERE iri = ?", (iri,)).get)


def _row(eid: int, attr: int, at_us: int, number: int, value: float) -> tuple[Any, ...]:
    when = fixed(at_us)
    body = {"type": "Property", "value": value, "observedAt": when, "createdAt": when}
    document = orjson.dumps({**body, "modifiedAt": when}).decode()
    return eid, attr, at_us, number, number, value, document


def insert_history(path: Path, rows: Any) -> None:
    """Insert observations beneath the store."""
    connection = apsw.Connection(str(path))
    with connection:
        connection.executemany(
            "INSERT INTO history (eid, attr, dataset, at, recorded, superseded, number, observed, "
            "val, body) VALUES (?, ?, 0, ?, ?, NULL, ?, 1, ?, ?)",
            rows,
        )
    connection.close()


async def median(run: Callable[[], Awaitable[Any]]) -> float:
    """Give the median time in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        await run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(name: str, ours: float, theirs: float, note: str) -> None:
    """Print one line with its ratio."""
    print(
        f"{name:44} {ours * 1e3:9.1f} ms   bare SQL {theirs * 1e3:9.1f} ms"
        f"   ratio {ours / theirs:5.2f}   ({note})"
    )


async def bench_aggregation(store: Store, path: Path, observations: int) -> None:
    """Average by hour over everything."""
    chance = random.Random(2)
    connection = apsw.Connection(str(path))
    attr = _term(connection, TEMPERATURE)
    each = observations // SERIES
    insert_history(
        path,
        (
            _row(
                eid,
                attr,
                START_US + n * 60 * US_PER_S,
                START_US + eid * each + n,
                round(chance.uniform(-10, 40), 2),
            )
            for eid in range(1, SERIES + 1)
            for n in range(each)
        ),
    )
    end = START_US + each * 60 * US_PER_S
    query = TemporalQuery(
        Query((Selector(types=TypeIs(TYPE)),), limit=SERIES),
        TimeWindow("observedAt", "between", START_US, end),
        (TEMPERATURE,),
        aggregation=Aggregation(("avg",), period_us=HOUR_US),
    )

    async def bare() -> int:
        rows = connection.execute(
            "SELECT eid, (at - ?1) / ?2 AS hour, avg(val) FROM history WHERE attr = ?3 "
            "AND dataset = 0 AND eid BETWEEN 1 AND ?4 AND at >= ?1 AND at < ?5 "
            "AND superseded IS NULL GROUP BY eid, hour",
            (START_US, HOUR_US, attr, SERIES, end),
        ).fetchall()
        return len(rows)

    async def ours() -> int:
        page = await store.evolution(query)
        return sum(
            len(rows)
            for one in page.evolutions
            for methods in one.aggregates.values()
            for rows in methods.values()
        )

    periods = await bare()
    assert await ours() == periods
    name = f"average by hour, {each * SERIES:,} observations"
    report(name, await median(ours), await median(bare), f"{periods:,} periods")
    connection.close()


async def bench_state(store: Store, path: Path, count: int) -> None:
    """Ask for the state at a past time."""
    chance = random.Random(3)
    connection = apsw.Connection(str(path))
    attr, kind = _term(connection, TEMPERATURE), _term(connection, TYPE)
    begin = START_US - 10 * 24 * HOUR_US
    insert_history(
        path,
        (
            _row(
                eid,
                attr,
                begin + n * 24 * HOUR_US,
                begin + eid * VERSIONS + n,
                round(chance.uniform(-10, 40), 2),
            )
            for eid in range(1, count + 1)
            for n in range(VERSIONS)
        ),
    )
    with connection:  # the objects were there before: their first heads speak of then
        connection.execute("UPDATE history SET at = ? WHERE attr = 1", (begin - HOUR_US,))
        connection.execute("UPDATE entity SET born = ?", (begin - HOUR_US,))
    at = begin + 2 * 24 * HOUR_US + HOUR_US
    selectors = (Selector(types=TypeIs(TYPE)),)
    condition = Compare(AttributePath((TEMPERATURE,)), ">", 20)

    async def bare_count() -> int:
        return int(
            connection.execute(
                "SELECT count(*) FROM entity e JOIN history h ON h.eid = e.eid AND h.attr = 1 "
                "AND h.dataset = 0 AND h.superseded IS NULL AND h.val = ?1 AND h.at = (SELECT "
                "max(at) FROM history g WHERE g.eid = e.eid AND g.attr = 1 AND g.dataset = 0 "
                "AND g.at <= ?3 AND g.superseded IS NULL) WHERE (SELECT v.val FROM history v "
                "WHERE v.eid = e.eid AND v.attr = ?2 AND v.dataset = 0 AND v.at <= ?3 "
                "AND v.superseded IS NULL ORDER BY v.at DESC LIMIT 1) > 20",
                (kind, attr, at),
            ).get
        )

    async def count_at() -> Any:
        query = Query(selectors, condition=condition, limit=0, count=True)
        return (await store.query(query, at_us=at)).total

    found = await bare_count()
    assert await count_at() == found
    name = f"count by value at a past time, {count:,} objects"
    report(name, await median(count_at), await median(bare_count), f"{found:,} objects")

    async def bare_page() -> int:
        rows = connection.execute(
            "SELECT e.id, h.attr, h.body FROM (SELECT eid, id FROM entity ORDER BY id LIMIT 1000) "
            "e JOIN history h ON h.eid = e.eid WHERE h.superseded IS NULL AND h.at = "
            "(SELECT max(at) FROM history g WHERE g.eid = h.eid AND g.attr = h.attr "
            "AND g.dataset = h.dataset AND g.at <= ?1 AND g.superseded IS NULL)",
            (at,),
        ).fetchall()
        return len({orjson.loads(body) and entity_id for entity_id, _, body in rows})

    async def page_at() -> int:
        page = await store.query(Query(selectors, limit=1000), at_us=at)
        return len(page.entities)

    found = await bare_page()
    assert await page_at() == found
    report("1,000 objects as they were", await median(page_at), await median(bare_page), "whole")
    connection.close()


async def main(observations: int, entities: int) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "observations.db"
        store = open_store(path)
        await store.open()
        await fill(store, SERIES)
        await bench_aggregation(store, path, observations)
        await store.close()
        path = Path(folder) / "objects.db"
        store = open_store(path)
        await store.open()
        await fill(store, entities)
        await bench_state(store, path, entities)
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--entities", type=int, default=100_000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.observations, arguments.entities))
