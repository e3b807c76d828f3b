"""What the README shows runs, and shows what it says: on a region brought up for this."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.region import RunningRegion

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(kind, text, id=f"{page}-{number}-{kind}")
    for page in ("README.md", "README.zh.md")
    for number, (kind, text) in enumerate(BLOCK.findall((ROOT / page).read_text()), start=1)
]
SAID = {
    "population>5000000' --pick name,population": ["上海", "合肥"],
    "object history urn:ngsi-ld:City:hefei": ["edgar", "ceads", "2000", "2023"],
    "--coordinates '[121.47,31.23]'": ["上海", "苏州"],
    "NGSILD-Tenant: wuxi": ["urn:ngsi-ld:City:wuxi:wuxi", "gdp"],
    "population>20000000": ["urn:ngsi-ld:City:shanghai:shanghai"],
    "conurb load sensors.csv": ["3 loaded, 0 not", "41", "38"],
    "conurb.connect()": ["population", "mean"],
    "conurb strategy index yrd": ["shanghai", "huainan", "equal weights"],
}
"""Part of an example to what its output has to hold."""


def test_the_readme_has_examples_and_each_expectation_belongs_to_one() -> None:
    texts = [str(example.values[1]) for example in EXAMPLES]
    assert len(texts) >= 8
    assert [part for part in SAID if not any(part in text for text in texts)] == []


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_runs_and_shows_what_it_says(
    kind: str, text: str, running_region: RunningRegion, tmp_path: Path
) -> None:
    command = ["bash", "-euc", text] if kind == "sh" else [sys.executable, "-c", text]
    environment = {
        **os.environ,
        "CONURB_URL": running_region.url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for part, expected in SAID.items():
        if part in text:
            missing = [word for word in expected if word not in done.stdout + done.stderr]
            assert missing == [], done.stdout
