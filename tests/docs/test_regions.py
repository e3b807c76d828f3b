"""The guide to regions says what the pack that ships holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conurb.regions.boundaries import overlap, parse
from conurb.regions.pack import read_pack

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guide" / "regions.md").read_text("utf-8")
REFERENCE = ROOT.parent / "shared" / "data" / "boundaries" / "yrd_41_prefectures_wgs84.geojson"


def test_every_break_is_in_the_guide() -> None:
    sources = read_pack("yrd").sources
    assert sources is not None
    told = [
        line for line in GUIDE.splitlines() if re.match(r"\| (boundary|re|error|suspect)", line)
    ]
    assert len(told) == len(sources.breaks)
    for one, line in zip(sources.breaks, told, strict=True):
        assert line.startswith(f"| {one.kind} | {', '.join(sorted(one.cities))} |")
        assert one.note in line


def test_every_column_is_in_the_guide_with_its_unit() -> None:
    sources = read_pack("yrd").sources
    assert sources is not None
    missing = [
        column.name
        for column in sources.columns
        if f"| `{column.attribute}` | {column.unit} |" not in GUIDE
    ]
    assert missing == []


def test_overlaps_are_those_of_the_guide() -> None:
    if not REFERENCE.is_file():
        pytest.skip("the folder of real data, ../shared/data, isn't there")
    told = {city: float(value) for city, value in re.findall(r" ([a-z-]+) \| (0\.\d{3}) \|", GUIDE)}
    features = json.loads(REFERENCE.read_text("utf-8"))["features"]
    other = {one["properties"]["adcode"]: parse(one["geometry"]) for one in features}
    found = {
        city.id: round(overlap(parse(city.boundary), other[city.code]), 3)
        for city in read_pack("yrd").cities
    }
    assert told == found
