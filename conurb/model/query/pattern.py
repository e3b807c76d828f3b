r"""Regular expressions in a portable form: one meaning in Python, SQLite and PostgreSQL.

Clause 4.9 of ETSI GS CIM 009 asks for POSIX regular expressions. What is taken here is their common
part with what people write: literals, `.`, `[...]` with ranges, `^`, `$`, `*`, `+`, `?`, `{m,n}`,
groups, `|`, `\d`, `\w`, `\s` and their opposites (ASCII), and a backslash before punctuation. No
back-references, look-around, word boundaries, flags or POSIX class names.

`portable` writes such a pattern so that PostgreSQL's `~` (as an advanced regular expression)
reads it exactly as `automaton.search` does: classes are spelled out, anchors are `\A` and `\Z`,
`.` is any character, a newline too. A portable form is its own portable form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from conurb.errors import BadRequestDataError, TooComplexQueryError

PATTERN_LENGTH_MAX: Final = 1_000
REPEAT_MAX: Final = 255
"""The highest number in `{m,n}` (PostgreSQL's DUPMAX)."""
NESTING_MAX: Final = 20
"""Groups in groups."""
STATES_MAX: Final = 5_000
"""States of the automaton, after counted repetitions are written out."""

_LAST: Final = 0x10FFFF
_SPACE: Final = ((9, 13), (32, 32))
_CLASSES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": _SPACE,
}
_CONTROLS: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_COUNTS: Final = re.compile(r"[0-9]{1,8},(?:[0-9]{1,8})?")
_SPECIAL: Final = frozenset(r"\.[](){}*+?|^$")

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of these ranges of code points (sorted, disjoint)."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Anchor:
    """The start (`A`) or the end (`Z`) of the text."""

    which: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times; None is without end."""

    item: Node
    low: int
    high: int | None


Node = Chars | Anchor | Sequence | Choice | Repeat

ANY: Final = Chars(((0, _LAST),))


def merged(ranges: list[tuple[int, int]]) -> Ranges:
    """Sort ranges and join those that touch."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


def inverted(ranges: Ranges) -> Ranges:
    """Give the code points that are in none of the ranges."""
    result: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            result.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        result.append((start, _LAST))
    return tuple(result)


class _Parser:
    """Reads a pattern by recursive descent; every error names the position."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, reason: str) -> BadRequestDataError:
        return BadRequestDataError(
            f"regular expression {self.text!r}, position {self.at}: {reason}"
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char

    def choice(self) -> Node:
        items = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            items.append(self.sequence())
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def sequence(self) -> Node:
        items: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            item = self.repeated()
            items.extend(item.items if isinstance(item, Sequence) else (item,))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def repeated(self) -> Node:
        item = self.atom()
        bounds = self.repetition()
        if bounds is None:
            return item
        if item == Sequence(()):
            raise self.fail("an empty group can't be repeated")
        if isinstance(item, Anchor):
            raise self.fail("an anchor can't be repeated")
        if self.peek() == "?":  # a reluctant repetition finds the same texts
            self.at += 1
        if self.peek() in ("*", "+", "?") or self.counted() is not None:
            raise self.fail("a repetition of a repetition; put it in a group")
        return Repeat(item, *bounds)

    def repetition(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.peek() in simple:
            return simple[self.take()]
        counted = self.counted()
        if counted is None:
            return None
        low, high, self.at = counted
        if (high is not None and low > high) or max(low, high or 0) > REPEAT_MAX:
            raise self.fail(f"a repetition is {{m,n}} with m <= n <= {REPEAT_MAX}")
        return low, high

    def counted(self) -> tuple[int, int | None, int] | None:
        """Find `{m}`, `{m,}` or `{m,n}` here: (m, n, position after it)."""
        if self.peek() != "{":
            return None
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, self.at + 1)].partition(",")
        digits = [part for part in (low, high) if part]
        if (
            end < 0
            or not low
            or not all(d.isascii() and d.isdigit() and len(d) < 9 for d in digits)
        ):
            raise self.fail("'{' opens a repetition such as {2} or {2,5}; write \\{ for the sign")
        top = int(high) if high else None if comma else int(low)
        return int(low), top, end + 1

    def atom(self) -> Node:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return Chars(self.bracket())
        if char == ".":
            return ANY
        if char in "^$":
            return Anchor("A" if char == "^" else "Z")
        if char == "\\":
            return self.escape()
        if char in "*+?{":
            self.at -= 1
            raise self.fail(f"nothing before {char!r} to repeat")
        return Chars(((ord(char), ord(char)),))

    def group(self) -> Node:
        if self.peek() == "?" and self.text[self.at : self.at + 2] != "?:":
            raise self.fail("'(?' is taken as '(?:' only")
        if self.peek() == "?":
            self.at += 2
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise TooComplexQueryError(
                f"regular expression {self.text!r}: more than {NESTING_MAX} groups in groups"
            )
        node = self.choice()
        if self.take() != ")":
            raise self.fail("a group isn't closed")
        self.depth -= 1
        return node

    def escape(self) -> Node:
        char = self.peek()
        if char in ("A", "Z") and char:
            self.at += 1
            return Anchor(char)
        return Chars(self.escaped())

    def escaped(self) -> Ranges:
        char = self.take()
        if char.lower() in _CLASSES and char:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else inverted(ranges)
        if char in _CONTROLS:
            return ((_CONTROLS[char],) * 2,)
        if not char or char.isalnum() or ord(char) > 126:
            self.at -= 1
            raise self.fail(f"\\{char} isn't taken; a backslash goes before punctuation or dDwWsS")
        return ((ord(char),) * 2,)

    def bracket(self) -> Ranges:
        negated = self.peek() == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            if self.peek() == "":
                raise self.fail("a '[' isn't closed")
            if self.text[self.at : self.at + 2] in ("[:", "[.", "[="):
                raise self.fail("POSIX class names aren't taken; write a range such as [a-z]")
            first = False
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member()
                if len(low) > 1 or len(high) > 1 or low[0][0] > high[0][0]:
                    raise self.fail("a range in [] goes from a lower to a higher character")
                ranges.append((low[0][0], high[0][0]))
            else:
                ranges.extend(low)
        self.at += 1
        result = merged(ranges)
        result = inverted(result) if negated else result
        if not result:
            raise self.fail("the brackets take no character at all")
        return result

    def member(self) -> Ranges:
        char = self.take()
        return self.escaped() if char == "\\" else ((ord(char),) * 2,)


def parse(text: str) -> Node:
    """Read a pattern into its tree.

    Raises BadRequestDataError with the position, TooComplexQueryError over the bounds.
    """
    if len(text) > PATTERN_LENGTH_MAX:
        raise TooComplexQueryError(
            f"a regular expression has {len(text)} characters; at most {PATTERN_LENGTH_MAX}"
        )
    if "\0" in text:
        raise BadRequestDataError("a regular expression contains the character NUL")
    parser = _Parser(text)
    node = parser.choice()
    if parser.at < len(text):
        raise parser.fail("a ')' without '('")
    if _size(node) > STATES_MAX:
        raise TooComplexQueryError(
            f"regular expression {text!r}: written out, its repetitions take more than "
            f"{STATES_MAX} steps"
        )
    return node


def _size(node: Node) -> int:
    """Count the states that a tree becomes."""
    if isinstance(node, Sequence | Choice):
        return 1 + sum(map(_size, node.items))
    if isinstance(node, Repeat):
        return 1 + _size(node.item) * max(node.low + 1 if node.high is None else node.high, 1)
    return 1


def written(node: Node, *, grouped: bool = False) -> str:
    """Write a tree in portable form."""
    if isinstance(node, Anchor):
        return "\\" + node.which
    if isinstance(node, Chars):
        return _written_chars(node.ranges)
    if isinstance(node, Repeat):
        item = written(node.item, grouped=True)
        bounds = (node.low, node.high)
        signs = {(0, None): "*", (1, None): "+", (0, 1): "?"}
        top = "" if node.high is None else str(node.high)
        sign = signs.get(bounds) or (
            f"{{{node.low}}}" if node.low == node.high else f"{{{node.low},{top}}}"
        )
        text = item + sign
        return f"(?:{text})" if grouped else text
    parts = [written(i, grouped=isinstance(i, Sequence | Choice)) for i in node.items]
    text = ("" if isinstance(node, Sequence) else "|").join(parts)
    return f"(?:{text})" if grouped and text else text


def _written_chars(ranges: Ranges) -> str:
    if ranges == ANY.ranges:
        return "."
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        char = chr(ranges[0][0])
        return "\\" + char if char in _SPECIAL else char
    flipped = inverted(ranges)
    negated = ranges[0][0] == 0 and ranges[-1][1] == _LAST
    body = "".join(
        _in_bracket(low) if low == high else f"{_in_bracket(low)}-{_in_bracket(high)}"
        for low, high in (flipped if negated else ranges)
    )
    return f"[{'^' if negated else ''}{body}]"


def _in_bracket(code: int) -> str:
    char = chr(code)
    return "\\" + char if char in "\\]^-[" else char


def portable(text: str) -> str:
    r"""Write a pattern in the form that both engines read alike.

    Raises BadRequestDataError with the position, TooComplexQueryError over the bounds.

    >>> portable(r"^urn:\d+$")
    '\\Aurn:[0-9]+\\Z'
    """
    return written(parse(text))
