"""Where the stores of a process's tenants stand: files in one folder, or schemas of one database.

The default tenant is the store that the operator names; the others stand beside it. In SQLite, the
store `city.db` has its tenants in `city.db.tenants/`; in PostgreSQL, the schema `city` has its in
schemas `city_t_NAME`. Snapshots stand there too. A place's name is written in lower-case letters,
digits and underscores, so that file systems and databases that fold case keep names apart.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from conurb.errors import UnavailableError
from conurb.model.time import Clock, system_clock
from conurb.store.engines import open_store

if TYPE_CHECKING:
    from conurb.store.contract import Store

SUFFIX: Final = ".db"
SIDE_FILES: Final = ("-wal", "-shm", ".lock")
"""What the embedded engine puts beside its file."""

SCHEMA_DEFAULT: Final = "conurb"
SCHEMA_LENGTH_MAX: Final = 63
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_MARK: Final = "_t_"


def open_shelf(url_or_path: str, *, clock: Clock = system_clock) -> FolderShelf | SchemaShelf:
    """Make the shelf whose default tenant is the store that a URL or path names."""
    if urlsplit(url_or_path).scheme in {"postgres", "postgresql"}:
        return SchemaShelf(url_or_path, clock=clock)
    return FolderShelf(url_or_path, clock=clock)


class FolderShelf:
    """Stores of the embedded engine: one file a tenant."""

    def __init__(self, path: str, *, clock: Clock = system_clock) -> None:
        self._path = path
        self._clock = clock
        plain = Path(path.removeprefix("sqlite:///")).expanduser()
        self._folder = plain.with_name(plain.name + ".tenants")

    def store(self, place: str | None) -> Store:
        """Give the store of a place (None: the default tenant), not yet opened."""
        target = self._path if place is None else str(self._file(place))
        return open_store(target, clock=self._clock)

    async def drop(self, place: str) -> None:
        """Take the store of a place away for good; it is closed."""
        file = self._file(place)
        for part in (file, *(file.with_name(file.name + end) for end in SIDE_FILES)):
            part.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            shutil.rmtree(self._folder)

    def _file(self, place: str) -> Path:
        return self._folder / (written(place) + SUFFIX)


class SchemaShelf:
    """Stores of the production engine: one schema a tenant."""

    def __init__(self, url: str, *, clock: Clock = system_clock) -> None:
        self._url = url
        self._clock = clock
        self._schema = parse_qs(urlsplit(url).query).get("schema", [SCHEMA_DEFAULT])[0]

    def store(self, place: str | None) -> Store:
        """Give the store of a place (None: the default tenant), not yet opened."""
        if place is None:
            return open_store(self._url, clock=self._clock)
        parts = urlsplit(self._url)
        query = {**parse_qs(parts.query), "schema": [self._schema_of(place)]}
        url = urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
        return open_store(url, clock=self._clock)

    async def drop(self, place: str) -> None:
        """Take the store of a place away for good; it is closed."""
        await self._run("execute", f'DROP SCHEMA IF EXISTS "{self._schema_of(place)}" CASCADE')

    def _schema_of(self, place: str) -> str:
        """Give the schema of a place; a name too long for the server becomes its hash."""
        schema = self._schema + _MARK + written(place)
        if len(schema) <= SCHEMA_LENGTH_MAX:
            return schema
        return self._schema + _MARK + hashlib.sha256(place.encode()).hexdigest()[:32]

    async def _run(self, method: str, statement: str, *values: Any) -> Any:
        import asyncpg

        parts = urlsplit(self._url)
        ours = {"schema", "pool"}
        rest = {k: v for k, v in parse_qs(parts.query).items() if k not in ours}
        dsn = urlunsplit(parts._replace(query=urlencode(rest, doseq=True)))
        try:
            connection = await asyncpg.connect(dsn)
        except (OSError, asyncpg.PostgresError) as error:
            raise UnavailableError(f"store {parts.hostname}{parts.path}: {error}") from error
        try:
            return await getattr(connection, method)(statement, *values)
        finally:
            await connection.close()


def written(place: str) -> str:
    """Write a place's name in lower-case letters, digits and underscores.

    >>> written("Wuxi-2")
    '_57uxi_2d2'
    """
    return "".join(c if c in _PLAIN else f"_{ord(c):02x}" for c in place)
