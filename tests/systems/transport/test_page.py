"""The page of transport runs as it stands, on the real data that it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conurb.systems.transport.connectors import KINDS
from conurb.systems.transport.endpoints import ENDPOINTS
from tests.services.postgres import free_port
from tests.systems.transport.material import DATA, needs_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "systems" / "transport.md"
TEXT = PAGE.read_text()
RUN_S = 300


@needs_data
@pytest.mark.slow
def test_the_example_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    [script] = re.findall(r"^```bash\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-euc", script.replace("8086", str(free_port()))],
        cwd=tmp_path,
        env={
            **os.environ,
            "DATA": str(DATA),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "assumed" in done.stdout
    assert re.search(r"^shanghai,nanjing,\d{4},(False|false)$", done.stdout, re.MULTILINE)
    assert "上海市: " in done.stderr
    assert "宁合高速" in done.stdout or "高速: " in done.stdout
    assert "stop_times.txt" in zipfile.ZipFile(tmp_path / "shanghai.zip").namelist()
    worst = json.loads((tmp_path / "worst.json").read_text())
    assert worst["count"] > 0
    assert worst["gaps"][0]["gapScore"] > 0


def test_every_path_and_kind_of_source_is_on_the_page() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.path.split("{")[0] in TEXT, endpoint.path
    for kind in KINDS:
        assert kind in TEXT
