"""The change in the making: puts and removes instances of one object, and stamps them.

Every operation works on a `Draft` of the object before, and gives the `Change` that the draft has
become. A draft never touches what it was made of: it copies the map of attributes once, and the
list of an attribute when it writes to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conurb.model.changes import AllWritten, Change, Removed, Written
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.stamping import of_dataset, stamped
from conurb.model.text import TextEntity
from conurb.model.time import fixed


class Draft:
    """An object that is being changed at `stamp` (microseconds), its transaction time."""

    __slots__ = ("_before", "_now", "_removed", "_stamp", "_written", "attrs")

    def __init__(self, before: Entity, stamp: int) -> None:
        self._before = before
        self._stamp = stamp
        self._now = fixed(stamp)
        self._written: list[Written] = []
        self._removed: list[Removed] = []
        self.attrs: Attributes = dict(before.attrs)

    def find(self, attribute: str, dataset: str | None) -> Instance | None:
        """Find the instance of an attribute as the draft has it."""
        for instance in self.attrs.get(attribute, ()):
            if instance.get("datasetId") == dataset:
                return instance
        return None

    def put(self, attribute: str, instance: Instance) -> None:
        """Write an instance in place of the one of its datasetId, whose `createdAt` it keeps."""
        dataset = instance.get("datasetId")
        old = self.find(attribute, dataset)
        stored = stamped(instance, self._now, old)
        self._written.append(Written(attribute, stored, new=old is None))
        present = self.attrs.get(attribute)
        if present is None:
            self.attrs[attribute] = [stored]
        elif old is None:
            self.attrs[attribute] = sorted([*present, stored], key=_dataset)
        else:
            self.attrs[attribute] = [stored if one is old else one for one in present]

    def remove(self, attribute: str, dataset: str | None) -> bool:
        """Take an instance away; whether there was one."""
        old = self.find(attribute, dataset)
        if old is None:
            return False
        left = [one for one in self.attrs[attribute] if one is not old]
        if left:
            self.attrs[attribute] = left
        else:
            del self.attrs[attribute]
        self._removed.append(Removed(attribute, dataset))
        return True

    def change(
        self,
        *,
        types: tuple[str, ...] | None = None,
        scope: tuple[str, ...] | None = None,
        expires_at: int | None = None,
        drops_expiry: bool = False,
        result: Any = None,
    ) -> Change:
        """Give the change; what isn't given stays as it was before."""
        before = self._before
        if expires_at is None and not drops_expiry:
            expires_at = before.expires_at
        after = Entity(
            before.id,
            before.types if types is None else types,
            self.attrs,
            before.scope if scope is None else scope,
            before.created_at,
            self._stamp,
            expires_at,
        )
        change = Change(before, after, self._written, self._removed, result=result)
        if change.kind is None and after.expires_at == before.expires_at:
            change.after = before
        return change


def created(entity: Entity, stamp: int) -> Change:
    """Give the change that makes an object come into being at `stamp`."""
    if isinstance(entity, TextEntity) and entity.text is not None:
        after: Entity = entity.born(stamp)
        return Change(None, after, AllWritten(after))
    now = fixed(stamp)
    attrs = {
        attribute: [stamped(instance, now, None) for instance in instances]
        for attribute, instances in entity.attrs.items()
    }
    after = Entity(entity.id, entity.types, attrs, entity.scope, stamp, stamp, entity.expires_at)
    return Change(None, after, AllWritten(after))


def replaced(before: Entity, entity: Entity, stamp: int) -> Change:
    """Give the change that puts `entity` in the place of `before`, whose `created_at` it keeps."""
    now = fixed(stamp)
    attrs: Attributes = {}
    written: list[Written] = []
    for attribute, instances in entity.attrs.items():
        present = before.attrs.get(attribute, ())
        attrs[attribute] = stored = []
        for instance in instances:
            old = of_dataset(present, instance.get("datasetId"))
            one = stamped(instance, now, old)
            stored.append(one)
            written.append(Written(attribute, one, old is None))
    after = Entity(
        before.id, entity.types, attrs, entity.scope, before.created_at, stamp, entity.expires_at
    )
    return Change(before, after, written, _gone(before, attrs))


def _gone(before: Entity, attrs: Attributes) -> list[Removed]:
    """List the instances of an object that other attributes don't have."""
    gone = []
    for attribute, instances in before.attrs.items():
        left = attrs.get(attribute, ())
        for instance in instances:
            dataset = instance.get("datasetId")
            if of_dataset(left, dataset) is None:
                gone.append(Removed(attribute, dataset))
    return gone


def placed(before: Entity | None, entity: Entity) -> Change:
    """Give the change that puts `entity` there as it is, whatever was there before."""
    old = before or Entity(entity.id, entity.types)
    written = [
        Written(attribute, one, new=old.instance(attribute, one.get("datasetId")) is None)
        for attribute, one in entity.iter_instances()
    ]
    return Change(before, entity, written, _gone(old, entity.attrs))


def joined(present: tuple[str, ...], added: Iterable[str]) -> tuple[str, ...]:
    """Append what isn't there yet: types are never taken away (clause 4.16)."""
    return tuple(dict.fromkeys((*present, *added)))


def _dataset(instance: Instance) -> str:
    return str(instance.get("datasetId", ""))
