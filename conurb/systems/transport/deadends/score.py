"""What a gap costs: the way round it, and whom closing it would serve.

- The detour is the shortest way along the roads given from one end to the other. Where there is
  none within `DETOUR_M_MAX`, or none at all, it counts as `DETOUR_M_MAX`.
- The people are those who live within `CATCHMENT_M` of the gap, in its two areas, as if each area's
  population lived evenly over it: an approximation, and said to be one.
- The score is people times kilometres saved, over a million: the million person-kilometres that
  would be saved if each of them went across once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from conurb.systems.transport.deadends.find import Gap, node_of
from conurb.systems.transport.deadends.roads import Area, Place, RoadLine
from conurb.systems.transport.measure import Plane, distance_m

DETOUR_M_MAX: Final = 50_000.0
CATCHMENT_M: Final = 10_000.0
GAPS_AT_ONCE: Final = 64
"""Sources of one search for shortest paths: what it holds grows with them."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A gap and what it costs; `detour_m` None: there is no way round in the data."""

    gap: Gap
    detour_m: float | None
    people: int
    score: float


def score_gaps(
    gaps: Sequence[Gap], roads: Sequence[RoadLine], areas: Sequence[Area]
) -> list[Scored]:
    """Score gaps, the costliest first."""
    detours = _detours(gaps, roads)
    people = _people(gaps, areas)
    scored = []
    for gap, detour, served in zip(gaps, detours, people, strict=True):
        saved_m = max((DETOUR_M_MAX if detour is None else detour) - gap.length_m, 0.0)
        score = served * saved_m / 1000 / 1e6
        scored.append(Scored(gap, detour, round(served), round(score, 3)))
    return sorted(scored, key=lambda one: (-one.score, one.gap.key))


def _detours(gaps: Sequence[Gap], roads: Sequence[RoadLine]) -> list[float | None]:
    """Measure the way round each gap; None for none within the bound."""
    import numpy as np
    from scipy.sparse.csgraph import dijkstra

    graph = _Roads(roads)
    starts = [graph.nodes[node_of(gap.a.place)] for gap in gaps]
    ends = [graph.nodes[node_of(gap.b.place)] for gap in gaps]
    detours: list[float | None] = []
    for first in range(0, len(gaps), GAPS_AT_ONCE):
        some = slice(first, first + GAPS_AT_ONCE)
        lengths = dijkstra(graph.matrix, directed=False, indices=starts[some], limit=DETOUR_M_MAX)
        for row, end in zip(lengths, ends[some], strict=True):
            detours.append(float(row[end]) if np.isfinite(row[end]) else None)
    return detours


class _Roads:
    """The roads as a graph: its nodes are ends and the points where roads touch."""

    def __init__(self, roads: Sequence[RoadLine]) -> None:
        import numpy as np
        from scipy.sparse import coo_array

        touching: Counter[Place] = Counter()
        for road in roads:
            touching.update(set(map(node_of, road.path)))
        self.nodes: dict[Place, int] = {}
        shortest: dict[tuple[int, int], float] = {}
        for road in roads:
            last = len(road.path) - 1
            start = self._node(road.path[0])
            metres = 0.0
            for number in range(1, last + 1):
                metres += distance_m(*road.path[number - 1], *road.path[number])
                place = node_of(road.path[number])
                if number == last or touching[place] > 1:
                    end = self._node(road.path[number])
                    pair = (min(start, end), max(start, end))
                    if start != end:
                        shortest[pair] = min(metres, shortest.get(pair, np.inf))
                    start, metres = end, 0.0
        pairs = np.array(list(shortest), dtype=np.int64).reshape(-1, 2)
        lengths = np.maximum(np.array(list(shortest.values()), dtype=np.float64), 0.01)
        size = len(self.nodes)
        self.matrix: Any = coo_array(
            (lengths, (pairs[:, 0], pairs[:, 1])), shape=(size, size)
        ).tocsr()

    def _node(self, place: Place) -> int:
        return self.nodes.setdefault(node_of(place), len(self.nodes))


def _people(gaps: Sequence[Gap], areas: Sequence[Area]) -> list[float]:
    """Count who lives about each gap, in its areas; an area without a population counts none."""
    import numpy as np
    import shapely

    served = np.zeros(len(gaps))
    if not gaps:
        return []
    middles = np.array([gap.middle for gap in gaps])
    plane = Plane(float(middles[:, 1].mean()))
    circles: Any = shapely.buffer(shapely.points(plane.to_plane(middles)), CATCHMENT_M)
    for area in areas:
        rows = [number for number, gap in enumerate(gaps) if area.id in (gap.a.area, gap.b.area)]
        if area.population is None or not rows:
            continue
        shape = plane.flatten(shapely.from_geojson(json.dumps(dict(area.shape))))
        shares = shapely.area(shapely.intersection(circles[rows], shape)) / shape.area
        served[rows] += area.population * shares
    people: list[float] = served.tolist()
    return people
