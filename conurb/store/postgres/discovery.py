"""Which types and attributes current entities have (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from typing import Any

from conurb.model.query.tree import Restriction
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.names import Names
from conurb.store.usage import KeptUsage, Usage


async def count_usage(
    connection: Any, names: Names, restriction: Restriction, kept: KeptUsage, *, now_us: int
) -> Usage:
    """Count what the entities that may be seen are made of, unless it is known."""
    seq = int(await connection.fetchval("SELECT seq FROM counters"))
    known = kept.find(restriction, seq=seq, now_us=now_us)
    if known is not None:
        return known
    selection = Selection(names, restriction, Moments(now_us))
    sql = f"SELECT e.typeset, count(*) FROM entity e WHERE {selection.visible_sql()} GROUP BY 1"
    objects = await connection.fetch(*selection.arguments.bind(sql))
    selection = Selection(names, restriction, Moments(now_us))
    sql = (
        "SELECT e.typeset, a.key, i ->> 'type', count(*) FROM entity e, json_each(e.doc::json) a, "
        f"json_array_elements(a.value) i WHERE {selection.visible_sql()} GROUP BY 1, 2, 3"
    )
    instances = await connection.fetch(*selection.arguments.bind(sql))
    until = await connection.fetchval(
        "SELECT min(expires) FROM entity WHERE due IS NOT NULL AND expires > $1", now_us
    )
    usage = Usage(
        tuple((tuple(names.types(sid)), count) for sid, count in objects),
        tuple(
            (tuple(names.types(sid)), attribute, kind, count)
            for sid, attribute, kind, count in instances
        ),
    )
    return kept.keep(usage, restriction, seq=seq, until_us=until)
