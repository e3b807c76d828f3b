"""What happens to transient objects and attributes when their time has come (clause 4.22).

`next_expiry` says when that is; an engine keeps it beside the object, so that the reaper finds
what is due. `Expire` takes away what has expired, as any deletion does: history keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conurb.model.changes import Change, HistoryInstance, Removed
from conurb.model.entity import Attributes, Entity
from conurb.model.time import fixed, fixed_us


def next_expiry(entity: Entity) -> int | None:
    """Give when the object, or the first of its instances, expires; None for never.

    Microseconds since the epoch.
    """
    due = entity.expires_at
    for instances in entity.attrs.values():
        for instance in instances:
            text = instance.get("expiresAt")
            if text is not None:
                at = fixed_us(text)
                due = at if due is None or at < due else due
    return due


@dataclass(frozen=True, slots=True)
class Expire:
    """Take away an object that has expired, or its attribute instances that have."""

    entity_id: str
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide what goes; nothing when nothing has expired at `stamp`."""
        if before is None:
            return Change(None, None)
        if before.expires_at is not None and before.expires_at <= stamp:
            return Change(before, None)
        now = fixed(stamp)
        attrs: Attributes = {}
        removed: list[Removed] = []
        for attribute, instances in before.attrs.items():
            kept = []
            for instance in instances:
                if instance.get("expiresAt", "9999") <= now:
                    removed.append(Removed(attribute, instance.get("datasetId")))
                else:
                    kept.append(instance)
            if kept:
                attrs[attribute] = kept
        after = replace(before, attrs=attrs, modified_at=stamp) if removed else before
        return Change(before, after, removed=removed)
