"""The guard around a write: what the caller may write, and which entity was meant.

It wraps an operation, so that the check sees the object in the same transaction that writes it:
before, because nobody may change what they may not write, and after, because nobody may move an
object out of what they may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conurb.access.caller import Caller
from conurb.errors import NotFoundError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Entity
from conurb.model.query.tree import Restriction, TypeAll, TypeAny, TypeIs, TypeSelection

_UNRESTRICTED: Final = Restriction()


@dataclass(frozen=True, slots=True)
class Guarded:
    """An operation that is done only within what its caller may write, to an entity of `types`."""

    caller: Caller
    operation: Operation
    types: TypeSelection | None = None

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.operation.entity_id

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history the operation needs."""
        return self.operation.history_of

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise ForbiddenError or NotFoundError when it may not be."""
        if before is not None:
            self.caller.require_entity(before)
            if self.types is not None and not is_of(before.types, self.types):
                raise NotFoundError(f"{before.id} is not of the types asked for")
        change = self.operation.apply(before, stamp, history)
        if change.after is not None:
            self.caller.require_entity(change.after)
        return change


def guard(caller: Caller, operation: Operation, types: TypeSelection | None = None) -> Operation:
    """Wrap an operation in what its caller may write; raise ForbiddenError when they may not."""
    return guard_all(caller, (operation,), types)[0]


def guard_all(
    caller: Caller, operations: Sequence[Operation], types: TypeSelection | None = None
) -> Sequence[Operation]:
    """Wrap operations in what their caller may write; raise ForbiddenError when they may not."""
    restriction = caller.require("write")
    if types is None and restriction == _UNRESTRICTED:
        return operations
    return [Guarded(caller, operation, types) for operation in operations]


def is_of(types: Sequence[str], selection: TypeSelection) -> bool:
    """Whether an entity of these types is taken by a type selection (clause 4.17).

    >>> is_of(["urn:A", "urn:B"], TypeAll((TypeIs("urn:A"), TypeIs("urn:C"))))
    False
    """
    match selection:
        case TypeIs(iri):
            return iri in types
        case TypeAll(items):
            return all(is_of(types, item) for item in items)
        case TypeAny(items):
            return any(is_of(types, item) for item in items)
