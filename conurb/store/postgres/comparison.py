"""Comparisons as SQL: points 2 to 4 of `conurb.model.query.match`.

A *regular* value is one number, text, boolean or `[URI]` as jsonb; a *target* is its kind and its
alternatives as a jsonb array. The kinds `'us'` (a column of microseconds) and `'time'` (the key of
a time in an instance) are moments.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from conurb.model.query.targets import moment_key
from conurb.model.query.tree import Moment, OneOf, Operator, Range, Scalar, Uri
from conurb.store.postgres.sources import FALSE, TRUE, Arguments, all_of, any_of

_SQL_OPERATOR: Final = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Comparisons:
    """Compiles the comparisons of one statement."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments

    def regular_holds(self, value: str, operator: Operator, operand: Scalar | Range | OneOf) -> str:
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

    def target_holds(
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


def _text(operand: str | Uri | Moment) -> str:
    return operand if isinstance(operand, str) else operand.text
