"""The entities of SensorThings, and the objects that they are (18-088, 8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from conurb.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Navigation:
    """A link from one entity to others: their set's name, and whether there may be many."""

    kind: str
    many: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity: the name of its set and of one, its object type, properties and links.

    `term` is None for what is history of another object.
    """

    plural: str
    singular: str
    term: str | None
    properties: tuple[str, ...]
    navigations: Mapping[str, Navigation] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def _one(kind: str) -> Navigation:
    return Navigation(kind, many=False)


def _many(kind: str) -> Navigation:
    return Navigation(kind, many=True)


THINGS: Final = Kind(
    "Things",
    "Thing",
    "Device",
    ("name", "description", "properties"),
    {
        "Datastreams": _many("Datastreams"),
        "Locations": _many("Locations"),
        "HistoricalLocations": _many("HistoricalLocations"),
    },
    ("name", "description"),
)
LOCATIONS: Final = Kind(
    "Locations",
    "Location",
    "PointOfInterest",
    ("name", "description", "encodingType", "location", "properties"),
    {"Things": _many("Things"), "HistoricalLocations": _many("HistoricalLocations")},
    ("name", "description", "encodingType", "location"),
)
HISTORICAL_LOCATIONS: Final = Kind(
    "HistoricalLocations",
    "HistoricalLocation",
    None,
    ("time",),
    {"Thing": _one("Things"), "Locations": _many("Locations")},
)
DATASTREAMS: Final = Kind(
    "Datastreams",
    "Datastream",
    "DeviceMeasurement",
    (
        "name",
        "description",
        "observationType",
        "unitOfMeasurement",
        "observedArea",
        "phenomenonTime",
        "resultTime",
        "properties",
    ),
    {
        "Thing": _one("Things"),
        "Sensor": _one("Sensors"),
        "ObservedProperty": _one("ObservedProperties"),
        "Observations": _many("Observations"),
    },
    ("name", "description", "observationType", "unitOfMeasurement"),
)
SENSORS: Final = Kind(
    "Sensors",
    "Sensor",
    "DeviceModel",
    ("name", "description", "encodingType", "metadata", "properties"),
    {"Datastreams": _many("Datastreams")},
    ("name", "description", "encodingType", "metadata"),
)
OBSERVED_PROPERTIES: Final = Kind(
    "ObservedProperties",
    "ObservedProperty",
    "ObservableProperty",
    ("name", "definition", "description", "properties"),
    {"Datastreams": _many("Datastreams")},
    ("name", "definition", "description"),
)
OBSERVATIONS: Final = Kind(
    "Observations",
    "Observation",
    None,
    (
        "phenomenonTime",
        "resultTime",
        "result",
        "resultQuality",
        "validTime",
        "parameters",
    ),
    {"Datastream": _one("Datastreams"), "FeatureOfInterest": _one("FeaturesOfInterest")},
    ("result",),
)
FEATURES: Final = Kind(
    "FeaturesOfInterest",
    "FeatureOfInterest",
    "PointOfInterest",
    ("name", "description", "encodingType", "feature", "properties"),
    {"Observations": _many("Observations")},
    ("name", "description", "encodingType", "feature"),
)

KINDS: Final[dict[str, Kind]] = {
    kind.plural: kind
    for kind in (
        THINGS,
        LOCATIONS,
        HISTORICAL_LOCATIONS,
        DATASTREAMS,
        SENSORS,
        OBSERVED_PROPERTIES,
        OBSERVATIONS,
        FEATURES,
    )
}

LINKS: Final[dict[tuple[str, str], str]] = {
    ("Datastreams", "Thing"): "refDevice",
    ("Datastreams", "Sensor"): "refDeviceModel",
    ("Datastreams", "ObservedProperty"): "refObservableProperty",
    ("Things", "Locations"): "refPointOfInterest",
}
"""(set, link) to the relationship of the object that holds it."""

REVERSED: Final[dict[tuple[str, str], str]] = {
    ("Things", "Datastreams"): "refDevice",
    ("Sensors", "Datastreams"): "refDeviceModel",
    ("ObservedProperties", "Datastreams"): "refObservableProperty",
    ("Locations", "Things"): "refPointOfInterest",
}
"""(set, link) to the relationship of the linked object that points back."""


def get_kind(plural: str) -> Kind:
    """Give the kind of a set; raise NotFoundError when there is no such set."""
    kind = KINDS.get(plural)
    if kind is None:
        raise NotFoundError(f"there is no set {plural!r:.100}; sets: {', '.join(KINDS)}")
    return kind
