"""The operations on an object's history (clauses 5.6.11 to 5.6.16).

A temporal write also creates and moves current state
(docs/decisions/0002-temporal-writes-and-current-state.md): per (attribute, datasetId) its latest
instance becomes the current one, unless the current one is later.
What is deleted or corrected in history is superseded, and when it was current, the latest that
remains becomes current. Only `DeleteEvolution` erases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from conurb.errors import NotFoundError
from conurb.model.changes import Change, HistoryInstance, TimedScope, Written
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.evolution import HEAD, Evolution, instance_id
from conurb.model.nulls import is_null
from conurb.model.operations.entity import existing
from conurb.model.operations.state import joined
from conurb.model.stamping import stamped
from conurb.model.time import fixed, fixed_us

if TYPE_CHECKING:
    from conurb.model.parse import TemporalFragment

_FOREVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AppendEvolution:
    """Add instances to an object's history, creating the object if need be (clause 5.6.11).

    `must_exist` makes it the addition of attributes to what exists (clause 5.6.12).
    """

    entity_id: str
    fragment: TemporalFragment
    must_exist: bool = False
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when the object must exist and doesn't."""
        if self.must_exist:
            existing(before, self.entity_id)
        fragment = self.fragment
        state = _State(before or Entity(self.entity_id, fragment.types, created_at=stamp), stamp)
        written: list[Written] = []
        tombstones: list[HistoryInstance] = []
        for attribute, instances in fragment.attrs.items():
            for instance in sorted(instances, key=lambda one: _observed(one, stamp)):
                dataset = instance.get("datasetId")
                old = state.entity.instance(attribute, dataset)
                moves = old is None or _observed(instance, stamp) >= _held(old)
                if is_null(instance):
                    tombstones.append(_tombstone(attribute, instance, stamp, len(tombstones)))
                    if moves:
                        state.drop(attribute, dataset)
                    continue
                stored = stamped(instance, state.now, old if moves else None)
                written.append(Written(attribute, stored, new=old is None, moves_state=moves))
                if moves:
                    state.put(attribute, stored)
        return self._change(before, state, written, tombstones)

    def _change(
        self,
        before: Entity | None,
        state: _State,
        written: list[Written],
        tombstones: list[HistoryInstance],
    ) -> Change:
        fragment, base = self.fragment, state.entity
        scopes = fragment.scopes
        after = replace(
            base,
            types=joined(base.types, fragment.types),
            scope=_latest_scope(scopes, base.scope),
            modified_at=state.stamp,
            expires_at=base.expires_at if fragment.expires_at is None else fragment.expires_at,
        )
        change = Change(before, after, written, corrected=tombstones, scopes=list(scopes))
        nothing = change.kind is None and not tombstones and not scopes
        if nothing and before is not None and before.expires_at == after.expires_at:
            change.after = before
        return change


@dataclass(frozen=True, slots=True)
class PlaceEvolution:
    """Put an object's history as it is, the copy of one that is elsewhere.

    What the object holds already stays current; of the rest, the latest instance becomes it.
    """

    evolution: Evolution
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.evolution.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change."""
        evolution = self.evolution
        base = before or Entity(
            evolution.id,
            evolution.types,
            scope=evolution.scope,
            created_at=evolution.created_us,
            modified_at=evolution.modified_us,
        )
        placed = [
            replace(one, recorded_us=stamp, superseded_us=None)
            for attribute, instances in evolution.instances.items()
            if attribute != HEAD
            for one in instances
        ]
        latest: dict[tuple[str, str | None], HistoryInstance] = {}
        for one in sorted(placed, key=lambda item: item.at_us):
            latest[one.attribute, one.dataset] = one
        state = _State(base, stamp)
        for (attribute, dataset), one in latest.items():
            if one.instance is not None and base.instance(attribute, dataset) is None:
                state.put(attribute, one.instance)
        return Change(before, replace(base, attrs=state.entity.attrs), corrected=placed)


@dataclass(frozen=True, slots=True)
class UpdateInstance:
    """Replace one instance in history; its `createdAt` stays (clause 5.6.14)."""

    entity_id: str
    attribute: str
    number: int
    instance: Instance

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history `apply` needs."""
        return (self.attribute,)

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object or instance."""
        row = _row(history, self.entity_id, self.attribute, self.number)
        new = stamped(self.instance, fixed(stamp), row.instance)
        at_us = fixed_us(new["observedAt"]) if "observedAt" in new else row.at_us
        corrected = HistoryInstance(
            self.attribute, new.get("datasetId"), at_us, stamp, None, self.number, new
        )
        change = Change(before, before, corrected=[corrected])
        if before is None:
            return change
        state = _State(before, stamp)
        rest = [one for one in history if one is not row]
        was_current = _is_current(row, before)
        if was_current and corrected.dataset == row.dataset and at_us >= row.at_us:
            state.put(self.attribute, new)
        else:
            if was_current:
                state.set_latest(self.attribute, row.dataset, [*rest, corrected])
            old = state.entity.instance(self.attribute, corrected.dataset)
            if old is None or at_us > _held(old):
                state.put(self.attribute, new)
        change.after = state.result()
        return change


@dataclass(frozen=True, slots=True)
class DeleteInstance:
    """Take one instance out of history (clause 5.6.15)."""

    entity_id: str
    attribute: str
    number: int

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history `apply` needs."""
        return (self.attribute,)

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object or instance."""
        row = _row(history, self.entity_id, self.attribute, self.number)
        change = Change(before, before, superseded=[(self.attribute, self.number)])
        if before is not None and _is_current(row, before):
            state = _State(before, stamp)
            rest = [one for one in history if one is not row]
            state.set_latest(self.attribute, row.dataset, rest)
            change.after = state.result()
        return change


@dataclass(frozen=True, slots=True)
class DeleteTemporalAttribute:
    """Take an attribute out of history: its default instances, those of `dataset`, or all.

    Clause 5.6.13.
    """

    entity_id: str
    attribute: str
    dataset: str | None = None
    all_instances: bool = False

    @property
    def history_of(self) -> tuple[str, ...]:
        """Give the attributes whose live history `apply` needs."""
        return (self.attribute,)

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object or instance."""
        rows = [one for one in history if self.all_instances or one.dataset == self.dataset]
        if not rows:
            which = f" of dataset {self.dataset!r}" if self.dataset is not None else ""
            raise NotFoundError(
                f"the history of entity {self.entity_id!r} has no instance{which} of the "
                f"attribute {self.attribute!r}"
            )
        change = Change(before, before, superseded=[(self.attribute, row.number) for row in rows])
        if before is not None:
            state = _State(before, stamp)
            for dataset in {row.dataset for row in rows}:
                state.drop(self.attribute, dataset)
            change.after = state.result()
        return change


@dataclass(frozen=True, slots=True)
class DeleteEvolution:
    """Erase an object with its whole history (clause 5.6.16): an explicit purge."""

    entity_id: str
    history_of: tuple[str, ...] = (HEAD,)

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no history of such an object."""
        if before is None and not history:
            raise NotFoundError(f"entity {self.entity_id!r} has no history here")
        return Change(before, None, erase=True)


class _State:
    """An object's current state on its way: instances are put and dropped, nothing is shared."""

    __slots__ = ("_before", "_changed", "attrs", "entity", "now", "stamp")

    def __init__(self, before: Entity, stamp: int) -> None:
        self._before = before
        self.stamp = stamp
        self.now = fixed(stamp)
        self.attrs: Attributes = dict(before.attrs)
        self.entity = before.with_attrs(self.attrs)
        self._changed = False

    def put(self, attribute: str, instance: Instance) -> None:
        """Make an instance the current one of its datasetId."""
        dataset = instance.get("datasetId")
        others = [one for one in self.attrs.get(attribute, ()) if one.get("datasetId") != dataset]
        self.attrs[attribute] = sorted(
            [*others, instance], key=lambda one: str(one.get("datasetId", ""))
        )
        self._changed = True

    def drop(self, attribute: str, dataset: str | None) -> None:
        """Take the current instance of a datasetId away, if there is one."""
        present = self.attrs.get(attribute, [])
        left = [one for one in present if one.get("datasetId") != dataset]
        if len(left) == len(present):
            return
        if left:
            self.attrs[attribute] = left
        else:
            del self.attrs[attribute]
        self._changed = True

    def set_latest(
        self, attribute: str, dataset: str | None, rows: Sequence[HistoryInstance]
    ) -> None:
        """Make the latest of these rows current; with none, or a tombstone, nothing is."""
        own = [row for row in rows if row.dataset == dataset]
        latest = max(own, key=lambda row: (row.at_us, row.number), default=None)
        if latest is None or latest.instance is None:
            self.drop(attribute, dataset)
        else:
            self.put(attribute, latest.instance)

    def result(self) -> Entity:
        """Give the object as it became; the very one when nothing changed."""
        return replace(self.entity, modified_at=self.stamp) if self._changed else self._before


def _observed(instance: Instance, stamp: int) -> int:
    """Give the time that a new instance speaks of: now, when it doesn't say."""
    text = instance.get("observedAt")
    return stamp if text is None else fixed_us(text)


def _held(instance: Instance) -> int:
    """Give the time that a current instance speaks of: its last change, when it doesn't say."""
    return fixed_us(instance.get("observedAt") or instance["modifiedAt"])


def _tombstone(attribute: str, instance: Instance, stamp: int, count: int) -> HistoryInstance:
    return HistoryInstance(
        attribute,
        instance.get("datasetId"),
        _observed(instance, stamp),
        stamp,
        None,
        # The ledger numbers what it inserts upwards from the stamp, these rows first.
        stamp + count,
        None,
        instance["type"],
    )


def _latest_scope(scopes: Sequence[TimedScope], held: tuple[str, ...]) -> tuple[str, ...]:
    """Give the scope that holds last, `held` when none is given; one without a time holds now."""
    if not scopes:
        return held
    # Of two with one time the later stated is in force, as in history: so not `max`.
    return sorted(scopes, key=lambda one: _FOREVER if one.at_us is None else one.at_us)[-1].scope


def _row(
    history: Sequence[HistoryInstance], entity_id: str, attribute: str, number: int
) -> HistoryInstance:
    for row in history:
        if row.attribute == attribute and row.number == number:
            return row
    raise NotFoundError(
        f"the history of entity {entity_id!r} has no instance {instance_id(number)!r} of the "
        f"attribute {attribute!r}"
    )


def _is_current(row: HistoryInstance, entity: Entity) -> bool:
    return row.instance is not None and row.instance == entity.instance(row.attribute, row.dataset)
