"""The journal of the embedded engine: its rows as SQL takes them, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import apsw
import orjson

from conurb.store.contract import ELSEWHERE, Record
from conurb.store.rows import JournalRow
from conurb.store.sqlite.births import journal_after
from conurb.store.sqlite.rows import journal_head, record_of

INSERT_JOURNAL: Final = """
INSERT INTO journal (at, kind, id, head, touched, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)"""


def stamp_of(journal_row: tuple[Any, ...]) -> int:
    """Give the stamp of a row of the journal."""
    stamp: int = journal_row[0]
    return stamp


def journal_row(row: JournalRow, documents: Mapping[int, str]) -> tuple[Any, ...]:
    """Write a row of the journal; `documents` are attributes that were written out already."""
    after = None
    if row.after is not None:
        attrs = row.after.attrs
        document = documents.get(id(attrs)) or orjson.dumps(attrs).decode()
        after = journal_after(document, row.after.expires_at)
    touched = {
        attribute: {dataset or "": kind for dataset, kind in datasets.items()}
        for attribute, datasets in row.touched.items()
    }
    return (
        row.at_us,
        row.kind,
        row.id,
        journal_head(row.types, row.scope, row.created_us, row.modified_us),
        orjson.dumps(touched).decode(),
        orjson.dumps(row.before).decode() if row.before else None,
        after,
    )


def read_journal(connection: apsw.Connection, *, after: int, limit: int) -> list[Record]:
    """Read the journal in order, from the entry after `after`."""
    rows = connection.execute(
        "SELECT seq, at, kind, id, head, touched, before, after FROM journal "
        "WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return [record_of(row) for row in rows]


def last_seq(connection: apsw.Connection) -> int:
    """Give the number of the last journal entry ever written; 0 for none."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").get
    return int(found or 0)


def last_stamp(connection: apsw.Connection) -> int:
    """Give the last stamp that was taken for something stored; 0 for none.

    The last entry of the journal is never pruned, and its numbers are the last ones taken.
    """
    found = connection.execute(
        "SELECT max(j.at, coalesce((SELECT max(h.number) FROM history h WHERE h.eid = "
        "(SELECT eid FROM entity e WHERE e.id = j.id)), 0)) "
        "FROM journal j ORDER BY seq DESC LIMIT 1"
    ).get
    return int(found or 0)


def prune(connection: apsw.Connection, *, before_us: int, end: int) -> int:
    """Drop entries older than that which every stored position has passed; give how many."""
    connection.execute(
        "DELETE FROM journal WHERE at < ?1 AND seq < ?2 AND seq <= "
        "(SELECT coalesce(min(seq), ?2) FROM position WHERE substr(reader, 1, 1) <> ?3)",
        (before_us, end, ELSEWHERE),
    )
    return connection.changes()
