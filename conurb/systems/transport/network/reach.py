"""Ask the graph: travel times from some nodes, a matrix between cities, isochrones around a point.

Shortest paths are scipy's (Dijkstra on CSR).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.systems.transport.measure import Plane
from conurb.systems.transport.network.building import WALK_DETOUR, WALK_MPS, walk_s
from conurb.systems.transport.network.graph import Network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

START_M_MAX: Final = 2_000.0
"""How far one walks to a first stop."""

REST_M_MAX: Final = 1_500.0
"""How far one walks from a last stop, at most."""

MINUTES_MAX: Final = 720
CIRCLE_SEGMENTS: Final = 6
"""Segments of a quarter circle."""

SIMPLIFY_M: Final = 30.0


@dataclass(frozen=True, slots=True)
class Matrix:
    """Travel times between places: `seconds[i, j]` from i to j, infinite where there is no way.

    `estimated[i, j]` says that the way takes a road that is only supposed.
    """

    ids: tuple[str, ...]
    seconds: NDArray[np.float64]
    estimated: NDArray[np.bool_]


def travel_times(
    network: Network, sources: Sequence[int], *, limit_s: float | None = None
) -> NDArray[np.float64]:
    """Give the seconds from each source to every node, infinite where there is no way."""
    import numpy as np
    from scipy.sparse.csgraph import dijkstra

    times: NDArray[np.float64] = dijkstra(
        network.matrix, indices=list(sources), limit=np.inf if limit_s is None else limit_s
    )
    return times


def matrix(network: Network, ids: Sequence[str], *, by: str = "any") -> Matrix:
    """Give the travel times between places of the graph; raise NotFoundError for one not there."""
    import numpy as np
    from scipy.sparse.csgraph import dijkstra

    chosen = network.only(by)
    nodes = [chosen.get_node(one) for one in ids]
    times, before = dijkstra(chosen.matrix, indices=nodes, return_predecessors=True)
    estimated = np.zeros((len(nodes), len(nodes)), dtype=bool)
    for row, source in enumerate(nodes):
        for column, target in enumerate(nodes):
            if row != column and np.isfinite(times[row, target]):
                estimated[row, column] = _takes_estimate(chosen, before[row], source, target)
    return Matrix(tuple(ids), times[:, nodes], estimated)


def _takes_estimate(network: Network, before: Any, source: int, target: int) -> bool:
    at = target
    while at != source:
        previous = int(before[at])
        if network.mode_of(previous, at) == "estimate":
            return True
        at = previous
    return False


def path(
    network: Network, start: str, end: str, *, by: str = "any"
) -> list[tuple[str, str, float]]:
    """Give the way from one node to another: (node, how it was reached, seconds since the start).

    Empty when there is none. Raises NotFoundError for a node that isn't there.
    """
    import numpy as np
    from scipy.sparse.csgraph import dijkstra

    chosen = network.only(by)
    source, target = chosen.get_node(start), chosen.get_node(end)
    times, before = dijkstra(chosen.matrix, indices=source, return_predecessors=True)
    if not np.isfinite(times[target]):
        return []
    way: list[tuple[str, str, float]] = []
    at = target
    while at != source:
        previous = int(before[at])
        way.append((chosen.ids[at], chosen.mode_of(previous, at), float(times[at])))
        at = previous
    return [(chosen.ids[source], "start", 0.0), *reversed(way)]


@dataclass(frozen=True, slots=True)
class Band:
    """What can be reached within some minutes: the area (GeoJSON) and the stops in it."""

    minutes: int
    area: dict[str, Any]
    stops: int


def isochrone(
    network: Network, *, lon: float, lat: float, minutes: Sequence[int], by: str = "transit"
) -> list[Band]:
    """Give what can be reached from a point, one band per number of minutes.

    One walks to stops within 2 km, rides, and walks on with the time that is left. Raises
    BadRequestDataError when the minutes or the place are out of bounds.
    """
    import numpy as np
    from scipy.sparse.csgraph import dijkstra

    if not minutes or not all(0 < one <= MINUTES_MAX for one in minutes):
        raise BadRequestDataError(f"minutes: 1 to {MINUTES_MAX} are allowed, not {list(minutes)}")
    if not (abs(lon) <= 180 and abs(lat) <= 85):
        raise BadRequestDataError(f"place: {lon}, {lat} is no longitude and latitude to walk at")
    chosen = network.only(by)
    usable = np.array(chosen.nodes_of(("stop", "junction")), dtype=np.int32)
    plane = Plane(lat)
    centre = plane.to_plane(np.array([[lon, lat]]))
    places = plane.to_plane(chosen.lonlat[usable])
    away = np.hypot(*(places - centre).T)
    near = away <= START_M_MAX
    starting = _with_start(chosen, usable[near], walk_s(1.0) * away[near])
    reached = dijkstra(starting, indices=len(chosen.ids), limit=max(minutes) * 60.0)[usable]
    return [_band(one, reached, places, centre, plane) for one in sorted(set(minutes))]


def _with_start(network: Network, ends: NDArray[np.int32], seconds: NDArray[np.float64]) -> Any:
    """Give the matrix with one node more, from which some nodes are so many seconds away."""
    import numpy as np
    from scipy.sparse import csr_array

    old = network.matrix
    size = len(network.ids) + 1
    # No edge may cost 0: scipy takes it for none.
    data = np.concatenate([old.data, np.maximum(seconds, 1.0)])
    indices = np.concatenate([old.indices, ends])
    indptr = np.concatenate([old.indptr, [len(data)]])
    return csr_array((data, indices, indptr), shape=(size, size))


def _band(
    minutes: int,
    reached: NDArray[np.float64],
    places: NDArray[np.float64],
    centre: NDArray[np.float64],
    plane: Plane,
) -> Band:
    import numpy as np
    import shapely

    left = minutes * 60.0 - reached
    within = left > 0
    points = np.vstack([centre, places[within]])
    spare = np.concatenate([[minutes * 60.0], left[within]])
    cap = np.full(len(points), REST_M_MAX)
    cap[0] = np.inf
    radii = np.minimum(spare * WALK_MPS / WALK_DETOUR, cap)
    circles = shapely.buffer(shapely.points(points), radii, quad_segs=CIRCLE_SEGMENTS)
    area = shapely.simplify(shapely.union_all(circles), SIMPLIFY_M)
    return Band(minutes, json.loads(shapely.to_geojson(plane.unflatten(area))), int(within.sum()))
