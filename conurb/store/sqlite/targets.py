"""Paths as SQL: the rows that a path selects, and what is compared of each (match, points 1, 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conurb.errors import TooComplexQueryError
from conurb.model.query.targets import INSTANCE_TEXTS, INSTANCE_TIMES
from conurb.model.query.tree import AttributePath, Linked, TypeAny, TypeIs
from conurb.store.sqlite.selection import Selection
from conurb.store.sqlite.sources import Nodes, Parameters, Source, member

LINK_STEPS_MAX: Final = 5
"""Steps to linked entities in one path."""

ENTITY_TIMES: Final = {
    "createdAt": "created",
    "modifiedAt": "modified",
    "expiresAt": "expires",
}
"""Times of an entity, and the columns that hold them."""


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


class Targets:
    """Compiles the paths of one query."""

    def __init__(self, parameters: Parameters, selection: Selection) -> None:
        self.parameters = parameters
        self._selection = selection

    def target(self, source: Source, path: AttributePath) -> Target | None:
        """Compile a path to the rows of its targets; None when it selects nothing."""
        *before, last = path.steps
        if isinstance(last, Linked):
            return None
        if ":" in last:
            reached = self.nodes(source, path.steps)
            if reached is None:
                return None
            return self.value_target(reached[1], path.members)
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
        column = ENTITY_TIMES.get(name)
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
        restricted = self._selection.restriction(other)
        if restricted != "1":
            where.append(restricted)
        if step.types:
            kinds = tuple(TypeIs(iri) for iri in step.types)
            where.append(self._selection.types(other, TypeAny(kinds)))
        links = f"json_each({_links(nodes.body)}) {uri}"
        return other, Nodes((*nodes.tables, links, *row.tables), tuple(where), "")

    def value_target(self, nodes: Nodes, members: tuple[str, ...]) -> Target:
        """Compile the value of instances, or the member of it, as targets."""
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
