"""The reaper: takes away transient objects and attributes whose time has come (clause 4.22).

To readers an expired object is absent at once; the reaper makes it a deletion that history and
journal know, so that subscriptions and replicas hear of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from conurb.errors import ConurbError
from conurb.model.operations.expiry import Expire

if TYPE_CHECKING:
    from conurb.store.contract import Store

PERIOD_S: Final = 1.0
"""How often the reaper looks."""

SWEEP: Final = 1000
"""How many objects one transaction of the reaper takes."""

_log = logging.getLogger(__name__)


class Reaper:
    """A task that sweeps a store every `period_s` seconds until it is stopped.

    `also` is done after each sweep.
    """

    def __init__(
        self,
        store: Store,
        *,
        also: Sequence[Callable[[], Awaitable[None]]] = (),
        period_s: float = PERIOD_S,
    ) -> None:
        self._store = store
        self._also = also
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sweeping, unless it does already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="reaper")

    async def stop(self) -> None:
        """Stop sweeping; a sweep that runs is finished by the store."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def sweep(self) -> int:
        """Take away what has expired; give how many objects were touched."""
        total = 0
        while due := await self._store.list_expired(SWEEP):
            await self._store.apply([Expire(entity_id) for entity_id in due])
            total += len(due)
            if len(due) < SWEEP:
                break
        return total

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            try:
                await self.sweep()
                for chore in self._also:
                    await chore()
            except ConurbError as error:
                _log.warning("reaper: %s; next try in %s s", error.detail, self._period_s)
