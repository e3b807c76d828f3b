"""Rows of the embedded engine to values of the model, and back; and the short names of IRIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import apsw
import orjson

from conurb.errors import InvariantError
from conurb.model.changes import HistoryInstance
from conurb.model.entity import Attributes, Entity
from conurb.model.time import fixed_us
from conurb.store.contract import Record

ENTITY_COLUMNS: Final = "id, types, scope, created, modified, expires, doc"
"""What `entity_of` reads, in this order."""

HISTORY_COLUMNS: Final = "attr, dataset, at, recorded, superseded, number, body, val"
"""What `history_of` reads, in this order."""

TERMS_MAX: Final = 100_000
"""Short names kept in memory per store; over that they are forgotten and read again."""

HEAD_TERM: Final = 1
"""The short name of the pseudo-attribute `@head` (written by the first migration)."""


@lru_cache(maxsize=4096)
def texts(document: str | None) -> tuple[str, ...]:
    """Read a JSON list of texts (the types or scopes of an entity)."""
    return tuple(orjson.loads(document)) if document else ()


@lru_cache(maxsize=4096)
def texts_document(values: tuple[str, ...]) -> str:
    """Write a list of texts as JSON (the types or scopes of an entity)."""
    return orjson.dumps(values).decode()


def entity_of(row: tuple[Any, ...]) -> Entity:
    """Build an entity from `ENTITY_COLUMNS`."""
    entity_id, types, scope, created, modified, expires, doc = row
    return Entity(
        entity_id, texts(types), orjson.loads(doc), texts(scope), created, modified, expires
    )


def journal_head(
    types: tuple[str, ...], scope: tuple[str, ...], created: int, modified: int
) -> str:
    """Write what a journal row says of the entity as a whole."""
    return f"[{texts_document(types)},{texts_document(scope)},{created},{modified}]"


def record_of(row: tuple[Any, ...]) -> Record:
    """Build a journal record from (seq, at, kind, id, head, touched, before, after)."""
    seq, at_us, kind, entity_id, head, touched_text, before, after = row
    types, scope, created, modified = orjson.loads(head)
    touched = {
        attribute: {(dataset or None): what for dataset, what in datasets.items()}
        for attribute, datasets in orjson.loads(touched_text).items()
    }
    attrs: Attributes = orjson.loads(before) if before else {}
    entity = None
    if after is not None:
        body = orjson.loads(after)
        entity = Entity(
            entity_id,
            tuple(types),
            body["attrs"],
            tuple(scope),
            created,
            modified,
            body.get("expires"),
        )
    return Record(
        seq,
        at_us,
        kind,
        entity_id,
        tuple(types),
        touched,
        attrs,
        entity,
        tuple(scope),
        created,
        modified,
    )


def observed_us(instance: dict[str, Any]) -> int | None:
    """Read an instance's `observedAt` as microseconds."""
    text = instance.get("observedAt")
    return None if text is None else fixed_us(text)


class Terms:
    """The short names of IRIs: shared by a store's writer and readers, append-only.

    0 stands for 'no datasetId'; nothing has that name.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._iris: dict[int, str] = {}

    def _remember(self, iri: str, number: int) -> None:
        if len(self._ids) >= TERMS_MAX:
            self._ids.clear()
            self._iris.clear()
        self._ids[iri] = number
        self._iris[number] = iri

    @property
    def known(self) -> Mapping[str, int]:
        """Give the short names in memory, as they are now: what isn't there must be looked for."""
        return self._ids

    def find(self, connection: apsw.Connection, iri: str) -> int | None:
        """Find the short name of an IRI; None when nothing was ever called so."""
        number = self._ids.get(iri)
        if number is None:
            number = connection.execute("SELECT id FROM term WHERE iri = ?", (iri,)).get
            if number is not None:
                self._remember(iri, number)
        return number

    def iri(self, connection: apsw.Connection, number: int) -> str:
        """Give the IRI of a short name."""
        iri = self._iris.get(number)
        if iri is None:
            iri = connection.execute("SELECT iri FROM term WHERE id = ?", (number,)).get
            if iri is None:
                raise InvariantError(f"term {number} has no IRI")
            self._remember(iri, number)
        return iri

    def dataset(self, connection: apsw.Connection, number: int) -> str | None:
        """Give the datasetId of a short name; None for 0."""
        return None if number == 0 else self.iri(connection, number)

    def forget(self) -> None:
        """Forget everything: a transaction that made names was undone."""
        self._ids.clear()
        self._iris.clear()

    def history_of(
        self, connection: apsw.Connection, rows: Iterable[tuple[Any, ...]]
    ) -> list[HistoryInstance]:
        """Build history instances from `HISTORY_COLUMNS`."""
        return [
            HistoryInstance(
                self.iri(connection, attr),
                self.dataset(connection, dataset),
                at,
                recorded,
                superseded,
                number,
                None if body is None else orjson.loads(body),
                val if body is None else None,
            )
            for attr, dataset, at, recorded, superseded, number, body, val in rows
        ]
