"""Where objects were at a time: ids and geometries, and nothing else of them."""

from __future__ import annotations

import apsw
import orjson

from conurb.model.query.tree import Query
from conurb.model.tiles.places import Place
from conurb.store.sqlite.rows import Terms
from conurb.store.sqlite.select import AsOfSelect
from conurb.store.sqlite.sources import AsOf, Parameters, Reach


def select_places(
    connection: apsw.Connection,
    terms: Terms,
    query: Query,
    attribute: str,
    *,
    dataset: str | None,
    now_us: int,
    at_us: int,
) -> list[Place]:
    """Give where the objects were that a query selects of the state at a time."""
    reach = Reach(connection, terms, Parameters(), now_us)
    source = AsOf(reach, reach.parameters.add(at_us), None)
    select = AsOfSelect(reach, query, source)
    place = _place(source, attribute, dataset)
    if place is None:
        return []
    [(table, where)] = select.arms()
    limit = reach.parameters.add(query.limit)
    found = select.execute(
        f"SELECT e.id, {place} FROM {table} WHERE {where} ORDER BY e.id LIMIT {limit}"
    )
    read = ((one, orjson.loads(body)) for one, body in found if body is not None)
    return [(one, body["value"]) for one, body in read if body["type"] == "GeoProperty"]


def _place(source: AsOf, attribute: str, dataset: str | None) -> str | None:
    """Give the document of the instance that is meant; None when there can't be any."""
    if dataset is None:
        return source.first(attribute)
    nodes = source.nodes(attribute)
    if nodes is None:
        return None
    named = f"{nodes.body} ->> '$.datasetId' = {source.reach.parameters.add(dataset)}"
    where = " AND ".join((*nodes.where, named))
    return f"(SELECT {nodes.body} FROM {nodes.tables[0]} WHERE {where} LIMIT 1)"
