"""One ordered page out of the pages of several nodes, merged lazily.

Each node is asked for a few items at first, and for more only when the page needs them, so that a
page of a region costs little more than a page of one node. Limit, offset and count are those of
the whole; items of one id count once.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from conurb.federation.completeness import Absence
from conurb.federation.peers import Peer, ask

CHUNK_MIN: Final = 4
"""Items that a node is asked for at least."""

CHUNK_MAX: Final = 1000
"""Items that a node is asked for at most, even when it would give more at once."""

COUNTED_MAX: Final = 100_000
"""Items of several nodes that are looked through for ids that occur twice, for a count."""


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """Give the id."""
        ...


Item = TypeVar("Item", bound=Identified)
Key = Callable[[Item], tuple[Any, ...]]
"""Gives what items are in order of; every node gives them in this order."""


@dataclass(slots=True)
class Portion(Generic[Item]):
    """A part of what a node has to give; `total` is the count of all when it was asked for."""

    items: list[Item]
    more: bool
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of what a node has to give is wanted."""

    limit: int
    offset: int = 0
    count: bool = False


Fetch = Callable[[Peer, Wish], Awaitable[Portion[Item]]]
Again = Callable[[Wish], Awaitable[Portion[Item] | None]]
"""Fetches from one node; None when it doesn't answer any more."""


@dataclass(slots=True)
class Gathered(Generic[Item]):
    """A page of the whole: for each id on it, what the nodes gave.

    `exact` False says that `total` is a sum, in which an id that two nodes have counts twice.
    """

    groups: list[list[Item]]
    more: bool
    total: int | None
    exact: bool
    absences: list[Absence]


async def gather(
    peers: Sequence[Peer],
    fetch: Fetch[Item],
    wish: Wish,
    *,
    key: Key[Item],
    chunk_max: int = CHUNK_MAX,
) -> Gathered[Item]:
    """Ask nodes for the page that `wish` describes, of `chunk_max` items at a time at most."""
    wanted = wish.offset + wish.limit + 1
    chunk = first_chunk(wanted=wanted, nodes=len(peers), chunk_max=chunk_max)
    first = Wish(limit=chunk if wish.limit or wish.count else 0, count=wish.count)
    answers, absences = await ask(peers, lambda peer: fetch(peer, first))

    def cursor(peer: Peer, begun: Portion[Item]) -> Cursor[Item]:
        async def again(more: Wish) -> Portion[Item] | None:
            found, lost = await ask([peer], lambda one: fetch(one, more))
            absences.extend(lost)
            return found[0][1] if found else None

        return Cursor(again, begun, chunk=chunk, chunk_max=chunk_max)

    totals = [portion.total or 0 for _, portion in answers]
    several = sum(1 for total in totals if total) > 1
    drain = wish.count and several and sum(totals) <= COUNTED_MAX
    cursors = [cursor(peer, portion) for peer, portion in answers]
    page = await merge(cursors, key=key, offset=wish.offset, limit=wish.limit, drain=drain)
    total = (page.seen if drain else sum(totals)) if wish.count else None
    exact = drain or not (wish.count and several)
    return Gathered(page.groups, page.more, total, exact, absences)


class Cursor(Generic[Item]):
    """Where the merge stands in the items of one node; it asks for twice as many each time."""

    __slots__ = ("_again", "_chunk", "_chunk_max", "_exhausted", "_items", "_offset", "_taken")

    def __init__(
        self, again: Again[Item], begun: Portion[Item], *, chunk: int, chunk_max: int = CHUNK_MAX
    ) -> None:
        self._again = again
        self._chunk = chunk
        self._chunk_max = chunk_max
        self._offset = 0
        self._take(begun)

    async def peek(self) -> Item | None:
        """Give the next item without taking it; None at the end."""
        if self._taken == len(self._items) and not self._exhausted:
            self._chunk = min(self._chunk * 2, self._chunk_max)
            portion = await self._again(Wish(limit=self._chunk, offset=self._offset))
            self._take(portion or Portion([], more=False))
        return self._items[self._taken] if self._taken < len(self._items) else None

    def take(self) -> Item:
        """Take the item that `peek` has given."""
        self._taken += 1
        return self._items[self._taken - 1]

    def _take(self, portion: Portion[Item]) -> None:
        self._items, self._taken = portion.items, 0
        self._offset += len(portion.items)
        self._exhausted = not portion.more or not portion.items


@dataclass(slots=True)
class Merged(Generic[Item]):
    """One page of a merge; `seen` is how many distinct ids it has come by."""

    groups: list[list[Item]] = field(default_factory=list)
    more: bool = False
    seen: int = 0


async def merge(
    cursors: Iterable[Cursor[Item]], *, key: Key[Item], offset: int, limit: int, drain: bool
) -> Merged[Item]:
    """Merge ordered items into the page from `offset` on, of `limit` ids.

    Items of one id stand together, at the place of the first. With `drain` the merge goes on to
    the end, so that `seen` is the count of all.
    """
    heap: list[tuple[tuple[Any, ...], int, Cursor[Item]]] = []

    async def push(number: int, cursor: Cursor[Item]) -> None:
        item = await cursor.peek()
        if item is not None:
            heapq.heappush(heap, (key(item), number, cursor))

    for number, cursor in enumerate(cursors):
        await push(number, cursor)
    page: dict[str, list[Item]] = {}
    seen: set[str] = set()
    more = False
    while heap:
        _, number, cursor = heapq.heappop(heap)
        item = cursor.take()
        if item.id in page:
            page[item.id].append(item)
        elif item.id not in seen:
            if len(page) == limit and len(seen) >= offset:
                more = True
                if not drain:
                    break
            elif len(seen) >= offset:
                page[item.id] = [item]
            seen.add(item.id)
        await push(number, cursor)
    return Merged(list(page.values()), more, len(seen))


def first_chunk(*, wanted: int, nodes: int, chunk_max: int = CHUNK_MAX) -> int:
    """Give how many items each node is asked for first: twice its even share of the page."""
    share = 2 * wanted // max(nodes, 1)
    return max(1, min(wanted, max(CHUNK_MIN, share), chunk_max))
