"""The rows that the operations of a group become, whatever engine writes them.

`conurb.store.ledger` decides them, and says by which rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from conurb.model.changes import TouchKind
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.evolution import HEAD
from conurb.model.time import BEGINNING, fixed_us

Key = tuple[str, str, str | None]
"""(object, attribute, datasetId)."""


@dataclass(slots=True)
class Held:
    """What a store holds of an object: its state, and the `at` of its first head row.

    `entity` None: it was deleted. An expired entity is still given.
    """

    entity: Entity | None
    born_us: int


@dataclass(slots=True)
class Row:
    """One row of history to insert.

    `instance` None is a tombstone, `kind` then the type of what it ended, where it is known; the
    instance of a head is `head_body`.
    """

    id: str
    attribute: str
    dataset: str | None
    at_us: int
    recorded_us: int
    number: int
    instance: Instance | None
    superseded_us: int | None = None
    kind: str | None = None
    first: bool = False
    copies_head_at: int | None = None

    @property
    def key(self) -> Key:
        """Give (object, attribute, datasetId)."""
        return self.id, self.attribute, self.dataset


@dataclass(slots=True)
class JournalRow:
    """One row of the journal to insert; see `conurb.store.contract.Record`."""

    at_us: int
    kind: TouchKind
    id: str
    types: tuple[str, ...]
    touched: dict[str, dict[str | None, TouchKind]]
    before: Attributes
    after: Entity | None
    scope: tuple[str, ...]
    created_us: int
    modified_us: int


@dataclass(slots=True)
class Birth:
    """An object that never was before, each of its instances written once by one operation.

    Imports consist of these, so an engine may write them as they are; `rows` and `journal` say
    what they stand for. Nothing is superseded, an instance without `observedAt` speaks of always,
    and the head begins at `born_us`, with the earliest of the others. Instances are numbered from
    `stamp_us` in their order, the head last.
    """

    entity: Entity
    stamp_us: int
    born_us: int

    def rows(self) -> Iterator[Row]:
        """Stream the rows of history."""
        entity, number = self.entity, self.stamp_us
        for attribute, instance in entity.iter_instances():
            observed = instance.get("observedAt")
            at = BEGINNING if observed is None else fixed_us(observed)
            dataset = instance.get("datasetId")
            yield Row(entity.id, attribute, dataset, at, self.stamp_us, number, instance)
            number += 1
        head = head_body(entity)
        yield Row(entity.id, HEAD, None, self.born_us, self.stamp_us, number, head)

    def journal(self) -> JournalRow:
        """Give the row of the journal."""
        entity = self.entity
        touched: dict[str, dict[str | None, TouchKind]] = {
            attribute: {one.get("datasetId"): "created" for one in instances}
            for attribute, instances in entity.attrs.items()
        }
        return JournalRow(
            self.stamp_us,
            "created",
            entity.id,
            entity.types,
            touched,
            {},
            entity,
            entity.scope,
            entity.created_at,
            entity.modified_at,
        )


@dataclass(slots=True)
class Needs:
    """What the ledger must know of history: which keys have live rows, and which heads."""

    firsts: list[Key] = field(default_factory=list)
    heads: list[tuple[str, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.firsts or self.heads)


@dataclass(slots=True)
class Rows:
    """What to write, in this order: erase, supersede, upsert state, insert history, journal.

    `superseded_at` rows are (key, at, when): the live row of that `at`. `superseded_after` rows
    are (key, at, when): live rows of a later `at`. `superseded_number` rows are (object, attribute,
    number, when). `state` maps an object to what is held of it now, None when it was erased;
    `births` are those of them that stand for rows of history and journal besides, to be numbered
    among `journal` by their stamps.
    """

    erased: list[str] = field(default_factory=list)
    superseded_at: list[tuple[Key, int, int]] = field(default_factory=list)
    superseded_after: list[tuple[Key, int, int]] = field(default_factory=list)
    superseded_number: list[tuple[str, str, int, int]] = field(default_factory=list)
    state: dict[str, Held | None] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)
    births: list[Birth] = field(default_factory=list)


def head_body(entity: Entity) -> Instance:
    """Give what a head row says of an entity."""
    body: Instance = {"types": list(entity.types), "scope": list(entity.scope)}
    if entity.expires_at is not None:
        body["expires"] = entity.expires_at
    return body
