"""The cities of China by name and code.

`china.csv` lists every city at prefecture level (municipalities, prefecture-level cities,
prefectures, leagues, and county-level units directly under a province) with its six-digit code of
GB/T 2260 and its names. It exists so that a region can be named by its cities' common names, and
so that a node's id comes from a name that lasts: codes change, nodes don't.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from conurb.errors import BadRequestDataError

_SUFFIXES: Final = ("特别行政区", "自治州", "地区", "林区", "省", "市", "盟", "县")
_CANDIDATES_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class ChineseCity:
    """One city: its code (GB/T 2260, six digits), names, province, and the id of its node."""

    id: str
    code: str
    name_zh: str
    name_en: str
    province_zh: str
    province_en: str


@cache
def list_cities() -> tuple[ChineseCity, ...]:
    """List every city at prefecture level, by code.

    The id is the English name in lower case; a name that several cities have takes the province
    behind it (`suzhou-jiangsu`), whether or not the others are in the same region.
    """
    text = resources.files("conurb.regions").joinpath("china.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    uses = Counter(_slug(row["name_en"]) for row in rows)
    cities = []
    for row in rows:
        slug = _slug(row["name_en"])
        if uses[slug] > 1:
            slug = f"{slug}-{_slug(row['province_en'])}"
        cities.append(
            ChineseCity(
                id=slug,
                code=row["code"],
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                province_zh=row["province_zh"],
                province_en=row["province_en"],
            )
        )
    return tuple(cities)


def get_city(name: str) -> ChineseCity:
    """Give the city that a name means: Chinese with or without 市, English, an id, or a code.

    Raises BadRequestDataError for a name that no city has, or that several have.

    >>> get_city("深圳").id, get_city("320500").id, get_city("Hefei").code
    ('shenzhen', 'suzhou-jiangsu', '340100')
    """
    wanted = name.strip()
    found = [city for city in list_cities() if wanted in (city.id, city.code, city.name_zh)]
    if not found:
        slug = _slug(wanted)
        found = [
            city
            for city in list_cities()
            if wanted == _stem(city.name_zh) or slug == _slug(city.name_en)
        ]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{c.name_zh} ({c.id})" for c in found[:_CANDIDATES_SHOWN_MAX])
        raise BadRequestDataError(f"city {name!r} can be any of {choices}")
    near = [city for city in list_cities() if wanted and wanted in city.name_zh]
    hint = f"; did you mean {', '.join(c.name_zh for c in near[:_CANDIDATES_SHOWN_MAX])}?"
    raise BadRequestDataError(
        f"city {name!r} is not a city at prefecture level of China{hint if near else ''}"
    )


def _stem(name_zh: str) -> str:
    for suffix in _SUFFIXES:
        if name_zh.endswith(suffix) and len(name_zh) > len(suffix) + 1:
            return name_zh.removesuffix(suffix)
    return name_zh


def _slug(name_en: str) -> str:
    plain = name_en.strip().lower().replace("ü", "u").replace("'", "")
    return "-".join(plain.split())
