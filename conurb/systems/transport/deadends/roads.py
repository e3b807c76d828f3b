"""Road lines and areas: what dead ends are sought in. Read from GeoJSON, or from objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from conurb.errors import InvalidRequestError

LINES_MAX: Final = 2_000_000
ONEWAY: Final = frozenset({"yes", "true", "1", True})

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RoadLine:
    """A road, or a piece of one: its points in degrees, in the direction of travel if one-way."""

    id: str
    path: tuple[Place, ...]
    name: str = ""
    ref: str = ""
    road_class: str = ""
    oneway: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """An administrative area: its id, its name, its polygons (GeoJSON), how many live there."""

    id: str
    name: str
    shape: Mapping[str, Any]
    population: float | None = None


def read_roads(path: Path) -> list[RoadLine]:
    """Read the lines of a GeoJSON of roads, with properties as OpenStreetMap's tags.

    Features that aren't lines are passed over. Raises InvalidRequestError when it is no GeoJSON.
    """
    try:
        features = orjson.loads(path.read_bytes())["features"]
        return list(lines_of(features))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"{path} is not a GeoJSON of roads: {error}") from error


def lines_of(features: Iterable[Mapping[str, Any]]) -> Iterable[RoadLine]:
    """Give the roads of GeoJSON features, a MultiLineString as several."""
    for number, feature in enumerate(features):
        shape = feature.get("geometry") or {}
        said = feature.get("properties") or {}
        if shape.get("type") == "LineString":
            parts = [shape["coordinates"]]
        elif shape.get("type") == "MultiLineString":
            parts = shape["coordinates"]
        else:
            continue
        if number >= LINES_MAX:
            raise ValueError(f"over {LINES_MAX} roads")
        base = str(said.get("@id") or said.get("id") or feature.get("id") or number)
        for part, points in enumerate(parts):
            if len(points) > 1:
                yield RoadLine(
                    id=base if len(parts) == 1 else f"{base}-{part}",
                    path=tuple((point[0], point[1]) for point in points),
                    name=str(said.get("name") or ""),
                    ref=str(said.get("ref") or ""),
                    road_class=str(said.get("highway") or said.get("roadClass") or ""),
                    oneway=said.get("oneway") in ONEWAY,
                )


def refs_of(line: RoadLine) -> frozenset[str]:
    """Give the numbers of a road: `G40;G42` has two."""
    return frozenset(part.strip() for part in line.ref.split(";") if part.strip())


def length_of(points: Sequence[Place]) -> float:
    """Measure a line in metres."""
    from conurb.systems.transport.measure import distance_m

    return sum(distance_m(*a, *b) for a, b in itertools.pairwise(points))
