"""Reads a stream of a receiver, by TCP or NTRIP: lines of text, or frames of RTCM 3.

The outbound allow-list judges host and port, as for every address that a node connects to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

from conurb.errors import ConfigError, ForbiddenError, UnavailableError
from conurb.systems.contract import Message, Site
from conurb.systems.monitoring.sources.ntrip import PORT, Readable, ask

CONNECT_S = 10.0
SILENCE_S = 120.0
"""A stream that says nothing for so long is taken for broken."""
LINE_BYTES_MAX = 8 * 1024
PREAMBLE = 0xD3
FRAME_HEAD = 3
FRAME_CRC = 3

Cut = Callable[[Readable], AsyncIterator[bytes]]
PORTS = {"tcp": None, "ntrip": PORT}


def stream_of(url: str, cut: Cut) -> Callable[[Site, int], AsyncIterator[Message]]:
    """Give what streams the messages of `tcp://host:port` or of an NTRIP mountpoint, cut by `cut`.

    Raises ConfigError for another URL. User and password are in no message.
    """
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    if parts.scheme not in PORTS or not host or not port:
        raise ConfigError(f"{url!r:.200} is neither tcp://HOST:PORT nor ntrip://HOST/MOUNTPOINT")
    shown = f"{parts.scheme}://{host}:{port}{parts.path}"

    async def messages(site: Site, _position: int) -> AsyncIterator[Message]:
        try:
            site.outbound.check(f"http://{host}:{port}")
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX)
        except (OSError, TimeoutError, ForbiddenError) as error:
            raise UnavailableError(f"{shown}: {error or 'no answer'}") from error
        try:
            source: Readable = reader
            if parts.scheme == "ntrip":
                async with asyncio.timeout(CONNECT_S):
                    source = await ask(parts, reader, writer)
            async for body in cut(source):
                yield Message(body, topic=shown, at_us=site.now_us())
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            raise UnavailableError(f"{shown}: {error or 'it fell silent'}") from error
        finally:
            writer.close()
        raise UnavailableError(f"{shown}: the other side closed")

    return messages


async def lines(reader: Readable) -> AsyncIterator[bytes]:
    """Cut a stream into lines."""
    while True:
        async with asyncio.timeout(SILENCE_S):
            line = await reader.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


async def frames(reader: Readable) -> AsyncIterator[bytes]:
    """Cut a stream into RTCM 3 frames (preamble, length, message, CRC); what is between is left.

    Whether a frame is whole, its reader judges by the CRC.
    """
    while True:
        async with asyncio.timeout(SILENCE_S):
            first = await reader.read(1)
            if not first:
                return
            if first[0] != PREAMBLE:
                continue
            head = await reader.readexactly(FRAME_HEAD - 1)
            length = (head[0] & 0x03) << 8 | head[1]
            rest = await reader.readexactly(length + FRAME_CRC)
        yield first + head + rest
