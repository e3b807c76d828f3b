"""The JSON form of CQL2, compiled to the query tree.

A negation goes down to the comparisons (De Morgan), because the tree has none; so `NOT a = 1` asks
for an `a` that differs, and what has no `a` isn't given, as the standard's unknown values want it.
Names are keys of properties (`conurb.model.render.flat`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.query.cql2.predicates import (
    array,
    comparison,
    existence,
    like,
    membership,
    spatial,
    temporal,
)
from conurb.model.query.cql2.values import Named, is_property, refuse, shown
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Operator,
    Or,
)

DEPTH_MAX: Final = 60
"""Operators in operators."""

PREDICATES_MAX: Final = 200
"""Predicates of one filter; the embedded engine takes as many comparisons."""

_COMPARISONS: Final = frozenset({"=", "<>", "<", ">", "<=", ">="})
_OPPOSITE: Final[Mapping[Operator, Operator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "~=": "!~=",
    "!~=": "~=",
}


def compile_filter(document: Any, named: Named) -> Condition:
    """Compile a filter; raise BadRequestDataError naming the part that can't be, or is wrong."""
    return widened(_Compiler(named).condition(document, 0), named)


class _Compiler:
    def __init__(self, named: Named) -> None:
        self._named = named
        self._count = 0

    def condition(self, node: Any, depth: int) -> Condition:
        """Compile what is true or false."""
        if depth > DEPTH_MAX:
            raise TooComplexQueryError(f"filter: nested deeper than {DEPTH_MAX} levels")
        if isinstance(node, bool):
            return And(()) if node else Or(())
        if is_property(node):
            return Compare(self._named.path(node["property"]), "==", True)
        op = node.get("op") if isinstance(node, Mapping) else None
        arguments = node.get("args") if isinstance(node, Mapping) else None
        if not isinstance(op, str) or not isinstance(arguments, list):
            refuse(f"{shown(node)} is not a condition")
        if op in ("and", "or"):
            items = tuple(self.condition(one, depth + 1) for one in arguments)
            return And(items) if op == "and" else Or(items)
        if op == "not":
            if len(arguments) != 1:
                refuse("not takes one condition")
            return negated(self.condition(arguments[0], depth + 1))
        self._count += 1
        if self._count > PREDICATES_MAX:
            raise TooComplexQueryError(f"filter: more than {PREDICATES_MAX} predicates")
        return self._predicate(op, arguments)

    def _predicate(self, op: str, arguments: list[Any]) -> Condition:
        named = self._named
        if op in _COMPARISONS:
            return comparison(op, arguments, named)
        if op == "like":
            return like(arguments, named)
        if op in ("between", "in"):
            return membership(op, arguments, named)
        if op == "isNull":
            return existence(arguments, named)
        if op.startswith("s_"):
            return spatial(op, arguments, named)
        if op.startswith("t_"):
            return temporal(op, arguments, named)
        if op.startswith("a_"):
            return array(op, arguments, named)
        return refuse(f"{op!r:.60} is no operator or function known here")


def widened(condition: Condition, named: Named) -> Condition:
    """Ask of `a.b` both as a member of the value and as the sub-attribute of that name.

    After negation, so that what differs has to exist in one of the two ways alone.
    """
    if isinstance(condition, And):
        return And(tuple(widened(item, named) for item in condition.items))
    if isinstance(condition, Or):
        return Or(tuple(widened(item, named) for item in condition.items))
    if isinstance(condition, GeoCondition) or not condition.path.members:
        return condition
    try:
        below = tuple(named.terms.expand(one) for one in condition.path.members)
    except BadRequestDataError:  # no name of an attribute, a language tag for one
        return condition
    both = condition, replace(condition, path=AttributePath((*condition.path.steps, *below)))
    return And(both) if isinstance(condition, Absent) else Or(both)


def negated(condition: Condition) -> Condition:
    """Give the condition that holds where one doesn't, of what has the value at all."""
    if isinstance(condition, And):
        return Or(tuple(negated(item) for item in condition.items))
    if isinstance(condition, Or):
        return And(tuple(negated(item) for item in condition.items))
    if isinstance(condition, Exists):
        return Absent(condition.path)
    if isinstance(condition, Absent):
        return Exists(condition.path)
    if isinstance(condition, Compare):
        return replace(condition, operator=_OPPOSITE[condition.operator])
    if condition.relation == "intersects":
        return replace(condition, relation="disjoint")
    if condition.relation == "disjoint":
        return replace(condition, relation="intersects")
    return replace(condition, negated=not condition.negated)
