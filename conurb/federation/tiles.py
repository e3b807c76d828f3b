"""The tiles of a region: what its nodes draw of one layer, put together into one.

Nodes of the process draw by themselves and keep what they drew; so do nodes elsewhere that are of
this program, asked over HTTP for the same tile. Any other source is asked for its objects on the
tile, which are drawn here. Who didn't answer is said, as for every answer of a region.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from conurb.errors import NotFoundError, SourceError
from conurb.federation.completeness import Completeness, completeness_of
from conurb.federation.envoy import Envoy
from conurb.federation.peers import LocalPeer, ask
from conurb.model.query.tree import Restriction
from conurb.model.registration import THIS_PROCESS
from conurb.model.tiles.layer import TileLayer, draw_entities, is_thinned
from conurb.model.tiles.mvt import Merging, merge_layers
from conurb.node.tile_cache import Place, TileCache
from conurb.node.tiles import Drawn, Tiles, drawn, on_tile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from conurb.access.caller import Caller
    from conurb.federation.legs import Leg
    from conurb.federation.peers import Peer
    from conurb.federation.reach import Reach
    from conurb.model.entity import Entity
    from conurb.model.tiles.ask import TileAsk
    from conurb.node.node import Node

OBJECTS_MAX: Final = 5_000
"""Objects of one source that are asked for to draw one tile; more are left out."""

PAGE: Final = 1_000
REPEATED: Final = 200
"""Objects of several nodes that are asked for at once."""

REPEATED_MAX: Final = 2_000
"""Objects of several nodes on one tile that are asked for; of more, the first node's is drawn."""

MERGED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of the tiles of a whole region that are kept."""

STRANGERS_MAX: Final = 1_000
"""Sources that are known to draw no tiles."""


@dataclass(slots=True)
class FederatedDrawn(Drawn):
    """A layer of several nodes, and who drew it."""

    completeness: Completeness = field(default_factory=Completeness)


class FederatedTiles(Tiles):
    """The tiles of a node and of those that it has registered."""

    def __init__(self, node: Node, own: Tiles, reach: Reach) -> None:
        super().__init__(node.store)
        self._node = node
        self._own = own
        self._reach = reach
        self._strangers: dict[str, None] = {}
        self._merged: TileCache[Drawn] = TileCache(
            size=lambda one: len(one.layer.data), bytes_max=MERGED_BYTES_MAX
        )

    @property
    def own(self) -> Tiles:
        """Give the tiles of this node alone."""
        return self._own

    async def draw(self, caller: Caller, ask: TileAsk, *, at_us: int | None = None) -> Drawn:
        """Draw a layer of a tile out of what all nodes have on it."""
        caller.require("read")
        if await self._reach.is_alone(caller):
            return await self._own.draw(caller, ask, at_us=at_us)
        passed = self._reach.passed(caller)
        parts, completeness = await self._parts(passed, ask, at_us)
        if is_thinned(ask, sum(one.layer.points for one in parts)) and not ask.thin:
            # Few in each node, many together: all of them count by the same cells.
            parts, completeness = await self._parts(passed, replace(ask, thin=True), at_us)
        one = await self._together(caller, ask, parts, at_us)
        return FederatedDrawn(one.layer, one.tag, completeness)

    async def _parts(
        self, caller: Caller, wanted: TileAsk, at_us: int | None
    ) -> tuple[list[Drawn], Completeness]:
        choice = await self._reach.choose(caller, on_tile(wanted), past=at_us is not None)
        answers, missing = await ask(
            choice.peers, lambda peer: self._part(peer, caller, wanted, at_us), caller=caller
        )
        behind = [
            absence
            for _, one in answers
            if isinstance(one, FederatedDrawn)
            for absence in one.completeness.missing
        ]
        parts = [one for _, one in answers if one.layer.data or one.layer.left_out]
        return parts, completeness_of(
            choice.peers, [*choice.absences, *missing, *behind], choice.skipped
        )

    async def _together(
        self, caller: Caller, wanted: TileAsk, parts: list[Drawn], at_us: int | None
    ) -> Drawn:
        """Put layers together, unless just these have been before."""
        if len(parts) == 1:
            return parts[0]
        digest = blake2b(digest_size=12)
        for part in parts:
            digest.update(part.tag.encode())
        tag = digest.hexdigest()
        # What several nodes have is asked for anew: it depends on who asks, for what, of when.
        key = tag, caller.require("read"), wanted.name, wanted.view, at_us
        found = self._merged.find(key)
        if found is not None:
            return found
        layers = [part.layer for part in parts]
        layer, repeated = await asyncio.to_thread(_merged, wanted.name, layers)
        if repeated:
            ids = sorted(repeated)[:REPEATED_MAX]
            once = await self._once(caller, wanted, ids, at_us)
            layer, _ = await asyncio.to_thread(_merged, wanted.name, [*layers, once], ids)
        one = Drawn(layer, tag)
        with self._merged.drawing(key, Place(wanted.query, None)) as pending:
            pending.keep(one)
        return one

    async def _once(
        self, caller: Caller, wanted: TileAsk, ids: Sequence[str], at_us: int | None
    ) -> TileLayer:
        """Draw what several nodes have as the region has it: of each statement the newest."""
        entities: list[Entity] = []
        for first in range(0, len(ids), REPEATED):
            some = tuple(ids[first : first + REPEATED])
            query = replace(
                wanted.query,
                selectors=tuple(replace(one, ids=some) for one in wanted.query.selectors),
                limit=REPEATED,
                count=False,
            )
            found = await self._node.consume.query(caller, query, at_us=at_us)
            entities += found.entities
        return await asyncio.to_thread(draw_entities, replace(wanted, thin=False), entities)

    # ── one node's part ───────────────────────────────────────────────────────────────────────

    async def _part(self, peer: Peer, caller: Caller, wanted: TileAsk, at_us: int | None) -> Drawn:
        leg = peer.leg
        if leg is None:
            return await self._own.draw(caller, wanted, at_us=at_us)
        narrowed = leg.narrowed(wanted.query)
        if narrowed is None:
            return drawn(TileLayer())
        wanted = replace(wanted, query=narrowed)
        if leg.attributes is not None:
            return await self._drawn_here(peer, caller, wanted, at_us)
        if leg.registration.endpoint == THIS_PROCESS and isinstance(peer, LocalPeer):
            node = await self._reach.open_node(leg.registration.tenant)
            return await node.tiles.draw(caller, wanted, at_us=at_us)
        if self._may_ask_tile(leg, caller, wanted):
            try:
                return await self._fetched(leg, wanted)
            except SourceError:
                if not hasattr(peer, "copied_age_s"):  # no copies stand behind it
                    raise
            except NotFoundError:
                # No node of this program, or none of these objects: its objects are asked for.
                if len(self._strangers) >= STRANGERS_MAX:
                    self._strangers.clear()
                self._strangers[leg.registration.id] = None
        return await self._drawn_here(peer, caller, wanted, at_us)

    def _may_ask_tile(self, leg: Leg, caller: Caller, wanted: TileAsk) -> bool:
        """Whether the source can be asked for just this tile, in the words of the request."""
        return (
            bool(wanted.path)
            and caller.require("read") == Restriction()
            and leg.registration.id not in self._strangers
        )

    async def _fetched(self, leg: Leg, wanted: TileAsk) -> Drawn:
        registration = leg.registration
        token = registration.told("Authorization")
        envoy = Envoy(
            self._node.delivery.outbound,
            registration.endpoint.removesuffix("/").removesuffix("/ngsi-ld/v1"),
            tenant=registration.tenant,
            token=None if token is None else token.removeprefix("Bearer "),
        )
        words = dict(wanted.words)
        if wanted.thin:
            words["thin"] = "true"
        try:
            headers, data = await envoy.fetch(wanted.path, params=words)
        except SourceError:
            self._reach.went(registration.id, False)
            raise
        self._reach.went(registration.id, True)
        try:
            merge_layers(wanted.name, [data])
            points = int(headers.get("conurb-tile-points", "0"))
            left_out = int(headers.get("conurb-tile-left-out", "0"))
        except ValueError as error:
            raise SourceError(f"{registration.name}: the tile can't be read", code=111) from error
        return drawn(TileLayer(data, points, left_out))

    async def _drawn_here(
        self, peer: Peer, caller: Caller, wanted: TileAsk, at_us: int | None
    ) -> Drawn:
        """Draw what a source that draws no tiles has on it."""
        entities: list[Entity] = []
        more = True
        while more and len(entities) < OBJECTS_MAX:
            query = replace(on_tile(wanted), limit=PAGE, offset=len(entities), count=False)
            found = await peer.query(caller, query, at_us=at_us, known_at_us=None)
            entities += found.entities
            more = found.more and bool(found.entities)
        layer = await asyncio.to_thread(draw_entities, wanted, entities)
        return drawn(replace(layer, left_out=layer.left_out + int(more)))


def _merged(
    name: str, layers: Sequence[TileLayer], once: Collection[str] = ()
) -> tuple[TileLayer, set[str]]:
    """Merge layers into one; give the ids that several have.

    With `once`, those are taken from the last layer alone.
    """
    merging = Merging()
    for number, layer in enumerate(layers):
        merging.without = () if number == len(layers) - 1 else once
        merging.take(layer.data)
    points = sum(one.points for one in layers) - merging.dropped
    left_out = sum(one.left_out for one in layers)
    return TileLayer(merging.layer(name), points, left_out), merging.repeated
