"""Pages of entities: of current state, and of the state at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from conurb.errors import BadRequestDataError
from conurb.model.entity import Attributes, Entity
from conurb.model.query.tree import Query
from conurb.model.query.types import together
from conurb.model.tiles.places import Place
from conurb.store.contract import Page
from conurb.store.postgres.compile import Moments, Selection, past_of
from conurb.store.postgres.connection import driver
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import entity_of
from conurb.store.postgres.sources import Arguments


@dataclass(slots=True)
class Selected:
    """A page, and the attributes whose values were compared, which indexes would serve."""

    page: Page
    compared: set[str] = field(default_factory=set)


async def select_page(connection: Any, names: Names, query: Query, moments: Moments) -> Selected:
    """Read one page of a query; `connection` sees one moment's data all the time."""
    query = replace(query, selectors=together(query.selectors))
    compared: set[str] = set()
    rows: list[Any] = []
    try:
        if query.limit > 0:
            selection = Selection(names, query.restriction, moments)
            sql = selection.page_sql(query, query.limit + 1)
            rows = await connection.fetch(*selection.arguments.bind(sql))
            compared = selection.compared
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        total = None
        if query.count:
            total = query.offset + len(rows)
            if more or query.limit == 0 or not rows:
                total = await _count(connection, names, query, moments)
    except driver().InternalServerError as error:
        if query.geo is None:
            raise
        # PostGIS can't relate every kind of geometry, collections above all.
        raise BadRequestDataError(f"geoquery: {error}") from error
    if moments.at_us is None:
        return Selected(Page([entity_of(row, names) for row in rows], total, more), compared)
    return Selected(Page(await _past_entities(connection, names, rows, moments), total, more))


async def select_places(
    connection: Any,
    names: Names,
    query: Query,
    attribute: str,
    *,
    dataset: str | None,
    moments: Moments,
) -> list[Place]:
    """Give where the objects are that a query selects."""
    selection = Selection(names, query.restriction, moments)
    sql = selection.places_sql(query, attribute, dataset)
    if sql is None:
        return []
    rows = await connection.fetch(*selection.arguments.bind(sql))
    return [(row["id"], orjson.loads(row["place"])) for row in rows]


async def _count(connection: Any, names: Names, query: Query, moments: Moments) -> int:
    selection = Selection(names, query.restriction, moments)
    sql = selection.count_sql(query)
    return int(await connection.fetchval(*selection.arguments.bind(sql)))


async def _past_entities(
    connection: Any, names: Names, heads: list[Any], moments: Moments
) -> list[Entity]:
    """Put entities together as they were, attribute by attribute."""
    if not heads:
        return []
    arguments = Arguments()
    past = past_of(arguments, names, moments)
    if past is None:
        return []
    sql = past.bodies_sql([row["eid"] for row in heads])
    attrs: dict[int, Attributes] = {row["eid"]: {} for row in heads}
    for eid, attr, body in await connection.fetch(*arguments.bind(sql)):
        attrs[eid].setdefault(names.iri(attr), []).append(orjson.loads(body))
    return [
        Entity(
            row["id"],
            names.types(row["typeset"]),
            attrs[row["eid"]],
            tuple(row["scope"]),
            row["created"],
            row["modified"],
            row["expires"],
        )
        for row in heads
    ]
