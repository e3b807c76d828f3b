"""A store taken along as a whole: exported, restored, backed up, and checked against itself.

What the rows are is said in `transfer.py`, what has to agree in `check.py`; here is which
connection and which thread does it, so that the store stays in use meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw

from conurb.errors import BadRequestDataError, UnavailableError
from conurb.model.time import Clock, Stamps
from conurb.store.sqlite import functions, transfer
from conurb.store.sqlite.check import check
from conurb.store.sqlite.connections import Connections
from conurb.store.sqlite.journal import last_stamp
from conurb.store.sqlite.rows import Terms
from conurb.store.sqlite.write import Writer

TRANSFER_ROWS: Final = 2_000
"""Rows that go from thread to thread at once in an export or a restore."""


async def export(connections: Connections) -> AsyncIterator[Mapping[str, Any]]:
    """Stream everything as engine-neutral rows, from one consistent view."""
    connection = connections.connect(write=False)
    try:
        connection.execute("BEGIN")
        rows = transfer.export_rows(connection, Terms())
        while chunk := await asyncio.to_thread(_next_rows, rows):
            for row in chunk:
                yield row
    finally:
        connection.close()


async def restore(
    connections: Connections,
    writer: Writer,
    rows: AsyncIterator[Mapping[str, Any]],
    *,
    clock: Clock,
) -> None:
    """Take in what `export` gave, into an empty store; all or nothing.

    Raises BadRequestDataError for a row that isn't as exported.
    """
    in_writer = connections.in_writer
    await in_writer(writer.begin)
    try:
        restorer = await in_writer(lambda: transfer.Restorer(writer))
        chunk: list[Mapping[str, Any]] = []
        async for row in rows:
            chunk.append(row)
            if len(chunk) >= TRANSFER_ROWS:
                taken, chunk = chunk, []
                await in_writer(partial(restorer.take, taken))
        await in_writer(partial(restorer.take, chunk))
        await in_writer(writer.end)
    except (KeyError, TypeError, ValueError) as error:
        await in_writer(writer.undo)
        raise BadRequestDataError(f"restore: a row isn't as exported: {error!r}") from error
    except BaseException:
        await in_writer(writer.undo)
        raise

    def restamp() -> None:
        writer.stamps = Stamps(clock, last_stamp(writer.connection))

    await in_writer(restamp)


async def backup(connections: Connections, path: Path) -> None:
    """Copy everything into one file; raise UnavailableError when that can't be."""
    connection = connections.connect(write=False)
    try:
        await asyncio.to_thread(transfer.backup, connection, path)
    except apsw.Error as error:
        raise UnavailableError(f"backup to {path}: {error}") from error
    finally:
        connection.close()


async def check_all(connections: Connections) -> list[str]:
    """Check that state, history, journal and indexes agree; give what doesn't."""

    def work() -> list[str]:
        connection = connections.connect(write=False)
        try:
            functions.register(connection)
            connection.execute("BEGIN")
            return check(connection, Terms())
        finally:
            connection.close()

    return await asyncio.to_thread(work)


def _next_rows(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(islice(rows, TRANSFER_ROWS))
