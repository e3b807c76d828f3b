"""Objects of a system's types are checked on every write, when the node opts in.

The check wraps the operation, so that it sees the object as it will be, in the transaction that
writes it; whatever way the write comes (NGSI-LD, a connector, a reaction), the rule is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Entity
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import ObjectType, System

if TYPE_CHECKING:
    from conurb.store.contract import Outcome, Position, Store

Types = Mapping[str, Sequence[ObjectType]]
"""IRI of a type to what its owners demand of its objects."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An operation whose outcome must keep the rules of its object's types."""

    operation: Operation
    types: Types

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
        """Decide the change; raise BadRequestDataError when the object would break a rule."""
        change = self.operation.apply(before, stamp, history)
        if change.after is not None and change.after is not before:
            for iri in change.after.types:
                for rules in self.types.get(iri, ()):
                    rules.examine(change.after)
        return change


def types_of(systems: Sequence[System]) -> Types:
    """Index the types of some systems by IRI."""
    expand = platform_terms().expand
    found: dict[str, list[ObjectType]] = {}
    for system in systems:
        for one in system.types:
            found.setdefault(expand(one.term), []).append(one)
    return found


class CheckedStore:
    """A store that checks what is written by the rules of its types; all else is the store's."""

    def __init__(self, store: Store, types: Types) -> None:
        self._store = store
        self._types = types

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Outcome]:
        """Write what keeps the rules; give one outcome per operation, in order."""
        return await self._store.apply(self._checked(operations), position=position)

    async def apply_all(
        self, operations: Sequence[Operation], *, position: Position | None = None
    ) -> list[Change]:
        """Write all or nothing, by the rules."""
        return await self._store.apply_all(self._checked(operations), position=position)

    def _checked(self, operations: Sequence[Operation]) -> list[Operation]:
        return [Checked(one, self._types) for one in operations]
