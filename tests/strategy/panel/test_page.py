"""The page on panels: its example runs against a node that holds three cities."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from conurb import connect
from conurb.strategy.panel.files import read_stata
from tests.strategy.panel.test_objects import CITIES, fill

PAGE = Path(__file__).resolve().parents[3] / "docs" / "strategy" / "panel.md"


def test_the_example_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(str(tmp_path / "node.sqlite")) as node:
        fill(node)
    example = "".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))
    assert "http://127.0.0.1:8080" in example
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example.replace("http://127.0.0.1:8080", str(tmp_path / "node.sqlite")), names)
    origin = names["panel"].origin("ln gdp per person", "hefei", 2011)
    assert any("Chaohu" in said for said in origin.breaks())
    assert read_stata("panel.dta", unit="unit", time="year").units == CITIES
