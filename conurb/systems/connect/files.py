"""Watches a folder: each new or changed file is a message, or each new line of its files.

The position of a file is its time of change, or how many bytes of it were read as lines. A file
that became shorter is read from its beginning.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from conurb.errors import UnavailableError
from conurb.systems.connect.feed import Reading
from conurb.systems.sources import FileWatch, Message

FILES_MAX: Final = 10_000
CHUNK_BYTES: Final = 1024 * 1024
"""How much of a growing file is read at once; a line that is longer is read when it ends."""


class FileFeed:
    """The feed of a folder."""

    def __init__(self, source: FileWatch, reading: Reading) -> None:
        self._source = source
        self._reading = reading
        self._read: dict[str, int] = {}

    async def messages(self) -> AsyncIterator[Message]:
        """Stream what is new in the folder, file by file in order of name."""
        while True:
            for path in await asyncio.to_thread(self._list):
                async for message in self._new(path):
                    yield message
            self._reading.standing.going()
            await asyncio.sleep(self._source.every_s)

    async def stored(self, messages: Sequence[Message]) -> None:
        """Nothing: how far each file was read is what the store keeps."""

    async def close(self) -> None:
        """Nothing is held."""

    def _list(self) -> list[Path]:
        if not self._source.folder.is_dir():
            raise UnavailableError(f"{self._source.folder} is not a folder")
        found = sorted(one for one in self._source.folder.glob(self._source.pattern))
        files = [one for one in found if one.is_file()]
        if len(files) > FILES_MAX:
            raise UnavailableError(f"{self._source.folder} has over {FILES_MAX} files")
        return files

    async def _new(self, path: Path) -> AsyncIterator[Message]:
        name = path.relative_to(self._source.folder).as_posix()
        if name not in self._read:
            self._read[name] = await self._reading.position(name)
        while pieces := await asyncio.to_thread(self._pieces, path, name):
            for body, position in pieces:
                self._read[name] = position
                yield Message(
                    body,
                    topic=name,
                    at_us=self._reading.site.now_us(),
                    position=position,
                    key=name,
                )

    def _pieces(self, path: Path, name: str) -> list[tuple[bytes, int]]:
        """Give what is new of a file, or a part of it; nothing when it has gone."""
        read = self._lines if self._source.lines else self._whole
        try:
            return list(read(path, name))
        except FileNotFoundError:
            return []

    def _whole(self, path: Path, name: str) -> Iterator[tuple[bytes, int]]:
        about = path.stat()
        if about.st_mtime_ns <= self._read[name]:
            return
        if about.st_size > self._source.bytes_max:
            raise UnavailableError(f"{path} is over {self._source.bytes_max} bytes")
        yield path.read_bytes(), about.st_mtime_ns

    def _lines(self, path: Path, name: str) -> Iterator[tuple[bytes, int]]:
        """Give the whole lines of one chunk; what follows the last line end isn't whole yet."""
        read = self._read[name]
        size = path.stat().st_size
        if size < read:
            read = 0
        if size == read:
            return
        with path.open("rb") as file:
            file.seek(read, os.SEEK_SET)
            chunk = file.read(CHUNK_BYTES)
            if b"\n" not in chunk and len(chunk) == CHUNK_BYTES:
                chunk += file.readline(self._source.bytes_max)
        for line in chunk.split(b"\n")[:-1]:
            read += len(line) + 1
            if line.strip():
                yield line.rstrip(b"\r"), read
        self._read[name] = read
