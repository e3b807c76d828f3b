"""What the tests of regions share."""

from __future__ import annotations

from pathlib import Path

import pytest

from conurb.regions.pack import Pack, read_pack

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def yrd() -> Pack:
    """Give the pack that ships."""
    return read_pack("yrd")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real data beside the repository, or skip."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data, ../shared/data, isn't there")
    return SHARED
