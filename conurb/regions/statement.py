"""State what a pack says of one object, as one write that only writes what is new.

Stating the same twice changes nothing; a corrected figure supersedes the one before, and the node
remembers both (docs/decisions/0001-two-times.md). What others said of the object stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conurb.model.changes import Change, HistoryInstance, Written
from conurb.model.entity import Attributes, Entity, Instance, sub_attributes
from conurb.model.operations.state import Draft, joined
from conurb.model.stamping import stamped
from conurb.model.time import fixed, fixed_us

_OF_THE_NODE: Final = frozenset({"createdAt", "modifiedAt", "instanceId"})


@dataclass(frozen=True, slots=True)
class StateObject:
    """State an object's attributes, and instances of its history that carry `observedAt`.

    `observations` are in order of time for each (attribute, datasetId). The latest becomes the
    current one, unless the current one is later.
    """

    entity: Entity
    observations: Attributes = field(default_factory=dict)

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history `apply` needs."""
        return tuple(self.observations)

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change: what isn't said yet, or was said otherwise."""
        entity = self.entity
        base = before or Entity(entity.id, entity.types, {}, entity.scope, stamp, stamp)
        draft = Draft(base, stamp)
        for attribute, instance in entity.iter_instances():
            old = draft.find(attribute, instance.get("datasetId"))
            if old is None or plain(old) != instance:
                draft.put(attribute, instance)
        past = self._observe(draft, fixed(stamp), history)
        change = draft.change(
            types=joined(base.types, entity.types), scope=base.scope or entity.scope
        )
        if past and change.after is before:
            change.after = base
        change.before = before
        change.written = [*past, *change.written]
        return change

    def _observe(self, draft: Draft, now: str, history: Sequence[HistoryInstance]) -> list[Written]:
        """Put what is later than the present into the draft; give what goes to history alone."""
        said = {
            (item.attribute, item.dataset, item.at_us): plain(item.instance)
            for item in history
            if item.instance is not None and item.superseded_us is None
        }
        past = []
        for attribute, instances in self.observations.items():
            for instance in instances:
                dataset, observed = instance.get("datasetId"), instance["observedAt"]
                if said.get((attribute, dataset, fixed_us(observed))) == instance:
                    continue
                current = draft.find(attribute, dataset)
                if current is None or current.get("observedAt", "") <= observed:
                    draft.put(attribute, instance)
                else:
                    stored = stamped(instance, now, None)
                    past.append(Written(attribute, stored, new=False, moves_state=False))
        return past


def plain(instance: Instance) -> Instance:
    """Give an instance without the members that the node sets.

    >>> plain({"type": "Property", "value": 1, "createdAt": "2026-01-01T00:00:00.000000Z"})
    {'type': 'Property', 'value': 1}
    """
    bare: dict[str, Any] = {k: v for k, v in instance.items() if k not in _OF_THE_NODE}
    for name, subs in sub_attributes(instance):
        bare[name] = [plain(sub) for sub in subs]
    return bare
