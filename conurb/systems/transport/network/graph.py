"""A directed graph whose edges cost seconds: nodes with places, edges with modes, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.errors import NotFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["city", "stop", "vehicle", "junction"]
Mode = Literal["ride", "board", "walk", "road", "estimate"]
MODES: Final[tuple[Mode, ...]] = ("ride", "board", "walk", "road", "estimate")
"""`estimate` is a road between neighbouring cities that is only supposed."""

BY: Final[dict[str, frozenset[Mode]]] = {
    "transit": frozenset({"ride", "board", "walk"}),
    "car": frozenset({"walk", "road", "estimate"}),
    "any": frozenset(MODES),
}
"""What a question may travel by, and the edges that it then takes."""


@dataclass(frozen=True, slots=True)
class Network:
    """A graph at rest: `matrix` is a scipy CSR of seconds, `modes` the index into MODES per edge.

    `lonlat` is (n, 2) degrees. Edges are in the order of the matrix.
    """

    ids: tuple[str, ...]
    kinds: tuple[Kind, ...]
    lonlat: NDArray[np.float64]
    matrix: Any
    modes: NDArray[np.uint8]
    places: dict[str, int]

    def get_node(self, node_id: str) -> int:
        """Give the number of a node; raise NotFoundError when there is none of the id."""
        number = self.places.get(node_id)
        if number is None:
            raise NotFoundError(f"{node_id!r} is not in the transport network")
        return number

    def nodes_of(self, kinds: Iterable[Kind]) -> list[int]:
        """Give the numbers of the nodes of some kinds."""
        wanted = set(kinds)
        return [number for number, kind in enumerate(self.kinds) if kind in wanted]

    def only(self, by: str) -> Network:
        """Give the network with the edges alone that a way of travelling takes."""
        import numpy as np
        from scipy.sparse import csr_array

        allowed = BY[by]
        if len(allowed) == len(MODES):
            return self
        keep = np.isin(self.modes, [MODES.index(mode) for mode in allowed])
        rows = np.repeat(np.arange(len(self.ids)), np.diff(self.matrix.indptr))[keep]
        matrix = csr_array(
            (self.matrix.data[keep], (rows, self.matrix.indices[keep])), shape=self.matrix.shape
        )
        return Network(self.ids, self.kinds, self.lonlat, matrix, self.modes[keep], self.places)

    def mode_of(self, start: int, end: int) -> Mode:
        """Give the mode of an edge that is there."""
        first, last = self.matrix.indptr[start], self.matrix.indptr[start + 1]
        offset = int(self.matrix.indices[first:last].searchsorted(end))
        return MODES[int(self.modes[first + offset])]


class Builder:
    """A graph in the making."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.kinds: list[Kind] = []
        self.lonlat: list[tuple[float, float]] = []
        self.places: dict[str, int] = {}
        self._edges: list[tuple[int, int, float, int]] = []

    def node(self, node_id: str, kind: Kind, lon: float, lat: float) -> int:
        """Add a node, or give the number of the one there is of the id."""
        number = self.places.get(node_id)
        if number is None:
            number = self.places[node_id] = len(self.ids)
            self.ids.append(node_id)
            self.kinds.append(kind)
            self.lonlat.append((lon, lat))
        return number

    def edge(self, start: int, end: int, seconds: float, mode: Mode) -> None:
        """Add an edge; of several between two nodes the fastest counts."""
        self._edges.append((start, end, max(seconds, 1.0), MODES.index(mode)))

    def edges(self, pairs: Sequence[tuple[int, int]], seconds: Sequence[float], mode: Mode) -> None:
        """Add edges of one mode, in both directions."""
        for (start, end), cost in zip(pairs, seconds, strict=True):
            self.edge(start, end, cost, mode)
            self.edge(end, start, cost, mode)

    def network(self) -> Network:
        """Give the graph as arrays."""
        import numpy as np
        from scipy.sparse import csr_array

        size = len(self.ids)
        table = np.array(self._edges, dtype=np.float64).reshape(-1, 4)
        # By start, end and cost; the first of each pair is its fastest.
        order = np.lexsort((table[:, 2], table[:, 1], table[:, 0]))
        table = table[order]
        first = np.ones(len(table), dtype=bool)
        first[1:] = (np.diff(table[:, 0]) != 0) | (np.diff(table[:, 1]) != 0)
        table = table[first]
        starts, ends = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
        matrix = csr_array((table[:, 2], (starts, ends)), shape=(size, size))
        matrix.sort_indices()
        return Network(
            tuple(self.ids),
            tuple(self.kinds),
            np.array(self.lonlat, dtype=np.float64).reshape(-1, 2),
            matrix,
            table[:, 3].astype(np.uint8),
            dict(self.places),
        )
