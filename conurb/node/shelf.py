"""Where the stores of a process's tenants stand: files in one folder, or schemas of one database.

The default tenant is the store that the operator names; the others stand beside it. In SQLite, the
store `city.db` has its tenants in `city.db.tenants/`; in PostgreSQL, the schema `city` has its in
schemas `city_t_NAME`. A tenant's name is written in lower-case letters, digits and underscores,
so that file systems and databases that fold case keep names apart.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from conurb.errors import BadRequestDataError, UnavailableError
from conurb.model.time import Clock, system_clock
from conurb.store.engines import open_store

if TYPE_CHECKING:
    from conurb.store.contract import Store

SUFFIX: Final = ".db"
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

    async def tenants(self) -> list[str]:
        """List the tenants that exist, without the default one."""
        found = (tenant_of(file.stem) for file in sorted(self._folder.glob("*" + SUFFIX)))
        return [tenant for tenant in found if tenant is not None]

    def store(self, tenant: str | None) -> Store:
        """Give the store of a tenant, not yet opened."""
        target = self._path if tenant is None else str(self._file(tenant))
        return open_store(target, clock=self._clock)

    async def drop(self, tenant: str) -> None:
        """Take a tenant's store away for good; it is closed."""
        file = self._file(tenant)
        for part in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            part.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            shutil.rmtree(self._folder)

    def _file(self, tenant: str) -> Path:
        return self._folder / (written(tenant) + SUFFIX)


class SchemaShelf:
    """Stores of the production engine: one schema a tenant."""

    def __init__(self, url: str, *, clock: Clock = system_clock) -> None:
        self._url = url
        self._clock = clock
        self._schema = parse_qs(urlsplit(url).query).get("schema", [SCHEMA_DEFAULT])[0]

    async def tenants(self) -> list[str]:
        """List the tenants that exist; raise UnavailableError when the server doesn't answer."""
        prefix = self._schema + _MARK
        rows = await self._run(
            "fetch", "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", prefix
        )
        found = (tenant_of(row["nspname"][len(prefix) :]) for row in rows)
        return sorted(tenant for tenant in found if tenant is not None)

    def store(self, tenant: str | None) -> Store:
        """Give the store of a tenant, not yet opened."""
        if tenant is None:
            return open_store(self._url, clock=self._clock)
        parts = urlsplit(self._url)
        query = {**parse_qs(parts.query), "schema": [self._schema_of(tenant)]}
        url = urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
        return open_store(url, clock=self._clock)

    async def drop(self, tenant: str) -> None:
        """Take a tenant's store away for good; it is closed."""
        await self._run("execute", f'DROP SCHEMA IF EXISTS "{self._schema_of(tenant)}" CASCADE')

    def _schema_of(self, tenant: str) -> str:
        schema = self._schema + _MARK + written(tenant)
        if len(schema) > SCHEMA_LENGTH_MAX:
            raise BadRequestDataError(
                f"tenant: {tenant!r} makes the schema name {schema!r}, over {SCHEMA_LENGTH_MAX} "
                "characters; capitals and signs take three each"
            )
        return schema

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


def written(tenant: str) -> str:
    """Write a tenant's name in lower-case letters, digits and underscores.

    >>> written("Wuxi-2")
    '_57uxi_2d2'
    """
    return "".join(c if c in _PLAIN else f"_{ord(c):02x}" for c in tenant)


def tenant_of(text: str) -> str | None:
    """Read what `written` wrote; None when it didn't.

    >>> tenant_of("_57uxi_2d2")
    'Wuxi-2'
    """
    letters, rest = [], text
    while rest:
        if rest[0] != "_":
            letters.append(rest[0])
            rest = rest[1:]
            continue
        try:
            letters.append(chr(int(rest[1:3], 16)))
        except ValueError:
            return None
        rest = rest[3:]
    tenant = "".join(letters)
    return tenant if tenant and written(tenant) == text else None
