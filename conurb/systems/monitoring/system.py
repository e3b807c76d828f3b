"""The system monitoring: what a node needs to run it."""

from __future__ import annotations

from typing import Final

from conurb.systems.contract import System
from conurb.systems.monitoring.sensorthings.service import endpoints

TITLE: Final = {"en": "Monitoring", "zh": "监测"}

SYSTEM: Final = System(
    name="monitoring",
    title=TITLE,
    summary={
        "en": "Sensors of bridges, ground, water and air: what they say, and when it is wrong.",
        "zh": "桥梁、地面、水体与空气的传感器：测值与异常。",
    },
    endpoints=endpoints(),
)
