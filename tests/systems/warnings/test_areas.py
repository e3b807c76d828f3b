"""Which cities an alert is for, and what kind of happening it speaks of."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapely

from conurb.model.geometry import haversine_m
from conurb.systems.warnings.areas import circle_shape
from conurb.systems.warnings.cap.alert import Alert, Area, Circle, Named
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.kinds import category_of, kind_of, kind_of_words

from .sources import an_alert, delta, needs_data, read_data


def with_area(area: Area) -> Alert:
    alert = an_alert("wuxi")
    return replace(alert, infos=tuple(replace(info, areas=(area,)) for info in alert.infos))


@pytest.mark.parametrize(
    ("code", "cities"),
    [
        ("320500", {"suzhou-jiangsu"}),
        ("320583", {"suzhou-jiangsu"}),
        ("310115", {"shanghai"}),
        ("310000", {"shanghai"}),
        ("320583000000", {"suzhou-jiangsu"}),
        ("110000", set()),
        ("not a code", set()),
    ],
)
def test_a_code_names_its_city(code: str, cities: set[str]) -> None:
    found = delta().concerned(with_area(Area("x", geocodes=(Named("any", code),))))
    assert set(found.cities) == cities


def test_the_code_of_a_province_names_all_of_its_cities() -> None:
    found = delta().concerned(with_area(Area("x", geocodes=(Named("GB/T 2260", "330000"),))))
    assert len(found.cities) == 11
    assert "shanghai" in found.neighbours


def test_a_circle_names_the_cities_that_it_covers_in_part() -> None:
    found = delta().concerned(with_area(Area("x", circles=(Circle(31.3, 121.0, 30.0),))))
    assert set(found.cities) == {"suzhou-jiangsu", "shanghai"}
    assert {"wuxi", "jiaxing", "nantong"} <= set(found.neighbours)
    assert found.geometry is not None
    assert found.geometry["type"] == "MultiPolygon"


def test_a_polygon_that_only_touches_a_city_is_not_for_it() -> None:
    shape = delta().shape("wuxi")
    ring = [
        (lat, lon) for lon, lat in shapely.get_coordinates(shapely.get_parts(shape)[0].exterior)
    ]
    found = delta().concerned(with_area(Area("x", polygons=(tuple(ring),))))
    assert found.cities == ("wuxi",)


def test_a_circle_has_its_radius_all_around() -> None:
    for lon, lat in shapely.get_coordinates(circle_shape(Circle(31.0, 121.0, 50.0))):
        assert haversine_m(121.0, 31.0, lon, lat) == pytest.approx(50_000, rel=1e-6)


def test_neighbours_are_mutual_and_share_a_border() -> None:
    near = delta().neighbours
    assert {"suzhou-jiangsu", "jiaxing"} <= near["shanghai"]
    for city, others in near.items():
        assert all(city in near[other] for other in others)
    assert "hefei" not in near["shanghai"]


@needs_data
def test_an_alert_from_elsewhere_is_for_no_city_of_the_region_but_keeps_its_place() -> None:
    found = delta().concerned(read(read_data("standards/cap/sc/valid.xml")))
    assert found.cities == ()
    assert found.geometry is not None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["暴雨蓝色预警"], "rainfall"),
        (["Air Quality Alert"], "airPollution"),
        (["太湖蓝藻"], "waterPollution"),
        (["台风红色预警"], "hurricane"),
        (["Flash Flood Watch"], "floodRisk"),
        (["Volcanic Ash!"], "volcanic-ash"),
        ([], "unknown"),
    ],
)
def test_words_of_either_language_name_a_kind(words: list[str], kind: str) -> None:
    assert kind_of_words(words) == kind


def test_our_own_event_code_goes_before_words() -> None:
    alert = an_alert("wuxi", kind="airPollution")
    said = replace(alert, infos=tuple(replace(info, event="暴雨") for info in alert.infos))
    assert kind_of(said) == "airPollution"
    assert category_of("airPollution", ()) == "environment"
