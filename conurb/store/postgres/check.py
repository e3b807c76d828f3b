"""Whether state, history, journal and indexes of a schema agree; what doesn't is told.

PostgreSQL looks after its own pages and indexes; this is about what they say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from conurb.model.entity import Entity
from conurb.model.operations.expiry import next_expiry
from conurb.store.contract import ELSEWHERE
from conurb.store.postgres.geometry import ewkb, geometries
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import ENTITY_COLUMNS, entity_of
from conurb.store.postgres.transfer import CHUNK_ROWS
from conurb.store.postgres.values import flatten
from conurb.store.rows import head_body

PROBLEMS_MAX: Final = 100
"""Findings told; more of them tell nothing new."""

_OBJECTS: Final = f"""
SELECT o.eid, o.id, o.head_at, o.typeset AS said_typeset, o.scope AS said_scope, o.attrs,
  o.datasets, e.due, e.flat, e.id AS entity_id, {ENTITY_COLUMNS}
FROM object o LEFT JOIN entity e ON e.eid = o.eid WHERE o.eid > $1 ORDER BY o.eid LIMIT $2
"""
_LIVE: Final = """
SELECT eid, attr, dataset, at, body FROM history WHERE eid = ANY ($1::bigint[])
AND superseded IS NULL ORDER BY eid, attr, dataset, at, recorded
"""
_GEOMETRIES: Final = """
SELECT eid, attr, dataset, first, ST_AsEWKB(geom, 'NDR') AS geom FROM geometry
WHERE eid = ANY ($1::bigint[])
"""
_COUNTS: Final[tuple[tuple[str, str], ...]] = (
    (
        "rows of entity belong to no object",
        "SELECT count(*) FROM entity e WHERE NOT EXISTS "
        "(SELECT FROM object o WHERE o.eid = e.eid AND o.id = e.id)",
    ),
    (
        "geometries belong to no entity",
        "SELECT count(*) FROM geometry g WHERE NOT EXISTS "
        "(SELECT FROM entity e WHERE e.eid = g.eid)",
    ),
    (
        "rows of history belong to no object",
        "SELECT count(*) FROM history h WHERE NOT EXISTS "
        "(SELECT FROM object o WHERE o.eid = h.eid)",
    ),
    (
        "rows of history are superseded before they were recorded",
        "SELECT count(*) FROM history WHERE superseded < recorded",
    ),
    (
        "rows of history are live twice for one time",
        "SELECT count(*) FROM (SELECT FROM history WHERE superseded IS NULL "
        "GROUP BY eid, attr, dataset, at HAVING count(*) > 1) twice",
    ),
    (
        "rows of history share a live number",
        "SELECT count(*) FROM (SELECT FROM history WHERE superseded IS NULL "
        "GROUP BY eid, attr, number HAVING count(*) > 1) twice",
    ),
    (
        "entries are missing in the journal",
        "SELECT coalesce(max(seq) - min(seq) + 1 - count(*), 0) FROM journal",
    ),
    (
        "entries of the journal are beyond its counter",
        "SELECT count(*) FROM journal WHERE seq > (SELECT seq FROM counters)",
    ),
    (
        "objects have another state than their last entry of the journal",
        "SELECT count(*) FROM (SELECT DISTINCT ON (id) id, after FROM journal "
        "ORDER BY id, seq DESC) j LEFT JOIN entity e ON e.id = j.id "
        "WHERE e.doc IS DISTINCT FROM j.after",
    ),
    (
        "readers have a position beyond the journal's end",
        "SELECT count(*) FROM position WHERE seq > (SELECT seq FROM counters) "
        f"AND left(reader, 1) <> '{ELSEWHERE}'",
    ),
)


async def check(connection: Any, names: Names) -> list[str]:
    """Give what doesn't agree; nothing when all is well."""
    problems: list[str] = []
    for what, sql in _COUNTS:
        count = await connection.fetchval(sql)
        if count:
            problems.append(f"{count} {what}")
    async for problem in _iter_objects(connection, names):
        problems.append(problem)
        if len(problems) >= PROBLEMS_MAX:
            break
    return problems


async def _iter_objects(connection: Any, names: Names) -> AsyncIterator[str]:
    """Stream what is wrong with single objects."""
    last = 0
    while rows := await connection.fetch(_OBJECTS, last, CHUNK_ROWS):
        last = rows[-1]["eid"]
        eids = [row["eid"] for row in rows]
        live: dict[int, list[Any]] = {eid: [] for eid in eids}
        for row in await connection.fetch(_LIVE, eids):
            live[row["eid"]].append(row)
        shapes: dict[int, dict[tuple[str, str], tuple[bool, bytes]]] = {eid: {} for eid in eids}
        for eid, attr, dataset, first, geom in await connection.fetch(_GEOMETRIES, eids):
            shapes[eid][names.iri(attr), dataset] = (first, bytes(geom))
        for row in rows:
            for problem in _object_problems(row, live[row["eid"]], shapes[row["eid"]], names):
                yield f"{row['id']}: {problem}"


def _object_problems(
    row: Any,
    live: list[Any],
    shapes: dict[tuple[str, str], tuple[bool, bytes]],
    names: Names,
) -> list[str]:
    heads = [one for one in live if one["attr"] == 0]
    series = {(one["attr"], one["dataset"]) for one in live if one["attr"] != 0}
    problems = []
    if not heads:
        return ["no head in history"]
    if heads[0]["at"] != row["head_at"]:
        problems.append(f"born at {row['head_at']}, but its first head is of {heads[0]['at']}")
    if not series <= set(zip(row["attrs"], row["datasets"], strict=True)):
        problems.append("history has series that the object doesn't list")
    if row["entity_id"] is None:
        if heads[-1]["body"] is not None:
            problems.append("deleted in state, but not in history")
        bodies = [one["body"] for one in heads if one["body"] is not None]
        said = orjson.loads(bodies[-1]) if bodies else {"types": (), "scope": []}
        return problems + _said_problems(row, tuple(said["types"]), said["scope"], names)
    return [*problems, *_entity_problems(row, live, shapes, names)]


def _said_problems(row: Any, types: tuple[str, ...], scope: Any, names: Names) -> list[str]:
    """What a temporal query selects an object by must be its state's, or its last head's."""
    if names.types(row["said_typeset"]) == types and list(row["said_scope"]) == list(scope):
        return []
    return [f"its types and scope aren't {types} and {scope}"]


def _entity_problems(
    row: Any,
    live: list[Any],
    shapes: dict[tuple[str, str], tuple[bool, bytes]],
    names: Names,
) -> list[str]:
    entity = entity_of(row, names)
    problems = _said_problems(row, entity.types, entity.scope, names)
    if row["due"] != next_expiry(entity):
        problems.append(f"due {row['due']}, but expires at {next_expiry(entity)}")
    if orjson.loads(row["flat"]) != flatten(entity.attrs, lambda iri: names.find_tid(iri) or -1):
        problems.append("its comparable values aren't those of its document")
    wanted = {key: (first, ewkb(shape)) for key, (first, shape) in geometries(entity).items()}
    if shapes != wanted:
        problems.append("its geometries aren't those of its document")
    heads = [orjson.loads(one["body"]) for one in live if one["attr"] == 0 and one["body"]]
    if not any(
        {k: v for k, v in h.items() if k != "observedAt"} == head_body(entity) for h in heads
    ):
        problems.append(f"no head in history says {head_body(entity)}")
    return [*problems, *_instance_problems(entity, live, names)]


def _instance_problems(entity: Entity, live: list[Any], names: Names) -> list[str]:
    """Every current instance must be a live row of history, and none other may be missing."""
    problems = []
    bodies: dict[tuple[str, str], list[Any]] = {}
    for one in live:
        if one["attr"] != 0:
            body = None if one["body"] is None else orjson.loads(one["body"])
            bodies.setdefault((names.iri(one["attr"]), one["dataset"]), []).append(body)
    for attribute, instance in entity.iter_instances():
        dataset = instance.get("datasetId") or ""
        if instance not in bodies.get((attribute, dataset), ()):
            problems.append(f"{attribute} {dataset} is in state, but not in history")
    for (attribute, dataset), found in bodies.items():
        if found[-1] is not None and entity.instance(attribute, dataset or None) is None:
            problems.append(f"{attribute} {dataset} is in history, but not in state")
    return problems
