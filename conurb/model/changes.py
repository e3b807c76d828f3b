"""What an operation does to one object: pure write semantics, shared by every engine.

An engine loads the object as it is (`before`), hands it to the operation together with a stamp,
and stores the `Change` that comes back: state, history and journal in one transaction. So the
semantics of clauses 5.6.1 to 5.6.21 exist once, and an engine writes rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload

from conurb.model.entity import Entity, Instance

TouchKind = Literal["created", "updated", "deleted"]


@dataclass(slots=True)
class Written:
    """An instance that becomes the current one of (attribute, datasetId), and goes to history.

    `new` says that the object had no such instance before. `moves_state` False goes to history
    alone (an observation older than the current one, written by a temporal operation).
    """

    attribute: str
    instance: Instance
    new: bool
    moves_state: bool = True


class AllWritten(Sequence[Written]):
    """Every instance of an object that comes into being, told one by one only when asked for.

    An import writes many objects of which nobody asks; what it costs to tell would be a part of it.
    """

    __slots__ = ("entity",)

    def __init__(self, entity: Entity) -> None:
        self.entity = entity

    def __iter__(self) -> Iterator[Written]:
        for attribute, instance in self.entity.iter_instances():
            yield Written(attribute, instance, True)

    def __len__(self) -> int:
        return sum(map(len, self.entity.attrs.values()))

    @overload
    def __getitem__(self, index: int) -> Written: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Written]: ...
    def __getitem__(self, index: int | slice) -> Written | Sequence[Written]:
        return tuple(self)[index]


@dataclass(slots=True)
class Removed:
    """An instance that is no longer there: (attribute, datasetId); history keeps a tombstone."""

    attribute: str
    dataset: str | None = None


@dataclass(slots=True)
class HistoryInstance:
    """One instance in history, with its two times.

    `at_us` is the time it speaks of (`conurb.model.time.BEGINNING` for 'always'); `recorded_us`
    and `superseded_us` bound the time during which the node held it. `number` is unique for the
    attribute on its object and is the last part of `instanceId`. `instance` None is a tombstone;
    `kind` then is the type of the attribute that it ended, where the store knows it. A tombstone
    whose `at_us` isn't its `recorded_us` was stated with that time by a temporal write.
    """

    attribute: str
    dataset: str | None
    at_us: int
    recorded_us: int
    superseded_us: int | None
    number: int
    instance: Instance | None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class TimedScope:
    """The scope that an object has from a time on (microseconds; None: from this write on)."""

    at_us: int | None
    scope: tuple[str, ...]


@dataclass(slots=True)
class Change:
    """What one operation does to one object.

    `after` None with `before` given deletes the object; with neither, nothing happens. `superseded`
    are numbers of history instances, with their attribute, that are superseded without a
    successor; `corrected` are history instances stored anew under their number (old row
    superseded). `scopes` are those that a temporal write states with their times; `after` has the
    last of them. `erase` True takes the object's whole history away (an explicit purge, audited).
    `result` is what the operation tells its caller (for example which attributes were left out).
    """

    before: Entity | None
    after: Entity | None
    written: Sequence[Written] = ()
    removed: Sequence[Removed] = ()
    superseded: Sequence[tuple[str, int]] = ()
    corrected: Sequence[HistoryInstance] = ()
    scopes: Sequence[TimedScope] = ()
    erase: bool = False
    result: Any = None

    @property
    def kind(self) -> TouchKind | None:
        """What happened to the object as a whole; None when only history changed or nothing."""
        if self.after is None:
            return None if self.before is None else "deleted"
        if self.before is None:
            return "created"
        touched = self.written or self.removed or self.head_changed
        return "updated" if touched else None

    @property
    def head_changed(self) -> bool:
        """Whether types or scope became others, or the object came or went."""
        if self.before is None or self.after is None:
            return self.before is not self.after
        return self.before.types != self.after.types or self.before.scope != self.after.scope


class Operation(Protocol):
    """One write to one object.

    `history_of` names the attributes whose live history `apply` needs (`("*",)`: all; `()`: none,
    the usual case).
    """

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        ...

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history `apply` needs."""
        ...

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise a ConurbError when it can't be, and nothing is stored.

        `stamp` is this operation's transaction time in microseconds; `createdAt` and `modifiedAt`
        are written from it. `before` is None when there is no such object, or it has expired (only
        `Expire` is given an object that has expired, and takes it away).
        """
        ...
