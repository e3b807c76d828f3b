"""A region pack as objects: a `Region`, and a `City` per city with its figures as history.

A figure of a year is an instance of an attribute: value in the base unit with `unitCode`,
`observedAt` at the last second of the year in the region's time zone, and sub-attributes `period`
("2015"), `source`, and `seriesBreak` where it can't be compared with the years before. The end of
the year, because a figure of a year isn't known before it is over, and because the last second
falls into the same year in UTC as in the region. An attribute with one source has the default
instance; with several sources, each instance has a datasetId that names source and scale, so that
none of them is silently the figure.

A city's boundary is the default instance of `location`, its centre point the instance with the
datasetId `CENTRE`: which city am I in, and what is near, are asked of the boundary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.grid import beidou_code, h3_cell
from conurb.model.time import parse_fixed
from conurb.regions.boundaries import parse
from conurb.regions.figures import Figure
from conurb.regions.pack import Centres, City, Definition, Pack

CENTRE: Final = "urn:ngsi-ld:dataset:region-pack:centre"
"""The datasetId of a city's centre point in `location`."""

ESTIMATED: Final = Centres(
    "estimated from the boundaries of the urban districts",
    "their centroids, each counting by the inverse of its area",
    {},
)
"""What is said of a centre that no source states."""

H3_RESOLUTION: Final = 7
"""Of the cell of a city's centre: edges of 1.4 km, as exact as the centre itself."""

BEIDOU_LEVEL: Final = 4
"""Of the grid code of a city's centre: one minute of arc."""

Expand = Callable[[str], str]
"""Gives the IRI of a term, by the platform's @context."""


def city_id(city: str) -> str:
    """Give the id of a city's object.

    >>> city_id("shanghai")
    'urn:ngsi-ld:City:shanghai:shanghai'
    """
    return f"urn:ngsi-ld:City:{city}:{city}"


def region_id(region: str) -> str:
    """Give the id of a region's object."""
    return f"urn:ngsi-ld:Region:{region}:{region}"


def region_scope(region: str) -> str:
    """Give the scope of a region's objects."""
    return f"/{_level(region)}"


def city_scope(region: str, city: str) -> str:
    """Give the scope of a city's objects; what no level may hold is an underscore.

    >>> city_scope("yrd", "suzhou-jiangsu")
    '/yrd/suzhou_jiangsu'
    """
    return f"{region_scope(region)}/{_level(city)}"


def _level(name: str) -> str:
    """Write a name as a level of a scope: a letter, then letters, numbers and underscores."""
    level = "".join(letter if letter.isalnum() else "_" for letter in name)
    return level if level[:1].isalpha() else f"r{level}"


def end_of_year(year: int, zone: ZoneInfo) -> str:
    """Give the last second of a year in a time zone, in fixed-width UTC.

    >>> end_of_year(2015, ZoneInfo("Asia/Shanghai"))
    '2015-12-31T15:59:59.000000Z'
    """
    return parse_fixed(datetime(year, 12, 31, 23, 59, 59, tzinfo=zone).isoformat())


def city_object(pack: Pack, city: City, expand: Expand) -> Entity:
    """Build a city's object without its figures."""
    definition = pack.definition
    boundary_source = _text(str(pack.provenance["source"]))
    centres = definition.find_centres(city.id) or ESTIMATED
    centre: Instance = {
        "type": "GeoProperty",
        "value": {"type": "Point", "coordinates": list(city.centre)},
        "datasetId": CENTRE,
        expand("source"): [_text(centres.source)],
    }
    if centres.note is not None:
        centre[expand("note")] = [_text(centres.note)]
    attrs: dict[str, list[Instance]] = {
        "name": [{"type": "LanguageProperty", "languageMap": dict(city.name)}],
        "province": [{"type": "LanguageProperty", "languageMap": dict(city.province)}],
        "administrativeCode": [_text(city.code)],
        "location": [
            {
                "type": "GeoProperty",
                "value": dict(city.boundary),
                expand("source"): [boundary_source],
            },
            centre,
        ],
        "h3": [_text(h3_cell(*city.centre, resolution=H3_RESOLUTION))],
        "beidouGrid": [_text(beidou_code(*city.centre, level=BEIDOU_LEVEL))],
        "isPartOf": [{"type": "Relationship", "object": region_id(definition.id)}],
    }
    if city.groups:
        attrs["memberOf"] = [{"type": "Property", "value": list(city.groups)}]
    if city.role is not None:
        attrs["role"] = [_text(city.role)]
    for fact in definition.facts:
        if city.id in fact.values:
            attrs[fact.attribute] = [
                {
                    "type": "Property",
                    "value": fact.values[city.id],
                    expand("source"): [_text(fact.source)],
                    **({expand("note"): [_text(fact.note)]} if fact.note else {}),
                }
            ]
    return Entity(
        city_id(city.id),
        (expand("City"),),
        _expanded(attrs, expand),
        scope=(city_scope(definition.id, city.id),),
    )


def region_object(pack: Pack, expand: Expand) -> Entity:
    """Build the region's own object: its names, its cities, its outline."""
    definition = pack.definition
    shapes = np.array([parse(city.boundary) for city in pack.cities], dtype=object)
    outline = json.loads(shapely.to_geojson(shapely.coverage_union_all(shapes)))
    attrs: dict[str, list[Instance]] = {
        "name": [{"type": "LanguageProperty", "languageMap": dict(definition.name)}],
        "location": [
            {
                "type": "GeoProperty",
                "value": {"type": outline["type"], "coordinates": outline["coordinates"]},
                expand("source"): [_text(str(pack.provenance["source"]))],
            }
        ],
        "hasPart": [
            {
                "type": "ListRelationship",
                "objectList": [city_id(city.id) for city in pack.cities],
            }
        ],
    }
    if definition.groups:
        attrs["groups"] = [{"type": "JsonProperty", "json": _groups(definition)}]
    return Entity(
        region_id(definition.id),
        (expand("Region"),),
        _expanded(attrs, expand),
        scope=(region_scope(definition.id),),
    )


def figure_history(figures: Iterable[Figure], zone: ZoneInfo, expand: Expand) -> Attributes:
    """Build the history of one city's figures: attribute to its instances, in order of time."""
    attrs: Attributes = {}
    for figure in figures:
        attrs.setdefault(expand(figure.column.attribute), []).append(
            _figure_instance(figure, zone, expand)
        )
    for instances in attrs.values():
        instances.sort(key=lambda one: (one.get("datasetId") or "", one["observedAt"]))
    return attrs


def _figure_instance(figure: Figure, zone: ZoneInfo, expand: Expand) -> Instance:
    column = figure.column
    instance: Instance = {
        "type": "Property",
        "value": figure.value,
        "observedAt": end_of_year(figure.year, zone),
        expand("period"): [_text(str(figure.year))],
        expand("source"): [_text(column.source.title)],
    }
    if column.unit is not None:
        instance["unitCode"] = column.unit
    if column.dataset is not None:
        instance["datasetId"] = column.dataset
    if figure.breaks:
        said = "; ".join(f"{one.kind}: {one.note}" for one in figure.breaks)
        instance[expand("seriesBreak")] = [_text(said)]
    return instance


def _groups(definition: Definition) -> list[dict[str, Any]]:
    return [
        {
            "id": group.id,
            "name": dict(group.name),
            "source": group.source,
            "cities": list(group.cities),
        }
        for group in definition.groups
    ]


def _text(value: str) -> Instance:
    return {"type": "Property", "value": value}


def _expanded(attrs: dict[str, list[Instance]], expand: Expand) -> Attributes:
    return {expand(name): instances for name, instances in attrs.items()}
