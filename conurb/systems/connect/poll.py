"""Asks a URL again and again (HTTP, conditional requests by RFC 9110, 13.1).

A body that is the same as the one stored last is no message. The position is a hash of the body, so
that a body that was stored before a crash isn't read again after it, whatever the server says.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import urljoin

import httpx

from conurb import __version__
from conurb.errors import ForbiddenError, UnavailableError
from conurb.systems.connect.feed import Reading
from conurb.systems.sources import HttpPoll, Message

REDIRECTS_MAX: Final = 5
NOT_MODIFIED: Final = 304


class PollFeed:
    """The feed of a URL."""

    def __init__(
        self,
        source: HttpPoll,
        reading: Reading,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._source = source
        self._reading = reading
        secure = source.url.startswith("https:")
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"conurb/{__version__}", **source.headers},
            transport=transport,
            verify=ssl.create_default_context() if secure else False,
            timeout=source.timeout_s,
            trust_env=False,
            follow_redirects=False,
        )
        self._known: dict[str, str] = {}
        self._last = 0

    async def messages(self) -> AsyncIterator[Message]:
        """Stream a message for each body that is another one."""
        self._last = await self._reading.position("")
        while True:
            message = await self._ask()
            self._reading.standing.going()
            if message is not None:
                yield message
            await asyncio.sleep(self._source.every_s)

    async def stored(self, messages: Sequence[Message]) -> None:
        """Remember what has been stored."""
        self._last = messages[-1].position

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _ask(self) -> Message | None:
        url = self._source.url
        try:
            async with asyncio.timeout(self._source.timeout_s):
                for _ in range(REDIRECTS_MAX):
                    self._reading.site.outbound.check(url)
                    async with self._client.stream("GET", url, headers=self._known) as answer:
                        if answer.is_redirect:
                            url = urljoin(url, answer.headers.get("location", ""))
                            continue
                        return await self._read(answer)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ForbiddenError) as error:
            raise UnavailableError(f"{url}: {error or 'no answer in time'}") from error
        raise UnavailableError(f"{self._source.url}: more than {REDIRECTS_MAX} redirects")

    async def _read(self, answer: httpx.Response) -> Message | None:
        if answer.status_code == NOT_MODIFIED:
            return None
        if not answer.is_success:
            raise UnavailableError(f"{self._source.url} answers {answer.status_code}")
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > self._source.bytes_max:
                raise UnavailableError(
                    f"{self._source.url}: the body is over {self._source.bytes_max} bytes"
                )
        self._remember(answer.headers)
        position = digest(bytes(body))
        if position == self._last:
            return None
        return Message(
            bytes(body),
            topic=self._source.url,
            at_us=self._reading.site.now_us(),
            position=position,
        )

    def _remember(self, headers: httpx.Headers) -> None:
        self._known = {}
        if etag := headers.get("etag"):
            self._known["If-None-Match"] = etag
        if modified := headers.get("last-modified"):
            self._known["If-Modified-Since"] = modified


def digest(body: bytes) -> int:
    """Give a positive whole number of 62 bits that stands for a body.

    >>> digest(b"") == digest(b""), digest(b"a") > 0
    (True, True)
    """
    return (int.from_bytes(hashlib.sha256(body).digest()[:8], "big") >> 2) | 1
