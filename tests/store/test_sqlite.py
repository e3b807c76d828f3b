"""What is particular to the embedded engine: its file, its indexes, its durability."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from conurb.errors import ConflictError, UnavailableError
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity
from conurb.model.query.tree import AttributePath, Compare, Query, Selector, TypeIs
from conurb.store.engines import open_store
from conurb.store.sqlite import connections, schema
from conurb.store.sqlite.rows import Terms
from conurb.store.sqlite.select import CurrentSelect
from conurb.store.sqlite.sources import Parameters, Reach

TYPE = "https://example.org/Sensor"
VALUE = "https://example.org/value"


def sensor(number: int) -> Entity:
    attrs: dict[str, list[dict[str, Any]]] = {VALUE: [{"type": "Property", "value": number}]}
    return Entity(f"urn:ngsi-ld:Sensor:{number:05}", (TYPE,), attrs)


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(1))])
    connection = store._writer.connection  # type: ignore[attr-defined]
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("journal_mode") == "wal"
    await store.close()


async def test_an_attribute_that_is_compared_gets_an_index_which_then_serves(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(number)) for number in range(2000)])
    query = Query(
        (Selector(types=TypeIs(TYPE)),), condition=Compare(AttributePath((VALUE,)), ">", 1990)
    )
    assert len((await store.query(query)).entities) == 9
    for _ in range(200):
        await asyncio.sleep(0.01)
        connection = apsw.Connection(str(tmp_path / "a.db"))
        if connection.execute("SELECT count(*) FROM indexed").get:
            break
    names = connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'entity_value_%'")
    (name,) = names.fetchone()
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT eid FROM entity WHERE type = 2 AND (flat ->> '$.a"
        f"{name.rpartition('_')[2]}') > 5"
    ).fetchall()
    assert name in str(plan)
    assert len((await store.query(query)).entities) == 9
    assert await store.check() == []
    await store.close()


async def test_several_selectors_of_types_are_served_by_the_index_of_the_value(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(number)) for number in range(2000)])
    await store.ensure_index(VALUE)
    query = Query(
        (Selector(types=TypeIs(TYPE)), Selector(types=TypeIs(f"{TYPE}/other"))),
        condition=Compare(AttributePath((VALUE,)), ">", 1990),
    )
    connection = apsw.Connection(str(tmp_path / "a.db"))
    reach = Reach(connection, Terms(), Parameters(), 0)
    page = CurrentSelect(reach, query).compile().page
    plan = connection.execute(f"EXPLAIN QUERY PLAN {page}", reach.parameters.values).fetchall()
    assert "entity_value_" in str(plan)
    assert "SCAN e" not in str(plan)
    assert len((await store.query(query)).entities) == 9
    await store.close()


async def test_a_second_process_may_read_but_not_write(tmp_path: Path) -> None:
    first, second = open_store(tmp_path / "a.db"), open_store(tmp_path / "a.db")
    await first.open()
    await first.apply([CreateEntity(sensor(1))])
    await second.open()
    assert await second.find("urn:ngsi-ld:Sensor:00001") is not None
    with pytest.raises(UnavailableError, match="another process"):
        await second.apply([CreateEntity(sensor(2))])
    await second.close()
    await first.close()


async def test_a_file_of_a_newer_version_or_another_program_is_left_alone(tmp_path: Path) -> None:
    newer = apsw.Connection(str(tmp_path / "newer.db"))
    newer.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer.close()
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("CREATE TABLE t (a)")
    other.close()
    for name, reason in (("newer", "version"), ("other", "not of a node")):
        with pytest.raises(UnavailableError, match=reason):
            await open_store(tmp_path / f"{name}.db").open()
    (tmp_path / "text.db").write_text("this is no database " * 100)
    with pytest.raises(UnavailableError):
        await open_store(tmp_path / "text.db").open()


async def test_a_backup_is_a_store_of_its_own(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(number)) for number in range(100)])
    await store.backup(tmp_path / "b.db")
    with pytest.raises(ConflictError, match="exists already"):
        await store.backup(tmp_path / "b.db")
    await store.close()
    copy = open_store(tmp_path / "b.db")
    await copy.open()
    assert (await copy.query(Query(limit=0, count=True))).total == 100
    assert await copy.check() == []
    await copy.close()


async def test_check_finds_what_was_changed_behind_its_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(number)) for number in range(3)])
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute("UPDATE entity SET doc = replace(doc, ':1,', ':7,') WHERE eid = 2")
    problems = "\n".join(await store.check())
    assert "isn't its state" in problems
    assert "not in history" in problems
    assert "comparable values" in problems
    await store.close()


async def test_a_query_that_overruns_the_event_loop_leaves_no_transaction_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "a.db")
    await store.open()
    await store.apply([CreateEntity(sensor(number)) for number in range(10)])
    query = Query((Selector(types=TypeIs(TYPE)),))
    with monkeypatch.context() as patch:
        patch.setattr(connections, "INLINE_TIME_MAX_S", -1.0)
        patch.setattr(connections, "_INLINE_STEPS", 1)
        for _ in range(2):
            assert len((await store.query(query)).entities) == 10
    assert len((await store.query(query)).entities) == 10
    await store.close()
