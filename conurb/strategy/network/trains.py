"""Links from train services: how many trains of a timetable run from one city to another.

The file is a JSON object by train: `{"G1": {"service": "...", "route": [{"city": "...",
"arrival": "10:00", "departure": "10:02"}, ...]}, ...}`, cities in the order of the journey, times
counting on past 24:00, "-" where there is none. Timetables list the stops that their makers chose:
a city without a stop in the file isn't a city without trains, and is named in `uncovered`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from conurb.errors import InputError
from conurb.strategy.network.links import Links, from_flows
from conurb.strategy.panel import Figures

_TIME: Final = re.compile(r"(\d{1,3}):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Trains:
    """Train services between the units of a region.

    `links` count trains from i to j (every pair of stops of one train, in its direction);
    `minutes` [N x N] is the shortest ride, NaN without a direct train. Both hold `covered` units
    alone; `uncovered` are those the file has no stop in.
    """

    links: Links
    minutes: Figures
    services: int
    covered: tuple[str, ...]
    uncovered: tuple[str, ...]


def read_trains(path: Path | str, cities: Mapping[str, str], *, source: str) -> Trains:
    """Read train services between cities; `cities` maps the names in the file to units.

    Raises InputError, naming the train, for what isn't of the form above; when no city is found.
    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} must be a JSON object by train")
    units = tuple(dict.fromkeys(cities.values()))
    flows: list[tuple[str, str, float]] = []
    shortest: dict[tuple[str, str], float] = {}
    seen: set[str] = set()
    services = 0
    for train, said in document.items():
        stops = list(_iter_stops(train, said, cities))
        seen.update(unit for unit, _, _ in stops)
        services += int(len({unit for unit, _, _ in stops}) > 1)
        pairs: set[tuple[str, str]] = set()
        for (origin, _, leaves), (target, arrives, _) in combinations(stops, 2):
            if origin == target:
                continue
            pairs.add((origin, target))
            if leaves is not None and arrives is not None:
                _check_order(train, origin, target, leaves, arrives)
                ride = float(arrives - leaves)
                shortest[origin, target] = min(ride, shortest.get((origin, target), ride))
        flows.extend((origin, target, 1.0) for origin, target in sorted(pairs))
    covered = tuple(unit for unit in units if unit in seen)
    if len(covered) < 2:
        raise InputError(
            f"{path} has stops in {list(covered)} of the cities named: nothing to link"
        )
    minutes = np.full((len(covered), len(covered)), np.nan)
    at = {unit: i for i, unit in enumerate(covered)}
    for (origin, target), ride in shortest.items():
        minutes[at[origin], at[target]] = ride
    minutes.setflags(write=False)
    links = from_flows(covered, flows, kind=f"direct trains, {source}", measure="trains")
    return Trains(
        links, minutes, services, covered, tuple(unit for unit in units if unit not in seen)
    )


def _iter_stops(
    train: str, said: Any, cities: Mapping[str, str]
) -> Iterator[tuple[str, int | None, int | None]]:
    """Stream (unit, arrival, departure in minutes) of a train's stops in cities that are named."""
    route = said.get("route") if isinstance(said, dict) else None
    if not isinstance(route, list):
        raise InputError(f"Train {train} has no route")
    for stop in route:
        if not isinstance(stop, dict) or not isinstance(stop.get("city"), str):
            raise InputError(f"Train {train} has a stop without a city: {stop!r}")
        unit = cities.get(stop["city"])
        if unit is not None:
            yield unit, _minutes(train, stop.get("arrival")), _minutes(train, stop.get("departure"))


def _minutes(train: str, text: Any) -> int | None:
    if text in (None, "", "-"):
        return None
    match = _TIME.fullmatch(str(text))
    if match is None:
        raise InputError(f"Train {train} has the time {text!r}; HH:MM is read")
    return int(match[1]) * 60 + int(match[2])


def _check_order(train: str, origin: str, target: str, leaves: int, arrives: int) -> None:
    if arrives <= leaves:
        raise InputError(
            f"Train {train} leaves {origin} at minute {leaves} and is in {target} at {arrives}: "
            "times count on past 24:00"
        )
