"""The embedded engine: the contract of a store over one SQLite file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
import orjson

from conurb.errors import UnavailableError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Entity
from conurb.model.query.match import admits
from conurb.model.query.tree import Query, Restriction, TemporalQuery
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import TileLayer
from conurb.model.tiles.places import Place
from conurb.model.time import Clock, Stamps
from conurb.store.contract import (
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
from conurb.store.group import GroupCommit, Request, Result
from conurb.store.sqlite import carrying, discover, schema
from conurb.store.sqlite.connections import Connections, InlineOverrunError
from conurb.store.sqlite.documents import find_document, list_documents
from conurb.store.sqlite.evolution import select_evolutions
from conurb.store.sqlite.extent import measure
from conurb.store.sqlite.journal import last_seq, last_stamp, prune, read_journal
from conurb.store.sqlite.news import News
from conurb.store.sqlite.places import select_places
from conurb.store.sqlite.rows import ENTITY_COLUMNS, HISTORY_COLUMNS, Terms, entity_of
from conurb.store.sqlite.select import Selected, select_page
from conurb.store.sqlite.survey import survey
from conurb.store.sqlite.tiles import draw_tile
from conurb.store.sqlite.write import Writer, changes_of
from conurb.store.survey import Measured
from conurb.store.usage import KeptUsage, Usage

INDEXES_MAX: Final = 64
"""Attributes indexed on their own accord; each index costs something on every write."""

INLINE_LIMIT_MAX: Final = 100
"""Pages up to this size are tried on the event loop, which quick queries don't leave."""

INLINE_OBJECTS_MAX: Final = 50
"""Objects of a tile that is drawn on the event loop: half a millisecond's work."""

_log = logging.getLogger(__name__)

_FIND = f"SELECT {ENTITY_COLUMNS} FROM entity WHERE id = ? AND doc IS NOT NULL"
_FIND_MANY = (
    f"SELECT {ENTITY_COLUMNS} FROM entity "
    "WHERE id IN (SELECT value FROM json_each(?)) AND doc IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Door:
    """What reading several stores in one go needs of each (`together.py`)."""

    connections: Connections
    terms: Terms
    clock: Clock
    index_soon: Callable[[str], None]


class SqliteStore:
    """One node's objects in one SQLite file; see `conurb.store.contract.Store`."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._connections = Connections(path)
        self._terms = Terms()
        self._group = GroupCommit(self._commit, name=str(path))
        self._writer: Writer | None = None
        self._usage = KeptUsage()
        self._news = News()
        self._indexing: dict[str, asyncio.Task[None]] = {}
        self._door = Door(self._connections, self._terms, clock, self._index_soon)

    @property
    def door(self) -> Door:
        """Give what reading several stores in one go needs of this one."""
        return self._door

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Open, create or migrate forward; raise UnavailableError when that can't be."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        await self._connections.in_writer(self._open)

    def _open(self) -> None:
        try:
            connection = self._connections.connect(write=True)
            with connection:
                found = schema.version(connection, name=str(self._path))
            if found < schema.VERSION:
                self._connections.claim()
                schema.migrate(connection, name=str(self._path))
            self._news.end = last_seq(connection)
            connection.close()
        except apsw.Error as error:
            raise UnavailableError(f"store {self._path}: {error}") from error

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""
        await asyncio.gather(*self._indexing.values(), return_exceptions=True)
        await self._group.close()
        if self._writer is not None:
            await self._connections.in_writer(self._writer.connection.close)
            self._writer = None
        self._connections.close()
        self._news.tell(self._news.end)

    # ── writing ───────────────────────────────────────────────────────────────────────────────

    async def apply(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Outcome]:
        """Write; give one outcome per operation, in order."""
        if not operations and position is None:
            return []
        result = await self._group.submit(Request(operations, position=position))
        return result.outcomes

    async def apply_all(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Change]:
        """Write all or nothing: raise the first error, having changed nothing."""
        if not operations and position is None:
            return []
        result = await self._group.submit(Request(operations, atomic=True, position=position))
        return changes_of(result.outcomes)

    async def _commit(self, requests: Sequence[Request]) -> Sequence[Result]:
        results, seq = await self._connections.in_writer(lambda: self._commit_group(requests))
        if seq != self._news.end:
            self._news.tell(seq)
        return results

    def _commit_group(self, requests: Sequence[Request]) -> tuple[list[Result], int]:
        writer = self._open_writer()
        try:
            return writer.commit(requests), writer.last_seq()
        except apsw.Error as error:
            raise UnavailableError(f"store {self._path}: {error}") from error

    def _open_writer(self) -> Writer:
        """Open the connection that writes; in the writer thread."""
        if self._writer is None:
            self._connections.claim()
            connection = self._connections.connect(write=True)
            self._writer = Writer(
                connection, Stamps(self._clock, last_stamp(connection)), self._terms
            )
        return self._writer

    # ── current state ─────────────────────────────────────────────────────────────────────────

    async def find(self, entity_id: str, restriction: Restriction = Restriction()) -> Entity | None:
        """Find one object's current state; None when there is none, expired or not to be seen."""
        row = self._connections.inline().execute(_FIND, (entity_id,)).fetchone()
        if row is None:
            return None
        entity = entity_of(row)
        return entity if self._is_shown(entity, restriction) else None

    async def find_many(
        self, entity_ids: Sequence[str], restriction: Restriction = Restriction()
    ) -> list[Entity]:
        """Give the current state of those objects that there are, in the order asked."""
        rows = self._connections.inline().execute(
            _FIND_MANY, (orjson.dumps(list(entity_ids)).decode(),)
        )
        found = {row[0]: entity_of(row) for row in rows}
        return [
            found[entity_id]
            for entity_id in dict.fromkeys(entity_ids)
            if entity_id in found and self._is_shown(found[entity_id], restriction)
        ]

    def _is_shown(self, entity: Entity, restriction: Restriction) -> bool:
        if entity.expires_at is not None and entity.expires_at <= self._clock():
            return False
        return admits(restriction, entity)

    async def list_expired(self, limit: int = 1000) -> list[str]:
        """List ids of objects of which something has expired, earliest first."""
        rows = self._connections.inline().execute(
            "SELECT id FROM entity WHERE due <= ? ORDER BY due, id LIMIT ?", (self._clock(), limit)
        )
        return [entity_id for (entity_id,) in rows]

    async def query(
        self, query: Query, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> Page:
        """Query current state, or the state that held at a time."""
        now = self._clock()

        def work(connection: apsw.Connection) -> Selected:
            return select_page(
                connection, self._terms, query, now_us=now, at_us=at_us, known_at_us=known_at_us
            )

        try:
            if query.limit > INLINE_LIMIT_MAX:
                raise InlineOverrunError
            selected = self._connections.read_inline(work)
        except InlineOverrunError:
            selected = await self._connections.read(work)
        for attribute in selected.unindexed:
            self._index_soon(attribute)
        return selected.page

    async def tile(self, ask: TileAsk) -> TileLayer:
        """Draw objects of current state as one layer of a tile."""
        now = self._clock()

        def work(connection: apsw.Connection, objects_max: int | None = None) -> TileLayer:
            return draw_tile(connection, self._terms, ask, now_us=now, objects_max=objects_max)

        try:
            return self._connections.read_inline(partial(work, objects_max=INLINE_OBJECTS_MAX))
        except InlineOverrunError:
            return await self._connections.read(work)

    async def places(
        self, query: Query, attribute: str, *, dataset: str | None, at_us: int
    ) -> list[Place]:
        """Give where the objects were that a query selects of the state at a time, by id."""
        now = self._clock()
        return await self._connections.read(
            lambda connection: select_places(
                connection, self._terms, query, attribute, dataset=dataset, now_us=now, at_us=at_us
            )
        )

    async def survey(self) -> Measured:
        """Measure what there is of each type."""

        def work(connection: apsw.Connection) -> Measured:
            return survey(connection, self._terms, self._used(connection, Restriction()))

        return await self._connections.read(work)

    async def list_types(self, restriction: Restriction = Restriction()) -> list[TypeInfo]:
        """List the types of current entities, by IRI."""
        return await self._connections.read(
            lambda connection: self._used(connection, restriction).types()
        )

    async def list_attributes(
        self, restriction: Restriction = Restriction()
    ) -> list[AttributeInfo]:
        """List the attributes of current entities, by IRI."""
        return await self._connections.read(
            lambda connection: self._used(connection, restriction).attributes()
        )

    def _used(self, connection: apsw.Connection, restriction: Restriction) -> Usage:
        now = self._clock()
        return discover.count_usage(connection, self._terms, restriction, self._usage, now_us=now)

    async def extents(self) -> Extents:
        """Measure where objects lie, by type and attribute."""
        now = self._clock()
        return await self._connections.read(
            lambda connection: measure(connection, self._terms, now_us=now)
        )

    # ── indexes ───────────────────────────────────────────────────────────────────────────────

    async def ensure_index(self, attribute: str) -> None:
        """Create the expression index for an attribute that is queried, unless it is there."""

        def work() -> None:
            writer = self._open_writer()
            writer.transaction(lambda: writer.create_index(attribute))

        await self._group.exclusive(lambda: self._connections.in_writer(work))

    def _index_soon(self, attribute: str) -> None:
        """Index an attribute that a query has compared; the next one is served by it."""
        if attribute in self._indexing or len(self._indexing) >= INDEXES_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._index_quietly(attribute))
        self._indexing[attribute] = task

    async def _index_quietly(self, attribute: str) -> None:
        try:
            await self.ensure_index(attribute)
        except UnavailableError as error:
            _log.info("no index for %s: %s", attribute, error)

    # ── history ───────────────────────────────────────────────────────────────────────────────

    async def evolution(self, query: TemporalQuery) -> EvolutionPage:
        """Query history, aggregated in the engine when `query.aggregation` is given."""
        now = self._clock()
        return await self._connections.read(
            lambda connection: select_evolutions(connection, self._terms, query, now_us=now)
        )

    async def history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        """Give every history instance of an object's attributes, superseded ones included."""

        def work(connection: apsw.Connection) -> list[HistoryInstance]:
            numbers = [self._terms.find(connection, attribute) for attribute in attributes]
            rows = connection.execute(
                f"SELECT {HISTORY_COLUMNS} FROM history "
                "WHERE eid = (SELECT eid FROM entity WHERE id = ?) "
                "AND attr IN (SELECT value FROM json_each(?)) "
                "ORDER BY attr, dataset, at, recorded",
                (entity_id, orjson.dumps(numbers).decode()),
            )
            return self._terms.history_of(connection, rows)

        return await self._connections.read(work)

    # ── journal ───────────────────────────────────────────────────────────────────────────────

    async def journal(self, *, after: int, limit: int = 1000) -> list[Record]:
        """Read the journal in order, from the entry after `after`."""

        return await self._connections.read(
            lambda connection: read_journal(connection, after=after, limit=limit)
        )

    async def journal_end(self) -> int:
        """Give the number of the last entry; 0 for none."""
        return self._news.end

    async def wait_for_journal(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry after `after`; False when the time ran out."""
        return await self._news.wait(after, timeout_s)

    async def position(self, reader: str) -> int:
        """Give how far a reader has come; 0 for a new one."""
        found = (
            self._connections.inline()
            .execute("SELECT seq FROM position WHERE reader = ?", (reader,))
            .get
        )
        return int(found or 0)

    async def set_position(self, position: Position) -> None:
        """Store how far a reader has come."""
        await self._group.submit(Request(position=position))

    async def prune_journal(self, *, before_us: int) -> int:
        """Drop entries older than that which every stored position has passed; give how many."""

        def work() -> int:
            writer = self._open_writer()

            return int(
                writer.transaction(
                    lambda: prune(writer.connection, before_us=before_us, end=self._news.end)
                )
            )

        return await self._group.exclusive(lambda: self._connections.in_writer(work))

    # ── documents ─────────────────────────────────────────────────────────────────────────────

    async def put_document(self, document: Document) -> None:
        """Store a document, replacing the one of its kind and id."""
        await self._group.submit(Request(put=document))

    async def find_document(self, kind: str, document_id: str) -> Document | None:
        """Find a document; None when there is none."""
        return find_document(self._connections.inline(), kind, document_id)

    async def list_documents(self, kind: str) -> list[Document]:
        """List the documents of a kind, in order of their creation."""
        return list_documents(self._connections.inline(), kind)

    async def delete_document(self, kind: str, document_id: str) -> bool:
        """Delete a document; whether there was one."""
        result = await self._group.submit(Request(delete=(kind, document_id)))
        return result.deleted

    # ── the whole of it ───────────────────────────────────────────────────────────────────────

    async def export(self) -> AsyncIterator[Mapping[str, Any]]:
        """Stream everything as engine-neutral rows, from one consistent view."""
        async for row in carrying.export(self._connections):
            yield row

    async def restore(self, rows: AsyncIterator[Mapping[str, Any]]) -> None:
        """Take in what `export` gave, into an empty store; all or nothing."""
        await self._group.exclusive(lambda: self._restore(rows))

    async def _restore(self, rows: AsyncIterator[Mapping[str, Any]]) -> None:
        writer = await self._connections.in_writer(self._open_writer)
        await carrying.restore(self._connections, writer, rows, clock=self._clock)
        self._news.tell(await self._connections.in_writer(writer.last_seq))

    async def backup(self, path: Path) -> None:
        """Copy everything into one file, while the store is in use."""
        await carrying.backup(self._connections, path)

    async def check(self) -> list[str]:
        """Check that state, history, journal and indexes agree; give what doesn't."""
        return await carrying.check_all(self._connections)
