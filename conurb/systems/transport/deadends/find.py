"""Find gaps: an end of a road near a border, and the end that answers it on the other side.

A pair of ends is a gap when

- both are dead: no other road touches them;
- they lie in different areas, each within `border_m` of its area's boundary, and no farther apart
  than `gap_m`;
- each road, carried on the way it is heading, points at the other end: to within `turn_deg`;
- where both are one-way, one leads out and the other leads on;
- it is the best pair for both of them: near, straight, of one number, name or class.

Two carriageways that break off side by side are one gap.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.systems.transport.deadends.roads import Area, Place, RoadLine, refs_of
from conurb.systems.transport.measure import Plane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NODE_DECIMALS: Final = 5
"""Points that agree to a metre are one."""

LOOK_BACK_M: Final = 150.0
"""How much of a road says where it is heading."""

CLOSE_M: Final = 30.0
"""Ends nearer than this needn't point at each other, only against each other."""

CARRIAGEWAYS_APART_M: Final = 150.0
BONUS_REF: Final = 0.5
BONUS_NAME: Final = 0.3
BONUS_CLASS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Rules:
    """How far, and how straight."""

    border_m: float = 2_000.0
    gap_m: float = 2_000.0
    turn_deg: float = 35.0


STANDARD: Final = Rules()


@dataclass(frozen=True, slots=True)
class End:
    """A dead end: the road, its last point, the area that it lies in (None: in none of them)."""

    road: RoadLine
    place: Place
    area: str | None
    leads_out: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Two ends that ought to meet; `twins` are those of the other carriageway."""

    a: End
    b: End
    length_m: float
    twins: tuple[tuple[End, End], ...] = ()

    @property
    def middle(self) -> Place:
        """Give the point half-way between the ends."""
        (ax, ay), (bx, by) = self.a.place, self.b.place
        return (ax + bx) / 2, (ay + by) / 2

    @property
    def key(self) -> str:
        """Give a name that is the same whenever this gap is found."""
        return "~".join(sorted((self.a.road.id, self.b.road.id)))


def node_of(place: Place) -> Place:
    """Give the point that stands for all that are the same."""
    return round(place[0], NODE_DECIMALS), round(place[1], NODE_DECIMALS)


def find_gaps(
    roads: Sequence[RoadLine], areas: Sequence[Area], rules: Rules = Rules()
) -> list[Gap]:
    """Find the gaps of a road network at the borders of areas, in order of the ends' roads."""
    ends = _dead_ends(roads)
    if len(ends) < 2 or len(areas) < 2:
        return []
    found = _Ends(ends, areas, rules)
    pairs = sorted(found.pairs(), key=lambda one: (one[0], one[1], one[2]))
    taken: set[int] = set()
    gaps: list[Gap] = []
    for _, first, second in pairs:
        if first not in taken and second not in taken:
            taken |= {first, second}
            gaps.append(found.gap(first, second))
    return sorted(_as_roads(gaps), key=lambda gap: gap.key)


def _dead_ends(roads: Sequence[RoadLine]) -> list[tuple[RoadLine, bool]]:
    """Give the ends that nothing else touches: (road, whether it is its last point)."""
    touching: Counter[Place] = Counter()
    for road in roads:
        touching.update(map(node_of, road.path))
    return [
        (road, last)
        for road in roads
        for last in (False, True)
        if touching[node_of(road.path[-1 if last else 0])] == 1
    ]


class _Ends:
    """The dead ends near a border, in metres, with their headings and areas."""

    def __init__(
        self, ends: Sequence[tuple[RoadLine, bool]], areas: Sequence[Area], rules: Rules
    ) -> None:
        import json

        import numpy as np
        import shapely

        self._rules = rules
        lonlat = np.array([road.path[-1 if last else 0] for road, last in ends])
        self._plane = Plane(float(lonlat[:, 1].mean()))
        shapes = [
            self._plane.flatten(shapely.from_geojson(json.dumps(dict(area.shape))))
            for area in areas
        ]
        shapely.prepare(shapes)
        places = self._plane.to_plane(lonlat)
        points: Any = shapely.points(places)
        borders = shapely.STRtree([shape.boundary for shape in shapes])
        near = np.unique(borders.query(points, "dwithin", rules.border_m)[0])
        self._ends = [ends[number] for number in near]
        self._places = places[near]
        self._points = points[near]
        self._headings = np.array(
            [_heading(self._plane, road, last) for road, last in self._ends]
        ).reshape(-1, 2)
        inside = shapely.STRtree(shapes).query(self._points, "intersects")
        self._areas: list[str | None] = [None] * len(self._ends)
        for point, area in zip(*inside, strict=True):
            self._areas[int(point)] = areas[int(area)].id

    def pairs(self) -> Iterator[tuple[float, int, int]]:
        """Give the pairs of ends that might be a gap, with how ill they match."""
        import shapely

        tree = shapely.STRtree(self._points)
        for first, second in tree.query(self._points, "dwithin", self._rules.gap_m).T:
            a, b = int(first), int(second)
            if a < b and self._areas[a] != self._areas[b]:
                cost = self._cost(a, b)
                if cost is not None:
                    yield cost, a, b

    def _cost(self, a: int, b: int) -> float | None:
        """Say how ill two ends match; None when they don't."""
        (road_a, last_a), (road_b, last_b) = self._ends[a], self._ends[b]
        if road_a is road_b or (road_a.oneway and road_b.oneway and last_a == last_b):
            return None
        way = self._places[b] - self._places[a]
        apart = float(math.hypot(*way))
        if apart < CLOSE_M:
            turns = [_turn(self._headings[a], -self._headings[b])]
        else:
            turns = [_turn(self._headings[a], way), _turn(self._headings[b], -way)]
        if max(turns) > self._rules.turn_deg:
            return None
        cost = apart / self._rules.gap_m + sum(turns) / self._rules.turn_deg / 2
        if refs_of(road_a) & refs_of(road_b):
            cost -= BONUS_REF
        if road_a.name and road_a.name == road_b.name:
            cost -= BONUS_NAME
        if road_a.road_class == road_b.road_class:
            cost -= BONUS_CLASS
        return cost

    def gap(self, a: int, b: int) -> Gap:
        """Make the gap between two ends."""
        way = self._places[b] - self._places[a]
        return Gap(self._end(a), self._end(b), float(math.hypot(*way)))

    def _end(self, number: int) -> End:
        road, last = self._ends[number]
        return End(road, road.path[-1 if last else 0], self._areas[number], last)


def _heading(plane: Plane, road: RoadLine, last: bool) -> tuple[float, float]:
    """Give the direction in which a road leaves its end, from a point some way back."""
    import numpy as np

    points = plane.to_plane(np.array(road.path if last else road.path[::-1]))
    end = points[-1]
    back: Any = points[0]
    for point in points[-2::-1]:
        back = point
        if math.hypot(*(end - point)) >= LOOK_BACK_M:
            break
    east, north = end - back
    return float(east), float(north)


def _turn(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Give the angle between two directions in degrees."""
    cross = float(a[0] * b[1] - a[1] * b[0])
    dot = float(a[0] * b[0] + a[1] * b[1])
    return abs(math.degrees(math.atan2(cross, dot)))


def _as_roads(gaps: Sequence[Gap]) -> Iterator[Gap]:
    """Put the two carriageways of a road together: the gap of the first found stands for both."""
    left = list(gaps)
    while left:
        gap = left.pop(0)
        twins = [other for other in left if _are_twins(gap, other)]
        for twin in twins:
            left.remove(twin)
        yield Gap(gap.a, gap.b, gap.length_m, tuple((one.a, one.b) for one in twins))


def _are_twins(gap: Gap, other: Gap) -> bool:
    from conurb.systems.transport.measure import distance_m

    oneway = gap.a.road.oneway and other.a.road.oneway
    same = {gap.a.area, gap.b.area} == {other.a.area, other.b.area}
    return oneway and same and distance_m(*gap.middle, *other.middle) <= CARRIAGEWAYS_APART_M
