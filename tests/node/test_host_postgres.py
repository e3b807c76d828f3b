"""Tenants and snapshots as schemas of one PostgreSQL database."""

from __future__ import annotations

import asyncio

import pytest

from conurb.access.caller import LOCAL
from conurb.errors import NonexistentTenantError
from conurb.model.entity import Entity
from conurb.model.query.tree import Query
from conurb.model.time import system_clock
from conurb.node.contexts import Contexts
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.node.shelf import open_shelf
from conurb.node.snapshot import Snapshot, SnapshotOrder
from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.postgres

BUS = Entity("urn:x:1", ("urn:t:Bus",), {"urn:p:speed": [{"type": "Property", "value": 5}]})


def make(url: str) -> Host:
    return Host(open_shelf(url, clock=system_clock), node_id="city", contexts=Contexts())


async def ready(snapshot: Snapshot) -> Snapshot:
    for _ in range(1500):
        if snapshot.status != "preparing":
            return snapshot
        await asyncio.sleep(0.02)
    raise AssertionError(f"{snapshot.id} is still being filled")


async def seen(node: Node) -> list[str]:
    return [one.id for one in (await node.consume.query(LOCAL, Query())).entities]


async def test_a_tenant_is_a_schema_that_is_there_after_a_restart(postgres_node_url: str) -> None:
    first = make(postgres_node_url)
    await first.open()
    with pytest.raises(NonexistentTenantError):
        await first.node("Wuxi")
    await (await first.node("Wuxi", create=True)).provide.create(LOCAL, BUS)
    await first.close()
    second = make(postgres_node_url)
    await second.open()
    assert second.list_tenants() == ["Wuxi"]
    assert await seen(await second.node("Wuxi")) == [BUS.id]
    assert await seen(await second.node()) == []
    await second.close()


async def test_a_snapshot_is_a_schema_that_goes_with_it(
    postgres_node_url: str, postgres_server: PostgresServer
) -> None:
    host = make(postgres_node_url)
    await host.open()
    node = await host.node()
    await node.provide.create(LOCAL, BUS)
    origin = await ready(await node.snapshots.create(LOCAL, SnapshotOrder(queries=(Query(),))))
    assert origin.status == "success"
    clone = await ready(await node.snapshots.clone(LOCAL, origin.id, SnapshotOrder()))
    await node.provide.delete(LOCAL, BUS.id)
    await node.snapshots.delete(LOCAL, origin.id)
    assert await seen(await host.snapshot(LOCAL, None, clone.id)) == [BUS.id]
    await node.snapshots.delete(LOCAL, clone.id)
    await host.close()
    left = postgres_server.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%snapshot%'")
    assert left.strip() == ""
