"""Tiles that a node keeps: bounded, and never of another time than the question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import ForbiddenError
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.tree import Query, Restriction, Selector, TypeIs
from conurb.model.render.flat import FlatView
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import TileLayer
from conurb.model.tiles.quad import square
from conurb.model.time import system_clock
from conurb.node.tile_cache import Place, TileCache
from conurb.node.tiles import Tiles
from conurb.store.contract import Store
from conurb.store.engines import open_store
from tests.contracts.tiles import read_tile

BUS, PLACE = "https://example.org/Bus", "https://example.org/place"
ASK = TileAsk("buses", square(2, 3, 1), Query((Selector(types=TypeIs(BUS)),)), PLACE, FlatView())


def bus(name: str, longitude: float, *, scope: tuple[str, ...] = ()) -> Entity:
    value = {"type": "Point", "coordinates": [longitude, 31.0]}
    attrs = {PLACE: [{"type": "GeoProperty", "value": value}]}
    return Entity(f"urn:ngsi-ld:Bus:{name}", (BUS,), attrs, scope=scope)


class Counting:
    """A store that counts what it draws, and may be held up while it does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.drawn = 0
        self.held: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def tile(self, ask: TileAsk) -> TileLayer:
        self.drawn += 1
        layer = await self._store.tile(ask)
        if self.held is not None:
            await self.held.wait()
        return layer


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Counting]:
    opened = open_store(str(tmp_path / "node.db"), clock=system_clock)
    await opened.open()
    yield Counting(opened)
    await opened.close()


async def names(tiles: Tiles, ask: TileAsk = ASK, caller: Caller = LOCAL) -> set[str]:
    data = (await tiles.draw(caller, ask)).layer.data
    return {f.properties["id"].rpartition(":")[2] for f in read_tile(data).get("buses", [])}


async def test_a_tile_is_drawn_once_while_nothing_on_it_changes(store: Counting) -> None:
    tiles = Tiles(store)
    await store.apply_all([UpsertEntity(bus("1", 120.0))])
    for _ in range(3):
        assert await names(tiles) == {"1"}
        await store.apply_all([UpsertEntity(bus("far", 10.0))])
        other = Entity("urn:x:1", ("https://example.org/Tram",), bus("1", 120.0).attrs)
        await store.apply_all([UpsertEntity(other)])
    assert store.drawn == 1
    await store.apply_all([UpsertEntity(bus("far", 120.0))])
    assert await names(tiles) == {"1", "far"}
    assert store.drawn == 2


async def test_a_tile_that_changes_while_it_is_drawn_is_not_kept(store: Counting) -> None:
    tiles = Tiles(store)
    await store.apply_all([UpsertEntity(bus("1", 120.0))])
    await names(tiles, replace(ASK, name="other"))
    store.held = asyncio.Event()
    drawing = asyncio.create_task(names(tiles))
    await asyncio.sleep(0.1)
    await store.apply_all([UpsertEntity(bus("2", 120.0))])
    # Somebody else's question reads the journal meanwhile.
    second = asyncio.create_task(names(tiles, replace(ASK, square=square(0, 0, 0))))
    await asyncio.sleep(0.1)
    store.held.set()
    assert await drawing == {"1"}  # as it was when it was asked
    await second
    assert await names(tiles) == {"1", "2"}


async def test_what_one_caller_was_shown_is_not_shown_to_another(store: Counting) -> None:
    tiles = Tiles(store)
    await store.apply_all(
        [
            UpsertEntity(bus("1", 120.0, scope=("/yrd/wuxi",))),
            UpsertEntity(bus("2", 120.0, scope=("/yrd/huzhou",))),
        ]
    )
    wuxi = Caller("wuxi", frozenset({"read"}), Restriction(scopes=("/yrd/wuxi",)))
    assert await names(tiles) == {"1", "2"}
    assert await names(tiles, caller=wuxi) == {"1"}
    assert await names(tiles) == {"1", "2"}
    with pytest.raises(ForbiddenError):
        await tiles.draw(Caller("nobody", frozenset()), ASK)


def test_what_is_kept_is_bounded_and_the_longest_unasked_goes_first() -> None:
    cache: TileCache[bytes] = TileCache(size=len, bytes_max=10_000)
    for number in range(20):
        with cache.drawing(number, Place(ASK.query, ASK.square)) as pending:
            pending.keep(b"x" * 1_000)
        cache.find(0)
    assert len(cache) == 6
    assert cache.find(0) is not None
    assert cache.find(1) is None
    with cache.drawing("large", Place(ASK.query, ASK.square)) as pending:
        pending.keep(b"x" * 20_000)
    assert cache.find("large") is None
