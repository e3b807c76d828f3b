"""Regional events out of 1,000 active alerts, the index of a large batch, and a forecast by wind.

Merging is set against looking at every pair by the same relation, the batch's index against one by
one; answers are compared in the same run.

    python bench/bench_systems_warnings.py [--alerts 1000] [--places 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conurb.app import build_host
from conurb.config import Settings
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.regions.objects import city_id
from conurb.systems.contract import Site
from conurb.systems.warnings.areas import cities_of
from conurb.systems.warnings.events import (
    US_PER_S,
    RegionalEvent,
    Statement,
    merge,
    related,
)
from conurb.systems.warnings.forecast.air import Wind, forecast, grid_of, wind_field
from conurb.systems.warnings.kinds import KINDS, slack_of
from conurb.systems.warnings.quality.air import POLLUTANTS, air_quality, air_quality_indices
from conurb.systems.warnings.regional import merge_statements, statement_id

RUNS = 7
ONE_BY_ONE_MAX = 5_000
RATIO_WANTED = 20.0


def make_up(count: int) -> list[Statement]:
    """Draw alerts of the Delta's cities: six kinds, three days, one to three cities each."""
    chance, cities = random.Random(2026), cities_of("yrd")
    ids = list(cities.by_id)
    found = []
    for number in range(count):
        city = chance.choice(ids)
        near = sorted(cities.neighbours[city])
        begin = chance.randrange(72 * 3600) * US_PER_S
        found.append(
            Statement(
                id=f"urn:ngsi-ld:Alert:{city}:{number}",
                owner=city,
                sender=f"warnings@{city}",
                kind=chance.choice(KINDS[:6]).key,
                begin_us=begin,
                end_us=begin + chance.randrange(1, 7) * 3600 * US_PER_S,
                cities=(city, *chance.sample(near, min(len(near), chance.randrange(3)))),
                severity=chance.choice(("low", "medium", "high", "critical")),
                state="active",
                issued_us=begin,
            )
        )
    return found


def by_pairs(statements: list[Statement]) -> list[list[str]]:
    """Merge by looking at every pair."""
    near = cities_of("yrd").neighbours
    parents = list(range(len(statements)))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    for i, one in enumerate(statements):
        for j in range(i):
            if related(one, statements[j], near, slack_of(one.kind) * US_PER_S):
                parents[root(i)] = root(j)
    groups: dict[int, list[str]] = {}
    for i, one in enumerate(statements):
        groups.setdefault(root(i), []).append(one.id)
    return sorted(sorted(group) for group in groups.values())


def as_groups(events: tuple[RegionalEvent, ...]) -> list[list[str]]:
    """Give the statements of each event."""
    return sorted(sorted(one.id for one in event.statements) for event in events)


async def stored_ms(statements: list[Statement]) -> tuple[float, float]:
    """Give the milliseconds that a region takes with all statements stored: first, and again.

    First it reads all of them; again is what each further alert costs.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=f"{folder}/node.db", data_folder=Path(folder))
        host = build_host(settings)
        await host.open()
        try:
            node = await host.node(None)
            site = Site(
                "warnings", node, frozenset({"region"}), node.delivery.outbound, Path(folder)
            )
            now = site.now_us()
            told = [UpsertEntity(entity_of(one, site, now)) for one in statements]
            await node.store.apply_all(told)
            records = await node.store.journal(after=0, limit=1)
            found = []
            for _ in range(RUNS):
                begin = time.perf_counter()
                operations = await merge_statements(records, site)
                found.append((time.perf_counter() - begin) * 1000.0)
                if operations:
                    await node.store.apply_all(operations)
        finally:
            await host.close()
    return found[0], statistics.median(found[1:])


def entity_of(one: Statement, site: Site, now_us: int) -> Entity:
    """Build the object of a statement."""
    document = {
        "id": statement_id(site, one.id),
        "type": "AlertStatement",
        "refAlert": {"type": "Relationship", "object": one.id},
        "owner": one.owner,
        "sender": one.sender,
        "alertState": one.state,
        "subCategory": one.kind,
        "severity": one.severity,
        "dateIssued": shown_us(now_us + one.issued_us),
        "validFrom": shown_us(now_us + one.begin_us),
        "validTo": shown_us(now_us + one.end_us),
        "affects": {"type": "ListRelationship", "objectList": [city_id(c) for c in one.cities]},
    }
    return parse_entity(document, platform_terms())


def timed(work: Callable[[], Any], runs: int = RUNS) -> tuple[float, Any]:
    """Give the median seconds of some runs, and the answer."""
    seconds, answer = [], None
    for _ in range(runs):
        begin = time.perf_counter()
        answer = work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds), answer


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1_000)
    parser.add_argument("--places", type=int, default=100_000)
    given = parser.parse_args()

    statements, near = make_up(given.alerts), cities_of("yrd").neighbours
    ours_s, events = timed(lambda: merge(statements, near))
    pairs_s, groups = timed(lambda: by_pairs(statements), runs=1)
    assert as_groups(events) == groups
    ratio = pairs_s / ours_s
    print(
        f"regional events: {given.alerts:,} alerts -> {len(events)} events in "
        f"{ours_s * 1000:.1f} ms; every pair {pairs_s * 1000:.0f} ms; ratio {ratio:.0f} "
        f"(wanted: {RATIO_WANTED:.0f} or more)"
    )
    first_ms, again_ms = asyncio.run(stored_ms(statements))
    print(
        f"at a region that holds them: {first_ms:.0f} ms after a start, {again_ms:.0f} ms for each "
        "further alert"
    )

    rng = np.random.default_rng(2026)
    arrays = {one: np.round(rng.uniform(0, 400, given.places), 1) for one in POLLUTANTS}
    batch_s, indices = timed(lambda: air_quality_indices(arrays))
    few = min(given.places, ONE_BY_ONE_MAX)

    def one_by_one() -> list[int]:
        found = []
        for i in range(few):
            quality = air_quality({one: float(arrays[one][i]) for one in POLLUTANTS})
            found.append(-1 if quality is None else quality.index)
        return found

    each_s, singles = timed(one_by_one, runs=1)
    assert indices[:few].tolist() == singles
    rate, single_rate = given.places / batch_s, few / each_s
    print(
        f"air quality index: {rate / 1e6:.2f} M places/s in a batch, {single_rate:,.0f}/s one by "
        f"one; ratio {rate / single_rate:.0f}"
    )

    grid = grid_of(cities_of("yrd"))
    field = wind_field([Wind(118.8, 32.0, 5.0, 300.0)])
    wind_s, told = timed(lambda: forecast(["nanjing"], field, grid), runs=3)
    print(f"forecast by wind: {len(told)} cities, 48 h, 77 winds in {wind_s * 1000:.0f} ms")
    if ratio < RATIO_WANTED:
        sys.exit(f"regional events: ratio {ratio:.0f}, wanted {RATIO_WANTED:.0f}")


if __name__ == "__main__":
    main()
