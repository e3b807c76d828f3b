"""Which types and attributes current entities have (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from collections import Counter, defaultdict

import apsw

from conurb.model.query.tree import Restriction
from conurb.store.contract import AttributeInfo, TypeInfo
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import Terms, texts
from conurb.store.sqlite.sources import Current, Parameters, Reach, conjunction


def _seen(
    connection: apsw.Connection, terms: Terms, restriction: Restriction, now_us: int
) -> tuple[str, Parameters]:
    """Give the predicate for the entities that may be seen."""
    reach = Reach(connection, terms, Parameters(), now_us)
    source = Current(reach)
    where = conjunction([source.alive(), Predicates(reach, restriction).restriction(source)])
    return where, reach.parameters


def _usage(
    connection: apsw.Connection, where: str, parameters: Parameters
) -> list[tuple[tuple[str, ...], str, str, int]]:
    """Count instances by (types of the entity, attribute, kind)."""
    rows = connection.execute(
        "SELECT e.types, a.key, i.value ->> '$.type', count(*) FROM entity e, "
        f"json_each(e.doc) a, json_each(a.value) i WHERE {where} GROUP BY 1, 2, 3",
        parameters.values,
    )
    return [(texts(types), attribute, kind, count) for types, attribute, kind, count in rows]


def list_types(
    connection: apsw.Connection, terms: Terms, restriction: Restriction, *, now_us: int
) -> list[TypeInfo]:
    """List the types of current entities, by IRI."""
    where, parameters = _seen(connection, terms, restriction, now_us)
    counts: Counter[str] = Counter()
    rows = connection.execute(
        f"SELECT e.types, count(*) FROM entity e WHERE {where} GROUP BY 1", parameters.values
    )
    for types, count in rows:
        for iri in texts(types):
            counts[iri] += count
    kinds: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for types, attribute, kind, _ in _usage(connection, where, parameters):
        for iri in types:
            kinds[iri][attribute].add(kind)
    return [
        TypeInfo(
            iri,
            counts[iri],
            {name: tuple(sorted(found)) for name, found in sorted(kinds[iri].items())},
        )
        for iri in sorted(counts)
    ]


def list_attributes(
    connection: apsw.Connection, terms: Terms, restriction: Restriction, *, now_us: int
) -> list[AttributeInfo]:
    """List the attributes of current entities, by IRI."""
    where, parameters = _seen(connection, terms, restriction, now_us)
    counts: Counter[str] = Counter()
    kinds: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for types, attribute, kind, count in _usage(connection, where, parameters):
        counts[attribute] += count
        kinds[attribute].add(kind)
        owners[attribute].update(types)
    return [
        AttributeInfo(iri, counts[iri], tuple(sorted(kinds[iri])), tuple(sorted(owners[iri])))
        for iri in sorted(counts)
    ]
