"""Conditions of a query as SQL: the meaning is that of `conurb.model.query.match`.

Where a source has `flat`, a comparison with a plain attribute is one expression over it, on which
an index can stand, and the general predicate over the nodes decides for irregular values alone
(JSON null in `flat`). The general predicate takes a short way itself for a Property with one
number, text or boolean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from conurb.errors import TooComplexQueryError
from conurb.model.query.match import compares
from conurb.model.query.targets import (
    ENTITY_TIMES,
    INSTANCE_TEXTS,
    INSTANCE_TIMES,
    Target,
    moment_key,
)
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    Linked,
    Moment,
    OneOf,
    Operator,
    Or,
    Range,
    Scalar,
    Uri,
)
from conurb.store.postgres.names import Names
from conurb.store.postgres.sources import Arguments, Source

CONDITIONS_MAX: Final = 500
"""Conditions of one query, those that join others included."""

TRUE: Final = "TRUE"
FALSE: Final = "FALSE"
_SQL_OPERATOR: Final = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_ENTITY_TIME: Final = {"createdAt": "created", "modifiedAt": "modified", "expiresAt": "expires"}


Inner = Callable[[str, str], str]
"""Gives the predicate over a target, from the SQL of its kind and of its alternatives."""


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


class Conditions:
    """Compiles the conditions of one statement.

    `linked` gives, for an alias, the entities that a path may go to: as a source, its FROM item,
    and the predicate by which they may be seen. `compared` collects the attributes whose values
    are compared at once, which an index would serve.
    """

    def __init__(
        self, arguments: Arguments, names: Names, linked: Callable[[str], tuple[Source, str, str]]
    ) -> None:
        self._arguments = arguments
        self._names = names
        self.linked = linked
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
        general = self._on_targets(
            path,
            source,
            lambda kind, items: self._target_holds(kind, items, operator, operand),
            lambda value: self._regular_holds(value, operator, operand),
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
        fast = self._regular_holds(value, operator, operand)
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

    def _regular_holds(
        self, value: str, operator: Operator, operand: Scalar | Range | OneOf
    ) -> str:
        """Compare a regular value of `flat`; every part can use an index on it."""
        if operator == "==":
            return self._regular_equals(value, operand)
        if operator == "!=":
            return f"({value} <> 'null' AND NOT {self._regular_equals(value, operand)})"
        if operator in ("~=", "!~="):
            if not isinstance(operand, str):
                return FALSE
            found = f"{value} #>> '{{}}' ~ {self._arguments.add(operand, 'text')}"
            negated = "NOT " if operator == "!~=" else ""
            return f"(jsonb_typeof({value}) = 'string' AND {negated}({found}))"
        if isinstance(operand, Range | OneOf):
            return FALSE
        return self._regular_scalar(value, operator, operand)

    def _regular_equals(self, value: str, operand: Scalar | Range | OneOf) -> str:
        """Equality, to which a relationship's one URI answers too: it is kept as `[URI]`."""
        if isinstance(operand, OneOf):
            return any_of([self._regular_equals(value, item) for item in operand.items])
        if isinstance(operand, Range):
            linked = f"({value} ->> 0)"
            return any_of(
                [
                    all_of(
                        [
                            self._regular_scalar(value, ">=", operand.low),
                            self._regular_scalar(value, "<=", operand.high),
                        ]
                    ),
                    all_of(
                        [
                            f"jsonb_typeof({value}) = 'array'",
                            self._text_holds(linked, ">=", operand.low),
                            self._text_holds(linked, "<=", operand.high),
                        ]
                    ),
                ]
            )
        if isinstance(operand, Moment) and operand.us is not None:
            return self._regular_scalar(value, "==", operand)
        if isinstance(operand, str | Uri | Moment):
            text = _text(operand)
            both = [orjson.dumps(text).decode(), orjson.dumps([text]).decode()]
            if "\0" in text:
                return FALSE
            return f"{value} = ANY ({self._arguments.add(both, 'jsonb[]')})"
        return f"{value} = {self._json(operand)}"

    def _regular_scalar(self, value: str, operator: Operator, operand: Scalar) -> str:
        sql = _SQL_OPERATOR[operator]
        if isinstance(operand, bool):
            return f"{value} = {self._json(operand)}" if operator == "==" else FALSE
        if isinstance(operand, int | float):
            # In jsonb's order numbers stand between texts and booleans: a range of one index.
            bound = "< 'false'" if operator in (">", ">=") else ">= '-1e400'"
            return f"({value} {sql} {self._json(operand)} AND {value} {bound})"
        text = f"({value} #>> '{{}}') COLLATE \"C\""
        is_text = f"jsonb_typeof({value}) = 'string'"
        if isinstance(operand, Moment) and operand.us is not None:
            bounds = self._moment_bounds(text, operator, operand.us)
            return all_of([is_text, *bounds, self._text_holds(text, operator, operand)])
        return all_of([is_text, self._text_holds(text, operator, operand)])

    def _moment_bounds(self, text: str, operator: Operator, us: int) -> list[str]:
        """Bound a date-time text by its seconds: what an index on the text can find."""
        seconds = moment_key(us)[:19]
        bounds = []
        if operator in (">", ">=", "=="):
            bounds.append(f"{text} >= {self._arguments.add(seconds, 'text')}")
        if operator in ("<", "<=", "=="):
            bounds.append(f"{text} <= {self._arguments.add(seconds + '~', 'text')}")
        return bounds

    def _json(self, value: Any) -> str:
        return self._arguments.add(orjson.dumps(value).decode(), "jsonb")

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

    def _target_holds(
        self, kind: str, items: str, operator: Operator, operand: Scalar | Range | OneOf
    ) -> str:
        """Give the predicate of an operator on one target."""
        if kind == "'us'":
            equal = self._us_equals(items, operand)
            if operator == "!=":
                return f"NOT {equal}"
            if operator == "==":
                return equal
            if isinstance(operand, Range | OneOf):
                return FALSE
            return self._us_holds(items, operator, operand)
        one = self._arguments.alias()
        of = f"SELECT FROM jsonb_array_elements({items}) {one} WHERE"
        time = kind == "'time'"
        if operator in ("==", "!="):
            exists = f"EXISTS ({of} {self._item_equals(one, operand, time=time)})"
            return exists if operator == "==" else f"NOT {exists}"
        ordered = (
            TRUE
            if kind in ("'plain'", "'texts'", "'time'")
            else (f"{kind} NOT IN ('list', 'links')")
        )
        if operator in ("~=", "!~="):
            if time or not isinstance(operand, str):
                return FALSE
            is_text = f"jsonb_typeof({one}) = 'string'"
            found = f"({one} #>> '{{}}') ~ {self._arguments.add(operand, 'text')}"
            matched = f"EXISTS ({of} {is_text} AND {found})"
            if operator == "~=":
                return all_of([ordered, matched])
            return all_of([ordered, f"EXISTS ({of} {is_text})", f"NOT {matched}"])
        if isinstance(operand, Range | OneOf):
            return FALSE
        holds = self._item_holds(one, operator, operand, time=time)
        return all_of([ordered, f"EXISTS ({of} {holds})"])

    def _item_equals(self, one: str, operand: Scalar | Range | OneOf, *, time: bool) -> str:
        if isinstance(operand, OneOf):
            return any_of([self._item_equals(one, item, time=time) for item in operand.items])
        if isinstance(operand, Range):
            return all_of(
                [
                    self._item_holds(one, ">=", operand.low, time=time),
                    self._item_holds(one, "<=", operand.high, time=time),
                ]
            )
        return self._item_holds(one, "==", operand, time=time)

    def _item_holds(self, one: str, operator: Operator, operand: Scalar, *, time: bool) -> str:
        """Compare one alternative (jsonb) with one scalar."""
        text = f"({one} #>> '{{}}') COLLATE \"C\""
        if isinstance(operand, Moment) and operand.us is not None and time:
            key = self._arguments.add(moment_key(operand.us), "text")
            return f"{text} {_SQL_OPERATOR[operator]} {key}"
        if time:
            return FALSE
        if isinstance(operand, bool):
            return f"{one} = {self._json(operand)}" if operator == "==" else FALSE
        if isinstance(operand, int | float):
            holds = f"{one} {_SQL_OPERATOR[operator]} {self._json(operand)}"
            return f"(jsonb_typeof({one}) = 'number' AND {holds})"
        return all_of(
            [f"jsonb_typeof({one}) = 'string'", self._text_holds(text, operator, operand)]
        )

    def _text_holds(self, text: str, operator: Operator, operand: Scalar) -> str:
        """Compare a text with a literal of text or a moment; false for another literal."""
        sql = _SQL_OPERATOR[operator]
        if isinstance(operand, Moment) and operand.us is not None:
            key = self._arguments.add(moment_key(operand.us), "text")
            return f'moment_of({text}) COLLATE "C" {sql} {key}'
        if isinstance(operand, str | Uri | Moment):
            literal = _text(operand)
            if "\0" in literal:
                # Nothing that is stored has it; as a bound it stands where its beginning does.
                return FALSE
            return f"{text} {sql} {self._arguments.add(literal, 'text')}"
        return FALSE

    def _us_equals(self, column: str, operand: Scalar | Range | OneOf) -> str:
        if isinstance(operand, OneOf):
            return any_of([self._us_equals(column, item) for item in operand.items])
        if isinstance(operand, Range):
            return all_of(
                [
                    self._us_holds(column, ">=", operand.low),
                    self._us_holds(column, "<=", operand.high),
                ]
            )
        return self._us_holds(column, "==", operand)

    def _us_holds(self, column: str, operator: Operator, operand: Scalar) -> str:
        """Compare microseconds with a moment at the precision of a millisecond."""
        if not isinstance(operand, Moment) or operand.us is None:
            return FALSE
        begin = operand.us // 1000 * 1000
        end = begin + 1000
        if operator == "==":
            return f"({column} >= {begin} AND {column} < {end})"
        return (
            f"{column} "
            + {
                "<": f"< {begin}",
                "<=": f"< {end}",
                ">": f">= {end}",
                ">=": f">= {begin}",
            }[operator]
        )

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


def _text(operand: str | Uri | Moment) -> str:
    return operand if isinstance(operand, str) else operand.text
