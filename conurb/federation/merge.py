"""Merging what several nodes answer of one object: its state, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conurb.model.changes import HistoryInstance
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.evolution import Evolution


def merge_entities(parts: Sequence[Entity]) -> Entity:
    """Merge what several nodes say of one entity (clause 4.5.5).

    Types and scopes are united; of several instances with one datasetId the latest counts, by
    `observedAt`, else by `modifiedAt`.
    """
    if len(parts) == 1:
        return parts[0]
    attrs: Attributes = {}
    for attribute in dict.fromkeys(name for part in parts for name in part.attrs):
        latest: dict[str | None, Instance] = {}
        for part in parts:
            for instance in part.attrs.get(attribute, ()):
                dataset = instance.get("datasetId")
                known = latest.get(dataset)
                if known is None or _recency(instance) > _recency(known):
                    latest[dataset] = instance
        order = sorted(latest, key=lambda dataset: (dataset is not None, dataset or ""))
        attrs[attribute] = [latest[dataset] for dataset in order]
    expiries = [part.expires_at for part in parts]
    known_expiries = [one for one in expiries if one is not None]
    return Entity(
        id=parts[0].id,
        types=tuple(dict.fromkeys(one for part in parts for one in part.types)),
        attrs=attrs,
        scope=tuple(dict.fromkeys(one for part in parts for one in part.scope)),
        created_at=min(part.created_at for part in parts),
        modified_at=max(part.modified_at for part in parts),
        expires_at=max(known_expiries) if len(known_expiries) == len(expiries) else None,
    )


def _recency(instance: Instance) -> tuple[bool, str]:
    observed = instance.get("observedAt")
    return (observed is not None, observed or instance.get("modifiedAt") or "")


def _one_per_time(items: Sequence[HistoryInstance]) -> list[HistoryInstance]:
    """Keep one instance of those that speak of one time; those without a time stay as they are."""
    kept: dict[tuple[str | None, int], HistoryInstance] = {}
    others: list[HistoryInstance] = []
    for item in items:
        if item.instance is None or "observedAt" not in item.instance:
            others.append(item)
            continue
        key = item.dataset, item.at_us
        known = kept.get(key)
        if known is None or item.recorded_us > known.recorded_us:
            kept[key] = item
    return [*kept.values(), *others]


def merge_evolutions(
    parts: Sequence[Evolution], *, latest_first: bool, last_n: int | None = None
) -> Evolution:
    """Merge the histories that several nodes have of one object, in order of the times spoken of.

    Of what several say of one time the latest statement counts, as it does now (clause 4.5.5);
    `last_n` bounds the instances of each attribute as a whole. Aggregates can't be merged out of
    aggregates: those of the first node that has any of an attribute stand (an object has one home
    node).
    """
    if len(parts) == 1:
        return parts[0]
    instances: dict[str, list[HistoryInstance]] = {}
    for part in parts:
        for attribute, items in part.instances.items():
            instances.setdefault(attribute, []).extend(items)
    for attribute, items in instances.items():
        merged = _one_per_time(items)
        merged.sort(key=lambda item: (item.at_us, item.number), reverse=latest_first)
        instances[attribute] = merged if last_n is None else merged[:last_n]
    deleted = [part.deleted_us for part in parts]
    known = [one for one in deleted if one is not None]
    return replace(
        parts[0],
        types=tuple(dict.fromkeys(one for part in parts for one in part.types)),
        scope=tuple(dict.fromkeys(one for part in parts for one in part.scope)),
        created_us=min(part.created_us for part in parts),
        modified_us=max(part.modified_us for part in parts),
        deleted_us=max(known) if len(known) == len(deleted) else None,
        instances=instances,
        aggregates={
            key: value for part in reversed(parts) for key, value in part.aggregates.items()
        },
    )
