"""Who asks a region is told which node didn't answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from conurb.app import build_host
from conurb.client.connection import IncompleteAnswerWarning, connect
from conurb.config import Settings
from conurb.federation.region import registrations_of
from conurb.model.registration import Registration

CONURB = str(Path(sys.executable).with_name("conurb"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the store of a region one of whose nodes can't be asked."""
    path = tmp_path / "region.db"

    async def register() -> None:
        host = build_host(Settings(store=str(path)))
        await host.open()
        registration = Registration(id="urn:x:far", endpoint="http://127.0.0.1:9", alias="far")
        await registrations_of(await host.node(None)).put(registration)
        await host.close()

    asyncio.run(register())
    return path


def test_a_notebook_gets_a_python_warning(store: Path) -> None:
    with connect(str(store)) as node, pytest.warns(IncompleteAnswerWarning, match="far"):
        assert node.query("City") == []


def test_a_program_can_take_it_itself(store: Path) -> None:
    said: list[str] = []
    with connect(str(store), warn=said.append) as node:
        node.query("City")
    [warning] = said
    assert warning.startswith("199 far ")


def test_the_command_line_says_it_beside_the_answer(store: Path) -> None:
    done = subprocess.run(
        [CONURB, "object", "query", "--type", "City", "--json", "--url", str(store)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]")
    assert "incomplete" in done.stderr
    assert "far" in done.stderr
