"""Which types and attributes current entities have (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from conurb.model.query.tree import Restriction
from conurb.store.contract import Record
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import JOURNAL_COLUMNS, record_of
from conurb.store.postgres.schema import HEAD_TERM
from conurb.store.usage import KeptUsage, Usage, retyped


async def count_usage(
    connection: Any, names: Names, restriction: Restriction, kept: KeptUsage, *, now_us: int
) -> Usage:
    """Count what the entities that may be seen are made of, unless it is known."""
    seq = int(await connection.fetchval("SELECT seq FROM counters"))
    known = kept.find(restriction, seq=seq, now_us=now_us)
    if known is not None:
        return known
    after = kept.begin(restriction, seq=seq, now_us=now_us)
    if after is not None:
        records = await _read(connection, names, after, seq)
        if not await _any_head(connection, retyped(records)):
            followed = kept.follow(records, seq=seq, now_us=now_us)
            if followed is not None:
                return followed
    selection = Selection(names, restriction, Moments(now_us))
    sql = f"SELECT e.typeset, count(*) FROM entity e WHERE {selection.visible_sql()} GROUP BY 1"
    objects = await connection.fetch(*selection.arguments.bind(sql))
    selection = Selection(names, restriction, Moments(now_us))
    sql = (
        "SELECT e.typeset, a.key, i ->> 'type', count(*) FROM entity e, json_each(e.doc::json) a, "
        f"json_array_elements(a.value) i WHERE {selection.visible_sql()} GROUP BY 1, 2, 3"
    )
    instances = await connection.fetch(*selection.arguments.bind(sql))
    until = await connection.fetchval("SELECT min(expires) FROM entity WHERE due IS NOT NULL")
    usage = Usage(
        Counter({tuple(names.types(sid)): count for sid, count in objects}),
        Counter(
            {
                (tuple(names.types(sid)), attribute, kind): count
                for sid, attribute, kind, count in instances
            }
        ),
    )
    return kept.keep(usage, restriction, seq=seq, until_us=until)


async def _read(connection: Any, names: Names, after: int, upto: int) -> list[Record]:
    rows = await connection.fetch(
        f"SELECT {JOURNAL_COLUMNS} FROM journal WHERE seq > $1 AND seq <= $2 ORDER BY seq",
        after,
        upto,
    )
    return [record_of(row, names) for row in rows]


async def _any_head(connection: Any, written: list[tuple[str, int]]) -> bool:
    """Whether one of these writes, as (id, stamp), changed more than attributes."""
    sql = (
        "SELECT EXISTS (SELECT FROM unnest($1::text[], $2::bigint[]) w (id, at) "
        "JOIN object o ON o.id = w.id "
        f"JOIN history h ON h.eid = o.eid AND h.attr = {HEAD_TERM} AND h.recorded = w.at)"
    )
    found = await connection.fetchval(sql, [one for one, _ in written], [at for _, at in written])
    return bool(found)
