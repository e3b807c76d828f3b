"""What a layer of a tile holds, on every engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conurb.access.caller import LOCAL
from conurb.model.entity import Entity
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    GeoCondition,
    Query,
    Restriction,
    Selector,
    TypeIs,
)
from conurb.model.render.flat import FlatView
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import CELL, CELLS, POINTS_MAX, SHAPES_MAX, draw_entities
from conurb.model.tiles.quad import Square, square
from conurb.model.vocabulary import platform_terms
from conurb.node.tiles import Tiles, on_tile
from conurb.store.contract import Store
from tests.contracts.conftest import ManualClock
from tests.contracts.tiles import Feature, area, read_tile

TERMS = platform_terms()
LOCATION = TERMS.expand("location")
PARK = TERMS.expand("OffStreetParking")
ASK = TileAsk(
    "parks",
    square(5, 26, 13),
    Query((Selector(types=TypeIs(PARK)),)),
    LOCATION,
    FlatView(geometry=LOCATION, lang="zh"),
)
"""Level 5, the Delta and more: 112.5 to 123.75 east, 21.9 to 31.95 north."""

SHOWN = frozenset({"name", "availableSpotNumber", "refDevice", "status", "co2", "pm25@b", "levels"})


def park(
    local: str, geometry: Any, /, *, scope: tuple[str, ...] = (), **attrs: list[dict[str, Any]]
) -> Entity:
    location = [{"type": "GeoProperty", "value": geometry}]
    found = {TERMS.expand(key): value for key, value in attrs.items()}
    return Entity(
        f"urn:ngsi-ld:OffStreetParking:{local}", (PARK,), {LOCATION: location, **found}, scope=scope
    )


def point(longitude: float, latitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def value(one: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "Property", "value": one, **more}]


VARIED = [
    park("plain", point(120.0, 30.0), availableSpotNumber=value(12), levels=value(2.5)),
    park("flag", point(121.0, 31.0), status=value(True), availableSpotNumber=value(-7)),
    park(
        "named",
        point(121.5, 31.2),
        name=[{"type": "LanguageProperty", "languageMap": {"en": "Bund", "zh-CN": "外滩"}}],
        refDevice=[{"type": "Relationship", "object": "urn:ngsi-ld:Device:1"}],
    ),
    park(
        "sources",
        point(122.0, 30.5),
        co2=value(1)
        + value(2, datasetId="urn:ngsi-ld:dataset:edgar-v8:prefecture")
        + value(3, datasetId="urn:else:4"),
        pm25=value(8, datasetId="urn:ngsi-ld:dataset:a")
        + value(9, datasetId="urn:ngsi-ld:dataset:b"),
    ),
    park(
        "alone",
        point(118.0, 30.5),
        co2=value(5, datasetId="urn:ngsi-ld:dataset:ceads"),
        status=[{"type": "VocabProperty", "vocab": TERMS.expand("open")}],
        name=value({"@type": "Date", "@value": "2026-01-31"}),
        levels=value([1, 2]),
    ),
    park("words", point(117.0, 30.5), name=value("long " * 80), status=value(None)),
    park("square", box(119.0, 29.0, 120.0, 30.0), availableSpotNumber=value(3)),
    park("far", point(-70.0, 10.0)),
]


async def fill(store: Store, entities: list[Entity]) -> None:
    for start in range(0, len(entities), 500):
        await store.apply_all([UpsertEntity(one) for one in entities[start : start + 500]])


async def drawn(store: Store, ask: TileAsk) -> dict[str, Feature]:
    layer = await store.tile(ask)
    features = read_tile(layer.data).get(ask.name, [])
    found = {str(one.properties.get("id", one.number)): one for one in features}
    assert len(found) == len(features)
    return found


async def expected(store: Store, ask: TileAsk) -> dict[str, Feature]:
    """Draw the same from the objects themselves, as they are drawn where no engine helps."""
    page = await store.query(replace(ask.query, limit=10_000))
    features = read_tile(draw_entities(ask, page.entities).data).get(ask.name, [])
    return {str(one.properties.get("id", one.number)): one for one in features}


@pytest.mark.parametrize("names", [None, SHOWN, frozenset({"availableSpotNumber"})])
@pytest.mark.parametrize("lang", ["zh", "fr", "zh-CN;q=0.5,en"])
async def test_properties_are_those_of_the_flat_row(
    store: Store, names: frozenset[str] | None, lang: str
) -> None:
    await fill(store, VARIED)
    ask = replace(ASK, view=replace(ASK.view, names=names, lang=lang))
    found, wanted = await drawn(store, ask), await expected(store, ask)
    assert found.keys() == wanted.keys()
    assert len(found) == len(VARIED) - 1
    for key, feature in wanted.items():
        assert found[key].properties == feature.properties


async def test_points_lie_where_they_are(store: Store) -> None:
    await fill(store, VARIED)
    found, wanted = await drawn(store, ASK), await expected(store, ASK)
    for key, feature in wanted.items():
        assert found[key].kind == feature.kind
        [[(x, y), *_], *_] = found[key].parts
        if feature.kind == 1:
            assert abs(x - feature.parts[0][0][0]) <= 1
            assert abs(y - feature.parts[0][0][1]) <= 1


async def test_an_area_is_closed_and_turns_as_an_outer_ring(store: Store) -> None:
    await fill(store, VARIED)
    feature = (await drawn(store, ASK))["urn:ngsi-ld:OffStreetParking:square"]
    [ring] = feature.parts
    west, east = (round((one - 112.5) / 11.25 * 4096) for one in (119.0, 120.0))
    assert {x for x, _ in ring} == {west, east}
    assert area(ring) == pytest.approx((east - west) ** 2 / 0.87, rel=0.05)


async def test_what_is_not_on_the_tile_is_not_drawn(store: Store) -> None:
    await fill(store, VARIED)
    assert "urn:ngsi-ld:OffStreetParking:far" not in await drawn(store, ASK)
    assert await drawn(store, replace(ASK, square=square(5, 0, 0))) == {}


async def test_a_shape_is_cut_at_the_buffer_around_the_tile(store: Store) -> None:
    await fill(store, [park("wide", box(100.0, 25.0, 140.0, 28.0))])
    feature = (await drawn(store, ASK))["urn:ngsi-ld:OffStreetParking:wide"]
    assert {x for x, _ in feature.parts[0]} == {-64, 4096 + 64}


async def test_what_the_caller_may_not_see_is_not_drawn(store: Store) -> None:
    await fill(
        store,
        [
            park("seen", point(120.0, 30.0), scope=("/yrd/wuxi",)),
            park("hidden", point(120.1, 30.0), scope=("/yrd/huzhou",)),
        ],
    )
    seen = replace(ASK.query, restriction=Restriction(scopes=("/yrd/wuxi",)))
    assert list(await drawn(store, replace(ASK, query=seen))) == [
        "urn:ngsi-ld:OffStreetParking:seen"
    ]
    nothing = replace(ASK.query, restriction=Restriction(types=("https://example.org/Else",)))
    assert await drawn(store, replace(ASK, query=nothing)) == {}


async def test_the_query_selects(store: Store) -> None:
    await fill(store, VARIED)
    spots = Compare(AttributePath((TERMS.expand("availableSpotNumber"),)), ">", 2)
    around = "POLYGON ((119.5 29, 121 29, 121 31, 119.5 31, 119.5 29))"
    near = GeoCondition(LOCATION, "within", around)
    many = await drawn(store, replace(ASK, query=replace(ASK.query, condition=spots)))
    assert {one.rpartition(":")[2] for one in many} == {"plain", "square"}
    few = await drawn(store, replace(ASK, query=replace(ASK.query, condition=spots, geo=near)))
    assert {one.rpartition(":")[2] for one in few} == {"plain"}


async def test_what_was_deleted_or_has_expired_is_not_drawn(
    store: Store, clock: ManualClock
) -> None:
    await fill(store, [park("a", point(120.0, 30.0)), park("b", point(120.5, 30.0))])
    await store.apply_all([DeleteEntity("urn:ngsi-ld:OffStreetParking:a")])
    brief = replace(park("c", point(121.0, 30.0)), expires_at=clock.now_us + 1_000_000)
    await fill(store, [brief])
    assert len(await drawn(store, ASK)) == 2
    clock.advance(2.0)
    assert list(await drawn(store, ASK)) == ["urn:ngsi-ld:OffStreetParking:b"]
    assert list(await drawn(store, replace(ASK, thin=True))) == ["urn:ngsi-ld:OffStreetParking:b"]


async def test_the_first_geometry_is_drawn_or_the_one_that_is_named(store: Store) -> None:
    two = park("two", box(119.0, 29.0, 120.0, 30.0))
    centre = {"type": "GeoProperty", "value": point(119.5, 29.5), "datasetId": "urn:centre"}
    two.attrs[LOCATION].append(centre)
    await fill(store, [two])
    assert [one.kind for one in (await drawn(store, ASK)).values()] == [3]
    named = replace(ASK, dataset="urn:centre")
    assert [one.kind for one in (await drawn(store, named)).values()] == [1]
    # The tile on which only the second one lies has nothing of the first.
    assert await drawn(store, replace(ASK, square=_of(5, 114.0, 25.0))) == await drawn(store, ASK)


def _of(z: int, longitude: float, latitude: float) -> Square:
    from conurb.model.tiles.quad import mercator

    x, y = mercator(longitude, latitude)
    return square(z, int(x * 2**z), int(y * 2**z))


async def test_many_points_become_one_per_cell_and_none_is_lost(store: Store) -> None:
    count = POINTS_MAX + 50
    parks = [
        park(str(n), point(113.0 + n % 50 * 0.01, 23.0 + n // 50 * 0.01)) for n in range(count)
    ]
    await fill(store, [*parks, park("lonely", point(122.0, 30.0), levels=value(3))])
    layer = await store.tile(ASK)
    features = read_tile(layer.data)["parks"]
    assert len(features) < CELLS * CELLS
    assert layer.points == 0
    assert sum(one.properties.get("point_count", 1) for one in features) == count + 1
    [lonely] = [one for one in features if "point_count" not in one.properties]
    assert lonely.properties == {"id": "urn:ngsi-ld:OffStreetParking:lonely", "levels": 3}
    for one in features:
        [[(x, y)]] = one.parts
        if one.number is not None:
            assert one.number - 1 == y // CELL * CELLS + x // CELL
    # Deeper, the same points are few on a tile, and each is there.
    deep = await store.tile(replace(ASK, square=_of(13, 113.0, 23.0)))
    assert deep.points > 0
    assert all("id" in one.properties for one in read_tile(deep.data)["parks"])


async def test_too_many_shapes_are_counted_and_the_largest_drawn(store: Store) -> None:
    side = 0.005
    shapes = [
        park(str(n), box(114.0 + n % 100 * 0.05, 23.0 + n // 100 * 0.05, *_far(n, side)))
        for n in range(SHAPES_MAX + 20)
    ]
    large = park("large", box(115.0, 24.0, 118.0, 27.0))
    await fill(store, [*shapes, large])
    layer = await store.tile(ASK)
    assert layer.left_out == 21
    assert f"{large.id}" in {one.properties["id"] for one in read_tile(layer.data)["parks"]}


def _far(n: int, side: float) -> tuple[float, float]:
    return 114.0 + n % 100 * 0.05 + side, 23.0 + n // 100 * 0.05 + side


async def test_places_of_the_past_are_those_of_the_objects_then(
    store: Store, clock: ManualClock
) -> None:
    two = park("two", box(119.0, 29.0, 120.0, 30.0))
    centre = {"type": "GeoProperty", "value": point(119.5, 29.5), "datasetId": "urn:centre"}
    two.attrs[LOCATION].append(centre)
    await fill(store, [two, park("moves", point(120.0, 30.0)), park("none", point(-70.0, 10.0))])
    await fill(store, [replace(park("b", point(121.0, 30.0)), types=("urn:other",))])
    clock.advance(60)
    then = clock()
    clock.advance(60)
    await fill(store, [park("moves", point(122.0, 31.0)), park("late", point(120.0, 30.0))])
    await store.apply_all([DeleteEntity(two.id)])
    clock.advance(60)

    async def found(at_us: int, **more: Any) -> dict[str, Any]:
        query = replace(on_tile(ASK), limit=more.pop("limit", 10))
        asked = {"dataset": None, **more}
        places = await store.places(query, LOCATION, at_us=at_us, **asked)
        return {one.rpartition(":")[2]: geometry["type"] for one, geometry in places}

    assert await found(then) == {"moves": "Point", "two": "Polygon"}
    assert await found(clock()) == {"moves": "Point", "late": "Point"}
    assert await found(then, dataset="urn:centre") == {"two": "Point"}
    assert await found(then, limit=1) == {"moves": "Point"}
    query = replace(ASK.query, limit=10)
    assert await store.places(query, "urn:nothing", dataset=None, at_us=then) == []
    [moved] = [
        one
        for one in await store.places(query, LOCATION, dataset=None, at_us=clock())
        if one[0].endswith("moves")
    ]
    assert moved[1]["coordinates"] == [122.0, 31.0]


async def test_a_tile_of_the_past_thins_its_points_and_loses_none(
    store: Store, clock: ManualClock
) -> None:
    count = POINTS_MAX + 30
    parks = [
        park(str(n), point(113.0 + n % 50 * 0.01, 23.0 + n // 50 * 0.01)) for n in range(count)
    ]
    lonely = park("lonely", point(122.0, 30.0), levels=value(3))
    shape = park("shape", box(119.0, 29.0, 120.0, 30.0), levels=value(4))
    await fill(store, [*parks, lonely, shape])
    clock.advance(60)
    then = clock()
    clock.advance(60)
    for one in (*parks[:100], lonely):
        await store.apply_all([DeleteEntity(one.id)])
    layer = (await Tiles(store).draw(LOCAL, ASK, at_us=then)).layer
    features = read_tile(layer.data)["parks"]
    assert sum(one.properties.get("point_count", 1) for one in features) == count + 2
    said = {one.properties["id"]: one.properties for one in features if "id" in one.properties}
    assert {said[one.id]["levels"] for one in (lonely, shape)} == {3, 4}
    assert (layer.points, layer.left_out) == (0, 0)


async def test_what_of_the_past_is_too_much_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    monkeypatch.setattr("conurb.node.tiles.PAST_MAX", 3)
    await fill(store, [park(str(n), point(120.0 + n / 10, 30.0)) for n in range(5)])
    clock.advance(60)
    layer = (await Tiles(store).draw(LOCAL, ASK, at_us=clock())).layer
    assert (len(read_tile(layer.data)["parks"]), layer.left_out) == (3, 2)


async def test_a_layer_goes_on_being_drawn_right_whatever_is_written(store: Store) -> None:
    names = frozenset({"availableSpotNumber", "levels"})
    ask = replace(ASK, view=replace(ASK.view, names=names))

    async def said(local: str) -> dict[str, Any]:
        found = (await drawn(store, ask))[f"urn:ngsi-ld:OffStreetParking:{local}"].properties
        return {key: one for key, one in found.items() if key != "id"}

    assert await drawn(store, ask) == {}
    await fill(store, [park("a", point(120.0, 30.0), availableSpotNumber=value(1))])
    assert await said("a") == {"availableSpotNumber": 1}
    # An attribute that nothing had before, and then values that aren't plain.
    await fill(store, [park("b", point(120.5, 30.0), levels=value(True))])
    assert await said("b") == {"levels": True}
    source = {"datasetId": "urn:ngsi-ld:dataset:c"}
    await fill(store, [park("c", point(121.0, 30.0), levels=value(2) + value(3, **source))])
    assert await said("c") == {"levels": 2, "levels@c": 3}
    assert await said("a") == {"availableSpotNumber": 1}
    crowd = [park(f"n{n}", point(113.0 + n * 0.0001, 23.0)) for n in range(POINTS_MAX + 1)]
    await fill(store, crowd)
    assert (await store.tile(ask)).points == 0
    assert await said("a") == {"availableSpotNumber": 1}  # alone in its cell
    await store.apply_all([DeleteEntity(one.id) for one in crowd[2:]])
    assert (await store.tile(ask)).points == 5
    assert await said("n1") == {}
