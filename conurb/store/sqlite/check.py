"""Whether state, history, journal and indexes of a file agree; what doesn't is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import apsw
import orjson

from conurb.model.entity import Entity
from conurb.model.operations.expiry import next_expiry
from conurb.store.contract import ELSEWHERE
from conurb.store.rows import head_body
from conurb.store.sqlite.geometries import expected_rows, places
from conurb.store.sqlite.rows import ENTITY_COLUMNS, HEAD_TERM, Terms, entity_of
from conurb.store.sqlite.values import IRREGULAR, flat, regular

PROBLEMS_MAX: Final = 100
"""Findings told; more of them tell nothing new."""


def check(connection: apsw.Connection, terms: Terms) -> list[str]:
    """Give what doesn't agree; nothing when all is well."""
    problems: list[str] = []
    for problem in _problems(connection, terms):
        problems.append(problem)
        if len(problems) >= PROBLEMS_MAX:
            break
    return problems


def _problems(connection: apsw.Connection, terms: Terms) -> Iterator[str]:
    for (message,) in connection.execute("PRAGMA integrity_check(10)"):
        if message != "ok":
            yield f"file: {message}"
    for (message,) in connection.execute("SELECT rtreecheck('geo')"):
        if message != "ok":
            yield f"geo: {message}"
    yield from _check_entities(connection, terms)
    yield from _check_orphans(connection)
    yield from _check_history(connection)
    yield from _check_journal(connection)


def _check_entities(connection: apsw.Connection, terms: Terms) -> Iterator[str]:
    rows = connection.execute(
        f"SELECT eid, born, type, flat, due, {ENTITY_COLUMNS} FROM entity ORDER BY eid"
    )
    for eid, born, kind, values, due, *row in rows:
        entity_id, doc = row[0], row[-1]
        head = connection.execute(
            "SELECT body, (SELECT min(f.at) FROM history f WHERE f.eid = h.eid "
            "AND f.attr = h.attr AND f.superseded IS NULL) FROM history h "
            "WHERE eid = ? AND attr = ? AND dataset = 0 AND superseded IS NULL "
            "ORDER BY at DESC LIMIT 1",
            (eid, HEAD_TERM),
        ).fetchone()
        if head is None:
            yield f"{entity_id}: no head in history"
            continue
        if head[1] != born:
            yield f"{entity_id}: born at {born}, but its first head is of {head[1]}"
        if doc is None:
            if head[0] is not None or kind is not None:
                yield f"{entity_id}: deleted in state, but not in history"
            continue
        entity = entity_of(tuple(row))
        if not _has_head(connection, eid, entity):
            yield f"{entity_id}: no head in history says {head_body(entity)}"
        term = terms.find(connection, entity.types[0]) if len(entity.types) == 1 else 0
        if kind != term:
            yield f"{entity_id}: type column {kind}, types {entity.types}"
        if due != next_expiry(entity):
            yield f"{entity_id}: due {due}, but expires at {next_expiry(entity)}"
        if orjson.loads(values) != flat(entity, lambda iri: terms.find(connection, iri) or -1):
            yield f"{entity_id}: its comparable values aren't those of its document"
        yield from _check_instances(connection, terms, eid, entity)
        yield from _check_beside(connection, terms, eid, entity)


def _has_head(connection: apsw.Connection, eid: int, entity: Entity) -> bool:
    """Whether a live head says what state does (the last one, unless scopes have own times)."""
    rows = connection.execute(
        "SELECT body FROM history WHERE eid = ? AND attr = ? AND dataset = 0 "
        "AND superseded IS NULL AND body IS NOT NULL ORDER BY at DESC",
        (eid, HEAD_TERM),
    )
    wanted = head_body(entity)
    for (body,) in rows:
        found = orjson.loads(body)
        found.pop("observedAt", None)
        if found == wanted:
            return True
    return False


def _check_instances(
    connection: apsw.Connection, terms: Terms, eid: int, entity: Entity
) -> Iterator[str]:
    """Every current instance must be a live row of history, and none other may be missing."""
    for attribute, instance in entity.iter_instances():
        dataset = instance.get("datasetId")
        numbers = (
            eid,
            terms.find(connection, attribute),
            0 if dataset is None else terms.find(connection, dataset),
        )
        bodies = connection.execute(
            "SELECT body FROM history WHERE eid = ? AND attr = ? AND dataset = ? "
            "AND superseded IS NULL AND body IS NOT NULL ORDER BY recorded DESC",
            numbers,
        )
        if not any(orjson.loads(body) == instance for (body,) in bodies):
            yield f"{entity.id}: {attribute} {dataset or ''} is in state, but not in history"
    rows = connection.execute(
        "SELECT attr, dataset, body IS NULL, max(at) FROM history WHERE eid = ? AND attr <> ? "
        "AND superseded IS NULL GROUP BY attr, dataset",
        (eid, HEAD_TERM),
    )
    for attr, dataset, is_gone, _ in rows:
        iri, dataset_id = terms.iri(connection, attr), terms.dataset(connection, dataset)
        if not is_gone and entity.instance(iri, dataset_id) is None:
            yield f"{entity.id}: {iri} {dataset_id or ''} is in history, but not in state"


def _check_beside(
    connection: apsw.Connection, terms: Terms, eid: int, entity: Entity
) -> Iterator[str]:
    several = {
        terms.iri(connection, kind)
        for (kind,) in connection.execute("SELECT type FROM multitype WHERE eid = ?", (eid,))
    }
    if several != (set(entity.types) if len(entity.types) > 1 else set()):
        yield f"{entity.id}: types {entity.types}, but listed are {sorted(several)}"
    wanted = expected_rows(eid, places(entity), lambda iri: terms.find(connection, iri) or -1)
    for row in wanted:
        found = connection.execute(
            "SELECT eid, attr, x, y, wkb FROM geo WHERE gid = ?", (row[0],)
        ).fetchone()
        if found is None or tuple(found) != row[5:]:
            yield f"{entity.id}: a geometry isn't in the R*Tree as it is in state"


def _check_orphans(connection: apsw.Connection) -> Iterator[str]:
    for what, statement in (
        (
            "geometries",
            "SELECT count(*) FROM geo WHERE eid NOT IN "
            "(SELECT eid FROM entity WHERE type IS NOT NULL)",
        ),
        (
            "lists of types",
            "SELECT count(*) FROM multitype WHERE eid NOT IN "
            "(SELECT eid FROM entity WHERE type = 0)",
        ),
        (
            "rows of history",
            "SELECT count(*) FROM history WHERE eid NOT IN (SELECT eid FROM entity)",
        ),
    ):
        count = connection.execute(statement).get
        if count:
            yield f"{count} {what} belong to no object"


def _check_history(connection: apsw.Connection) -> Iterator[str]:
    for what, statement in (
        (
            "are superseded before they were recorded",
            "SELECT count(*) FROM history WHERE superseded < recorded",
        ),
        (
            "are live twice for one time",
            "SELECT count(*) FROM (SELECT 1 FROM history WHERE superseded IS NULL "
            "GROUP BY eid, attr, dataset, at HAVING count(*) > 1)",
        ),
        (
            "share a live number",
            "SELECT count(*) FROM (SELECT 1 FROM history WHERE superseded IS NULL "
            "GROUP BY eid, attr, number HAVING count(*) > 1)",
        ),
    ):
        count = connection.execute(statement).get
        if count:
            yield f"{count} rows of history {what}"
    rows = connection.execute(
        "SELECT h.eid, h.attr, h.val, h.body FROM history h "
        "WHERE h.body IS NOT NULL AND h.attr <> ?",
        (HEAD_TERM,),
    )
    for eid, attr, value, body in rows:
        expected = regular(orjson.loads(body))
        if expected != value and not (expected == IRREGULAR and value == IRREGULAR):
            yield f"object {eid}, attribute {attr}: comparable value {value!r}, not {expected!r}"


def _check_journal(connection: apsw.Connection) -> Iterator[str]:
    """The last entry of an object says what its state is; numbers have no gap."""
    first, last, count = connection.execute("SELECT min(seq), max(seq), count(*) FROM journal").get
    if count and last - first + 1 != count:
        yield f"journal: {count} entries between {first} and {last}"
    rows = connection.execute(
        "SELECT e.id, e.doc, j.after ->> '$.attrs' FROM (SELECT id, after, max(seq) "
        "FROM journal GROUP BY id) j JOIN entity e ON e.id = j.id"
    )
    for entity_id, doc, after in rows:
        if doc != after:
            yield f"{entity_id}: the last entry of the journal isn't its state"
    late = connection.execute(
        "SELECT reader FROM position WHERE seq > "
        "(SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0)) "
        "AND substr(reader, 1, 1) <> ?",
        (ELSEWHERE,),
    )
    for (reader,) in late:
        yield f"reader {reader}: its position is beyond the journal's end"
