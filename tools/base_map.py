"""Derive the page's base map from Natural Earth: land, lakes and rivers of China and its seas.

Natural Earth (https://www.naturalearthdata.com) is in the public domain. Its files `ne_10m_land`,
`ne_10m_minor_islands`, `ne_10m_lakes` and `ne_10m_rivers_lake_centerlines` (GeoJSON) are clipped
to one box, generalised more outside of the Delta than inside, and written as one small GeoJSON
that the page draws beneath everything. It shows where water is, and no border of any kind.

Example: .venv/bin/python tools/base_map.py FOLDER web/src/map/base/base.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import shapely

BOX: Final = shapely.box(72.0, 12.0, 144.0, 56.0)
DETAIL: Final = shapely.box(113.0, 25.5, 124.5, 36.5)
FINE_DEG: Final = 0.004
COARSE_DEG: Final = 0.06
ISLAND_DEG2_MIN: Final = {FINE_DEG: 0.0004, COARSE_DEG: 0.02}
LAKE_DEG2_MIN: Final = {FINE_DEG: 0.0, COARSE_DEG: 0.05}
RIVER_RANK_MAX: Final = {FINE_DEG: 9, COARSE_DEG: 4}

SOURCE: Final = "Natural Earth 1:10m, public domain"

NAMES_ZH: Final = {
    "Hongze Hu": ("洪泽湖", "Hongze Lake"),
    "Tai Hu": ("太湖", "Tai Lake"),
    "Poyang Hu": ("鄱阳湖", "Poyang Lake"),
    "Gaoyou Hu": ("高邮湖", "Gaoyou Lake"),
    "Chao Hu": ("巢湖", "Chao Lake"),
    "Weishan Hu": ("微山湖", "Weishan Lake"),
    "Luoma Hu": ("骆马湖", "Luoma Lake"),
    "Xinanjiang Shuiku": ("千岛湖", "Qiandao Lake"),
    "Dongting Hu": ("洞庭湖", "Dongting Lake"),
    "Yangtze": ("长江", "Yangtze"),
    "Chang Jiang": ("长江", "Yangtze"),
    "Huang": ("黄河", "Yellow River"),
    "Huai": ("淮河", "Huai River"),
    "Fuchun": ("富春江", "Fuchun River"),
    "Ou": ("瓯江", "Ou River"),
    "Xi": ("西江", "Xi River"),
}
"""Names that are shown, in Chinese and English, by the name in Natural Earth."""


def main() -> None:
    """Write the base map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the four files of Natural Earth")
    parser.add_argument("out", type=Path, help="where to write the base map")
    given = parser.parse_args()
    features = [*_land(given.folder), *_lakes(given.folder), *_rivers(given.folder)]
    head = (
        '{"type":"FeatureCollection","source":"Natural Earth 1:10m, public domain","features":[\n'
    )
    lines = ",\n".join(
        json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in features
    )
    given.out.write_text(f"{head}{lines}\n]}}\n", "utf-8")
    print(f"{given.out}: {len(features)} features, {given.out.stat().st_size:,} bytes")


def _read(folder: Path, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    for feature in json.loads((folder / f"{name}.json").read_text("utf-8"))["features"]:
        if feature["geometry"] is None:
            continue
        shape = shapely.make_valid(shapely.from_geojson(json.dumps(feature["geometry"])))
        if shape.intersects(BOX):
            yield shape, feature["properties"]


def _parts(shape: Any) -> Iterator[tuple[Any, float]]:
    """Cut into what lies in the box of detail and what lies around it, each with its tolerance."""
    yield shape.intersection(DETAIL), FINE_DEG
    yield shape.intersection(BOX.difference(DETAIL)), COARSE_DEG


def _land(folder: Path) -> Iterator[dict[str, Any]]:
    files = ("ne_10m_land", "ne_10m_minor_islands")
    both = [shape for name in files for shape, _ in _read(folder, name)]
    for part, tolerance in _parts(shapely.union_all([shape.intersection(BOX) for shape in both])):
        kept = [
            one.simplify(tolerance)
            for one in shapely.get_parts(part)
            if one.geom_type == "Polygon" and one.area >= ISLAND_DEG2_MIN[tolerance]
        ]
        yield _feature(shapely.multipolygons(kept), "land", tolerance)


def _lakes(folder: Path) -> Iterator[dict[str, Any]]:
    for shape, properties in _read(folder, "ne_10m_lakes"):
        for part, tolerance in _parts(shape):
            if part.area > LAKE_DEG2_MIN[tolerance]:
                yield _feature(part.simplify(tolerance), "lake", tolerance, properties)


def _rivers(folder: Path) -> Iterator[dict[str, Any]]:
    for shape, properties in _read(folder, "ne_10m_rivers_lake_centerlines"):
        if properties["featurecla"] not in ("River", "Lake Centerline"):
            continue
        for part, tolerance in _parts(shape):
            if part.length > tolerance and properties["scalerank"] <= RIVER_RANK_MAX[tolerance]:
                yield _feature(part.simplify(tolerance), "river", tolerance, properties)


def _feature(
    shape: Any, kind: str, tolerance: float, properties: dict[str, Any] | None = None
) -> dict[str, Any]:
    grid = 0.001 if tolerance == FINE_DEG else 0.01
    snapped = shapely.set_precision(shapely.make_valid(shape), grid)
    said: dict[str, Any] = {"kind": kind}
    if properties is not None:
        said["rank"] = int(properties["scalerank"])
        names = NAMES_ZH.get(properties.get("name") or "")
        if names is not None:
            said["zh"], said["en"] = names
    geometry = json.loads(shapely.to_geojson(snapped))
    geometry["coordinates"] = _rounded(geometry["coordinates"])
    return {"type": "Feature", "properties": said, "geometry": geometry}


def _rounded(value: Any) -> Any:
    return [_rounded(one) for one in value] if isinstance(value, list) else round(value, 3)


if __name__ == "__main__":
    main()
