"""Which types and attributes current entities have (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw
import orjson

from conurb.model.query.tree import Restriction
from conurb.store.sqlite.journal import last_seq, read_journal
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import HEAD_TERM, Terms, texts
from conurb.store.sqlite.sources import Current, Parameters, Reach, conjunction
from conurb.store.usage import KeptUsage, Usage, retyped


def count_usage(
    connection: apsw.Connection,
    terms: Terms,
    restriction: Restriction,
    kept: KeptUsage,
    *,
    now_us: int,
) -> Usage:
    """Count what the entities that may be seen are made of, unless it is known."""
    seq = last_seq(connection)
    known = kept.find(restriction, seq=seq, now_us=now_us)
    if known is not None:
        return known
    after = kept.begin(restriction, seq=seq, now_us=now_us)
    if after is not None:
        records = read_journal(connection, after=after, limit=seq - after)
        if not _any_head(connection, retyped(records)):
            followed = kept.follow(records, seq=seq, now_us=now_us)
            if followed is not None:
                return followed
    reach = Reach(connection, terms, Parameters(), now_us)
    source = Current(reach)
    where = conjunction([source.alive(), Predicates(reach, restriction).restriction(source)])
    values = reach.parameters.values
    objects: list[Any] = connection.execute(
        f"SELECT e.types, count(*) FROM entity e WHERE {where} GROUP BY 1", values
    ).fetchall()
    instances: list[Any] = connection.execute(
        "SELECT e.types, a.key, i.value ->> '$.type', count(*) FROM entity e, "
        f"json_each(e.doc) a, json_each(a.value) i WHERE {where} GROUP BY 1, 2, 3",
        values,
    ).fetchall()
    until: Any = connection.execute(
        "SELECT min(expires) FROM entity WHERE due IS NOT NULL AND type IS NOT NULL"
    ).get
    usage = Usage(
        Counter({texts(types): count for types, count in objects}),
        Counter({(texts(types), name, kind): count for types, name, kind, count in instances}),
    )
    return kept.keep(usage, restriction, seq=seq, until_us=until)


def _any_head(connection: apsw.Connection, written: list[tuple[str, int]]) -> bool:
    """Whether one of these writes, as (id, stamp), changed more than attributes."""
    found = connection.execute(
        "SELECT 1 FROM json_each(?) w CROSS JOIN entity e ON e.id = w.value ->> 0 "
        f"CROSS JOIN history h ON h.eid = e.eid AND h.attr = {HEAD_TERM} "
        "AND h.recorded = w.value ->> 1 LIMIT 1",
        (orjson.dumps(written).decode(),),
    )
    return found.get is not None
