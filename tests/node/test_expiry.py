"""What the reaper takes, and that history and journal know (clause 4.22)."""

from __future__ import annotations

import pytest

from conurb.access.caller import LOCAL
from conurb.errors import NotFoundError
from conurb.model.entity import Entity
from conurb.model.time import US_PER_S, fixed
from conurb.node.node import Node
from tests.node.conftest import HandClock

SPEED, NAME = "urn:p:speed", "urn:p:name"


async def test_an_expired_entity_is_gone_at_once_and_a_deletion_when_it_is_reaped(
    node: Node, clock: HandClock
) -> None:
    attrs = {NAME: [{"type": "Property", "value": "a"}]}
    expires = clock.now + 10 * US_PER_S
    await node.provide.create(LOCAL, Entity("urn:x:1", ("urn:T",), attrs, expires_at=expires))
    clock.now = expires
    with pytest.raises(NotFoundError):
        await node.consume.retrieve(LOCAL, "urn:x:1")
    end = await node.store.journal_end()
    assert await node.reaper.sweep() == 1
    assert [record.kind for record in await node.store.journal(after=end)] == ["deleted"]
    rows = await node.store.history("urn:x:1", [NAME])
    assert [row.instance is None for row in rows] == [False, True]
    assert await node.reaper.sweep() == 0


async def test_an_expired_instance_is_reaped_and_its_neighbours_stay(
    node: Node, clock: HandClock
) -> None:
    soon = fixed(clock.now + 10 * US_PER_S)
    attrs = {
        NAME: [{"type": "Property", "value": "a"}],
        SPEED: [
            {"type": "Property", "value": 5},
            {"type": "Property", "value": 6, "datasetId": "urn:d:1", "expiresAt": soon},
        ],
    }
    await node.provide.create(LOCAL, Entity("urn:x:1", ("urn:T",), attrs))
    assert await node.reaper.sweep() == 0
    clock.now += 10 * US_PER_S
    assert await node.reaper.sweep() == 1
    left = (await node.consume.retrieve(LOCAL, "urn:x:1")).entities[0]
    assert [one["value"] for one in left.attrs[SPEED]] == [5]
    assert NAME in left.attrs


async def test_an_id_is_free_again_when_its_entity_has_expired(
    node: Node, clock: HandClock
) -> None:
    expires = clock.now + US_PER_S
    await node.provide.create(LOCAL, Entity("urn:x:1", ("urn:T",), expires_at=expires))
    clock.now = expires + 1
    await node.provide.create(LOCAL, Entity("urn:x:1", ("urn:U",)))
    found = (await node.consume.retrieve(LOCAL, "urn:x:1")).entities[0]
    assert found.types == ("urn:U",)
    assert await node.reaper.sweep() == 0
