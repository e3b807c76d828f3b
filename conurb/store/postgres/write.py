"""The writer: commits groups of requests on one connection that owns the order of the journal.

What the rows are is decided by `conurb.store.ledger`; here they are loaded, decided and written.
A usual group costs two round trips: one query for what is there, one statement for every table,
which commits by itself. A group that erases, changes documents, or asks for history is a
transaction of several statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import orjson

from conurb.errors import BadRequestDataError, ConurbError, InvariantError
from conurb.model.changes import HistoryInstance, Operation
from conurb.model.entity import Instance
from conurb.model.evolution import HEAD
from conurb.model.time import Clock, Stamps
from conurb.store.contract import Document, Outcome
from conurb.store.group import Request, Result
from conurb.store.ledger import Ledger
from conurb.store.postgres import loading
from conurb.store.postgres.connection import (
    Address,
    connect_writer,
    driver,
    lock_schema,
    translated,
)
from conurb.store.postgres.flush import Flush, Known
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import (
    entity_of,
    history_of,
)
from conurb.store.rows import Held, Key, Needs

THREAD_OPERATIONS_MIN: Final = 200
"""A group of this many operations is decided on a thread, so that the event loop stays free."""


class _StartAgainError(Exception):
    """A request that is all or nothing failed after rows of it had been decided."""

    def __init__(self, index: int, error: BaseException) -> None:
        super().__init__()
        self.index = index
        self.error = error


class Writer:
    """The one connection of this process that writes to a schema."""

    def __init__(
        self, address: Address, extension: str, names: Names, clock: Clock, tell: Callable[[], None]
    ) -> None:
        self._address = address
        self._extension = extension
        self._clock = clock
        self._tell = tell
        self._connection: Any = None
        self._stamps = Stamps(clock)
        self.names = names
        self.seq = 0
        self.eid = 0

    @property
    def owns(self) -> bool:
        """Whether this process is the schema's writer, so that its counters are the present."""
        return self._connection is not None and not self._connection.is_closed()

    async def close(self) -> None:
        """Let go of the schema."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def connection(self) -> Any:
        """Give the writer's connection, opening it and taking the schema's lock when needed."""
        if self.owns:
            return self._connection
        connection = await connect_writer(self._address, self._extension)
        try:
            with translated(self._address):
                await lock_schema(connection, self._address)
                await self._load_counters(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return connection

    async def load_counters(self) -> None:
        """Read the last numbers given anew: something else than a group has been written."""
        await self._load_counters(self._connection)

    async def _load_counters(self, connection: Any) -> None:
        row = await connection.fetchrow("SELECT seq, stamp, eid FROM counters")
        await self.names.load(connection)
        self.seq, self.eid = row["seq"], row["eid"]
        self._stamps = Stamps(self._clock, row["stamp"])

    async def give_term(self, iri: str) -> int:
        """Store the number of an IRI that nothing stored has used yet."""
        with translated(self._address):
            connection = await self.connection()
            tid = self.names.tid(iri)
            terms, _ = self.names.take_fresh()
            try:
                await connection.executemany("INSERT INTO term (tid, iri) VALUES ($1, $2)", terms)
            except BaseException:
                self.names.forget()
                raise
            self.names.keep()
            return tid

    async def commit(self, requests: Sequence[Request]) -> Sequence[Result]:
        """Write requests in order and durably; give one result each.

        Data that PostgreSQL refuses is the fault of one operation: it is found by halving.
        """
        with translated(self._address):
            connection = await self.connection()
            try:
                return await self._commit(connection, requests)
            except (BadRequestDataError, ValueError, driver().PostgresError) as error:
                if connection.is_closed() or not _is_data_error(error):
                    raise
                return await self._isolate(requests, error)

    async def _isolate(self, requests: Sequence[Request], error: Exception) -> Sequence[Result]:
        if len(requests) > 1:
            middle = len(requests) // 2
            first = await self.commit(requests[:middle])
            return [*first, *await self.commit(requests[middle:])]
        request = requests[0]
        refused = (
            error
            if isinstance(error, BadRequestDataError)
            else BadRequestDataError(f"the store can't hold this: {error}")
        )
        operations = request.operations
        if request.atomic or not operations:
            return [Result(error=refused)]
        if len(operations) > 1:
            middle = len(operations) // 2
            halves = [
                Request(operations[:middle]),
                Request(operations[middle:], position=request.position),
            ]
            parts = [(await self.commit([half]))[0] for half in halves]
            return [Result([outcome for part in parts for outcome in part.outcomes])]
        if request.position is not None:
            await self.commit([Request(position=request.position)])
        return [Result([refused])]

    async def _commit(self, connection: Any, requests: Sequence[Request]) -> Sequence[Result]:
        failed: dict[int, BaseException] = {}
        while True:
            group = Group(self, connection, self._stamps)
            try:
                results = await group.run(requests, failed)
            except _StartAgainError as again:
                failed[again.index] = again.error
                self.names.forget()
            except BaseException:
                self.names.forget()
                raise
            else:
                self.names.keep()
                wrote = group.seq != self.seq
                self.seq, self.eid = group.seq, group.eid
                if wrote:
                    self._tell()
                return results


class Group:
    """One group on its way into the database."""

    def __init__(self, writer: Writer, connection: Any, stamps: Stamps) -> None:
        self._names = writer.names
        self._connection = connection
        self._ledger = Ledger(stamps)
        self._known: dict[str, Known] = {}
        self._transaction: Any = None
        self._flushes = 0
        self._positions: dict[str, int] = {}
        self.seq = writer.seq
        self.eid = writer.eid

    async def run(
        self, requests: Sequence[Request], failed: dict[int, BaseException]
    ) -> list[Result]:
        """Write all requests but those known to have failed.

        Raises _StartAgainError for another one that fails.
        """
        try:
            await self._load({o.entity_id for r in requests for o in r.operations})
            plain = all(_is_plain(request) for request in requests)
            if plain and sum(len(r.operations) for r in requests) >= THREAD_OPERATIONS_MIN:
                results = await asyncio.to_thread(self._decide_all, requests, failed)
            elif plain:
                results = self._decide_all(requests, failed)
            else:
                results = await self._decide_each(requests, failed)
            await self._flush()
            if self._transaction is not None:
                await self._transaction.commit()
        except BaseException:
            if self._transaction is not None and not self._connection.is_closed():
                await self._transaction.rollback()
            raise
        return results

    async def _load(self, ids: Iterable[str]) -> None:
        wanted = list(ids)
        if not wanted:
            return
        for row in await self._connection.fetch(loading.LOAD, wanted):
            entity = None if row["doc"] is None else entity_of(row, self._names)
            series = set(zip(row["attrs"], row["datasets"], strict=True))
            self._known[row["id"]] = Known(row["eid"], True, row["head_at"], series, entity)
            self._ledger.held[row["id"]] = Held(entity, row["head_at"])

    def _decide_all(
        self, requests: Sequence[Request], failed: dict[int, BaseException]
    ) -> list[Result]:
        """Decide requests that need nothing but the objects' state."""
        results = []
        for index, request in enumerate(requests):
            if index in failed:
                results.append(Result(error=failed[index]))
                continue
            result, flushes = Result(), self._flushes
            for operation in request.operations:
                outcome = self._ledger.decide(operation)
                if isinstance(outcome, ConurbError) and request.atomic:
                    result = self._fail(index, request, flushes, outcome)
                    break
                result.outcomes.append(outcome)
            self._note_position(request, result)
            results.append(result)
        return results

    async def _decide_each(
        self, requests: Sequence[Request], failed: dict[int, BaseException]
    ) -> list[Result]:
        """Decide requests that need history or hold documents: several statements, one commit."""
        await self._begin()
        results = []
        for index, request in enumerate(requests):
            if index in failed:
                results.append(Result(error=failed[index]))
                continue
            result, flushes = Result(), self._flushes
            for operation in request.operations:
                outcome = await self._decide(operation)
                if isinstance(outcome, ConurbError) and request.atomic:
                    result = self._fail(index, request, flushes, outcome)
                    break
                result.outcomes.append(outcome)
            if result.error is None:
                await self._documents(request, result)
            self._note_position(request, result)
            results.append(result)
        return results

    async def _decide(self, operation: Operation) -> Outcome:
        if not operation.history_of:
            return self._ledger.decide(operation)
        history = await self._history(operation.entity_id, operation.history_of)
        outcome = self._ledger.decide(operation, history)
        # What it superseded must be so when a later operation asks for live rows.
        await self._flush()
        return outcome

    def _fail(self, index: int, request: Request, flushes: int, error: BaseException) -> Result:
        """Fail an atomic request: at once when nothing was decided for it, else start again.

        `flushes` is how many there had been when it began.
        """
        touched = any(self._ledger.touched(one.entity_id) for one in request.operations)
        if touched or self._flushes != flushes:
            raise _StartAgainError(index, error)
        return Result(error=error)

    def _note_position(self, request: Request, result: Result) -> None:
        if request.position is not None and result.error is None:
            self._positions[request.position.reader] = request.position.seq

    async def _history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        if self._ledger.touched(entity_id):
            await self._flush()
        known = self._known.get(entity_id)
        if known is None:
            return []
        tids = self._names.find_tids(attributes)
        rows = await self._connection.fetch(loading.LIVE, known.eid, tids, "*" in attributes)
        return [history_of(row, self._names) for row in rows]

    async def _begin(self) -> None:
        if self._transaction is None:
            self._transaction = self._connection.transaction()
            await self._transaction.start()

    async def _documents(self, request: Request, result: Result) -> None:
        if request.put is not None:
            await self._connection.execute(
                "INSERT INTO document (kind, id, body) VALUES ($1, $2, $3) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                *_document_row(request.put),
            )
        if request.delete is not None:
            done = await self._connection.execute(
                "DELETE FROM document WHERE kind = $1 AND id = $2", *request.delete
            )
            result.deleted = done != "DELETE 0"

    async def _facts(self, needs: Needs) -> tuple[set[Key], dict[tuple[str, int], Instance]]:
        """Answer what the ledger must know of history."""
        with_history: set[Key] = set()
        asked = [
            (key, known.eid, tid)
            for key in needs.firsts
            if (known := self._known.get(key[0])) is not None
            and (tid := self._names.find_tid(key[1])) is not None
            and (tid, key[2] or "") in known.series
        ]
        if asked:
            found = await self._connection.fetch(
                loading.FIRSTS,
                [eid for _, eid, _ in asked],
                [tid for _, _, tid in asked],
                [key[2] or "" for key, _, _ in asked],
            )
            with_history = {asked[n - 1][0] for (n,) in found}
        heads: dict[tuple[str, int], Instance] = {}
        if needs.heads:
            by_eid = {self._known[entity_id].eid: entity_id for entity_id, _ in needs.heads}
            found = await self._connection.fetch(
                loading.HEADS,
                [self._known[entity_id].eid for entity_id, _ in needs.heads],
                [at for _, at in needs.heads],
            )
            heads = {(by_eid[eid], at): orjson.loads(body) for eid, at, body in found}
            for entity_id, at in needs.heads:
                if (entity_id, at) not in heads:
                    raise InvariantError(f"{entity_id}: no live {HEAD} row at {at}")
        return with_history, heads

    async def _flush(self) -> None:
        """Write what was decided so far: one statement alone, or one step of a transaction."""
        needs = self._ledger.needs()
        facts = await self._facts(needs) if needs else (set(), {})
        rows = self._ledger.take_rows(*facts, births=True)
        flush = Flush(self._names, self._known, seq=self.seq, eid=self.eid)
        if len(rows.history) + len(rows.births) >= THREAD_OPERATIONS_MIN:
            statements = await asyncio.to_thread(flush.statements, rows, self._positions)
        else:
            statements = flush.statements(rows, self._positions)
        if not statements:
            return
        self._flushes += 1
        if len(statements) > 1:
            await self._begin()
        for sql, arguments in statements:
            await self._connection.execute(sql, *arguments)
        self.seq, self.eid = flush.seq, flush.eid
        self._positions = {}


def _is_plain(request: Request) -> bool:
    documents = request.put is not None or request.delete is not None
    return not documents and not any(o.history_of for o in request.operations)


def _is_data_error(error: Exception) -> bool:
    """Whether what was to be stored is at fault, not the server or the connection."""
    if isinstance(error, BadRequestDataError | ValueError):
        return True
    # Data exceptions, limits of the program (an id too long for an index), PostGIS's own.
    return str(getattr(error, "sqlstate", "")).startswith(("22", "54", "XX"))


def _document_row(document: Document) -> tuple[str, str, str]:
    return document.kind, document.id, orjson.dumps(document.body).decode()
