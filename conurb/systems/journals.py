"""The journals that reactions read: the site's own, and those of a region's members.

Many reactions read one journal at the same place, so pages are shared. A member in the same process
is read from its store; one elsewhere by its feed of changes (`conurb.federation.changes`), which
tells what became of each object, not what was before.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from conurb.federation.changes import CHANGES_PATH, FeedChange, read_feed
from conurb.federation.envoy import TIMEOUT_S, Envoy
from conurb.federation.members import MEMBER, read_member
from conurb.federation.region import reach_of
from conurb.model.registration import THIS_PROCESS
from conurb.store.contract import Record

if TYPE_CHECKING:
    from conurb.model.registration import Registration
    from conurb.node.node import Node
    from conurb.store.contract import Store

PAGES_KEPT: Final = 4
WAIT_S: Final = 20.0
"""How long a journal is waited on at a time."""


class Journal(Protocol):
    """A journal that can be read on from a number."""

    async def read(self, after: int, limit: int) -> tuple[Sequence[Record], int]:
        """Wait for entries after a number; give them (none when the wait was over), and the
        number up to which the journal has been read with them."""
        ...

    async def end(self) -> int:
        """Give the number of the last entry."""
        ...


class OwnJournal:
    """The journal of a store of this process, its pages shared by all that read it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: OrderedDict[tuple[int, int], asyncio.Task[list[Record]]] = OrderedDict()

    async def end(self) -> int:
        """Give the number of the last entry."""
        return await self._store.journal_end()

    async def read(self, after: int, limit: int) -> tuple[Sequence[Record], int]:
        """Wait for entries after a number; give them and how far they go."""
        if not await self._store.wait_for_journal(after, WAIT_S):
            return (), after
        key = (after, limit)
        page = self._pages.get(key)
        if page is None:
            page = asyncio.create_task(self._store.journal(after=after, limit=limit))
            self._pages[key] = page
            while len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        try:
            records = await asyncio.shield(page)
        except Exception:
            self._pages.pop(key, None)
            raise
        if len(records) < limit:
            self._pages.pop(key, None)  # there will be more of it
        return records, records[-1].seq if records else after


class MemberJournal:
    """The changes of a member that is elsewhere."""

    def __init__(self, ask: Callable[[int], Awaitable[Any]]) -> None:
        self._ask = ask

    async def end(self) -> int:
        """Give the number of the last entry."""
        answer = await self._ask(0)
        return int(answer["end"])

    async def read(self, after: int, limit: int) -> tuple[Sequence[Record], int]:
        """Wait for changes after a number; give them and how far they go."""
        feed = read_feed(await self._ask(after), after)
        return [_record(change) for change in feed.changes], feed.next


def _record(change: FeedChange) -> Record:
    entity = change.entity
    if entity is None:
        return Record(change.seq, change.at_us, "deleted", change.entity_id, (), {}, {}, None)
    return Record(
        seq=change.seq,
        at_us=change.at_us,
        kind="updated",
        entity_id=entity.id,
        types=entity.types,
        touched={
            name: {one.get("datasetId"): "updated" for one in instances}
            for name, instances in entity.attrs.items()
        },
        before={},
        after=entity,
        scope=entity.scope,
        created_us=entity.created_at,
        modified_us=entity.modified_at,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """A member whose journal can be read."""

    name: str
    journal: Journal


class Members:
    """Finds the members of a region and their journals."""

    def __init__(self, node: Node, own: Callable[[Node], OwnJournal]) -> None:
        self._node = node
        self._own = own

    async def list_all(self, types: Sequence[str]) -> list[Heard]:
        """List the members; of those elsewhere only changes of `types` (IRIs) are asked for."""
        reach = reach_of(self._node)
        heard: list[Heard] = []
        remote: dict[str, Registration] = {}
        for registration in await reach.registrations.all():
            if registration.endpoint == THIS_PROCESS:
                node = await reach.open_node(registration.tenant)
                heard.append(Heard(registration.tenant or node.id, self._own(node)))
            else:
                remote[registration.id] = registration
        for stored in await self._node.store.list_documents(MEMBER):
            member = read_member(stored)
            found = remote.get(member.registration_id)
            if found is not None:
                envoy = Envoy(
                    self._node.delivery.outbound,
                    member.endpoint,
                    tenant=member.tenant,
                    token=(found.told("Authorization") or "").removeprefix("Bearer "),
                )
                heard.append(Heard(member.city, MemberJournal(_asking(envoy, types))))
        return heard


def _asking(envoy: Envoy, types: Sequence[str]) -> Callable[[int], Awaitable[Any]]:
    async def ask(after: int) -> Any:
        params = {"after": str(after), "wait": f"{WAIT_S:g}"}
        if types:
            params["types"] = ",".join(types)
        return await envoy.ask("GET", CHANGES_PATH, params=params, timeout_s=WAIT_S + TIMEOUT_S)

    return ask
