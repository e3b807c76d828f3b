"""The pack that ships says what the Delta is; any other pack is checked when it is read."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
from pathlib import Path

import pytest
import shapely

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.regions.boundaries import overlap, parse
from conurb.regions.pack import Pack, find_folder, read_pack, shipped_packs

SIZE_MAX = 500_000
"""Bytes that the pack may have, as agreed for what ships."""


def test_the_delta_ships_and_is_small(yrd: Pack) -> None:
    assert shipped_packs() == ["yrd"]
    assert sum(path.stat().st_size for path in yrd.folder.iterdir()) < SIZE_MAX


def test_the_delta_is_41_cities_of_which_26_and_27_are_in_the_plans(yrd: Pack) -> None:
    assert len(yrd.cities) == 41
    provinces = [city.province["en"] for city in yrd.cities]
    counts = [provinces.count(name) for name in ("Shanghai", "Jiangsu", "Zhejiang", "Anhui")]
    assert counts == [1, 13, 11, 16]
    plan, centre = (set(group.cities) for group in yrd.definition.groups)
    assert (len(plan), len(centre), centre - plan) == (26, 27, {"wenzhou"})


def test_roles_are_those_of_the_plan(yrd: Pack) -> None:
    roles = {city.id: city.role for city in yrd.cities if city.role in {"centre", "sub-centre"}}
    assert roles == {
        "shanghai": "centre",
        "nanjing": "sub-centre",
        "hangzhou": "sub-centre",
        "hefei": "sub-centre",
    }


def test_every_centre_is_inside_of_its_city(yrd: Pack) -> None:
    outside = [
        city.id
        for city in yrd.cities
        if not shapely.contains_xy(parse(city.boundary), *city.centre)
    ]
    assert outside == []


def test_every_centre_is_that_of_its_source(yrd: Pack, shared_data: Path) -> None:
    """Places that Natural Earth has under another name: Huaiyin is today's Huai'an, Xuanzhou the
    seat of Xuancheng, Jiaojiang ("Jiaojing") that of Taizhou in Zhejiang.
    """
    places = _places(shared_data / "hydro" / "ne_10m_populated_places_simple_yrd.geojson")
    stations = _stations(shared_data / "air" / "cnemc_stations_yrd_snapshot_20180220T07.csv")
    other = {"huaian": "Huaiyin", "xuancheng": "Xuanzhou", "taizhou-zhejiang": "Jiaojing"}
    for city in yrd.cities:
        name = other.get(city.id, city.name["en"].replace("'", ""))
        point = places.get((name, city.province["en"]))
        if point is None:
            point = tuple(map(statistics.median, zip(*stations[city.code], strict=True)))
        found = yrd.definition.find_centres(city.id)
        assert found is not None
        assert found.source.startswith("Natural Earth") == ((name, city.province["en"]) in places)
        assert city.centre == pytest.approx(point, abs=0.0051), city.id


def _places(file: Path) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (place["properties"]["name"], place["properties"]["adm1name"]): tuple(
            place["geometry"]["coordinates"]
        )
        for place in json.loads(file.read_text("utf-8"))["features"]
    }


def _stations(file: Path) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["adcode"], []).append((float(row["lon"]), float(row["lat"])))
    return found


def test_boundaries_agree_with_an_independent_source(yrd: Pack, shared_data: Path) -> None:
    """Inland cities agree to 96.5 % and more. On the coast the sources differ about tidal flats
    and islets, least for an archipelago; docs/regions.md has the figure of every city.
    """
    coast = {
        "shanghai", "nantong", "yancheng", "lianyungang", "ningbo", "wenzhou", "jiaxing",
        "zhoushan", "taizhou-zhejiang",
    }  # fmt: skip
    file = shared_data / "boundaries" / "yrd_41_prefectures_wgs84.geojson"
    other = {
        feature["properties"]["adcode"]: parse(feature["geometry"])
        for feature in json.loads(file.read_text("utf-8"))["features"]
    }
    overlaps = {city.id: overlap(parse(city.boundary), other[city.code]) for city in yrd.cities}
    assert {city: value for city, value in overlaps.items() if value < 0.965} == {
        city: value for city, value in overlaps.items() if city in coast and value < 0.965
    }
    assert min(overlaps.values()) == overlaps["zhoushan"] > 0.75
    assert min(value for city, value in overlaps.items() if city != "zhoushan") > 0.85


def test_a_pack_says_where_its_boundaries_come_from(yrd: Pack) -> None:
    assert "Amap" in yrd.provenance["source"]
    assert "MIT" in yrd.provenance["licence"]


def test_a_region_that_is_nowhere_is_named_with_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"atlantis.*yrd"):
        find_folder(str(tmp_path / "atlantis"))


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("region.toml", ('"shanghai",\n', '"chang-an",\n'), "chang-an"),
        ("region.toml", ("Asia/Shanghai", "Asia/Chang-an"), "Asia/Chang-an"),
        ("region.toml", ('id = "yrd"', ""), "id is missing"),
        ("sources.toml", ('cities = ["huaian"]', 'cities = ["huaiyin"]'), "huaiyin"),
        ("cities.csv", ("shanghai,310000", "shanghae,310000"), "shanghae"),
    ],
)
def test_what_is_wrong_in_a_pack_is_named(
    yrd: Pack, tmp_path: Path, file: str, change: tuple[str, str], complaint: str
) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(yrd.folder, folder)
    text = (folder / file).read_text("utf-8")
    assert change[0] in text
    (folder / file).write_text(text.replace(*change, 1), "utf-8")
    with pytest.raises(BadRequestDataError, match=complaint):
        read_pack(folder)
