"""What is asked of whoever draws a layer of a tile: a store, a node, a region."""

from __future__ import annotations

from dataclasses import dataclass

from conurb.model.query.tree import Query
from conurb.model.render.flat import FlatView
from conurb.model.tiles.quad import Square


@dataclass(frozen=True, slots=True)
class TileAsk:
    """The objects that `query` selects, on `square`, as a layer called `name`.

    `geometry` is the IRI of the GeoProperty that is drawn: the instance of `dataset`, or without
    one the first. `view` says which properties are written; names are terms of the platform's
    @context. `thin` draws points by cells however few they are. `path` and `words` are how the
    same is asked over HTTP, where it was.
    """

    name: str
    square: Square
    query: Query
    geometry: str
    view: FlatView
    dataset: str | None = None
    thin: bool = False
    path: str = ""
    words: tuple[tuple[str, str], ...] = ()
