"""What the guide builds from nothing runs, and does what the guide says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.services.postgres import free_port
from tests.systems.door.packages import install

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "guide" / "system.md").read_text()
LINES_MAX = 60
CACHE = ROOT / ".mypy_cache" / "systems"
TIDY = "trap 'kill $(jobs -p)' EXIT\n"
"""A server that is left when a step fails would hold the test's pipes open."""


def block(kind: str, holds: str) -> str:
    """Give the one block of a kind that holds a text."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    [found] = [one for one in blocks if holds in one]
    return str(found)


def test_the_guides_system_is_as_short_as_it_says_and_typed(tmp_path: Path) -> None:
    source = block("python", "SYSTEM = System(")
    assert len([line for line in source.splitlines() if line.strip()]) <= LINES_MAX
    (tmp_path / "system.py").write_text(source)
    tools = Path(sys.executable).parent
    rules = ["--isolated", "--no-cache", "--line-length", "100", "--select", "E,F,W,B,UP"]
    ruff = [tools / "ruff", "check", *rules, "--target-version", "py311", "system.py"]
    mypy = [tools / "mypy", "--config-file", os.devnull, "--cache-dir", CACHE, "--strict"]
    for command in (ruff, [*mypy, "system.py"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_guides_system_hears_alerts_and_answers(tmp_path: Path) -> None:
    port = free_port()
    install(tmp_path / "packages", "noise", block("python", "SYSTEM = System("))
    (tmp_path / "node.toml").write_text(block("toml", "[system.noise]"))
    script = block("bash", "microphones/a.jsonl").replace("8090", str(port))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / "packages"),
    }
    done = subprocess.run(
        ["bash", "-eumc", TIDY + script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert re.search(r'{"loudest": "urn:ngsi-ld:NoiseLevelObserved:[\w-]+:m2"}', shown)
    assert re.search(r"urn:ngsi-ld:Alert:[\w-]+:noise:m2:2026-06-01T08:00:00.000000Z", shown)
    assert "noise:m1" not in shown
    assert re.search(r"noise +ok", shown)
