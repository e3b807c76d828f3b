"""What the map shows of warnings: alerts, regional events, forecasts of arrival, stations' air."""

from __future__ import annotations

from typing import Final

from conurb.model.portrayal import Class, Layer
from conurb.systems.warnings.quality.air import CLASSES

GROUP: Final = {"en": "Warnings", "zh": "预警"}

SEVERITY: Final = (
    Class("informational", "#9aa5b1", {"en": "Information", "zh": "信息"}),
    Class("low", "#3b82c4", {"en": "Minor (blue)", "zh": "一般(蓝)"}),
    Class("medium", "#f2c230", {"en": "Moderate (yellow)", "zh": "较重(黄)"}),
    Class("high", "#f07d1a", {"en": "Severe (orange)", "zh": "严重(橙)"}),
    Class("critical", "#d2232a", {"en": "Extreme (red)", "zh": "特别严重(红)"}),
)
"""The four colours of China's warnings (blue, yellow, orange, red), and grey for information."""

_OURS: Final = "Conurb, from the alerts and observations of the region's nodes"
_LICENCE: Final = "as the region publishes it"

LAYERS: Final = (
    Layer(
        id="warnings-events",
        type="RegionalEvent",
        title={"en": "Regional events", "zh": "区域事件"},
        group=GROUP,
        form="fill",
        source=f"{_OURS}; simulated and replayed events say so",
        licence=_LICENCE,
        attribute="severity",
        attributes=("name", "severity", "validFrom", "validTo", "statementCount", "acknowledged"),
        label="name",
        q='alertState=="active"',
        classes=SEVERITY,
        categorical=True,
        visible=True,
        order=20,
    ),
    Layer(
        id="warnings-alerts",
        type="Alert",
        title={"en": "Alerts in force", "zh": "生效预警"},
        group=GROUP,
        form="fill",
        source=f"{_OURS}; simulated and replayed alerts say so",
        licence=_LICENCE,
        attribute="severity",
        attributes=("headline", "severity", "sender", "validFrom", "validTo", "acknowledged"),
        label="headline",
        q='alertState=="active";capDocument',
        classes=SEVERITY,
        categorical=True,
        order=30,
    ),
    Layer(
        id="warnings-arrival",
        type="ArrivalForecast",
        title={"en": "Forecast arrival of pollution (modelled)", "zh": "污染到达预报(模型)"},
        group=GROUP,
        form="circle",
        source="Conurb: advection by observed wind; travel time along the river graph",
        licence=_LICENCE,
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
            Class(0, "#7a0177", {"en": "Within 6 hours", "zh": "6小时内"}),
            Class(6, "#c51b8a", {"en": "6 to 24 hours", "zh": "6至24小时"}),
            Class(24, "#f768a1", {"en": "1 to 3 days", "zh": "1至3天"}),
            Class(72, "#fbb4b9", {"en": "Later", "zh": "更晚"}),
        ),
        provenance="modelled",
        visible=True,
        order=40,
    ),
    Layer(
        id="warnings-air",
        type="AirQualityObserved",
        title={"en": "Air quality index", "zh": "空气质量指数"},
        group=GROUP,
        form="circle",
        source="Stations of the region's nodes; index by HJ 633. Replayed and simulated "
        "stations say so",
        licence=_LICENCE,
        attribute="airQualityIndex",
        attributes=("name", "airQualityIndex", "primaryPollutant", "pm25", "pm10", "o3", "note"),
        label="name",
        classes=tuple(Class(float(one.index_min), one.colour, one.name) for one in CLASSES),
        fresh_s=3 * 3600,
        visible=True,
        order=50,
    ),
)
