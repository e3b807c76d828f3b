"""One change on its way into the rows of its group.

Beside `conurb.store.ledger`, which says by which rules: that decides operation by operation, this
works out what one of them does to an object that the store knew before, or that the group has
written already.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from conurb.model.changes import Change, TouchKind
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.evolution import HEAD
from conurb.model.time import BEGINNING, Stamps, fixed, fixed_us
from conurb.store.rows import Held, JournalRow, Key, Row, Rows, head_body


@dataclass(slots=True)
class Pending:
    """What the operations of a group have come to so far.

    `held` is what is held of the objects, `rows` what waits to be written, its history `by_key`
    too. `seen` are keys that have a live row, `unstored` objects that the store holds no rows of.
    """

    stamps: Stamps
    held: dict[str, Held] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    by_key: dict[Key, list[Row]] = field(default_factory=dict)
    seen: set[Key] = field(default_factory=set)
    unstored: set[str] = field(default_factory=set)


class Entry:
    """One change on its way into the ledger's rows."""

    def __init__(self, pending: Pending, entity_id: str, change: Change, stamp: int) -> None:
        self._pending = pending
        self._rows = pending.rows
        self._id = entity_id
        self._change = change
        self._stamp = stamp
        self._numbers = 0

    def enter(self) -> None:
        """Turn the change into rows, and the state it leaves into what is held."""
        change, group = self._change, self._pending
        nothing = not (change.superseded or change.corrected or change.scopes or change.erase)
        if nothing and (change.kind is None and not self._life_changed()):
            return
        if change.erase:
            self._erase()
        if change.after is None and change.before is not None and not change.erase:
            for attribute, instance in change.before.iter_instances():
                self._remove(attribute, instance.get("datasetId"), instance["type"])
            self._remove(HEAD, None, None)
        else:
            self._enter_instances()
        self._enter_head()
        if self._numbers > 1:
            group.stamps.take(self._numbers - 1)
        self._journal()

    def _life_changed(self) -> bool:
        before, after = self._change.before, self._change.after
        return before is not None and after is not None and before.expires_at != after.expires_at

    def _erase(self) -> None:
        group, rows = self._pending, self._rows
        rows.erased.append(self._id)
        rows.history = [row for row in rows.history if row.id != self._id]
        rows.superseded_at = [one for one in rows.superseded_at if one[0][0] != self._id]
        rows.superseded_after = [one for one in rows.superseded_after if one[0][0] != self._id]
        rows.superseded_number = [one for one in rows.superseded_number if one[0] != self._id]
        for key in [key for key in group.by_key if key[0] == self._id]:
            del group.by_key[key]
        group.seen = {key for key in group.seen if key[0] != self._id}
        group.held.pop(self._id, None)
        group.unstored.add(self._id)
        rows.state[self._id] = None

    def _remove(self, attribute: str, dataset: str | None, kind: str | None) -> None:
        key = (self._id, attribute, dataset)
        for row in self._pending.by_key.get(key, ()):
            if row.at_us > self._stamp and row.superseded_us is None:
                row.superseded_us = self._stamp
        self._rows.superseded_after.append((key, self._stamp, self._stamp))
        self._insert(attribute, dataset, self._stamp, None, kind=kind)

    def _enter_instances(self) -> None:
        change = self._change
        if change.erase and change.after is not None:
            for attribute, instance in change.after.iter_instances():
                self._write(attribute, instance, new=True)
            return
        self._forget({a for a, _ in change.superseded} | {c.attribute for c in change.corrected})
        for attribute, number in change.superseded:
            self._rows.superseded_number.append((self._id, attribute, number, self._stamp))
        for item in change.corrected:
            self._rows.superseded_number.append(
                (self._id, item.attribute, item.number, self._stamp)
            )
            self._insert(
                item.attribute,
                item.dataset,
                item.at_us,
                item.instance,
                number=item.number,
                kind=item.kind,
            )
        for removed in change.removed:
            old = change.before and change.before.instance(removed.attribute, removed.dataset)
            self._remove(removed.attribute, removed.dataset, old["type"] if old else None)
        for written in change.written:
            self._write(written.attribute, written.instance, new=written.new)

    def _forget(self, attributes: set[str]) -> None:
        """Forget that attributes have live rows: history has to be asked whether some are left."""
        if attributes:
            self._pending.seen -= {
                key for key in self._pending.seen if key[0] == self._id and key[1] in attributes
            }

    def _write(self, attribute: str, instance: Instance, *, new: bool) -> None:
        dataset = instance.get("datasetId")
        observed = instance.get("observedAt")
        if observed is not None:
            self._insert(attribute, dataset, fixed_us(observed), instance)
            return
        key = (self._id, attribute, dataset)
        if not new or key in self._pending.seen:
            self._insert(attribute, dataset, None, instance)
        elif self._id not in self._pending.held or self._id in self._pending.unstored:
            self._insert(attribute, dataset, BEGINNING, instance)
        else:
            self._insert(attribute, dataset, self._next_number(), instance, first=True)

    def _next_number(self) -> int:
        return self._stamp + self._numbers

    def _insert(
        self,
        attribute: str,
        dataset: str | None,
        at_us: int | None,
        instance: Instance | None,
        *,
        number: int | None = None,
        kind: str | None = None,
        first: bool = False,
        copies_head_at: int | None = None,
    ) -> None:
        """Add a history row; `at_us` None is the time of the write."""
        group, key = self._pending, (self._id, attribute, dataset)
        own = self._next_number()
        self._numbers += 1
        pending = group.by_key.setdefault(key, [])
        recorded = own if any(row.recorded_us == self._stamp for row in pending) else self._stamp
        at = recorded if at_us is None else at_us
        for row in pending:
            if row.at_us == at and row.superseded_us is None:
                row.superseded_us = recorded
        if self._id in group.held and self._id not in group.unstored and not first:
            self._rows.superseded_at.append((key, at, recorded))
        row = Row(
            self._id,
            attribute,
            dataset,
            at,
            recorded,
            own if number is None else number,
            instance,
            kind=kind,
            first=first,
            copies_head_at=copies_head_at,
        )
        pending.append(row)
        group.seen.add(key)
        self._rows.history.append(row)

    def _enter_head(self) -> None:
        change, group = self._change, self._pending
        held = group.held.get(self._id)
        born = held.born_us if held is not None else None
        after = change.after
        earliest = self._earliest()
        scopes = self._timed_scopes()
        if after is not None and born is None:
            born = min(self._stamp, earliest, *(at for at, _ in scopes))
            if not scopes or scopes[0][0] > born:
                first = replace(after, scope=()) if scopes else after
                self._insert(HEAD, None, born, head_body(first))
            self._enter_scopes(after, scopes)
            group.unstored.add(self._id)
        elif born is not None:
            if after is not None:
                self._enter_scopes(after, scopes)
                others = change.before is None or change.before.types != after.types
                if others or self._life_changed() or (change.head_changed and not scopes):
                    self._insert(HEAD, None, self._stamp, head_body(after))
            born = min(born, *(at for at, _ in scopes)) if scopes else born
            if earliest < born:
                self._move_head_back(born, earliest)
                born = earliest
        if born is not None:
            group.held[self._id] = Held(after, born)
            self._rows.state[self._id] = group.held[self._id]

    def _timed_scopes(self) -> list[tuple[int, tuple[str, ...]]]:
        """Give the scopes stated with times, in order; none when none has a time of its own."""
        scopes = self._change.scopes
        if all(one.at_us is None for one in scopes):
            return []
        timed = [(self._stamp if one.at_us is None else one.at_us, one.scope) for one in scopes]
        return sorted(timed, key=lambda one: one[0])

    def _enter_scopes(self, after: Entity, scopes: list[tuple[int, tuple[str, ...]]]) -> None:
        for at, scope in scopes:
            body = head_body(replace(after, scope=scope))
            self._insert(HEAD, None, at, {**body, "observedAt": fixed(at)})

    def _earliest(self) -> int:
        """Give the earliest time that an instance of this change was observed at."""
        times = [
            fixed_us(observed)
            for written in self._change.written
            if (observed := written.instance.get("observedAt")) is not None
        ]
        times += [
            item.at_us
            for item in self._change.corrected
            if item.instance is not None and item.at_us != BEGINNING
        ]
        return min(times, default=self._stamp)

    def _move_head_back(self, born: int, earliest: int) -> None:
        pending = self._pending.by_key.get((self._id, HEAD, None), ())
        for row in pending:
            if row.at_us == born and row.superseded_us is None:
                row.superseded_us = max(self._stamp, row.recorded_us)
                self._insert(HEAD, None, earliest, row.instance, copies_head_at=row.copies_head_at)
                return
        self._rows.superseded_at.append(((self._id, HEAD, None), born, self._stamp))
        self._insert(HEAD, None, earliest, None, copies_head_at=born)

    def _journal(self) -> None:
        change = self._change
        kind: TouchKind = change.kind or ("deleted" if change.erase else "updated")
        entity = change.after or change.before
        before: Attributes = {}
        touched = self._touched()
        if change.before is not None:
            known = change.before.attrs
            before = known if kind == "deleted" else {a: known[a] for a in touched if a in known}
        self._rows.journal.append(
            JournalRow(
                self._stamp,
                kind,
                self._id,
                entity.types if entity is not None else (),
                touched,
                before,
                change.after,
                entity.scope if entity is not None else (),
                entity.created_at if entity is not None else 0,
                entity.modified_at if entity is not None else 0,
            )
        )

    def _touched(self) -> dict[str, dict[str | None, TouchKind]]:
        change = self._change
        touched: dict[str, dict[str | None, TouchKind]] = {}
        if change.after is None:
            if change.before is not None:
                for attribute, instance in change.before.iter_instances():
                    touched.setdefault(attribute, {})[instance.get("datasetId")] = "deleted"
            return touched
        for removed in change.removed:
            touched.setdefault(removed.attribute, {})[removed.dataset] = "deleted"
        for written in change.written:
            if written.moves_state:
                kind: TouchKind = "created" if written.new else "updated"
                dataset = written.instance.get("datasetId")
                touched.setdefault(written.attribute, {})[dataset] = kind
        for attribute in {a for a, _ in change.superseded} | {
            c.attribute for c in change.corrected
        }:
            for dataset, kind in _difference(change.before, change.after, attribute).items():
                touched.setdefault(attribute, {}).setdefault(dataset, kind)
        return touched


def _difference(
    before: Entity | None, after: Entity, attribute: str
) -> dict[str | None, TouchKind]:
    """Compare an attribute's instances before and after."""
    old: dict[Any, Instance] = {
        i.get("datasetId"): i for i in (before.attrs.get(attribute, ()) if before else ())
    }
    new: dict[Any, Instance] = {i.get("datasetId"): i for i in after.attrs.get(attribute, ())}
    kinds: dict[str | None, TouchKind] = {}
    for dataset in old.keys() | new.keys():
        if dataset not in new:
            kinds[dataset] = "deleted"
        elif dataset not in old:
            kinds[dataset] = "created"
        elif old[dataset] != new[dataset]:
            kinds[dataset] = "updated"
    return kinds
