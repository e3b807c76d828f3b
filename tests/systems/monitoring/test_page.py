"""The example of the documentation runs on the real data, and ends in the alarm it promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services.postgres import free_port
from tests.systems.monitoring.data import DATA, there

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "systems" / "monitoring.md").read_text()


WAIT = (
    "for n in $(seq 60); do conurb monitoring alarms --json --url http://127.0.0.1:8091 | "
    "grep -q Alert && break; sleep 1; done\n"
)
"""Instead of a pause that is long enough for a reader's machine with nothing else to do."""

TIDY = "trap 'kill $(jobs -p)' EXIT\n"
"""A server that is left when a step fails would hold the test's pipes open."""


def script() -> str:
    """Give the example as one shell script: its python blocks are one session."""
    begin = PAGE.index("## A bridge")
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```$", PAGE[begin:], re.MULTILINE | re.DOTALL)
    first = next(text for kind, text in blocks if kind == "python")
    parts = []
    for kind, text in blocks:
        if kind == "bash":
            parts.append(text)
        else:
            # The later block goes on with the names of the first, not with its writes.
            named = first.split('sta.post("/Things"')[0] if text != first else ""
            helper = re.search(r"^def observe.*?(?=^observe)", first, re.MULTILINE | re.DOTALL)
            assert helper is not None
            shared = named + (helper[0] if named else "")
            parts.append(f"python - <<'CODE'\n{shared}{text}CODE\n")
    return "".join(parts).replace("sleep 2\n", WAIT)


def test_the_example_ends_in_the_alarm_that_it_promises(tmp_path: Path) -> None:
    shutil.copy(there(DATA / "shm" / "Yonghe_Modal_FDD.csv"), tmp_path)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CONURB_DATA_FOLDER": str(tmp_path / "data"),
    }
    done = subprocess.run(
        ["bash", "-eumc", TIDY + script().replace("8091", str(free_port()))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    [alarm] = [line for line in said.splitlines() if "urn:ngsi-ld:Alert:" in line]
    assert "2008-07-31T00:00:00Z" in said, "the first damaged hour"
    assert "all modes fell as they never did while sound" in said
    assert "high" in alarm or "high" in said
    assert "2008-07-25T00:00:00Z" in said, "a day of the series"
