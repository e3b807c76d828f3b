"""Write what was observed of an object: newer replaces older, the same twice is once.

A live source repeats itself, and messages overtake each other. What carries a time and is older
than what is known goes to history alone; what is of the same time changes nothing. What carries no
time is written when it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conurb.model.changes import Change, HistoryInstance, Written
from conurb.model.entity import Entity, Instance
from conurb.model.operations.state import Draft, created, joined
from conurb.model.stamping import stamped
from conurb.model.time import fixed

_OF_THE_NODE: Final = frozenset({"createdAt", "modifiedAt", "instanceId"})


@dataclass(frozen=True, slots=True)
class Observe:
    """State what was observed of an object, which comes into being when it isn't there."""

    entity: Entity
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change."""
        if before is None:
            return created(self.entity, stamp)
        draft = Draft(before, stamp)
        past: list[Written] = []
        for attribute, instance in self.entity.iter_instances():
            old = draft.find(attribute, instance.get("datasetId"))
            if old is None:
                draft.put(attribute, instance)
                continue
            was, told = old.get("observedAt"), instance.get("observedAt")
            if was is None or told is None:
                if not _same(old, instance):
                    draft.put(attribute, instance)
            elif told > was:
                draft.put(attribute, instance)
            elif told < was:
                late = stamped(instance, fixed(stamp), None)
                past.append(Written(attribute, late, new=False, moves_state=False))
        change = draft.change(
            types=joined(before.types, self.entity.types),
            scope=before.scope or self.entity.scope,
            expires_at=self.entity.expires_at,
        )
        change.written = [*past, *change.written]
        return change


def _same(old: Instance, told: Instance) -> bool:
    """Whether an instance says what the old one says, the node's own times aside."""
    if old.keys() - _OF_THE_NODE != told.keys() - _OF_THE_NODE:
        return False
    for name, value in told.items():
        if ":" in name:
            was = old[name]
            if len(was) != len(value) or not all(map(_same, was, value)):
                return False
        elif name not in _OF_THE_NODE and old[name] != value:
            return False
    return True
