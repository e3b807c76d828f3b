"""The types of objects that transport owns, and what their objects must keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conurb.systems.contract import Attribute, ObjectType
from conurb.systems.transport.live import STATES

_LINK: Final = Attribute("Relationship")
_NEEDED: Final = Attribute("Relationship", required=True)
_PLACE: Final = Attribute("GeoProperty", required=True)
_SHAPE: Final = Attribute("GeoProperty")
_COUNT: Final = Attribute(low=0)


def _type(term: str, zh: str, en: str, attributes: Mapping[str, Attribute]) -> ObjectType:
    return ObjectType(term, {"en": en, "zh": zh}, attributes)


TYPES: Final = (
    _type("GtfsAgency", "公交运营机构", "Agency", {"name": Attribute(None, required=True)}),
    _type("GtfsStop", "公交站点", "Stop", {"location": _PLACE, "hasParentStation": _LINK}),
    _type("GtfsStation", "公交车站", "Station", {"location": _PLACE}),
    _type("GtfsRoute", "公交线路", "Route", {"routeType": Attribute(required=True)}),
    _type("GtfsService", "服务日历", "Service", {}),
    _type("GtfsCalendarRule", "运营日历", "Calendar rule", {"hasService": _NEEDED}),
    _type("GtfsCalendarDateRule", "日历例外", "Calendar exception", {"hasService": _NEEDED}),
    _type("GtfsShape", "行车路径", "Shape", {"location": _PLACE}),
    _type("GtfsTrip", "班次", "Trip", {"hasRoute": _NEEDED, "hasService": _NEEDED}),
    _type(
        "GtfsStopTime",
        "到站时刻",
        "Stop time",
        {"hasTrip": _NEEDED, "hasStop": _NEEDED, "stopSequence": Attribute(required=True, low=0)},
    ),
    _type(
        "GtfsFrequency",
        "发车间隔",
        "Frequency",
        {"hasTrip": _NEEDED, "headwaySeconds": Attribute(required=True, low=1)},
    ),
    _type("ArrivalEstimation", "到站预测", "Arrival estimation", {"hasTrip": _NEEDED}),
    _type(
        "Vehicle", "车辆", "Vehicle", {"location": _SHAPE, "bearing": Attribute(low=0, high=360)}
    ),
    _type("RoadSegment", "路段", "Road segment", {"location": _SHAPE}),
    _type(
        "TrafficFlowObserved",
        "交通流观测",
        "Traffic flow",
        {
            "location": _SHAPE,
            "averageVehicleSpeed": _COUNT,
            "trafficIndex": Attribute(low=0, high=100),
            "trafficState": Attribute(choices=STATES),
        },
    ),
    _type(
        "OffStreetParking",
        "停车场",
        "Car park",
        {"location": _SHAPE, "totalSpotNumber": _COUNT, "availableSpotNumber": _COUNT},
    ),
    _type(
        "BikeHireDockingStation",
        "公共自行车站",
        "Bike hire docking station",
        {"location": _SHAPE, "availableBikeNumber": _COUNT, "freeSlotNumber": _COUNT},
    ),
    _type(
        "TollStation",
        "收费站",
        "Toll station",
        {"location": _SHAPE, "laneOpenNumber": _COUNT, "queueLength": _COUNT},
    ),
    _type(
        "RoadGap",
        "断头路",
        "Dead-end road",
        {"location": _PLACE, "gapLength": Attribute(required=True, low=0)},
    ),
)
