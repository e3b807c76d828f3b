"""The contract of a store: what holds one node's objects.

Every engine holds these, and `tests/contracts` checks them on every engine:

- Current state, history with two times, and journal are written in one transaction, numbered in
  commit order. When `apply` has returned, the write survives `kill -9` and loss of power.
- One writer per node with group commit: operations that wait together commit together. Each
  operation has its own outcome; one that fails changes nothing and doesn't disturb its neighbours.
- Readers see a commit whole or not at all, and never wait for the writer.
- Queries compile to the engine's SQL; nothing filters in Python what the engine can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from conurb.errors import ConurbError
from conurb.model.changes import Change, HistoryInstance, Operation, TouchKind
from conurb.model.entity import Attributes, Entity
from conurb.model.evolution import Evolution
from conurb.model.query.tree import (
    Query,
    Restriction,
    TemporalQuery,
)
from conurb.model.tiles.ask import TileAsk
from conurb.model.tiles.layer import TileLayer
from conurb.model.tiles.places import Place
from conurb.store.extent import Extents
from conurb.store.survey import Measured

Outcome = Change | ConurbError
"""What became of one operation: its change, or why nothing was changed."""


ELSEWHERE: Final = "~"
"""What the name of a reader begins with that reads something else than this store's journal."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come: `seq` is done.

    It reads this store's journal, or a source, a clock or another journal: then its name begins
    with `ELSEWHERE`, and its position says nothing about this journal.
    """

    reader: str
    seq: int


@dataclass(slots=True)
class Page:
    """One page of a query: entities in order, and the count of all when it was asked for.

    `more` says whether there are entities after this page.
    """

    entities: list[Entity]
    total: int | None = None
    more: bool = False


@dataclass(slots=True)
class EvolutionPage:
    """One page of a temporal query.

    `truncated_at_us` is the time up to which instances are given when `instance_limit` was
    reached (clause 6.3.10: 206 and Content-Range), None when the answer is whole.
    """

    evolutions: list[Evolution]
    total: int | None = None
    more: bool = False
    truncated_at_us: int | None = None


@dataclass(slots=True)
class Record:
    """One entry of the journal: what one operation did to one object.

    `touched` maps attribute to (datasetId or None) to what happened to that instance. `before`
    holds the touched attributes as they were (all of them when the object was deleted), `after`
    the whole object as it became (None: deleted). `scope`, `created_us` and `modified_us` are
    those of `after`, or what they last were of an object that was deleted.
    """

    seq: int
    at_us: int
    kind: TouchKind
    entity_id: str
    types: tuple[str, ...]
    touched: dict[str, dict[str | None, TouchKind]]
    before: Attributes
    after: Entity | None
    scope: tuple[str, ...] = ()
    created_us: int = 0
    modified_us: int = 0


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """A type that exists here: how many entities have it, and their attributes with kinds."""

    iri: str
    entity_count: int
    attributes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AttributeInfo:
    """An attribute that exists here: how many instances, of which kinds, on which types."""

    iri: str
    count: int
    kinds: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A thing of the node that isn't an object: a subscription, a registration, a @context ..."""

    kind: str
    id: str
    body: Mapping[str, Any]


class Store(Protocol):
    """What holds one node's objects. All times are microseconds since the epoch, UTC."""

    async def open(self) -> None:
        """Open, create or migrate forward; raise UnavailableError when that can't be."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""
        ...

    async def apply(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Outcome]:
        """Write; give one outcome per operation, in order.

        Operations on one object are applied in the order given. A `position` commits together
        with them (a reaction's writes and how far it has read).
        """
        ...

    async def apply_all(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Change]:
        """Write all or nothing: raise the first error, having changed nothing."""
        ...

    async def list_expired(self, limit: int = 1000) -> list[str]:
        """List ids of objects whose `next_expiry` (model/operations/expiry) has passed, earliest
        first: they have expired, or hold an attribute instance that has.

        To readers an expired object is absent from that moment on; the node's reaper then applies
        `Expire`, so that history and journal say so. An operation on an object that has expired and
        isn't reaped yet makes the engine apply `Expire` first, in the same transaction.
        """
        ...

    async def find(self, entity_id: str, restriction: Restriction = Restriction()) -> Entity | None:
        """Find one object's current state; None when there is none, expired or not to be seen."""
        ...

    async def find_many(
        self, entity_ids: Sequence[str], restriction: Restriction = Restriction()
    ) -> list[Entity]:
        """Give the current state of those objects that there are, in the order asked."""
        ...

    async def query(
        self, query: Query, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> Page:
        """Query current state; or, with `at_us`, the state that held at that time, as far as the
        node knew it at `known_at_us` (default: now).

        The state at a time takes, per (attribute, datasetId), the instance with the latest time
        that is not after `at_us`. Raises TooComplexQueryError over the bounds.
        """
        ...

    async def tile(self, ask: TileAsk) -> TileLayer:
        """Draw the objects of current state that a query selects as one layer of a tile.

        What it holds is bounded, see `conurb.model.tiles.layer`; order, limit and offset of the
        query don't count. Raises TooComplexQueryError over the bounds.
        """
        ...

    async def places(
        self, query: Query, attribute: str, *, dataset: str | None, at_us: int
    ) -> list[Place]:
        """Give where the objects were that a query selects of the state at a time, by id.

        The instance of a GeoProperty that is meant is that of `dataset`, or without one the first;
        objects without it are left out. At most `query.limit` objects are looked at.
        """
        ...

    async def evolution(self, query: TemporalQuery) -> EvolutionPage:
        """Query history, aggregated in the engine when `query.aggregation` is given."""
        ...

    async def history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        """Give every history instance of an object's attributes, superseded ones included."""
        ...

    async def list_types(self, restriction: Restriction = Restriction()) -> list[TypeInfo]:
        """List the types of current entities, by IRI."""
        ...

    async def list_attributes(
        self, restriction: Restriction = Restriction()
    ) -> list[AttributeInfo]:
        """List the attributes of current entities, by IRI."""
        ...

    async def extents(self) -> Extents:
        """Measure where the objects of current state lie, by type and attribute."""
        ...

    async def survey(self) -> Measured:
        """Measure what there is of each type: how many, with which attributes, where, and when.

        From one view, and with the place in the journal that it shows.
        """
        ...

    async def journal(self, *, after: int, limit: int = 1000) -> list[Record]:
        """Read the journal in order, from the entry after `after`."""
        ...

    async def journal_end(self) -> int:
        """Give the number of the last entry; 0 for none."""
        ...

    async def wait_for_journal(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an entry after `after`; False when the time ran out."""
        ...

    async def position(self, reader: str) -> int:
        """Give how far a reader has come; 0 for a new one."""
        ...

    async def set_position(self, position: Position) -> None:
        """Store how far a reader has come."""
        ...

    async def prune_journal(self, *, before_us: int) -> int:
        """Drop entries older than that which every reader of the journal has passed; give how
        many."""
        ...

    async def put_document(self, document: Document) -> None:
        """Store a document, replacing the one of its kind and id."""
        ...

    async def find_document(self, kind: str, document_id: str) -> Document | None:
        """Find a document; None when there is none."""
        ...

    async def list_documents(self, kind: str) -> list[Document]:
        """List the documents of a kind, in order of their creation."""
        ...

    async def delete_document(self, kind: str, document_id: str) -> bool:
        """Delete a document; whether there was one."""
        ...

    async def ensure_index(self, attribute: str) -> None:
        """Create the expression index for an attribute that is queried, unless it is there."""
        ...

    def export(self) -> AsyncIterator[Mapping[str, Any]]:
        """Stream everything as engine-neutral rows: state, history, journal, documents,
        positions; from one consistent view."""
        ...

    async def restore(self, rows: AsyncIterator[Mapping[str, Any]]) -> None:
        """Take in what `export` gave, into an empty store; all or nothing."""
        ...

    async def backup(self, path: Path) -> None:
        """Copy everything into one file, while the store is in use."""
        ...

    async def check(self) -> list[str]:
        """Check that state, history, journal and indexes agree; give what doesn't."""
        ...
