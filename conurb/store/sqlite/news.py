"""Where the journal ends, and who waits for it to go on."""

from __future__ import annotations

import asyncio


class News:
    """The end of one store's journal; used on one event loop."""

    def __init__(self) -> None:
        self.end = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def tell(self, end: int) -> None:
        """Set the end, and wake everybody who waits."""
        self.end = end
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry after `after`; False when the time ran out."""
        if self.end > after:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            # Not wait_for: on Python 3.11 it can swallow a cancellation.
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return self.end > after
        finally:
            self._waiters.discard(waiter)
        return self.end > after
