"""Answers that are sent piece by piece: as fast as the other side takes them, and no longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConurbError

if TYPE_CHECKING:
    from conurb.http.exchange import Answer, Receive

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TAKING_S: Final = 20.0
"""Who takes nothing for so long is let go of."""

_log = logging.getLogger(__name__)


async def send_stream(receive: Receive, send: Send, answer: Answer, *, bodyless: bool) -> None:
    """Send an answer's stream to its end, or until the other side goes away or takes nothing."""
    stream = answer.stream
    assert stream is not None  # noqa: S101 - the caller has looked
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if bodyless:
        await send({"type": "http.response.body", "body": b""})
        await _close(stream)
        return
    sending = asyncio.ensure_future(_pump(send, stream))
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    except ConurbError as error:
        # What was begun can't be taken back; cut off, it isn't taken for the whole.
        _log.warning("a stream was cut off: %s", error.detail)
    except TimeoutError:
        _log.info("a reader of a stream has taken nothing for %.0f s and was let go", TAKING_S)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
        await _close(stream)


async def _pump(send: Send, stream: AsyncIterator[bytes]) -> None:
    async for chunk in stream:
        async with asyncio.timeout(TAKING_S):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Wait until the other side goes away; what it still sends doesn't matter."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
