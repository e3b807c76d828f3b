"""Merging what several nodes answer: one entity of many, one ordered page of many.

Lists merge lazily: each node is asked for a few entities at first, and for more only when the page
needs them, so that a page of a region costs little more than a page of one node.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import OrderBy
from conurb.node.consume import Answer

CHUNK_MIN: Final = 10
"""Entities that a node is asked for at least."""

CHUNK_MAX: Final = 1000
"""Entities that a node is asked for at most; no node gives more at once."""

COUNTED_MAX: Final = 100_000
"""Entities of several nodes that are looked through for ids that occur twice, for a count."""

Ask = Callable[[int, int], Awaitable[Answer | None]]
"""Asks a node for (limit, offset) of its entities; None when it doesn't answer any more."""


def merge_entities(parts: Sequence[Entity]) -> Entity:
    """Merge what several nodes say of one entity (clause 4.5.5).

    Types and scopes are united; of several instances with one datasetId the latest counts, by
    `observedAt`, else by `modifiedAt`.
    """
    if len(parts) == 1:
        return parts[0]
    attrs: Attributes = {}
    for attribute in dict.fromkeys(name for part in parts for name in part.attrs):
        latest: dict[str | None, Instance] = {}
        for part in parts:
            for instance in part.attrs.get(attribute, ()):
                dataset = instance.get("datasetId")
                known = latest.get(dataset)
                if known is None or _recency(instance) > _recency(known):
                    latest[dataset] = instance
        order = sorted(latest, key=lambda dataset: (dataset is not None, dataset or ""))
        attrs[attribute] = [latest[dataset] for dataset in order]
    expiries = [part.expires_at for part in parts]
    known_expiries = [one for one in expiries if one is not None]
    return Entity(
        id=parts[0].id,
        types=tuple(dict.fromkeys(one for part in parts for one in part.types)),
        attrs=attrs,
        scope=tuple(dict.fromkeys(one for part in parts for one in part.scope)),
        created_at=min(part.created_at for part in parts),
        modified_at=max(part.modified_at for part in parts),
        expires_at=max(known_expiries) if len(known_expiries) == len(expiries) else None,
    )


def _recency(instance: Instance) -> tuple[bool, str]:
    observed = instance.get("observedAt")
    return (observed is not None, observed or instance.get("modifiedAt") or "")


@dataclass(slots=True)
class Cursor:
    """Where the merge stands in the answers of one node."""

    ask: Ask
    chunk: int
    buffer: list[Entity] = field(default_factory=list)
    taken: int = 0
    offset: int = 0
    exhausted: bool = False

    def start(self, answer: Answer) -> None:
        """Take in the first answer."""
        self._take(answer)

    async def peek(self) -> Entity | None:
        """Give the next entity without taking it; None at the end."""
        if self.taken == len(self.buffer) and not self.exhausted:
            self.chunk = min(self.chunk * 2, CHUNK_MAX)
            answer = await self.ask(self.chunk, self.offset)
            if answer is None:
                self.exhausted = True
            else:
                self._take(answer)
        return self.buffer[self.taken] if self.taken < len(self.buffer) else None

    def _take(self, answer: Answer) -> None:
        self.buffer, self.taken = answer.entities, 0
        self.offset += len(answer.entities)
        self.exhausted = not answer.more or not answer.entities


@dataclass(slots=True)
class MergedPage:
    """One page of the merge; `seen` is how many distinct entities it has come by."""

    entities: list[Entity]
    more: bool
    seen: int


async def merge_page(
    cursors: Iterable[Cursor], *, order: tuple[OrderBy, ...], offset: int, limit: int, drain: bool
) -> MergedPage:
    """Merge ordered answers into the page from `offset` on, of `limit` entities.

    Entities of one id are merged into one, at the place of the first. With `drain` the merge goes
    on to the end, so that `seen` is the count of all.
    """
    heap: list[tuple[tuple[Any, ...], int, Cursor]] = []
    for number, cursor in enumerate(cursors):
        await _push(heap, number, cursor, order)
    page: dict[str, list[Entity]] = {}
    seen: set[str] = set()
    more = False
    while heap:
        _, number, cursor = heapq.heappop(heap)
        entity = cursor.buffer[cursor.taken]
        if entity.id in page:
            page[entity.id].append(entity)
        elif entity.id not in seen:
            if len(page) == limit and len(seen) >= offset:
                more = True
                if not drain:
                    break
            elif len(seen) >= offset:
                page[entity.id] = [entity]
            seen.add(entity.id)
        cursor.taken += 1
        await _push(heap, number, cursor, order)
    merged = [merge_entities(parts) for parts in page.values()]
    return MergedPage(merged, more, len(seen))


async def _push(
    heap: list[tuple[tuple[Any, ...], int, Cursor]],
    number: int,
    cursor: Cursor,
    order: tuple[OrderBy, ...],
) -> None:
    entity = await cursor.peek()
    if entity is not None:
        key = order_key(entity, order) if order else (entity.id,)
        heapq.heappush(heap, (key, number, cursor))


def first_chunk(*, wanted: int, nodes: int) -> int:
    """Give how many entities each node is asked for first: twice its even share of the page."""
    share = 2 * wanted // max(nodes, 1)
    return max(1, min(wanted, max(CHUNK_MIN, share), CHUNK_MAX))
