"""The tiles of one node: drawn by its store, kept while they are right.

A kept tile is let go of when the journal says that an object of its types was there or came there.
The journal is read when a tile is asked for, not before: so what was written before the question is
in the answer, and a node whose map nobody looks at does nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from conurb.access.caller import Caller
from conurb.model.geometry import to_wkt
from conurb.model.query.tree import GeoCondition, Query, Selector, conjunction
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import TileLayer
from conurb.model.tiles.places import sketch
from conurb.model.tiles.quad import BUFFER
from conurb.node.tile_cache import Place, TileCache

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.tiles.quad import Square
    from conurb.store.contract import Store

PAST_MAX: Final = 200_000
"""Objects of one tile of the past; more are left out, and counted as such."""

READ: Final = 1_000
"""Objects of the past that are read at once."""

RECORDS: Final = 1_000
"""Entries of the journal that are read at a time."""

BEHIND_MAX: Final = 20_000
"""Entries of the journal over which every tile is let go of instead."""


@dataclass(slots=True)
class Drawn:
    """A layer, and a tag that changes with it."""

    layer: TileLayer
    tag: str


def drawn(layer: TileLayer) -> Drawn:
    """Tag a layer."""
    digest = blake2b(layer.data, digest_size=12)
    digest.update(f"{layer.left_out}".encode())
    return Drawn(layer, digest.hexdigest())


class Tiles:
    """The tiles of one node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: TileCache[Drawn] = TileCache(size=lambda one: len(one.layer.data))
        self._seq: int | None = None
        self._reading = asyncio.Lock()

    @property
    def own(self) -> Tiles:
        """Give the tiles of this node alone, whatever nodes it speaks for."""
        return self

    async def draw(self, caller: Caller, ask: TileAsk, *, at_us: int | None = None) -> Drawn:
        """Draw a layer of a tile, of now or as it was; raise ForbiddenError without the right.

        What was drawn before is given again as long as nothing on it has changed.
        """
        restriction = caller.require("read")
        ask = replace(ask, query=replace(ask.query, restriction=restriction))
        await self._follow()
        key = ask, at_us
        found = self._cache.find(key)
        if found is not None:
            return found
        place = Place(ask.query, None if at_us is not None else ask.square)
        with self._cache.drawing(key, place) as pending:
            one = drawn(await self._draw(ask, at_us))
            pending.keep(one)
        return one

    async def _draw(self, ask: TileAsk, at_us: int | None) -> TileLayer:
        if at_us is None:
            return await self._store.tile(ask)
        query = replace(on_tile(ask), limit=PAST_MAX, count=False)
        places = await self._store.places(query, ask.geometry, dataset=ask.dataset, at_us=at_us)
        drawing = await asyncio.to_thread(sketch, ask, places)
        if len(places) == PAST_MAX:
            counted = await self._store.query(replace(query, limit=0, count=True), at_us=at_us)
            drawing.left_out += (counted.total or 0) - PAST_MAX
        wanted = drawing.wanted()
        objects: dict[str, Entity] = {}
        for first in range(0, len(wanted), READ):
            selector = Selector(ids=tuple(wanted[first : first + READ]))
            named = Query((selector,), restriction=ask.query.restriction, limit=READ)
            page = await self._store.query(named, at_us=at_us)
            objects |= {one.id: one for one in page.entities}
        return await asyncio.to_thread(drawing.draw, objects)

    async def _follow(self) -> None:
        """Read the journal to its end, and let go of what has changed."""
        end = await self._store.journal_end()
        if self._seq == end:
            return
        async with self._reading:
            if self._seq is None or end - self._seq > BEHIND_MAX or end < self._seq:
                self._cache.clear()
                self._seq = end
            while self._seq < end:
                records = await self._store.journal(after=self._seq, limit=RECORDS)
                if not records:  # pruned
                    self._cache.clear()
                    self._seq = end
                    break
                for record in records:
                    self._cache.touch(record)
                self._seq = records[-1].seq


def on_tile(ask: TileAsk) -> Query:
    """Give the query of the objects that lie on a tile."""
    here = GeoCondition(ask.geometry, "intersects", square_wkt(ask.square))
    if ask.query.geo is None:
        return replace(ask.query, geo=here)
    return replace(ask.query, geo=here, condition=conjunction(ask.query.condition, ask.query.geo))


def square_wkt(square: Square) -> str:
    """Give a tile with what is drawn around it, as WKT."""
    west, south, east, north = square.bounds(buffer=BUFFER)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return to_wkt({"type": "Polygon", "coordinates": [ring]})
