"""How tenants come into being, are kept apart, and are there again after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conurb.access.caller import LOCAL
from conurb.errors import (
    BadRequestDataError,
    NonexistentTenantError,
    NotFoundError,
    UnavailableError,
)
from conurb.model.entity import Entity
from conurb.node.bounds import Bounds
from conurb.node.contexts import Contexts
from conurb.node.host import Host
from conurb.node.shelf import open_shelf

BUS = Entity("urn:x:1", ("urn:t:Bus",))


def make(path: Path, bounds: Bounds | None = None) -> Host:
    return Host(
        open_shelf(str(path / "node.db")), node_id="city", contexts=Contexts(), bounds=bounds
    )


async def test_a_tenant_is_created_by_a_write_and_unknown_to_a_read(host: Host) -> None:
    with pytest.raises(NonexistentTenantError, match="wuxi"):
        await host.node("wuxi")
    wuxi = await host.node("wuxi", create=True)
    assert await host.node("wuxi") is wuxi
    assert host.list_tenants() == ["wuxi"]


async def test_a_tenant_whose_maker_went_away_is_made_all_the_same(host: Host) -> None:
    asking = asyncio.create_task(host.node("wuxi", create=True))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    wuxi = await host.node("wuxi", create=True)
    await wuxi.provide.create(LOCAL, BUS)
    assert host.list_tenants() == ["wuxi"]


async def test_tenants_do_not_see_each_others_entities(host: Host) -> None:
    wuxi = await host.node("wuxi", create=True)
    await wuxi.provide.create(LOCAL, BUS)
    with pytest.raises(NotFoundError):
        await (await host.node()).consume.retrieve(LOCAL, BUS.id)
    with pytest.raises(NotFoundError):
        await (await host.node("suzhou", create=True)).consume.retrieve(LOCAL, BUS.id)


async def test_tenants_are_there_after_a_restart(tmp_path: Path) -> None:
    first = make(tmp_path)
    await first.open()
    await (await first.node("Wuxi/Xinwu", create=True)).provide.create(LOCAL, BUS)
    await first.close()
    second = make(tmp_path)
    await second.open()
    assert second.list_tenants() == ["Wuxi/Xinwu"]
    found = await (await second.node("Wuxi/Xinwu")).consume.retrieve(LOCAL, BUS.id)
    assert found.entities[0].id == BUS.id
    await second.close()


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "城"])
async def test_not_everything_is_a_name_of_a_tenant(host: Host, name: str) -> None:
    with pytest.raises(BadRequestDataError, match="tenant"):
        await host.node(name, create=True)


async def test_the_tenants_of_a_process_are_bounded(tmp_path: Path) -> None:
    host = make(tmp_path, Bounds(tenants_max=1))
    await host.open()
    await host.node("one", create=True)
    with pytest.raises(UnavailableError, match="at most"):
        await host.node("two", create=True)
    await host.close()


async def test_a_host_whose_tenant_does_not_open_says_so_and_is_closed(tmp_path: Path) -> None:
    first = make(tmp_path)
    await first.open()
    await first.node("wuxi", create=True)
    await first.close()
    for file in files_of_tenants(tmp_path):
        file.write_bytes(b"no database" * 1000)
    second = make(tmp_path)
    with pytest.raises(UnavailableError, match="wuxi"):
        await second.open()
    for file in files_of_tenants(tmp_path):
        file.unlink()
    await second.open()
    await second.close()


def files_of_tenants(folder: Path) -> list[Path]:
    return list(folder.glob("*.tenants/*.db"))


async def test_a_node_that_is_given_no_id_makes_one_and_keeps_it(tmp_path: Path) -> None:
    ids = []
    for place in ("a.db", "a.db", "b.db"):
        host = Host(open_shelf(str(tmp_path / place)), node_id=None, contexts=Contexts())
        await host.open()
        assert host.alias("wuxi") == f"{host.id}.wuxi"
        assert (await host.node()).id == host.id
        ids.append(host.id)
        await host.close()
    assert ids[0] == ids[1] != ids[2]
    assert all(one.startswith("node-") for one in ids)


async def test_an_id_that_is_given_goes_before_the_one_that_is_kept(tmp_path: Path) -> None:
    for given, expected in ((None, None), ("city", "city")):
        host = Host(open_shelf(str(tmp_path / "a.db")), node_id=given, contexts=Contexts())
        await host.open()
        assert expected is None or host.id == expected
        await host.close()
