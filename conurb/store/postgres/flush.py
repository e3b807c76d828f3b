"""Rows of the ledger as the arrays of one statement.

It keeps account of what the database will hold afterwards (`Known`), so that a later flush of the
same group stands on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from conurb.model.entity import Entity
from conurb.model.evolution import HEAD
from conurb.model.operations.expiry import next_expiry
from conurb.model.time import BEGINNING
from conurb.store.postgres.births import add_birth
from conurb.store.postgres.geometry import ewkb, geometries
from conurb.store.postgres.names import Names
from conurb.store.postgres.schema import HEAD_TERM
from conurb.store.postgres.statement import LAST_HEADS, SUPERSEDE_LATER, Arrays, array_literal
from conurb.store.postgres.values import flatten, json_text, number_of
from conurb.store.rows import Birth, JournalRow, Key, Row, Rows

Statement = tuple[str, list[Any]]


@dataclass(slots=True)
class Known:
    """What the database holds of an object.

    Its number, the time of its first head, the series ever stated, and its state.
    """

    eid: int
    stored: bool
    head_at: int
    series: set[tuple[int, str]]
    entity: Entity | None


class Flush:
    """Turns rows into statements; `seq` and `eid` are the last numbers given."""

    def __init__(
        self,
        names: Names,
        known: dict[str, Known],
        *,
        seq: int,
        eid: int,
        arrays: Arrays | None = None,
    ) -> None:
        self._names = names
        self._known = known
        self._arrays = Arrays() if arrays is None else arrays
        self._documents: dict[int, str] = {}
        self.seq = seq
        self.eid = eid

    def statements(self, rows: Rows, positions: Mapping[str, int]) -> list[Statement]:
        """Give the statements that write the rows, nearly always one."""
        before = self._erase(rows.erased)
        before += self._supersede(rows)
        grown = self._add_history(rows)
        born = {birth.entity.id for birth in rows.births}
        for entity_id, held in rows.state.items():
            if held is not None and entity_id not in born:
                known = self._know(entity_id, held.born_us)
                self.add_state(
                    known, entity_id, held.born_us, held.entity, grown=entity_id in grown
                )
        births = deque(rows.births)
        for entry in rows.journal:
            while births and births[0].stamp_us < entry.at_us:
                self._add_birth(births.popleft())
            self._add_journal(entry)
        for birth in births:
            self._add_birth(birth)
        for reader, seq in positions.items():
            self._arrays.add("position", reader, seq)
        terms, typesets = self._names.take_fresh()
        for tid, iri in terms:
            self._arrays.add("term", tid, iri)
        for sid, tids in typesets:
            self._arrays.add("typeset", sid, array_literal(tids))
        if not self._arrays.flat and not before:
            return []
        self._arrays.add("counters", self.seq, _last_stamp(rows), self.eid)
        return [*before, self._arrays.statement(), *self._find_last_heads(rows)]

    def _find_last_heads(self, rows: Rows) -> list[Statement]:
        """Let objects that are gone say what their last heads do."""
        eids = [
            self._known[entity_id].eid
            for entity_id, held in rows.state.items()
            if held is not None and held.entity is None
        ]
        return [(LAST_HEADS, [eids])] if eids else []

    def _place(self, key: Key) -> tuple[int, int, str]:
        entity_id, attribute, dataset = key
        return self._known[entity_id].eid, self._tid(attribute), dataset or ""

    def _tid(self, attribute: str) -> int:
        return HEAD_TERM if attribute == HEAD else self._names.tid(attribute)

    def _erase(self, ids: list[str]) -> list[Statement]:
        eids = [
            known.eid
            for entity_id in dict.fromkeys(ids)
            if (known := self._known.pop(entity_id, None)) is not None and known.stored
        ]
        if not eids:
            return []
        return [
            (f"DELETE FROM {table} WHERE eid = ANY ($1::bigint[])", [eids])
            for table in ("history", "geometry", "entity", "object")
        ]

    def _supersede(self, rows: Rows) -> list[Statement]:
        at: dict[tuple[int, int, str, int], int] = {}
        for key, at_us, when in rows.superseded_at:
            if key[0] in self._known:
                at.setdefault((*self._place(key), at_us), when)
        if not rows.superseded_after and not rows.superseded_number:
            for place, when in at.items():
                self._arrays.add("superseded_at", *place, when)
            return []
        after = [
            (*self._place(key), at_us, when)
            for key, at_us, when in rows.superseded_after
            if key[0] in self._known
        ]
        numbers = [
            (self._known[entity_id].eid, self._tid(attribute), number, when)
            for entity_id, attribute, number, when in rows.superseded_number
            if entity_id in self._known
        ]
        arguments = [
            *_columns([(*place, when) for place, when in at.items()], 5),
            *_columns(after, 5),
            *_columns(numbers, 4),
        ]
        return [(SUPERSEDE_LATER, arguments)]

    def _know(self, entity_id: str, head_at: int) -> Known:
        known = self._known.get(entity_id)
        if known is None:
            self.eid += 1
            known = self._known[entity_id] = Known(self.eid, False, head_at, set(), None)
        return known

    def _add_history(self, rows: Rows) -> set[str]:
        """Add the history rows; give the objects that have got another series."""
        grown = set()
        for row in rows.history:
            known = self._know(row.id, row.at_us)
            if row.attribute != HEAD:
                series = (self._names.tid(row.attribute), row.dataset or "")
                if series not in known.series:
                    known.series.add(series)
                    grown.add(row.id)
            self.add_row(row, known)
        return grown

    def add_row(self, row: Row, known: Known) -> None:
        """Add one row of history."""
        instance = row.instance
        if instance is None:
            # A tombstone whose time was stated isn't of the time of its write.
            body, number, observed = None, None, row.at_us != row.recorded_us
        else:
            body = json_text(instance, row.id)
            observed = "observedAt" in instance
            if row.attribute == HEAD:
                number = float(self._names.sid(tuple(instance["types"])))
            else:
                number = number_of(instance)
        self._arrays.add(
            "history",
            known.eid,
            self._tid(row.attribute),
            row.dataset or "",
            row.at_us,
            row.recorded_us,
            row.superseded_us,
            row.number,
            observed,
            number,
            row.kind if instance is None else None,
            body,
        )

    def add_state(
        self, known: Known, entity_id: str, born_us: int, entity: Entity | None, *, grown: bool
    ) -> None:
        """Add what an object is now; `grown` says that it has got another series."""
        if grown or not known.stored or known.head_at != born_us or _is_other(known, entity):
            series = sorted(known.series)
            self._arrays.add(
                "object",
                known.eid,
                entity_id,
                born_us,
                0 if entity is None else self._names.sid(entity.types),
                "{}" if entity is None else array_literal(entity.scope),
                array_literal([tid for tid, _ in series]),
                array_literal([dataset for _, dataset in series]),
            )
        if entity is not known.entity:
            if entity is None:
                self._arrays.add("gone", known.eid)
            else:
                self._add_entity(known.eid, entity)
            self._add_geometries(known.eid, known.entity, entity)
        known.stored, known.head_at, known.entity = True, born_us, entity

    def _add_entity(self, eid: int, entity: Entity) -> None:
        doc = self._documents[id(entity)] = _dump(entity)
        self._arrays.add(
            "entity",
            eid,
            entity.id,
            self._names.sid(entity.types),
            array_literal(entity.scope),
            entity.created_at,
            entity.modified_at,
            entity.expires_at,
            next_expiry(entity),
            doc,
            orjson.dumps(flatten(entity.attrs, self._names.tid)).decode(),
        )

    def _add_geometries(self, eid: int, before: Entity | None, after: Entity | None) -> None:
        old, new = geometries(before), geometries(after)
        for (attribute, dataset), place in new.items():
            if place != old.get((attribute, dataset)):
                first, geometry = place
                tid = self._tid(attribute)
                self._arrays.add("geometry", eid, tid, dataset, first, ewkb(geometry))
        for attribute, dataset in old.keys() - new.keys():
            self._arrays.add("geometry_gone", eid, self._tid(attribute), dataset)

    def _add_birth(self, birth: Birth) -> None:
        self.seq += 1
        self.eid += 1
        entity = birth.entity
        series = add_birth(self._arrays, self._names, birth, eid=self.eid, seq=self.seq)
        self._known[entity.id] = Known(self.eid, True, birth.born_us, series, entity)

    def _add_journal(self, entry: JournalRow) -> None:
        self.seq += 1
        after = entry.after
        touched = {
            attribute: {dataset or "": kind for dataset, kind in datasets.items()}
            for attribute, datasets in entry.touched.items()
        }
        self._arrays.add(
            "journal",
            self.seq,
            entry.at_us,
            entry.kind,
            entry.id,
            self._names.sid(entry.types),
            array_literal(entry.scope),
            entry.created_us,
            entry.modified_us,
            None if after is None else after.expires_at,
            orjson.dumps(touched).decode(),
            orjson.dumps(entry.before).decode() if entry.before else "{}",
            None
            if after is None
            else self._documents.get(id(after)) or json_text(after.attrs, entry.id),
        )


def _is_other(known: Known, entity: Entity | None) -> bool:
    """Whether an object's types or scope aren't those that are stored."""
    before = known.entity
    if entity is None:
        return False
    return before is None or before.types != entity.types or before.scope != entity.scope


def _dump(entity: Entity) -> str:
    return json_text(entity.attrs, entity.id)


def _last_stamp(rows: Rows) -> int:
    """Give the last stamp that these rows have taken; the least number when they took none."""
    taken = [max(row.number, row.recorded_us) for row in rows.history]
    taken += [entry.at_us for entry in rows.journal]
    taken += [
        birth.stamp_us + sum(map(len, birth.entity.attrs.values())) for birth in rows.births[-1:]
    ]
    return max(taken, default=BEGINNING)


def _columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[n] for row in rows] for n in range(width)]
