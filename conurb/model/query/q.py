"""Read the `q` parameter into a condition (ETSI GS CIM 009 v1.9.1, clause 4.9).

Taken besides the grammar of the clause, because users write it: nested parentheses, `!path` for
absence, names with a prefix (`ns:name`), a bare word for a text (`category==commercial`), and a
quoted date-time against a time member (`modifiedAt>"2026-01-01T00:00:00Z"`). What a tree means is
said in `conurb.model.query.match`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, get_args

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.names import is_simple_name
from conurb.model.query import pattern
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
from conurb.model.time import parse_us

if TYPE_CHECKING:
    from conurb.model.context import Terms

Q_LENGTH_MAX: Final = 8_192
"""Characters of one q."""
TERMS_MAX: Final = 200
"""Comparisons in one q."""
NESTING_MAX: Final = 20
"""Parentheses in parentheses."""
STEPS_MAX: Final = 10
"""Steps of one path, links included."""
MEMBERS_MAX: Final = 10
"""Members of one path inside of a compound value."""
LINKS_MAX: Final = 3
"""Entities that one path goes through."""
LIST_MAX: Final = 500
"""Values in one list."""

TIME_NAMES: Final = frozenset({"createdAt", "modifiedAt", "deletedAt", "expiresAt", "observedAt"})
SYSTEM_NAMES: Final = TIME_NAMES | {
    "id",
    "type",
    "scope",
    "unitCode",
    "datasetId",
    "objectType",
    "instanceId",
}
"""Names of a path that aren't attributes; they are never expanded."""

_OPERATORS: Final[tuple[Operator, ...]] = ("!~=", "~=", "==", "!=", ">=", "<=", ">", "<")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_MOMENT: Final = re.compile(
    rf"(?P<datetime>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_TIME})"
    rf"|(?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})|(?P<time>{_TIME})",
    re.ASCII,
)
_NAME: Final = re.compile(r"[\w:]+")
_BARE: Final = re.compile(r"[^;|,()\"<>{}\\^`\s\x00-\x1f\x7f]+")
_WORD: Final = re.compile(r"[^\W\d_][\w-]*")
_BOOLEAN: Final = re.compile("true|false")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_EXACT_INTEGER: Final = 2**53


def parse_q(text: str, terms: Terms, *, expand_values: Iterable[str] = ()) -> Condition:
    """Read a q expression; names are expanded by `terms`.

    `expand_values` are attribute names (terms) whose text values are expanded to IRIs. Raises
    BadRequestDataError that names the position, TooComplexQueryError over the bounds (4.9).
    """
    if len(text) > Q_LENGTH_MAX:
        raise TooComplexQueryError(
            f"q has {len(text)} characters; at most {Q_LENGTH_MAX} are taken"
        )
    parser = _Parser(text, terms, frozenset(terms.expand(name) for name in expand_values))
    condition = parser.disjunction()
    if parser.at < len(text):
        raise parser.fail("expected ';', '|' or the end")
    return condition


def parse_path(text: str, terms: Terms, *, name: str) -> AttributePath:
    """Read an attribute path on its own, such as `address[city]`; `name` is the parameter's.

    Raises BadRequestDataError with the position, TooComplexQueryError over the bounds.
    """
    if len(text) > Q_LENGTH_MAX:
        raise TooComplexQueryError(f"{name} has {len(text)} characters; at most {Q_LENGTH_MAX}")
    parser = _Parser(text, terms, frozenset(), name=name)
    path = parser.path()
    if parser.at < len(text):
        raise parser.fail("expected the end of the path")
    return path


def is_term(text: str) -> bool:
    """Whether a text is a name by clause 4.6.2, with or without a prefix.

    >>> is_term("temperature"), is_term("ns:温度_2"), is_term("2x"), is_term("a-b")
    (True, True, False, False)
    """
    return text.count(":") <= 1 and all(map(is_simple_name, text.split(":")))


class _Parser:
    """Reads q by recursive descent over its characters; `at` is where it is."""

    def __init__(self, text: str, terms: Terms, expand: frozenset[str], *, name: str = "q") -> None:
        self.parameter = name
        self.text = text
        self.terms = terms
        self.expand = expand
        self.at = 0
        self.depth = 0
        self.terms_read = 0

    def fail(self, reason: str) -> BadRequestDataError:
        rest = self.text[self.at : self.at + 30]
        where = f"at {rest!r}" if rest else "at the end"
        return BadRequestDataError(f"{self.parameter}, position {self.at} {where}: {reason}")

    def too_complex(self, what: str, bound: int) -> TooComplexQueryError:
        return TooComplexQueryError(
            f"{self.parameter}, position {self.at}: more than {bound} {what}"
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def accept(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        if found:
            self.at += len(sign)
        return found

    def expect(self, sign: str, after: str) -> None:
        if not self.accept(sign):
            raise self.fail(f"expected {sign!r} after {after}")

    # ── conditions ──

    def disjunction(self) -> Condition:
        items = [self.conjunction()]
        while self.accept("|"):
            items.append(self.conjunction())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def conjunction(self) -> Condition:
        items = [self.term()]
        while self.accept(";"):
            items.append(self.term())
        return items[0] if len(items) == 1 else And(tuple(items))

    def term(self) -> Condition:
        if self.accept("("):
            self.depth += 1
            if self.depth > NESTING_MAX:
                raise self.too_complex("parentheses in parentheses", NESTING_MAX)
            inner = self.disjunction()
            self.expect(")", "the terms in parentheses")
            self.depth -= 1
            return inner
        self.terms_read += 1
        if self.terms_read > TERMS_MAX:
            raise self.too_complex("terms", TERMS_MAX)
        if self.peek() == "!":
            self.at += 1
            return Absent(self.path())
        path = self.path()
        operator = next((sign for sign in _OPERATORS if self.accept(sign)), None)
        if operator is None:
            if self.peek() not in ("", ";", "|", ")"):
                raise self.fail(f"expected one of {', '.join(get_args(Operator))}, ';', '|' or ')'")
            return Exists(path)
        if operator in ("~=", "!~="):
            return Compare(path, operator, pattern.portable(self.expression()))
        return Compare(path, operator, self.operand(path, operator))

    # ── paths ──

    def path(self) -> AttributePath:
        steps: list[str | Linked] = []
        braces = 0
        while True:
            name = self.name()
            if name in SYSTEM_NAMES:
                steps.append(name)
                break
            steps.append(self.terms.expand(name))
            if self.accept("{"):
                braces += 1
                if braces > LINKS_MAX:
                    raise self.too_complex("linked entities in one path", LINKS_MAX)
                steps.append(Linked(self.linked_types()))
            elif not self.accept("."):
                break
            if len(steps) > STEPS_MAX:
                raise self.too_complex("steps in one path", STEPS_MAX)
        members = self.members() if self.accept("[") else ()
        for _ in range(braces):
            self.expect("}", "the path of the linked entity")
        return AttributePath(tuple(steps), members)

    def name(self) -> str:
        """Read a name; a prefix only outside of braces, where ':' ends a list of types."""
        start = self.at
        match = _NAME.match(self.text, start)
        name = match.group() if match else ""
        if not is_term(name):
            raise self.fail("expected a name: a letter, then letters, numbers or '_'")
        self.at = start + len(name)
        return name

    def linked_types(self) -> tuple[str, ...]:
        """Read the types before the ':' in braces; none when there is no such list."""
        end = re.compile(r"[^:{}\[\].;|()=!<>~]*:").match(self.text, self.at)
        if end is None:
            return ()
        names = end.group()[:-1].split(",")
        if len(names) > LIST_MAX:
            raise self.too_complex("types in one list", LIST_MAX)
        if not all(map(is_term, names)):
            raise self.fail("expected names of types, separated by ',', before ':'")
        self.at = end.end()
        return tuple(self.terms.expand(name) for name in names)

    def members(self) -> tuple[str, ...]:
        end = self.text.find("]", self.at)
        names = self.text[self.at : end].split(".") if end >= 0 else []
        if not names or not all(names):
            raise self.fail("expected names of members, separated by '.', and ']'")
        if len(names) > MEMBERS_MAX:
            raise self.too_complex("members in one path", MEMBERS_MAX)
        self.check_text("".join(names))
        self.at = end + 1
        return tuple(names)

    # ── operands ──

    def operand(self, path: AttributePath, operator: Operator) -> Scalar | Range | OneOf:
        items = [self.item(path)]
        while self.accept(","):
            if len(items) >= LIST_MAX:
                raise self.too_complex("values in one list", LIST_MAX)
            items.append(self.item(path))
        single = items[0]
        if len(items) == 1 and (operator in ("==", "!=") or not isinstance(single, Range)):
            return single
        if operator not in ("==", "!="):
            raise self.fail(f"a list or a range goes with == and != only, not with {operator}")
        return OneOf(tuple(items))

    def item(self, path: AttributePath) -> Scalar | Range:
        low = self.scalar(path)
        if not self.accept(".."):
            return low
        high = self.scalar(path)
        if isinstance(low, bool) or isinstance(high, bool) or _kind(low) != _kind(high):
            raise self.fail("a range goes from a number, text, date or time to one of its kind")
        return Range(low, high)

    def scalar(self, path: AttributePath) -> Scalar:
        if self.peek() == '"':
            return self.adapted(path, self.quoted())
        for pattern_, read in (
            (_MOMENT, self.moment),
            (_NUMBER, self.number),
            (_BOOLEAN, lambda found: found.group() == "true"),
        ):
            match = pattern_.match(self.text, self.at)
            if match is not None and self.ends(match.end()):
                value = read(match)
                self.at = match.end()
                return self.adapted(path, value)
        match = _BARE.match(self.text, self.at)
        if match is None:
            raise self.fail('expected a value: a number, true, false, a "text", a date or a URI')
        word = match.group()
        if ":" not in word and _WORD.fullmatch(word) is None:
            raise self.fail("a text that isn't letters, digits, '_' and '-' is \"quoted\"")
        self.check_text(word)
        self.at = match.end()
        return self.adapted(path, Uri(word) if ":" in word else word)

    def ends(self, at: int) -> bool:
        """Whether a value may end here."""
        return self.text[at : at + 1] in ("", ";", "|", ",", ")") or self.text.startswith("..", at)

    def quoted(self) -> str:
        match = _STRING.match(self.text, self.at)
        try:
            value = json.loads(match.group()) if match else None
        except ValueError:
            value = None
        if match is None or not isinstance(value, str):
            raise self.fail('expected a JSON string: "...", with \\" and \\\\ for those signs')
        self.check_text(value)
        self.at = match.end()
        return value

    def check_text(self, value: str) -> None:
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise self.fail("a text contains NUL or half of a surrogate pair")

    def number(self, match: re.Match[str]) -> int | float:
        value = float(match.group())
        if value in (float("inf"), float("-inf")):
            raise self.fail(f"{match.group()} is over the range of a double")
        whole = match.group(1) is None and match.group(2) is None
        return int(value) if whole and abs(value) <= _EXACT_INTEGER else value

    def moment(self, match: re.Match[str]) -> Moment:
        text = match.group()
        if match.lastgroup == "datetime":
            return Moment(text, parse_us(text, name=f"q, position {self.at}"))
        return Moment(text, None)

    def adapted(self, path: AttributePath, value: Scalar) -> Scalar:
        """Take a value as what its path asks for: a time, a type, an IRI of a vocabulary."""
        last = path.steps[-1]
        if last in TIME_NAMES:
            return _as_time(value)
        if not isinstance(value, str | Uri):
            return value
        text = value if isinstance(value, str) else value.text
        of_entity = len(path.steps) == 1 or isinstance(path.steps[-2], Linked)
        if last == "objectType" or (last == "type" and of_entity):
            return Uri(self.terms.expand_value(text))
        return Uri(self.terms.expand_value(text)) if last in self.expand else value

    def expression(self) -> str:
        """Read a regular expression: in quotes (where only \\" is an escape), or up to its end."""
        match = _STRING.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return match.group()[1:-1].replace('\\"', '"')
        start, depth, bracket = self.at, 0, False
        while self.at < len(self.text):
            char = self.peek()
            if char == "\\":
                self.at += 1
            elif bracket:
                bracket = char != "]"
            elif char == "[":
                bracket = True
            elif depth == 0 and char in ";|)":
                break
            else:
                depth += (char == "(") - (char == ")")
            self.at += 1
        self.at = min(self.at, len(self.text))
        if self.at == start:
            raise self.fail("expected a regular expression")
        return self.text[start : self.at]


def _kind(value: Scalar) -> str:
    """Name the kind of a scalar, as far as it can be the end of a range."""
    if isinstance(value, Moment):
        return "moment" if value.us is not None else "date or time"
    return "text" if isinstance(value, str | Uri) else "number"


def _as_time(value: Scalar) -> Scalar:
    """Take a text or a date as the moment that it says; anything else as it is."""
    text = value if isinstance(value, str) else value.text if isinstance(value, Moment) else ""
    match = _MOMENT.fullmatch(text)
    if (
        match is None
        or match.lastgroup == "time"
        or (isinstance(value, Moment) and value.us is not None)
    ):
        return value
    full = text if match.lastgroup == "datetime" else text + "T00:00:00Z"
    return Moment(text, parse_us(full, name="q"))
