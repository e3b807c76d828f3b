"""The syntax tree of a query as SQL predicates over one entity's row.

`conurb.model.query.match` is the specification; its points are named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from conurb.errors import TooComplexQueryError
from conurb.model.query.targets import INSTANCE_TEXTS, INSTANCE_TIMES
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    Linked,
    Or,
    Restriction,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    Selector,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.store.sqlite.comparison import (
    general_predicate,
    moment_predicate,
    regular_predicate,
    time_predicate,
)
from conurb.store.sqlite.sources import Nodes, Parameters, Reach, Source, member
from conurb.store.sqlite.values import IRREGULAR

CONDITIONS_MAX: Final = 200
"""Comparisons in one query; SQLite bounds the depth of an expression."""

LINK_STEPS_MAX: Final = 5
"""Steps to linked entities in one path."""

_ENTITY_TIMES: Final = {
    "createdAt": "created",
    "modifiedAt": "modified",
    "expiresAt": "expires",
}


@dataclass(slots=True)
class Target:
    """The targets of a path as rows: instances, and what is compared of each.

    Exactly one of `time` (fixed-width text) and `alternatives` (JSON array) is given; `kind` is
    the class of the target. All are expressions over `nodes`.
    """

    nodes: Nodes
    kind: str = "'plain'"
    alternatives: str | None = None
    time: str | None = None


class Predicates:
    """Compiles the parts of one query."""

    def __init__(self, reach: Reach, restriction: Restriction) -> None:
        self._reach = reach
        self.parameters: Parameters = reach.parameters
        self._restriction = restriction
        self._comparisons = 0

    # ── types, scopes, ids (7, 10) ────────────────────────────────────────────────────────────

    def types(self, source: Source, selection: TypeSelection) -> str:
        """Compile a type selection."""
        if isinstance(selection, TypeIs):
            return self._type_is(source, selection.iri)
        items = [self.types(source, item) for item in selection.items]
        return _joined(items, "AND" if isinstance(selection, TypeAll) else "OR")

    def _type_is(self, source: Source, iri: str) -> str:
        alias, name = source.alias, self.parameters.add(iri)
        term = self._reach.term(iri)
        several = f"EXISTS (SELECT 1 FROM json_each({alias}.types) t WHERE t.value = {name})"
        if term is None:
            return "0"
        marker = self.parameters.add(IRREGULAR)
        # The sign keeps the index on types out: whatever else the query says is narrower.
        kind = f"+{alias}.type"
        return f"({kind} = {term} OR ({kind} IN (0, {marker}) AND {several}))"

    def scope(self, source: Source, condition: ScopeCondition) -> str:
        """Compile a scope query."""
        if isinstance(condition, ScopeIs):
            return self._scope_is(source, condition.pattern)
        items = [self.scope(source, item) for item in condition.items]
        return _joined(items, "AND" if isinstance(condition, ScopeAll) else "OR")

    def _scope_is(self, source: Source, pattern: str) -> str:
        name = self.parameters.alias("s")
        if pattern == "/#":
            fits = "1"
        elif "+" in pattern.split("/"):
            fits = f"conurb_scope_fits({self.parameters.add(pattern)}, {name}.value)"
        elif pattern.endswith("/#"):
            fits = self._below(f"{name}.value", pattern[:-2])
        else:
            fits = f"{name}.value = {self.parameters.add(pattern)}"
        return f"EXISTS (SELECT 1 FROM json_each({source.alias}.scope) {name} WHERE {fits})"

    def _below(self, value: str, root: str) -> str:
        """Give the predicate that a scope is `root` or lies below it."""
        base = root.rstrip("/")
        exact, first, after = map(self.parameters.add, (root, base + "/", base + "0"))
        return f"({value} = {exact} OR ({value} >= {first} AND {value} < {after}))"

    def restriction(self, source: Source) -> str:
        """Compile what the caller may see at most."""
        parts = []
        if self._restriction.types is not None:
            kinds = tuple(TypeIs(iri) for iri in self._restriction.types)
            parts.append(self.types(source, TypeAny(kinds)))
        if self._restriction.scopes is not None:
            name = self.parameters.alias("s")
            fits = [self._below(f"{name}.value", root) for root in self._restriction.scopes]
            parts.append(
                f"EXISTS (SELECT 1 FROM json_each({source.alias}.scope) {name} "
                f"WHERE {_joined(fits, 'OR')})"
            )
        return _joined(parts, "AND")

    def selector(self, source: Source, selector: Selector) -> str:
        """Compile a selector."""
        parts = []
        if selector.ids:
            ids = self.parameters.add(orjson.dumps(list(selector.ids)).decode())
            parts.append(f"{source.alias}.id IN (SELECT value FROM json_each({ids}))")
        if selector.id_pattern is not None:
            pattern = self.parameters.add(selector.id_pattern)
            parts.append(f"conurb_matches({pattern}, {source.alias}.id)")
        if selector.types is not None:
            parts.append(self.types(source, selector.types))
        return _joined(parts, "AND")

    def datasets(self, source: Source, datasets: tuple[str, ...]) -> str:
        """Compile: one instance of any attribute has one of these datasetIds."""
        nodes = source.every_body()
        value = f"coalesce({nodes.body} ->> '$.datasetId', '@none')"
        names = ", ".join(self.parameters.add(dataset) for dataset in datasets)
        return _exists(nodes, f"{value} IN ({names})")

    # ── conditions (1 to 5) ───────────────────────────────────────────────────────────────────

    def condition(self, source: Source, condition: Condition) -> str:
        """Compile a condition."""
        if isinstance(condition, And | Or):
            items = [self.condition(source, item) for item in condition.items]
            return _joined(items, "AND" if isinstance(condition, And) else "OR")
        self._comparisons += 1
        if self._comparisons > CONDITIONS_MAX:
            raise TooComplexQueryError(f"a query has at most {CONDITIONS_MAX} comparisons")
        if isinstance(condition, Compare):
            return self._compare(source, condition)
        exists = self._exists(source, condition.path)
        return exists if isinstance(condition, Exists) else f"NOT {exists}"

    def _compare(self, source: Source, compare: Compare) -> str:
        steps = compare.path.steps
        if len(steps) == 1 and isinstance(steps[0], str):
            if ":" not in steps[0]:
                return self._compare_own(source, steps[0], compare)
            if not compare.path.members:
                return self._compare_attribute(source, steps[0], compare)
        return self._compare_targets(source, compare)

    def _compare_attribute(self, source: Source, attribute: str, compare: Compare) -> str:
        """Compare the regular value at once, and unfold the document of what is irregular."""
        value = source.value(attribute)
        if value is None:
            return self._compare_instances(source, attribute, compare)
        if value == "NULL":
            return "0"
        return f"({self.regular(value, compare)} OR {self.irregular(source, value, compare)})"

    def _compare_instances(self, source: Source, attribute: str, compare: Compare) -> str:
        """Compare instance by instance, each by its regular value where it has one."""
        nodes = source.nodes(attribute)
        if nodes is None:
            return "0"
        if nodes.value is None:
            return self._compare_targets(source, compare)
        marker = self.parameters.add(IRREGULAR)
        regular = self.regular(nodes.value, compare)
        target = self._value_target(Nodes((), (), nodes.body), ())
        general = self._holds(target, compare)
        return _exists(nodes, f"({regular} OR ({nodes.value} = {marker} AND {general}))")

    def regular(self, value: str, compare: Compare) -> str:
        """Compare a regular value."""
        return regular_predicate(value, compare, self.parameters)

    def irregular(self, source: Source, value: str, compare: Compare) -> str:
        """Compare what is marked as irregular."""
        marker = self.parameters.add(IRREGULAR)
        return f"({value} = {marker} AND {self._compare_targets(source, compare)})"

    def _compare_targets(self, source: Source, compare: Compare) -> str:
        target = self.target(source, compare.path)
        return "0" if target is None else self._holds(target, compare)

    def _holds(self, target: Target, compare: Compare) -> str:
        if target.time is not None:
            return _exists(target.nodes, time_predicate(target.time, compare, self.parameters))
        assert target.alternatives is not None  # noqa: S101 - one of the two is given
        nodes = target.nodes
        inner = Nodes(
            (
                f"(SELECT {target.kind} AS kind, {target.alternatives} AS alternatives"
                f"{_from(nodes)}) q",
            ),
            (),
            "",
        )
        holds = general_predicate("q.alternatives", "q.kind", compare, self.parameters)
        return _exists(inner, f"q.alternatives IS NOT NULL AND {holds}")

    def _compare_own(self, source: Source, name: str, compare: Compare) -> str:
        """Compare a system member of the entity itself."""
        alias = source.alias
        if compare.path.members:
            return "0"
        if name in _ENTITY_TIMES:
            return moment_predicate(f"{alias}.{_ENTITY_TIMES[name]}", compare, self.parameters)
        if name == "id":
            return general_predicate(f"json_array({alias}.id)", "'plain'", compare, self.parameters)
        if name in ("type", "scope"):
            texts = f"{alias}.{'types' if name == 'type' else 'scope'}"
            holds = general_predicate(texts, "'texts'", compare, self.parameters)
            return f"(json_array_length({texts}) > 0 AND {holds})"
        return "0"

    def _exists(self, source: Source, path: AttributePath) -> str:
        *before, last = path.steps
        if not before and isinstance(last, str) and not path.members:
            if ":" in last:
                return f"({source.exists(last)})"
            return self._own_exists(source, last)
        if isinstance(last, str) and ":" in last and not path.members:
            nodes = self.nodes(source, path.steps)
            return "0" if nodes is None else _exists(nodes[1], "1")
        target = self.target(source, path)
        if target is None:
            return "0"
        value = target.time if target.time is not None else target.alternatives
        return _exists(target.nodes, f"{value} IS NOT NULL")

    def _own_exists(self, source: Source, name: str) -> str:
        alias = source.alias
        if name in ("id", "type"):
            return "1"
        if name == "scope":
            return f"(coalesce(json_array_length({alias}.scope), 0) > 0)"
        column = _ENTITY_TIMES.get(name)
        return "0" if column is None else f"({alias}.{column} IS NOT NULL)"

    # ── targets ───────────────────────────────────────────────────────────────────────────────

    def target(self, source: Source, path: AttributePath) -> Target | None:
        """Compile a path to the rows of its targets; None when it selects nothing."""
        *before, last = path.steps
        if isinstance(last, Linked):
            return None
        if ":" in last:
            reached = self.nodes(source, path.steps)
            if reached is None:
                return None
            return self._value_target(reached[1], path.members)
        if path.members:
            return None
        reached = self.nodes(source, tuple(before))
        if reached is None:
            return None
        holder, nodes = reached
        if holder is not None:
            return self._own_target(holder, nodes, last)
        text = f"({nodes.body} ->> '$.{last}')"
        if last in INSTANCE_TIMES:
            present = Nodes(nodes.tables, (*nodes.where, f"{text} IS NOT NULL"), nodes.body)
            return Target(present, time=text)
        if last in INSTANCE_TEXTS:
            value = f"({nodes.body} -> '$.{last}')"
            return Target(nodes, _kind_of(value), _listed(value))
        return None

    def _own_target(self, holder: Source, nodes: Nodes, name: str) -> Target | None:
        """Compile a system member of a linked entity."""
        alias = holder.alias
        if name == "id":
            return Target(nodes, alternatives=f"json_array({alias}.id)")
        if name in ("type", "scope"):
            texts = f"{alias}.{'types' if name == 'type' else 'scope'}"
            return Target(nodes, "'texts'", f"CASE WHEN {texts} <> '[]' THEN {texts} END")
        column = _ENTITY_TIMES.get(name)
        if column is None:
            return None
        text = (
            f"(strftime('%Y-%m-%dT%H:%M:%S', {alias}.{column} / 1000000 - "
            f"({alias}.{column} % 1000000 < 0), 'unixepoch') || printf('.%06dZ', "
            f"({alias}.{column} % 1000000 + 1000000) % 1000000))"
        )
        present = Nodes(nodes.tables, (*nodes.where, f"{alias}.{column} IS NOT NULL"), "")
        return Target(present, time=text)

    def nodes(
        self, source: Source, steps: tuple[str | Linked, ...]
    ) -> tuple[Source | None, Nodes] | None:
        """Walk the steps of a path: the instances at its end, or the linked entity."""
        holder: Source | None = source
        nodes = Nodes((), (), "")
        links = 0
        for step in steps:
            if isinstance(step, Linked):
                links += 1
                if links > LINK_STEPS_MAX:
                    raise TooComplexQueryError(
                        f"a path goes to linked entities at most {LINK_STEPS_MAX} times"
                    )
                if holder is not None:
                    return None
                holder, nodes = self._step_linked(source, nodes, step)
                source = holder
                continue
            if ":" not in step:
                return None
            found = holder.nodes(step) if holder is not None else self._sub_nodes(nodes, step)
            if found is None:
                return None
            nodes = Nodes(
                nodes.tables + found.tables, nodes.where + found.where, found.body, found.value
            )
            holder = None
        return holder, nodes

    def _sub_nodes(self, nodes: Nodes, attribute: str) -> Nodes:
        name = self.parameters.alias("n")
        document = member(nodes.body, attribute, self.parameters)
        return Nodes((f"json_each({document}) {name}",), (), f"{name}.value")

    def _step_linked(self, source: Source, nodes: Nodes, step: Linked) -> tuple[Source, Nodes]:
        uri = self.parameters.alias("u")
        other, row = source.linked(f"{uri}.value")
        where = list(nodes.where) + list(row.where)
        restricted = self.restriction(other)
        if restricted != "1":
            where.append(restricted)
        if step.types:
            kinds = tuple(TypeIs(iri) for iri in step.types)
            where.append(self.types(other, TypeAny(kinds)))
        links = f"json_each({_links(nodes.body)}) {uri}"
        return other, Nodes((*nodes.tables, links, *row.tables), tuple(where), "")

    def _value_target(self, nodes: Nodes, members: tuple[str, ...]) -> Target:
        body = nodes.body
        kind = f"({body} ->> '$.type')"
        value = (
            f"coalesce({body} -> '$.value', {body} -> '$.vocab', {body} -> '$.json', "
            f"{body} -> '$.valueList')"
        )
        for name in members:
            document = f"CASE WHEN json_type({value}) = 'object' THEN {value} END"
            value = member(f"({document})", name, self.parameters)
        links = "NULL" if members else _links(body)
        texts = self._texts(body, members)
        alternatives = (
            f"CASE {kind} WHEN 'LanguageProperty' THEN {texts} "
            f"WHEN 'Relationship' THEN {links} WHEN 'ListRelationship' THEN {links} "
            f"ELSE {_listed(value)} END"
        )
        classes = (
            f"CASE {kind} WHEN 'LanguageProperty' THEN 'texts' WHEN 'Relationship' THEN 'links' "
            f"WHEN 'ListRelationship' THEN 'links' ELSE {_kind_of(value)} END"
        )
        return Target(nodes, classes, alternatives)

    def _texts(self, body: str, members: tuple[str, ...]) -> str:
        """Give the texts of a language map as a JSON array, NULL when there are none."""
        if len(members) > 1:
            return "NULL"
        a, b = self.parameters.alias("m"), self.parameters.alias("m")
        chosen = ""
        if members and members != ("*",):
            chosen = f"AND {a}.key = {self.parameters.add(members[0])} "
        return (
            f"(SELECT nullif(json_group_array({b}.value), '[]') "
            f"FROM json_each({body} -> '$.languageMap') {a}, "
            f"json_each(CASE {a}.type WHEN 'array' THEN {a}.value "
            f"ELSE json_array({a}.value) END) {b} "
            f"WHERE {b}.type = 'text' {chosen})"
        )


def _typed(value: str) -> str:
    """Let a typed value (an object with `@value`) stand for that value."""
    inner = f"({value} -> '$.\"@value\"')"
    return (
        f"CASE WHEN json_type({value}) = 'object' THEN coalesce({inner}, {value}) ELSE {value} END"
    )


def _listed(value: str) -> str:
    """Give the alternatives of a JSON value as an array, NULL for what is missing or null."""
    typed = f"({_typed(value)})"
    return (
        f"CASE coalesce(json_type({typed}), 'null') WHEN 'null' THEN NULL "
        f"WHEN 'array' THEN {typed} WHEN 'object' THEN '[]' ELSE json_array(json({typed})) END"
    )


def _kind_of(value: str) -> str:
    return f"CASE json_type({_typed(value)}) WHEN 'array' THEN 'list' ELSE 'plain' END"


def _links(body: str) -> str:
    """Give the URIs of a relationship as a JSON array; NULL for another kind."""
    member_ = f"coalesce({body} -> '$.object', {body} -> '$.objectList')"
    return (
        f"CASE WHEN {body} ->> '$.type' IN ('Relationship', 'ListRelationship') THEN "
        f"(SELECT json_group_array(r.uri) FROM (SELECT CASE o.type WHEN 'object' "
        f"THEN o.value ->> '$.object' WHEN 'text' THEN o.value END AS uri "
        f"FROM json_each({member_}) o) r WHERE typeof(r.uri) = 'text') END"
    )


def _from(nodes: Nodes) -> str:
    tables = f" FROM {' CROSS JOIN '.join(nodes.tables)}" if nodes.tables else ""
    where = f" WHERE {' AND '.join(nodes.where)}" if nodes.where else ""
    return tables + where


def _exists(nodes: Nodes, predicate: str) -> str:
    where = " AND ".join((*nodes.where, predicate))
    tables = f" FROM {' CROSS JOIN '.join(nodes.tables)}" if nodes.tables else ""
    return f"EXISTS (SELECT 1{tables} WHERE {where})"


def _joined(items: list[str], operator: str) -> str:
    """Join predicates; none joined by AND is true, by OR false."""
    if not items:
        return "1" if operator == "AND" else "0"
    return items[0] if len(items) == 1 else "(" + f" {operator} ".join(items) + ")"


def conjunction(items: list[str]) -> str:
    """Join predicates that all have to hold."""
    return _joined([item for item in items if item != "1"], "AND")
