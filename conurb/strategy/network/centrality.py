"""Centralities: how much stands in the middle of the links, in five senses.

Betweenness and closeness read distance as 1 / strength, so that strong links are short. Source:
Freeman 1978; Bonacich 1987 (eigenvector); Brandes 2001 (betweenness). networkx, loaded when first
asked, counts the paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conurb.errors import ConfigError, InputError
from conurb.strategy.network.links import Links
from conurb.strategy.panel import Figures

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Centralities:
    """Centralities [N] of the units of links, both ways taken together.

    `strength` is the sum of links, `degree` the share of other units linked at all, `closeness`
    (n - 1) / the sum of distances (scaled by the part that can be reached), `betweenness` the share
    of shortest paths that pass, `eigenvector` the links to those that are linked (length 1).
    """

    units: tuple[str, ...]
    strength: Figures
    degree: Figures
    closeness: Figures
    betweenness: Figures
    eigenvector: Figures


def centralities(links: Links) -> Centralities:
    """Give the centralities of every unit; InputError without any link."""
    matrix = links.symmetric()
    if not matrix.any():
        raise InputError(f"No unit is linked ({links.kind}): there is no centre")
    graph = to_graph(links)
    nx = load_networkx()
    order = range(len(links.units))
    between = nx.betweenness_centrality(graph, weight="distance", normalized=True)
    close = nx.closeness_centrality(graph, distance="distance")
    return Centralities(
        units=links.units,
        strength=links.strength(),
        degree=np.asarray((matrix > 0).sum(axis=1) / max(len(matrix) - 1, 1)),
        closeness=np.array([close[i] for i in order]),
        betweenness=np.array([between[i] for i in order]),
        eigenvector=eigenvector(matrix),
    )


def eigenvector(matrix: Figures) -> Figures:
    """Give the principal eigenvector [N] of symmetric links, not negative, of length 1."""
    vector = np.abs(np.linalg.eigh(matrix)[1][:, -1])
    return np.asarray(vector / np.linalg.norm(vector))


def to_graph(links: Links) -> nx.Graph[Any]:
    """Give the links, both ways taken together, as a networkx graph of numbered nodes.

    Edges carry `weight` (strength) and `distance` (1 / strength), nodes their unit.
    """
    graph = load_networkx().Graph()
    matrix = links.symmetric()
    graph.add_nodes_from((i, {"unit": name}) for i, name in enumerate(links.units))
    rows, columns = np.nonzero(np.triu(matrix, 1))
    graph.add_edges_from(
        (int(i), int(j), {"weight": float(matrix[i, j]), "distance": 1.0 / float(matrix[i, j])})
        for i, j in zip(rows, columns, strict=True)
    )
    return graph


def load_networkx() -> Any:
    """Load networkx; ConfigError says which extra brings it."""
    try:
        import networkx
    except ImportError as error:
        raise ConfigError("paths need the extra: pip install 'conurb[strategy]'") from error
    return networkx
