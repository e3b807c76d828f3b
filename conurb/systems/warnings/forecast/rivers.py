"""The waters of the Delta as a graph: places, and the reaches that water flows between them.

Two files by hand, `delta/nodes.csv` and `delta/reaches.csv`: the Yangtze from Susong to the mouth,
the Xin'an, Fuchun and Qiantang with the Lan, and the basin of Tai Lake with what flows out of it.
Lengths are measured along the centre lines of Natural Earth where those have the river, else they
are great circles times a factor that the file names. Velocities are assumptions, slow, usual and
fast: for low, mean and high water of the reach as handbooks of the Delta's hydrology give it, not
measurements.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.geometry import haversine_m

NODES_FILE: Final = "nodes.csv"
REACHES_FILE: Final = "reaches.csv"


@dataclass(frozen=True, slots=True)
class RiverNode:
    """A place on a water: names, longitude, latitude, and the city that it is of."""

    id: str
    name: Mapping[str, str]
    longitude: float
    latitude: float
    city: str


@dataclass(frozen=True, slots=True)
class Reach:
    """The way of water from one place to the next; velocities in m/s."""

    begin: str
    end: str
    river: str
    length_m: float
    slow_m_s: float
    usual_m_s: float
    fast_m_s: float


@dataclass(frozen=True, slots=True)
class Rivers:
    """The graph: places by id, reaches by where they begin."""

    nodes: Mapping[str, RiverNode]
    reaches: Mapping[str, tuple[Reach, ...]]

    def nearest(self, longitude: float, latitude: float) -> tuple[RiverNode, float]:
        """Find the place nearest to a point; give it and how far it is in metres."""
        if not self.nodes:
            raise NotFoundError("the river graph has no places")
        measured = (
            (haversine_m(longitude, latitude, one.longitude, one.latitude), one.id, one)
            for one in self.nodes.values()
        )
        distance, _, node = min(measured, key=lambda item: item[:2])
        return node, distance


def rivers_of(nodes: Iterable[RiverNode], reaches: Iterable[Reach]) -> Rivers:
    """Make a graph; raise BadRequestDataError for what doesn't fit together."""
    places = {one.id: one for one in nodes}
    ways: dict[str, list[Reach]] = {one: [] for one in places}
    for reach in reaches:
        for end in (reach.begin, reach.end):
            if end not in places:
                raise BadRequestDataError(f"reach {reach.begin} - {reach.end}: no place {end!r}")
        if not 0 < reach.slow_m_s <= reach.usual_m_s <= reach.fast_m_s or reach.length_m <= 0:
            raise BadRequestDataError(
                f"reach {reach.begin} - {reach.end}: a length over 0 and rising velocities over 0 "
                "are expected"
            )
        ways[reach.begin].append(reach)
    return Rivers(places, {key: tuple(value) for key, value in ways.items()})


@cache
def delta_rivers() -> Rivers:
    """Read the graph of the Delta that ships."""
    nodes = [
        RiverNode(
            id=row["id"],
            name={"zh": row["name_zh"], "en": row["name_en"]},
            longitude=float(row["lon"]),
            latitude=float(row["lat"]),
            city=row["city"],
        )
        for row in _rows(NODES_FILE)
    ]
    reaches = [
        Reach(
            begin=row["from"],
            end=row["to"],
            river=row["river"],
            length_m=float(row["length_km"]) * 1000.0,
            slow_m_s=float(row["slow_m_s"]),
            usual_m_s=float(row["usual_m_s"]),
            fast_m_s=float(row["fast_m_s"]),
        )
        for row in _rows(REACHES_FILE)
    ]
    return rivers_of(nodes, reaches)


def _rows(name: str) -> list[dict[str, str]]:
    text = (resources.files(__package__) / "delta" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
