"""Connections to one schema: URL, pool of readers, the writer's own connection and its lock.

The writer holds a session-level advisory lock of the schema, so that one process at a time orders
the journal. It is taken at the first write: a second process may read beside the writer. Session
locks and prepared statements don't go through a pooler in transaction mode.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from conurb.errors import ConfigError, ConurbError, TooComplexQueryError, UnavailableError

READERS_MAX: Final = 16
"""Connections that read at the same time, unless the URL says `pool=`."""

CONNECT_TIMEOUT_S: Final = 10.0
QUERY_TIMEOUT_S: Final = 60.0
"""A query that takes longer is cancelled."""

LOCK_TIMEOUT_S: Final = 10.0
"""How long a process waits for another one to let go of a schema."""

SCHEMA_DEFAULT: Final = "conurb"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_IDLE_LIFETIME_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node lives: the server's DSN, the schema, and how many connections may read."""

    dsn: str
    schema: str
    readers_max: int

    @property
    def name(self) -> str:
        """Name the store in messages: without the password."""
        host = urlsplit(self.dsn)
        return f"{host.hostname or 'localhost'}{host.path}#{self.schema}"

    @property
    def lock_key(self) -> int:
        """Give the key of the advisory lock that the schema's writer holds."""
        digest = hashlib.sha256(f"conurb writer {self.schema}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def parse_address(url: str) -> Address:
    """Read `postgresql://user@host:port/database?schema=name&pool=16`.

    Other parameters go to the server's driver. Raises ConfigError when the schema isn't a plain
    lower-case name or the pool isn't a number from 1 to 1000.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", SCHEMA_DEFAULT)
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise ConfigError(
            f"store {schema!r}: a schema is 1 to 63 lower-case letters, digits and underscores, "
            "doesn't begin with a digit, nor with pg_"
        )
    pool = options.pop("pool", str(READERS_MAX))
    if not pool.isascii() or not pool.isdigit() or not 1 <= int(pool) <= 1000:
        raise ConfigError(f"store pool={pool!r}: allowed is a number from 1 to 1000")
    dsn = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), ""))
    return Address(dsn, schema, int(pool))


def driver() -> Any:
    """Import asyncpg; raise ConfigError when the extra isn't installed."""
    try:
        import asyncpg
    except ImportError as error:
        raise ConfigError(
            "a postgresql:// store needs asyncpg: install conurb with the extra 'postgres'"
        ) from error
    return asyncpg


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Turn the driver's errors into ours; data errors of PostgreSQL pass."""
    asyncpg = driver()
    unavailable = (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.InternalClientError,
        asyncpg.InterfaceError,
    )
    try:
        yield
    except ConurbError:
        raise
    except (asyncpg.ProgramLimitExceededError, asyncpg.InvalidRegularExpressionError) as error:
        raise TooComplexQueryError(f"store {address.name}: {error}") from error
    except asyncpg.QueryCanceledError as error:
        raise TooComplexQueryError(
            f"store {address.name}: the query took longer than {QUERY_TIMEOUT_S:.0f} s"
        ) from error
    except unavailable as error:
        raise UnavailableError(
            f"store {address.name} doesn't answer: {error or type(error).__name__}"
        ) from error


def _settings(address: Address, extension_schema: str) -> dict[str, str]:
    return {
        "application_name": f"conurb {address.schema}"[:63],
        "search_path": f'"{address.schema}","{extension_schema}",public',
        "jit": "off",
        "timezone": "UTC",
        "extra_float_digits": "1",
    }


async def connect_plain(address: Address) -> Any:
    """Open one connection without our settings: for creating the schema."""
    with translated(address):
        return await driver().connect(address.dsn, timeout=CONNECT_TIMEOUT_S)


async def connect_writer(address: Address, extension_schema: str) -> Any:
    """Open the writer's connection: durable commits, one plan per statement, always by index."""
    settings = _settings(address, extension_schema) | {
        "synchronous_commit": "on",
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }
    with translated(address):
        return await driver().connect(
            address.dsn, timeout=CONNECT_TIMEOUT_S, server_settings=settings
        )


async def lock_schema(connection: Any, address: Address) -> None:
    """Become the writer of the schema.

    Raises UnavailableError when another process still is after `LOCK_TIMEOUT_S`.
    """
    deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", address.lock_key):
        if asyncio.get_running_loop().time() > deadline:
            raise UnavailableError(
                f"store {address.name}: another process writes to it; one at a time may"
            )
        await asyncio.sleep(0.05)


async def create_readers(address: Address, extension_schema: str) -> Any:
    """Create the pool of connections that read."""
    settings = _settings(address, extension_schema) | {
        "statement_timeout": str(int(QUERY_TIMEOUT_S * 1000)),
        "default_transaction_read_only": "on",
        "work_mem": "16MB",
    }
    with translated(address):
        return await driver().create_pool(
            address.dsn,
            min_size=0,
            max_size=address.readers_max,
            max_inactive_connection_lifetime=_IDLE_LIFETIME_S,
            timeout=CONNECT_TIMEOUT_S,
            server_settings=settings,
            reset=_leave_as_is,
        )


async def _leave_as_is(_: Any) -> None:
    """Spare a round trip per borrowing: nothing of ours outlives its transaction."""


@asynccontextmanager
async def snapshot(pool: Any, address: Address, *, unbounded: bool = False) -> AsyncIterator[Any]:
    """Borrow a reader in a transaction that sees one moment's data.

    `unbounded` lets its statements take as long as they need.
    """
    with translated(address):
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if unbounded:
                await connection.execute("SET LOCAL statement_timeout = 0")
            yield connection
