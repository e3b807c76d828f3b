"""What nobody publishes, made up: trains under way on metro lines, car parks, toll stations.

Only for showing a region alive (`--replay`). The runner marks every object as simulated; names say
it too. A tick is the same whenever it is made: it depends on its time and the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

import orjson

from conurb.model.time import shown_us
from conurb.systems.transport.live import Batch, Position
from conurb.systems.transport.measure import M_PER_DEGREE, distance_m
from conurb.systems.transport.sources.metro import HEADWAY_S, SPEED_KMH, Network, Station

TRAINS_MAX: Final = 2_000
DAY_S: Final = 86_400
PARKS: Final = 6
TOLLS: Final = 3
AROUND_M: Final = 4_000.0
TOLL_AROUND_M: Final = 15_000.0
UTC_OFFSET_S: Final = 8 * 3600


@dataclass(frozen=True, slots=True)
class Track:
    """A line in one direction: its stations, how far each is from the first, in metres."""

    line: str
    name: str
    stations: tuple[Station, ...]
    at_m: tuple[float, ...]


def tracks_of(network: Network) -> list[Track]:
    """Give the tracks of a city's metro."""
    tracks = []
    for line in network.lines:
        for direction, stations in enumerate((line.stations, line.stations[::-1])):
            at = [0.0]
            for a, b in pairwise(stations):
                at.append(at[-1] + distance_m(a.lon, a.lat, b.lon, b.lat))
            if len(stations) > 1:
                tracks.append(Track(f"{line.id}-{direction}", line.name, stations, tuple(at)))
    return tracks


def trains(tracks: Sequence[Track], at_us: int) -> Batch:
    """Give where trains would be at a moment, if each line ran every five minutes all day."""
    at_s = at_us / 1_000_000
    speed = SPEED_KMH / 3.6
    found: list[Position] = []
    for track in tracks:
        ride_s = track.at_m[-1] / speed
        newest = int(at_s // HEADWAY_S)
        for number in range(newest, newest - int(ride_s // HEADWAY_S) - 1, -1):
            metres = (at_s - number * HEADWAY_S) * speed
            if metres <= track.at_m[-1] and len(found) < TRAINS_MAX:
                # The number comes again once the train has arrived: a fleet, not a flood of ids.
                slot = number % (int(ride_s // HEADWAY_S) + 2)
                found.append(_train(track, f"{track.line}-{slot}", metres, at_us))
    return Batch(tuple(found))


def _train(track: Track, name: str, metres: float, at_us: int) -> Position:
    after = next(n for n, at in enumerate(track.at_m) if at >= metres)
    before = max(after - 1, 0)
    a, b = track.stations[before], track.stations[after]
    length = track.at_m[after] - track.at_m[before]
    share = 0.0 if length == 0 else (metres - track.at_m[before]) / length
    east = (b.lon - a.lon) * math.cos(math.radians(a.lat))
    return Position(
        vehicle=name,
        at_us=at_us,
        lon=round(a.lon + (b.lon - a.lon) * share, 6),
        lat=round(a.lat + (b.lat - a.lat) * share, 6),
        bearing=round(math.degrees(math.atan2(east, b.lat - a.lat)) % 360, 1),
        speed_kmh=SPEED_KMH,
        trip=track.line,
        stop=b.id,
        status="IN_TRANSIT_TO",
        label=f"{track.name} (simulated)",
    )


def points(lon: float, lat: float, at_us: int, random: Random) -> bytes:
    """Make the state of some car parks and toll stations about a city's centre."""
    at = shown_us(at_us)
    hour = ((at_us // 1_000_000 + UTC_OFFSET_S) % DAY_S) / 3600
    busy = 0.5 + 0.4 * math.exp(-(((hour - 14) / 5) ** 2))
    told = []
    for number in range(PARKS):
        total = 120 + 60 * number
        free = round(total * max(0.0, 1 - busy - random.uniform(-0.1, 0.1)))
        east, north = _around(number / PARKS, AROUND_M, lat)
        told.append(
            {
                "kind": "parking",
                "id": f"simulated-{number + 1}",
                "name": f"模拟停车场 {number + 1} (simulated)",
                "lon": round(lon + east, 5),
                "lat": round(lat + north, 5),
                "at": at,
                "total": total,
                "free": min(free, total),
                "status": "open",
            }
        )
    for number in range(TOLLS):
        east, north = _around((number + 0.5) / TOLLS, TOLL_AROUND_M, lat)
        told.append(
            {
                "kind": "toll",
                "id": f"simulated-{number + 1}",
                "name": f"模拟收费站 {number + 1} (simulated)",
                "lon": round(lon + east, 5),
                "lat": round(lat + north, 5),
                "at": at,
                "lanes": 6 + number,
                "queue_m": round(random.expovariate(1 / (60 * busy))),
                "status": "open",
            }
        )
    return orjson.dumps(told)


def _around(turn: float, metres: float, lat: float) -> tuple[float, float]:
    angle = 2 * math.pi * turn
    north = metres * math.sin(angle) / M_PER_DEGREE
    return metres * math.cos(angle) / M_PER_DEGREE / math.cos(math.radians(lat)), north
