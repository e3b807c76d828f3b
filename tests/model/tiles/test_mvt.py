"""Tiles on their way to bytes: read back by a reader of their own (tests/contracts/tiles)."""

from __future__ import annotations

import random

import pytest
import shapely

from conurb.errors import NotFoundError
from conurb.model.tiles.draw import draw_shapes, point_commands
from conurb.model.tiles.mvt import LINE, POINT, POLYGON, LayerWriter, Merging, merge_layers
from conurb.model.tiles.quad import Square, mercator, square
from tests.contracts.tiles import area, read_tile


def layer(name: str, *rows: dict[str, str | int | float | bool]) -> bytes:
    writer = LayerWriter(name)
    for number, row in enumerate(rows):
        writer.add(POINT, point_commands(number, -number), row)
    return writer.layer()


def test_values_of_every_kind_come_back() -> None:
    row = {"t": "太湖", "i": 5, "n": -(2**40), "f": 2.5, "y": True, "no": False, "one": 1}
    [feature] = read_tile(layer("a", row))["a"]
    assert feature.properties == row
    assert [type(one) for one in feature.properties.values()] == [type(v) for v in row.values()]


def test_an_empty_layer_is_no_layer() -> None:
    assert layer("a") == b""
    assert merge_layers("a", [b"", b""]) == b""


def test_merged_layers_keep_every_feature_with_its_properties() -> None:
    one = layer("a", {"id": "1", "x": 1}, {"id": "2", "y": "z"})
    two = layer("b", {"y": "z", "id": "3"}, {"x": 1.5, "id": "4"})
    merged = read_tile(merge_layers("both", [one, b"", two]))
    assert list(merged) == ["both"]
    assert [f.properties for f in merged["both"]] == [
        {"id": "1", "x": 1},
        {"id": "2", "y": "z"},
        {"y": "z", "id": "3"},
        {"x": 1.5, "id": "4"},
    ]
    assert [f.parts for f in merged["both"]] == [
        f.parts for tile in (one, two) for fs in read_tile(tile).values() for f in fs
    ]


def test_what_is_no_tile_is_refused_when_merging() -> None:
    with pytest.raises(ValueError, match="not a vector tile"):
        merge_layers("a", [b"\x1a\xff"])


def test_points_of_one_cell_become_one_when_layers_are_merged() -> None:
    def cells(count: int, x: int) -> bytes:
        writer = LayerWriter("a")
        writer.add(POINT, point_commands(x, 10), {"point_count": count}, number=7)
        writer.add(POINT, point_commands(500, 500), {"id": f"{count}"})
        return writer.layer()

    features = read_tile(merge_layers("a", [cells(30, 10), cells(10, 50)]))["a"]
    [crowd] = [one for one in features if one.number == 7]
    assert crowd.properties == {"point_count": 40}
    assert crowd.parts == [[(20, 10)]]
    assert len(features) == 3


def test_there_are_no_squares_beyond_the_world() -> None:
    for z, x, y in ((0, 1, 0), (3, 0, 8), (-1, 0, 0), (23, 0, 0)):
        with pytest.raises(NotFoundError):
            square(z, x, y)


def test_bounds_meet_at_the_edges_and_hold_what_is_drawn() -> None:
    chance = random.Random(4)
    for _ in range(200):
        longitude, latitude = chance.uniform(-180, 180), chance.uniform(-85, 85)
        z = chance.randrange(20)
        x, y = (int(one * 2**z) for one in mercator(longitude, latitude))
        west, south, east, north = Square(z, x, y).bounds()
        assert west <= longitude <= east
        assert south - 1e-9 <= latitude <= north + 1e-9


def test_shapes_are_cut_closed_and_turned() -> None:
    place = square(6, 53, 26)
    west, south, east, north = place.bounds()
    middle = (west + east) / 2, (south + north) / 2
    ring = shapely.Point(*middle).buffer((east - west) / 4)
    hole = shapely.Point(*middle).buffer((east - west) / 8)
    shapes = [
        ring.difference(hole),
        shapely.LineString([(west - 9, middle[1]), (east + 9, middle[1])]),
        shapely.MultiPoint([middle, (west - 20, south)]),
        shapely.Point(west - 50, south),
        shapely.box(*middle, middle[0] + 1e-9, middle[1] + 1e-9),
    ]
    drawn = draw_shapes(place, shapes)
    assert [one and one[0] for one in drawn] == [POLYGON, LINE, POINT, None, None]
    writer = LayerWriter("a")
    for one in drawn[:3]:
        assert one is not None
        writer.add(one[0], one[1], {})
    polygon, line, point = read_tile(writer.layer())["a"]
    outer, inner = polygon.parts
    assert area(outer) > 0 > area(inner)
    assert [x for x, _ in line.parts[0]] == [-64, 4096 + 64]
    assert len(point.parts) == 1


def test_neighbours_share_their_border_on_the_grid() -> None:
    place = square(6, 53, 26)
    west, south, east, north = place.bounds()
    border = [
        (west + (east - west) * (0.5 + 0.01 * (n % 3)), south + (north - south) * n / 50)
        for n in range(51)
    ]
    left = shapely.Polygon([*border, (west, north), (west, south)])
    right = shapely.Polygon([*border, (east, north), (east, south)])
    drawn = draw_shapes(place, [left, right])
    writer = LayerWriter("a")
    for one in drawn:
        assert one is not None
        writer.add(one[0], one[1], {})
    areas = [sum(map(area, one.parts)) for one in read_tile(writer.layer())["a"]]
    assert sum(areas) == pytest.approx(4096 * 4096, rel=0.001)


def test_an_object_of_several_tiles_is_taken_once_and_told() -> None:
    def tile(*ids: str) -> bytes:
        writer = LayerWriter("a")
        for one in ids:
            writer.add(POINT, point_commands(1, 2), {"n": len(ids), "id": one})
        return writer.layer()

    merging = Merging(without={"z"})
    for one in (tile("x", "y"), tile("n"), tile("y", "z", "w")):
        merging.take(one)
    features = read_tile(merging.layer("a"))["a"]
    found = [(one.properties["id"], one.properties["n"]) for one in features]
    assert found == [("x", 2), ("y", 2), ("n", 1), ("w", 3)]
    assert (merging.repeated, merging.dropped) == ({"y"}, 2)
