"""The transport system, as a node runs it."""

from __future__ import annotations

from typing import Final

from conurb.systems.contract import System

SYSTEM: Final = System(
    name="transport",
    title={"en": "Transport", "zh": "交通"},
    summary={
        "en": "Timetables, live roads and vehicles, one network across borders, dead-end roads",
        "zh": "时刻表、实时路况与车辆、跨界一体路网、断头路",
    },
)
