"""Systems of other packages come in as ours do; what is wrong with one is said by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conurb.errors import AlreadyExistsError, BadRequestDataError, ConfigError
from conurb.systems.registry import get_system, get_systems, list_systems, names
from conurb.systems.scaffold import scaffold
from tests.systems.door.packages import HEARING, install

CACHE = Path(__file__).resolve().parents[3] / ".mypy_cache" / "systems"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_ours_come_through_the_same_door() -> None:
    assert {"monitoring", "transport", "warnings"} <= set(names())
    assert {one.package for one in list_systems() if one.name == "monitoring"} == {"conurb"}


def test_a_package_that_is_installed_is_found_by_its_entry_point(packages: Path) -> None:
    install(packages, "hearing", HEARING)
    assert get_system("hearing").name == "hearing"
    [listed] = [one for one in list_systems() if one.name == "hearing"]
    assert (listed.package, listed.version, listed.error) == ("city-hearing", "0.1", None)


def test_a_system_that_cannot_be_imported_is_listed_with_the_reason(packages: Path) -> None:
    install(packages, "broken", "import no_such_library\n")
    [listed] = [one for one in list_systems() if one.name == "broken"]
    assert listed.system is None
    assert "no_such_library" in (listed.error or "")
    with pytest.raises(ConfigError, match="no_such_library"):
        get_system("broken")


def test_a_name_that_is_not_installed_or_not_its_own_is_refused(packages: Path) -> None:
    install(packages, "masked", HEARING)
    with pytest.raises(ConfigError, match=r"no system 'nothing'; systems installed: .*war"):
        get_system("nothing")
    with pytest.raises(ConfigError, match="calls itself 'hearing'"):
        get_system("masked")


def test_two_systems_may_not_claim_one_path(packages: Path) -> None:
    install(packages, "hearing", HEARING)
    install(packages, "seeing", HEARING.replace('"hearing",', '"seeing",'))
    with pytest.raises(ConfigError, match="'hearing' and 'seeing' both claim"):
        get_systems(["hearing", "seeing"])


def test_a_node_without_systems_imports_nothing_of_them() -> None:
    code = (
        "import asyncio, sys, tempfile\n"
        "from conurb.app import open_app\n"
        "async def main():\n"
        "    async with open_app(store=tempfile.mkdtemp() + '/n.db'): pass\n"
        "asyncio.run(main())\n"
        "print([m for m in sys.modules if m.startswith('conurb.systems')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_scaffolded_passes_its_own_test_and_every_check(tmp_path: Path) -> None:
    folder = tmp_path / "street-noise"
    written = scaffold("street-noise", folder)
    assert folder / "city_street_noise" / "system.py" in written
    tools = Path(sys.executable).parent
    mypy = [tools / "mypy", "--config-file", "pyproject.toml", "--cache-dir", CACHE]
    for command in (
        [tools / "ruff", "check", "--no-cache", "."],
        [tools / "ruff", "format", "--no-cache", "--check", "."],
        [*mypy, "city_street_noise"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_scaffolded_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        scaffold("noise", tmp_path)
    with pytest.raises(BadRequestDataError, match="'Noise!'"):
        scaffold("Noise!", tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
