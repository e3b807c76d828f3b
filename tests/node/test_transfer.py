"""A node goes along whole: every tenant, state, both times of history, journal, subscriptions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conurb.app import build_host
from conurb.client.connection import connect
from conurb.config import Settings
from conurb.errors import AlreadyExistsError, InvalidRequestError
from conurb.node.host import place_of
from conurb.node.shelf import open_shelf
from conurb.node.transfer import backup_node, export_node, import_node, restore_node
from conurb.store.engines import open_store

SUBSCRIPTION = {
    "id": "urn:ngsi-ld:Subscription:s",
    "type": "Subscription",
    "entities": [{"type": "T"}],
    "isActive": False,
    "notification": {"endpoint": {"uri": "http://127.0.0.1:9/", "accept": "application/json"}},
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give a maker of new places for stores, on each engine."""
    numbers = itertools.count()
    if request.param == "sqlite":
        return lambda: str(tmp_path / f"node{next(numbers)}.db")
    url: str = request.getfixturevalue("postgres_node_url")
    return lambda: f"{url}_{next(numbers)}"


def fill(store: str) -> None:
    """Write, correct and delete; in the default tenant and in another."""
    for tenant in (None, "roads"):
        with connect(store, tenant=tenant) as node:
            for value in (1, 2):
                node.put(
                    [{"id": "urn:e:1", "type": "T", "p": {"type": "Property", "value": value}}]
                )
            observed = [
                {"type": "Property", "value": v, "observedAt": f"20{v}-01-01T00:00:00Z"}
                for v in (20, 21)
            ]
            node.request(
                "POST",
                "/ngsi-ld/v1/temporal/entities",
                body={"id": "urn:e:2", "type": "T", "o": observed},
            )
            node.put([{"id": "urn:e:3", "type": "T"}])
            node.delete("urn:e:3")
            node.request("POST", "/ngsi-ld/v1/subscriptions", body=SUBSCRIPTION)


async def contents(store: str, tenant: str | None) -> list[Mapping[str, Any]]:
    opened = open_shelf(store).store(place_of(tenant))
    await opened.open()
    try:
        assert await opened.check() == []
        return [row async for row in opened.export()]
    finally:
        await opened.close()


async def same(one: str, other: str) -> None:
    for tenant in (None, "roads"):
        rows = await contents(one, tenant)
        assert len(rows) > 8
        assert rows == await contents(other, tenant)


@pytest.mark.parametrize("name", ["node.jsonl", "node.jsonl.gz"])
async def test_an_export_comes_back_exactly(stores: Any, tmp_path: Path, name: str) -> None:
    source, target = stores(), stores()
    fill(source)
    exported = await export_node(open_shelf(source), tmp_path / name)
    imported = await import_node(open_shelf(target), tmp_path / name)
    assert set(exported.rows) == {None, "roads"}
    assert exported == imported
    await same(source, target)
    if not name.endswith(".gz"):  # which holds the time
        await export_node(open_shelf(target), tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / name).read_bytes()


async def test_a_backup_comes_back_exactly(stores: Any, tmp_path: Path) -> None:
    source, target = stores(), stores()
    fill(source)
    await backup_node(open_shelf(source), tmp_path / "backup")
    await restore_node(open_shelf(target), tmp_path / "backup")
    await same(source, target)


@pytest.mark.postgres
async def test_a_node_moves_between_engines_and_back(
    tmp_path: Path, postgres_node_url: str
) -> None:
    embedded, again = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    fill(embedded)
    await export_node(open_shelf(embedded), tmp_path / "one.jsonl")
    await import_node(open_shelf(postgres_node_url), tmp_path / "one.jsonl")
    await backup_node(open_shelf(postgres_node_url), tmp_path / "backup")
    await restore_node(open_shelf(again), tmp_path / "backup")
    await same(embedded, again)


def test_what_was_taken_in_answers_as_before(tmp_path: Path) -> None:
    import asyncio

    source, target = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    fill(source)
    asyncio.run(export_node(open_shelf(source), tmp_path / "a.jsonl"))
    asyncio.run(import_node(open_shelf(target), tmp_path / "a.jsonl"))
    for tenant in (None, "roads"):
        with connect(target, tenant=tenant) as node:
            assert node.get("urn:e:1")["p"]["value"] == 2
            assert [i["value"] for i in node.history("urn:e:2")["o"]] == [20, 21]
            listed = node.request("GET", "/ngsi-ld/v1/subscriptions").json()
            assert [one["id"] for one in listed] == [SUBSCRIPTION["id"]]


async def test_a_store_that_is_not_empty_takes_nothing_in(tmp_path: Path) -> None:
    source, target = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    await export_some(source, tmp_path)
    host = build_host(Settings(store=target))
    await host.open()
    await host.node("other", create=True)
    await host.close()
    before = await contents(target, None)
    with pytest.raises(AlreadyExistsError, match="isn't empty"):
        await import_node(open_shelf(target), tmp_path / "a.jsonl")
    assert await contents(target, None) == before


async def export_some(source: str, tmp_path: Path) -> bytes:
    import asyncio

    await asyncio.to_thread(fill, source)
    await export_node(open_shelf(source), tmp_path / "a.jsonl")
    return (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.999])
async def test_a_file_that_was_cut_short_changes_nothing(tmp_path: Path, kept: float) -> None:
    whole = await export_some(str(tmp_path / "a.db"), tmp_path)
    (tmp_path / "a.jsonl").write_bytes(whole[: int(len(whole) * kept)])
    target = str(tmp_path / "b.db")
    with pytest.raises(InvalidRequestError, match=r"cut short|isn't an export"):
        await import_node(open_shelf(target), tmp_path / "a.jsonl")
    store = open_store(target)
    await store.open()
    assert await store.journal_end() == 0
    await store.close()


async def test_a_backup_that_changed_is_refused(tmp_path: Path) -> None:
    await export_some(str(tmp_path / "a.db"), tmp_path)
    folder = tmp_path / "backup"
    await backup_node(open_shelf(str(tmp_path / "a.db")), folder)
    file = folder / "0000.backup"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(InvalidRequestError, match=r"0000\.backup changed"):
        await restore_node(open_shelf(str(tmp_path / "b.db")), folder)


async def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    await export_some(str(tmp_path / "a.db"), tmp_path)
    with pytest.raises(AlreadyExistsError, match="is there already"):
        await export_node(open_shelf(str(tmp_path / "a.db")), tmp_path / "a.jsonl")
    with pytest.raises(AlreadyExistsError, match="isn't empty"):
        await backup_node(open_shelf(str(tmp_path / "a.db")), tmp_path)
