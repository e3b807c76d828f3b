"""The tables of one node, and the migrations that lead to them.

- `object` is every object that there ever was, with the series (attribute, datasetId) ever stated
  of it; it stays when the object is deleted, so that history can be found. `head_at` is the time
  of its first head; `typeset` and `scope` are those of its state, or of its last head when it was
  deleted.
- `entity` is current state: `doc` is the attributes as written (text, so that what is read is
  byte for byte what was written, at a sixth of jsonb's cost), `flat` the values that can be
  compared at once (`values`), which indexes stand on. See docs/decisions/0006.
- `history` has one row per instance and head, by the two times of docs/decisions/0001. Its index
  is in order of seek: state at a time is one descent per series. `observed` says that `at` was
  stated; `num` is what an aggregate computes with, and a head's typeset; `kind` is the type of
  what a tombstone (`body` NULL) ended.
- `geometry` holds current GeoProperties, once for planar relations, once for distances.
- IRIs of attributes and types are numbers (`term`); a set of types is a number too (`typeset`),
  so that a query by type is a range of one index, in order of id.
- `counters` has one row: the last numbers given. It is written with every commit.
- `journal`, `position`, `document`: as in the contract.

All ids are compared by code point: COLLATE "C".
"""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import UnavailableError
from conurb.model.evolution import HEAD
from conurb.model.time import BEGINNING
from conurb.store.postgres.connection import Address, driver
from conurb.store.postgres.functions import AGGREGATED, COLLATION, FUNCTIONS

HEAD_TERM: Final = 0
"""The term of the pseudo-attribute that holds an object's types, scope and expiry."""

_MIGRATION_LOCK: Final = 0x636F6E757262
"""Advisory lock of the database while a schema is created or migrated."""

_FIRST: Final = f"""
CREATE TABLE counters (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq bigint NOT NULL, stamp bigint NOT NULL, eid bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counters (seq, stamp, eid) VALUES (0, {BEGINNING}, 0);

CREATE TABLE term (tid int PRIMARY KEY, iri text COLLATE "C" NOT NULL UNIQUE);
INSERT INTO term VALUES ({HEAD_TERM}, '{HEAD}');
CREATE TABLE typeset (sid int PRIMARY KEY, types int[] NOT NULL UNIQUE);

CREATE TABLE object (
  eid bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  head_at bigint NOT NULL,
  typeset int NOT NULL,
  scope text[] NOT NULL,
  attrs int[] NOT NULL,
  datasets text[] NOT NULL
);
CREATE INDEX object_typeset ON object (typeset, id);

CREATE TABLE entity (
  eid bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  typeset int NOT NULL,
  scope text[] NOT NULL,
  created bigint NOT NULL,
  modified bigint NOT NULL,
  expires bigint,
  due bigint,
  doc text NOT NULL,
  flat jsonb NOT NULL
);
CREATE INDEX entity_typeset ON entity (typeset, id);
CREATE INDEX entity_due ON entity (due) WHERE due IS NOT NULL;

CREATE TABLE history (
  eid bigint NOT NULL,
  attr int NOT NULL,
  dataset text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  recorded bigint NOT NULL,
  superseded bigint,
  number bigint NOT NULL,
  observed boolean NOT NULL,
  num double precision,
  kind text,
  body text
);
CREATE INDEX history_seek ON history (eid, attr, dataset, at, recorded);

CREATE TABLE geometry (
  eid bigint NOT NULL,
  attr int NOT NULL,
  dataset text COLLATE "C" NOT NULL,
  first boolean NOT NULL,
  geom geometry(Geometry, 4326) NOT NULL,
  PRIMARY KEY (eid, attr, dataset)
);
CREATE INDEX geometry_planar ON geometry USING gist (geom);
CREATE INDEX geometry_sphere ON geometry USING gist (geography(geom));

CREATE TABLE journal (
  seq bigint PRIMARY KEY,
  at bigint NOT NULL,
  kind text NOT NULL,
  id text NOT NULL,
  typeset int NOT NULL,
  scope text[] NOT NULL,
  created bigint NOT NULL,
  modified bigint NOT NULL,
  expires bigint,
  touched text NOT NULL,
  before text NOT NULL,
  after text
);
CREATE TABLE position (reader text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE document (
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  body text NOT NULL,
  PRIMARY KEY (kind, id)
);
"""

_SHAPES: Final = (
    "CREATE INDEX geometry_shape ON geometry (attr) WHERE GeometryType(geom) <> 'POINT'"
)
"""So that a tile of points costs no look for lines and areas."""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST + FUNCTIONS, _SHAPES, AGGREGATED)
"""Migration n leads from version n to n + 1; what has been released is never edited."""

_ICU: Final = "und-x-icu"

_LZ4: Final = """
ALTER TABLE entity ALTER doc SET COMPRESSION lz4, ALTER flat SET COMPRESSION lz4;
ALTER TABLE journal ALTER before SET COMPRESSION lz4, ALTER after SET COMPRESSION lz4;
ALTER TABLE history ALTER body SET COMPRESSION lz4;
"""


async def migrate(connection: Any, address: Address) -> str:
    """Create the schema or bring it up to date; give the schema in which PostGIS lives.

    Raises UnavailableError when PostGIS is missing, when the user may not create the schema, or
    when it is of a newer version than this program knows.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        extension = await _ensure_postgis(connection, address)
        try:
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{address.schema}"')
            await connection.execute(
                f'SET LOCAL search_path = "{address.schema}", "{extension}", public'
            )
            await connection.execute(
                f'CREATE TABLE IF NOT EXISTS "{address.schema}".version (number int NOT NULL)'
            )
            await _forward(connection, address)
        except driver().InsufficientPrivilegeError as error:
            raise UnavailableError(
                f"store {address.name}: the user may not create or change the schema: {error}"
            ) from error
    return extension


async def _forward(connection: Any, address: Address) -> None:
    version = await connection.fetchval("SELECT max(number) FROM version") or 0
    if version > len(MIGRATIONS):
        raise UnavailableError(
            f"store {address.name} has version {version}; this program knows {len(MIGRATIONS)}: "
            "use a newer one"
        )
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        await connection.execute(migration)
        await connection.execute("INSERT INTO version VALUES ($1)", number)
    if version == 0:
        await _adapt(connection)


async def _adapt(connection: Any) -> None:
    """Use what this server was built with."""
    if await connection.fetchval(
        "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    ):
        await connection.execute(_LZ4)
    icu = await connection.fetchval("SELECT count(*) FROM pg_collation WHERE collname = $1", _ICU)
    await connection.execute(COLLATION.format(collation=_ICU if icu else "default"))


async def _ensure_postgis(connection: Any, address: Address) -> str:
    where = (
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
        "WHERE e.extname = 'postgis'"
    )
    schema = await connection.fetchval(where)
    if schema is None:
        try:
            async with connection.transaction():
                await connection.execute("CREATE EXTENSION postgis")
        except driver().PostgresError as error:
            raise UnavailableError(
                f"store {address.name} needs the extension postgis in its database, and it can't "
                f"be created by this user: {error}"
            ) from error
        schema = await connection.fetchval(where)
    return str(schema)
