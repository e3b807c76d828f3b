"""Writes a new system: a package of its own, with an entry point, a system that runs, and a test.

What is written passes ruff, mypy and its own test as it stands; `docs/guide/system.md` goes on from
there. Nothing that exists is overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from conurb import __version__
from conurb.errors import AlreadyExistsError, BadRequestDataError
from conurb.systems.contract import NAME

PYPROJECT: Final = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "conurb-$name"
version = "0.1.0"
description = "The system $name for Conurb."
requires-python = ">=3.11"
dependencies = ["conurb>=$version"]

[project.entry-points."conurb.systems"]
$name = "$package.system:SYSTEM"

[tool.hatch.build.targets.wheel]
packages = ["$package"]

[tool.ruff]
line-length = 100

[tool.mypy]
strict = true

[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
pythonpath = ["."]
"""

INIT: Final = '''\
"""The system $name: a folder of its own, found by its entry point."""
'''

SYSTEM: Final = '''\
"""The system $name: what it owns, what it reacts to, and what it shows on the map."""

from collections.abc import Sequence

from conurb.model.changes import Operation
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.portrayal import Layer
from conurb.model.vocabulary import platform_terms
from conurb.store.contract import Record
from conurb.systems.contract import Attribute, ObjectType, Reaction, Site, System

TITLE = {"en": "$title", "zh": "$title"}


async def name_places(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """Write a note about each place that changes; its id derives from the place's."""
    notes = []
    for record in records:
        if record.after is not None:
            document = {
                "id": f"{record.entity_id}:$name",
                "type": "${type}Note",
                "refPointOfInterest": {"type": "Relationship", "object": record.entity_id},
                "note": f"seen by $name at {site.owner}",
            }
            notes.append(UpsertEntity(parse_entity(document, platform_terms())))
    return notes


SYSTEM = System(
    name="$name",
    title=TITLE,
    summary={"en": "Notes about places.", "zh": "地点的备注。"},
    types=(ObjectType("${type}Note", TITLE, {"note": Attribute(required=True)}),),
    reactions=(Reaction("name-places", name_places, types=("PointOfInterest",)),),
    layers=(
        Layer(
            id="$layer",
            type="PointOfInterest",
            title=TITLE,
            group=TITLE,
            form="circle",
            source="$name",
            licence="CC-BY-4.0",
        ),
    ),
)
'''

TEST: Final = '''\
"""The system $name at a node of its own."""

from pathlib import Path

from conurb.app import build_host
from conurb.config import Settings
from conurb.model.operations.entity import CreateEntity
from conurb.model.parse import parse_entity
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Site

PLACE = {"id": "urn:ngsi-ld:PointOfInterest:here:1", "type": "PointOfInterest", "name": "a place"}


async def test_a_place_that_changes_gets_a_note(tmp_path: Path) -> None:
    from $package.system import SYSTEM, name_places

    host = build_host(Settings(store=str(tmp_path / "node.db"), data_folder=tmp_path))
    await host.open()
    try:
        node = await host.node()
        await node.store.apply([CreateEntity(parse_entity(PLACE, platform_terms()))])
        site = Site(
            SYSTEM.name, node, SYSTEM.runs_on, outbound=node.delivery.outbound, folder=tmp_path
        )
        operations = await name_places(await node.store.journal(after=0), site)
        await node.store.apply(operations)
        note = await node.store.find(PLACE["id"] + ":$name")
    finally:
        await host.close()
    assert note is not None
    SYSTEM.types[0].examine(note)
'''

README: Final = """\
# $title

A system for Conurb. Install it beside Conurb, then switch it on:

    pip install -e .
    conurb system list
    conurb node serve --with $name
"""


def scaffold(name: str, folder: Path) -> list[Path]:
    """Write a new system into a folder that doesn't exist, or is empty; give what was written.

    Raises BadRequestDataError for a name that can't be one, AlreadyExistsError when something is
    there.
    """
    if not NAME.fullmatch(name):
        raise BadRequestDataError(
            f"{name!r} can't be a system's name: 2 to 32 lower-case letters, digits and '-', "
            "beginning with a letter"
        )
    if folder.exists() and any(folder.iterdir()):
        raise AlreadyExistsError(f"{folder} exists and isn't empty")
    package = f"city_{name.replace('-', '_')}"
    words = [part.capitalize() for part in name.split("-")]
    values = {
        "name": name,
        "package": package,
        "title": " ".join(words),
        "type": "".join(words),
        "layer": "-".join(filter(None, name.split("-"))) + "-places",
        "version": __version__,
    }
    written = {
        "pyproject.toml": PYPROJECT,
        "README.md": README,
        f"{package}/__init__.py": INIT,
        f"{package}/system.py": SYSTEM,
        "tests/test_system.py": TEST,
    }
    return [_write(folder / path, text, values) for path, text in written.items()]


def _write(path: Path, text: str, values: Mapping[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Template(text).substitute(values), encoding="utf-8")
    return path
