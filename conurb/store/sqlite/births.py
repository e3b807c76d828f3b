"""Rows of objects that never were before, straight from the object: imports consist of these.

They are the rows that `Birth.rows` and `Birth.journal` stand for, made in one walk over the object:
each value is brought into comparable form once, each instance written out once for history and the
attributes once for state and journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson

from conurb.model.entity import Entity, Instance
from conurb.model.operations.expiry import next_expiry
from conurb.model.text import PLACE, EntityText, text_of
from conurb.model.time import BEGINNING, fixed, fixed_us
from conurb.store.rows import Birth, head_body
from conurb.store.sqlite import geometries
from conurb.store.sqlite.rows import HEAD_TERM, journal_head, texts_document
from conurb.store.sqlite.values import IRREGULAR, regular

SHAPES_MAX: Final = 1_000
"""Shapes that are remembered; over that they are forgotten and made again."""

INSERT_BORN: Final = """
INSERT INTO history (eid, attr, dataset, at, recorded, superseded, number, observed, val, body)
VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)"""
"""Writes `BirthRows.history`."""

_NO_DATASET: Final = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What objects of the same types and attributes have in common.

    `columns` are (short name, name among the comparable values) of the attributes in their order;
    `kind` is the short name of the type, 0 for several; `touched` what the journal says of the
    attributes when each has its default instance alone.
    """

    columns: tuple[tuple[int, str], ...]
    kind: int
    touched: str


class Shapes:
    """The shapes that a writer has met: those of an import are few."""

    def __init__(self, term: Callable[[str], int]) -> None:
        self._term = term
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], Shape] = {}

    def of(self, entity: Entity) -> Shape:
        """Give the shape of an object."""
        text = text_of(entity)
        key = entity.types, tuple(entity.attrs) if text is None else text.attributes
        return self._known.get(key) or self._make(key)

    def forget(self) -> None:
        """Forget them all: short names that they hold may have been undone."""
        self._known.clear()

    def _make(self, key: tuple[tuple[str, ...], tuple[str, ...]]) -> Shape:
        types, attributes = key
        numbers = [self._term(attribute) for attribute in attributes]
        touched = {attribute: {"": "created"} for attribute in attributes}
        shape = Shape(
            tuple((number, f"a{number}") for number in numbers),
            self._term(types[0]) if len(types) == 1 else 0,
            orjson.dumps(touched).decode(),
        )
        if len(self._known) >= SHAPES_MAX:
            self._known.clear()
        self._known[key] = shape
        return shape


@dataclass(slots=True)
class BirthRows:
    """Rows by table, in the order of the columns of the writer's statements."""

    entities: list[tuple[Any, ...]] = field(default_factory=list)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    journal: list[tuple[Any, ...]] = field(default_factory=list)
    places: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, birth: Birth, eid: int, shape: Shape, term: Callable[[str], int]) -> None:
        """Add the rows of one object; `term` gives and makes short names."""
        text = text_of(birth.entity)
        if text is not None:
            self._add_text(birth, text, eid, shape, term)
            return
        entity, number = birth.entity, birth.stamp_us
        add = self.history.append
        flat: dict[str, str | int | float] = {}
        several = False
        for (attr, name), instances in zip(shape.columns, entity.attrs.values(), strict=True):
            for instance in instances:
                dataset = instance.get("datasetId")
                if dataset is not None:
                    several = True
                    dataset = term(dataset)
                val = flat[name] = regular(instance)
                add(_instance_row(birth, eid, attr, dataset or _NO_DATASET, number, val, instance))
                number += 1
            if len(instances) > 1:
                flat[name] = IRREGULAR
        attrs = orjson.dumps(entity.attrs).decode()
        touched = _touched_many(entity) if several else shape.touched
        self._add_object(birth, eid, shape, number, next_expiry(entity), flat, attrs, touched)
        self.places += geometries.expected_rows(eid, geometries.places(entity), term)

    def _add_text(
        self,
        birth: Birth,
        text: EntityText,
        eid: int,
        shape: Shape,
        term: Callable[[str], int],
    ) -> None:
        """Add the rows of an object that is written out already."""
        entity, stamp = birth.entity, birth.stamp_us
        attrs = text.document.replace(PLACE, fixed(stamp))
        columns = shape.columns
        self.history += [
            (
                eid,
                columns[column][0],
                _NO_DATASET if dataset is None else term(dataset),
                at,
                stamp,
                number,
                at != BEGINNING,
                val,
                attrs[start:end],
            )
            for number, (column, dataset, at, val, start, end) in enumerate(text.instances, stamp)
        ]
        flat = {columns[column][1]: val for column, _, _, val, _, _ in text.instances}
        touched = shape.touched
        if not text.plain:
            touched = _touched_many(entity)
            counts = Counter(column for column, *_ in text.instances)
            flat |= {columns[column][1]: IRREGULAR for column, n in counts.items() if n > 1}
        ends = [at for at in (entity.expires_at, text.due_us) if at is not None]
        due = min(ends, default=None)
        number = stamp + len(text.instances)
        self._add_object(birth, eid, shape, number, due, flat, attrs, touched)
        self.places += geometries.expected_rows(eid, text.places, term)

    def _add_object(
        self,
        birth: Birth,
        eid: int,
        shape: Shape,
        number: int,
        due: int | None,
        flat: dict[str, str | int | float],
        attrs: str,
        touched: str,
    ) -> None:
        """Add the rows of an object as a whole: its head, its state and its journal entry."""
        entity, stamp = birth.entity, birth.stamp_us
        head = _head(entity.types, entity.scope, entity.expires_at)
        val = shape.kind or IRREGULAR
        self.history.append((eid, HEAD_TERM, 0, birth.born_us, stamp, number, False, val, head))
        flat_text = orjson.dumps(flat).decode()
        self.entities.append(_state(birth, eid, shape.kind, due, flat_text, attrs))
        self.journal.append(_journal(entity, stamp, touched, attrs))


def _instance_row(
    birth: Birth,
    eid: int,
    attr: int,
    dataset: int,
    number: int,
    val: str | int | float,
    instance: Instance,
) -> tuple[Any, ...]:
    observed = instance.get("observedAt")
    return (
        eid,
        attr,
        dataset,
        BEGINNING if observed is None else fixed_us(observed),
        birth.stamp_us,
        number,
        observed is not None,
        val,
        orjson.dumps(instance).decode(),
    )


def _state(
    birth: Birth, eid: int, kind: int, due: int | None, flat: str, attrs: str
) -> tuple[Any, ...]:
    entity = birth.entity
    return (
        kind,
        texts_document(entity.types),
        texts_document(entity.scope) if entity.scope else None,
        entity.created_at,
        entity.modified_at,
        entity.expires_at,
        due,
        birth.born_us,
        flat,
        attrs,
        eid,
        entity.id,
    )


@lru_cache(maxsize=1024)
def _head(types: tuple[str, ...], scope: tuple[str, ...], expires_at: int | None) -> str:
    """Write the head of a new object."""
    return orjson.dumps(head_body(Entity("", types, {}, scope, expires_at=expires_at))).decode()


def journal_after(attrs: str, expires_at: int | None) -> str:
    """Write what a journal row says of an object as it became; `attrs` are written out already."""
    end = "}" if expires_at is None else f',"expires":{expires_at}}}'
    return f'{{"attrs":{attrs}{end}'


def _journal(entity: Entity, stamp: int, touched: str, attrs: str) -> tuple[Any, ...]:
    return (
        stamp,
        "created",
        entity.id,
        journal_head(entity.types, entity.scope, entity.created_at, entity.modified_at),
        touched,
        None,
        journal_after(attrs, entity.expires_at),
    )


def _touched_many(entity: Entity) -> str:
    touched = {
        attribute: {one.get("datasetId") or "": "created" for one in instances}
        for attribute, instances in entity.attrs.items()
    }
    return orjson.dumps(touched).decode()
