"""Where a predicate finds an entity's values: current state, the state at a time, or a window.

A compiled predicate speaks of a row `e` that has `eid`, `id`, `type`, `types`, `scope`, `created`,
`modified` and `expires`. A source says where that row comes from and how its attributes are
reached. So one compiler serves current state, `state(at, known_at)` and temporal queries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import apsw

from conurb.errors import TooComplexQueryError
from conurb.store.sqlite.rows import HEAD_TERM, Terms
from conurb.store.sqlite.values import IRREGULAR

PARAMETERS_MAX: Final = 10_000
"""Values bound by one query."""


_NAMED: Final = re.compile(r":(p\d+)\b")


class Parameters:
    """The values that a query binds; SQL text never holds one itself."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._aliases = 0

    def add(self, value: Any) -> str:
        """Bind a value; give its name in SQL."""
        if len(self.values) >= PARAMETERS_MAX:
            raise TooComplexQueryError(f"a query binds at most {PARAMETERS_MAX} values")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            value = float(value)
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def alias(self, prefix: str) -> str:
        """Give a table alias that isn't used yet."""
        self._aliases += 1
        return f"{prefix}{self._aliases}"


@dataclass(frozen=True, slots=True)
class Nodes:
    """Instances as rows: what goes behind FROM and WHERE, the document, its regular value."""

    tables: tuple[str, ...]
    where: tuple[str, ...]
    body: str
    value: str | None = None


class Source(Protocol):
    """How the values of the entity in row `alias` are reached."""

    @property
    def alias(self) -> str:
        """Give the alias of the entity's row."""
        ...

    def value(self, attribute: str) -> str | None:
        """Give the attribute's regular value as an expression; None when there may be several."""
        ...

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the attribute's instances; None when there can't be any."""
        ...

    def first(self, attribute: str) -> str | None:
        """Give the document of the attribute's first instance as an expression."""
        ...

    def exists(self, attribute: str) -> str:
        """Give the predicate that there is an instance of the attribute."""
        ...

    def every_body(self) -> Nodes:
        """Give the instances of all attributes."""
        ...

    def linked(self, uri: str) -> tuple[Source, Nodes]:
        """Step to the entity whose id is the expression `uri`."""
        ...


def member(document: str, key: str, parameters: Parameters) -> str:
    """Give the member of a JSON document as JSON, whatever characters the key has."""
    if '"' in key or "\\" in key or any(ord(char) < 32 for char in key):
        name = parameters.add(key)
        return (
            f"(SELECT json_extract(json_object('v', CASE WHEN k.type IN ('object', 'array') "
            f"THEN json(k.value) ELSE k.value END), '$.v') "
            f"FROM json_each({document}) k WHERE k.key = {name})"
        )
    path = parameters.add(f'$."{key}"')
    return f"({document} -> {path})"


def from_clause(nodes: Nodes) -> str:
    """Write what stands behind SELECT for rows of instances."""
    tables = f" FROM {' CROSS JOIN '.join(nodes.tables)}" if nodes.tables else ""
    where = f" WHERE {' AND '.join(nodes.where)}" if nodes.where else ""
    return tables + where


def exists_in(nodes: Nodes, predicate: str) -> str:
    """Give the predicate that one of the rows satisfies another."""
    where = " AND ".join((*nodes.where, predicate))
    tables = f" FROM {' CROSS JOIN '.join(nodes.tables)}" if nodes.tables else ""
    return f"EXISTS (SELECT 1{tables} WHERE {where})"


def joined(items: list[str], operator: str) -> str:
    """Join predicates; none joined by AND is true, by OR false."""
    if not items:
        return "1" if operator == "AND" else "0"
    return items[0] if len(items) == 1 else "(" + f" {operator} ".join(items) + ")"


def conjunction(items: list[str]) -> str:
    """Join predicates that all have to hold."""
    return joined([item for item in items if item != "1"], "AND")


Question = tuple[str, tuple[tuple[str, Any], ...] | None]
"""A statement that gives one value, and what it binds; or an IRI, and None for its short name."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What every source needs: the connection, the short names, the parameters, the present.

    `answers` keeps what a compilation asked of the store and was told: where another store tells
    the same, the statements that were compiled hold there too. `known` are answers that are known
    to hold still, and takes in new ones.
    """

    connection: apsw.Connection
    terms: Terms
    parameters: Parameters
    now_us: int
    answers: dict[Question, Any] = field(default_factory=dict)
    known: dict[Question, Any] = field(default_factory=dict)

    def term(self, iri: str) -> int | None:
        """Find the short name of an IRI."""
        number = self.answers[iri, None] = self.terms.find(self.connection, iri)
        return number

    def ask(self, statement: str, **bound: Any) -> Any:
        """Ask the store for one value that decides how a query is compiled."""
        question = statement, tuple(bound.items())
        answer = self.answers[question] = self._answer(question)
        return answer

    def ask_of_query(self, statement: str) -> Any:
        """Ask the store for one value, with the parameters that the statement names."""
        names = dict.fromkeys(_NAMED.findall(statement))
        return self.ask(statement, **{name: self.parameters.values[name] for name in names})

    def holds(self, answers: Mapping[Question, Any]) -> bool:
        """Whether this store gives the same answers."""
        return all(self._answer(question) == answer for question, answer in answers.items())

    def _answer(self, question: Question) -> Any:
        text, bound = question
        if bound is None:
            return self.terms.find(self.connection, text)
        try:
            return self.known[question]
        except KeyError:
            answer = self.known[question] = self.connection.execute(text, dict(bound)).get
            return answer


@dataclass(frozen=True, slots=True)
class Current:
    """Current state: the row is one of `entity`."""

    reach: Reach
    alias: str = "e"

    def alive(self) -> str:
        """Give the predicate that the entity is there."""
        now = self.reach.parameters.add(self.reach.now_us)
        expires = f"({self.alias}.expires IS NULL OR {self.alias}.expires > {now})"
        return f"+{self.alias}.type IS NOT NULL AND {expires}"

    def value(self, attribute: str) -> str | None:
        """Give the attribute's regular value; exactly as the expression indexes have it."""
        term = self.reach.term(attribute)
        return "NULL" if term is None else f"({self.alias}.flat ->> '$.a{term}')"

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the attribute's instances."""
        if self.reach.term(attribute) is None:
            return None
        name = self.reach.parameters.alias("n")
        document = member(f"{self.alias}.doc", attribute, self.reach.parameters)
        return Nodes((f"json_each({document}) {name}",), (), f"{name}.value")

    def first(self, attribute: str) -> str | None:
        """Give the document of the attribute's first instance."""
        if self.reach.term(attribute) is None:
            return None
        return f"({member(f'{self.alias}.doc', attribute, self.reach.parameters)} -> 0)"

    def exists(self, attribute: str) -> str:
        """Give the predicate that there is an instance of the attribute."""
        value = self.value(attribute)
        return f"{value} IS NOT NULL"

    def every_body(self) -> Nodes:
        """Give the instances of all attributes."""
        a, i = self.reach.parameters.alias("a"), self.reach.parameters.alias("i")
        return Nodes(
            (f"json_each({self.alias}.doc) {a}", f"json_each({a}.value) {i}"), (), f"{i}.value"
        )

    def linked(self, uri: str) -> tuple[Source, Nodes]:
        """Step to the entity whose id is the expression `uri`."""
        other = replace(self, alias=self.reach.parameters.alias("l"))
        where = (f"{other.alias}.id = {uri}", other.alive())
        return other, Nodes((f"entity {other.alias}",), where, "")


@dataclass(frozen=True, slots=True)
class AsOf:
    """The state at a time, as far as it was known at another.

    `at` and `known` are names of parameters; `known` None means now. The row joins `entity` with
    the head that was in force.
    """

    reach: Reach
    at: str
    known: str | None
    alias: str = "e"

    def row(self) -> str:
        """Give the entity's row as a table expression, heads in force only, in order of id."""
        return (
            "(SELECT o.eid, o.id, h.val AS type, (h.body ->> '$.types') AS types, "
            "(h.body ->> '$.scope') AS scope, "
            f"(SELECT min(c.recorded) FROM history c WHERE c.eid = o.eid AND c.attr = {HEAD_TERM}) "
            f"AS created, (SELECT max(m.recorded) FROM history m WHERE m.eid = o.eid "
            f"AND m.at <= {self.at} AND {self._live('m')}) AS modified, "
            "(h.body ->> '$.expires') AS expires "
            f"FROM entity o CROSS JOIN history h WHERE {self._in_force('h', 'o', HEAD_TERM)} "
            f"AND h.dataset = 0 AND h.body IS NOT NULL) {self.alias}"
        )

    def alive(self) -> str:
        """Give the predicate that the entity is there at that time."""
        return f"({self.alias}.expires IS NULL OR {self.alias}.expires > {self.at})"

    def _live(self, name: str) -> str:
        if self.known is None:
            return f"{name}.superseded IS NULL"
        return (
            f"{name}.recorded <= {self.known} "
            f"AND ({name}.superseded IS NULL OR {name}.superseded > {self.known})"
        )

    def _in_force(self, name: str, owner: str, term: int) -> str:
        """Give the predicate that `name` is the latest row of its (attribute, datasetId)."""
        return (
            f"{name}.eid = {owner}.eid AND {name}.attr = {term} AND {self._live(name)} "
            f"AND {name}.at = (SELECT max(g.at) FROM history g WHERE g.eid = {owner}.eid "
            f"AND g.attr = {term} AND g.dataset = {name}.dataset AND g.at <= {self.at} "
            f"AND {self._live('g')})"
        )

    def value(self, attribute: str) -> str | None:
        """Give the attribute's regular value; irregular when a datasetId was ever used."""
        term = self.reach.term(attribute)
        if term is None:
            return "NULL"
        marker = self.reach.parameters.add(IRREGULAR)
        of = f"v.eid = {self.alias}.eid AND v.attr = {term}"
        return (
            f"CASE WHEN EXISTS (SELECT 1 FROM history v WHERE {of} AND v.dataset > 0) "
            f"THEN {marker} ELSE (SELECT CASE WHEN v.body IS NOT NULL THEN v.val END "
            f"FROM history v WHERE {of} AND v.dataset = 0 "
            f"AND v.at <= {self.at} AND {self._live('v')} ORDER BY v.at DESC LIMIT 1) END"
        )

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the attribute's instances in force."""
        term = self.reach.term(attribute)
        if term is None:
            return None
        name = self.reach.parameters.alias("n")
        where = (self._in_force(name, self.alias, term), f"{name}.body IS NOT NULL")
        return Nodes((f"history {name}",), where, f"{name}.body", f"{name}.val")

    def first(self, attribute: str) -> str | None:
        """Give the document of the attribute's first instance: the default, then by datasetId."""
        nodes = self.nodes(attribute)
        if nodes is None:
            return None
        name = nodes.body.partition(".")[0]
        return (
            f"(SELECT {nodes.body} FROM {nodes.tables[0]} WHERE {' AND '.join(nodes.where)} "
            f"ORDER BY (SELECT t.iri FROM term t WHERE t.id = {name}.dataset) LIMIT 1)"
        )

    def exists(self, attribute: str) -> str:
        """Give the predicate that there is an instance of the attribute."""
        nodes = self.nodes(attribute)
        if nodes is None:
            return "0"
        return f"EXISTS (SELECT 1 FROM {nodes.tables[0]} WHERE {' AND '.join(nodes.where)})"

    def every_body(self) -> Nodes:
        """Give the instances of all attributes in force."""
        name = self.reach.parameters.alias("n")
        where = (
            f"{name}.eid = {self.alias}.eid AND {name}.attr <> {HEAD_TERM}",
            f"{name}.body IS NOT NULL AND {self._live(name)}",
            f"{name}.at = (SELECT max(g.at) FROM history g WHERE g.eid = {name}.eid "
            f"AND g.attr = {name}.attr AND g.dataset = {name}.dataset AND g.at <= {self.at} "
            f"AND {self._live('g')})",
        )
        return Nodes((f"history {name}",), where, f"{name}.body", f"{name}.val")

    def linked(self, uri: str) -> tuple[Source, Nodes]:
        """Step to the entity whose id is the expression `uri`, as it was at that time."""
        other = replace(self, alias=self.reach.parameters.alias("l"))
        return other, Nodes((other.row(),), (f"{other.alias}.id = {uri}", other.alive()), "")
