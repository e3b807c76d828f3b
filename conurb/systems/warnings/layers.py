"""What the map shows of warnings: alerts, regional events, forecasts of arrival, stations' air."""

from __future__ import annotations

from functools import partial
from typing import Final

from conurb.model.portrayal import Class, Layer
from conurb.systems.warnings.quality.air import CLASSES

GROUP: Final = {"en": "Warnings", "zh": "预警"}

SEVERITY: Final = (
    Class.of("informational", "#9aa5b1", "Information", "信息"),
    Class.of("low", "#3b82c4", "Minor (blue)", "一般(蓝)"),
    Class.of("medium", "#f2c230", "Moderate (yellow)", "较重(黄)"),
    Class.of("high", "#f07d1a", "Severe (orange)", "严重(橙)"),
    Class.of("critical", "#d2232a", "Extreme (red)", "特别严重(红)"),
)
"""The four colours of China's warnings (blue, yellow, orange, red), and grey for information."""

_OURS: Final = "Conurb, from the alerts and observations of the region's nodes"
_LICENCE: Final = "as the region publishes it"

_layer = partial(Layer, group=GROUP, licence=_LICENCE)

LAYERS: Final = (
    _layer(
        id="warnings-events",
        type="RegionalEvent",
        title={"en": "Regional events", "zh": "区域事件"},
        form="fill",
        source=f"{_OURS}; simulated and replayed events say so",
        attribute="severity",
        attributes=("name", "severity", "validFrom", "validTo", "statementCount", "acknowledged"),
        label="name",
        q='alertState=="active"',
        classes=SEVERITY,
        categorical=True,
        visible=True,
        order=20,
    ),
    _layer(
        id="warnings-alerts",
        type="Alert",
        title={"en": "Alerts in force", "zh": "生效预警"},
        form="fill",
        source=f"{_OURS}; simulated and replayed alerts say so",
        attribute="severity",
        attributes=("headline", "severity", "sender", "validFrom", "validTo", "acknowledged"),
        label="headline",
        q='alertState=="active";capDocument',
        classes=SEVERITY,
        categorical=True,
        order=30,
    ),
    _layer(
        id="warnings-arrival",
        type="ArrivalForecast",
        title={"en": "Forecast arrival of pollution (modelled)", "zh": "污染到达预报(模型)"},
        form="circle",
        source="Conurb: advection by observed wind; travel time along the river graph",
        attribute="leadTime",
        attributes=(
            "name",
            "arrivalAt",
            "arrivalEarliest",
            "arrivalLatest",
            "arrivalProbability",
            "medium",
            "note",
        ),
        label="name",
        classes=(
            Class.of(0, "#7a0177", "Within 6 hours", "6小时内"),
            Class.of(6, "#c51b8a", "6 to 24 hours", "6至24小时"),
            Class.of(24, "#f768a1", "1 to 3 days", "1至3天"),
            Class.of(72, "#fbb4b9", "Later", "更晚"),
        ),
        provenance="modelled",
        visible=True,
        order=40,
    ),
    _layer(
        id="warnings-air",
        type="AirQualityObserved",
        title={"en": "Air quality index", "zh": "空气质量指数"},
        form="circle",
        source="Stations of the region's nodes; index by HJ 633. Replayed and simulated "
        "stations say so",
        attribute="airQualityIndex",
        attributes=("name", "airQualityIndex", "primaryPollutant", "pm25", "pm10", "o3", "note"),
        label="name",
        classes=tuple(Class(float(one.index_min), one.colour, one.name) for one in CLASSES),
        fresh_s=3 * 3600,
        visible=True,
        order=50,
    ),
)
