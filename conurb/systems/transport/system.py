"""The transport system, as a node runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from conurb.systems.contract import REGION, Connector, Health, Schedule, Site, System
from conurb.systems.transport.endpoints import ENDPOINTS
from conurb.systems.transport.layers import LAYERS
from conurb.systems.transport.types import TYPES

if TYPE_CHECKING:
    from conurb.model.changes import Operation

DAY_S: Final = 86_400.0
SEEKING_S: Final = 600.0


def _connectors(site: Site) -> Sequence[Connector]:
    from conurb.systems.transport.connectors import connectors

    return connectors(site)


def _replays(site: Site) -> Sequence[Connector]:
    from conurb.systems.transport.connectors import replays

    return replays(site)


async def _prepare(site: Site) -> None:
    from conurb.systems.transport.connectors import prepare

    site.memory.setdefault("started_us", site.now_us())
    await prepare(site)


async def _seek(site: Site, _due_us: int) -> Sequence[Operation]:
    from conurb.systems.transport.seeking import seek

    return await seek(site)


async def _health(site: Site) -> Health:
    """Say how large the network in use is."""
    from conurb.systems.transport.regional import figures_of

    return Health(figures=figures_of(site))


SYSTEM: Final = System(
    name="transport",
    title={"en": "Transport", "zh": "交通"},
    summary={
        "en": "Timetables, live roads and vehicles, one network across borders, dead-end roads.",
        "zh": "时刻表、实时路况与车辆、跨界一体路网、断头路。",
    },
    types=TYPES,
    schedules=(Schedule("dead-ends", DAY_S, _seek, REGION, SEEKING_S),),
    connectors=_connectors,
    replays=_replays,
    endpoints=ENDPOINTS,
    layers=LAYERS,
    commands="conurb.systems.transport.commands:app",
    prepare=_prepare,
    health=_health,
)
