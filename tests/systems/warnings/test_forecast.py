"""Arrival by wind and along rivers: against what can be worked out by hand, and real series.

Tolerances: parcels step 300 s and cells are 0.05 degrees (5.6 km), so an arrival by wind may be off
by a cell's way and a step; quantiles come from 7 speeds and 11 directions.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
import shapely
from shapely.ops import substring

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.geometry import EARTH_RADIUS_M, haversine_m
from conurb.systems.warnings.forecast.air import (
    CELL_DEGREES,
    SOURCE_KM,
    STEP_S,
    Grid,
    Wind,
    forecast,
    grid_of,
    wind_field,
)
from conurb.systems.warnings.forecast.rivers import Reach, RiverNode, delta_rivers, rivers_of
from conurb.systems.warnings.forecast.water import arrivals, travel
from conurb.systems.warnings.quality.air import air_quality
from conurb.systems.warnings.replay import (
    ORIGIN,
    WIND_FROM_DEG,
    WIND_M_S,
    episode_pm25,
)

from .sources import delta, read_data

KM_PER_DEGREE = EARTH_RADIUS_M * math.pi / 180.0 / 1000.0
CELL_KM = CELL_DEGREES * KM_PER_DEGREE


def square(lon: float, half: float) -> object:
    return shapely.box(lon - half, -half, lon + half, half)


def on_the_equator() -> Grid:
    """Make a source at 0 and three cities: 1 and 2 degrees east of it, and one to the west."""
    places = {"source": 0.0, "near": 1.0, "far": 2.0, "west": -1.0}
    return Grid(
        {name: square(lon, 0.25) for name, lon in places.items()},
        {name: (lon, 0.0) for name, lon in places.items()},
    )


def westerly(speed: float) -> object:
    return wind_field([Wind(0.0, 0.0, speed, 270.0)])


# ── air ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("speed", [2.0, 5.0, 12.0])
def test_in_a_wind_known_exactly_air_arrives_after_distance_over_speed(speed: float) -> None:
    found = forecast(
        ["source"],
        westerly(speed),  # type: ignore[arg-type]
        on_the_equator(),
        direction_sd_deg=0.0,
        speed_sd=0.0,
        horizon_h=60,
    )
    assert [one.city for one in found] == ["near", "far"]
    for one, degrees in zip(found, (1.0, 2.0), strict=True):
        way_km = (degrees - 0.25) * KM_PER_DEGREE - SOURCE_KM
        exact_s = way_km * 1000.0 / speed
        assert one.expected_s == pytest.approx(exact_s, abs=2 * CELL_KM * 1000 / speed + STEP_S)
        assert one.earliest_s == one.latest_s == one.expected_s
        assert one.probability == 1.0


def test_an_unsure_speed_spreads_the_arrival_as_its_distribution_does() -> None:
    # Quantiles of a log-normal speed: 10 % and 90 % lie a factor exp(1.2816 sd) from the median.
    sd = 0.33
    found = forecast(
        ["source"],
        westerly(3.0),  # type: ignore[arg-type]
        on_the_equator(),
        direction_sd_deg=0.0,
        speed_sd=sd,
    )
    far = next(one for one in found if one.city == "far")
    factor = math.exp(1.2816 * sd)
    assert far.expected_s / far.earliest_s == pytest.approx(factor, rel=0.12)
    assert far.latest_s / far.expected_s == pytest.approx(factor, rel=0.12)


def test_an_unsure_direction_reaches_a_city_as_often_as_its_angle_says() -> None:
    # The city is 1.75 degrees away and, with the source's breadth, 0.25 degrees + 20 km to a side.
    sd = 15.0
    found = forecast(
        ["source"],
        westerly(6.0),  # type: ignore[arg-type]
        on_the_equator(),
        direction_sd_deg=sd,
        speed_sd=0.0,
    )
    far = next(one for one in found if one.city == "far")
    half = math.degrees(math.atan((0.25 + SOURCE_KM / KM_PER_DEGREE) / 1.75))
    exact = math.erf(half / sd / math.sqrt(2.0))
    assert far.probability == pytest.approx(exact, abs=0.12)


def test_air_goes_where_the_wind_blows_to_and_stays_in_a_calm() -> None:
    grid = on_the_equator()
    easterly = wind_field([Wind(0.0, 0.0, 5.0, 90.0)])
    assert [one.city for one in forecast(["source"], easterly, grid, direction_sd_deg=5.0)] == [
        "west"
    ]
    assert forecast(["source"], westerly(0.2), grid) == ()  # type: ignore[arg-type]


def test_winds_count_the_more_the_nearer_they_are() -> None:
    field = wind_field([Wind(0.0, 0.0, 5.0, 270.0), Wind(4.0, 0.0, 5.0, 180.0)])
    u, v = field(np.array([0.01, 2.0, 3.99]), np.zeros(3), 0.0)
    assert u[0] == pytest.approx(5.0, abs=0.01)
    assert (u[1], v[1]) == (pytest.approx(2.5, abs=1e-6), pytest.approx(2.5, abs=1e-6))
    assert v[2] == pytest.approx(5.0, abs=0.01)


def test_what_is_no_city_or_no_wind_is_refused() -> None:
    with pytest.raises(BadRequestDataError, match="atlantis"):
        forecast(["atlantis"], westerly(5.0), on_the_equator())  # type: ignore[arg-type]
    with pytest.raises(BadRequestDataError, match="needs a wind"):
        wind_field([])
    with pytest.raises(BadRequestDataError, match="horizon"):
        forecast(["source"], westerly(5.0), on_the_equator(), horizon_h=1000)  # type: ignore[arg-type]


def test_the_simulated_episode_comes_when_it_was_forecast() -> None:
    # Not a test of the air: the episode moves by the same wind. It holds forecast, grid and
    # episode together in place and time: within the range of the forecast, one hour around it.
    cities = delta()
    field = wind_field([Wind(118.8, 32.0, WIND_M_S, WIND_FROM_DEG)])
    told = {one.city: one for one in forecast([ORIGIN], field, grid_of(cities))}
    for city in ("changzhou", "wuxi", "suzhou-jiangsu", "shanghai"):
        came_h = next(h / 4 for h in range(80) if _polluted(city, h / 4))
        low_h, high_h = told[city].earliest_s / 3600 - 1.0, told[city].latest_s / 3600 + 1.0
        assert low_h <= came_h <= high_h, (city, came_h, told[city])


def _polluted(city: str, hours: float) -> bool:
    quality = air_quality({"pm25": episode_pm25(delta(), city, hours)})
    return quality is not None and quality.index >= 151


def test_real_air_in_shanghai_turns_as_the_forecast_has_it() -> None:
    # Six years of hourly PM2.5 and wind. When the wind turns to a sector and stays there for eight
    # hours, PM2.5 rises on average exactly where the forecast brings air from cities of the Delta.
    rows = list(
        csv.DictReader(read_data("air/ShanghaiPM20100101_20151231.csv").decode().splitlines())
    )
    change = _changes(rows, hours=8)
    grid, upwind = grid_of(delta()), {"NW": 315.0, "SW": 225.0, "NE": 45.0, "SE": 135.0}
    neighbours = ["suzhou-jiangsu", "wuxi", "jiaxing", "nanjing", "changzhou"]
    for sector, from_deg in upwind.items():
        field = wind_field([Wind(121.47, 31.23, 4.0, from_deg)])
        told = [
            one
            for source in neighbours
            for one in forecast([source], field, grid, horizon_h=24.0)
            if one.city == "shanghai" and one.probability >= 0.3
        ]
        assert len(change[sector]) >= 100
        rise = float(np.mean(change[sector]))
        assert (rise > 5.0) == bool(told), (sector, rise, told)
        assert (rise < -5.0) == (not told), (sector, rise, told)


def _changes(rows: list[dict[str, str]], *, hours: int) -> dict[str, list[float]]:
    """Give by how much PM2.5 changed in the hours after the wind turned to a sector and stayed."""
    sectors = [row["cbwd"] for row in rows]
    pm25 = [_mean(row) for row in rows]
    found: dict[str, list[float]] = defaultdict(list)
    for i in range(1, len(rows) - hours):
        stays = sectors[i] != sectors[i - 1] and set(sectors[i : i + hours]) == {sectors[i]}
        before, after = pm25[i], pm25[i + hours]
        if stays and before is not None and after is not None:
            found[sectors[i]].append(after - before)
    return found


def _mean(row: dict[str, str]) -> float | None:
    values = [
        float(row[one]) for one in ("PM_Jingan", "PM_US Post", "PM_Xuhui") if row[one] != "NA"
    ]
    return sum(values) / len(values) if values else None


# ── water ─────────────────────────────────────────────────────────────────────────────────────


def a_river() -> object:
    """Make a river a - b - d with an arm a - c - d that is longer but faster."""
    nodes = [RiverNode(one, {}, 0.0, 0.0, one.upper()) for one in "abcd"]
    return rivers_of(
        nodes,
        [
            Reach("a", "b", "r", 3_600.0, 0.5, 1.0, 2.0),
            Reach("b", "d", "r", 7_200.0, 0.5, 1.0, 2.0),
            Reach("a", "c", "r", 10_000.0, 1.0, 5.0, 10.0),
            Reach("c", "d", "r", 10_000.0, 1.0, 5.0, 10.0),
        ],
    )


def test_travel_times_are_lengths_over_velocities_along_the_quickest_way() -> None:
    found = {one.node: one for one in travel(a_river(), "a")}  # type: ignore[arg-type]
    assert found["b"].expected_s == 3_600.0
    assert (found["b"].earliest_s, found["b"].latest_s) == (1_800.0, 7_200.0)
    assert found["d"].expected_s == 4_000.0
    assert found["d"].latest_s == 20_000.0
    assert found["d"].distance_m == 10_800.0


def test_nothing_goes_upstream() -> None:
    assert [one.node for one in travel(a_river(), "b")] == ["d"]  # type: ignore[arg-type]
    assert travel(a_river(), "d") == ()  # type: ignore[arg-type]


def test_a_place_that_the_graph_has_not_is_refused() -> None:
    with pytest.raises(NotFoundError, match="'x'"):
        travel(a_river(), "x")  # type: ignore[arg-type]
    with pytest.raises(BadRequestDataError, match="no place 'z'"):
        rivers_of([RiverNode("a", {}, 0, 0, "a")], [Reach("a", "z", "r", 1, 1, 1, 1)])
    with pytest.raises(BadRequestDataError, match="rising velocities"):
        rivers_of([RiverNode("a", {}, 0, 0, "a")], [Reach("a", "a", "r", 1, 2, 1, 1)])


def test_the_yangtze_passes_its_cities_in_their_order() -> None:
    told = arrivals(travel(delta_rivers(), "cj-anqing"), without="anqing")
    assert [one.city for one in told] == [
        "chizhou",
        "tongling",
        "wuhu",
        "maanshan",
        "nanjing",
        "yangzhou",
        "zhenjiang",
        "taizhou-jiangsu",
        "changzhou",
        "wuxi",
        "suzhou-jiangsu",
        "nantong",
        "shanghai",
    ]
    for one in told:
        assert one.earliest_s < one.expected_s < one.latest_s


def test_the_waterway_from_nanjing_to_wusong_is_as_long_as_it_is_known_to_be() -> None:
    # The Yangtze's navigable way from Nanjing to Wusong is given as 347 to 392 km, by channel.
    way = {one.node: one.distance_m for one in travel(delta_rivers(), "cj-nanjing")}
    assert 330_000 < way["cj-wusong"] < 400_000


def test_water_of_tai_lake_reaches_suzhou_jiaxing_and_shanghai_and_no_city_above_it() -> None:
    told = {one.city for one in arrivals(travel(delta_rivers(), "th-yixing", horizon_d=60))}
    assert told == {"suzhou-jiangsu", "wuxi", "jiaxing", "shanghai"}


def test_every_place_lies_in_or_at_the_city_that_it_is_of() -> None:
    # Rivers are the borders of cities, and boundaries are simplified to 500 m: within 12 km.
    cities = delta()
    for node in delta_rivers().nodes.values():
        point = shapely.Point(node.longitude, node.latitude)
        away_km = cities.shape(node.city).distance(point) * KM_PER_DEGREE
        assert away_km < 12.0, (node.id, away_km)


def test_lengths_are_those_along_the_natural_earth_lines_that_they_name() -> None:
    text = read_data("hydro/ne_10m_rivers_lake_centerlines_yrd.geojson")
    features = json.loads(text)["features"]
    lines = [
        shapely.from_geojson(json.dumps(one["geometry"]))
        for one in features
        if one["properties"]["name"] == "Yangtze"
    ]
    line = max(
        shapely.line_merge(shapely.union_all(lines)).geoms, key=lambda one: float(one.length)
    )
    nodes = delta_rivers().nodes
    for begin, end in (("cj-anqing", "cj-chizhou"), ("cj-tongling", "cj-wuhu")):
        ends = [nodes[one] for one in (begin, end)]
        places = [line.project(shapely.Point(one.longitude, one.latitude)) for one in ends]
        part = substring(line, min(places), max(places))
        coordinates = shapely.get_coordinates(part)
        length_m = sum(haversine_m(*a, *b) for a, b in pairwise(coordinates))
        [reach] = [one for one in delta_rivers().reaches[begin] if one.end == end]
        assert reach.length_m == pytest.approx(length_m, rel=0.01)


def test_the_outflows_of_tai_lake_are_where_its_stations_are() -> None:
    stations = {
        one["name"]: one for one in json.loads(read_data("water/taihu_stations.json"))["stations"]
    }
    nodes = delta_rivers().nodes
    for name, node in (("太浦闸", "tp-lock"), ("瓜泾口", "ws-guajing"), ("望亭", "wy-wangting")):
        own, real = nodes[node], stations[name]
        away_m = haversine_m(own.longitude, own.latitude, real["lon"], real["lat"])
        assert away_m < 15_000, (name, away_m)
