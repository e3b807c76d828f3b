"""Geometries on their way to PostGIS: GeoJSON to EWKB, longitude and latitude alone."""

from __future__ import annotations

import struct
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.entity import Entity

SRID: Final = 4326
_POINT: Final = struct.Struct("<BIIdd")
_POINT_WITH_SRID: Final = 0x20000001

Key = tuple[str, str]
"""(attribute, datasetId or '')."""


def ewkb(geometry: dict[str, Any]) -> bytes:
    """Write a GeoJSON geometry as EWKB; raise BadRequestDataError when it isn't one."""
    try:
        if geometry["type"] == "Point":
            longitude, latitude = geometry["coordinates"][:2]
            return _POINT.pack(1, _POINT_WITH_SRID, SRID, longitude, latitude)
        import shapely
        from shapely.geometry import shape

        flat = shapely.force_2d(shape(geometry))
        written: bytes = shapely.to_wkb(shapely.set_srid(flat, SRID), include_srid=True)
    except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise BadRequestDataError(
            f"geometry: {geometry!r:.200} can't be stored: {error}"
        ) from error
    return written


def geometries(entity: Entity | None) -> dict[Key, tuple[bool, dict[str, Any]]]:
    """Give the geometries of an entity's GeoProperties, and whether each is the first instance."""
    if entity is None:
        return {}
    return {
        (attribute, instance.get("datasetId") or ""): (number == 0, instance["value"])
        for attribute, instances in entity.attrs.items()
        for number, instance in enumerate(instances)
        if instance["type"] == "GeoProperty"
    }
