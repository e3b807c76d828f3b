"""The writer of the embedded engine: one group of requests becomes one durable transaction.

Runs in a thread for writers, one group at a time. It loads what it holds of every object in one
statement, lets the ledger decide, and writes table by table with prepared statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import apsw
import orjson

from conurb.errors import ConurbError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Entity, Instance
from conurb.model.time import Stamps
from conurb.store.contract import Outcome
from conurb.store.group import Request, Result
from conurb.store.ledger import Ledger
from conurb.store.rows import Held, Key, Needs, Row, Rows
from conurb.store.sqlite import geometries
from conurb.store.sqlite.births import INSERT_BORN, BirthRows, Shapes
from conurb.store.sqlite.documents import delete_document, put_document, put_position
from conurb.store.sqlite.encoding import history_rows, state_row
from conurb.store.sqlite.journal import INSERT_JOURNAL, journal_row, last_seq, stamp_of
from conurb.store.sqlite.rows import (
    HEAD_TERM,
    HISTORY_COLUMNS,
    Terms,
    entity_of,
)

_INSERT_ENTITY = """
INSERT INTO entity (type, types, scope, created, modified, expires, due, born, flat, doc, eid, id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE_ENTITY = """
UPDATE entity SET type = ?, types = ?, scope = ?, created = ?, modified = ?, expires = ?, due = ?,
    born = ?, flat = ?, doc = ? WHERE eid = ?"""
_INSERT_HISTORY = """
INSERT INTO history (eid, attr, dataset, at, recorded, superseded, number, observed, val, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SUPERSEDE_AT = """
UPDATE history SET superseded = ?
WHERE eid = ? AND attr = ? AND dataset = ? AND at = ? AND superseded IS NULL"""
_SUPERSEDE_AFTER = """
UPDATE history SET superseded = ?
WHERE eid = ? AND attr = ? AND dataset = ? AND at > ? AND superseded IS NULL"""
_SUPERSEDE_NUMBER = """
UPDATE history SET superseded = ?
WHERE eid = ? AND attr = ? AND number = ? AND superseded IS NULL"""
_LOAD = """
SELECT eid, born, id, types, scope, created, modified, expires, doc
FROM entity WHERE id IN (SELECT value FROM json_each(?))"""

BIRTHS_SLICE: Final = 50
"""New objects whose rows are made and written before the next: they stay in the processor's cache,
which takes a tenth off an import."""

T = TypeVar("T")


class Writer:
    """Owns the connection that writes. Its methods run in a writer's thread, one at a time."""

    def __init__(self, connection: apsw.Connection, stamps: Stamps, terms: Terms) -> None:
        self.connection = connection
        self.stamps = stamps
        self._terms = terms
        self._shapes = Shapes(self.term)
        self._eids: dict[str, int] = {}
        self._before: dict[str, Entity | None] = {}
        self._last_eid: int = connection.execute("SELECT max(eid) FROM entity").get or 0
        self._last_term: int = connection.execute("SELECT max(id) FROM term").get or 0

    def begin(self) -> None:
        """Begin a transaction."""
        self.connection.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        """Make the transaction durable."""
        self.connection.execute("COMMIT")

    def undo(self) -> None:
        """Undo the transaction, and forget what it knew."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._undone()

    def transaction(self, work: Callable[[], T]) -> T:
        """Run work in one transaction; undo everything when it raises."""
        self.begin()
        try:
            outcome = work()
            self.end()
        except BaseException:
            self.undo()
            raise
        return outcome

    def create_index(self, attribute: str) -> None:
        """Create the index for the comparable values of an attribute, unless it is there.

        Type and value lead; id and expiry make it cover a query up to the page's documents.
        """
        term = self.term(attribute)
        self.connection.execute("INSERT OR IGNORE INTO indexed (attr) VALUES (?)", (term,))
        self.connection.execute(
            f"CREATE INDEX IF NOT EXISTS entity_value_{term} "
            f"ON entity (type, flat ->> '$.a{term}', id, expires) WHERE type IS NOT NULL"
        )

    def commit(self, requests: Sequence[Request]) -> list[Result]:
        """Write the requests of one group in order; durable on return."""
        return self.transaction(lambda: self._write_group(requests))

    def last_seq(self) -> int:
        """Give the number of the last journal entry."""
        return last_seq(self.connection)

    def _undone(self) -> None:
        self._terms.forget()
        self._shapes.forget()
        self._last_eid = self.connection.execute("SELECT max(eid) FROM entity").get or 0
        self._last_term = self.connection.execute("SELECT max(id) FROM term").get or 0

    def _write_group(self, requests: Sequence[Request]) -> list[Result]:
        ledger = Ledger(self.stamps)
        self._load(ledger, {o.entity_id for request in requests for o in request.operations})
        results = []
        for request in requests:
            if request.atomic:
                self._flush(ledger)
                results.append(self._write_atomic(ledger, request))
            else:
                outcomes = [self._decide(ledger, operation) for operation in request.operations]
                results.append(Result(outcomes, deleted=self._write_rest(request)))
        self._flush(ledger)
        return results

    def _write_atomic(self, ledger: Ledger, request: Request) -> Result:
        saved = ledger.savepoint([operation.entity_id for operation in request.operations])
        held = dict(self._before), dict(self._eids)
        self.connection.execute("SAVEPOINT request")
        outcomes: list[Outcome] = []
        try:
            for operation in request.operations:
                outcome = self._decide(ledger, operation)
                if isinstance(outcome, ConurbError):
                    raise outcome
                outcomes.append(outcome)
            self._flush(ledger)
            deleted = self._write_rest(request)
        except ConurbError as error:
            self.connection.execute("ROLLBACK TO request; RELEASE request")
            ledger.rollback(saved)
            self._before, self._eids = held
            self._undone()
            return Result(error=error)
        self.connection.execute("RELEASE request")
        return Result(outcomes, deleted=deleted)

    def _decide(self, ledger: Ledger, operation: Operation) -> Outcome:
        if not operation.history_of:
            return ledger.decide(operation)
        if ledger.touched(operation.entity_id):
            self._flush(ledger)
        history = self._history(operation.entity_id, operation.history_of)
        outcome = ledger.decide(operation, history)
        # What it superseded must be so when a later operation asks for live rows.
        self._flush(ledger)
        return outcome

    def _load(self, ledger: Ledger, entity_ids: set[str]) -> None:
        self._eids.clear()
        self._before.clear()
        if not entity_ids:
            return
        wanted = orjson.dumps(list(entity_ids)).decode()
        for eid, born, *row in self.connection.execute(_LOAD, (wanted,)):
            entity = None if row[-1] is None else entity_of(tuple(row))
            self._eids[row[0]] = eid
            self._before[row[0]] = entity
            ledger.held[row[0]] = Held(entity, born)

    def _history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        eid = self._eids.get(entity_id)
        if eid is None:
            return []
        which, parameters = self._which(attributes)
        rows = self.connection.execute(
            f"SELECT {HISTORY_COLUMNS} FROM history WHERE eid = ? AND {which} "
            "AND superseded IS NULL ORDER BY attr, dataset, at, recorded",
            (eid, *parameters),
        )
        return self._terms.history_of(self.connection, rows)

    def _which(self, attributes: Sequence[str]) -> tuple[str, list[int]]:
        if "*" in attributes:
            return "attr <> ?", [HEAD_TERM]
        numbers = [self._terms.find(self.connection, attribute) for attribute in attributes]
        known = [number for number in numbers if number is not None]
        return f"attr IN ({', '.join('?' * len(known))})", known

    def _write_rest(self, request: Request) -> bool:
        """Write what isn't an operation: documents and positions."""
        if request.put is not None:
            put_document(self.connection, request.put)
        if request.position is not None:
            put_position(self.connection, request.position)
        if request.delete is None:
            return False
        return delete_document(self.connection, *request.delete)

    # ── rows ──────────────────────────────────────────────────────────────────────────────────

    def _flush(self, ledger: Ledger) -> None:
        needs = ledger.needs()
        firsts, heads = self._facts(needs) if needs else (set(), {})
        rows = ledger.take_rows(firsts, heads, births=True)
        if not (rows.state or rows.journal or rows.births):
            return
        for entity_id in rows.erased:
            self._erase(entity_id)
        born = self._write_births(rows)
        documents = self._write_state(rows)
        self._supersede(rows)
        self.insert_history(rows.history)
        journal = [*born, *(journal_row(row, documents) for row in rows.journal)]
        if born:
            journal.sort(key=stamp_of)
        self.connection.executemany(INSERT_JOURNAL, journal)

    def _write_births(self, rows: Rows) -> list[tuple[Any, ...]]:
        """Write objects that never were before.

        Gives their rows of the journal when others have to be put among them, else writes them.
        """
        journal: list[tuple[Any, ...]] = []
        for start in range(0, len(rows.births), BIRTHS_SLICE):
            made = BirthRows()
            for birth in rows.births[start : start + BIRTHS_SLICE]:
                entity = birth.entity
                self._last_eid += 1
                self._eids[entity.id] = self._last_eid
                self._before[entity.id] = entity
                del rows.state[entity.id]
                made.add(birth, self._last_eid, self._shapes.of(entity), self.term)
                if len(entity.types) > 1:
                    self._write_types(self._last_eid, entity.types)
            self.connection.executemany(_INSERT_ENTITY, made.entities)
            self.connection.executemany(INSERT_BORN, made.history)
            geometries.insert(self.connection, made.places)
            if rows.journal:
                journal += made.journal
            else:
                self.connection.executemany(INSERT_JOURNAL, made.journal)
        return journal

    def _facts(self, needs: Needs) -> tuple[set[Key], dict[tuple[str, int], Instance]]:
        connection = self.connection
        firsts: set[Key] = set()
        for key in needs.firsts:
            attr = self._terms.find(connection, key[1])
            dataset = 0 if key[2] is None else self._terms.find(connection, key[2])
            if (
                attr is not None
                and dataset is not None
                and connection.execute(
                    "SELECT 1 FROM history WHERE eid = ? AND attr = ? AND dataset = ? "
                    "AND superseded IS NULL LIMIT 1",
                    (self._eids[key[0]], attr, dataset),
                ).get
            ):
                firsts.add(key)
        heads: dict[tuple[str, int], Instance] = {}
        for entity_id, at_us in needs.heads:
            body = connection.execute(
                "SELECT body FROM history WHERE eid = ? AND attr = ? AND dataset = 0 AND at = ? "
                "AND superseded IS NULL",
                (self._eids[entity_id], HEAD_TERM, at_us),
            ).get
            heads[entity_id, at_us] = orjson.loads(body)
        return firsts, heads

    def _erase(self, entity_id: str) -> None:
        eid = self._eids.pop(entity_id, None)
        if eid is None:
            return
        before = self._before.pop(entity_id, None)
        geometries.changed(self.connection, eid, before, None, self.term)
        for statement in (
            "DELETE FROM history WHERE eid = ?",
            "DELETE FROM multitype WHERE eid = ?",
            "DELETE FROM entity WHERE eid = ?",
        ):
            self.connection.execute(statement, (eid,))

    def _write_state(self, rows: Rows) -> Mapping[int, str]:
        """Write the state of objects; give the attributes that were written, by their identity."""
        inserts, updates = [], []
        documents: dict[int, str] = {}
        places: list[tuple[Any, ...]] = []
        for entity_id, held in rows.state.items():
            if held is None:
                continue
            entity = held.entity
            state = state_row(held, self.term)
            if entity is not None:
                documents[id(entity.attrs)] = state[-1]
            eid = self._eids.get(entity_id)
            if eid is None:
                self._last_eid += 1
                eid = self._eids[entity_id] = self._last_eid
                inserts.append((*state, eid, entity_id))
            else:
                updates.append((*state, eid))
            places += self._write_satellites(eid, self._before.get(entity_id), entity)
            self._before[entity_id] = entity
        if inserts:
            self.connection.executemany(_INSERT_ENTITY, inserts)
        if updates:
            self.connection.executemany(_UPDATE_ENTITY, updates)
        geometries.insert(self.connection, places)
        return documents

    def _write_satellites(
        self, eid: int, before: Entity | None, after: Entity | None
    ) -> list[tuple[Any, ...]]:
        """Keep the tables that stand beside an entity's row; give the geometries to insert."""
        connection = self.connection
        old = before.types if before is not None and len(before.types) > 1 else ()
        new = after.types if after is not None and len(after.types) > 1 else ()
        if set(old) != set(new):
            connection.execute("DELETE FROM multitype WHERE eid = ?", (eid,))
            self._write_types(eid, new)
        return geometries.changed(connection, eid, before, after, self.term)

    def _write_types(self, eid: int, types: tuple[str, ...]) -> None:
        self.connection.executemany(
            "INSERT INTO multitype (type, eid) VALUES (?, ?)",
            [(self.term(iri), eid) for iri in dict.fromkeys(types)],
        )

    def insert_history(self, rows: Sequence[Row]) -> None:
        """Insert rows of history."""
        encoded = history_rows(rows, self._eids, self._terms.known, self.term)
        self.connection.executemany(_INSERT_HISTORY, encoded)

    def restore_state(self, entity_id: str, held: Held) -> None:
        """Insert the state of an object that isn't there yet."""
        self._last_eid += 1
        eid = self._eids[entity_id] = self._last_eid
        geometries.insert(self.connection, self._write_satellites(eid, None, held.entity))
        self.connection.execute(_INSERT_ENTITY, (*state_row(held, self.term), eid, entity_id))

    def _supersede(self, rows: Rows) -> None:
        self.connection.executemany(
            _SUPERSEDE_AT,
            [(when, *self._key(key), at) for key, at, when in rows.superseded_at],
        )
        self.connection.executemany(
            _SUPERSEDE_AFTER,
            [(when, *self._key(key), at) for key, at, when in rows.superseded_after],
        )
        self.connection.executemany(
            _SUPERSEDE_NUMBER,
            [
                (when, self._eids[entity_id], self.term(attribute), number)
                for entity_id, attribute, number, when in rows.superseded_number
            ],
        )

    def _key(self, key: Key) -> tuple[int, int, int]:
        return (
            self._eids[key[0]],
            self.term(key[1]),
            0 if key[2] is None else self.term(key[2]),
        )

    def term(self, iri: str) -> int:
        """Give the short name of an IRI, making it when there is none."""
        number = self._terms.find(self.connection, iri)
        if number is None:
            self._last_term += 1
            self.connection.execute(
                "INSERT INTO term (id, iri) VALUES (?, ?)", (self._last_term, iri)
            )
            number = self._terms.find(self.connection, iri)
            assert number is not None  # noqa: S101 - it was inserted just now
        return number


def changes_of(outcomes: Iterable[Outcome]) -> list[Change]:
    """Give the outcomes of an atomic request, all of which are changes."""
    return [outcome for outcome in outcomes if isinstance(outcome, Change)]
