"""The door of the warnings system: everything that a node needs to run it.

Heavy libraries are imported where they are used, so that a node which only lists its systems
doesn't pay for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from conurb.systems.contract import (
    REGION,
    Attribute,
    Connector,
    Health,
    ObjectType,
    Reaction,
    Schedule,
    Site,
    System,
)
from conurb.systems.warnings.interface import ENDPOINTS
from conurb.systems.warnings.kinds import SEVERITIES
from conurb.systems.warnings.layers import LAYERS
from conurb.systems.warnings.states import ACTIONS

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.store.contract import Record

EXPIRE_S: Final = 30.0
REFRESH_S: Final = 600.0
_PACKAGE: Final = "conurb.systems.warnings"


def _reaction(module: str, name: str) -> Any:
    """Give a reaction that imports its module when it first reacts."""

    async def react(records: Sequence[Record], site: Site) -> Sequence[Operation]:
        found: Sequence[Operation] = await getattr(import_module(f"{_PACKAGE}.{module}"), name)(
            records, site
        )
        return found

    return react


async def _expire(site: Site, due_us: int) -> Sequence[Operation]:
    """Let alerts whose time is over expire."""
    module = import_module(f"{_PACKAGE}.expiring")
    found: Sequence[Operation] = await module.expire(site, due_us)
    return found


async def _refresh(site: Site, due_us: int) -> Sequence[Operation]:
    """Forecast anew by the wind that is now."""
    module = import_module(f"{_PACKAGE}.arrivals")
    found: Sequence[Operation] = await module.refresh(site, due_us)
    return found


OPTIONS: Final = frozenset(
    {"region", "feeds", "folder", "require_signature", "trusted_certificates", "require_trusted"}
    | {"signing_key", "signing_certificate", "air_limits", "air_margin", "alarms_from"}
    | {"traffic_from"}
)
"""What the table [system.warnings] may have."""


def _connectors(site: Site) -> Sequence[Connector]:
    """Give the sources of messages that the options name; raise ConfigError for an unknown one."""
    site.check_options(OPTIONS)
    if not {"feeds", "folder"} & set(site.options):
        return ()
    found: Sequence[Connector] = import_module(f"{_PACKAGE}.sources").connectors(site)
    return found


def _replays(site: Site) -> Sequence[Connector]:
    """Give what is replayed and simulated at a city's site."""
    found: Sequence[Connector] = import_module(f"{_PACKAGE}.replay").replays(site)
    return found


async def _prepare(site: Site) -> None:
    """Index what is asked for with every observation."""
    for term in ("alertState", "subCategory", "refRegionalEvent"):
        await site.node.store.ensure_index(site.expand(term))


async def _health(site: Site) -> Health:
    """Count what is in force."""
    module = import_module(f"{_PACKAGE}.querying")
    figures = {}
    for term, name in (("Alert", "alerts_active"), ("RegionalEvent", "events_active")):
        query = module.query_of(term, module.compare("alertState", "==", "active"))
        figures[name] = float(await module.count(site, query))
    return Health(figures=figures)


_STATE = Attribute(required=True)

SYSTEM: Final = System(
    name="warnings",
    title={"en": "Warnings", "zh": "预警"},
    summary={
        "en": "Alerts of many cities as one event: CAP in and out, rules for air and water, "
        "forecasts of arrival, and a duty desk.",
        "zh": "多城预警汇成一个区域事件:CAP收发、空气与水质规则、到达预报与值班台。",
    },
    types=(
        ObjectType(
            "RegionalEvent",
            {"en": "Regional event", "zh": "区域事件"},
            {
                "alertState": Attribute(choices=("active", "over", "merged", "withdrawn")),
                "severity": Attribute(choices=SEVERITIES),
            },
        ),
        ObjectType(
            "AlertStatement",
            {"en": "Statement of an alert", "zh": "预警陈述"},
            {"alertState": _STATE, "refAlert": Attribute("Relationship")},
        ),
        ObjectType(
            "ArrivalForecast",
            {"en": "Forecast of arrival", "zh": "到达预报"},
            {
                "arrivalAt": Attribute(required=True),
                "arrivalProbability": Attribute(low=0.0, high=1.0),
                "medium": Attribute(choices=("air", "water")),
            },
        ),
        ObjectType(
            "DutyAction",
            {"en": "Duty desk action", "zh": "值班操作"},
            {"actionKind": Attribute(required=True, choices=ACTIONS)},
        ),
    ),
    reactions=(
        Reaction("watch-air", _reaction("watch_air", "watch_air"), types=("AirQualityObserved",)),
        Reaction(
            "watch-water", _reaction("watch_water", "watch_water"), types=("WaterQualityObserved",)
        ),
        Reaction("pick-up-alarms", _reaction("alarms", "pick_up_alarms"), types=("Alert",)),
        Reaction(
            "hear",
            _reaction("regional", "hear"),
            types=("Alert",),
            runs_on=REGION,
            hears="region",
        ),
        Reaction(
            "merge",
            _reaction("regional", "merge_statements"),
            types=("AlertStatement",),
            runs_on=REGION,
        ),
        Reaction(
            "forecast",
            _reaction("arrivals", "forecast_events"),
            types=("RegionalEvent",),
            runs_on=REGION,
        ),
    ),
    schedules=(
        Schedule("expire", EXPIRE_S, _expire),
        Schedule("refresh", REFRESH_S, _refresh, runs_on=REGION),
    ),
    connectors=_connectors,
    replays=_replays,
    endpoints=ENDPOINTS,
    layers=LAYERS,
    commands=f"{_PACKAGE}.commands:app",
    prepare=_prepare,
    health=_health,
)
