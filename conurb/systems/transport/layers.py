"""What of transport is on the map."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from conurb.model.portrayal import Class, Layer

GROUP: Final[Mapping[str, str]] = {"en": "Transport", "zh": "交通"}
SOURCE: Final = "as each object's source says"
LICENCE: Final = "as each source's licence says"

_layer = partial(Layer, group=GROUP, source=SOURCE, licence=LICENCE)

_STATES: Final = (
    Class.of("smooth", "#2a9d4a", "Smooth", "畅通"),
    Class.of("slow", "#e9c11f", "Fairly smooth", "较畅通"),
    Class.of("crowded", "#ef8a1d", "Crowded", "拥挤"),
    Class.of("blocked", "#c1121f", "Blocked", "堵塞"),
)
_LIVE_S: Final = 1_200


LAYERS: Final = (
    _layer(
        id="road-state",
        type="TrafficFlowObserved",
        title={"en": "Traffic on elevated and surface roads", "zh": "高架与地面道路路况"},
        form="line",
        attribute="trafficState",
        attributes=("name", "trafficIndex", "averageVehicleSpeed", "dateObserved", "note"),
        label="name",
        q="refRoadSegment",
        classes=_STATES,
        categorical=True,
        fresh_s=_LIVE_S,
        visible=True,
        order=20,
    ),
    _layer(
        id="road-state-areas",
        type="TrafficFlowObserved",
        title={"en": "Traffic by area", "zh": "区域道路路况"},
        form="circle",
        attribute="trafficState",
        attributes=("name", "trafficIndex", "dateObserved", "note"),
        label="name",
        q="!refRoadSegment",
        classes=_STATES,
        categorical=True,
        fresh_s=_LIVE_S,
        order=21,
    ),
    _layer(
        id="transit-lines",
        type="GtfsRoute",
        title={"en": "Metro and bus lines", "zh": "轨道与公交线路"},
        form="line",
        attributes=("name", "shortName", "routeType", "operatedBy"),
        label="shortName",
        colour="#3d5a80",
        visible=True,
        order=30,
    ),
    _layer(
        id="transit-stops",
        type="GtfsStop",
        title={"en": "Stops", "zh": "站点"},
        form="circle",
        attributes=("name", "code", "hasParentStation"),
        label="name",
        colour="#293241",
        order=31,
    ),
    _layer(
        id="vehicles",
        type="Vehicle",
        title={"en": "Vehicles in service", "zh": "运行车辆"},
        form="circle",
        attributes=("name", "hasRoute", "speed", "serviceStatus", "occupancy"),
        label="name",
        colour="#7b2cbf",
        fresh_s=120,
        order=32,
    ),
    _layer(
        id="parking",
        type="OffStreetParking",
        title={"en": "Free spots in car parks", "zh": "停车场空位"},
        form="circle",
        attribute="availableSpotNumber",
        attributes=("name", "availableSpotNumber", "totalSpotNumber", "status"),
        label="name",
        classes=(
            Class.of(0, "#c1121f", "Full", "已满"),
            Class.of(1, "#ef8a1d", "Few", "紧张"),
            Class.of(20, "#e9c11f", "Some", "较少"),
            Class.of(100, "#2a9d4a", "Many", "充足"),
        ),
        fresh_s=900,
        order=40,
    ),
    _layer(
        id="toll-stations",
        type="TollStation",
        title={"en": "Toll stations", "zh": "收费站"},
        form="circle",
        attribute="queueLength",
        attributes=("name", "queueLength", "laneOpenNumber", "status"),
        label="name",
        classes=(
            Class.of(0, "#2a9d4a", "No queue", "无排队"),
            Class.of(100, "#e9c11f", "Over 100 m", "排队逾百米"),
            Class.of(300, "#ef8a1d", "Over 300 m", "排队逾三百米"),
            Class.of(1000, "#c1121f", "Over 1 km", "排队逾一公里"),
        ),
        fresh_s=900,
        order=41,
    ),
    _layer(
        id="dead-ends",
        type="RoadGap",
        title={"en": "Dead-end roads at borders", "zh": "省市界断头路"},
        form="line",
        attribute="gapScore",
        attributes=("name", "gapLength", "detourLength", "peopleServed", "gapScore", "note"),
        label="name",
        classes=(
            Class.of(0, "#f4a3a8", "Minor", "轻微"),
            Class.of(1, "#e5535f", "Costly", "较重"),
            Class.of(10, "#9b0a1c", "Severe", "严重"),
        ),
        provenance="modelled",
        visible=True,
        order=10,
    ),
)
