"""Rows of objects that never were before, straight from the object: imports consist of these.

They are the rows that `Birth.rows` and `Birth.journal` stand for, made in one walk over the object:
each value is brought into comparable form once, each instance written out once for history and the
attributes once for state and journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson

from conurb.model.entity import Entity
from conurb.model.operations.expiry import next_expiry
from conurb.model.time import BEGINNING, fixed_us
from conurb.store.ledger import Birth, head_body
from conurb.store.sqlite import geometries
from conurb.store.sqlite.rows import HEAD_TERM, journal_head, texts_document
from conurb.store.sqlite.values import IRREGULAR, regular

_NO_DATASET: Final = 0


@dataclass(slots=True)
class BirthRows:
    """Rows by table, in the order of the columns of the writer's statements."""

    entities: list[tuple[Any, ...]] = field(default_factory=list)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    journal: list[tuple[Any, ...]] = field(default_factory=list)
    places: list[tuple[Any, ...]] = field(default_factory=list)

    def add(
        self, birth: Birth, eid: int, known: Mapping[str, int], term: Callable[[str], int]
    ) -> None:
        """Add the rows of one object; `known` are short names in memory, `term` makes new ones."""
        entity, stamp = birth.entity, birth.stamp_us
        dumps, add = orjson.dumps, self.history.append
        flat: dict[str, str | int | float] = {}
        number = stamp
        several = False
        for attribute, instances in entity.attrs.items():
            attr = known.get(attribute) or term(attribute)
            val: str | int | float = IRREGULAR
            for instance in instances:
                observed = instance.get("observedAt")
                dataset = instance.get("datasetId")
                val = regular(instance)
                add(
                    (
                        eid,
                        attr,
                        _NO_DATASET if dataset is None else term(dataset),
                        BEGINNING if observed is None else fixed_us(observed),
                        stamp,
                        None,
                        number,
                        observed is not None,
                        val,
                        dumps(instance).decode(),
                    )
                )
                number += 1
                several = several or dataset is not None
            flat[f"a{attr}"] = val if len(instances) == 1 else IRREGULAR
        types = entity.types
        kind = (known.get(types[0]) or term(types[0])) if len(types) == 1 else 0
        head = dumps(head_body(entity)).decode()
        val = kind or IRREGULAR
        add((eid, HEAD_TERM, 0, birth.born_us, stamp, None, number, False, val, head))
        attrs = dumps(entity.attrs).decode()
        self.entities.append(self._state(birth, eid, kind, dumps(flat).decode(), attrs))
        touched = _touched_many(entity) if several else _touched(tuple(entity.attrs))
        self.journal.append(_journal(entity, stamp, touched, attrs))
        self.places += geometries.expected_rows(eid, entity, term)

    def _state(self, birth: Birth, eid: int, kind: int, flat: str, attrs: str) -> tuple[Any, ...]:
        entity = birth.entity
        return (
            kind,
            texts_document(entity.types),
            texts_document(entity.scope) if entity.scope else None,
            entity.created_at,
            entity.modified_at,
            entity.expires_at,
            next_expiry(entity),
            birth.born_us,
            flat,
            attrs,
            eid,
            entity.id,
        )


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


@lru_cache(maxsize=1024)
def _touched(attributes: tuple[str, ...]) -> str:
    """Write that the default instances of some attributes were created."""
    return orjson.dumps({attribute: {"": "created"} for attribute in attributes}).decode()


def _touched_many(entity: Entity) -> str:
    touched = {
        attribute: {one.get("datasetId") or "": "created" for one in instances}
        for attribute, instances in entity.attrs.items()
    }
    return orjson.dumps(touched).decode()
