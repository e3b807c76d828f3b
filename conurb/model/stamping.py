"""The system times of an instance: set by the write that stores it (clause 4.8)."""

from __future__ import annotations

from collections.abc import Sequence

from conurb.model.entity import Instance


def stamped(instance: Instance, now: str, old: Instance | None) -> Instance:
    """Copy an instance with its system times, those of its sub-attributes included (clause 4.8).

    `now` is in fixed width. `createdAt` is that of `old`, the instance whose place it takes. A
    sub-attribute that is the very one of `old` keeps its times.
    """
    stored = instance.copy()
    stored["createdAt"] = now if old is None else old["createdAt"]
    stored["modifiedAt"] = now
    for name in instance:
        if ":" in name:
            before: Sequence[Instance] = () if old is None else old.get(name, ())
            stored[name] = [_stamped_sub(sub, now, before) for sub in instance[name]]
    return stored


def _stamped_sub(sub: Instance, now: str, before: Sequence[Instance]) -> Instance:
    if any(sub is one for one in before):
        return sub
    return stamped(sub, now, of_dataset(before, sub.get("datasetId")))


def of_dataset(instances: Sequence[Instance], dataset: str | None) -> Instance | None:
    """Find the instance of a datasetId; None when there is none."""
    for instance in instances:
        if instance.get("datasetId") == dataset:
            return instance
    return None
