"""What a snapshot freezes, how it is kept, cloned, purged and dropped (clause 5.16)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.errors import AlreadyExistsError, BadRequestDataError, ForbiddenError, NotFoundError
from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.query.q import parse_q
from conurb.model.query.temporal import parse_window
from conurb.model.query.tree import Query, Restriction, Selector, TemporalQuery, TypeIs
from conurb.model.time import US_PER_S
from conurb.node.bounds import Bounds
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.node.snapshot import Snapshot, SnapshotOrder, SnapshotPatch
from conurb.node.snapshots import LIFETIME_US_MAX
from tests.node.conftest import HandClock
from tests.services.receiver import receiving

TERMS = core_terms()
SPEED = TERMS.expand("speed")
BUSES = Query(selectors=(Selector(types=TypeIs("urn:t:Bus")),))
ORDER = SnapshotOrder(queries=(BUSES,), documents=({"type": "Query"},))


def bus(number: int, speed: int) -> Entity:
    return Entity(
        f"urn:x:{number}", ("urn:t:Bus",), {SPEED: [{"type": "Property", "value": speed}]}
    )


async def filled(node: Node, order: SnapshotOrder = ORDER, caller: Caller = LOCAL) -> Snapshot:
    return await ready(node, await node.snapshots.create(caller, order))


async def ready(node: Node, snapshot: Snapshot) -> Snapshot:
    for _ in range(500):
        if snapshot.status != "preparing":
            return snapshot
        await asyncio.sleep(0.01)
    raise AssertionError(f"{snapshot.id} is still {snapshot.status}")


async def speeds(host: Host, snapshot: Snapshot) -> dict[str, int]:
    frozen = await host.snapshot(LOCAL, None, snapshot.id)
    answer = await frozen.consume.query(LOCAL, Query(limit=100))
    return {one.id: one.attrs[SPEED][0]["value"] for one in answer.entities}


async def test_a_snapshot_stays_as_it_was_and_can_be_changed_alone(host: Host, node: Node) -> None:
    await node.provide.create_batch(LOCAL, [bus(1, 10), bus(2, 20)])
    snapshot = await filled(node)
    assert (snapshot.status, snapshot.details[0].status) == ("success", "success")
    await node.provide.replace(LOCAL, "urn:x:1", bus(1, 99))
    frozen = await host.snapshot(LOCAL, None, snapshot.id)
    await frozen.provide.delete(LOCAL, "urn:x:2")
    assert await speeds(host, snapshot) == {"urn:x:1": 10}
    assert (await node.consume.retrieve(LOCAL, "urn:x:2")).entities


async def test_a_frozen_entity_keeps_its_times(host: Host, node: Node, clock: HandClock) -> None:
    await node.provide.create(LOCAL, bus(1, 10))
    created = clock.now
    clock.now += 60 * US_PER_S
    frozen = await host.snapshot(LOCAL, None, (await filled(node)).id)
    entity = (await frozen.consume.retrieve(LOCAL, "urn:x:1")).entities[0]
    live = (await node.consume.retrieve(LOCAL, "urn:x:1")).entities[0]
    assert entity.created_at == live.created_at
    assert entity.created_at < created + US_PER_S
    assert entity.attrs == live.attrs


async def test_the_status_sums_up_what_became_of_the_queries(node: Node) -> None:
    assert (await filled(node)).status == "empty"
    await node.provide.create_batch(LOCAL, [bus(i, i) for i in range(3)])
    node.snapshots._bounds = Bounds(snapshot_max=2)
    narrow = Query(selectors=BUSES.selectors, condition=parse_q("speed==1", TERMS))
    order = SnapshotOrder(queries=(BUSES, narrow), documents=({}, {}))
    snapshot = await filled(node, order)
    assert snapshot.status == "partial"
    assert [one.status for one in snapshot.details] == ["failure", "success"]
    assert snapshot.details[0].error == "TooComplexQueryError"


async def test_a_snapshot_of_history_gives_the_history(host: Host, node: Node) -> None:
    await node.provide.create(LOCAL, bus(1, 10))
    await node.provide.replace(LOCAL, "urn:x:1", bus(1, 20))
    window = parse_window(
        timerel="after", time_at="2000-01-01T00:00:00Z", end_time_at=None, timeproperty="createdAt"
    )
    order = SnapshotOrder(
        temporal_queries=(TemporalQuery(BUSES, window),), temporal_documents=({},)
    )
    snapshot = await filled(node, order)
    assert (snapshot.status, snapshot.temporal_details[0].status) == ("success", "success")
    await node.provide.delete(LOCAL, "urn:x:1")
    frozen = await host.snapshot(LOCAL, None, snapshot.id)
    rows = await frozen.store.history("urn:x:1", [SPEED])
    assert [row.instance["value"] for row in rows if row.instance] == [10, 20]
    assert await speeds(host, snapshot) == {"urn:x:1": 20}


async def test_a_clone_has_everything_and_outlives_its_origin(host: Host, node: Node) -> None:
    await node.provide.create(LOCAL, bus(1, 10))
    origin = await filled(node)
    clone = await node.snapshots.clone(
        LOCAL, origin.id, SnapshotOrder(id="urn:x:clone", priority=9)
    )
    await ready(node, clone)
    await node.snapshots.delete(LOCAL, origin.id)
    assert (clone.id, clone.priority, clone.status) == ("urn:x:clone", 9, "success")
    assert await speeds(host, clone) == {"urn:x:1": 10}
    with pytest.raises(AlreadyExistsError):
        await node.snapshots.create(LOCAL, SnapshotOrder(id="urn:x:clone", queries=(BUSES,)))


def files_of_snapshots(folder: Path) -> list[Path]:
    return list(folder.rglob("*snapshot*"))


async def test_deleting_takes_the_store_away(host: Host, node: Node, tmp_path: Path) -> None:
    await node.provide.create(LOCAL, bus(1, 10))
    snapshot = await filled(node)
    assert files_of_snapshots(tmp_path)
    await node.snapshots.delete(LOCAL, snapshot.id)
    assert not files_of_snapshots(tmp_path)
    with pytest.raises(NotFoundError):
        await host.snapshot(LOCAL, None, snapshot.id)


async def test_a_purge_takes_those_that_fit_and_asks_of_members_alone(node: Node) -> None:
    low = await filled(node, SnapshotOrder(queries=(BUSES,), priority=2))
    high = await filled(node, SnapshotOrder(queries=(BUSES,), priority=8))
    with pytest.raises(BadRequestDataError, match="speed"):
        await node.snapshots.purge(LOCAL, parse_q("speed>50", TERMS))
    result = await node.snapshots.purge(LOCAL, parse_q("snapshotPriority<5", TERMS))
    assert result.success == [low.id]
    assert node.snapshots.get(LOCAL, high.id) is high
    with pytest.raises(NotFoundError):
        await node.snapshots.purge(LOCAL, parse_q("snapshotPriority<5", TERMS))


async def test_a_snapshot_goes_by_its_time_which_is_bounded(node: Node, clock: HandClock) -> None:
    short = await filled(node, SnapshotOrder(queries=(BUSES,), lifetime_us=US_PER_S))
    long = await filled(node, SnapshotOrder(queries=(BUSES,), lifetime_us=10**18))
    assert long.expires_us == clock.now + LIFETIME_US_MAX
    clock.now += US_PER_S
    with pytest.raises(NotFoundError):
        node.snapshots.get(LOCAL, short.id)
    await node.snapshots.sweep()
    assert [one.id for one in await node.store.list_documents("snapshot")] == [long.id]


async def test_the_least_important_snapshot_makes_room(node: Node) -> None:
    node.snapshots._bounds = Bounds(snapshots_max=2)
    orders = [SnapshotOrder(queries=(BUSES,), priority=priority) for priority in (5, 3, 7)]
    first, second, third = [await filled(node, order) for order in orders]
    with pytest.raises(NotFoundError):
        node.snapshots.get(LOCAL, second.id)
    assert node.snapshots.get(LOCAL, first.id)
    assert node.snapshots.get(LOCAL, third.id)


async def test_a_changed_snapshot_is_announced_and_kept(node: Node, clock: HandClock) -> None:
    told: list[str] = []

    async def announce(snapshot: Snapshot) -> None:
        told.append(snapshot.status)

    node.snapshots.announce = announce
    snapshot = await filled(node)
    clock.now += 30 * US_PER_S
    await node.snapshots.update(LOCAL, snapshot.id, SnapshotPatch(priority=1))
    await asyncio.sleep(0)
    assert told == ["empty", "empty"]
    stored = await node.store.find_document("snapshot", snapshot.id)
    assert stored is not None
    assert Snapshot.of(stored.body) == snapshot
    assert snapshot.modified_us == clock.now


async def test_the_endpoint_is_told_of_the_status_and_given_its_headers(node: Node) -> None:
    await node.provide.create(LOCAL, bus(1, 10))
    async with receiving() as receiver:
        order = SnapshotOrder(
            queries=(BUSES,),
            endpoint=receiver.url,
            receiver_info=({"key": "X-Desk", "value": "7"},),
        )
        snapshot = await filled(node, order)
        (filled_post,) = await receiver.wait(1)
        await node.snapshots.update(LOCAL, snapshot.id, SnapshotPatch(priority=1))
        _, updated_post = await receiver.wait(2)
    told = filled_post.document
    assert (told["type"], told["snapshotId"]) == ("SnapshotNotification", snapshot.id)
    assert told["snapshotStatus"] == "success"
    assert told["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    assert filled_post.headers["x-desk"] == "7"
    assert updated_post.document["id"] != told["id"]


async def test_use_is_remembered(host: Host, node: Node, clock: HandClock) -> None:
    snapshot = await filled(node)
    clock.now += 60 * US_PER_S
    await host.snapshot(LOCAL, None, snapshot.id)
    assert snapshot.used_us == clock.now


async def test_a_snapshot_shows_a_narrow_caller_nothing_that_is_not_theirs(node: Node) -> None:
    await node.provide.create_batch(LOCAL, [bus(1, 1), Entity("urn:x:t", ("urn:t:Tram",))])
    tram = Caller("tram", frozenset({"read", "write"}), Restriction(types=("urn:t:Tram",)))
    whole = await filled(node)
    with pytest.raises(NotFoundError):
        node.snapshots.get(tram, whole.id)
    own = await filled(node, SnapshotOrder(queries=(Query(),)), tram)
    frozen = await node.snapshots.node(LOCAL, own.id)
    answer = await frozen.consume.query(LOCAL, Query())
    assert [one.id for one in answer.entities] == ["urn:x:t"]
    with pytest.raises(ForbiddenError):
        await node.snapshots.create(Caller("reader", frozenset({"read"})), ORDER)


async def test_a_snapshot_whose_filling_was_cut_off_has_failed(node: Node) -> None:
    snapshot = await filled(node)
    snapshot.status = "preparing"
    await node.snapshots._save(snapshot)
    await node.snapshots.open()
    assert node.snapshots.get(LOCAL, snapshot.id).status == "failure"
