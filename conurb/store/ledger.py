"""What a group of operations becomes: the decisions and the rows, the same for every engine.

An engine loads what it holds of the objects, lets the `Ledger` decide operation by operation (a
later one sees what an earlier one left), asks the few facts that only history knows (`Needs`), and
writes `Rows`. So the rules of the two times (docs/decisions/0001-two-times.md) exist once:

- an instance with `observedAt` speaks of that time; the first one of an (object, attribute,
  datasetId) without it, of always; a later one without it, of the time of the write;
- a live row with the same (object, attribute, datasetId, at) is superseded;
- a deletion adds a tombstone and supersedes what spoke of a later time;
- types, scope and expiry are rows of the pseudo-attribute `HEAD`; an older observation that
  arrives later moves the first of them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conurb.errors import ConurbError, InvariantError
from conurb.model.changes import (
    AllWritten,
    Change,
    HistoryInstance,
    Operation,
    TouchKind,
    Written,
)
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.evolution import HEAD
from conurb.model.operations.expiry import Expire
from conurb.model.time import BEGINNING, Stamps, fixed, fixed_us
from conurb.store.contract import Outcome

__all__ = [
    "HEAD",
    "Birth",
    "Held",
    "JournalRow",
    "Key",
    "Ledger",
    "Needs",
    "Row",
    "Rows",
    "head_body",
]

Key = tuple[str, str, str | None]
"""(object, attribute, datasetId)."""


@dataclass(slots=True)
class Held:
    """What a store holds of an object: its state, and the `at` of its first head row.

    `entity` None: it was deleted. An expired entity is still given.
    """

    entity: Entity | None
    born_us: int


@dataclass(slots=True)
class Row:
    """One row of history to insert.

    `instance` None is a tombstone, `kind` then the type of what it ended, where it is known; the
    instance of a head is `head_body`.
    """

    id: str
    attribute: str
    dataset: str | None
    at_us: int
    recorded_us: int
    number: int
    instance: Instance | None
    superseded_us: int | None = None
    kind: str | None = None
    first: bool = False
    copies_head_at: int | None = None

    @property
    def key(self) -> Key:
        """Give (object, attribute, datasetId)."""
        return self.id, self.attribute, self.dataset


@dataclass(slots=True)
class JournalRow:
    """One row of the journal to insert; see `conurb.store.contract.Record`."""

    at_us: int
    kind: TouchKind
    id: str
    types: tuple[str, ...]
    touched: dict[str, dict[str | None, TouchKind]]
    before: Attributes
    after: Entity | None
    scope: tuple[str, ...]
    created_us: int
    modified_us: int


@dataclass(slots=True)
class Birth:
    """An object that never was before, each of its instances written once by one operation.

    Imports consist of these, so an engine may write them as they are; `rows` and `journal` say
    what they stand for. Nothing is superseded, an instance without `observedAt` speaks of always,
    and the head begins at `born_us`, with the earliest of the others. Instances are numbered from
    `stamp_us` in their order, the head last.
    """

    entity: Entity
    stamp_us: int
    born_us: int

    def rows(self) -> Iterator[Row]:
        """Stream the rows of history."""
        entity, number = self.entity, self.stamp_us
        for attribute, instance in entity.iter_instances():
            observed = instance.get("observedAt")
            at = BEGINNING if observed is None else fixed_us(observed)
            dataset = instance.get("datasetId")
            yield Row(entity.id, attribute, dataset, at, self.stamp_us, number, instance)
            number += 1
        head = head_body(entity)
        yield Row(entity.id, HEAD, None, self.born_us, self.stamp_us, number, head)

    def journal(self) -> JournalRow:
        """Give the row of the journal."""
        entity = self.entity
        touched: dict[str, dict[str | None, TouchKind]] = {
            attribute: {one.get("datasetId"): "created" for one in instances}
            for attribute, instances in entity.attrs.items()
        }
        return JournalRow(
            self.stamp_us,
            "created",
            entity.id,
            entity.types,
            touched,
            {},
            entity,
            entity.scope,
            entity.created_at,
            entity.modified_at,
        )


@dataclass(slots=True)
class Needs:
    """What the ledger must know of history: which keys have live rows, and which heads."""

    firsts: list[Key] = field(default_factory=list)
    heads: list[tuple[str, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.firsts or self.heads)


@dataclass(slots=True)
class Rows:
    """What to write, in this order: erase, supersede, upsert state, insert history, journal.

    `superseded_at` rows are (key, at, when): the live row of that `at`. `superseded_after` rows
    are (key, at, when): live rows of a later `at`. `superseded_number` rows are (object, attribute,
    number, when). `state` maps an object to what is held of it now, None when it was erased;
    `births` are those of them that stand for rows of history and journal besides, to be numbered
    among `journal` by their stamps.
    """

    erased: list[str] = field(default_factory=list)
    superseded_at: list[tuple[Key, int, int]] = field(default_factory=list)
    superseded_after: list[tuple[Key, int, int]] = field(default_factory=list)
    superseded_number: list[tuple[str, str, int, int]] = field(default_factory=list)
    state: dict[str, Held | None] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)
    births: list[Birth] = field(default_factory=list)


def _writes_all(written: Sequence[Written], entity: Entity) -> bool:
    """Whether what was written is every instance of an object."""
    if isinstance(written, AllWritten):
        return written.attrs is entity.attrs
    return len(written) == sum(map(len, entity.attrs.values()))


def head_body(entity: Entity) -> Instance:
    """Give what a head row says of an entity."""
    body: Instance = {"types": list(entity.types), "scope": list(entity.scope)}
    if entity.expires_at is not None:
        body["expires"] = entity.expires_at
    return body


class Ledger:
    """Decides the operations of one group and collects the rows they become.

    `held` is filled by the engine for every object of the group that it knows (an object that is
    missing there has never existed).
    """

    def __init__(self, stamps: Stamps) -> None:
        self.held: dict[str, Held] = {}
        self._stamps = stamps
        self._rows = Rows()
        self._by_key: dict[Key, list[Row]] = {}
        self._seen: set[Key] = set()
        self._unstored: set[str] = set()
        self._births: dict[str, Birth] = {}

    def touched(self, entity_id: str) -> bool:
        """Whether rows of this object wait to be written (its history must be loaded after)."""
        return entity_id in self._rows.state

    def decide(self, operation: Operation, history: Sequence[HistoryInstance] = ()) -> Outcome:
        """Apply one operation to what the ledger holds; give its change, or why there is none."""
        entity_id = operation.entity_id
        stamp = self._stamps.take()
        entity = self._entity(entity_id)
        expires = entity.expires_at if entity is not None else None
        if expires is not None and expires <= stamp and not isinstance(operation, Expire):
            self._enter(entity_id, Expire(entity_id).apply(entity, stamp, ()), stamp)
            entity, stamp = None, self._stamps.take()
        try:
            change = operation.apply(entity, stamp, history)
        except ConurbError as error:
            return error
        except Exception as error:
            failure = InvariantError(f"{type(operation).__name__} failed: {error!r}")
            failure.__cause__ = error
            return failure
        self._enter(entity_id, change, stamp)
        return change

    def _entity(self, entity_id: str) -> Entity | None:
        held = self.held.get(entity_id)
        return held.entity if held is not None else None

    def _enter(self, entity_id: str, change: Change, stamp: int) -> None:
        after = change.after
        if (
            after is None
            or change.before is not None
            or entity_id in self.held
            or entity_id in self._unstored
            or change.scopes
            or change.corrected
            or change.erase
            or not _writes_all(change.written, after)
        ):
            birth = self._births.pop(entity_id, None)
            if birth is not None:
                self._settle(birth)
            _Entry(self, entity_id, change, stamp).enter()
        else:
            self._enter_birth(after, stamp)

    def _enter_birth(self, entity: Entity, stamp: int) -> None:
        count = 0
        born = stamp
        for instances in entity.attrs.values():
            for instance in instances:
                count += 1
                observed = instance.get("observedAt")
                if observed is not None:
                    born = min(born, fixed_us(observed))
        if count:
            self._stamps.take(count)
        self._births[entity.id] = Birth(entity, stamp, born)
        self._unstored.add(entity.id)
        self.held[entity.id] = self._rows.state[entity.id] = Held(entity, born)

    def _settle(self, birth: Birth) -> None:
        """Turn a birth into rows: its object is written again, or its engine wants rows alone."""
        for row in birth.rows():
            self._by_key[row.key] = [row]
            self._seen.add(row.key)
            self._rows.history.append(row)
        self._rows.journal.append(birth.journal())

    def savepoint(self, entity_ids: Sequence[str]) -> dict[str, Held | None]:
        """Remember what is held of objects, before operations that are all or nothing."""
        return {entity_id: self.held.get(entity_id) for entity_id in entity_ids}

    def rollback(self, saved: Mapping[str, Held | None]) -> None:
        """Forget what was decided since the savepoint (all rows before it were written)."""
        for entity_id, held in saved.items():
            if held is None:
                self.held.pop(entity_id, None)
            else:
                self.held[entity_id] = held
        self._clear()
        self._seen.clear()

    def needs(self) -> Needs:
        """Tell what must be known of history to finish the rows."""
        rows = self._rows.history
        return Needs(
            firsts=[row.key for row in rows if row.first],
            heads=[(row.id, row.copies_head_at) for row in rows if row.copies_head_at is not None],
        )

    def take_rows(
        self,
        with_history: frozenset[Key] | set[Key],
        heads: Mapping[tuple[str, int], Instance],
        *,
        births: bool = False,
    ) -> Rows:
        """Finish the rows with the facts asked for, and begin anew.

        `with_history` are those of `Needs.firsts` that have a live row; `heads` the bodies of
        `Needs.heads`. With `births`, objects that were born are given as such, not as rows.
        """
        if births:
            self._rows.births = list(self._births.values())
        else:
            for birth in self._births.values():
                self._rows.history += birth.rows()
                self._rows.journal.append(birth.journal())
        self._rows.journal.sort(key=lambda entry: entry.at_us)
        for row in self._rows.history:
            if row.first:
                row.at_us = row.recorded_us if row.key in with_history else BEGINNING
            elif row.copies_head_at is not None:
                row.instance = heads[row.id, row.copies_head_at]
        rows = self._rows
        self._clear()
        return rows

    def _clear(self) -> None:
        self._rows = Rows()
        self._by_key.clear()
        self._unstored.clear()
        self._births.clear()


class _Entry:
    """One change on its way into the ledger's rows."""

    def __init__(self, ledger: Ledger, entity_id: str, change: Change, stamp: int) -> None:
        self._ledger = ledger
        self._rows = ledger._rows
        self._id = entity_id
        self._change = change
        self._stamp = stamp
        self._numbers = 0

    def enter(self) -> None:
        """Turn the change into rows, and the state it leaves into what is held."""
        change, ledger = self._change, self._ledger
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
            ledger._stamps.take(self._numbers - 1)
        self._journal()

    def _life_changed(self) -> bool:
        before, after = self._change.before, self._change.after
        return before is not None and after is not None and before.expires_at != after.expires_at

    def _erase(self) -> None:
        ledger, rows = self._ledger, self._rows
        rows.erased.append(self._id)
        rows.history = [row for row in rows.history if row.id != self._id]
        rows.superseded_at = [one for one in rows.superseded_at if one[0][0] != self._id]
        rows.superseded_after = [one for one in rows.superseded_after if one[0][0] != self._id]
        rows.superseded_number = [one for one in rows.superseded_number if one[0] != self._id]
        for key in [key for key in ledger._by_key if key[0] == self._id]:
            del ledger._by_key[key]
        ledger._seen = {key for key in ledger._seen if key[0] != self._id}
        ledger.held.pop(self._id, None)
        ledger._unstored.add(self._id)
        rows.state[self._id] = None

    def _remove(self, attribute: str, dataset: str | None, kind: str | None) -> None:
        key = (self._id, attribute, dataset)
        for row in self._ledger._by_key.get(key, ()):
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
            self._ledger._seen -= {
                key for key in self._ledger._seen if key[0] == self._id and key[1] in attributes
            }

    def _write(self, attribute: str, instance: Instance, *, new: bool) -> None:
        dataset = instance.get("datasetId")
        observed = instance.get("observedAt")
        if observed is not None:
            self._insert(attribute, dataset, fixed_us(observed), instance)
            return
        key = (self._id, attribute, dataset)
        if not new or key in self._ledger._seen:
            self._insert(attribute, dataset, None, instance)
        elif self._id not in self._ledger.held or self._id in self._ledger._unstored:
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
        ledger, key = self._ledger, (self._id, attribute, dataset)
        own = self._next_number()
        self._numbers += 1
        pending = ledger._by_key.setdefault(key, [])
        recorded = own if any(row.recorded_us == self._stamp for row in pending) else self._stamp
        at = recorded if at_us is None else at_us
        for row in pending:
            if row.at_us == at and row.superseded_us is None:
                row.superseded_us = recorded
        if self._id in ledger.held and self._id not in ledger._unstored and not first:
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
        ledger._seen.add(key)
        self._rows.history.append(row)

    def _enter_head(self) -> None:
        change, ledger = self._change, self._ledger
        held = ledger.held.get(self._id)
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
            ledger._unstored.add(self._id)
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
            ledger.held[self._id] = Held(after, born)
            self._rows.state[self._id] = ledger.held[self._id]

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
        pending = self._ledger._by_key.get((self._id, HEAD, None), ())
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
