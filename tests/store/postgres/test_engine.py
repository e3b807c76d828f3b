"""What is PostgreSQL's own: addresses, the lock, the pool, indexes, what it can't hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from conurb.errors import BadRequestDataError, ConfigError, ConflictError, UnavailableError
from conurb.model.changes import Change
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity, DeleteEntity, UpsertEntity
from conurb.model.query.tree import (
    Aggregation,
    AggregationMethod,
    AttributePath,
    Compare,
    GeoCondition,
    Query,
    Selector,
    TemporalQuery,
    TypeIs,
)
from conurb.model.time import fixed
from conurb.store.contract import Document, Position
from conurb.store.engines import open_store
from conurb.store.postgres import connection as connections
from conurb.store.postgres import schema
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.connection import parse_address
from conurb.store.postgres.engine import PostgresStore
from conurb.store.postgres.schema import MIGRATIONS
from tests.services.postgres import PostgresServer

VALUE = "https://example.org/value"
TEXT = "https://example.org/text"
PLACE = "https://example.org/place"
TYPE = "https://example.org/T"


def entity(number: int, **attrs: Any) -> Entity:
    made = {
        VALUE: [{"type": "Property", "value": number}],
        TEXT: [{"type": "Property", "value": f"t{number:05d}"}],
        PLACE: [
            {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [120 + number / 1000, 30]},
            }
        ],
    }
    return Entity(f"urn:x:{number:05d}", (TYPE,), made | attrs)


@pytest.fixture
async def store(postgres_node_url: str) -> AsyncIterator[PostgresStore]:
    opened = PostgresStore(postgres_node_url)
    await opened.open()
    yield opened
    assert await opened.check() == []
    await opened.close()


# ── addresses ─────────────────────────────────────────────────────────────────────────────────


def test_an_address_keeps_the_drivers_options_and_hides_the_password() -> None:
    address = parse_address("postgresql://u:secret@db:5433/city?schema=wuxi&pool=4&sslmode=require")
    assert address.dsn == "postgresql://u:secret@db:5433/city?sslmode=require"
    assert (address.schema, address.readers_max) == ("wuxi", 4)
    assert "secret" not in address.name


@pytest.mark.parametrize(
    "query", ["schema=Wuxi", "schema=a%22b", "schema=pg_x", "schema=", "pool=0"]
)
def test_an_address_with_a_bad_option_is_refused(query: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(f"postgresql://db/city?{query}")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError):
        await PostgresStore("postgresql://nobody@127.0.0.1:1/none").open()


# ── life ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.postgres
async def test_what_was_written_is_there_when_opened_again(postgres_node_url: str) -> None:
    first = PostgresStore(postgres_node_url)
    await first.open()
    await first.apply([CreateEntity(entity(1)), CreateEntity(entity(2))], position=Position("r", 1))
    await first.close()
    again = PostgresStore(postgres_node_url)
    await again.open()
    assert await again.journal_end() == 2
    await again.apply([DeleteEntity("urn:x:00001")])
    records = await again.journal(after=0)
    assert [(r.seq, r.kind) for r in records] == [(1, "created"), (2, "created"), (3, "deleted")]
    assert await again.position("r") == 1
    await again.close()


@pytest.mark.postgres
async def test_one_process_writes_and_others_may_read(
    store: PostgresStore, postgres_node_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_S", 0.1)
    await store.apply([CreateEntity(entity(1))])
    other = PostgresStore(postgres_node_url)
    await other.open()
    await store.apply([UpsertEntity(Entity("urn:x:new", ("https://example.org/New",), {}))])
    found = await other.find("urn:x:new")
    assert found is not None
    assert found.types == ("https://example.org/New",)
    new = Selector(types=TypeIs("https://example.org/New"))
    assert len((await other.query(Query(selectors=(new,)))).entities) == 1
    with pytest.raises(UnavailableError, match="another process writes"):
        await other.apply([CreateEntity(entity(2))])
    await store.close()
    (outcome,) = await other.apply([CreateEntity(entity(2))])
    assert isinstance(outcome, Change)
    await other.close()
    await store.open()


@pytest.mark.postgres
async def test_a_reader_of_another_process_hears_of_the_journal(
    store: PostgresStore, postgres_node_url: str
) -> None:
    other = PostgresStore(postgres_node_url)
    await other.open()
    waiting = asyncio.create_task(other.wait_for_journal(0, 10))
    await asyncio.sleep(0.05)
    await store.apply([CreateEntity(entity(1))])
    assert await waiting
    await other.close()


@pytest.mark.postgres
async def test_a_schema_of_a_newer_version_is_refused(
    store: PostgresStore, postgres_node_url: str, postgres_url: str
) -> None:
    schema = parse_address(postgres_node_url).schema
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"INSERT INTO {schema}.version VALUES ({len(MIGRATIONS) + 1})")
    with pytest.raises(UnavailableError, match="newer"):
        await PostgresStore(postgres_node_url).open()
    await connection.execute(f"DELETE FROM {schema}.version WHERE number > {len(MIGRATIONS)}")
    await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
async def test_a_schema_of_an_older_version_is_brought_forward_with_all_that_it_holds(
    monkeypatch: pytest.MonkeyPatch, postgres_node_url: str, version: int
) -> None:
    text = {"type": "Property", "value": {"@type": "Time", "@value": "08:00:00Z"}}
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", MIGRATIONS[:version])
        old = PostgresStore(postgres_node_url)
        await old.open()
        await old.apply([CreateEntity(entity(1, **{VALUE: [{**text, "observedAt": fixed(0)}]}))])
        await old.close()
    new = PostgresStore(postgres_node_url)
    await new.open()
    aggregation = Aggregation(("avg",))
    asked = TemporalQuery(Query(), attributes=(VALUE,), aggregation=aggregation)
    (one,) = (await new.evolution(asked)).evolutions
    assert one.aggregates[VALUE, None]["avg"][0][0] == text["value"]
    assert await new.check() == []
    await new.close()


@pytest.mark.postgres
async def test_commits_are_durable_even_where_the_server_says_otherwise(
    store: PostgresStore,
) -> None:
    await store.apply([CreateEntity(entity(1))])
    connection = await store._open_writer().connection()
    assert await connection.fetchval("SHOW synchronous_commit") == "on"


@pytest.mark.postgres
async def test_a_store_goes_on_when_its_connections_were_cut(
    store: PostgresStore, postgres_url: str
) -> None:
    await store.apply([CreateEntity(entity(1))])
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND application_name LIKE 'conurb %'"
    )
    await connection.close()
    for _ in range(2):  # the first call may still find the dead connection
        try:
            (outcome,) = await store.apply([CreateEntity(entity(2))])
            break
        except UnavailableError:
            continue
    assert isinstance(outcome, Change)
    assert await store.journal_end() == 2


# ── what it can't hold ────────────────────────────────────────────────────────────────────────


@pytest.mark.postgres
@pytest.mark.parametrize(
    "wrong",
    [
        Entity("urn:x:nul", (TYPE,), {TEXT: [{"type": "Property", "value": {"a": "b\0c"}}]}),
        Entity("urn:x:" + "\u4e2d\u56fd" * 1024, (TYPE,), {}),
        Entity("urn:x:late", (TYPE,), {}, expires_at=2**70),
    ],
    ids=["NUL", "long id", "huge time"],
)
async def test_one_operation_that_cannot_be_stored_does_not_disturb_its_neighbours(
    store: PostgresStore, wrong: Entity
) -> None:
    if wrong.id.startswith("urn:x:\u4e2d"):  # incompressible, so that it is too long for an index
        wrong.id = "urn:x:" + "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(2_000))
    operations = [CreateEntity(entity(1)), CreateEntity(wrong), CreateEntity(entity(2))]
    outcomes = await store.apply(operations, position=Position("r", 2))
    assert [type(outcome) for outcome in outcomes] == [Change, BadRequestDataError, Change]
    assert len((await store.query(Query())).entities) == 2
    assert await store.position("r") == 2
    with pytest.raises(BadRequestDataError):
        await store.apply_all([CreateEntity(entity(3)), CreateEntity(wrong)])
    assert await store.find("urn:x:00003") is None


@pytest.mark.postgres
async def test_a_backslash_before_u0000_is_an_ordinary_text(store: PostgresStore) -> None:
    value = ["\\u0000", "\\\\u0000"]
    made = Entity("urn:x:1", (TYPE,), {TEXT: [{"type": "Property", "value": value}]})
    await store.apply_all([CreateEntity(made)])
    found = await store.find("urn:x:1")
    assert found is not None
    assert found.attrs[TEXT][0]["value"] == value


@pytest.mark.postgres
async def test_a_document_comes_back_byte_for_byte(store: PostgresStore) -> None:
    text = '{"z":1e16,"a":1.0,"m":-0.0,"b":[1e-300,12345678901234567890],"aa":0.1}'
    value = orjson.loads(text)
    made = Entity("urn:x:1", (TYPE,), {TEXT: [{"type": "Property", "value": value}]})
    await store.apply_all([CreateEntity(made)])
    found = await store.find("urn:x:1")
    assert found is not None
    assert orjson.dumps(found.attrs[TEXT][0]["value"]) == orjson.dumps(value)


# ── plans ─────────────────────────────────────────────────────────────────────────────────────


async def _plan(store: PostgresStore, query: Query) -> str:
    selection = Selection(store._names, query.restriction, Moments(0))
    sql, *arguments = selection.arguments.bind(selection.page_sql(query, 10))
    async with store._reader() as connection:
        rows = await connection.fetch(f"EXPLAIN {sql}", *arguments)
    return "\n".join(row[0] for row in rows)


@pytest.mark.postgres
async def test_queries_are_served_by_indexes(store: PostgresStore) -> None:
    for start in range(0, 6_000, 1_000):
        await store.apply([CreateEntity(entity(n)) for n in range(start, start + 1_000)])
    rare = "https://example.org/Rare"
    await store.apply([CreateEntity(Entity(f"urn:y:{n}", (rare,), {})) for n in range(50)])
    await store.ensure_index(VALUE)
    await store.ensure_index(TEXT)
    await store.ensure_index(TEXT)
    async with store._reader() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ANALYZE geometry")
    value, text = (AttributePath((name,)) for name in (VALUE, TEXT))
    tid = {name: store._names.find_tid(name) for name in (VALUE, TEXT)}
    assert f"value_{tid[VALUE]}" in await _plan(store, Query(condition=Compare(value, ">", 5_990)))
    assert f"value_{tid[VALUE]}" in await _plan(store, Query(condition=Compare(value, "==", 7)))
    assert f"value_{tid[TEXT]}" in await _plan(store, Query(condition=Compare(text, "==", "x")))
    assert f"text_{tid[TEXT]}" in await _plan(store, Query(condition=Compare(text, "<", "t00009")))
    near = GeoCondition(PLACE, "near", "POINT (121 30)", distance_m_max=200.0)
    assert "geometry_sphere" in await _plan(store, Query(geo=near))
    box = "POLYGON ((121 29, 121.01 29, 121.01 31, 121 31, 121 29))"
    assert "geometry_planar" in await _plan(store, Query(geo=GeoCondition(PLACE, "within", box)))
    by_type = Query(selectors=(Selector(types=TypeIs(rare)),))
    assert "entity_typeset" in await _plan(store, by_type)


@pytest.mark.postgres
async def test_an_index_that_was_interrupted_is_built_anew(
    store: PostgresStore, postgres_node_url: str, postgres_url: str
) -> None:
    await store.apply([CreateEntity(entity(1))])
    tid = store._names.find_tid(VALUE)
    schema = parse_address(postgres_node_url).schema
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE INDEX value_{tid} ON {schema}.entity (created)")
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false "
        f"WHERE indexrelid = '{schema}.value_{tid}'::regclass"
    )
    await store.ensure_index(VALUE)
    built = await connection.fetchrow(
        "SELECT indisvalid, pg_get_indexdef(indexrelid) AS sql FROM pg_index "
        f"WHERE indexrelid = '{schema}.value_{tid}'::regclass"
    )
    await connection.close()
    assert built["indisvalid"]
    assert "flat" in built["sql"]


# ── transfer ──────────────────────────────────────────────────────────────────────────────────


async def _rows(store: Any) -> list[Any]:
    return [row async for row in store.export()]


@pytest.mark.postgres
async def test_a_backup_is_restored_into_the_other_engine_and_back(
    store: PostgresStore, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    await store.apply([CreateEntity(entity(n)) for n in range(5)], position=Position("r", 3))
    await store.apply([UpsertEntity(entity(1, **{TEXT: []})), DeleteEntity("urn:x:00002")])
    await store.put_document(Document("subscription", "urn:s:1", {"a": [1, None, "x"]}))
    await store.backup(tmp_path / "backup")
    with pytest.raises(ConflictError):
        await store.backup(tmp_path / "backup")

    async def lines() -> AsyncIterator[Any]:
        for line in (tmp_path / "backup").read_bytes().splitlines():
            yield orjson.loads(line)

    other = open_store(tmp_path / "other.db")
    await other.open()
    await other.restore(lines())
    back = PostgresStore(postgres_server.url(schema="restored_back"))
    await back.open()
    await back.restore(other.export())
    with pytest.raises(ConflictError):
        await back.restore(other.export())
    assert await back.check() == []
    wanted = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in await _rows(store)]
    found = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in await _rows(back)]
    assert sorted(found) == sorted(wanted)
    await back.apply_all([CreateEntity(entity(9))])
    assert await back.journal_end() == await store.journal_end() + 1
    assert await back.check() == []
    await back.close()
    await other.close()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "row", [{"row": "object"}, {"row": "what"}, {"row": "history", "id": "urn:x:none"}, {}]
)
async def test_a_restore_that_fails_leaves_nothing(store: PostgresStore, row: Any) -> None:
    async def rows() -> AsyncIterator[Any]:
        yield {"row": "store", "format": "conurb-store/1"}
        yield {"row": "document", "kind": "k", "id": "1", "body": {}}
        yield row

    with pytest.raises(BadRequestDataError):
        await store.restore(rows())
    assert await store.list_documents("k") == []
    (outcome,) = await store.apply([CreateEntity(entity(1))])
    assert isinstance(outcome, Change)


@pytest.mark.postgres
async def test_an_attribute_that_is_compared_gets_its_index_by_itself(store: PostgresStore) -> None:
    for start in range(0, 2_000, 1_000):
        await store.apply([CreateEntity(entity(n)) for n in range(start, start + 1_000)])
    query = Query(condition=Compare(AttributePath((VALUE,)), ">", 1_990))
    assert len((await store.query(query)).entities) == 9
    await store._indexes.close()
    assert f"value_{store._names.find_tid(VALUE)}" in await _plan(store, query)
    assert len((await store.query(query)).entities) == 9


@pytest.mark.postgres
async def test_numbers_too_large_to_aggregate_are_told_not_failed_on(store: PostgresStore) -> None:
    await store.apply([CreateEntity(entity(1, **{VALUE: [_observed(1e308, 1)]}))])
    await store.apply([UpsertEntity(entity(1, **{VALUE: [_observed(1.5e308, 2)]}), "update")])

    def asked(method: AggregationMethod) -> TemporalQuery:
        return TemporalQuery(Query(), attributes=(VALUE,), aggregation=Aggregation((method,)))

    with pytest.raises(BadRequestDataError, match="too large"):
        await store.evolution(asked("sum"))
    (one,) = (await store.evolution(asked("sumsq"))).evolutions
    assert one.aggregates[VALUE, None]["sumsq"][0][0] == float("inf")
    (one,) = (await store.evolution(asked("max"))).evolutions
    assert one.aggregates[VALUE, None]["max"][0][0] == 1.5e308


def _observed(value: float, second: int) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": fixed(second * 1_000_000)}
