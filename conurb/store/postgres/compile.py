"""A query as SQL: selection, order and page, over current state or the state at a time.

Both are a source of entities with the same columns (`conditions.Source`). Current state is the
table `entity`. The state at a time is put together from history, by one descent of its index per
series; of the attributes, only those that the query speaks of are, as the page itself is read
afterwards (`state_rows_sql`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from conurb.model.query.match import has_types
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Or,
    OrderBy,
    Query,
    Restriction,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    Selector,
)
from conurb.store.postgres.conditions import (
    FALSE,
    TRUE,
    Arguments,
    Conditions,
    Source,
    all_of,
    any_of,
)
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import ENTITY_COLUMNS, STATE_COLUMNS

_RELATION: Final = {
    "within": "ST_Within",
    "contains": "ST_Contains",
    "intersects": "ST_Intersects",
    "equals": "ST_Equals",
    "disjoint": "ST_Disjoint",
    "overlaps": "ST_Overlaps",
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
        self._conditions = Conditions(self.arguments, names, self._linked)

    # ── the statements ───────────────────────────────────────────────────────────────────────

    def page_sql(self, query: Query, limit: int) -> str:
        """Give the statement of a page: at most `limit` entities from `query.offset`."""
        source, sql = self._source(query)
        columns = f"e.id, e.eid, {STATE_COLUMNS if self._past else ENTITY_COLUMNS}"
        where = self._where(query, source)
        joins, keys = self._order(query.order, source)
        return (
            f"SELECT {columns} FROM {sql} {joins} WHERE {where} "
            f"ORDER BY {', '.join([*keys, 'e.id'])} LIMIT {int(limit)} OFFSET {int(query.offset)}"
        )

    def count_sql(self, query: Query) -> str:
        """Give the statement that counts all answers."""
        source, sql = self._source(query)
        return f"SELECT count(*) FROM {sql} WHERE {self._where(query, source)}"

    def visible_sql(self) -> str:
        """Give the predicate by which an entity `e` of current state may be seen."""
        return all_of([self._alive("e"), self.restriction_sql("e")])

    # ── the source ───────────────────────────────────────────────────────────────────────────

    @property
    def _past(self) -> bool:
        return self._moments.at_us is not None

    def _source(self, query: Query) -> tuple[Source, str]:
        if not self._past:
            return Source("e", flat=True), "entity e"
        return Source("e", flat=False), self._past_item("e", attributes_of(query))

    def _past_item(self, alias: str, needed: set[str] | None) -> str:
        """Give the objects as they were, with the attributes needed (None: all)."""
        at, live = moments_sql(self.arguments, self._moments)
        if needed is None:
            document = document_sql(at, live, TRUE)
        elif needed:
            tids = self.arguments.add(self._names.find_tids(sorted(needed)), "int[]")
            document = document_sql(at, live, f"s.attr = ANY ({tids})")
        else:
            document = "'{}'::jsonb"
        return (
            f"(SELECT o.eid, o.id, head.*, {document} AS doc FROM object o, "
            f"LATERAL ({head_sql(at, live)}) head) {alias}"
        )

    def _linked(self, alias: str) -> tuple[str, str]:
        item = self._past_item(alias, None) if self._past else f"entity {alias}"
        return item, all_of([self._alive(alias), self.restriction_sql(alias)])

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
            parts.append(
                f"EXISTS (SELECT FROM jsonb_each({alias}.doc::jsonb) a, "
                "jsonb_array_elements(a.value) i WHERE coalesce(i ->> 'datasetId', '@none') = "
                f"ANY ({self.arguments.add(list(query.datasets), 'text[]')}))"
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
        alias = source.alias
        if not source.flat:
            return f"{alias}.doc ?| {self.arguments.add(list(attributes), 'text[]')}"
        keys = [str(tid) for tid in self._names.find_tids(attributes)]
        return f"{alias}.flat ?| {self.arguments.add(keys, 'text[]')}" if keys else FALSE

    def scope_sql(self, condition: ScopeCondition, scope: str) -> str:
        """Give the predicate of a scope query on an array of scopes."""
        if not isinstance(condition, ScopeIs):
            parts = [self.scope_sql(item, scope) for item in condition.items]
            return all_of(parts) if isinstance(condition, ScopeAll) else any_of(parts)
        pattern = self.arguments.add(scope_pattern(condition.pattern), "text")
        return f"EXISTS (SELECT FROM unnest({scope}) held WHERE held ~ {pattern})"

    def geo_sql(self, geo: GeoCondition, source: Source) -> str:
        """Give the predicate of a geoquery."""
        alias = source.alias
        name = self.arguments.add(geo.attribute, "text")
        if source.flat:
            tid = self._names.find_tid(geo.attribute)
            if tid is None:
                return FALSE
            items = "geometry g"
            geometry = "g.geom"
            where = [f"g.eid = {alias}.eid", f"g.attr = {tid}"]
        else:
            items = f"jsonb_array_elements({alias}.doc::jsonb -> {name}) g"
            geometry = "ST_SetSRID(ST_GeomFromGeoJSON(g ->> 'value'), 4326)"
            where = ["g ->> 'type' = 'GeoProperty'"]
        return f"EXISTS (SELECT FROM {items} WHERE {all_of([*where, self._stands(geo, geometry)])})"

    def _stands(self, geo: GeoCondition, geometry: str) -> str:
        wkt = self.arguments.add(geo.geometry_wkt, "text")
        reference = f"ST_GeomFromText({wkt}, 4326)"
        if geo.relation != "near":
            return f"{_RELATION[geo.relation]}({geometry}, {reference})"
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
        node = f"({alias}.doc::jsonb)"
        for step in [*before, last] if ":" in last else before:
            node = f"({node} -> {self.arguments.add(step, 'text')} -> 0)"
        if ":" not in last:
            return _ranked_member(node, last)
        members = self.arguments.add(list(path.members), "text[]")
        value = f"order_value({node}, {members})"
        tid = self._names.find_tid(last)
        if source.flat and not before and not path.members:
            if tid is None:
                return nothing
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
        node = f"({source.alias}.doc -> {self.arguments.add(first, 'text')} -> 0)"
        return (
            f"(SELECT ST_Distance(geography(ST_GeomFromGeoJSON({node} ->> 'value')), {to}, false) "
            f"WHERE {node} ->> 'type' = 'GeoProperty')"
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


# ── the state at a time ──────────────────────────────────────────────────────────────────────


def moments_sql(arguments: Arguments, moments: Moments) -> tuple[str, str]:
    """Give the place of the time asked for, and what makes a row `h` known at the other one."""
    at = arguments.add(moments.at_us, "bigint")
    if moments.known_at_us is None:
        return at, "h.superseded IS NULL"
    known = arguments.add(moments.known_at_us, "bigint")
    return at, f"h.recorded <= {known} AND (h.superseded IS NULL OR h.superseded > {known})"


def head_sql(at: str, live: str) -> str:
    """Give the head of object `o` at the time: no row when it wasn't there."""
    return (
        "SELECT x.num::int AS typeset, "
        "ARRAY(SELECT jsonb_array_elements_text(x.body -> 'scope')) AS scope, "
        "(x.body ->> 'expires')::bigint AS expires, "
        f"(SELECT max(h.recorded) FROM history h WHERE h.eid = o.eid AND h.at <= {at} AND {live}) "
        "AS modified, "
        "(SELECT min(f.recorded) FROM history f WHERE f.eid = o.eid AND f.attr = 0) AS created "
        "FROM (SELECT h.num, h.body::jsonb AS body FROM history h "
        f"WHERE h.eid = o.eid AND h.attr = 0 AND h.dataset = '' AND h.at <= {at} AND {live} "
        "ORDER BY h.at DESC, h.recorded DESC LIMIT 1) x WHERE x.body IS NOT NULL"
    )


def _instance_sql(at: str, live: str, columns: str) -> str:
    """The row of series `s` of object `o` at the time, a tombstone too."""
    return (
        f"SELECT {columns} FROM history h WHERE h.eid = o.eid AND h.attr = s.attr "
        f"AND h.dataset = s.dataset AND h.at <= {at} AND {live} "
        "ORDER BY h.at DESC, h.recorded DESC LIMIT 1"
    )


_SERIES: Final = "unnest(o.attrs, o.datasets) s (attr, dataset)"


def document_sql(at: str, live: str, filtered: str) -> str:
    """Give the attributes of object `o` at the time as one document."""
    return (
        "coalesce((SELECT jsonb_object_agg(t.iri, a.instances) FROM ("
        'SELECT s.attr, jsonb_agg(x.body::jsonb ORDER BY s.dataset COLLATE "C") AS instances '
        f"FROM {_SERIES}, LATERAL ({_instance_sql(at, live, 'h.body')}) x "
        f"WHERE {filtered} AND x.body IS NOT NULL GROUP BY s.attr"
        ") a JOIN term t ON t.tid = a.attr), '{}')"
    )


def state_rows_sql(arguments: Arguments, moments: Moments, eids: list[int]) -> str:
    """Give the statement of the instances of objects at a time: eid, attr, body."""
    at, live = moments_sql(arguments, moments)
    which = arguments.add(eids, "bigint[]")
    return (
        "SELECT o.eid, s.attr, x.body FROM object o, "
        f"{_SERIES}, LATERAL ({_instance_sql(at, live, 'h.body')}) x "
        f"WHERE o.eid = ANY ({which}) AND x.body IS NOT NULL "
        'ORDER BY o.eid, s.attr, s.dataset COLLATE "C"'
    )


# ── what a query speaks of ───────────────────────────────────────────────────────────────────


def attributes_of(query: Query) -> set[str] | None:
    """Give the attributes that a query's conditions and order speak of; None for all."""
    if query.datasets:
        return None
    found = set(query.attributes)
    if query.geo is not None:
        found.add(query.geo.attribute)
    paths = [item.path for item in query.order]
    if query.condition is not None:
        paths += _paths(query.condition)
    for path in paths:
        first = path.steps[0]
        if isinstance(first, str) and ":" in first:
            found.add(first)
    return found


def _paths(condition: Condition) -> Iterator[AttributePath]:
    if isinstance(condition, And | Or):
        for item in condition.items:
            yield from _paths(item)
    elif isinstance(condition, Compare | Exists | Absent):
        yield condition.path


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
