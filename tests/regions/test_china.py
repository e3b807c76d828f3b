"""A region can be named by the names that people use."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from conurb.errors import BadRequestDataError
from conurb.regions.china import get_city, list_cities


@pytest.mark.parametrize(
    "name", ["苏州", "苏州市", "suzhou-jiangsu", "320500", " 苏州 "], ids=lambda name: name.strip()
)
def test_a_city_is_found_by_any_of_its_names(name: str) -> None:
    assert get_city(name).code == "320500"


def test_a_name_that_several_cities_have_is_refused_with_the_choices() -> None:
    with pytest.raises(BadRequestDataError, match=r"suzhou-jiangsu.*suzhou-anhui"):
        get_city("Suzhou")


def test_a_name_that_no_city_has_is_refused() -> None:
    with pytest.raises(BadRequestDataError, match="Atlantis"):
        get_city("Atlantis")
    with pytest.raises(BadRequestDataError, match="延边朝鲜族自治州"):
        get_city("朝鲜族")


def test_ids_are_unique_and_fit_into_a_urn_and_a_tenant_name() -> None:
    ids = [city.id for city in list_cities()]
    assert len(set(ids)) == len(ids) > 360
    assert [one for one in ids if not re.fullmatch(r"[a-z][a-z-]*", one)] == []


def test_codes_are_those_of_the_official_list(shared_data: Path) -> None:
    with (shared_data / "codes" / "modood_cities.csv").open(encoding="utf-8") as file:
        official = {f"{row['code']}00": row["name"] for row in csv.DictReader(file)}
    ours = {city.code: city.name_zh for city in list_cities()}
    delta = {code for code in official if code[:2] in {"31", "32", "33", "34"}}
    assert len(delta) == 41
    for code in sorted(delta - {"310100"}):
        assert ours[code] == official[code]
    assert ours["310000"] == "上海市"
