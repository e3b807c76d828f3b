"""Everything of a store as engine-neutral rows, and back: export, restore, backup.

Rows are those of `conurb.store.sqlite.transfer`: JSON objects with a member `row`, in an order in
which they can be taken in. A backup is the same rows in a file, a line each.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from conurb.errors import BadRequestDataError, ConflictError
from conurb.model.entity import Entity
from conurb.store.contract import Position
from conurb.store.postgres.flush import Flush, Known
from conurb.store.postgres.names import Names
from conurb.store.postgres.statement import LAST_HEADS, Arrays, array_literal
from conurb.store.rows import Row

FORMAT: Final = "conurb-store/1"

CHUNK_ROWS: Final = 1_000
"""Rows read and written at a time."""

_OBJECTS: Final = """
SELECT o.id, o.head_at, e.typeset, e.scope, e.created, e.modified, e.expires, e.doc
FROM object o LEFT JOIN entity e ON e.eid = o.eid ORDER BY o.id
"""
_HISTORY: Final = """
SELECT o.id, h.attr, h.dataset, h.at, h.recorded, h.superseded, h.number, h.kind, h.body
FROM object o JOIN history h ON h.eid = o.eid JOIN term t ON t.tid = h.attr
ORDER BY o.id, t.iri, h.dataset, h.at, h.recorded, h.number
"""
_JOURNAL: Final = """
SELECT seq, at, kind, id, typeset, scope, created, modified, expires, touched, before, after
FROM journal ORDER BY seq
"""
_SERIES: Final = """
UPDATE object o SET attrs = s.attrs, datasets = s.datasets FROM (
  SELECT eid, array_agg(attr ORDER BY attr, dataset) AS attrs,
    array_agg(dataset ORDER BY attr, dataset) AS datasets
  FROM (SELECT DISTINCT eid, attr, dataset FROM history WHERE attr <> 0) d GROUP BY eid
) s WHERE o.eid = s.eid
"""
_COUNTERS: Final = """
UPDATE counters SET
  seq = greatest(seq, (SELECT max(seq) FROM journal)),
  stamp = greatest(stamp, (SELECT max(greatest(number, recorded, superseded)) FROM history),
    (SELECT max(at) FROM journal)),
  eid = greatest(eid, (SELECT max(eid) FROM object))
"""


async def iter_rows(connection: Any, names: Names) -> AsyncIterator[Mapping[str, Any]]:
    """Stream every row; `connection` is in a transaction that sees one moment's data."""
    yield {"row": "store", "format": FORMAT}
    async for row in connection.cursor(_OBJECTS, prefetch=CHUNK_ROWS):
        yield _object_row(row, names)
    async for row in connection.cursor(_HISTORY, prefetch=CHUNK_ROWS):
        body = row["body"]
        yield {
            "row": "history",
            "id": row["id"],
            "attribute": names.iri(row["attr"]),
            "dataset": row["dataset"] or None,
            "at": row["at"],
            "recorded": row["recorded"],
            "superseded": row["superseded"],
            "number": row["number"],
            "kind": row["kind"],
            "instance": None if body is None else orjson.loads(body),
        }
    async for row in connection.cursor(_JOURNAL, prefetch=CHUNK_ROWS):
        yield _journal_row(row, names)
    async for row in connection.cursor("SELECT kind, id, body FROM document ORDER BY number"):
        body = orjson.loads(row["body"])
        yield {"row": "document", "kind": row["kind"], "id": row["id"], "body": body}
    async for row in connection.cursor("SELECT reader, seq FROM position ORDER BY reader"):
        yield {"row": "position", "reader": row["reader"], "seq": row["seq"]}


def _object_row(row: Any, names: Names) -> dict[str, Any]:
    given: dict[str, Any] = {"row": "object", "id": row["id"], "born": row["head_at"]}
    if row["doc"] is not None:
        given |= {
            "types": list(names.types(row["typeset"])),
            "scope": list(row["scope"]),
            "created": row["created"],
            "modified": row["modified"],
            "expires": row["expires"],
            "attrs": orjson.loads(row["doc"]),
        }
    return given


def _journal_row(row: Any, names: Names) -> dict[str, Any]:
    after: dict[str, Any] | None = None
    if row["after"] is not None:
        after = {"attrs": orjson.loads(row["after"])}
        if row["expires"] is not None:
            after["expires"] = row["expires"]
    return {
        "row": "journal",
        "seq": row["seq"],
        "at": row["at"],
        "kind": row["kind"],
        "id": row["id"],
        "types": list(names.types(row["typeset"])),
        "scope": list(row["scope"]),
        "created": row["created"],
        "modified": row["modified"],
        "touched": orjson.loads(row["touched"]),
        "before": orjson.loads(row["before"]),
        "after": after,
    }


async def restore(
    connection: Any, names: Names, rows: AsyncIterator[Mapping[str, Any]], *, eid: int
) -> None:
    """Take in exported rows in one transaction; `eid` is the last object's number here.

    Raises ConflictError when the store isn't empty, BadRequestDataError when a row isn't as
    exported.
    """
    try:
        async with connection.transaction():
            await _require_empty(connection)
            await connection.execute("SET LOCAL enable_hashjoin = on")
            await connection.execute("SET LOCAL enable_seqscan = on")
            restorer = _Restorer(connection, names, eid)
            async for row in rows:
                await restorer.take(row)
            await restorer.finish()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        names.forget()
        raise BadRequestDataError(f"restore: a row isn't as exported: {error!r}") from error
    except BaseException:
        names.forget()
        raise
    names.keep()


async def _require_empty(connection: Any) -> None:
    for table in ("object", "journal", "document", "position"):
        if await connection.fetchval(f"SELECT 1 FROM {table} LIMIT 1") is not None:
            raise ConflictError("restore: the store isn't empty")


class _Restorer:
    """Writes rows in chunks; what depends on all of them is filled in at the end."""

    def __init__(self, connection: Any, names: Names, eid: int) -> None:
        self._connection = connection
        self._names = names
        self._known: dict[str, Known] = {}
        self._eid = eid
        self._arrays = Arrays()
        self._rows = 0

    async def take(self, row: Mapping[str, Any]) -> None:
        """Take in one row."""
        kind = row.get("row")
        if kind == "object":
            self._take_object(row)
        elif kind == "history":
            self._flush_of().add_row(_history_row(row), self._known[row["id"]])
        elif kind == "journal":
            self._take_journal(row)
        elif kind == "document":
            await self._connection.execute(
                "INSERT INTO document (kind, id, body) VALUES ($1, $2, $3)",
                row["kind"],
                row["id"],
                orjson.dumps(row["body"]).decode(),
            )
        elif kind == "position":
            position = Position(row["reader"], row["seq"])
            self._arrays.add("position", position.reader, position.seq)
        elif kind != "store" or row.get("format") != FORMAT:
            raise BadRequestDataError(f"restore: a row of unknown kind {kind!r}: {row!r:.200}")
        self._rows += 1
        if self._rows >= CHUNK_ROWS:
            await self._write()

    def _flush_of(self) -> Flush:
        return Flush(self._names, self._known, seq=0, eid=self._eid, arrays=self._arrays)

    def _take_object(self, row: Mapping[str, Any]) -> None:
        self._eid += 1
        entity = None
        if "attrs" in row:
            entity = Entity(
                row["id"],
                tuple(row["types"]),
                row["attrs"],
                tuple(row["scope"]),
                row["created"],
                row["modified"],
                row["expires"],
            )
        # Series follow from history, in `finish`; so does what is said of a deleted object.
        known = Known(self._eid, False, row["born"], set(), None)
        self._known[row["id"]] = known
        self._flush_of().add_state(known, row["id"], row["born"], entity, grown=True)

    def _take_journal(self, row: Mapping[str, Any]) -> None:
        after = row["after"]
        self._arrays.add(
            "journal",
            row["seq"],
            row["at"],
            row["kind"],
            row["id"],
            self._names.sid(tuple(row["types"])),
            array_literal(row["scope"]),
            row["created"],
            row["modified"],
            None if after is None else after.get("expires"),
            orjson.dumps(row["touched"]).decode(),
            orjson.dumps(row["before"]).decode(),
            None if after is None else orjson.dumps(after["attrs"]).decode(),
        )

    async def _write(self) -> None:
        terms, typesets = self._names.take_fresh()
        for tid, iri in terms:
            self._arrays.add("term", tid, iri)
        for sid, tids in typesets:
            self._arrays.add("typeset", sid, array_literal(tids))
        if self._arrays.flat:
            sql, arguments = self._arrays.statement()
            await self._connection.execute(sql, *arguments)
        self._arrays = Arrays()
        self._rows = 0

    async def finish(self) -> None:
        """Write what is left, and what follows from the whole."""
        await self._write()
        await self._connection.execute(_SERIES)
        await self._connection.execute(LAST_HEADS, None)
        await self._connection.execute(_COUNTERS)


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


async def write_file(rows: AsyncIterator[Mapping[str, Any]], path: Path) -> None:
    """Write rows as lines of JSON into a file that isn't there yet; all or nothing."""
    draft = path.with_name(path.name + ".part")
    file = await asyncio.to_thread(_create, path, draft)
    try:
        chunk: list[bytes] = []
        async for row in rows:
            chunk.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            if len(chunk) >= CHUNK_ROWS:
                await asyncio.to_thread(file.writelines, chunk)
                chunk = []
        await asyncio.to_thread(_finish, file, chunk, draft, path)
    finally:
        file.close()
        await asyncio.to_thread(draft.unlink, missing_ok=True)


def _create(path: Path, draft: Path) -> BinaryIO:
    if path.exists():
        raise ConflictError(f"backup: {path} exists already")
    return draft.open("wb")


def _finish(file: BinaryIO, chunk: list[bytes], draft: Path, path: Path) -> None:
    file.writelines(chunk)
    file.flush()
    os.fsync(file.fileno())
    draft.replace(path)
