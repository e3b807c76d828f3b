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

from collections.abc import Mapping, Sequence

from conurb.errors import ConurbError, InvariantError
from conurb.model.changes import AllWritten, Change, HistoryInstance, Operation, Written
from conurb.model.entity import Entity, Instance
from conurb.model.operations.expiry import Expire
from conurb.model.text import text_of
from conurb.model.time import BEGINNING, Stamps, fixed_us
from conurb.store.contract import Outcome
from conurb.store.entry import Entry, Pending
from conurb.store.rows import Birth, Held, Key, Needs, Rows


class Ledger:
    """Decides the operations of one group and collects the rows they become.

    `held` is filled by the engine for every object of the group that it knows (an object that is
    missing there has never existed).
    """

    def __init__(self, stamps: Stamps) -> None:
        self._pending = Pending(stamps)
        self._births: dict[str, Birth] = {}

    @property
    def held(self) -> dict[str, Held]:
        """Give what is held of the objects of the group."""
        return self._pending.held

    def touched(self, entity_id: str) -> bool:
        """Whether rows of this object wait to be written (its history must be loaded after)."""
        return entity_id in self._pending.rows.state

    def decide(self, operation: Operation, history: Sequence[HistoryInstance] = ()) -> Outcome:
        """Apply one operation to what the ledger holds; give its change, or why there is none."""
        entity_id = operation.entity_id
        stamp = self._pending.stamps.take()
        entity = self._entity(entity_id)
        expires = entity.expires_at if entity is not None else None
        if expires is not None and expires <= stamp and not isinstance(operation, Expire):
            self._enter(entity_id, Expire(entity_id).apply(entity, stamp, ()), stamp)
            entity, stamp = None, self._pending.stamps.take()
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
            or entity_id in self._pending.held
            or entity_id in self._pending.unstored
            or change.scopes
            or change.corrected
            or change.erase
            or not _writes_all(change.written, after)
        ):
            birth = self._births.pop(entity_id, None)
            if birth is not None:
                self._settle(birth)
            Entry(self._pending, entity_id, change, stamp).enter()
        else:
            self._enter_birth(after, stamp)

    def _enter_birth(self, entity: Entity, stamp: int) -> None:
        count, first = _instances_of(entity)
        born = stamp if first is None else min(stamp, first)
        self._pending.stamps.take_more(count)
        self._births[entity.id] = Birth(entity, stamp, born)
        self._pending.unstored.add(entity.id)
        self.held[entity.id] = self._pending.rows.state[entity.id] = Held(entity, born)

    def _settle(self, birth: Birth) -> None:
        """Turn a birth into rows: its object is written again, or its engine wants rows alone."""
        for row in birth.rows():
            self._pending.by_key[row.key] = [row]
            self._pending.seen.add(row.key)
            self._pending.rows.history.append(row)
        self._pending.rows.journal.append(birth.journal())

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
        self._pending.seen.clear()

    def needs(self) -> Needs:
        """Tell what must be known of history to finish the rows."""
        rows = self._pending.rows.history
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
            self._pending.rows.births = list(self._births.values())
        else:
            for birth in self._births.values():
                self._pending.rows.history += birth.rows()
                self._pending.rows.journal.append(birth.journal())
        self._pending.rows.journal.sort(key=lambda entry: entry.at_us)
        for row in self._pending.rows.history:
            if row.first:
                row.at_us = row.recorded_us if row.key in with_history else BEGINNING
            elif row.copies_head_at is not None:
                row.instance = heads[row.id, row.copies_head_at]
        rows = self._pending.rows
        self._clear()
        return rows

    def _clear(self) -> None:
        self._pending.rows = Rows()
        self._pending.by_key.clear()
        self._pending.unstored.clear()
        self._births.clear()


def _instances_of(entity: Entity) -> tuple[int, int | None]:
    """Count the instances of an object, and give the earliest time that one speaks of."""
    text = text_of(entity)
    if text is not None:
        return len(text.instances), text.first_us
    observed = [one.get("observedAt") for _, one in entity.iter_instances()]
    times = [fixed_us(one) for one in observed if one is not None]
    return len(observed), min(times, default=None)


def _writes_all(written: Sequence[Written], entity: Entity) -> bool:
    """Whether what was written is every instance of an object."""
    if isinstance(written, AllWritten):
        return written.entity is entity
    return len(written) == sum(map(len, entity.attrs.values()))
