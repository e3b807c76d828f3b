"""Runs a reaction: reads a journal, hands on what concerns it, stores what comes of it.

What is written and how far the journal has been read commit together, so a crash repeats nothing
that had an effect. Records that led to no write move the position in memory, and in the store only
now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from conurb.errors import UnavailableError
from conurb.systems.contract import Reaction
from conurb.systems.journals import Heard, Journal, Members
from conurb.systems.standing import Standing, keep_going
from conurb.systems.writing import Pen

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.store.contract import Record
    from conurb.systems.contract import Site

SKIPPED_MAX: Final = 2_000
"""After so many records that led to no write a reaction stores how far it has read."""

MEMBERS_S: Final = 5.0
"""How often a reaction that hears a region looks whether there are new members."""


class ReactionTask:
    """One reaction at one site, reading one journal (`key` names a member's)."""

    def __init__(
        self, reaction: Reaction, site: Site, pen: Pen, journal: Journal, *, key: str = ""
    ) -> None:
        self._reaction = reaction
        self._site = site
        self._pen = pen
        self._journal = journal
        self._key = key
        self._types = frozenset(map(site.expand, reaction.types))
        self._attributes = frozenset(map(site.expand, reaction.attributes))
        self._seq = 0
        self._stored = 0

    async def run(self, standing: Standing) -> None:
        """Run until cancelled; `standing` is told whether it goes on."""
        await keep_going(self._run, standing)

    async def _run(self) -> None:
        self._seq = self._stored = await self._pen.position(self._key)
        if self._seq == 0 and not self._reaction.from_start:
            self._seq = await self._journal.end()
            await self._move()
        if self._pen.standing.state == "starting":
            self._pen.standing.going()
        while True:
            await self.step()

    async def step(self) -> None:
        """Read one page of the journal and react to it."""
        standing = self._pen.standing
        if not self._key:
            standing.seq = self._seq
        records, end = await self._journal.read(self._seq, self._reaction.batch_max)
        standing.going()
        concerned = [one for one in records if self._concerns(one)]
        if concerned:
            await self._react(concerned, end)
        elif not records and end > self._stored:
            await self._move()
        else:
            await self._pass(end)

    def _concerns(self, record: Record) -> bool:
        if self._types and record.types and not self._types.intersection(record.types):
            return False
        if not self._attributes or record.after is None:
            return True
        return not self._attributes.isdisjoint(record.touched)

    async def _react(self, records: Sequence[Record], end: int) -> None:
        """React to records; when that fails, to each alone, so that only one is set aside."""
        try:
            operations = await self._reaction.react(records, self._site)
        except UnavailableError:
            raise
        except Exception as error:
            if len(records) > 1:
                for record in records[:-1]:
                    await self._react([record], record.seq)
                await self._react(records[-1:], end)
                return
            record = records[0]
            await self._pen.set_aside(error, record=record.seq, object=record.entity_id)
            operations = ()
        await self._write(operations, end)
        self._pen.standing.read += len(records)

    async def _write(self, operations: Sequence[Operation], end: int) -> None:
        if not operations:
            await self._pass(end)
            return
        await self._pen.write(operations, seq=end, key=self._key)
        self._seq = self._stored = end

    async def _pass(self, end: int) -> None:
        """Go on from what led to nothing: to hear it again after a crash changes nothing."""
        self._seq = end
        if end - self._stored >= SKIPPED_MAX:
            await self._move()

    async def _move(self) -> None:
        await self._pen.write((), seq=self._seq, key=self._key)
        self._stored = self._seq


class RegionReactionTask:
    """One reaction that hears the members of a region: a reader of each one's journal."""

    def __init__(
        self, reaction: Reaction, site: Site, pen: Pen, own: Journal, members: Members
    ) -> None:
        self._reaction = reaction
        self._site = site
        self._pen = pen
        self._own = own
        self._members = members
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            self._start(Heard("", self._own))
            await keep_going(self._watch, self._pen.standing)
        finally:
            for task in self._running.values():
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _watch(self) -> None:
        types = [self._site.expand(term) for term in self._reaction.types]
        while True:
            members = {one.name: one for one in await self._members.list_all(types)}
            for name in [name for name in self._running if name and name not in members]:
                self._running.pop(name).cancel()
            for name, member in members.items():
                if name not in self._running:
                    self._start(member)
            await asyncio.sleep(MEMBERS_S)

    def _start(self, heard: Heard) -> None:
        task = ReactionTask(self._reaction, self._site, self._pen, heard.journal, key=heard.name)
        name = f"{self._pen.standing.name} hears {heard.name or 'itself'}"
        self._running[heard.name] = asyncio.create_task(task.run(self._pen.standing), name=name)
