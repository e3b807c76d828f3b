"""The system monitoring: what a node needs to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from conurb.systems.contract import (
    NODE,
    Attribute,
    Connector,
    Health,
    ObjectType,
    Reaction,
    Schedule,
    Site,
    System,
)
from conurb.systems.monitoring import asking
from conurb.systems.monitoring.layers import LAYERS
from conurb.systems.monitoring.rules import RULE_TYPE
from conurb.systems.monitoring.sensorthings import messages, service
from conurb.systems.monitoring.sources import gnss, json_values
from conurb.systems.monitoring.sources.replays import replays
from conurb.systems.monitoring.watch import listen_for_silence, unjudged, watch

OPTIONS: Final = frozenset({"broker", "json", "nmea", "rtcm", "replay_at", "replay_gnss_at"})
"""What the table [system.monitoring] may have."""

TITLE: Final = {"en": "Monitoring", "zh": "监测"}
TYPES: Final = (
    ObjectType("Device", {"en": "Device", "zh": "设备"}, {"location": Attribute("GeoProperty")}),
    ObjectType("DeviceModel", {"en": "Device model", "zh": "设备型号"}),
    ObjectType("ObservableProperty", {"en": "Observable property", "zh": "可观测属性"}),
    ObjectType(
        "DeviceMeasurement",
        {"en": "Measurement of a device", "zh": "设备测量"},
        {
            "numValue": Attribute(),
            "refDevice": Attribute("Relationship"),
            "location": Attribute("GeoProperty"),
        },
    ),
    RULE_TYPE,
)


async def health(site: Site) -> Health:
    """Say which rules can't be judged at present."""
    waiting = unjudged(site)
    detail = "; ".join(f"{rule}: {why}" for rule, why in list(waiting.items())[:3])
    return Health(detail=detail, figures={"rulesNotJudged": float(len(waiting))})


def connectors(site: Site) -> Sequence[Connector]:
    """Give the connectors that the site's options ask for.

    Raises ConfigError for an option that isn't known or isn't right.
    """
    site.check_options(OPTIONS)
    return (
        *messages.connectors(site),
        *json_values.connectors(site),
        *gnss.connectors(site),
    )


SYSTEM: Final = System(
    name="monitoring",
    title=TITLE,
    summary={
        "en": "Sensors of bridges, ground, water and air: what they say, and when it is wrong.",
        "zh": "桥梁、地面、水体与空气的传感器：测值与异常。",
    },
    types=TYPES,
    reactions=(
        Reaction(
            "watch",
            watch,
            types=("DeviceMeasurement", "DetectionRule"),
            runs_on=NODE,
            from_start=False,
            batch_max=200,
        ),
        Reaction(
            "publish",
            messages.publish,
            types=messages.PUBLISHED,
            runs_on=NODE,
            from_start=False,
        ),
    ),
    connectors=connectors,
    replays=replays,
    schedules=(Schedule("silence", 60.0, listen_for_silence, runs_on=NODE),),
    endpoints=(*service.endpoints(), *asking.endpoints()),
    layers=LAYERS,
    commands="conurb.systems.monitoring.commands:app",
    health=health,
)
