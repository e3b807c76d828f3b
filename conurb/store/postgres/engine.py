"""`PostgresStore`: the contract of a store on PostgreSQL with PostGIS.

It orchestrates: the writer commits groups, readers come from a pool and see one moment's data per
call, the SQL is in `compile`, `evolution` and `transfer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from conurb.errors import UnavailableError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Entity
from conurb.model.query.match import admits
from conurb.model.query.tree import Query, Restriction, TemporalQuery
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import TileLayer
from conurb.model.tiles.places import Place
from conurb.model.time import Clock, system_clock
from conurb.store.contract import (
    ELSEWHERE,
    AttributeInfo,
    Document,
    EvolutionPage,
    Outcome,
    Page,
    Position,
    Record,
    TypeInfo,
)
from conurb.store.extent import Extents
from conurb.store.group import GroupCommit, Request
from conurb.store.postgres import discovery, transfer
from conurb.store.postgres.check import check
from conurb.store.postgres.compile import Moments
from conurb.store.postgres.connection import (
    connect_plain,
    create_readers,
    parse_address,
    snapshot,
    translated,
)
from conurb.store.postgres.evolution import select_evolutions
from conurb.store.postgres.extent import measure
from conurb.store.postgres.indexes import Indexes
from conurb.store.postgres.names import Names, UnknownNameError
from conurb.store.postgres.rows import (
    ENTITY_COLUMNS,
    HISTORY_COLUMNS,
    JOURNAL_COLUMNS,
    document_of,
    entity_of,
    history_of,
    record_of,
)
from conurb.store.postgres.schema import migrate
from conurb.store.postgres.select import select_page, select_places
from conurb.store.postgres.survey import survey
from conurb.store.postgres.tile_few import FewDrawn
from conurb.store.postgres.tiles import draw_tile
from conurb.store.postgres.write import Writer
from conurb.store.survey import Measured
from conurb.store.usage import KeptUsage, Usage

T = TypeVar("T")

POLL_S: Final = 1.0
"""How often a process that isn't the writer looks for new entries of the journal."""

INDEX_FROM_OBJECTS: Final = 1_000
"""From this many objects on, an attribute that is compared gets its indexes by itself."""

_FIND: Final = f"SELECT e.id, {ENTITY_COLUMNS} FROM entity e WHERE e.id = $1"
_FIND_MANY: Final = f"SELECT e.id, {ENTITY_COLUMNS} FROM entity e WHERE e.id = ANY ($1::text[])"


class PostgresStore:
    """One node's objects in one schema; see `conurb.store.contract.Store`."""

    def __init__(self, url: str, *, clock: Clock = system_clock) -> None:
        self._address = parse_address(url)
        self._clock = clock
        self._names = Names()
        self._pool: Any = None
        self._writer: Writer | None = None
        self._group = GroupCommit(self._commit, name=self._address.name)
        self._indexes = Indexes(self._address)
        self._few = FewDrawn(self._names)
        self._usage = KeptUsage()
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Create the schema or migrate it forward, and connect."""
        connection = await connect_plain(self._address)
        try:
            with translated(self._address):
                extension = await migrate(connection, self._address)
        finally:
            await connection.close()
        self._pool = await create_readers(self._address, extension)
        self._writer = Writer(self._address, extension, self._names, self._clock, self._tell)
        async with self._reader() as reader:
            await self._names.load(reader)

    async def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        await self._indexes.close()
        await self._group.close()
        if self._writer is not None:
            await self._writer.close()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    async def apply(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Outcome]:
        """Write; give one outcome per operation, in order."""
        if not operations and position is None:
            return []
        return (await self._group.submit(Request(operations, position=position))).outcomes

    async def apply_all(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Change]:
        """Write all or nothing: raise the first error, having changed nothing."""
        if not operations and position is None:
            return []
        result = await self._group.submit(Request(operations, atomic=True, position=position))
        return [outcome for outcome in result.outcomes if isinstance(outcome, Change)]

    async def _commit(self, requests: Sequence[Request]) -> Sequence[Any]:
        return await self._open_writer().commit(requests)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise UnavailableError(f"store {self._address.name} isn't open")
        return self._writer

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _snapshot(self) -> AbstractAsyncContextManager[Any]:
        return snapshot(self._open_pool(), self._address)

    def _open_pool(self) -> Any:
        if self._pool is None:
            raise UnavailableError(f"store {self._address.name} isn't open")
        return self._pool

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Any]:
        with translated(self._address):
            async with self._open_pool().acquire() as connection:
                yield connection

    async def _refresh(self, connection: Any) -> None:
        """Look for names that another process has given, unless this one gives them."""
        if not self._open_writer().owns:
            await self._names.load(connection)

    async def _read(self, build: Callable[[Any, Names], T], sql: str, *arguments: Any) -> list[T]:
        """Run a statement and build an object of each row."""
        async with self._reader() as connection:
            rows = await connection.fetch(sql, *arguments)
            try:
                return [build(row, self._names) for row in rows]
            except UnknownNameError:
                await self._names.load(connection)
                return [build(row, self._names) for row in rows]

    async def find(self, entity_id: str, restriction: Restriction = Restriction()) -> Entity | None:
        """Find one object's current state; None when there is none, expired or not to be seen."""
        if "\0" in entity_id:
            return None
        for entity in await self._read(entity_of, _FIND, entity_id):
            return entity if self._is_seen(entity, restriction) else None
        return None

    async def find_many(
        self, entity_ids: Sequence[str], restriction: Restriction = Restriction()
    ) -> list[Entity]:
        """Give the current state of those objects that there are, in the order asked."""
        wanted = [one for one in dict.fromkeys(entity_ids) if "\0" not in one]
        entities = await self._read(entity_of, _FIND_MANY, wanted)
        found = {e.id: e for e in entities if self._is_seen(e, restriction)}
        return [found[one] for one in wanted if one in found]

    def _is_seen(self, entity: Entity, restriction: Restriction) -> bool:
        if entity.expires_at is not None and entity.expires_at <= self._clock():
            return False
        return admits(restriction, entity)

    async def query(
        self, query: Query, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> Page:
        """Query current state, or the state that held at a time."""
        now = self._clock()
        if at_us is None and known_at_us is not None:
            at_us = now
        moments = Moments(now, at_us, known_at_us)
        # One statement sees one moment's data by itself.
        alone = at_us is None and not query.count
        async with self._reader() if alone else self._snapshot() as connection:
            await self._refresh(connection)
            selected = await select_page(connection, self._names, query, moments)
        writer = self._open_writer()
        if writer.owns and writer.eid >= INDEX_FROM_OBJECTS:
            self._indexes.build_soon(selected.compared, writer, self._group)
        return selected.page

    async def survey(self) -> Measured:
        """Measure what there is of each type."""
        async with self._snapshot() as connection:
            usage = await self._used(connection, Restriction())
            return await survey(connection, self._names, usage)

    async def tile(self, ask: TileAsk) -> TileLayer:
        """Draw objects of current state as one layer of a tile."""
        now = self._clock()
        async with self._reader() as connection:
            await self._refresh(connection)
            few = await self._few.draw(connection, ask, now_us=now)
        if few is not None:
            return few
        async with self._snapshot() as connection:
            return await draw_tile(connection, self._names, ask, now_us=now)

    async def places(
        self, query: Query, attribute: str, *, dataset: str | None, at_us: int
    ) -> list[Place]:
        """Give where the objects were that a query selects of the state at a time, by id."""
        moments = Moments(self._clock(), at_us)
        async with self._reader() as connection:
            await self._refresh(connection)
            return await select_places(
                connection, self._names, query, attribute, dataset=dataset, moments=moments
            )

    async def evolution(self, query: TemporalQuery) -> EvolutionPage:
        """Query history, aggregated by PostgreSQL when that is asked for."""
        async with self._snapshot() as connection:
            await self._refresh(connection)
            return await select_evolutions(connection, self._names, query, now_us=self._clock())

    async def history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        """Give every history instance of an object's attributes, superseded ones included."""
        return await self._read(
            history_of,
            f"SELECT {HISTORY_COLUMNS} FROM history JOIN term ON tid = attr "
            "WHERE eid = (SELECT eid FROM object WHERE id = $1) AND iri = ANY ($2::text[]) "
            "ORDER BY iri, dataset, at, recorded",
            entity_id,
            list(attributes),
        )

    async def list_expired(self, limit: int = 1000) -> list[str]:
        """List ids of objects of which something has expired, earliest first."""
        async with self._reader() as connection:
            rows = await connection.fetch(
                "SELECT id FROM entity WHERE due IS NOT NULL AND due <= $1 ORDER BY due, id "
                "LIMIT $2",
                self._clock(),
                limit,
            )
        return [row["id"] for row in rows]

    async def extents(self) -> Extents:
        """Measure where objects lie, by type and attribute."""
        async with self._snapshot() as connection:
            return await measure(connection, now_us=self._clock())

    async def list_types(self, restriction: Restriction = Restriction()) -> list[TypeInfo]:
        """List the types of current entities, by IRI."""
        async with self._snapshot() as connection:
            return (await self._used(connection, restriction)).types()

    async def list_attributes(
        self, restriction: Restriction = Restriction()
    ) -> list[AttributeInfo]:
        """List the attributes of current entities, by IRI."""
        async with self._snapshot() as connection:
            return (await self._used(connection, restriction)).attributes()

    async def _used(self, connection: Any, restriction: Restriction) -> Usage:
        await self._refresh(connection)
        now = self._clock()
        return await discovery.count_usage(
            connection, self._names, restriction, self._usage, now_us=now
        )

    # ── journal ──────────────────────────────────────────────────────────────────────────────

    def _tell(self) -> None:
        """Wake those who wait for the journal."""
        self._news.set()
        self._news = asyncio.Event()

    async def journal(self, *, after: int, limit: int = 1000) -> list[Record]:
        """Read the journal in order, from the entry after `after`."""
        return await self._read(
            record_of,
            f"SELECT {JOURNAL_COLUMNS} FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2",
            after,
            limit,
        )

    async def journal_end(self) -> int:
        """Give the number of the last entry; 0 for none."""
        if self._writer is not None and self._writer.owns:
            return self._writer.seq
        async with self._reader() as connection:
            return int(await connection.fetchval("SELECT seq FROM counters"))

    async def wait_for_journal(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry after `after`; False when the time ran out."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            news = self._news
            if await self.journal_end() > after:
                return True
            left = deadline - loop.time()
            if left <= 0:
                return False
            owns = self._writer is not None and self._writer.owns
            try:
                # Not wait_for: on Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(left if owns else min(left, POLL_S)):
                    await news.wait()
            except TimeoutError:
                continue

    async def position(self, reader: str) -> int:
        """Give how far a reader has come; 0 for a new one."""
        async with self._reader() as connection:
            found = await connection.fetchval("SELECT seq FROM position WHERE reader = $1", reader)
        return int(found or 0)

    async def set_position(self, position: Position) -> None:
        """Store how far a reader has come."""
        await self._group.submit(Request(position=position))

    async def prune_journal(self, *, before_us: int) -> int:
        """Drop entries older than that which every stored position has passed; give how many."""

        async def prune() -> int:
            with translated(self._address):
                connection = await self._open_writer().connection()
                done = await connection.execute(
                    "DELETE FROM journal WHERE at < $1 AND seq < (SELECT seq FROM counters) "
                    "AND seq <= coalesce((SELECT min(seq) FROM position "
                    "WHERE left(reader, 1) <> $2), 9223372036854775807)",
                    before_us,
                    ELSEWHERE,
                )
            return int(done.removeprefix("DELETE "))

        return await self._group.exclusive(prune)

    # ── documents ────────────────────────────────────────────────────────────────────────────

    async def put_document(self, document: Document) -> None:
        """Store a document, replacing the one of its kind and id."""
        await self._group.submit(Request(put=document))

    async def find_document(self, kind: str, document_id: str) -> Document | None:
        """Find a document; None when there is none."""
        if "\0" in document_id:
            return None
        async with self._reader() as connection:
            row = await connection.fetchrow(
                "SELECT kind, id, body FROM document WHERE kind = $1 AND id = $2",
                kind,
                document_id,
            )
        return None if row is None else document_of(row)

    async def list_documents(self, kind: str) -> list[Document]:
        """List the documents of a kind, in order of their creation."""
        async with self._reader() as connection:
            rows = await connection.fetch(
                "SELECT kind, id, body FROM document WHERE kind = $1 ORDER BY number", kind
            )
        return [document_of(row) for row in rows]

    async def delete_document(self, kind: str, document_id: str) -> bool:
        """Delete a document; whether there was one."""
        return (await self._group.submit(Request(delete=(kind, document_id)))).deleted

    # ── upkeep ───────────────────────────────────────────────────────────────────────────────

    async def ensure_index(self, attribute: str) -> None:
        """Create the indexes for comparing an attribute, unless they are there."""
        await self._indexes.ensure(attribute, self._open_writer(), self._group)

    async def export(self) -> AsyncIterator[Mapping[str, Any]]:
        """Stream everything as engine-neutral rows, from one consistent view."""
        async with snapshot(self._open_pool(), self._address, unbounded=True) as connection:
            await self._names.load(connection)
            async for row in transfer.iter_rows(connection, self._names):
                yield row

    async def restore(self, rows: AsyncIterator[Mapping[str, Any]]) -> None:
        """Take in what `export` gave, into an empty store; all or nothing."""

        async def take() -> None:
            writer = self._open_writer()
            with translated(self._address):
                connection = await writer.connection()
                await transfer.restore(connection, self._names, rows, eid=writer.eid)
                await writer.load_counters()
            self._tell()

        await self._group.exclusive(take)

    async def backup(self, path: Path) -> None:
        """Write everything into one file, a row per line, while the store is in use."""
        await transfer.write_file(self.export(), path)

    async def check(self) -> list[str]:
        """Check that state, history, journal and indexes agree; give what doesn't."""
        async with snapshot(self._open_pool(), self._address, unbounded=True) as connection:
            await self._names.load(connection)
            return await check(connection, self._names)
