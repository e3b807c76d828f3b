"""Grid cells. The BeiDou codes of 116°18'45.37" E, 39°59'35.38" N are the standard's own example.

A code's cell is compared with the place in degrees; 1e-9 degrees (0.1 mm) are allowed for binary
fractions, a hundredth of the finest cell.
"""

from __future__ import annotations

from typing import Any

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError
from conurb.model.geometry import check_geometry
from conurb.model.grid import (
    BEIDOU_LEVEL_MAX,
    beidou_bounds,
    beidou_code,
    beidou_level,
    beidou_parent,
    cells,
    h3_cell,
    h3_polygon,
)
from tests.model.strategies import geometries

LON, LAT = 116 + 18 / 60 + 45.37 / 3600, 39 + 59 / 60 + 35.38 / 3600
SLACK = 1e-9
CODES = (
    "N50J",
    "N50J47",
    "N50J475",
    "N50J47539",
    "N50J47539B8",
    "N50J47539B82",
    "N50J47539B8255",
    "N50J47539B825534",
    "N50J47539B82553461",
    "N50J47539B8255346152",
)


@pytest.mark.parametrize("level", range(1, 11))
def test_the_example_of_the_standard_is_coded_on_every_level(level: int) -> None:
    code = CODES[level - 1]
    assert beidou_code(LON, LAT, level=level) == code
    assert beidou_level(code) == level
    assert beidou_parent(CODES[-1], level=level) == code


def test_the_grid_mirrors_at_equator_and_greenwich() -> None:
    assert beidou_code(-LON, -LAT) == "S11J47539B8255346152"
    west, south, east, north = beidou_bounds("N50J47539B8255346152")
    assert beidou_bounds("S11J47539B8255346152") == (-east, -north, -west, -south)
    assert beidou_code(0.0, 0.0, level=1) == "N31A"
    assert beidou_code(-0.0001, -0.0001, level=1) == "S30A"


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-87.999, 87.999),
    level=st.integers(1, BEIDOU_LEVEL_MAX),
)
def test_a_place_lies_in_the_cell_of_its_code(
    longitude: float, latitude: float, level: int
) -> None:
    code = beidou_code(longitude, latitude, level=level)
    west, south, east, north = beidou_bounds(code)
    assert west - SLACK <= longitude <= east + SLACK
    assert south - SLACK <= latitude <= north + SLACK
    middle = (west + east) / 2, (south + north) / 2
    assert beidou_code(*middle, level=level) == code


def test_cells_of_a_level_have_the_sizes_of_the_standard() -> None:
    minute, second = 1 / 60, 1 / 3600
    sizes = [
        (6, 4),
        (30 * minute, 30 * minute),
        (15 * minute, 10 * minute),
        (minute, minute),
        (4 * second, 4 * second),
        (2 * second, 2 * second),
        (second / 4, second / 4),
        (second / 32, second / 32),
        (second / 256, second / 256),
        (second / 2048, second / 2048),
    ]
    for code, (width, height) in zip(CODES, sizes, strict=True):
        west, south, east, north = beidou_bounds(code)
        assert east - west == pytest.approx(width, abs=SLACK)
        assert north - south == pytest.approx(height, abs=SLACK)


@pytest.mark.parametrize(
    ("longitude", "latitude"),
    [(180.0, 0.0), (-180.0, 0.0), (-6.0, 4.0), (6.0, -4.0), (120.5, 30.5)],
)
def test_places_on_a_border_have_a_code_that_can_be_read(longitude: float, latitude: float) -> None:
    for level in range(1, BEIDOU_LEVEL_MAX + 1):
        west, south, east, north = beidou_bounds(beidou_code(longitude, latitude, level=level))
        assert west <= longitude <= east
        assert south <= latitude <= north


@pytest.mark.parametrize(
    ("longitude", "latitude", "level"),
    [(0, 88, 1), (0, -89.5, 1), (181, 0, 1), (float("nan"), 0, 1), (0, 0, 0), (0, 0, 11)],
)
def test_what_has_no_code_is_refused(longitude: float, latitude: float, level: int) -> None:
    with pytest.raises(BadRequestDataError, match="BeiDou"):
        beidou_code(longitude, latitude, level=level)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "N50",
        "X50J",
        "N00J",
        "N61J",
        "N50W",
        "N5xJ",
        "N50JC7",
        "N50J48",
        "N50J476",
        "N50J475F9",
        "N50J4753A",
        "N50J47539BF",
        "N50J47539B84",
        "N50J47539B8258",
        "N50J47539B82-1",
        "N50J47_39B",
    ],
)
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(BadRequestDataError, match="BeiDou"):
        beidou_bounds(code)


def test_a_parent_is_no_finer_than_its_child() -> None:
    with pytest.raises(BadRequestDataError):
        beidou_parent("N50J47", level=3)


@pytest.mark.parametrize("resolution", [0, 8, 15])
def test_an_h3_cell_is_that_of_the_library_and_holds_the_place(resolution: int) -> None:
    cell = h3_cell(LON, LAT, resolution=resolution)
    assert cell == h3.latlng_to_cell(LAT, LON, resolution)
    polygon = h3_polygon(cell)
    assert polygon["coordinates"][0][0] == polygon["coordinates"][0][-1]
    check_geometry(polygon)


def test_the_outline_of_a_cell_at_the_date_line_is_one_piece() -> None:
    ring = h3_polygon(h3_cell(179.99, 0.0, resolution=3))["coordinates"][0]
    longitudes = [x for x, _ in ring]
    assert max(longitudes) - min(longitudes) < 5


def test_wrong_h3_questions_are_refused() -> None:
    with pytest.raises(BadRequestDataError, match="resolution"):
        h3_cell(0, 0, resolution=16)
    with pytest.raises(BadRequestDataError, match="H3"):
        h3_polygon("nonsense")


@given(geometry=geometries)
def test_a_geometry_lies_in_the_cells_of_a_point_in_it(geometry: dict[str, Any]) -> None:
    h3_code, code = cells(geometry, h3_resolution=7, level=4)
    assert h3_code is not None
    assert code is not None
    assert h3.is_valid_cell(h3_code)
    assert beidou_level(code) == 4
    assert cells(geometry) == (None, None)


def test_a_place_near_a_pole_has_an_h3_cell_alone() -> None:
    h3_code, code = cells({"type": "Point", "coordinates": [0, 89]}, h3_resolution=5, level=3)
    assert h3_code is not None
    assert code is None
