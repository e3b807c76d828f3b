"""Read a geoquery (ETSI GS CIM 009 v1.9.1, clause 4.10) and reference geometries (4.23)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.geometry import GEOMETRY_TYPES, check_geometry, to_wkt
from conurb.model.query.tree import AskedRelation, GeoCondition

if TYPE_CHECKING:
    from conurb.model.context import Terms

COORDINATES_LENGTH_MAX: Final = 1_000_000
"""Characters of the coordinates of one query."""
DEFAULT_GEOPROPERTY: Final = "location"
REFERENCE_TYPES: Final = tuple(sorted(GEOMETRY_TYPES - {"GeometryCollection"}))

_RELATIONS: Final = get_args(AskedRelation)
_DISTANCE: Final = re.compile(
    r"(minDistance|maxDistance)==((?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)", re.ASCII
)


def parse_geo(
    *,
    georel: str | None,
    geometry: str | None,
    coordinates: str | Sequence[Any] | None,
    geoproperty: str | None = None,
    terms: Terms,
) -> GeoCondition:
    """Read a geoquery; `coordinates` are a JSON text or the array that it says.

    `near` takes one of `maxDistance` and `minDistance`, in metres over 0. Raises
    BadRequestDataError naming the parameter, TooComplexQueryError over the bounds.
    """
    if georel is None or geometry is None or coordinates is None:
        raise BadRequestDataError(
            "geoquery: georel, geometry and coordinates go together; given are "
            f"georel={georel!r:.60}, geometry={geometry!r:.60}, coordinates={coordinates!r:.60}"
        )
    relation, *distances = georel.split(";")
    if relation not in _RELATIONS:
        raise BadRequestDataError(f"georel: {relation!r:.60} is none of {', '.join(_RELATIONS)}")
    bounds = _distances(relation, distances)
    return GeoCondition(
        attribute=terms.expand(geoproperty or DEFAULT_GEOPROPERTY),
        relation=cast(AskedRelation, relation),
        geometry_wkt=parse_geometry(geometry, coordinates),
        distance_m_min=bounds.get("minDistance"),
        distance_m_max=bounds.get("maxDistance"),
    )


def parse_geometry(
    kind: Any, coordinates: Any, *, names: tuple[str, str] = ("geometry", "coordinates")
) -> str:
    """Read a reference geometry as WKT; `names` are those of the two parameters.

    Raises BadRequestDataError when it isn't a GeoJSON geometry, or is a GeometryCollection.
    """
    if kind not in REFERENCE_TYPES:
        raise BadRequestDataError(
            f"{names[0]}: {kind!r:.60} is none of {', '.join(REFERENCE_TYPES)}"
        )
    if isinstance(coordinates, str):
        if len(coordinates) > COORDINATES_LENGTH_MAX:
            raise TooComplexQueryError(
                f"{names[1]}: {len(coordinates)} characters; at most {COORDINATES_LENGTH_MAX}"
            )
        try:
            coordinates = json.loads(coordinates)
        except (ValueError, RecursionError) as error:
            raise BadRequestDataError(
                f"{names[1]}: {coordinates!r:.100} is not a JSON array: {error}"
            ) from error
    if not isinstance(coordinates, list):
        raise BadRequestDataError(f"{names[1]}: {coordinates!r:.100} is not a JSON array")
    document = {"type": kind, "coordinates": coordinates}
    check_geometry(document, name=names[1])
    return to_wkt(document)


def _distances(relation: str, parts: list[str]) -> dict[str, float]:
    """Read what stands after `near`; nothing stands after another relation."""
    if relation != "near":
        if parts:
            raise BadRequestDataError(
                f"georel: {relation} takes nothing after it: {parts[0]!r:.60}"
            )
        return {}
    if not parts:
        raise BadRequestDataError("georel: near needs ;maxDistance==x or ;minDistance==x")
    match = _DISTANCE.fullmatch(parts[0]) if len(parts) == 1 else None
    value = float(match[2]) if match else 0.0
    if match is None or not 0 < value < math.inf:
        raise BadRequestDataError(
            f"georel: {';'.join(parts)!r:.60} is not one maxDistance==x or minDistance==x, "
            "with a number of metres over 0"
        )
    return {match[1]: value}
