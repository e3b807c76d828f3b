"""Fixtures that every folder of tests may use."""

from __future__ import annotations

pytest_plugins = ["tests.services.postgres", "tests.services.mosquitto", "tests.services.region"]
