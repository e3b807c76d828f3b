"""The text form of CQL2, read into the JSON form.

One grammar of expressions with precedences reads predicates and values alike; whether a value
stands where a condition belongs is judged when it is compiled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from conurb.errors import BadRequestDataError, TooComplexQueryError

LENGTH_MAX: Final = 50_000
"""Characters of one filter."""

NESTING_MAX: Final = 40
"""Parentheses in parentheses."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<text>'(?:[^'\\]|''|\\.)*')
    | (?P<quoted>"(?:[^"\\]|""|\\.)*")
    | (?P<name>[^\W\d][\w.:]*)
    | (?P<mark><>|<=|>=|[=<>+\-*/%^(),])
    )""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"\s*")

_GEOMETRIES: Final = {
    "POINT": "Point",
    "LINESTRING": "LineString",
    "POLYGON": "Polygon",
    "MULTIPOINT": "MultiPoint",
    "MULTILINESTRING": "MultiLineString",
    "MULTIPOLYGON": "MultiPolygon",
}
_DEPTHS: Final = {
    "Point": 0,
    "LineString": 1,
    "MultiPoint": 1,
    "Polygon": 2,
    "MultiLineString": 2,
    "MultiPolygon": 3,
}
_COMPARISONS: Final = frozenset({"=", "<>", "<", ">", "<=", ">="})
_RESERVED: Final = frozenset({"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "DIV"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """Give the token as a keyword; empty for what can't be one."""
        return self.text.upper() if self.kind in ("name", "mark") else ""


def parse_text(text: str) -> Any:
    """Read a filter in text form as the JSON form.

    Raises BadRequestDataError naming the place, TooComplexQueryError over the bounds.

    >>> parse_text("population > 5e6 AND name LIKE 'N%'")["op"]
    'and'
    """
    if len(text) > LENGTH_MAX:
        raise TooComplexQueryError(f"filter: {len(text)} characters; at most {LENGTH_MAX}")
    return _Parser(text).filter()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while (blank := _SPACE.match(text, at)) is not None and blank.end() < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadRequestDataError(
                f"filter: nothing can begin with {text[blank.end() :][:20]!r} "
                f"(character {blank.end() + 1})"
            )
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), _Token("end", "", len(text))]
        self._at = 0
        self._depth = 0

    def filter(self) -> Any:
        """Read the whole."""
        found = self._either()
        if self._next.kind != "end":
            self._refuse("AND, OR or the end")
        return found

    # ── tokens ────────────────────────────────────────────────────────────────────────────────

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _found(self, *words: str) -> str | None:
        """Take the next token when it is one of these words."""
        word = self._next.word
        if word in words:
            self._at += 1
            return word
        return None

    def _need(self, word: str) -> None:
        if self._found(word) is None:
            self._refuse(repr(word))

    def _refuse(self, wanted: str) -> NoReturn:
        token = self._next
        shown = repr(token.text) if token.text else "the end"
        raise BadRequestDataError(
            f"filter: {shown} at character {token.at + 1}; {wanted} was expected"
        )

    # ── expressions, from the loosest to the tightest ─────────────────────────────────────────

    def _either(self) -> Any:
        items = [self._both()]
        while self._found("OR"):
            items.append(self._both())
        return items[0] if len(items) == 1 else {"op": "or", "args": items}

    def _both(self) -> Any:
        items = [self._negated()]
        while self._found("AND"):
            items.append(self._negated())
        return items[0] if len(items) == 1 else {"op": "and", "args": items}

    def _negated(self) -> Any:
        if self._found("NOT"):
            self._deeper()
            found = {"op": "not", "args": [self._negated()]}
            self._depth -= 1
            return found
        return self._predicate()

    def _predicate(self) -> Any:
        left = self._sum()
        operator = self._found(*_COMPARISONS)
        if operator:
            return {"op": operator, "args": [left, self._sum()]}
        if self._found("IS"):
            negated = self._found("NOT")
            self._need("NULL")
            return _maybe_not({"op": "isNull", "args": [left]}, negated)
        negated = self._found("NOT")
        if self._found("LIKE"):
            return _maybe_not({"op": "like", "args": [left, self._sum()]}, negated)
        if self._found("BETWEEN"):
            low = self._sum()
            self._need("AND")
            return _maybe_not({"op": "between", "args": [left, low, self._sum()]}, negated)
        if self._found("IN"):
            self._need("(")
            return _maybe_not({"op": "in", "args": [left, self._list()]}, negated)
        if negated:
            self._refuse("LIKE, BETWEEN or IN")
        return left

    def _sum(self) -> Any:
        left = self._product()
        while operator := self._found("+", "-"):
            left = {"op": operator, "args": [left, self._product()]}
        return left

    def _product(self) -> Any:
        left = self._power()
        while operator := self._found("*", "/", "%", "DIV"):
            left = {"op": operator.lower(), "args": [left, self._power()]}
        return left

    def _power(self) -> Any:
        left = self._value()
        if self._found("^"):
            self._deeper()
            left = {"op": "^", "args": [left, self._power()]}
            self._depth -= 1
        return left

    # ── values ────────────────────────────────────────────────────────────────────────────────

    def _value(self) -> Any:
        token = self._next
        if self._found("-", "+"):
            self._deeper()
            value = self._value()
            self._depth -= 1
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value if token.text == "-" else value
            return {"op": "*", "args": [-1, value]} if token.text == "-" else value
        if self._found("("):
            return self._in_parentheses()
        if token.kind == "number":
            self._take()
            is_whole = token.text.isdigit()
            return int(token.text) if is_whole else float(token.text)
        if token.kind == "text":
            self._take()
            return _unquoted(token.text)
        if token.kind == "quoted":
            self._take()
            return {"property": _unquoted(token.text)}
        if token.kind == "name" and token.word not in _RESERVED:
            return self._named(self._take())
        return self._refuse("a property, a value or a predicate")

    def _in_parentheses(self) -> Any:
        """Read an expression in parentheses, or an array: several, none or one with a comma."""
        self._deeper()
        if self._found(")"):
            self._depth -= 1
            return []
        first = self._either()
        if self._found(")"):
            self._depth -= 1
            return first
        self._need(",")
        rest = self._list()
        self._depth -= 1
        return [first, *rest]

    def _list(self) -> list[Any]:
        """Read values up to the closing parenthesis."""
        items: list[Any] = []
        if self._found(")"):
            return items
        while True:
            items.append(self._either())
            if self._found(")"):
                return items
            self._need(",")

    def _named(self, token: _Token) -> Any:
        word = token.word
        if word in ("TRUE", "FALSE"):
            return word == "TRUE"
        if word in _GEOMETRIES and self._next.word in ("(", "Z"):
            return self._geometry(_GEOMETRIES[word])
        if self._next.word != "(":
            if word == "GEOMETRYCOLLECTION":
                self._refuse("'('")
            return {"property": token.text}
        self._take()
        self._deeper()
        if word == "GEOMETRYCOLLECTION":
            found: Any = {"type": "GeometryCollection", "geometries": self._list()}
        else:
            found = _called(token.text, self._list())
        self._depth -= 1
        return found

    def _geometry(self, kind: str) -> Any:
        self._found("Z")
        depth = _DEPTHS[kind]
        self._need("(")
        if depth == 0:
            coordinates: Any = self._position()
            self._need(")")
        elif kind == "MultiPoint":
            coordinates = self._points()
        else:
            coordinates = self._rings(depth)
        return {"type": kind, "coordinates": coordinates}

    def _points(self) -> list[Any]:
        """Read the points of a MULTIPOINT, each in parentheses of its own or not."""
        points = []
        while True:
            inner = self._found("(")
            points.append(self._position())
            if inner:
                self._need(")")
            if self._found(")"):
                return points
            self._need(",")

    def _rings(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while True:
            if depth == 1:
                items.append(self._position())
            else:
                self._need("(")
                items.append(self._rings(depth - 1))
            if self._found(")"):
                return items
            self._need(",")

    def _position(self) -> list[float]:
        numbers = []
        while self._next.kind == "number" or self._next.word in ("-", "+"):
            sign = -1.0 if self._found("-") else 1.0
            self._found("+")
            if self._next.kind != "number":
                self._refuse("a number")
            numbers.append(sign * float(self._take().text))
        if len(numbers) not in (2, 3):
            self._refuse("a position of two or three numbers")
        return numbers

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise TooComplexQueryError(f"filter: nested deeper than {NESTING_MAX} levels")


def _maybe_not(predicate: Any, negated: str | None) -> Any:
    return {"op": "not", "args": [predicate]} if negated else predicate


def _called(name: str, arguments: list[Any]) -> Any:
    """Write what looks like a call: an instant, an interval, a box, a function."""
    word = name.upper()
    if word in ("DATE", "TIMESTAMP") and len(arguments) == 1:
        return {word.lower(): arguments[0]}
    if word == "INTERVAL":
        return {"interval": [_end_of(one) for one in arguments]}
    if word == "BBOX":
        return {"bbox": arguments}
    known = word.startswith(("S_", "T_", "A_")) or word in ("CASEI", "ACCENTI")
    return {"op": _cased(word) if known else name, "args": arguments}


def _end_of(end: Any) -> Any:
    """Give an end of an interval as JSON has it: instants as texts."""
    if isinstance(end, dict) and end.keys() <= {"date", "timestamp"}:
        return next(iter(end.values()))
    return end


def _cased(word: str) -> str:
    """Write a function of the standard as its JSON form does.

    >>> _cased("S_INTERSECTS"), _cased("A_CONTAINEDBY")
    ('s_intersects', 'a_containedBy')
    """
    special = {
        "A_CONTAINEDBY": "a_containedBy",
        "T_FINISHEDBY": "t_finishedBy",
        "T_METBY": "t_metBy",
        "T_OVERLAPPEDBY": "t_overlappedBy",
        "T_STARTEDBY": "t_startedBy",
    }
    return special.get(word, word.lower())


def _unquoted(text: str) -> str:
    mark = text[0]
    inner = text[1:-1].replace(mark * 2, mark)
    return re.sub(r"\\(['\"])", r"\1", inner)
