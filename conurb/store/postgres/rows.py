"""Rows of the database as objects of the model."""

from __future__ import annotations

from typing import Any, Final

import orjson

from conurb.model.changes import HistoryInstance
from conurb.model.entity import Entity
from conurb.store.contract import Document, Record
from conurb.store.postgres.names import Names

ENTITY_COLUMNS: Final = "e.typeset, e.scope, e.created, e.modified, e.expires, e.doc"
"""What `entity_of` reads of an entity, besides its id."""

STATE_COLUMNS: Final = "e.typeset, e.scope, e.created, e.modified, e.expires"
"""The head of an entity as it was at a time; its attributes are read by themselves."""

HISTORY_COLUMNS: Final = "attr, dataset, at, recorded, superseded, number, kind, body"
JOURNAL_COLUMNS: Final = (
    "seq, at, kind, id, typeset, scope, created, modified, expires, touched, before, after"
)


def entity_of(row: Any, names: Names) -> Entity:
    """Build an entity of a row with `id` and `ENTITY_COLUMNS`."""
    return Entity(
        row["id"],
        names.types(row["typeset"]),
        orjson.loads(row["doc"]),
        tuple(row["scope"]),
        row["created"],
        row["modified"],
        row["expires"],
    )


def history_of(row: Any, names: Names) -> HistoryInstance:
    """Build a history instance of a row with `HISTORY_COLUMNS`."""
    body = row["body"]
    return HistoryInstance(
        names.iri(row["attr"]),
        row["dataset"] or None,
        row["at"],
        row["recorded"],
        row["superseded"],
        row["number"],
        None if body is None else orjson.loads(body),
        row["kind"],
    )


def record_of(row: Any, names: Names) -> Record:
    """Build an entry of the journal of a row with `JOURNAL_COLUMNS`."""
    types = names.types(row["typeset"])
    scope = tuple(row["scope"])
    after = row["after"]
    entity = None
    if after is not None:
        entity = Entity(
            row["id"],
            types,
            orjson.loads(after),
            scope,
            row["created"],
            row["modified"],
            row["expires"],
        )
    return Record(
        row["seq"],
        row["at"],
        row["kind"],
        row["id"],
        types,
        {
            attribute: {dataset or None: kind for dataset, kind in datasets.items()}
            for attribute, datasets in orjson.loads(row["touched"]).items()
        },
        orjson.loads(row["before"]),
        entity,
        scope,
        row["created"],
        row["modified"],
    )


def document_of(row: Any) -> Document:
    """Build a document of a row (kind, id, body)."""
    return Document(row["kind"], row["id"], orjson.loads(row["body"]))
