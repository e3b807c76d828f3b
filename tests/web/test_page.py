"""The page: its pure parts by Vitest, and in Debian's Chromium against a region brought up by `up`.

Node.js builds and tests it. The tests are in `web/tests`; each file of them is one test here,
so that what fails has a name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.missing import missing
from tests.services.region import RunningRegion, region_up

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
DUTY_TESTS = "duty.test.ts"
"""They need a region that warns; the others one in which nothing happens."""
BROWSER_TESTS = sorted(
    path.name for path in (WEB / "tests" / "e2e").glob("*.test.ts") if path.name != DUTY_TESTS
)
TIMEOUT_S = 1_200
SHOWN_MAX = 8_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Build the page when its sources are newer than the build."""
    if shutil.which("npm") is None:
        missing("Node.js with npm")
    subprocess.run(["make", "page"], cwd=ROOT, check=True, timeout=TIMEOUT_S)
    assert (ROOT / "conurb" / "web_dist" / "index.html").is_file(), "Node.js is too old to build"


@pytest.fixture(scope="module")
def region(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegion]:
    """Bring up a region of its own, which no other test writes to."""
    with region_up(tmp_path_factory.mktemp("page") / "yrd") as running:
        yield running


def run(*command: str, **environment: str) -> None:
    """Run a tool of the page; fail with the end of what it said."""
    done = subprocess.run(
        ["npx", "--no-install", *command],
        cwd=WEB,
        env={**os.environ, "CI": "1", **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail((done.stdout + done.stderr)[-SHOWN_MAX:], pytrace=False)


def test_the_pure_parts_do_as_they_say() -> None:
    run("vitest", "run", "--config", "vitest.config.ts")


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_the_page_is_small_and_asks_for_nothing_elsewhere() -> None:
    built = ROOT / "conurb" / "web_dist"
    scripts = [*built.glob("assets/*.js.gz"), *built.glob("assets/*.mjs.gz")]
    assert sum(path.stat().st_size for path in scripts) < 600_000
    page = (built / "index.html").read_text()
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("file", BROWSER_TESTS)
def test_in_a_browser(file: str, region: RunningRegion, tmp_path: Path) -> None:
    in_a_browser(file, region, tmp_path)


def test_the_duty_desk_in_a_browser(built: None, tmp_path: Path) -> None:
    with region_up(tmp_path / "yrd", "--with", "warnings") as warned:
        in_a_browser(DUTY_TESTS, warned, tmp_path / "page")


def in_a_browser(file: str, region: RunningRegion, output: Path) -> None:
    """Run a file of browser tests against a region."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("chromium")
    run(
        "playwright",
        "test",
        f"e2e/{file}",
        CONURB_URL=region.url,
        CHROMIUM=str(chromium),
        PAGE_OUTPUT=str(output),
    )
