"""One ordered page out of the pages of several nodes, merged lazily.

Each node is asked for a few items at first, and for more only when the page needs them, so that a
page of a region costs little more than a page of one node. Limit, offset and count are those of
the whole; items of one id count once.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from conurb.federation.completeness import Absence
from conurb.federation.peers import Timed, ask
from conurb.store.together import COUNTED_MAX, Run, meeting

if TYPE_CHECKING:
    from conurb.access.caller import Caller

CHUNK_MIN: Final = 4
"""Items that a node is asked for at least."""

CHUNK_MAX: Final = 1000
"""Items that a node is asked for at most, even when it would give more at once."""


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
    """A part of what a node has to give; `total` is the count of all when it was asked for.

    `exact` False says that ids may count twice in it, `runs` where the counted ids lie (None: that
    isn't known). `absences` are nodes of those behind it that gave nothing.
    """

    items: list[Item]
    more: bool
    total: int | None = None
    exact: bool = True
    runs: tuple[Run, ...] | None = None
    absences: tuple[Absence, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of what a node has to give is wanted."""

    limit: int
    offset: int = 0
    count: bool = False


Source = TypeVar("Source", bound=Timed)
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
    sources: Sequence[Source],
    fetch: Callable[[Source, Wish], Awaitable[Portion[Item]]],
    wish: Wish,
    *,
    key: Key[Item],
    caller: Caller | None = None,
    chunk_max: int = CHUNK_MAX,
) -> Gathered[Item]:
    """Ask nodes for the page that `wish` describes, of `chunk_max` items at a time at most."""
    if len(sources) == 1 and wish.limit <= chunk_max:
        return await _only(sources[0], fetch, wish, caller)
    wanted = wish.offset + wish.limit + 1
    chunk = first_chunk(wanted=wanted, nodes=len(sources), chunk_max=chunk_max)
    first = Wish(limit=chunk if wish.limit else 0, count=wish.count)
    answers, absences = await ask(sources, lambda source: fetch(source, first), caller=caller)
    absences += [absence for _, portion in answers for absence in portion.absences]

    def cursor(source: Source, begun: Portion[Item] | None) -> Cursor[Item]:
        async def again(more: Wish) -> Portion[Item] | None:
            found, lost = await ask([source], lambda one: fetch(one, more), caller=caller)
            absences.extend(lost)
            return found[0][1] if found else None

        return Cursor(again, begun, chunk=chunk, chunk_max=chunk_max)

    cursors = [cursor(source, portion) for source, portion in answers] if wish.limit else []
    page = await merge(cursors, key=key, offset=wish.offset, limit=wish.limit, drain=False)
    total, exact = None, True
    if wish.count:
        total, exact = await _counted(answers, cursor, key)
    return Gathered(page.groups, page.more, total, exact, absences)


async def _only(
    source: Source,
    fetch: Callable[[Source, Wish], Awaitable[Portion[Item]]],
    wish: Wish,
    caller: Caller | None,
) -> Gathered[Item]:
    """Give the page of the only one that is asked: its page is the whole's."""
    answers, absences = await ask([source], lambda one: fetch(one, wish), caller=caller)
    if not answers:
        return Gathered([], False, 0 if wish.count else None, True, absences)
    portion = answers[0][1]
    groups: dict[str, list[Item]] = {}
    for item in portion.items:
        groups.setdefault(item.id, []).append(item)
    return Gathered(
        list(groups.values()),
        portion.more,
        portion.total,
        portion.exact,
        [*absences, *portion.absences],
    )


async def _counted(
    answers: Sequence[tuple[Source, Portion[Item]]],
    cursor: Callable[[Source, Portion[Item] | None], Cursor[Item]],
    key: Key[Item],
) -> tuple[int, bool]:
    """Add up counts; of nodes that may hold ids in common, every id is looked at once."""
    counting = [one for one in answers if one[1].total]
    total, exact = 0, True
    for numbers in meeting({at: portion.runs for at, (_, portion) in enumerate(counting)}):
        group = [counting[at] for at in numbers]
        summed = sum(portion.total or 0 for _, portion in group)
        if len(group) == 1 or summed > COUNTED_MAX:
            total += summed
            exact &= len(group) == 1 and group[0][1].exact
            continue
        cursors = [cursor(source, None) for source, _ in group]
        total += (await merge(cursors, key=key, offset=0, limit=0, drain=True)).seen
    return total, exact


class Cursor(Generic[Item]):
    """Where the merge stands in the items of one node; it asks for twice as many each time."""

    __slots__ = ("_again", "_chunk", "_chunk_max", "_exhausted", "_items", "_offset", "_taken")

    def __init__(
        self,
        again: Again[Item],
        begun: Portion[Item] | None,
        *,
        chunk: int,
        chunk_max: int = CHUNK_MAX,
    ) -> None:
        """Take what was given first, if anything was asked for yet."""
        self._again = again
        self._chunk = chunk
        self._chunk_max = chunk_max
        self._offset = self._taken = 0
        self._items: list[Item] = []
        self._exhausted = False
        if begun is not None:
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
