"""The page's example runs as it stands, on real data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from conurb.systems.warnings.cap.read import read
from tests.services.postgres import free_port

from .sources import DATA, needs_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "systems" / "warnings.md"
PORT = "8085"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "DATA": str(DATA)}


@needs_data
def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    pytest.importorskip("signxml", reason="the example checks a signature (extra: warnings)")
    [script] = blocks("bash")
    done = subprocess.run(
        ["bash", "-eu", "-c", script.replace(PORT, str(free_port()))],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused, as it should be" in done.stdout
    assert "CN=" not in done.stderr
    assert read((tmp_path / "alert.xml").read_bytes()).infos[0].headline == "暴雨橙色预警"
    feed = etree.fromstring((tmp_path / "feed.xml").read_bytes())
    assert len(feed.findall("{*}entry")) == 1
    for city in ("zhenjiang", "nantong", "shanghai"):
        assert city in done.stdout


@needs_data
def test_the_python_of_the_page_runs_and_has_the_published_index(tmp_path: Path) -> None:
    [script] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for line in done.stdout.splitlines():
        _, index, _, _, published = line.split()
        assert index == published


def test_every_path_and_option_of_the_page_exists() -> None:
    from conurb.systems.warnings.interface import ENDPOINTS
    from conurb.systems.warnings.system import OPTIONS

    text = PAGE.read_text()
    for endpoint in ENDPOINTS:
        assert endpoint.path.split("{")[0].rstrip("/") in text
    folder = PAGE.parents[2] / "conurb" / "systems" / "warnings"
    code = "".join(path.read_text() for path in folder.rglob("*.py") if path.name != "system.py")
    assert [one for one in sorted(OPTIONS) if f'"{one}"' not in code] == []
    table = text.split("## Options")[1].split("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == OPTIONS
