"""Taking a node along: export and import as lines of JSON, backup and restore as a folder.

Both carry everything of every tenant: state, history with its two times, journal, subscriptions,
registrations, @contexts. An export is one file that any engine can take in. A backup is a folder
with a file per tenant in the engine's own form, made while the node is in use, and a manifest that
is written last; restoring it works across engines too.
"""

# ruff: noqa: ASYNC240 - commands run these by themselves: there is no other work to hold up

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import orjson

from conurb import __version__
from conurb.errors import AlreadyExistsError, InvalidRequestError
from conurb.node.host import KIND as TENANT_KIND
from conurb.node.host import place_of
from conurb.store.contract import Store
from conurb.store.engines import open_store

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SQLITE_MAGIC: Final = b"SQLite format 3\0"
_CHUNK: Final = 1 << 20

Progress = Callable[[int], None]
"""Called with how many rows have gone through."""


class Shelf(Protocol):
    """Where the stores of a process's tenants stand (`conurb.node.shelf`)."""

    def store(self, place: str | None) -> Store:
        """Give the store of a place (None: the default tenant), not yet opened."""
        ...


@dataclass(frozen=True, slots=True)
class Transfer:
    """What went through: rows by tenant (None is the default tenant)."""

    rows: Mapping[str | None, int]


async def export_node(
    shelf: Shelf, path: Path, *, progress: Progress = lambda rows: None
) -> Transfer:
    """Write everything into one file of JSON lines, gzipped when its name ends in `.gz`.

    The file appears whole or not at all. Raises AlreadyExistsError when it is there.
    """
    if path.exists():
        raise AlreadyExistsError(f"{path} is there already; an export doesn't overwrite")
    draft = path.with_name(path.name + ".part")
    counts: dict[str | None, int] = {}
    with _opened(draft, "wb", packed=path.suffix == ".gz") as file:
        file.write(_line({"conurb": __version__, "format": FORMAT}))
        async for tenant, store in _each(shelf):
            file.write(_line({"tenant": tenant}))
            counts[tenant] = 0
            async for row in store.export():
                file.write(_line({"row": row}))
                counts[tenant] += 1
                progress(1)
        file.write(_line({"end": sum(counts.values())}))
    draft.replace(path)
    return Transfer(counts)


async def import_node(
    shelf: Shelf, path: Path, *, progress: Progress = lambda rows: None
) -> Transfer:
    """Take in what `export_node` wrote, into stores that are empty.

    The file is read through before anything is written, so that one that was cut short changes
    nothing. Raises InvalidRequestError for such a file, AlreadyExistsError when a store isn't
    empty.
    """
    tenants = _checked(path)
    for tenant in tenants:
        await _require_empty(shelf, tenant)
    counts: dict[str | None, int] = {}
    for tenant in tenants:
        async with _open(shelf.store(place_of(tenant))) as store:
            counts[tenant] = tenants[tenant]
            await store.restore(_rows_of(path, tenant, progress))
    return Transfer(counts)


async def backup_node(shelf: Shelf, folder: Path) -> Transfer:
    """Copy every store into a folder, while the node is in use.

    Raises AlreadyExistsError when the folder has something in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise AlreadyExistsError(f"{folder} isn't empty; a backup doesn't overwrite")
    folder.mkdir(parents=True, exist_ok=True)
    files: list[dict[str, Any]] = []
    async for tenant, store in _each(shelf):
        file = folder / f"{len(files):04d}.backup"
        await store.backup(file)
        files.append({"tenant": tenant, "file": file.name, "sha256": _digest(file)})
    manifest = {"conurb": __version__, "format": FORMAT, "files": files}
    draft = folder / (MANIFEST + ".part")
    draft.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    draft.replace(folder / MANIFEST)
    return Transfer({entry["tenant"]: 0 for entry in files})


async def restore_node(
    shelf: Shelf, folder: Path, *, progress: Progress = lambda rows: None
) -> Transfer:
    """Take in what `backup_node` made, into stores that are empty, of whichever engine.

    Raises InvalidRequestError when the backup isn't whole, AlreadyExistsError when a store isn't
    empty.
    """
    entries = _manifest(folder)
    for entry in entries:
        await _require_empty(shelf, entry["tenant"])
    counts: dict[str | None, int] = {}
    for entry in entries:
        tenant, file = entry["tenant"], folder / entry["file"]
        counter = _Counter(progress)
        async with _open(shelf.store(place_of(tenant))) as store:
            if _is_sqlite(file):
                async with _open(open_store(file)) as source:
                    await store.restore(counter.counted(source.export()))
            else:
                await store.restore(counter.counted(_iter_backup(file)))
        counts[tenant] = counter.rows
    return Transfer(counts)


class _Counter:
    """Counts rows on their way."""

    def __init__(self, progress: Progress) -> None:
        self.rows = 0
        self._progress = progress

    async def counted(
        self, rows: AsyncIterator[Mapping[str, Any]]
    ) -> AsyncIterator[Mapping[str, Any]]:
        async for row in rows:
            self.rows += 1
            self._progress(1)
            yield row


async def _each(shelf: Shelf) -> AsyncIterator[tuple[str | None, Store]]:
    """Open the stores one after the other: the default tenant, then those that it knows."""
    async with _open(shelf.store(None)) as store:
        tenants = [document.id for document in await store.list_documents(TENANT_KIND)]
        yield None, store
    for tenant in tenants:
        async with _open(shelf.store(place_of(tenant))) as store:
            yield tenant, store


@asynccontextmanager
async def _open(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _require_empty(shelf: Shelf, tenant: str | None) -> None:
    async with _open(shelf.store(place_of(tenant))) as store:
        if await store.journal_end() or await store.list_documents(TENANT_KIND):
            raise AlreadyExistsError(
                f"the store of {_shown(tenant)} isn't empty; give a new one with --store"
            )


def _shown(tenant: str | None) -> str:
    return "the default tenant" if tenant is None else f"tenant {tenant!r}"


def _line(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _opened(path: Path, mode: str, *, packed: bool) -> IO[bytes]:
    if packed:
        return gzip.open(path, mode, compresslevel=5)  # type: ignore[return-value]
    return path.open(mode)


def _iter_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with _opened(path, "rb", packed=path.suffix == ".gz") as file:
            for line in file:
                yield orjson.loads(line)
    except FileNotFoundError as error:
        raise InvalidRequestError(f"{path}: there is no such file") from error
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        raise InvalidRequestError(f"{path} isn't an export, or was cut short: {error}") from error


def _checked(path: Path) -> dict[str | None, int]:
    """Read an export through: give how many rows each tenant has."""
    lines = _iter_lines(path)
    head = next(lines, {})
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InvalidRequestError(f"{path} isn't an export of format {FORMAT}")
    counts: dict[str | None, int] = {}
    tenant: str | None = None
    for line in lines:
        if "row" in line:
            counts[tenant] += 1
        elif "tenant" in line:
            tenant = line["tenant"]
            counts[tenant] = 0
        elif line.get("end") == sum(counts.values()):
            return counts
    raise InvalidRequestError(f"{path} was cut short: its last line is missing")


async def _rows_of(
    path: Path, tenant: str | None, progress: Progress
) -> AsyncIterator[Mapping[str, Any]]:
    here = False
    for line in _iter_lines(path):
        if "tenant" in line:
            here = line["tenant"] == tenant
        elif here and "row" in line:
            progress(1)
            yield line["row"]


def _manifest(folder: Path) -> list[dict[str, Any]]:
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        entries: list[dict[str, Any]] = manifest["files"]
        wrong = [e["file"] for e in entries if _digest(folder / e["file"]) != e["sha256"]]
    except FileNotFoundError as error:
        raise InvalidRequestError(
            f"{folder} isn't a whole backup: {error.filename} is missing"
        ) from error
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise InvalidRequestError(f"{folder} isn't a whole backup: {error}") from error
    if manifest.get("format") != FORMAT:
        raise InvalidRequestError(f"{folder} isn't a backup of format {FORMAT}")
    if wrong:
        raise InvalidRequestError(f"{folder}: {', '.join(wrong)} changed since the backup")
    return entries


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC


async def _iter_backup(path: Path) -> AsyncIterator[Mapping[str, Any]]:
    """Stream the rows of a backup that an engine wrote as lines of JSON."""
    for line in _iter_lines(path):
        yield line
