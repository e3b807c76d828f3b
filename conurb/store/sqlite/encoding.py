"""State and history of the embedded engine as SQL takes them, for objects that were there before.

Those that never were have a shorter way (`births.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from conurb.model.entity import Instance
from conurb.model.evolution import HEAD
from conurb.model.operations.expiry import next_expiry
from conurb.store.rows import Held, Row
from conurb.store.sqlite.rows import texts_document
from conurb.store.sqlite.values import IRREGULAR, flat, regular


def state_row(held: Held, term: Callable[[str], int]) -> tuple[Any, ...]:
    """Write the state of an object, its numbers left out; `term` gives and makes short names."""
    entity = held.entity
    if entity is None:
        return (None,) * 7 + (held.born_us, None, None)
    return (
        term(entity.types[0]) if len(entity.types) == 1 else 0,
        texts_document(entity.types),
        texts_document(entity.scope) if entity.scope else None,
        entity.created_at,
        entity.modified_at,
        entity.expires_at,
        next_expiry(entity),
        held.born_us,
        orjson.dumps(flat(entity, term)).decode(),
        orjson.dumps(entity.attrs).decode(),
    )


def history_rows(
    rows: Sequence[Row],
    eids: Mapping[str, int],
    known: Mapping[str, int],
    term: Callable[[str], int],
) -> Iterator[tuple[Any, ...]]:
    """Write rows of history; `known` are short names in memory, `term` makes new ones."""
    dumps = orjson.dumps
    for row in rows:
        instance, attribute, dataset = row.instance, row.attribute, row.dataset
        observed: bool = row.at_us != row.recorded_us
        val: Any = row.kind
        body = None
        if instance is not None:
            observed = "observedAt" in instance
            val = _head_type(instance, term) if attribute == HEAD else regular(instance)
            body = dumps(instance).decode()
        yield (
            eids[row.id],
            known.get(attribute) or term(attribute),
            0 if dataset is None else term(dataset),
            row.at_us,
            row.recorded_us,
            row.superseded_us,
            row.number,
            observed,
            val,
            body,
        )


def _head_type(head: Instance, term: Callable[[str], int]) -> int | str:
    types = head["types"]
    return term(types[0]) if len(types) == 1 else IRREGULAR
