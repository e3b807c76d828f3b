"""From objects to the entities of SensorThings, and back: the one table of both directions.

A `Row` is one entity with the object that it is, or the instance of history. Times are written as
SensorThings wants them, an interval as `begin/end`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.changes import HistoryInstance
from conurb.model.entity import Entity, Instance, instance_value
from conurb.model.names import is_uri
from conurb.model.time import fixed, parse_us, shown, shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.monitoring.sensorthings.kinds import HISTORICAL_LOCATIONS, OBSERVATIONS, Kind

GEOJSON: Final = "application/geo+json"
GEOJSON_TYPES: Final = frozenset(
    {GEOJSON, "application/vnd.geo+json", "application/json", "application/geo json"}
)
NUMBER: Final = "numValue"
OTHER: Final = "textValue"
SEPARATOR: Final = "@"
"""Stands between the object and the time in the id of an entity that is history."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entity: its kind, the object that it is (or belongs to), and its instance of history."""

    kind: Kind
    entity: Entity
    instance: HistoryInstance | None = None

    @property
    def id(self) -> str:
        """Give the entity's id: the object's, or that of a moment of it."""
        if self.instance is None:
            return self.entity.id
        return moment_id(self.entity.id, self.instance.at_us)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a datastream has observations, in microseconds, and how many."""

    begin_us: int
    end_us: int
    count: int


def iri(term: str) -> str:
    """Give the IRI of a term."""
    return platform_terms().expand(term)


def moment_id(entity_id: str, at_us: int) -> str:
    """Name a moment of an object."""
    return f"{entity_id}{SEPARATOR}{at_us}"


def split_moment(moment: str) -> tuple[str, int]:
    """Take object and time out of the id of a moment; raise NotFoundError when it is none."""
    entity_id, separator, at = moment.rpartition(SEPARATOR)
    if not separator or not at.removeprefix("-").isdigit() or len(at) > 19:
        raise NotFoundError(f"{moment!r:.200} doesn't exist here")
    return entity_id, int(at)


def find_value(entity: Entity, term: str) -> Any:
    """Find the value of an attribute: of its default instance, else of its first."""
    instances = entity.attrs.get(iri(term))
    return instance_value(instances[0]) if instances else None


def linked_ids(entity: Entity, term: str) -> tuple[str, ...]:
    """Give the ids that a relationship of an object names."""
    found: list[str] = []
    for instance in entity.attrs.get(iri(term), ()):
        value = instance_value(instance)
        found += value if isinstance(value, list) else [value]
    return tuple(found)


def text_of(value: Any) -> str:
    """Give one text of a name: a LanguageProperty says it in several languages."""
    if isinstance(value, dict):
        chosen = value.get("en") or next(iter(value.values()), "")
        return chosen if isinstance(chosen, str) else str(chosen)
    return "" if value is None else str(value)


# ── from objects ──────────────────────────────────────────────────────────────────────────────


def properties_of(row: Row, span: Span | None = None) -> dict[str, Any]:
    """Write an entity's own properties; `span` is that of a datastream."""
    if row.kind is OBSERVATIONS:
        return _observation(row)
    if row.kind is HISTORICAL_LOCATIONS:
        assert row.instance is not None  # noqa: S101 - says it to the type checker
        return {"time": shown_us(row.instance.at_us)}
    return _BY_KIND[row.kind.plural](row.entity, span)


def _named(entity: Entity) -> dict[str, Any]:
    name = text_of(find_value(entity, "name")) or entity.id.rsplit(":", 1)[-1]
    return {"name": name, "description": text_of(find_value(entity, "description"))}


def _further(entity: Entity) -> dict[str, Any]:
    details = find_value(entity, "details")
    return {"properties": details} if isinstance(details, dict) else {}


def _thing(entity: Entity, _span: Span | None) -> dict[str, Any]:
    return _named(entity) | _further(entity)


def _place(entity: Entity, member: str) -> dict[str, Any]:
    given = find_value(entity, "encodedFeature")
    feature = given if given is not None else find_value(entity, "location")
    encoding = text_of(find_value(entity, "encodingType")) or GEOJSON
    return _named(entity) | {"encodingType": encoding, member: feature} | _further(entity)


def _location(entity: Entity, _span: Span | None) -> dict[str, Any]:
    return _place(entity, "location")


def _feature(entity: Entity, _span: Span | None) -> dict[str, Any]:
    return _place(entity, "feature")


def _sensor(entity: Entity, _span: Span | None) -> dict[str, Any]:
    metadata = find_value(entity, "documentation")
    encoding = text_of(find_value(entity, "encodingType")) or "text/html"
    return (
        _named(entity)
        | {"encodingType": encoding, "metadata": "" if metadata is None else metadata}
        | _further(entity)
    )


def _observed_property(entity: Entity, _span: Span | None) -> dict[str, Any]:
    named = _named(entity)
    definition = text_of(find_value(entity, "definition"))
    return {
        "name": named["name"],
        "definition": definition,
        "description": named["description"],
    } | _further(entity)


def _datastream(entity: Entity, span: Span | None) -> dict[str, Any]:
    unit = find_value(entity, "unitOfMeasurement")
    if not isinstance(unit, dict):
        symbol = find_value(entity, "unit")
        unit = {"name": symbol, "symbol": symbol, "definition": None}
    document = _named(entity) | {
        "observationType": text_of(find_value(entity, "observationType")) or MEASUREMENT,
        "unitOfMeasurement": unit,
    }
    area = find_value(entity, "location")
    if area is not None:
        document["observedArea"] = area
    if span is not None:
        document["phenomenonTime"] = interval(span.begin_us, span.end_us)
    return document | _further(entity)


MEASUREMENT: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


def interval(begin_us: int, end_us: int) -> str:
    """Write an interval of time."""
    return f"{shown_us(begin_us)}/{shown_us(end_us)}"


def _observation(row: Row) -> dict[str, Any]:
    assert row.instance is not None  # noqa: S101 - says it to the type checker
    instance = row.instance.instance
    assert instance is not None  # noqa: S101 - tombstones aren't observations
    end = _sub(instance, "phenomenonEnd")
    at = shown_us(row.instance.at_us)
    document: dict[str, Any] = {
        "phenomenonTime": at if end is None else f"{at}/{end}",
        "resultTime": _sub(instance, "resultTime"),
        "result": instance_value(instance),
    }
    for member in ("resultQuality", "validTime", "parameters"):
        value = _sub(instance, member)
        if value is not None:
            document[member] = value
    flag = _sub(instance, "qualityFlag")
    if flag is not None and "resultQuality" not in document:
        document["resultQuality"] = flag
    return document


def _sub(instance: Instance, term: str) -> Any:
    found = instance.get(iri(term))
    if not found:
        return None
    value = instance_value(found[0])
    return value["@value"] if isinstance(value, dict) and "@value" in value else value


def feature_of(row: Row) -> str | None:
    """Find the id of the feature that an observation is of: its own, or its datastream's."""
    assert row.instance is not None  # noqa: S101 - says it to the type checker
    own = _sub(row.instance.instance or {}, "refPointOfInterest")
    if isinstance(own, str):
        return own
    linked = linked_ids(row.entity, "refPointOfInterest")
    return linked[0] if linked else None


_BY_KIND: Final = {
    "Things": _thing,
    "Locations": _location,
    "FeaturesOfInterest": _feature,
    "Sensors": _sensor,
    "ObservedProperties": _observed_property,
    "Datastreams": _datastream,
}


# ── to objects ────────────────────────────────────────────────────────────────────────────────


def attributes_of(kind: Kind, given: dict[str, Any]) -> dict[str, Any]:
    """Write an entity's own properties as attributes of its object, as far as they are given.

    Raises BadRequestDataError naming the property that isn't as it should be.
    """
    strange = [
        name
        for name in given
        if name not in kind.properties and name not in kind.navigations and "@iot." not in name
    ]
    if strange:
        raise BadRequestDataError(f"{kind.singular} has no property {strange[0]!r:.100}")
    attributes: dict[str, Any] = {}
    for name, value in given.items():
        if name in _PLAIN and name in kind.properties:
            if not isinstance(value, str):
                raise BadRequestDataError(f"{kind.singular}: {name} is not a text")
            attributes[_PLAIN[name]] = {"type": "Property", "value": value}
        elif name in ("properties", "unitOfMeasurement"):
            if not isinstance(value, dict):
                raise BadRequestDataError(f"{kind.singular}: {name} is not an object")
            term = "details" if name == "properties" else name
            attributes[term] = {"type": "JsonProperty", "json": value}
        elif name in ("location", "feature", "observedArea"):
            attributes |= _geometry(kind, name, value)
        elif name == "metadata":
            attributes["documentation"] = _any_value(value)
    unit = given.get("unitOfMeasurement")
    if isinstance(unit, dict) and isinstance(unit.get("symbol"), str):
        attributes["unit"] = {"type": "Property", "value": unit["symbol"]}
    return attributes


_PLAIN: Final = {
    "name": "name",
    "description": "description",
    "encodingType": "encodingType",
    "definition": "definition",
    "observationType": "observationType",
}


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, dict | list):
        return {"type": "JsonProperty", "json": value}
    return {"type": "Property", "value": value}


def _geometry(kind: Kind, name: str, value: Any) -> dict[str, Any]:
    if name == "observedArea" and value is None:
        return {}
    if not isinstance(value, dict) or "type" not in value:
        raise BadRequestDataError(f"{kind.singular}: {name} is not GeoJSON")
    if value["type"] != "Feature":
        return {"location": {"type": "GeoProperty", "value": value}}
    whole = {"type": "JsonProperty", "json": value}
    return {
        "location": {"type": "GeoProperty", "value": value.get("geometry")},
        "encodedFeature": whole,
    }


def inherited(thing: Entity) -> dict[str, Any]:
    """Give what a Datastream takes over from its Thing: where it is, and the first feature."""
    attributes: dict[str, Any] = {}
    geometry = find_value(thing, "location")
    if geometry is not None:
        attributes["location"] = {"type": "GeoProperty", "value": geometry}
    places = linked_ids(thing, "refPointOfInterest")
    if places:
        attributes["refPointOfInterest"] = {"type": "Relationship", "object": places[0]}
    return attributes


def check_required(kind: Kind, given: dict[str, Any]) -> None:
    """Raise BadRequestDataError when a property is missing that an entity needs."""
    missing = [name for name in kind.required if given.get(name) is None]
    if missing:
        raise BadRequestDataError(f"{kind.singular}: {missing[0]} is missing")
    encoding = given.get("encodingType")
    if {"location", "feature"} & set(kind.required) and encoding not in GEOJSON_TYPES:
        raise BadRequestDataError(f"{kind.singular}: encodingType {encoding!r:.80} isn't known")


def observation_of(
    given: dict[str, Any], *, now_us: int, unit: str | None, feature: str | None
) -> tuple[str, dict[str, Any]]:
    """Write an observation as an instance; give its attribute's term and the instance.

    Raises BadRequestDataError when a time can't be read or there is no result.
    """
    strange = [name for name in given if name not in _OBSERVED and "@iot." not in name]
    if strange:
        raise BadRequestDataError(f"Observation has no property {strange[0]!r:.100}")
    if "result" not in given:
        raise BadRequestDataError("Observation: result is missing")
    result = given["result"]
    begin, end = _times(given.get("phenomenonTime"), "phenomenonTime", now_us)
    numeric = isinstance(result, int | float) and not isinstance(result, bool)
    instance: dict[str, Any] = {"observedAt": begin}
    if isinstance(result, dict | list) or result is None:
        instance |= {"type": "JsonProperty", "json": result}
    else:
        instance |= {"type": "Property", "value": result}
    if unit and numeric:
        instance["unitCode"] = unit
    if end is not None:
        instance["phenomenonEnd"] = {"type": "Property", "value": end}
    if given.get("resultTime") is not None:
        shown_result, _ = _times(given["resultTime"], "resultTime", now_us)
        instance["resultTime"] = {"type": "Property", "value": shown(shown_result)}
    for member in ("resultQuality", "validTime", "parameters"):
        if given.get(member) is not None:
            instance[member] = _any_value(given[member])
    if feature is not None:
        instance["refPointOfInterest"] = {"type": "Relationship", "object": feature}
    return (NUMBER if numeric else OTHER), instance


_OBSERVED: Final = frozenset(
    {*OBSERVATIONS.properties, *OBSERVATIONS.navigations, "FeatureOfInterest"}
)


def _times(given: Any, name: str, now_us: int) -> tuple[str, str | None]:
    """Read a time or an interval: begin in fixed width, end as it is shown."""
    if given is None:
        return fixed(now_us), None
    if not isinstance(given, str):
        raise BadRequestDataError(f"Observation: {name} {given!r:.100} is not a time")
    begin, slash, end = given.partition("/")
    return fixed(parse_us(begin, name=name)), shown_us(parse_us(end, name=name)) if slash else None


def given_id(given: dict[str, Any]) -> str | None:
    """Find the id that a client gives an entity; raise BadRequestDataError when it can't be one."""
    found = given.get("@iot.id")
    if found is None:
        return None
    text = str(found)
    if not is_uri(text) or any(mark in text for mark in "()'@"):
        raise BadRequestDataError(f"@iot.id: {text!r:.200} is not a URI without ( ) ' @")
    return text
