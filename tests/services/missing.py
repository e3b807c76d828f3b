"""What a test does when a service's program isn't installed."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Fail where the service must be there (CI=true), skip with the reason elsewhere."""
    reason = f"{what} is not installed; `make services` installs it"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
