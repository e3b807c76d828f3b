"""Merging what several nodes answer of one object: its state, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

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
    """Keep one instance of those that speak of one time, and of the others one of a kind.

    What has no time of its own, and what says that something was deleted, is one when everything
    about it is the same: it is one statement that has arrived by two ways.
    """
    kept: dict[tuple[Any, ...], HistoryInstance] = {}
    for item in items:
        key: tuple[Any, ...] = item.dataset, item.at_us
        if item.instance is None or "observedAt" not in item.instance:
            said = None if item.instance is None else _written(item.instance)
            key = (*key, item.recorded_us, item.kind, said)
        known = kept.get(key)
        if known is None or item.recorded_us > known.recorded_us:
            kept[key] = item
    return list(kept.values())


def _written(instance: Instance) -> bytes:
    return orjson.dumps(instance, option=orjson.OPT_SORT_KEYS)


def merge_evolutions(
    parts: Sequence[Evolution], *, latest_first: bool, last_n: int | None = None
) -> Evolution:
    """Merge the histories that several nodes have of one object, in order of the times spoken of.

    Of what several say of one time the latest statement counts, as it does now (clause 4.5.5);
    what arrives by two ways is there once. `last_n` bounds the instances of each attribute as a
    whole. Aggregates don't say what they were made of, so they can't be merged; whoever wants them
    of several parts merges the instances and aggregates these (`aggregates.py`).
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
    )
