"""Indexes on attributes that are queried: created while the store is in use.

An attribute gets two: its regular value as jsonb, for numbers and for equality; and its text by
code point, for ranges of texts and of date-times. They are built concurrently on a connection of
their own, so that neither readers nor the writer wait.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from conurb.errors import ConurbError
from conurb.store.group import GroupCommit
from conurb.store.postgres.connection import Address, connect_plain, driver, translated
from conurb.store.postgres.write import Writer

_log = logging.getLogger(__name__)

INDEXED_MAX: Final = 100
"""Attributes that are indexed at most: every index makes every write dearer."""

_INDEXES: Final = {
    "value_{tid}": "((flat -> '{tid}'))",
    "text_{tid}": "(((flat -> '{tid}') #>> '{{}}') COLLATE \"C\") "
    "WHERE jsonb_typeof((flat -> '{tid}')) = 'string'",
}
_PRESENT: Final = """
SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1::regclass
"""


class Indexes:
    """The attribute indexes of one schema, as far as this process has seen them."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._there: set[str] = set()
        self._building = asyncio.Lock()
        self._soon: dict[str, asyncio.Task[None]] = {}

    def build_soon(self, attributes: set[str], writer: Writer, group: GroupCommit) -> None:
        """Begin to index attributes that a query has compared; the next one is served by it."""
        for attribute in attributes - self._there - self._soon.keys():
            if len(self._soon) < INDEXED_MAX:
                work = self._quietly(attribute, writer, group)
                self._soon[attribute] = asyncio.get_running_loop().create_task(work)

    async def _quietly(self, attribute: str, writer: Writer, group: GroupCommit) -> None:
        try:
            await self.ensure(attribute, writer, group)
        except (ConurbError, driver().PostgresError) as error:
            _log.info("no index for %s: %s", attribute, error)

    async def close(self) -> None:
        """Wait for the indexes that are being built."""
        await asyncio.gather(*self._soon.values(), return_exceptions=True)

    async def ensure(self, attribute: str, writer: Writer, group: GroupCommit) -> None:
        """Create the indexes of an attribute, unless they are there or there are too many."""
        if attribute in self._there:
            return
        async with self._building:
            if attribute in self._there or len(self._there) >= INDEXED_MAX:
                return
            tid = writer.names.find_tid(attribute)
            if tid is None:
                tid = await group.exclusive(lambda: writer.give_term(attribute))
            connection = await connect_plain(self._address)
            try:
                with translated(self._address):
                    await self._build(connection, tid)
            finally:
                await connection.close()
            self._there.add(attribute)

    async def _build(self, connection: Any, tid: int) -> None:
        table = f'"{self._address.schema}".entity'
        present = {
            row["relname"]: row["indisvalid"] for row in await connection.fetch(_PRESENT, table)
        }
        built = False
        for pattern, expression in _INDEXES.items():
            name = pattern.format(tid=tid)
            if present.get(name):
                continue
            if name in present:
                # What an interrupted build has left behind.
                await connection.execute(f'DROP INDEX CONCURRENTLY "{self._address.schema}".{name}')
            await connection.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {table} {expression.format(tid=tid)}"
            )
            built = True
        if built:
            # So that the planner knows how the values are spread.
            await connection.execute(f"ANALYZE {table}")
