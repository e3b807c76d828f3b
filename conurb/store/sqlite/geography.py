"""Geographic conditions as SQL: R*Tree candidates, then the exact answer (match, point 8).

Points near a point are measured in SQL itself; every other relation is asked of GEOS, by a
function that is called for the candidates only.
"""

from __future__ import annotations

import math
from typing import Final

from conurb.model.geometry import EARTH_RADIUS_M, bounds, from_wkt
from conurb.model.query.tree import GeoCondition
from conurb.store.sqlite.sources import AsOf, Parameters, Reach, Source, conjunction

_MARGIN: Final = 1.001
"""The box around a distance is taken this much larger: what is at the border is measured."""


def current_predicate(reach: Reach, alias: str, condition: GeoCondition) -> str:
    """Compile a condition over current state: the entity is among those the R*Tree gives."""
    term = reach.term(condition.attribute)
    if term is None:
        return "0"
    parameters = reach.parameters
    exact = _exact(condition, "g.x", "g.y", "g.wkb", parameters)
    where = conjunction([f"g.attr = {term}", _candidates(condition, parameters), exact])
    return f"{alias}.eid IN (SELECT g.eid FROM geo g WHERE {where})"


def instance_predicate(body: str, condition: GeoCondition, parameters: Parameters) -> str:
    """Compile a condition over one instance's document."""
    value = f"({body} -> '$.value')"
    is_point = f"{value} ->> '$.type' = 'Point'"
    x = f"CASE WHEN {is_point} THEN {value} ->> '$.coordinates[0]' END"
    y = f"CASE WHEN {is_point} THEN {value} ->> '$.coordinates[1]' END"
    exact = _exact(condition, f"({x})", f"({y})", value, parameters)
    return f"({body} ->> '$.type' = 'GeoProperty' AND {exact})"


def as_of_predicate(source: AsOf, condition: GeoCondition) -> str:
    """Compile a condition over the state at a time."""
    return instances_predicate(source.reach, source, condition)


def instances_predicate(reach: Reach, source: Source, condition: GeoCondition) -> str:
    """Compile a condition over instances that stand in no R*Tree."""
    nodes = source.nodes(condition.attribute)
    if nodes is None:
        return "0"
    fits = instance_predicate(nodes.body, condition, reach.parameters)
    return f"EXISTS (SELECT 1 FROM {nodes.tables[0]} WHERE {' AND '.join((*nodes.where, fits))})"


def _exact(condition: GeoCondition, x: str, y: str, body: str, parameters: Parameters) -> str:
    wkt = parameters.add(condition.geometry_wkt)
    if condition.relation != "near":
        relation = parameters.add(condition.relation)
        general = f"conurb_relates({relation}, {wkt}, {x}, {y}, {body})"
        if condition.negated:
            return f"NOT {general}"
        box = _box(condition)
        if box is None:
            return general
        west, south, east, north = (parameters.add(one) for one in box)
        inside = f"{x} BETWEEN {west} AND {east} AND {y} BETWEEN {south} AND {north}"
        return f"(CASE WHEN {x} IS NOT NULL THEN {inside} ELSE {general} END)"
    distance = distance_expression(condition.geometry_wkt, x, y, body, parameters)
    parts = []
    if condition.distance_m_max is not None:
        parts.append(f"{distance} <= {parameters.add(condition.distance_m_max)}")
    if condition.distance_m_min is not None:
        parts.append(f"{distance} > {parameters.add(condition.distance_m_min)}")
    return conjunction(parts)


def _box(condition: GeoCondition) -> tuple[float, float, float, float] | None:
    """Give the box that a point has to lie in; None unless just that is asked."""
    if condition.relation != "intersects":
        return None
    reference = from_wkt(condition.geometry_wkt)
    west, south, east, north = bounds(reference)
    corners = {(west, south), (west, north), (east, south), (east, north)}
    rings = reference["coordinates"] if reference["type"] == "Polygon" else []
    is_box = len(rings) == 1 and len(rings[0]) == 5 and set(map(tuple, rings[0])) == corners
    return (west, south, east, north) if is_box else None


def distance_expression(wkt: str, x: str, y: str, body: str, parameters: Parameters) -> str:
    """Write the great-circle distance in metres of a geometry to a reference."""
    reference = from_wkt(wkt)
    general = f"conurb_distance({parameters.add(wkt)}, {x}, {y}, {body})"
    if reference["type"] != "Point":
        return general
    longitude, latitude = reference["coordinates"][:2]
    lon, lat = parameters.add(math.radians(longitude)), parameters.add(math.radians(latitude))
    cos_lat = parameters.add(math.cos(math.radians(latitude)))
    half_phi = f"((radians({y}) - {lat}) / 2)"
    half_lambda = f"((radians({x}) - {lon}) / 2)"
    h = (
        f"sin({half_phi}) * sin({half_phi}) + {cos_lat} * cos(radians({y})) "
        f"* sin({half_lambda}) * sin({half_lambda})"
    )
    of_point = f"{2 * EARTH_RADIUS_M!r} * asin(min(1.0, sqrt({h})))"
    return f"(CASE WHEN {x} IS NOT NULL THEN {of_point} ELSE {general} END)"


def _candidates(condition: GeoCondition, parameters: Parameters) -> str:
    """Bound the R*Tree by a box outside of which nothing can match; "1" without such a box."""
    if condition.is_elsewhere:
        return "1"
    west, south, east, north = bounds(from_wkt(condition.geometry_wkt))
    if condition.relation != "near":
        return _overlaps(west, south, east, north, parameters)
    if condition.distance_m_max is None:
        return "1"
    angle = condition.distance_m_max / EARTH_RADIUS_M * _MARGIN
    degrees = math.degrees(angle)
    south, north = south - degrees, north + degrees
    steepest = max(abs(south), abs(north))
    if steepest >= 90.0 or math.sin(angle) >= math.cos(math.radians(steepest)):
        return _overlaps(-180.0, south, 180.0, north, parameters)
    across = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(steepest))))
    west, east = west - across, east + across
    if west < -180.0 or east > 180.0:  # over the antimeridian: every longitude
        return _overlaps(-180.0, south, 180.0, north, parameters)
    return _overlaps(west, south, east, north, parameters)


def _overlaps(west: float, south: float, east: float, north: float, parameters: Parameters) -> str:
    return (
        f"g.east >= {parameters.add(west)} AND g.west <= {parameters.add(east)} "
        f"AND g.north >= {parameters.add(south)} AND g.south <= {parameters.add(north)}"
    )
