"""The conditions of a query as SQL predicates over one entity's row (match, points 3 to 5)."""

from __future__ import annotations

from typing import Final

from conurb.errors import TooComplexQueryError
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Or,
    Restriction,
)
from conurb.store.sqlite import geography
from conurb.store.sqlite.comparison import (
    general_predicate,
    moment_predicate,
    regular_predicate,
    time_predicate,
)
from conurb.store.sqlite.selection import Selection
from conurb.store.sqlite.sources import (
    Current,
    Nodes,
    Reach,
    Source,
    exists_in,
    from_clause,
    joined,
)
from conurb.store.sqlite.targets import ENTITY_TIMES, Target, Targets
from conurb.store.sqlite.values import IRREGULAR

CONDITIONS_MAX: Final = 200
"""Comparisons in one query; SQLite bounds the depth of an expression."""


_PLAIN: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
"""Operators as SQL has them for a text that is always there."""


class Predicates(Selection):
    """Compiles the parts of one query."""

    def __init__(self, reach: Reach, restriction: Restriction) -> None:
        super().__init__(reach, restriction)
        self._targets = Targets(reach.parameters, self)
        self._comparisons = 0

    def condition(self, source: Source, condition: Condition) -> str:
        """Compile a condition."""
        if isinstance(condition, And | Or):
            items = [self.condition(source, item) for item in condition.items]
            return joined(items, "AND" if isinstance(condition, And) else "OR")
        self._comparisons += 1
        if self._comparisons > CONDITIONS_MAX:
            raise TooComplexQueryError(f"a query has at most {CONDITIONS_MAX} comparisons")
        if isinstance(condition, Compare):
            return self._compare(source, condition)
        if isinstance(condition, GeoCondition):
            if isinstance(source, Current):
                return geography.current_predicate(self._reach, source.alias, condition)
            return geography.instances_predicate(self._reach, source, condition)
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
        target = self._targets.value_target(Nodes((), (), nodes.body), ())
        general = self._holds(target, compare)
        return exists_in(nodes, f"({regular} OR ({nodes.value} = {marker} AND {general}))")

    def regular(self, value: str, compare: Compare) -> str:
        """Compare a regular value."""
        return regular_predicate(value, compare, self.parameters)

    def irregular(self, source: Source, value: str, compare: Compare) -> str:
        """Compare what is marked as irregular."""
        marker = self.parameters.add(IRREGULAR)
        return f"({value} = {marker} AND {self._compare_targets(source, compare)})"

    def _compare_targets(self, source: Source, compare: Compare) -> str:
        target = self._targets.target(source, compare.path)
        return "0" if target is None else self._holds(target, compare)

    def _holds(self, target: Target, compare: Compare) -> str:
        if target.time is not None:
            return exists_in(target.nodes, time_predicate(target.time, compare, self.parameters))
        assert target.alternatives is not None  # noqa: S101 - one of the two is given
        nodes = target.nodes
        inner = Nodes(
            (
                f"(SELECT {target.kind} AS kind, {target.alternatives} AS alternatives"
                f"{from_clause(nodes)}) q",
            ),
            (),
            "",
        )
        holds = general_predicate("q.alternatives", "q.kind", compare, self.parameters)
        return exists_in(inner, f"q.alternatives IS NOT NULL AND {holds}")

    def _compare_own(self, source: Source, name: str, compare: Compare) -> str:
        """Compare a system member of the entity itself."""
        alias = source.alias
        if compare.path.members:
            return "0"
        if name in ENTITY_TIMES:
            return moment_predicate(f"{alias}.{ENTITY_TIMES[name]}", compare, self.parameters)
        if name == "id":
            if isinstance(compare.operand, str) and compare.operator in _PLAIN:
                # As the index on ids has it: the next page begins where this one ends.
                value = self.parameters.add(compare.operand)
                return f"{alias}.id {_PLAIN[compare.operator]} {value}"
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
            nodes = self._targets.nodes(source, path.steps)
            return "0" if nodes is None else exists_in(nodes[1], "1")
        target = self._targets.target(source, path)
        if target is None:
            return "0"
        value = target.time if target.time is not None else target.alternatives
        return exists_in(target.nodes, f"{value} IS NOT NULL")

    def _own_exists(self, source: Source, name: str) -> str:
        alias = source.alias
        if name in ("id", "type"):
            return "1"
        if name == "scope":
            return f"(coalesce(json_array_length({alias}.scope), 0) > 0)"
        column = ENTITY_TIMES.get(name)
        return "0" if column is None else f"({alias}.{column} IS NOT NULL)"
