"""`conurb system` and `--with`, as people run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from tests.systems.door.packages import HEARING, install


def conurb(
    folder: Path, *arguments: str, packages: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with packages on the path."""
    code = "from conurb.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(packages or "")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systems_that_are_installed_are_listed(tmp_path: Path) -> None:
    install(tmp_path / "packages", "hearing", HEARING)
    done = conurb(tmp_path, "system", "list", "--json", packages=tmp_path / "packages")
    rows = {row["name"]: row for row in orjson.loads(done.stdout)}
    assert {"hearing", "monitoring", "transport", "warnings"} <= set(rows)
    assert rows["hearing"]["package"] == "city-hearing 0.1"
    assert rows["hearing"]["types"] == ["Device"]


def test_a_system_that_is_not_installed_ends_the_start_with_its_name(tmp_path: Path) -> None:
    done = conurb(tmp_path, "node", "serve", "--with", "hearing", "--store", "n.db", "--port", "0")
    assert done.returncode == 2
    assert "there is no system 'hearing'; systems installed: monitoring" in done.stderr
    assert not (tmp_path / "n.db").exists()


def test_the_noun_of_a_system_that_is_broken_says_why(tmp_path: Path) -> None:
    install(tmp_path / "packages", "broken", "import no_such_library\n")
    done = conurb(tmp_path, "broken", "list", packages=tmp_path / "packages")
    assert done.returncode == 2
    assert "no_such_library" in done.stderr


def test_options_of_a_system_that_is_not_on_are_refused(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("[system.noise]\nlimit = 1\n")
    done = conurb(
        tmp_path, "node", "serve", "--config", "node.toml", "--with", "monitoring", "--port", "0"
    )
    assert done.returncode == 2
    assert "system: noise is not among systems" in done.stderr
