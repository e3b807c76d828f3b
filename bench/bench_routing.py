"""Routing: how long it takes to decide whom to ask, with 10,000 registrations.

    python bench/bench_routing.py [--registrations 10000] [--rounds 200]

The ratio is against looking at each registration in turn, in the same run. Registrations are those
of a large region: types, ids, patterns of ids, attributes, scopes and areas, 41 cities.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence

from conurb.federation.route import Index, Match
from conurb.model.geometry import distance_m
from conurb.model.query.automaton import search
from conurb.model.query.match import has_scope, reference
from conurb.model.query.select import parse_id_pattern
from conurb.model.query.tree import GeoCondition, Query, ScopeIs, Selector, TypeIs
from conurb.model.registration import EntityInfo, Information, Registration

CITIES = 41
TYPES = 200
ATTRIBUTES = 300
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
SEED = 20260801
TARGET_MS = 1.0


def make(count: int, rng: random.Random) -> list[Registration]:
    """Make registrations: half by type, a fifth each by pattern and id, the rest with areas."""
    made = []
    for number in range(count):
        city = rng.randrange(CITIES)
        name = f"T{rng.randrange(TYPES)}"
        kind = rng.random()
        entity = EntityInfo((f"urn:t:{name}",))
        if kind < 0.2:
            pattern = parse_id_pattern(f"^urn:ngsi-ld:{name}:c{city}:{number % 97}-.*")
            entity = EntityInfo((f"urn:t:{name}",), id_pattern=pattern)
        elif kind < 0.4:
            entity = EntityInfo((f"urn:t:{name}",), id=f"urn:ngsi-ld:{name}:c{city}:{number}")
        attributes = tuple(f"urn:a:{rng.randrange(ATTRIBUTES)}" for _ in range(rng.randrange(5)))
        west, south = 116 + rng.random() * 6, 28 + rng.random() * 6
        east, north = west + 0.1, south + 0.1
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        made.append(
            Registration(
                id=f"urn:r:{number}",
                endpoint=f"http://c{city}.example:8080",
                alias=f"c{city}",
                information=(Information((entity,), attributes),),
                scopes=(f"/yrd/c{city}/d{rng.randrange(20)}",),
                location={"type": "Polygon", "coordinates": [ring]} if kind > 0.5 else None,
            )
        )
    return made


def questions(rng: random.Random, rounds: int) -> dict[str, list[Query]]:
    """Make the questions of each kind, all different."""

    def typed(name: str) -> Selector:
        return Selector(types=TypeIs(f"urn:t:{name}"))

    def query(kind: str) -> Query:
        name, city = f"T{rng.randrange(TYPES)}", rng.randrange(CITIES)
        attribute = f"urn:a:{rng.randrange(ATTRIBUTES)}"
        around = f"POINT ({116 + rng.random() * 6} {28 + rng.random() * 6})"
        near = GeoCondition(LOCATION, "near", around, distance_m_max=5000.0)
        entity_id = f"urn:ngsi-ld:{name}:c{city}:{rng.randrange(97)}-{rng.randrange(1000)}"
        match kind:
            case "type":
                return Query(selectors=(typed(name),))
            case "type and attribute":
                return Query(selectors=(typed(name),), attributes=(attribute,))
            case "id and type":
                return Query(selectors=(Selector((entity_id,), types=TypeIs(f"urn:t:{name}")),))
            case "type and id pattern":
                pattern = parse_id_pattern(f"^urn:ngsi-ld:{name}:c{city}:")
                return Query(selectors=(Selector((), pattern, TypeIs(f"urn:t:{name}")),))
            case "type and scope":
                return Query(selectors=(typed(name),), scope=ScopeIs(f"/yrd/c{city}/#"))
            case _:
                return Query(selectors=(typed(name),), geo=near)

    kinds = (
        "type",
        "type and attribute",
        "id and type",
        "type and id pattern",
        "type and scope",
        "type and area",
    )
    return {kind: [query(kind) for _ in range(rounds)] for kind in kinds}


def scan(registrations: Sequence[Registration], query: Query) -> list[Registration]:
    """Look at each registration in turn."""
    return [one for one in registrations if concerns(one, query)]


def concerns(one: Registration, query: Query) -> bool:
    """Whether one registration may hold what a query selects."""
    [information], [selector] = one.information, query.selectors
    [entity] = information.entities
    if not isinstance(selector.types, TypeIs) or selector.types.iri not in entity.types:
        return False
    named, wanted = information.attributes, query.attributes
    if named and wanted and not set(named) & set(wanted):
        return False
    if selector.ids:
        if entity.id is not None and entity.id not in selector.ids:
            return False
        pattern = entity.id_pattern
        if pattern is not None and not any(search(pattern, text) for text in selector.ids):
            return False
    wild = selector.id_pattern
    if wild is not None and entity.id is not None and not search(wild, entity.id):
        return False
    if query.scope is not None and one.scopes and not has_scope(query.scope, one.scopes):
        return False
    if query.geo is not None and one.location is not None:
        place, _ = reference(query.geo.geometry_wkt)
        return distance_m(one.location, place) <= (query.geo.distance_m_max or math.inf)
    return True


def timed(decide: Callable[[Query], object], asked: Sequence[Query]) -> list[float]:
    """Give how long each decision took, in milliseconds."""
    spans = []
    for query in asked:
        start = time.perf_counter()
        decide(query)
        spans.append((time.perf_counter() - start) * 1000)
    return spans


def main() -> int:
    """Measure and print; the exit status says whether every decision's median is in time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registrations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    rng = random.Random(SEED)
    registrations = make(options.registrations, rng)
    index = Index()
    start = time.perf_counter()
    for one in registrations:
        index.put(one)
    print(f"{len(index):,} registrations indexed in {time.perf_counter() - start:.2f} s")
    print(f"{'asked by':<22}{'found':>7}{'p50 ms':>10}{'p99 ms':>10}{'scan ms':>10}{'ratio':>8}")
    in_time = True

    def find(query: Query) -> list[Match]:
        return index.find(query, now_us=0)

    for kind, asked in questions(rng, options.rounds).items():
        found = statistics.mean(len(find(query)) for query in asked)
        spans = sorted(timed(find, asked))
        scanned = statistics.median(timed(lambda query: scan(registrations, query), asked[:5]))
        p50, p99 = statistics.median(spans), spans[int(len(spans) * 0.99) - 1]
        in_time = in_time and p50 < TARGET_MS
        print(
            f"{kind:<22}{found:>7.1f}{p50:>10.3f}{p99:>10.3f}{scanned:>10.1f}{scanned / p50:>7.0f}x"
        )
    print(f"target: median under {TARGET_MS:g} ms: {'met' if in_time else 'MISSED'}")
    return 0 if in_time else 1


if __name__ == "__main__":
    raise SystemExit(main())
