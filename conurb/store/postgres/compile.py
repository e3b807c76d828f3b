"""A query as SQL: selection, order and page, over current state or the state at a time.

Both are a source of entities with the same columns (`sources`). Current state is the table
`entity`. The state at a time is put together from history, by one descent of its index per series
that the query speaks of; the page itself is read afterwards (`Past.bodies_sql`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from conurb.model.query.match import has_types
from conurb.model.query.tree import (
    AttributePath,
    Condition,
    GeoCondition,
    OrderBy,
    Query,
    Restriction,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    Selector,
)
from conurb.store.postgres.conditions import Conditions
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import ENTITY_COLUMNS, STATE_COLUMNS
from conurb.store.postgres.sources import FALSE, Arguments, Current, Past, Source, all_of, any_of

_RELATION: Final = {
    "within": "ST_Within",
    "contains": "ST_Contains",
    "intersects": "ST_Intersects",
    "equals": "ST_Equals",
    "disjoint": "ST_Disjoint",
    "overlaps": "ST_Overlaps",
    "touches": "ST_Touches",
    "crosses": "ST_Crosses",
}
_ESCAPED: Final = frozenset(r"\.[](){}*+?|^$")


@dataclass(frozen=True, slots=True)
class Moments:
    """The moment that a state is of: `at_us`, as known at `known_at_us`; `now_us` is now."""

    now_us: int
    at_us: int | None = None
    known_at_us: int | None = None


class Selection:
    """The FROM and WHERE of one query, and what it is ordered by."""

    def __init__(self, names: Names, restriction: Restriction, moments: Moments) -> None:
        self.arguments = Arguments()
        self._names = names
        self._restriction = restriction
        self._moments = moments
        self._now = self.arguments.add(moments.now_us, "bigint")
        self._past = past_of(self.arguments, names, moments)
        self._conditions = Conditions(self.arguments, names, self._linked, self.geo_sql)

    # ── the statements ───────────────────────────────────────────────────────────────────────

    def page_sql(self, query: Query, limit: int) -> str:
        """Give the statement of a page: at most `limit` entities from `query.offset`."""
        source, sql = self._source("e")
        columns = f"e.id, e.eid, {ENTITY_COLUMNS if self._past is None else STATE_COLUMNS}"
        where = self._where(query, source)
        joins, keys = self._order(query.order, source)
        return (
            f"SELECT {columns} FROM {sql} {joins} WHERE {where} "
            f"ORDER BY {', '.join([*keys, 'e.id'])} LIMIT {int(limit)} OFFSET {int(query.offset)}"
        )

    def places_sql(self, query: Query, attribute: str, dataset: str | None) -> str | None:
        """Give the statement of ids and geometries by id; None when nothing has the attribute."""
        source, sql = self._source("e")
        node = source.first(attribute)
        nodes = source.nodes(attribute)
        if node is None or nodes is None:
            return None
        if dataset is not None:
            named = f"{nodes.node} ->> 'datasetId' = {self.arguments.add(dataset, 'text')}"
            where = " AND ".join((*nodes.where, named))
            node = f"(SELECT {nodes.node} FROM {', '.join(nodes.items)} WHERE {where} LIMIT 1)"
        return (
            "SELECT p.id, p.node ->> 'value' AS place FROM ("
            f"SELECT e.id, {node} AS node FROM {sql} WHERE {self._where(query, source)} "
            f"ORDER BY e.id LIMIT {int(query.limit)}) p WHERE p.node ->> 'type' = 'GeoProperty'"
        )

    def count_sql(self, query: Query) -> str:
        """Give the statement that counts all answers."""
        source, sql = self._source("e")
        return f"SELECT count(*) FROM {sql} WHERE {self._where(query, source)}"

    @property
    def compared(self) -> set[str]:
        """Give the attributes whose values are compared at once, which an index would serve."""
        return self._conditions.compared

    def visible_sql(self) -> str:
        """Give the predicate by which an entity `e` of current state may be seen."""
        return all_of([self._alive("e"), self.restriction_sql("e")])

    def where_sql(self, query: Query, alias: str) -> str:
        """Give the predicate that an entity of current state, in row `alias`, answers a query."""
        return self._where(query, Current(self.arguments, self._names, alias))

    # ── the source ───────────────────────────────────────────────────────────────────────────

    def _source(self, alias: str) -> tuple[Source, str]:
        """Give a source of that alias, and its FROM item."""
        if self._past is None:
            return Current(self.arguments, self._names, alias), f"entity {alias}"
        past = replace(self._past, alias=alias)
        return past, past.item()

    def _linked(self, alias: str) -> tuple[Source, str, str]:
        source, item = self._source(alias)
        return source, item, all_of([self._alive(alias), self.restriction_sql(alias)])

    # ── WHERE ────────────────────────────────────────────────────────────────────────────────

    def restriction_sql(self, alias: str) -> str:
        """Give the predicate that the caller may see an entity."""
        parts = []
        types, scopes = self._restriction.types, self._restriction.scopes
        if types is not None:
            sids = self._conditions.typesets(types)
            parts.append(self._conditions.one_of_typesets(alias, sids))
        if scopes is not None:
            roots = [root.rstrip("/") for root in scopes]
            parts.append(
                f"EXISTS (SELECT FROM unnest({alias}.scope) held, "
                f"unnest({self.arguments.add(list(scopes), 'text[]')}, "
                f"{self.arguments.add(roots, 'text[]')}) root (self, above) "
                "WHERE held = self OR starts_with(held, above || '/'))"
            )
        return all_of(parts)

    def _where(self, query: Query, source: Source) -> str:
        alias = source.alias
        parts = [self._alive(alias), self.restriction_sql(alias)]
        if query.selectors:
            parts.append(any_of([self.selector_sql(s, alias) for s in query.selectors]))
        if query.attributes:
            parts.append(self._has_attributes(query.attributes, source))
        if query.datasets:
            nodes = source.every()
            wanted = self.arguments.add(list(query.datasets), "text[]")
            parts.append(
                nodes.exists(f"coalesce({nodes.node} ->> 'datasetId', '@none') = ANY ({wanted})")
            )
        if query.scope is not None:
            parts.append(self.scope_sql(query.scope, f"{alias}.scope"))
        if query.condition is not None:
            parts.append(self.condition_sql(query.condition, source))
        if query.geo is not None:
            parts.append(self.geo_sql(query.geo, source))
        return all_of(parts)

    def condition_sql(self, condition: Condition, source: Source) -> str:
        """Give the predicate of a condition."""
        return self._conditions.compile(condition, source)

    def _alive(self, alias: str) -> str:
        when = self._now
        if self._moments.at_us is not None:
            when = self.arguments.add(self._moments.at_us, "bigint")
        return f"({alias}.expires IS NULL OR {alias}.expires > {when})"

    def selector_sql(self, selector: Selector, alias: str) -> str:
        """Give the predicate of a selector."""
        parts = []
        if selector.ids:
            ids = [one for one in selector.ids if "\0" not in one]
            parts.append(f"{alias}.id = ANY ({self.arguments.add(ids, 'text[]')})")
        if selector.id_pattern is not None:
            parts.append(f"{alias}.id ~ {self.arguments.add(selector.id_pattern, 'text')}")
        if selector.types is not None:
            wanted = selector.types
            sids = self._names.list_sids(lambda types: has_types(wanted, types))
            parts.append(self._conditions.one_of_typesets(alias, sids))
        return all_of(parts)

    def _has_attributes(self, attributes: tuple[str, ...], source: Source) -> str:
        if not source.flat:
            found = [nodes for name in attributes if (nodes := source.nodes(name)) is not None]
            return any_of([nodes.exists() for nodes in found])
        keys = [str(tid) for tid in self._names.find_tids(attributes)]
        return f"{source.alias}.flat ?| {self.arguments.add(keys, 'text[]')}" if keys else FALSE

    def scope_sql(self, condition: ScopeCondition, scope: str) -> str:
        """Give the predicate of a scope query on an array of scopes."""
        if not isinstance(condition, ScopeIs):
            parts = [self.scope_sql(item, scope) for item in condition.items]
            return all_of(parts) if isinstance(condition, ScopeAll) else any_of(parts)
        pattern = self.arguments.add(scope_pattern(condition.pattern), "text")
        return f"EXISTS (SELECT FROM unnest({scope}) held WHERE held ~ {pattern})"

    def geo_sql(self, geo: GeoCondition, source: Source) -> str:
        """Give the predicate of a geoquery."""
        if source.flat:
            tid = self._names.find_tid(geo.attribute)
            if tid is None:
                return FALSE
            row = f"g.eid = {source.alias}.eid AND g.attr = {tid}"
            return f"EXISTS (SELECT FROM geometry g WHERE {row} AND {self._stands(geo, 'g.geom')})"
        nodes = source.nodes(geo.attribute)
        if nodes is None:
            return FALSE
        # Only a GeoProperty's value is read as a geometry.
        geometry = f"ST_SetSRID(ST_GeomFromGeoJSON({nodes.node} ->> 'value'), 4326)"
        stands = self._stands(geo, geometry)
        return nodes.exists(
            f"CASE WHEN {nodes.node} ->> 'type' = 'GeoProperty' THEN {stands} ELSE FALSE END"
        )

    def _stands(self, geo: GeoCondition, geometry: str) -> str:
        wkt = self.arguments.add(geo.geometry_wkt, "text")
        reference = f"ST_GeomFromText({wkt}, 4326)"
        if geo.relation != "near":
            stands = f"{_RELATION[geo.relation]}({geometry}, {reference})"
            return f"NOT {stands}" if geo.negated else stands
        parts = []
        both = f"geography({geometry}), geography({reference})"
        if geo.distance_m_max is not None:
            metres = self.arguments.add(float(geo.distance_m_max), "float8")
            parts.append(f"ST_DWithin({both}, {metres}, false)")
        if geo.distance_m_min is not None:
            metres = self.arguments.add(float(geo.distance_m_min), "float8")
            parts.append(f"ST_Distance({both}, false) > {metres}")
        return all_of(parts)

    # ── ORDER BY ─────────────────────────────────────────────────────────────────────────────

    def _order(self, order: tuple[OrderBy, ...], source: Source) -> tuple[str, list[str]]:
        joins: list[str] = []
        keys: list[str] = []
        for number, item in enumerate(order):
            alias = f"by{number}"
            direction = " DESC" if item.descending else ""
            if item.distance_from_wkt is not None:
                value = self._distance(item.path, item.distance_from_wkt, source)
                keys += [f"{value} IS NULL", f"{value}{direction}"]
                continue
            joins.append(f"CROSS JOIN LATERAL {self._ranked(item.path, source)} {alias}")
            keys += [f"{alias}.rank", f"{alias}.number{direction}"]
            if item.collated:
                keys.append(
                    f"CASE WHEN {alias}.rank = 1 THEN collation_key({alias}.said) "
                    f'COLLATE "C" END{direction}'
                )
            keys.append(f'{alias}.said COLLATE "C"{direction}')
        return " ".join(joins), keys

    def _ranked(self, path: AttributePath, source: Source) -> str:
        """Give a FROM item with rank, number and text that a path is ordered by."""
        alias = source.alias
        nothing = "ranked(NULL)"
        if any(not isinstance(step, str) for step in path.steps):
            return nothing
        *before, last = (str(step) for step in path.steps)
        if any(":" not in step for step in before) or (":" not in last and path.members):
            return nothing
        if not before and ":" not in last:
            return _ranked_system(last, alias)
        names = [*before, last] if ":" in last else before
        node = source.first(names[0])
        if node is None:
            return nothing
        for step in names[1:]:
            node = f"({node} -> {self.arguments.add(step, 'text')} -> 0)"
        if ":" not in last:
            return _ranked_member(node, last)
        members = self.arguments.add(list(path.members), "text[]")
        value = f"order_value({node}, {members})"
        tid = self._names.find_tid(last)
        if source.flat and not before and not path.members:
            flat = f"({alias}.flat -> '{tid}')"
            value = (
                f"CASE WHEN jsonb_typeof({flat}) = 'null' THEN {value} "
                f"WHEN jsonb_typeof({flat}) = 'array' THEN {flat} -> 0 ELSE {flat} END"
            )
        return f"ranked({value})"

    def _distance(self, path: AttributePath, wkt: str, source: Source) -> str:
        """Give the distance in metres of the first instance of an attribute, NULL without."""
        first = path.steps[0]
        tid = self._names.find_tid(first) if isinstance(first, str) else None
        if tid is None or len(path.steps) != 1:
            return "NULL::float8"
        to = f"geography(ST_GeomFromText({self.arguments.add(wkt, 'text')}, 4326))"
        if source.flat:
            return (
                f"(SELECT ST_Distance(geography(g.geom), {to}, false) FROM geometry g "
                f"WHERE g.eid = {source.alias}.eid AND g.attr = {tid} AND g.first)"
            )
        node = source.first(str(first))
        return (
            "(SELECT ST_Distance(geography(ST_GeomFromGeoJSON(f.node ->> 'value')), "
            f"{to}, false) FROM (SELECT {node} AS node) f WHERE f.node ->> 'type' = 'GeoProperty')"
        )


def _ranked_system(name: str, alias: str) -> str:
    if name == "id":
        return f"ranked(to_jsonb({alias}.id))"
    if name == "type":
        return "ranked('[]')"
    if name == "scope":
        return f"ranked(CASE WHEN {alias}.scope <> '{{}}' THEN '[]'::jsonb END)"
    column = {"createdAt": "created", "modifiedAt": "modified", "expiresAt": "expires"}.get(name)
    if column is None:
        return "ranked(NULL)"
    value = f"{alias}.{column}"
    return (
        f"(SELECT CASE WHEN {value} IS NULL THEN 9 ELSE 5 END AS rank, {value} AS number, "
        "NULL AS said)"
    )


def _ranked_member(node: str, name: str) -> str:
    if name in ("observedAt", "createdAt", "modifiedAt"):
        return (
            f"(SELECT CASE WHEN {node} ? '{name}' THEN 5 ELSE 9 END AS rank, "
            f"NULL::numeric AS number, {node} ->> '{name}' AS said)"
        )
    if name in ("unitCode", "datasetId", "type", "objectType"):
        return f"ranked({node} -> '{name}')"
    return "ranked(NULL)"


def past_of(arguments: Arguments, names: Names, moments: Moments) -> Past | None:
    """Give the source of the state at the time asked for; None for current state."""
    if moments.at_us is None:
        return None
    at = arguments.add(moments.at_us, "bigint")
    live = "h.superseded IS NULL"
    if moments.known_at_us is not None:
        known = arguments.add(moments.known_at_us, "bigint")
        live = f"h.recorded <= {known} AND (h.superseded IS NULL OR h.superseded > {known})"
    return Past(arguments, names, "e", at, live)


def scope_pattern(pattern: str) -> str:
    """Write a scope pattern as a regular expression over a whole scope.

    >>> scope_pattern("/yrd/+/#")
    '\\\\A/yrd/[^/]*(/.*)?\\\\Z'
    """
    levels = pattern.split("/")[1:]
    tail = ""
    if levels[-1] == "#":
        levels, tail = levels[:-1], "(/.*)?"
    body = "".join("/[^/]*" if level == "+" else "/" + _escape(level) for level in levels)
    return rf"\A{body}{tail}\Z"


def _escape(text: str) -> str:
    return "".join("\\" + char if char in _ESCAPED else char for char in text)
