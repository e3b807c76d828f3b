"""What every reader has passed leaves the journal after a while; what one waits for stays."""

from __future__ import annotations

from conurb.access.caller import LOCAL
from conurb.model.entity import Entity
from conurb.model.time import US_PER_S
from conurb.node.node import Node
from conurb.node.pruning import PERIOD_S, JournalKeeper
from conurb.store.contract import Position
from tests.node.conftest import HandClock

HOUR_S = 3_600


async def kept(node: Node) -> list[int]:
    return [record.seq for record in await node.store.journal(after=0)]


async def test_old_entries_go_and_those_that_a_reader_waits_for_stay(
    node: Node, clock: HandClock
) -> None:
    keeper = JournalKeeper(node.store, clock, keep_s=HOUR_S)
    for number in range(4):
        await node.provide.create(LOCAL, Entity(f"urn:x:{number}", ("urn:T",)))
        clock.now += US_PER_S
    await node.store.set_position(Position("slow", 1))
    await keeper.sweep()
    assert await kept(node) == [1, 2, 3, 4]
    clock.now += HOUR_S * US_PER_S
    await keeper.sweep()
    assert await kept(node) == [2, 3, 4]
    await node.store.set_position(Position("slow", 4))
    await keeper.sweep()
    assert await kept(node) == [2, 3, 4]
    clock.now += PERIOD_S * US_PER_S
    await keeper.sweep()
    assert await kept(node) == [4]
    assert await node.store.check() == []


async def test_everything_is_kept_unless_asked(node: Node, clock: HandClock) -> None:
    await node.provide.create(LOCAL, Entity("urn:x:1", ("urn:T",)))
    await node.provide.create(LOCAL, Entity("urn:x:2", ("urn:T",)))
    clock.now += 1_000 * HOUR_S * US_PER_S
    await JournalKeeper(node.store, clock, keep_s=0).sweep()
    assert await kept(node) == [1, 2]
