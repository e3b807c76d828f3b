"""Which types and attributes current entities have."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from conurb.model.query.tree import Restriction
from conurb.store.contract import AttributeInfo, TypeInfo
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.names import Names


async def list_types(
    connection: Any, names: Names, restriction: Restriction, moments: Moments
) -> list[TypeInfo]:
    """List types by IRI, with their entities' count and attributes."""
    selection = Selection(names, restriction, moments)
    sql = f"SELECT e.typeset, count(*) FROM entity e WHERE {selection.visible_sql()} GROUP BY 1"
    counts: dict[str, int] = defaultdict(int)
    for sid, count in await connection.fetch(*selection.arguments.bind(sql)):
        for iri in names.types(sid):
            counts[iri] += count
    kinds: dict[str, dict[str, set[str]]] = {iri: defaultdict(set) for iri in counts}
    instances = Selection(names, restriction, moments)
    for sid, attribute, kind, _ in await _count_instances(connection, instances):
        for iri in names.types(sid):
            kinds[iri][attribute].add(kind)
    return [
        TypeInfo(iri, counts[iri], {a: tuple(sorted(k)) for a, k in sorted(kinds[iri].items())})
        for iri in sorted(counts)
    ]


async def list_attributes(
    connection: Any, names: Names, restriction: Restriction, moments: Moments
) -> list[AttributeInfo]:
    """List attributes by IRI, with the count of their instances, kinds and types."""
    selection = Selection(names, restriction, moments)
    counts: dict[str, int] = defaultdict(int)
    kinds: dict[str, set[str]] = defaultdict(set)
    types: dict[str, set[str]] = defaultdict(set)
    for sid, attribute, kind, count in await _count_instances(connection, selection):
        counts[attribute] += count
        kinds[attribute].add(kind)
        types[attribute].update(names.types(sid))
    return [
        AttributeInfo(iri, counts[iri], tuple(sorted(kinds[iri])), tuple(sorted(types[iri])))
        for iri in sorted(counts)
    ]


async def _count_instances(connection: Any, selection: Selection) -> list[Any]:
    """Count instances by typeset, attribute and kind."""
    sql = (
        "SELECT e.typeset, a.key, i ->> 'type', count(*) FROM entity e, json_each(e.doc::json) a, "
        f"json_array_elements(a.value) i WHERE {selection.visible_sql()} GROUP BY 1, 2, 3"
    )
    rows: list[Any] = await connection.fetch(*selection.arguments.bind(sql))
    return rows
