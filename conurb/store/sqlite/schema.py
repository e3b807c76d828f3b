"""The tables of the embedded engine, and how a file of an older version is brought forward.

- `entity`: one row per object that ever existed. `eid` is its short name in every other table; the
  row of a deleted object stays, with `doc` NULL. `type` is the term of its single type, 0 when it
  has several (then `multitype` lists them). `doc` is the entity's attributes in internal form;
  `flat` the values that can be compared at once (`values.py`), which expression indexes stand on.
  `born` is the `at` of the first head row, `due` when something of it expires.
- `history`: every instance ever stored with its two times, clustered by (object, attribute,
  datasetId, at). `val` is its value as in `flat`; `body` NULL is a tombstone, `val` then the type
  of what it ended; `observed` says whether `at` was stated. `dataset` 0 is the default instance.
- `journal`: what every operation did, numbered in commit order.
- `geo`: R*Tree over the geometries of current state; row ids are `eid * GEO_PER_ENTITY_MAX + n`.
- `term`: short names of IRIs (types, attributes, datasetIds).

`MIGRATIONS[n]` brings a file of version n to n + 1. They are never changed once released.
"""

from __future__ import annotations

from typing import Final

import apsw

from conurb.errors import UnavailableError

APPLICATION_ID: Final = 0x436F6E75
"""Marks a file as ours in its header ("Conu")."""

GEO_PER_ENTITY_MAX: Final = 4_096
"""Geometries of one object that are found by place."""

BUSY_TIMEOUT_MS: Final = 10_000
"""How long a connection waits for another process that writes to the same file."""

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE term (id INTEGER PRIMARY KEY, iri TEXT NOT NULL UNIQUE);
    CREATE TABLE entity (
        eid INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        type INTEGER,
        types TEXT,
        scope TEXT,
        created INTEGER,
        modified INTEGER,
        expires INTEGER,
        due INTEGER,
        born INTEGER NOT NULL,
        flat TEXT,
        doc TEXT
    );
    CREATE INDEX entity_type ON entity (type, id) WHERE type IS NOT NULL;
    CREATE INDEX entity_deleted ON entity (id) WHERE type IS NULL;
    CREATE INDEX entity_due ON entity (due) WHERE due IS NOT NULL;
    CREATE TABLE multitype (
        type INTEGER NOT NULL, eid INTEGER NOT NULL, PRIMARY KEY (type, eid)
    ) WITHOUT ROWID;
    CREATE INDEX multitype_eid ON multitype (eid);
    CREATE TABLE history (
        eid INTEGER NOT NULL,
        attr INTEGER NOT NULL,
        dataset INTEGER NOT NULL,
        at INTEGER NOT NULL,
        recorded INTEGER NOT NULL,
        superseded INTEGER,
        number INTEGER NOT NULL,
        observed INTEGER NOT NULL,
        val,
        body TEXT,
        PRIMARY KEY (eid, attr, dataset, at, recorded)
    ) WITHOUT ROWID;
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        head TEXT NOT NULL,
        touched TEXT NOT NULL,
        before TEXT,
        after TEXT
    );
    CREATE VIRTUAL TABLE geo USING rtree(
        gid, west, east, south, north, +eid INTEGER, +attr INTEGER, +x REAL, +y REAL, +wkb BLOB
    );
    CREATE TABLE document (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    CREATE TABLE position (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE indexed (attr INTEGER PRIMARY KEY);
    INSERT INTO term (id, iri) VALUES (1, '@head');
    """,
)
"""SQL by version; the version of a file is its `user_version`."""

VERSION: Final = len(MIGRATIONS)


def prepare(connection: apsw.Connection, *, cache_kib: int, write: bool) -> None:
    """Set what is set per connection."""
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    if write:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
    else:
        connection.execute("PRAGMA query_only = ON")


def version(connection: apsw.Connection, *, name: str) -> int:
    """Give the version of a file, 0 for an empty one.

    Raises UnavailableError when it is newer than this program, or another program's.
    """
    found = int(connection.pragma("user_version"))
    application = int(connection.pragma("application_id"))
    if application not in (0, APPLICATION_ID) or (found and application != APPLICATION_ID):
        raise UnavailableError(f"store {name}: the file belongs to another program")
    if found == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise UnavailableError(f"store {name}: the file is a SQLite database, but not of a node")
    if found > VERSION:
        raise UnavailableError(
            f"store {name}: the file has version {found}; this program knows up to {VERSION}"
        )
    return found


def migrate(connection: apsw.Connection, *, name: str) -> None:
    """Bring a file forward to `VERSION`, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(version(connection, name=name), VERSION):
            connection.execute(MIGRATIONS[number])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
