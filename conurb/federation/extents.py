"""Which nodes a geographic question needn't reach: those whose objects were measured elsewhere.

A node is left out by where its stored objects lie, as measured there, never by what was declared of
it while that is known; and never for types that move: a bus of one city is found in the next one. A
node of the process is measured again whenever it has changed; a node elsewhere says how old its
measure is, and that is said in the answer. Doubt (nothing measured, too old, a node that asks
others in turn) means that a node is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from conurb.model.geometry import EARTH_RADIUS_M, bounds, from_wkt
from conurb.model.query.tree import GeoCondition, Query, TypeIs, TypeSelection
from conurb.model.vocabulary import platform_terms
from conurb.store.extent import Extent, Kind

_MOVING: Final = (
    "Vehicle",
    "VehicleModel",
    "FleetVehicle",
    "FleetVehicleStatus",
    "Vessel",
    "Ship",
    "Aircraft",
    "Drone",
    "UnmannedAerialVehicle",
    "Train",
    "Person",
)
MOVING: Final = frozenset(map(platform_terms().expand, _MOVING))
"""Types that move by what they are, whatever was measured of them."""

MARGIN: Final = 1.01
"""The box around a distance is this much wider, so that rounding leaves nobody out."""

Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""


def box_of(geo: GeoCondition) -> Box | None:
    """Give the box outside of which nothing can stand in a relation; None when there is none."""
    if geo.is_elsewhere:
        return None
    west, south, east, north = bounds(from_wkt(geo.geometry_wkt))
    if geo.relation != "near":
        return west, south, east, north
    if geo.distance_m_max is None:
        return None
    reach = math.degrees(geo.distance_m_max / EARTH_RADIUS_M) * MARGIN
    south, north = south - reach, north + reach
    widest = math.cos(math.radians(min(90.0, max(abs(south), abs(north)))))
    across = reach / widest if widest > reach / 180 else 360.0
    if west - across < -180 or east + across > 180:
        return -180.0, south, 180.0, north
    return west - across, south, east + across, north


def types_of(query: Query) -> frozenset[str] | None:
    """Give the types that a query may find; None for any."""
    named: set[str] = set()
    for selector in query.selectors:
        if selector.types is None:
            return None
        named |= _named(selector.types)
    return frozenset(named) or None


def _named(selection: TypeSelection) -> set[str]:
    if isinstance(selection, TypeIs):
        return {selection.iri}
    return {iri for item in selection.items for iri in _named(item)}


def may_move(query: Query) -> bool:
    """Whether a query may find what moves by its type, or by a type that isn't said."""
    types = types_of(query)
    return types is None or not types.isdisjoint(MOVING)


def lies_elsewhere(kinds: Mapping[Kind, Extent], query: Query) -> bool:
    """Whether a node of which this was measured has nothing where a query asks for it."""
    if query.geo is None:
        return False
    box = box_of(query.geo)
    types = types_of(query)
    if box is None or (types is not None and not types.isdisjoint(MOVING)):
        return False
    return not any(
        extent.moves or type_ in MOVING or _meet(extent, box)
        for (type_, attribute), extent in kinds.items()
        if attribute == query.geo.attribute and (types is None or type_ in types)
    )


def _meet(extent: Extent, box: Box) -> bool:
    west, south, east, north = box
    return (
        extent.west <= east
        and extent.east >= west
        and extent.south <= north
        and extent.north >= south
    )


def written(kinds: Mapping[Kind, Extent]) -> list[dict[str, object]]:
    """Write what was measured as JSON."""
    return [
        {
            "type": type_,
            "attribute": attribute,
            "bbox": [one.west, one.south, one.east, one.north],
            "count": one.count,
            "moves": one.moves,
        }
        for (type_, attribute), one in sorted(kinds.items())
    ]


def read(items: Sequence[Mapping[str, object]]) -> dict[Kind, Extent]:
    """Read what another node has written; raise ValueError when it can't be."""
    found: dict[Kind, Extent] = {}
    for item in items:
        try:
            west, south, east, north = map(float, item["bbox"])  # type: ignore[call-overload]
            kind = str(item["type"]), str(item["attribute"])
            count = int(item["count"])  # type: ignore[call-overload]
            found[kind] = Extent(west, south, east, north, count, item["moves"] is not False)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no extent: {item!r:.200}") from error
    return found
