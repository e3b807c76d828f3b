"""Watches a folder: each new or changed file is a message, or each new line of its files.

The position of a file is its time of change, or how many bytes of it were read as lines. A file
that became shorter is read from its beginning.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conurb.errors import UnavailableError
from conurb.systems.connect.feed import Reading
from conurb.systems.sources import FileWatch, Message

FILES_MAX: Final = 10_000
CHUNK_BYTES: Final = 1024 * 1024
"""How much of a growing file is read at once; a line that is longer is read when it ends."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is new of a file: a body and how far it goes, or why it can't be had."""

    body: bytes
    position: int
    fault: str = ""


class FileFeed:
    """The feed of a folder."""

    def __init__(self, source: FileWatch, reading: Reading) -> None:
        self._source = source
        self._reading = reading
        self._read: dict[str, int] = {}
        self._refused: dict[str, int] = {}

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
            for piece in pieces:
                self._read[name] = piece.position
                yield Message(
                    piece.body,
                    topic=name,
                    at_us=self._reading.site.now_us(),
                    position=piece.position,
                    key=name,
                    fault=piece.fault,
                )

    def _pieces(self, path: Path, name: str) -> list[_Piece]:
        """Give what is new of a file, or a part of it; nothing when it has gone."""
        try:
            if self._source.lines:
                return list(self._lines(path, name))
            about = path.stat()
            if about.st_mtime_ns <= self._read[name]:
                return []
            return [self._whole(path, about)]
        except FileNotFoundError:
            return []
        except OSError as error:
            # What can't be opened is told once, and read when it has changed.
            changed = path.stat().st_mtime_ns
            if self._refused.get(name) == changed:
                return []
            self._refused[name] = changed
            position = self._read[name] if self._source.lines else changed
            return [_Piece(b"", position, f"{name} can't be read: {error.strerror}")]

    def _whole(self, path: Path, about: os.stat_result) -> _Piece:
        bound = self._source.bytes_max
        if about.st_size > bound:
            fault = f"{path.name}: {about.st_size} bytes; at most {bound} are taken"
            return _Piece(b"", about.st_mtime_ns, fault)
        return _Piece(path.read_bytes(), about.st_mtime_ns)

    def _lines(self, path: Path, name: str) -> Iterator[_Piece]:
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
        if b"\n" not in chunk and len(chunk) > self._source.bytes_max:
            yield self._line(chunk, read + len(chunk))
            return
        for line in chunk.split(b"\n")[:-1]:
            read += len(line) + 1
            if line.strip():
                yield self._line(line.rstrip(b"\r"), read)
        self._read[name] = read

    def _line(self, line: bytes, position: int) -> _Piece:
        bound = self._source.bytes_max
        fault = f"{len(line)} bytes; at most {bound} are taken" if len(line) > bound else ""
        return _Piece(line, position, fault)
