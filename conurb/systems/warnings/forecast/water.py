"""How long a pollution takes downstream: travel times along the river graph.

Model. What was spilled at a place moves with the water: a reach takes its length over its velocity.
Earliest, expected and latest arrival are the shortest ways by the fast, usual and slow velocity of
each reach; they bound each other, and are a range by assumption, not quantiles. There is no
dilution, decay or settling: it answers when the front may come by, not what it brings. Gates, tides
and diversions can hold it up or turn it round (the Wangyu and the Taipu are worked by sluices).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from conurb.errors import NotFoundError
from conurb.systems.warnings.forecast.rivers import Reach, Rivers

HORIZON_D_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Passage:
    """When a pollution comes by a place: seconds from the spill, and how far it has come."""

    node: str
    city: str
    earliest_s: float
    expected_s: float
    latest_s: float
    distance_m: float


def travel(rivers: Rivers, origin: str, *, horizon_d: float = 30.0) -> tuple[Passage, ...]:
    """Give when a pollution comes by each place downstream, soonest first.

    Places whose expected arrival is beyond the horizon are left out. Raises NotFoundError for a
    place that the graph hasn't.
    """
    if origin not in rivers.nodes:
        raise NotFoundError(f"place {origin!r} is not in the river graph")
    usual = _shortest(rivers, origin, lambda reach: reach.length_m / reach.usual_m_s)
    fast = _shortest(rivers, origin, lambda reach: reach.length_m / reach.fast_m_s)
    slow = _shortest(rivers, origin, lambda reach: reach.length_m / reach.slow_m_s)
    length = _shortest(rivers, origin, lambda reach: reach.length_m)
    end_s = min(horizon_d, HORIZON_D_MAX) * 86_400.0
    found = [
        Passage(node, rivers.nodes[node].city, fast[node], seconds, slow[node], length[node])
        for node, seconds in usual.items()
        if node != origin and seconds <= end_s
    ]
    return tuple(sorted(found, key=lambda one: (one.expected_s, one.node)))


def arrivals(passages: tuple[Passage, ...], *, without: str | None = None) -> tuple[Passage, ...]:
    """Give the first place of each city that a pollution comes by; `without` is left out."""
    first: dict[str, Passage] = {}
    for one in passages:
        if one.city != without:
            first.setdefault(one.city, one)
    return tuple(first.values())


def _shortest(rivers: Rivers, origin: str, cost: Callable[[Reach], float]) -> dict[str, float]:
    """Give the least cost to every place that can be reached (Dijkstra)."""
    best = {origin: 0.0}
    waiting = [(0.0, origin)]
    while waiting:
        spent, node = heapq.heappop(waiting)
        if spent > best[node]:
            continue
        for reach in rivers.reaches.get(node, ()):
            total = spent + cost(reach)
            if total < best.get(reach.end, float("inf")):
                best[reach.end] = total
                heapq.heappush(waiting, (total, reach.end))
    return best
