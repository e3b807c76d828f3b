"""Dead-end roads: found by hand, on a grid, and where crossings were taken out of real roads.

The real network is one province's motorway bridges (OpenStreetMap). Crossings of the borders
between 41 cities are taken out of it, and have to be found again; cuts elsewhere must not be.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from bench.bench_systems_deadends import delta, judged, pairs
from conurb.systems.transport.deadends.find import Rules, find_gaps
from conurb.systems.transport.deadends.objects import gap_object, row_of
from conurb.systems.transport.deadends.roads import Area, RoadLine, lines_of, read_roads
from conurb.systems.transport.deadends.score import DETOUR_M_MAX, score_gaps
from conurb.systems.transport.measure import M_PER_DEGREE, distance_m
from conurb.systems.transport.objects import Maker, value_of
from tests.systems.transport.material import ROADS, needs_data


def area(name: str, west: float, east: float, people: float | None = None) -> Area:
    ring = [[west, 30.0], [east, 30.0], [east, 32.0], [west, 32.0], [west, 30.0]]
    return Area(name, name.title(), {"type": "Polygon", "coordinates": [ring]}, people)


WEST, EAST = area("west", 120.0, 121.0, 1_000_000), area("east", 121.0, 122.0, 2_000_000)


def road(name: str, *path: tuple[float, float], **about: object) -> RoadLine:
    return RoadLine(name, path, **about)  # type: ignore[arg-type]


LEFT = road("l", (120.9, 31.0), (120.995, 31.0), ref="S1")
RIGHT = road("r", (121.005, 31.0), (121.1, 31.0), ref="S1")


def test_two_ends_that_face_each_other_across_a_border_are_a_gap() -> None:
    [gap] = find_gaps([LEFT, RIGHT], [WEST, EAST])
    assert pairs([gap]) == {frozenset("lr")}
    assert {gap.a.area, gap.b.area} == {"west", "east"}
    assert gap.length_m == pytest.approx(distance_m(120.995, 31.0, 121.005, 31.0), rel=1e-3)
    assert gap.middle == pytest.approx((121.0, 31.0))


BOTH_WEST = (
    replace(LEFT, path=((120.8, 31.0), (120.98, 31.0))),
    replace(RIGHT, path=((120.985, 31.0), (120.99, 31.0))),
)
BOTH_OUT = (replace(LEFT, oneway=True), replace(RIGHT, path=RIGHT.path[::-1], oneway=True))


@pytest.mark.parametrize(
    ("why", "roads"),
    [
        ("they lie in one area", BOTH_WEST),
        ("they are too far apart", (LEFT, replace(RIGHT, path=((121.03, 31.0), (121.1, 31.0))))),
        ("one turns away", (LEFT, replace(RIGHT, path=((121.005, 31.0), (121.005, 31.1))))),
        ("they run side by side", (LEFT, replace(RIGHT, path=((121.005, 31.01), (121.1, 31.01))))),
        ("another road joins them", (LEFT, RIGHT, road("x", (120.995, 31.0), (121.005, 31.0)))),
        ("a road leaves the end", (LEFT, RIGHT, road("x", (120.995, 31.0), (120.99, 31.05)))),
        ("both lead to the border", BOTH_OUT),
    ],
)
def test_ends_are_no_gap_when(why: str, roads: tuple[RoadLine, ...]) -> None:
    assert find_gaps(roads, [WEST, EAST]) == [], why


def test_each_end_is_paired_once_and_with_the_best() -> None:
    other = replace(RIGHT, id="o", ref="S9", path=((121.005, 31.0005), (121.1, 31.0005)))
    assert pairs(find_gaps([LEFT, other, RIGHT], [WEST, EAST])) == {frozenset("lr")}


def test_two_carriageways_are_one_gap() -> None:
    out = [replace(LEFT, oneway=True), replace(RIGHT, oneway=True)]
    back = [
        replace(one, id=f"{one.id}2", path=tuple((x, y + 0.0003) for x, y in one.path[::-1]))
        for one in out
    ]
    [gap] = find_gaps([*out, *back], [WEST, EAST])
    assert pairs([gap]) == {frozenset("lr"), frozenset(("l2", "r2"))}


def test_the_rules_say_how_far_and_how_straight() -> None:
    bent = replace(RIGHT, path=((121.005, 31.0), (121.05, 31.02)))
    assert find_gaps([LEFT, bent], [WEST, EAST])
    assert find_gaps([LEFT, bent], [WEST, EAST], Rules(turn_deg=10)) == []
    assert find_gaps([LEFT, RIGHT], [WEST, EAST], Rules(gap_m=500)) == []
    assert find_gaps([LEFT, RIGHT], [WEST, EAST], Rules(border_m=100)) == []


def test_a_gap_is_scored_by_its_detour_and_the_people_around() -> None:
    round_ = [
        road("u", (120.9, 31.0), (120.9, 31.02)),
        road("v", (120.9, 31.02), (121.1, 31.02)),
        road("w", (121.1, 31.02), (121.1, 31.0)),
    ]
    roads = [LEFT, RIGHT, *round_]
    [scored] = score_gaps(find_gaps(roads, [WEST, EAST]), roads, [WEST, EAST])
    sides = 2 * 0.02 * M_PER_DEGREE + distance_m(120.9, 31.02, 121.1, 31.02)
    ends = distance_m(120.9, 31.0, 120.995, 31.0) * 2
    assert scored.detour_m == pytest.approx(sides + ends, rel=1e-6)
    # Half of a circle of 10 km on each side, at each area's density.
    half = 0.5 * 3.1416 * 10_000**2
    size = (M_PER_DEGREE * 2) * (M_PER_DEGREE * 0.857)
    assert scored.people == pytest.approx(half * 3_000_000 / size, rel=0.01)
    saved_km = (scored.detour_m - scored.gap.length_m) / 1000
    assert scored.score == pytest.approx(scored.people * saved_km / 1e6, abs=1e-3)
    [cut] = score_gaps(find_gaps([LEFT, RIGHT], [WEST, EAST]), [LEFT, RIGHT], [WEST, EAST])
    assert cut.detour_m is None
    assert cut.score > scored.score
    assert cut.score == pytest.approx(
        cut.people * (DETOUR_M_MAX - cut.gap.length_m) / 1e9, abs=1e-3
    )


def test_a_gap_as_an_object_says_what_it_joins_and_that_people_are_an_estimate() -> None:
    [scored] = score_gaps(find_gaps([LEFT, RIGHT], [WEST, EAST]), [LEFT, RIGHT], [WEST, EAST])
    names = {"west": "West", "east": "East"}
    entity = gap_object(scored, Maker("yrd", "test", "deadends"), names)
    assert entity.id == "urn:ngsi-ld:RoadGap:yrd:deadends:l~r"
    assert value_of(entity, "name") == "S1: West | East"
    assert sorted(value_of(entity, "connects")) == ["east", "west"]
    assert "evenly" in value_of(entity, "note")
    assert value_of(entity, "detourLength") is None
    assert row_of(scored, names)["gap_m"] == round(scored.gap.length_m)


def test_a_grid_that_is_cut_at_its_border_is_found_whole_and_nothing_else_is() -> None:
    random = Random(1)
    roads = []
    cut = set()
    for row in range(1, 40):
        y = 30.0 + row * 0.05
        span = [(120.0 + n * 0.05, y) for n in range(41)]
        if random.random() < 0.5:
            cut.add(row)
            roads += [
                road(f"{row}w", *span[:21][:-1], (120.996, y)),
                road(f"{row}e", (121.004, y), *span[21:]),
            ]
        else:
            roads.append(road(str(row), *span))
    found = find_gaps(roads, [WEST, EAST])
    assert pairs(found) == {frozenset((f"{row}w", f"{row}e")) for row in cut}


# ── real roads ────────────────────────────────────────────────────────────────────────────────


@needs_data
@pytest.mark.parametrize(
    ("gap_m", "crossings", "share"), [(50, 46, 0.97), (200, 40, 0.97), (600, 27, 0.9)]
)
def test_crossings_taken_out_of_real_roads_are_found_again(
    gap_m: float, crossings: int, share: float
) -> None:
    found = judged(read_roads(ROADS), delta(), gap_m, seed=7)
    assert found.crossings >= crossings
    assert found.elsewhere >= 25
    # Where carriageways aren't tagged as one-way, the end beside may be nearer than the one ahead.
    assert found.recall >= share
    assert found.precision >= share
    assert found.decoys == 0
    # The file has bridges alone: where it ends a road between two of them at a border, that is a
    # gap of the data, found before anything was taken out. Counted as wrong they leave this much.
    assert found.precision_of_all >= 0.55


def test_roads_are_read_from_geojson_with_their_tags() -> None:
    tags = {
        "@id": "way/1",
        "name": "宁合高速",
        "ref": "G40;G42",
        "highway": "motorway",
        "oneway": "yes",
    }
    shape = {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[2, 2], [3, 3, 9]]]}
    features = [
        {"properties": tags, "geometry": shape},
        {"properties": {}, "geometry": {"type": "Point", "coordinates": [0, 0]}},
        {"properties": None, "geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 0]]}},
    ]
    first, second, third = lines_of(features)
    assert (first.id, second.id, third.id) == ("way/1-0", "way/1-1", "2")
    assert first.oneway
    assert second.path == ((2, 2), (3, 3))
    assert not third.oneway
