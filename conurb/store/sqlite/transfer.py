"""Everything of a store as engine-neutral rows, and back: export, restore, backup.

Rows are JSON objects with a member `row` that says what they are, in an order in which they can be
taken in: `store` (format), `object` (current state; `doc` absent when it was deleted), `history`,
`journal`, `document`, `position`. All times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import apsw
import orjson

from conurb.errors import BadRequestDataError, ConflictError
from conurb.model.entity import Entity
from conurb.store.contract import Position
from conurb.store.rows import Held, Row
from conurb.store.sqlite.documents import put_position
from conurb.store.sqlite.rows import Terms
from conurb.store.sqlite.write import Writer

FORMAT: Final = "conurb-store/1"

BACKUP_PAGES: Final = 2_000
"""Pages copied before the writer gets its turn."""


def export_rows(connection: apsw.Connection, terms: Terms) -> Iterator[dict[str, Any]]:
    """Stream every row; the caller holds one transaction over the whole of it."""
    yield {"row": "store", "format": FORMAT}
    for row in connection.execute(
        "SELECT id, born, types, scope, created, modified, expires, doc FROM entity ORDER BY id"
    ):
        entity_id, born, types, scope, created, modified, expires, doc = row
        given: dict[str, Any] = {"row": "object", "id": entity_id, "born": born}
        if doc is not None:
            given |= {
                "types": orjson.loads(types),
                "scope": orjson.loads(scope) if scope else [],
                "created": created,
                "modified": modified,
                "expires": expires,
                "attrs": orjson.loads(doc),
            }
        yield given
    yield from _export_history(connection, terms)
    yield from _export_rest(connection)


def _export_history(connection: apsw.Connection, terms: Terms) -> Iterator[dict[str, Any]]:
    rows = connection.execute(
        "SELECT e.id, h.attr, h.dataset, h.at, h.recorded, h.superseded, h.number, h.body, "
        "CASE WHEN h.body IS NULL THEN h.val END "
        "FROM entity e CROSS JOIN history h ON h.eid = e.eid CROSS JOIN term t ON t.id = h.attr "
        "LEFT JOIN term d ON d.id = h.dataset "
        "ORDER BY e.id, t.iri, d.iri, h.at, h.recorded"
    )
    for entity_id, attr, dataset, at, recorded, superseded, number, body, kind in rows:
        yield {
            "row": "history",
            "id": entity_id,
            "attribute": terms.iri(connection, attr),
            "dataset": terms.dataset(connection, dataset),
            "at": at,
            "recorded": recorded,
            "superseded": superseded,
            "number": number,
            "kind": kind,
            "instance": None if body is None else orjson.loads(body),
        }


def _export_rest(connection: apsw.Connection) -> Iterator[dict[str, Any]]:
    rows = connection.execute(
        "SELECT seq, at, kind, id, head, touched, before, after FROM journal ORDER BY seq"
    )
    for seq, at, kind, entity_id, head, touched, before, after in rows:
        types, scope, created, modified = orjson.loads(head)
        yield {
            "row": "journal",
            "seq": seq,
            "at": at,
            "kind": kind,
            "id": entity_id,
            "types": types,
            "scope": scope,
            "created": created,
            "modified": modified,
            "touched": orjson.loads(touched),
            "before": orjson.loads(before) if before else {},
            "after": None if after is None else orjson.loads(after),
        }
    for kind, document_id, body in connection.execute(
        "SELECT kind, id, body FROM document ORDER BY number"
    ):
        yield {"row": "document", "kind": kind, "id": document_id, "body": orjson.loads(body)}
    for reader, seq in connection.execute("SELECT reader, seq FROM position ORDER BY reader"):
        yield {"row": "position", "reader": reader, "seq": seq}


class Restorer:
    """Takes in exported rows inside of one transaction; runs in the writer thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._connection = writer.connection
        for table in ("entity", "journal", "document", "position"):
            if self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").get is not None:
                raise ConflictError("restore: the store isn't empty")

    def take(self, rows: list[Mapping[str, Any]]) -> None:
        """Take in some rows, in the order in which they were exported."""
        history: list[Row] = []
        for row in rows:
            kind = row.get("row")
            if kind == "history":
                history.append(_history_row(row))
            elif kind == "object":
                self._writer.restore_state(str(row["id"]), _held(row))
            elif kind == "journal":
                self._take_journal(row)
            elif kind == "document":
                self._connection.execute(
                    "INSERT INTO document (kind, id, number, body) VALUES (?, ?, "
                    "(SELECT coalesce(max(number), 0) + 1 FROM document), ?)",
                    (row["kind"], row["id"], orjson.dumps(row["body"]).decode()),
                )
            elif kind == "position":
                put_position(self._connection, Position(row["reader"], row["seq"]))
            elif kind != "store" or row.get("format") != FORMAT:
                raise BadRequestDataError(f"restore: a row of unknown kind {kind!r}: {row!r:.200}")
        self._writer.insert_history(history)

    def _take_journal(self, row: Mapping[str, Any]) -> None:
        head = [row["types"], row["scope"], row["created"], row["modified"]]
        after = row["after"]
        self._connection.execute(
            "INSERT INTO journal (seq, at, kind, id, head, touched, before, after) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row["seq"],
                row["at"],
                row["kind"],
                row["id"],
                orjson.dumps(head).decode(),
                orjson.dumps(row["touched"]).decode(),
                orjson.dumps(row["before"]).decode() if row["before"] else None,
                None if after is None else orjson.dumps(after).decode(),
            ),
        )


def _held(row: Mapping[str, Any]) -> Held:
    if "attrs" not in row:
        return Held(None, row["born"])
    entity = Entity(
        row["id"],
        tuple(row["types"]),
        row["attrs"],
        tuple(row["scope"]),
        row["created"],
        row["modified"],
        row["expires"],
    )
    return Held(entity, row["born"])


def _history_row(row: Mapping[str, Any]) -> Row:
    return Row(
        row["id"],
        row["attribute"],
        row["dataset"],
        row["at"],
        row["recorded"],
        row["number"],
        row["instance"],
        superseded_us=row["superseded"],
        kind=row.get("kind"),
    )


def backup(source: apsw.Connection, path: Path) -> None:
    """Copy the whole file page by page, while it is in use, into a file that isn't there yet."""
    if path.exists():
        raise ConflictError(f"backup: {path} exists already")
    target = apsw.Connection(str(path))
    try:
        with target.backup("main", source, "main") as copy:
            while not copy.done:
                copy.step(BACKUP_PAGES)
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
