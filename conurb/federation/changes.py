"""What changes in a node, page after page: how a region keeps copies of a member's objects.

The feed is the node's journal, from a number on: the state that each object came to, or that it is
gone. A reader that comes back with the number it has reached misses nothing, however long it was
away; the node remembers that number, so that its journal isn't pruned before it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, ConflictError, SourceError
from conurb.federation.reading import read_entity
from conurb.model.context import core_terms
from conurb.model.query.match import admits
from conurb.model.query.tree import Restriction
from conurb.model.render.entity import render_entity
from conurb.model.render.view import View
from conurb.store.contract import Position, Record

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.node.node import Node

CHANGES_PATH: Final = "/federation/changes"
PAGE_MAX: Final = 500
"""Journal entries that one page is made of."""
ATTRIBUTES_MAX: Final = 20_000
"""Attribute instances of one page, so that large objects make it shorter."""
WAIT_S_MAX: Final = 30.0
READ_BY_NOBODY: Final = 2**62
"""The position of a reader that doesn't come back: it holds no entry of the journal."""


@dataclass(frozen=True, slots=True)
class FeedChange:
    """The latest state that an object came to within a page; None: it is gone."""

    seq: int
    at_us: int
    entity_id: str
    entity: Entity | None


@dataclass(frozen=True, slots=True)
class Feed:
    """A page of the feed: everything up to `next` is in it; `end` is the journal's last number.

    `at_us` is the time of the latest entry that was read, None when there was none.
    """

    next: int
    end: int
    at_us: int | None
    changes: tuple[FeedChange, ...]

    def document(self) -> dict[str, Any]:
        """Write it as a JSON document, names by the core @context."""
        terms, view = core_terms(), View(sys_attrs=True)
        return {
            "next": self.next,
            "end": self.end,
            "at": self.at_us,
            "changes": [
                {
                    "seq": one.seq,
                    "at": one.at_us,
                    "id": one.entity_id,
                    "entity": None
                    if one.entity is None
                    else render_entity(one.entity, terms, view),
                }
                for one in self.changes
            ],
        }


async def read_changes(
    node: Node, caller: Caller, *, after: int, types: Sequence[str] = (), wait_s: float = 0.0
) -> Feed:
    """Read the changes after a number, of `types` (none: any), as far as the caller may see them.

    When there are none it waits for up to `wait_s`. Raises ForbiddenError without the right
    `federate`, ConflictError for a number that isn't of this journal, or when what is asked for was
    pruned.
    """
    caller.require("federate")
    restriction = caller.require("read")
    if not 0 <= wait_s <= WAIT_S_MAX or after < 0:
        raise BadRequestDataError(f"after is 0 or more, wait from 0 to {WAIT_S_MAX:g} s")
    store = node.store
    end = await store.journal_end()
    if after > end:
        raise ConflictError(f"after: {after} is beyond the journal's end, {end}")
    reader = reader_of(caller.name)
    if after > await store.position(reader):
        await store.set_position(Position(reader, after))
    if after == end and wait_s:
        await store.wait_for_journal(after, wait_s)
    records = _bounded(await store.journal(after=after, limit=PAGE_MAX))
    if after == 0 and records and records[0].seq > 1:
        raise ConflictError(f"the changes before {records[0].seq} were pruned")
    latest: dict[str, FeedChange] = {}
    for record in records:
        if _concerns(record, types, restriction):
            latest.pop(record.entity_id, None)
            latest[record.entity_id] = FeedChange(
                record.seq, record.at_us, record.entity_id, record.after
            )
    return Feed(
        next=records[-1].seq if records else after,
        end=max(end, records[-1].seq) if records else end,
        at_us=records[-1].at_us if records else None,
        changes=tuple(latest.values()),
    )


def reader_of(caller_name: str) -> str:
    """Name the journal's reader that a caller is."""
    return f"feed:{caller_name}"


def _bounded(records: Sequence[Record]) -> Sequence[Record]:
    size = 0
    for count, record in enumerate(records, 1):
        if record.after is not None:
            size += sum(map(len, record.after.attrs.values()))
        if size > ATTRIBUTES_MAX:
            return records[:count]
    return records


def _concerns(record: Record, types: Sequence[str], restriction: Restriction) -> bool:
    if types and not set(types) & set(record.types):
        return False
    if record.after is not None:
        return admits(restriction, record.after)
    # Of an object that is gone the types and scopes are known that it had last.
    from_types = restriction.types is None or bool(set(restriction.types) & set(record.types))
    return from_types and (restriction.scopes is None or bool(record.scope))


def read_feed(document: Any, after: int) -> Feed:
    """Read a page that another node gave; raise SourceError when it isn't one."""
    try:
        changes = tuple(_read_change(one) for one in document["changes"])
        at_us = document["at"]
        feed = Feed(
            int(document["next"]),
            int(document["end"]),
            None if at_us is None else int(at_us),
            changes,
        )
    except (KeyError, TypeError, ValueError, BadRequestDataError) as error:
        raise SourceError(f"the changes can't be read: {error!r:.300}", code=111) from error
    if feed.next < after or feed.end < feed.next:
        raise SourceError(f"the changes go from {after} to {feed.next} of {feed.end}", code=111)
    return feed


def _read_change(document: Any) -> FeedChange:
    given = document["entity"]
    entity = None if given is None else read_entity(given, core_terms())
    entity_id = str(document["id"])
    if entity is not None and entity.id != entity_id:
        raise ValueError(f"{entity_id} is said to be {entity.id}")
    return FeedChange(int(document["seq"]), int(document["at"]), entity_id, entity)
