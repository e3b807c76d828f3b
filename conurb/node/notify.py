"""Which subscriptions an entry of the journal concerns: pure decisions, no storage, no network.

`Index` finds, by type, id and watched attribute, the few subscriptions that a change may concern,
so that a write that concerns none costs a handful of look-ups however many subscriptions there are.
`fires` then says whether the change is one that the subscription waits for. Conditions (q, geoQ,
scopeQ) are asked of `subject` by `conurb.model.query.match`. The rules are those of ETSI GS CIM 009
v1.9.1, clauses 5.2.12 and 5.8.6. `conurb.node.notification` says what is then told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.model.changes import TouchKind
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.query.tree import TypeAll, TypeAny, TypeIs, TypeSelection
from conurb.model.subscription import Subscription, Trigger

if TYPE_CHECKING:
    from conurb.store.contract import Record

Touches = dict[str, dict[str | None, TouchKind]]
"""Attribute to (datasetId or None) to what happened to that instance."""

STAMPS: Final = frozenset({"createdAt", "modifiedAt", "instanceId"})
"""Members of an instance that every write sets: they alone are no change of a value."""

_ATTRIBUTE_TRIGGER: Final[dict[TouchKind, Trigger]] = {
    "created": "attributeCreated",
    "updated": "attributeUpdated",
    "deleted": "attributeDeleted",
}
_ENTITY_TRIGGER: Final[dict[TouchKind, Trigger]] = {
    "created": "entityCreated",
    "updated": "entityUpdated",
    "deleted": "entityDeleted",
}

_Key = tuple[str | None, str | None]


class Index:
    """The subscriptions of a node, findable by what they wait for.

    A subscription stands under (type or id of entity, watched attribute); None is any.
    """

    __slots__ = ("_buckets", "_keys")

    def __init__(self) -> None:
        self._buckets: dict[_Key, dict[str, Subscription]] = {}
        self._keys: dict[str, tuple[_Key, ...]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, subscription_id: str) -> bool:
        return subscription_id in self._keys

    def put(self, subscription: Subscription) -> None:
        """Add a subscription, or put it in the place of the one of its id."""
        self.drop(subscription.id)
        keys = tuple(dict.fromkeys(_keys(subscription)))
        for key in keys:
            self._buckets.setdefault(key, {})[subscription.id] = subscription
        self._keys[subscription.id] = keys

    def drop(self, subscription_id: str) -> None:
        """Take a subscription out, if it is there."""
        for key in self._keys.pop(subscription_id, ()):
            bucket = self._buckets[key]
            del bucket[subscription_id]
            if not bucket:
                del self._buckets[key]

    def candidates(self, record: Record, touched: Touches) -> list[Subscription]:
        """Give the subscriptions that a change may concern, each once."""
        found: dict[str, Subscription] = {}
        for who in (None, record.entity_id, *record.types):
            for what in (None, *touched):
                bucket = self._buckets.get((who, what))
                if bucket:
                    found.update(bucket)
        return list(found.values())


def _keys(subscription: Subscription) -> Iterator[_Key]:
    watched: tuple[str | None, ...] = tuple(subscription.watched) or (None,)
    for who in _subjects(subscription):
        for what in watched:
            yield who, what


def _subjects(subscription: Subscription) -> set[str | None]:
    """Give types and ids of which an entity has one at least; None is any."""
    if not subscription.query.selectors:
        return {None}
    subjects: set[str | None] = set()
    for selector in subscription.query.selectors:
        if selector.ids:
            subjects |= set(selector.ids)
        elif selector.types is not None:
            subjects |= _necessary(selector.types)
        else:
            subjects.add(None)
    return subjects


def _necessary(selection: TypeSelection) -> set[str]:
    """Give types of which an entity that satisfies a selection has one at least."""
    match selection:
        case TypeIs(iri):
            return {iri}
        case TypeAny(items):
            return set().union(*map(_necessary, items))
        case TypeAll(items):
            return min(map(_necessary, items), key=len)


def touches(record: Record) -> Touches:
    """Give what a record changed, without what was written with the value it had (5.8.6)."""
    if record.kind == "deleted":
        return {
            attribute: {instance.get("datasetId"): "deleted" for instance in instances}
            for attribute, instances in record.before.items()
        }
    after = record.after.attrs if record.after is not None else {}
    if record.kind == "created":
        return {
            attribute: {instance.get("datasetId"): "created" for instance in instances}
            for attribute, instances in after.items()
        }
    changed: Touches = {}
    for attribute, datasets in record.touched.items():
        kept = {
            dataset: kind
            for dataset, kind in datasets.items()
            if kind != "updated"
            or not _same(
                find_instance(record.before, attribute, dataset),
                find_instance(after, attribute, dataset),
            )
        }
        if kept:
            changed[attribute] = kept
    return changed


def fires(subscription: Subscription, record: Record, touched: Touches) -> bool:
    """Whether a change is of a kind, and of an attribute, that a subscription waits for."""
    watched = subscription.watched
    relevant = [what for what in touched if not watched or what in watched]
    if watched and not relevant:
        return False
    triggers = subscription.triggers
    if _ENTITY_TRIGGER[record.kind] in triggers:
        return True
    return any(
        _ATTRIBUTE_TRIGGER[kind] in triggers for what in relevant for kind in touched[what].values()
    )


def subject(record: Record) -> Entity:
    """Give the entity that a subscription's conditions are asked of: as it became, or last was."""
    if record.after is not None:
        return record.after
    return Entity(
        id=record.entity_id,
        types=record.types,
        attrs=record.before,
        scope=record.scope,
        created_at=record.created_us,
        modified_at=record.modified_us,
    )


def merged(first: Record, second: Record) -> Record:
    """Make one record of two in a row about one entity: what they did together.

    Throttled notifications are made of it, so that the last value, the value before the first
    change, and what was deleted are told all the same.
    """
    if first.kind == "deleted" or second.kind == "deleted":
        if first.kind == "deleted" and second.kind == "created":
            return _reborn(first, second)
        return second
    touched = {what: dict(datasets) for what, datasets in first.touched.items()}
    for what, datasets in second.touched.items():
        mine = touched.setdefault(what, {})
        for dataset, kind in datasets.items():
            together = _together(mine.get(dataset), kind)
            if together is None:
                del mine[dataset]
            else:
                mine[dataset] = together
    return replace(
        second,
        kind="created" if first.kind == "created" else second.kind,
        touched={what: datasets for what, datasets in touched.items() if datasets},
        before={**_missing(second.before, first), **first.before},
    )


def _reborn(first: Record, second: Record) -> Record:
    """An entity that was deleted and created again has been updated, as far as is told."""
    now = second.after.attrs if second.after is not None else {}
    touched: Touches = {}
    for what, instances in {**first.before, **now}.items():
        for instance in (*first.before.get(what, ()), *now.get(what, instances)):
            dataset = instance.get("datasetId")
            was = find_instance(first.before, what, dataset) is not None
            has = find_instance(now, what, dataset) is not None
            kind: TouchKind = "updated" if was and has else "deleted" if was else "created"
            touched.setdefault(what, {})[dataset] = kind
    return replace(second, kind="updated", touched=touched, before=first.before)


def _together(first: TouchKind | None, second: TouchKind) -> TouchKind | None:
    match first, second:
        case "created", "deleted":
            return None
        case "created", _:
            return "created"
        case "deleted", "created":
            return "updated"
        case _:
            return second


def _missing(before: Attributes, first: Record) -> Attributes:
    """Take from `before` what the first record neither touched nor created."""
    return {what: instances for what, instances in before.items() if what not in first.touched}


def find_instance(attrs: Attributes, attribute: str, dataset: str | None) -> Instance | None:
    """Find an instance of an attribute; None when there is none."""
    for instance in attrs.get(attribute, ()):
        if instance.get("datasetId") == dataset:
            return instance
    return None


def _same(before: Instance | None, after: Instance | None) -> bool:
    if before is None or after is None:
        return before is after
    return before == after or _meaning(before) == _meaning(after)


def _meaning(instance: Instance) -> dict[str, Any]:
    return {
        key: [_meaning(one) for one in value] if ":" in key else value
        for key, value in instance.items()
        if key not in STAMPS
    }
