"""$filter: parsed once into a small tree, asked of documents (18-088, 9.3.3.5; OData 4.0, 5.1.1).

The tree is data; `evaluate` asks it of one entity in SensorThings' form. A path that leads to
several values (a set of linked entities) holds when one of them does. What an engine can answer by
itself, `reading` takes out of the tree first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.systems.monitoring.sensorthings.functions import FUNCTIONS

DEPTH_MAX: Final = 32
TOKENS_MAX: Final = 2_000

_TOKEN: Final = re.compile(
    r"\s*(?:"
    r"(?P<geo>(?:geography|geometry)'[^']*')|"
    r"(?P<duration>duration'[^']*')|"
    r"(?P<text>'(?:[^']|'')*')|"
    r"(?P<time>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)"
    r"(?:/\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d))?)|"
    r"(?P<date>\d{4}-\d\d-\d\d)|"
    r"(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|"
    r"(?P<name>[A-Za-z_@$][\w@.$-]*(?:/[A-Za-z_@$][\w@.$-]*)*)|"
    r"(?P<mark>[(),])"
    r")"
)
COMPARISONS: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
ARITHMETIC: Final[dict[str, int]] = {"add": 1, "sub": 1, "mul": 2, "div": 2, "mod": 2}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: number, text, truth, None, or a time as ISO text."""

    value: Any


@dataclass(frozen=True, slots=True)
class Path:
    """A property, of the entity or of linked ones."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator with its operands."""

    name: str
    operands: tuple[Tree, ...]


Tree = Literal | Path | Call


def parse(text: str) -> Tree:
    """Parse a $filter; raise BadRequestDataError saying where it can't be read."""
    return _Parser(text).parse()


def paths_of(tree: Tree) -> Iterator[Path]:
    """Stream the paths that a tree speaks of."""
    if isinstance(tree, Path):
        yield tree
    elif isinstance(tree, Call):
        for operand in tree.operands:
            yield from paths_of(operand)


def conjuncts(tree: Tree | None) -> tuple[Tree, ...]:
    """Give the parts that must all hold."""
    if tree is None:
        return ()
    if isinstance(tree, Call) and tree.name == "and":
        return tuple(part for operand in tree.operands for part in conjuncts(operand))
    return (tree,)


def holds(tree: Tree, document: dict[str, Any]) -> bool:
    """Whether an entity satisfies a filter."""
    return any(value is True for value in evaluate(tree, document))


def evaluate(tree: Tree, document: dict[str, Any]) -> list[Any]:
    """Give the values of a tree for an entity: several where a path leads to several."""
    if isinstance(tree, Literal):
        return [tree.value]
    if isinstance(tree, Path):
        return list(_walk(document, tree.names))
    if tree.name == "and":
        return [all(_truth(one, document) for one in tree.operands)]
    if tree.name == "or":
        return [any(_truth(one, document) for one in tree.operands)]
    if tree.name == "not":
        return [not _truth(tree.operands[0], document)]
    function = FUNCTIONS[tree.name]
    columns = [evaluate(operand, document) or [None] for operand in tree.operands]
    return [_applied(function, tree.name, values) for values in _combined(columns)]


def _truth(tree: Tree, document: dict[str, Any]) -> bool:
    return any(value is True for value in evaluate(tree, document))


def _combined(columns: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    if not columns:
        yield ()
        return
    for head in columns[0]:
        for rest in _combined(columns[1:]):
            yield (head, *rest)


def _applied(function: Callable[..., Any], name: str, values: tuple[Any, ...]) -> Any:
    """Apply a function; what doesn't fit its operands is null, as in OData."""
    try:
        return function(*values)
    except (TypeError, ValueError, AttributeError, ArithmeticError, IndexError):
        return True if name == "ne" else None


def _walk(value: Any, names: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, names)
    elif not names:
        yield value
    elif isinstance(value, dict):
        name = "@iot.id" if names[0] in ("id", "@iot.id") and "@iot.id" in value else names[0]
        yield from _walk(value.get(name), names[1:])


class _Parser:
    """A parser by recursive descent over the tokens of a filter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def parse(self) -> Tree:
        """Parse the whole of it."""
        tree = self._either()
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._at][1]!r} is not expected")
        return tree

    def _either(self) -> Tree:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise TooComplexQueryError(f"$filter is nested deeper than {DEPTH_MAX} levels")
        parts = [self._both()]
        while self._take_name("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Call("or", tuple(parts))

    def _both(self) -> Tree:
        parts = [self._negated()]
        while self._take_name("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Call("and", tuple(parts))

    def _negated(self) -> Tree:
        if self._take_name("not"):
            return Call("not", (self._negated(),))
        return self._comparison()

    def _comparison(self) -> Tree:
        left = self._sum(1)
        kind, text = self._peek()
        if kind == "name" and text in COMPARISONS:
            self._at += 1
            return Call(text, (left, self._sum(1)))
        return left

    def _sum(self, level: int) -> Tree:
        left = self._operand() if level > 2 else self._sum(level + 1)
        while True:
            kind, text = self._peek()
            if kind != "name" or ARITHMETIC.get(text) != level:
                return left
            self._at += 1
            right = self._operand() if level > 1 else self._sum(level + 1)
            left = Call(text, (left, right))

    def _operand(self) -> Tree:
        kind, text = self._peek()
        self._at += 1
        if kind == "mark" and text == "(":
            inner = self._either()
            self._close()
            return inner
        if kind == "name":
            if self._peek() == ("mark", "("):
                return self._call(text)
            words = {"true": True, "false": False, "null": None}
            return Literal(words[text]) if text in words else Path(tuple(text.split("/")))
        if kind == "number":
            return Literal(float(text) if any(mark in text for mark in ".eE") else int(text))
        if kind in ("text", "time", "date", "geo", "duration"):
            return Literal(_unquoted(kind, text))
        raise self._wrong("it ends too early" if kind == "" else f"{text!r} is not expected")

    def _call(self, name: str) -> Tree:
        if name not in FUNCTIONS or name in COMPARISONS or name in ARITHMETIC:
            raise self._wrong(f"there is no function {name!r}")
        self._at += 1
        operands: list[Tree] = []
        while self._peek() != ("mark", ")"):
            operands.append(self._either())
            if self._peek() == ("mark", ","):
                self._at += 1
            elif self._peek() != ("mark", ")"):
                raise self._wrong(f"the operands of {name} don't end")
        self._close()
        return Call(name, tuple(operands))

    def _close(self) -> None:
        if self._peek() != ("mark", ")"):
            raise self._wrong("a ')' is missing")
        self._at += 1

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take_name(self, name: str) -> bool:
        taken = self._peek() == ("name", name)
        self._at += taken
        return taken

    def _wrong(self, why: str) -> BadRequestDataError:
        return BadRequestDataError(f"$filter: {self._text!r:.200} can't be read: {why}")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = count = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadRequestDataError(f"$filter: can't read {text[at : at + 40]!r}")
        count += 1
        if count > TOKENS_MAX:
            raise TooComplexQueryError(f"$filter has more than {TOKENS_MAX} parts")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _unquoted(kind: str, text: str) -> str:
    if kind == "text":
        return text[1:-1].replace("''", "'")
    if kind in ("geo", "duration"):
        return text[text.index("'") + 1 : -1]
    return text
