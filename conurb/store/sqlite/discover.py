"""Which types and attributes current entities have (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from typing import Any

import apsw

from conurb.model.query.tree import Restriction
from conurb.store.sqlite.journal import last_seq
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import Terms, texts
from conurb.store.sqlite.sources import Current, Parameters, Reach, conjunction
from conurb.store.usage import KeptUsage, Usage


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
        "SELECT min(expires) FROM entity WHERE due IS NOT NULL AND expires > ?", (now_us,)
    ).get
    usage = Usage(
        tuple((texts(types), count) for types, count in objects),
        tuple((texts(types), name, kind, count) for types, name, kind, count in instances),
    )
    return kept.keep(usage, restriction, seq=seq, until_us=until)
