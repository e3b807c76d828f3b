"""Where a predicate finds an entity's attribute instances: current state, or the state at a time.

A source is a FROM item of entities with the columns eid, id, typeset, scope, created, modified and
expires. It says how the instances of an attribute are reached, as jsonb *nodes*; a third source,
the rows of a time window, is in `window`. So one compiler serves them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from conurb.errors import TooComplexQueryError
from conurb.store.postgres.names import Names

ARGUMENTS_MAX: Final = 10_000
"""Values bound by one query."""

TRUE: Final = "TRUE"
FALSE: Final = "FALSE"
_PLACE: Final = re.compile(r"\$(\d+)::")


def any_of(parts: list[str]) -> str:
    """Join predicates with OR."""
    kept = [part for part in parts if part != FALSE]
    if TRUE in kept:
        return TRUE
    return kept[0] if len(kept) == 1 else "(" + " OR ".join(kept) + ")" if kept else FALSE


def all_of(parts: list[str]) -> str:
    """Join predicates with AND."""
    kept = [part for part in parts if part != TRUE]
    if FALSE in kept:
        return FALSE
    return kept[0] if len(kept) == 1 else "(" + " AND ".join(kept) + ")" if kept else TRUE


@dataclass(slots=True)
class Arguments:
    """The arguments of one statement, numbered as they come, and its aliases."""

    values: list[Any] = field(default_factory=list)
    aliases: int = 0

    def add(self, value: Any, kind: str) -> str:
        """Add an argument; give its place, with its type."""
        if len(self.values) >= ARGUMENTS_MAX:
            raise TooComplexQueryError(f"a query binds at most {ARGUMENTS_MAX} values")
        self.values.append(value)
        return f"${len(self.values)}::{kind}"

    def alias(self) -> str:
        """Give a name that nothing in the statement has yet."""
        self.aliases += 1
        return f"n{self.aliases}"

    def bind(self, sql: str) -> tuple[Any, ...]:
        """Give a statement with the values of the arguments that it has, numbered anew."""
        used: dict[int, int] = {}

        def place(match: re.Match[str]) -> str:
            return f"${used.setdefault(int(match[1]), len(used) + 1)}::"

        return _PLACE.sub(place, sql), *(self.values[number - 1] for number in used)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Instances as rows: FROM items, what has to hold, and the expression of the node."""

    items: tuple[str, ...]
    where: tuple[str, ...]
    node: str

    def exists(self, holds: str = "TRUE") -> str:
        """Give the predicate that there is a node for which something holds."""
        where = " AND ".join([*self.where, holds])
        return f"EXISTS (SELECT FROM {', '.join(self.items)} WHERE {where})"


class Source(Protocol):
    """How the instances of the entity in row `alias` are reached."""

    @property
    def alias(self) -> str:
        """Give the alias of the entity's row."""
        ...

    @property
    def flat(self) -> bool:
        """Whether the row has `flat`."""
        ...

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the instances of an attribute; None when there can't be any."""
        ...

    def every(self) -> Nodes:
        """Give the instances of all attributes."""
        ...

    def first(self, attribute: str) -> str | None:
        """Give the first instance of an attribute as an expression; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Current:
    """Current state: a row of `entity`."""

    arguments: Arguments
    names: Names
    alias: str
    flat: bool = True

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the instances of an attribute."""
        if self.names.find_tid(attribute) is None:
            return None
        node = self.arguments.alias()
        name = self.arguments.add(attribute, "text")
        return Nodes((f"jsonb_array_elements({self.alias}.doc::jsonb -> {name}) {node}",), (), node)

    def every(self) -> Nodes:
        """Give the instances of all attributes."""
        attribute, node = self.arguments.alias(), self.arguments.alias()
        items = (
            f"jsonb_each({self.alias}.doc::jsonb) {attribute}",
            f"jsonb_array_elements({attribute}.value) {node}",
        )
        return Nodes(items, (), node)

    def first(self, attribute: str) -> str | None:
        """Give the first instance of an attribute."""
        if self.names.find_tid(attribute) is None:
            return None
        return f"({self.alias}.doc::jsonb -> {self.arguments.add(attribute, 'text')} -> 0)"


@dataclass(frozen=True, slots=True)
class Past:
    """The state at a time: a row of `item`.

    `at` is the place of the time, `live` what makes a row `h` of history known.
    """

    arguments: Arguments
    names: Names
    alias: str
    at: str
    live: str
    flat: bool = False

    def item(self) -> str:
        """Give the FROM item of the objects that were there."""
        where = f"h.eid = o.eid AND h.at <= {self.at} AND {self.live}"
        return (
            "(SELECT o.eid, o.id, o.attrs, o.datasets, head.num::int AS typeset, "
            "ARRAY(SELECT jsonb_array_elements_text(head.body::jsonb -> 'scope')) AS scope, "
            "CASE WHEN strpos(head.body, '\"expires\"') > 0 "
            "THEN (head.body::jsonb ->> 'expires')::bigint END AS expires, "
            "(SELECT min(h.recorded) FROM history h WHERE h.eid = o.eid AND h.attr = 0) "
            "AS created, "
            f"(SELECT max(h.recorded) FROM history h WHERE {where}) AS modified "
            "FROM object o, LATERAL (SELECT h.num, h.body FROM history h "
            f"WHERE {where} AND h.attr = 0 AND h.dataset = '' "
            f"ORDER BY h.at DESC, h.recorded DESC LIMIT 1) head WHERE head.body IS NOT NULL) "
            f"{self.alias}"
        )

    def _series(self, which: str) -> tuple[str, Nodes]:
        series, row = self.arguments.alias(), self.arguments.alias()
        attr = f"{series}.attr"
        seek = (
            f"h.eid = {self.alias}.eid AND h.attr = {attr} AND h.dataset = {series}.dataset "
            f"AND h.at <= {self.at} AND {self.live} ORDER BY h.at DESC, h.recorded DESC LIMIT 1"
        )
        items = (
            f"unnest({self.alias}.attrs, {self.alias}.datasets) {series} (attr, dataset)",
            f"LATERAL (SELECT h.body::jsonb AS node FROM history h WHERE {seek}) {row}",
        )
        where = (which.format(attr=attr), f"{row}.node IS NOT NULL")
        return f"{series}.dataset", Nodes(items, where, f"{row}.node")

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the instances of an attribute that were in force."""
        tid = self.names.find_tid(attribute)
        return None if tid is None else self._series(f"{{attr}} = {tid}")[1]

    def every(self) -> Nodes:
        """Give the instances of all attributes that were in force."""
        return self._series("TRUE")[1]

    def first(self, attribute: str) -> str | None:
        """Give the first instance of an attribute that was in force."""
        tid = self.names.find_tid(attribute)
        if tid is None:
            return None
        dataset, nodes = self._series(f"{{attr}} = {tid}")
        return (
            f"(SELECT {nodes.node} FROM {', '.join(nodes.items)} "
            f'WHERE {" AND ".join(nodes.where)} ORDER BY {dataset} COLLATE "C" LIMIT 1)'
        )

    def bodies_sql(self, eids: list[int]) -> str:
        """Give the statement of all instances of some objects: eid, attr, body, in order."""
        seek = (
            "h.eid = o.eid AND h.attr = s.attr AND h.dataset = s.dataset "
            f"AND h.at <= {self.at} AND {self.live} ORDER BY h.at DESC, h.recorded DESC LIMIT 1"
        )
        return (
            "SELECT o.eid, s.attr, x.body FROM object o, "
            "unnest(o.attrs, o.datasets) s (attr, dataset), "
            f"LATERAL (SELECT h.body FROM history h WHERE {seek}) x "
            f"WHERE o.eid = ANY ({self.arguments.add(eids, 'bigint[]')}) AND x.body IS NOT NULL "
            'ORDER BY o.eid, s.attr, s.dataset COLLATE "C"'
        )
