"""A node, and a region of cities, for the tests of warnings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .nodes import At, a_region


@pytest.fixture(autouse=True)
def members_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for members as often as the test needs: these register after the start."""
    monkeypatch.setattr("conurb.systems.reactions.MEMBERS_S", 0.05)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[At]:
    async with a_region(tmp_path) as at:
        yield at


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[At]:
    async with a_region(tmp_path, "suzhou-jiangsu", "wuxi", "shanghai", "hefei") as at:
        yield at
