"""`conurb region` shows what a pack holds and how its boundaries compare."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONURB = str(Path(sys.executable).with_name("conurb"))


def region(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CONURB, "region", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_show_lists_the_cities_with_their_roles() -> None:
    done = region("show", "yrd", "--json")
    rows = json.loads(done.stdout)
    assert len(rows) == 41
    roles = {row["role"]: row["id"] for row in rows if row["role"] == "centre"}
    assert roles == {"centre": "shanghai"}
    assert abs(sum(row["area_km2"] for row in rows) - 358_000) < 10_000


def test_show_says_where_the_boundaries_come_from() -> None:
    done = region("show")
    assert done.returncode == 0
    assert "Amap" in done.stderr
    assert "41 cities" in done.stderr


def test_compare_gives_the_overlap_of_every_city_that_the_file_has(tmp_path: Path) -> None:
    square = {
        "type": "Polygon",
        "coordinates": [[[121, 30.9], [122, 30.9], [122, 31.6], [121, 31.6], [121, 30.9]]],
    }
    feature = {"type": "Feature", "properties": {"adcode": "310000"}, "geometry": square}
    file = tmp_path / "other.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    rows = json.loads(region("show", "yrd", "--compare", str(file), "--json").stdout)
    overlaps = {row["id"]: row["overlap"] for row in rows}
    assert 0.5 < overlaps.pop("shanghai") < 0.9
    assert set(overlaps.values()) == {None}


def test_a_file_that_is_no_geojson_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.geojson"
    file.write_text("[1, 2]")
    done = region("show", "yrd", "--compare", str(file))
    assert done.returncode == 1
    assert "other.geojson" in done.stderr.replace("\n", "")


def test_a_tolerance_of_nothing_is_refused(tmp_path: Path) -> None:
    done = region("new", "bay", "--to", str(tmp_path), "--cities", "深圳", "--tolerance-m", "0")
    assert done.returncode == 1
    assert "--tolerance-m" in done.stderr
    assert list(tmp_path.iterdir()) == []
