"""The examples in the pages on green measures and spillover run as they stand."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Point

from conurb.strategy.panel import Panel

PAGES = Path(__file__).resolve().parents[2] / "docs" / "strategy"
N, T = 30, 6


def example(page: str) -> str:
    return "".join(re.findall(r"^```python\n(.*?)^```$", (PAGES / page).read_text(), re.M | re.S))


def test_the_page_on_green_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    with (tmp_path / "cities.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["city", "year", "labour", "capital", "energy", "gdp", "co2"])
        for i in range(N):
            for year in range(2000, 2000 + T):
                writer.writerow([f"c{i}", year, *np.exp(rng.normal(size=5))])
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(example("green.md"), names)
    assert names["production"].widths == (3, 1, 1)  # type: ignore[attr-defined]


def test_the_page_on_spillover() -> None:
    rng = np.random.default_rng(2)
    units = tuple(f"c{i}" for i in range(N))
    columns = {name: rng.normal(size=(N, T)) for name in ("intensity", "gdp", "industry")}
    areas = [Point(rng.uniform(115, 122), rng.uniform(27, 34)).buffer(0.1) for _ in units]
    names: dict[str, object] = {
        "panel": Panel(units, tuple(range(T)), columns),
        "areas": areas,
    }
    exec(example("spillover.md"), names)
    assert names["chosen"].sdm.names == ("gdp", "industry", "W gdp", "W industry")  # type: ignore[attr-defined]
