"""How far back the journal goes: what every reader has passed is kept for a while, then dropped.

Readers whose positions are stored (subscriptions, systems, regions that keep copies) hold what they
haven't read. What is dropped is lost to those who begin from the beginning: a region that starts to
keep copies of this node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conurb.model.time import US_PER_S, Clock

if TYPE_CHECKING:
    from conurb.store.contract import Store

PERIOD_S: Final = 60
"""How often it is looked what may go."""


class JournalKeeper:
    """Drops entries of a store's journal that are older than `keep_s`; 0 keeps them all."""

    def __init__(self, store: Store, clock: Clock, *, keep_s: int) -> None:
        self._store = store
        self._clock = clock
        self._keep_us = keep_s * US_PER_S
        self._next_us = 0

    async def sweep(self) -> None:
        """Drop what may go, if it is time to look again."""
        now = self._clock()
        if not self._keep_us or now < self._next_us:
            return
        self._next_us = now + PERIOD_S * US_PER_S
        await self._store.prune_journal(before_us=now - self._keep_us)
