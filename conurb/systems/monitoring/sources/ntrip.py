"""NTRIP (RTCM 10410), by which GNSS casters hand out the streams of their stations: versions 1, 2.

A stream is `ntrip://user:password@host:2101/MOUNTPOINT`. Asked for as version 2; a caster of
version 1 answers `ICY 200 OK` and begins, one of version 2 answers as HTTP does, often in chunks.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Final, Protocol
from urllib.parse import SplitResult, unquote

from conurb import __version__
from conurb.errors import UnavailableError

PORT: Final = 2101
HEAD_BYTES_MAX: Final = 16 * 1024
CHUNK_BYTES_MAX: Final = 1024 * 1024
ICY: Final = b"ICY 200"
TABLE: Final = b"SOURCETABLE"


class Readable(Protocol):
    """What streams are cut from."""

    async def read(self, n: int = -1) -> bytes:
        """Give up to `n` bytes; none at the end."""
        ...

    async def readexactly(self, n: int) -> bytes:
        """Give `n` bytes; raise IncompleteReadError at the end."""
        ...

    async def readline(self) -> bytes:
        """Give a line with its end, or what is left at the end."""
        ...


class Chunked:
    """A body that comes in chunks (RFC 9112, 7.1), read as if it were one."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._left = 0
        self._ended = False

    async def read(self, n: int = -1) -> bytes:
        """Give up to `n` bytes of a chunk; none at the end."""
        if self._left == 0 and not self._ended:
            await self._next()
        if self._ended:
            return b""
        body = await self._reader.read(self._left if n < 0 else min(n, self._left))
        if not body:
            raise asyncio.IncompleteReadError(b"", self._left)
        self._left -= len(body)
        if self._left == 0:
            await self._reader.readexactly(2)
        return body

    async def readexactly(self, n: int) -> bytes:
        """Give `n` bytes; raise IncompleteReadError at the end."""
        body = bytearray()
        while len(body) < n:
            piece = await self.read(n - len(body))
            if not piece:
                raise asyncio.IncompleteReadError(bytes(body), n)
            body += piece
        return bytes(body)

    async def readline(self) -> bytes:
        """Give a line with its end, or what is left at the end."""
        line = bytearray()
        while not line.endswith(b"\n") and (one := await self.read(1)):
            line += one
            if len(line) > HEAD_BYTES_MAX:
                raise ValueError(f"a line of over {HEAD_BYTES_MAX} bytes")
        return bytes(line)

    async def _next(self) -> None:
        said = (await self._reader.readline()).partition(b";")[0].strip()
        size = int(said, 16)
        if not 0 <= size <= CHUNK_BYTES_MAX:
            raise ValueError(f"a chunk of {size} bytes; at most {CHUNK_BYTES_MAX} are taken")
        self._left, self._ended = size, size == 0


async def ask(
    parts: SplitResult, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Readable:
    """Ask a caster for a mountpoint's stream; raise UnavailableError when it refuses."""
    lines = [
        f"GET {parts.path or '/'} HTTP/1.1",
        f"Host: {parts.hostname}:{parts.port or PORT}",
        "Ntrip-Version: Ntrip/2.0",
        f"User-Agent: NTRIP conurb/{__version__}",
        "Connection: close",
    ]
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(secret).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()
    status = (await reader.readline()).strip()
    if status.startswith(ICY):
        return reader
    headers = await _headers(reader)
    code = [*status.split(), b"", b""][1]
    table = status.startswith(TABLE) or b"sourcetable" in headers.get(b"content-type", b"")
    if code != b"200" or table:
        said = "it has no such mountpoint" if table else status.decode("ascii", "replace")[:100]
        raise UnavailableError(f"the caster refuses {parts.path or '/'}: {said}")
    return Chunked(reader) if headers.get(b"transfer-encoding") == b"chunked" else reader


async def _headers(reader: asyncio.StreamReader) -> dict[bytes, bytes]:
    """Read headers up to the empty line, names and values in lower case."""
    headers: dict[bytes, bytes] = {}
    taken = 0
    while line := (await reader.readline()).strip():
        taken += len(line)
        if taken > HEAD_BYTES_MAX:
            raise UnavailableError(f"the caster's headers are over {HEAD_BYTES_MAX} bytes")
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip().lower()
    return headers
