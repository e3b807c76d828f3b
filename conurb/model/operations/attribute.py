"""The operations on one attribute of an object (clauses 5.6.4, 5.6.5, 5.6.19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.changes import Change, HistoryInstance
from conurb.model.entity import NULL, VALUE_MEMBER, Entity, Instance
from conurb.model.nulls import is_null
from conurb.model.operations.entity import existing
from conurb.model.operations.state import Draft


@dataclass(frozen=True, slots=True)
class PartialUpdateAttribute:
    """Overwrite the members given of instances that exist; null deletes (clauses 5.6.4, 5.5.8).

    Null as the value deletes the instance itself: clauses 4.5.2.2 and 5.5.8 say so for every
    partial update, though the introduction of 5.6.4 doesn't expect it.
    """

    entity_id: str
    attribute: str
    instances: tuple[Instance, ...]
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change.

        Raises NotFoundError when there is no such object or instance, BadRequestDataError when
        the attribute would become another kind.
        """
        before = existing(before, self.entity_id)
        draft = Draft(before, stamp)
        for instance in self.instances:
            dataset = instance.get("datasetId")
            old = instance_of(draft, self.entity_id, self.attribute, dataset)
            patch = _of_kind(old["type"], instance, self.attribute)
            if is_null(patch):
                draft.remove(self.attribute, dataset)
            else:
                draft.put(self.attribute, _overwritten(old, patch))
        return draft.change()


@dataclass(frozen=True, slots=True)
class ReplaceAttribute:
    """Replace instances that exist (clause 5.6.19)."""

    entity_id: str
    attribute: str
    instances: tuple[Instance, ...]
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object or instance."""
        before = existing(before, self.entity_id)
        draft = Draft(before, stamp)
        for instance in self.instances:
            instance_of(draft, self.entity_id, self.attribute, instance.get("datasetId"))
            draft.put(self.attribute, instance)
        return draft.change()


@dataclass(frozen=True, slots=True)
class DeleteAttribute:
    """Delete the default instance of an attribute, that of `dataset`, or all (clause 5.6.5)."""

    entity_id: str
    attribute: str
    dataset: str | None = None
    all_instances: bool = False
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object or instance."""
        before = existing(before, self.entity_id)
        draft = Draft(before, stamp)
        if self.all_instances and self.attribute in before.attrs:
            for instance in before.attrs[self.attribute]:
                draft.remove(self.attribute, instance.get("datasetId"))
        else:
            instance_of(draft, self.entity_id, self.attribute, self.dataset)
            draft.remove(self.attribute, self.dataset)
        return draft.change()


@dataclass(frozen=True, slots=True)
class DeleteScope:
    """Take the scopes away from an object (clause 5.6.5, attribute `scope`)."""

    entity_id: str
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object, or no scope."""
        before = existing(before, self.entity_id)
        if not before.scope:
            raise NotFoundError(f"entity {self.entity_id!r} has no scope")
        return Draft(before, stamp).change(scope=())


def instance_of(draft: Draft, entity_id: str, attribute: str, dataset: str | None) -> Instance:
    """Give an instance; raise NotFoundError when the object has none of this datasetId."""
    found = draft.find(attribute, dataset)
    if found is None:
        which = "default instance" if dataset is None else f"instance of dataset {dataset!r}"
        raise NotFoundError(f"entity {entity_id!r} has no {which} of the attribute {attribute!r}")
    return found


def _of_kind(kind: str, patch: Instance, attribute: str) -> Instance:
    if patch.get("type", kind) != kind:
        raise BadRequestDataError(
            f"{attribute}: its type is {kind}; a partial update can't make it {patch['type']!r}"
        )
    return {**patch, "type": kind}


def _overwritten(old: Instance, patch: Instance) -> Instance:
    value_member = VALUE_MEMBER[old["type"]]
    merged = dict(old)
    for key, value in patch.items():
        if value == NULL and key != value_member:
            merged.pop(key, None)
        elif ":" in key:
            kept = [one for one in value if not is_null(one)]
            if kept:
                merged[key] = kept
            else:
                merged.pop(key, None)
        else:
            merged[key] = value
    return merged
