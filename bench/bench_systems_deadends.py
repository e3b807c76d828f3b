"""Dead-end roads: crossings of borders taken out of a real road network, and found again.

The network is one province's motorway bridges (OpenStreetMap), the borders those between the 41
cities of the Delta. From each road that crosses one border once a piece is taken out; so is one
from some roads far from any border, which must not be found. Prints recall and precision of five
draws by the length that is taken out. Run: python bench/bench_systems_deadends.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import shapely
from shapely.ops import substring

from conurb.regions.pack import read_pack
from conurb.systems.transport.deadends.find import Gap, find_gaps
from conurb.systems.transport.deadends.roads import Area, RoadLine, read_roads
from conurb.systems.transport.measure import Plane

ROADS = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "roads" / "osm_bridge_anhui.geojson"
)
GAPS_M = (50.0, 200.0, 600.0, 1_200.0)
SEEDS = range(1, 6)
RECALL_MIN = 0.85
PRECISION_MIN = 0.85

KEPT_M = 60.0
"""What must be left of a road on either side of a cut, to be seen heading for it."""

FAR_M = 5_000.0
ELSEWHERE = 0.3
"""How many of the roads far from borders are cut, too."""


def pairs(gaps: Sequence[Gap]) -> set[frozenset[str]]:
    """Give the pairs of roads that gaps lie between."""
    return {
        frozenset((a.road.id, b.road.id)) for gap in gaps for a, b in ((gap.a, gap.b), *gap.twins)
    }


def delta() -> list[Area]:
    """Give the cities of the Delta as areas."""
    return [Area(one.id, one.id, one.boundary) for one in read_pack("yrd").cities]


@dataclass
class Cuts:
    """Real roads, crossings taken out of them, and cuts far from any border."""

    roads: list[RoadLine]
    crossings: list[str]
    elsewhere: list[str]


def cuts(roads: Sequence[RoadLine], areas: Sequence[Area], gap_m: float, seed: int) -> Cuts:
    """Take a piece out of each road that crosses one border once; and out of some far from one.

    The piece lies off the border by chance, as real dead ends do.
    """
    random = Random(seed)
    plane = Plane(32.0)
    borders = [plane.flatten(shapely.from_geojson(json.dumps(one.shape))).boundary for one in areas]
    tree = shapely.STRtree(borders)
    result = Cuts([], [], [])
    for one in roads:
        line = plane.flatten(shapely.LineString(one.path))
        crossed = shapely.get_coordinates(
            [shapely.intersection(line, borders[n]) for n in tree.query(line, "intersects")]
        )
        places = {round(line.project(shapely.Point(point)), 1) for point in crossed}
        at = None
        if len(places) == 1:
            at = places.pop() + random.uniform(-0.4, 0.4) * gap_m
            kept = result.crossings
        elif (
            line.length > 3 * gap_m
            and not len(tree.query(line, "dwithin", FAR_M))
            and random.random() < ELSEWHERE
        ):
            at, kept = line.length / 2, result.elsewhere
        if at is None or not KEPT_M + gap_m / 2 < at < line.length - KEPT_M - gap_m / 2:
            result.roads.append(one)
            continue
        kept.append(one.id)
        parts = substring(line, 0, at - gap_m / 2), substring(line, at + gap_m / 2, line.length)
        for side, part in zip("ab", parts, strict=True):
            points = shapely.get_coordinates(plane.unflatten(part))
            path = tuple((float(x), float(y)) for x, y in points)
            result.roads.append(replace(one, id=f"{one.id}:{side}", path=path))
    return result


@dataclass(frozen=True)
class Found:
    """How well the crossings of one draw were found again.

    `precision` leaves out what was found before anything was taken out, `precision_of_all` counts
    it as wrong; `decoys` are the cuts far from any border that were taken for a gap.
    """

    crossings: int
    elsewhere: int
    recall: float
    precision: float
    precision_of_all: float
    decoys: int


def judged(roads: list[RoadLine], areas: list[Area], gap_m: float, seed: int) -> Found:
    """Take crossings out of roads, look for dead ends, and judge what is found."""
    before = pairs(find_gaps(roads, areas))
    taken = cuts(roads, areas, gap_m, seed)
    after = pairs(find_gaps(taken.roads, areas))
    meant = {frozenset((f"{one}:a", f"{one}:b")) for one in taken.crossings}
    decoys = {frozenset((f"{one}:a", f"{one}:b")) for one in taken.elsewhere}
    right = len(meant & after)
    return Found(
        crossings=len(taken.crossings),
        elsewhere=len(taken.elsewhere),
        recall=right / len(meant),
        precision=right / len(after - before),
        precision_of_all=right / len(after),
        decoys=len(decoys & after),
    )


def main() -> int:
    """Print the table; 1 when a bound was missed."""
    if not ROADS.exists():
        print(f"no {ROADS}: the road network isn't here")
        return 0
    roads, areas = read_roads(ROADS), delta()
    heads = ("crossings", "recall", "precision", "of all", "decoys")
    print(f"{'taken out':>10}" + "".join(f"{one:>11}" for one in heads))
    held = True
    for gap_m in GAPS_M:
        draws = [judged(roads, areas, gap_m, seed) for seed in SEEDS]
        recall, precision = fmean(x.recall for x in draws), fmean(x.precision for x in draws)
        crossings, decoys = fmean(x.crossings for x in draws), sum(x.decoys for x in draws)
        of_all = fmean(x.precision_of_all for x in draws)
        figures = f"{recall:11.3f}{precision:11.3f}{of_all:11.2f}{decoys:11}"
        print(f"{gap_m:8.0f} m{crossings:11.0f}{figures}")
        held &= recall >= RECALL_MIN and precision >= PRECISION_MIN and not decoys
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
