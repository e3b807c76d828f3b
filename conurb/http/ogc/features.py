"""An object as a GeoJSON feature: flat properties, one geometry (RFC 7946)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conurb.model.crs import CRS84, transformed
from conurb.model.render.flat import flat_row
from conurb.model.tiles.layer import geometry_of

if TYPE_CHECKING:
    from conurb.http.ogc.asking import Shown
    from conurb.model.context import Terms
    from conurb.model.entity import Entity
    from conurb.model.render.flat import FlatView


def feature_of(
    entity: Entity, terms: Terms, view: FlatView, shown: Shown, crs: str = CRS84
) -> dict[str, Any]:
    """Write an object as a feature."""
    return {
        "type": "Feature",
        "id": entity.id,
        "geometry": transformed(geometry_of(entity, shown.attribute, shown.dataset), crs),
        "properties": flat_row(entity, terms, view),
    }
