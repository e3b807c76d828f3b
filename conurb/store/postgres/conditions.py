"""Conditions of a query as SQL: the meaning is that of `conurb.model.query.match`.

Where a source has `flat`, a comparison with a plain attribute is one expression over it, on which
an index can stand, and the general predicate over the nodes decides for irregular values alone
(JSON null in `flat`). The general predicate takes a short way itself for a Property with one
number, text or boolean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from conurb.errors import TooComplexQueryError
from conurb.model.query.match import compares
from conurb.model.query.targets import (
    ENTITY_TIMES,
    INSTANCE_TEXTS,
    INSTANCE_TIMES,
    Target,
)
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Linked,
    OneOf,
    Operator,
    Or,
    Range,
    Scalar,
)
from conurb.store.postgres.comparison import Comparisons
from conurb.store.postgres.names import Names
from conurb.store.postgres.sources import FALSE, TRUE, Arguments, Source, all_of, any_of

CONDITIONS_MAX: Final = 500
"""Conditions of one query, those that join others included."""

_ENTITY_TIME: Final = {"createdAt": "created", "modifiedAt": "modified", "expiresAt": "expires"}


_ID: Final = AttributePath(("id",))
_PLAIN: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
"""Operators as SQL has them for a text that is always there."""

Inner = Callable[[str, str], str]
"""Gives the predicate over a target, from the SQL of its kind and of its alternatives."""


class Conditions:
    """Compiles the conditions of one statement.

    `linked` gives, for an alias, the entities that a path may go to: as a source, its FROM item,
    and the predicate by which they may be seen; `geo` compiles a geoquery. `compared` collects the
    attributes whose values are compared at once, which an index would serve.
    """

    def __init__(
        self,
        arguments: Arguments,
        names: Names,
        linked: Callable[[str], tuple[Source, str, str]],
        geo: Callable[[GeoCondition, Source], str],
    ) -> None:
        self._arguments = arguments
        self._names = names
        self._comparisons = Comparisons(arguments)
        self.linked = linked
        self._geo = geo
        self.compared: set[str] = set()
        self._count = 0

    def compile(self, condition: Condition, source: Source) -> str:
        """Give the predicate of a condition on a source.

        Raises TooComplexQueryError over `CONDITIONS_MAX`.
        """
        self._count += 1
        if self._count > CONDITIONS_MAX:
            raise TooComplexQueryError(f"a query has at most {CONDITIONS_MAX} conditions")
        if isinstance(condition, And):
            return all_of([self.compile(item, source) for item in condition.items])
        if isinstance(condition, Or):
            return any_of([self.compile(item, source) for item in condition.items])
        if isinstance(condition, Exists):
            return self._exists(condition.path, source)
        if isinstance(condition, Absent):
            return f"NOT {self._exists(condition.path, source)}"
        if isinstance(condition, GeoCondition):
            return self._geo(condition, source)
        return self._compare(condition, source)

    # ── existence ────────────────────────────────────────────────────────────────────────────

    def _exists(self, path: AttributePath, source: Source) -> str:
        last = path.steps[-1]
        if path.members or isinstance(last, Linked) or ":" not in last:
            return self._on_targets(path, source, lambda kind, items: TRUE)
        if len(path.steps) == 1 and source.flat:
            tid = self._names.find_tid(last)
            return FALSE if tid is None else f"{source.alias}.flat ? '{tid}'"
        walk = _Walk(self, self._arguments, source)
        return walk.exists(TRUE) if walk.go(path.steps) else FALSE

    # ── comparison ───────────────────────────────────────────────────────────────────────────

    def _compare(self, compare: Compare, source: Source) -> str:
        path, operator, operand = compare.path, compare.operator, compare.operand
        first = path.steps[0]
        if path.steps == ("type",):
            return self._compare_type(path, operator, operand, source)
        if (
            path.steps == ("id",)
            and not path.members
            and isinstance(operand, str)
            and operator in _PLAIN
        ):
            # As the indexes on ids have it: the next page begins where this one ends.
            return f"{source.alias}.id {_PLAIN[operator]} {self._arguments.add(operand, 'text')}"
        general = self._on_targets(
            path,
            source,
            lambda kind, items: self._comparisons.target_holds(kind, items, operator, operand),
            lambda value: self._comparisons.regular_holds(value, operator, operand),
        )
        regular = isinstance(first, str) and ":" in first
        if not (regular and source.flat and len(path.steps) == 1 and not path.members):
            return general
        self.compared.add(str(first))
        assert isinstance(first, str)  # noqa: S101 - says it to the type checker
        tid = self._names.find_tid(first)
        if tid is None:
            return FALSE
        value = f"({source.alias}.flat -> '{tid}')"
        fast = self._comparisons.regular_holds(value, operator, operand)
        return any_of([fast, all_of([f"{value} = 'null'", general])])

    def _compare_type(
        self,
        path: AttributePath,
        operator: Operator,
        operand: Scalar | Range | OneOf,
        source: Source,
    ) -> str:
        if path.members:
            return FALSE
        sids = self._names.list_sids(
            lambda types: compares(Target("texts", types), operator, operand)
        )
        return self.one_of_typesets(source.alias, sids)

    def one_of_typesets(self, alias: str, sids: list[int]) -> str:
        """Give the predicate that an entity has one of these typesets."""
        if not sids:
            return FALSE
        if len(sids) == 1:
            return f"{alias}.typeset = {sids[0]}"
        return f"{alias}.typeset = ANY ({self._arguments.add(sids, 'int[]')})"

    # ── general predicates ───────────────────────────────────────────────────────────────────

    def _on_targets(
        self,
        path: AttributePath,
        source: Source,
        inner: Inner,
        short: Callable[[str], str] | None = None,
    ) -> str:
        """Give the predicate that a target of the path satisfies `inner`.

        `short` gives the same for a value that is one number, text or boolean.
        """
        *before, last = path.steps
        if isinstance(last, Linked):
            return FALSE
        walk = _Walk(self, self._arguments, source)
        if not walk.go(tuple(before)):
            return FALSE
        if ":" not in last:
            if path.members:
                return FALSE
            return walk.exists(self._system_target(walk, last, inner))
        if not walk.go((last,)):
            return FALSE
        members = self._arguments.add(list(path.members), "text[]")
        target = self._arguments.alias()
        item = f"target_of({walk.holder}, {members}) {target}"
        holds = all_of([f"{target}.kind IS NOT NULL", inner(f"{target}.kind", f"{target}.items")])
        if short is None or path.members:
            walk.items.append(item)
            return walk.exists(holds)
        value = f"({walk.holder} -> 'value')"
        return walk.exists(
            f"CASE WHEN {walk.holder} ->> 'type' = 'Property' AND jsonb_typeof({value}) "
            f"IN ('number', 'string', 'boolean') THEN {short(value)} "
            f"ELSE EXISTS (SELECT FROM {item} WHERE {holds}) END"
        )

    def _system_target(self, walk: _Walk, name: str, inner: Inner) -> str:
        holder = walk.holder
        if walk.on_entity:
            if name == "id":
                return inner("'plain'", f"jsonb_build_array({holder}.id)")
            if name == "type":
                types = (
                    "(SELECT jsonb_agg(m.iri) FROM typeset s JOIN term m ON m.tid = ANY (s.types) "
                    f"WHERE s.sid = {holder}.typeset)"
                )
                return inner("'texts'", types)
            if name == "scope":
                return all_of(
                    [f"{holder}.scope <> '{{}}'", inner("'texts'", f"to_jsonb({holder}.scope)")]
                )
            if name in ENTITY_TIMES:
                column = f"{holder}.{_ENTITY_TIME[name]}"
                return all_of([f"{column} IS NOT NULL", inner("'us'", column)])
            return FALSE
        if name in INSTANCE_TIMES:
            key = f"left({holder} ->> '{name}', 23)"
            return all_of([f"{holder} ? '{name}'", inner("'time'", f"jsonb_build_array({key})")])
        if name in INSTANCE_TEXTS:
            target = self._arguments.alias()
            walk.items.append(f"plain_target({holder} -> '{name}') {target}")
            holds = inner(f"{target}.kind", f"{target}.items")
            return all_of([f"{target}.kind IS NOT NULL", holds])
        return FALSE

    def typesets(self, types: tuple[str, ...]) -> list[int]:
        """Give the typesets that have one of these types."""
        wanted = frozenset(types)
        return self._names.list_sids(lambda held: not wanted.isdisjoint(held))


class _Walk:
    """The steps of a path as FROM items, from a source to the holder of the last step.

    `holder` is the alias of an entity or the expression of a node.
    """

    def __init__(self, conditions: Conditions, arguments: Arguments, source: Source) -> None:
        self._conditions = conditions
        self._arguments = arguments
        self._where: list[str] = []
        self._source: Source | None = source
        self.items: list[str] = []
        self.holder = source.alias

    @property
    def on_entity(self) -> bool:
        """Whether the holder is an entity."""
        return self._source is not None

    def go(self, steps: tuple[str | Linked, ...]) -> bool:
        """Take steps; False when one of them leads nowhere."""
        return all(map(self._step, steps))

    def _step(self, step: str | Linked) -> bool:
        if isinstance(step, Linked):
            return self._link(step)
        if ":" not in step:
            return False
        if self._source is None:
            node = self._arguments.alias()
            name = self._arguments.add(step, "text")
            self.items.append(f"jsonb_array_elements({self.holder} -> {name}) {node}")
            self.holder = node
            return True
        nodes = self._source.nodes(step)
        if nodes is None:
            return False
        self.items += nodes.items
        self._where += nodes.where
        self._source, self.holder = None, nodes.node
        return True

    def _link(self, step: Linked) -> bool:
        if self._source is not None:
            return False
        uri, entity = self._arguments.alias(), self._arguments.alias()
        source, item, visible = self._conditions.linked(entity)
        self.items += [f"jsonb_array_elements_text(links_of({self.holder})) {uri}", item]
        self._where += [f"{entity}.id = {uri}", visible]
        if step.types:
            sids = self._conditions.typesets(step.types)
            self._where.append(self._conditions.one_of_typesets(entity, sids))
        self._source, self.holder = source, entity
        return True

    def exists(self, inner: str) -> str:
        """Give the predicate that the walk leads somewhere where `inner` holds."""
        where = all_of([*self._where, inner])
        if where == FALSE or not self.items:
            return where
        return f"EXISTS (SELECT FROM {', '.join(self.items)} WHERE {where})"
