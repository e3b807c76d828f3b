"""What a client asks for besides the path: $filter, $expand, $select, $orderby, $top, $skip,
$count (18-088, 9.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.systems.monitoring.sensorthings.filters import Path, Tree, parse
from conurb.systems.monitoring.sensorthings.kinds import Kind, get_kind

TOP: Final = 100
TOP_MAX: Final = 1_000
EXPAND_DEPTH_MAX: Final = 5
SKIP_MAX: Final = 1_000_000
NAMES: Final = frozenset(
    {"$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count", "$resultFormat"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """One key to order by."""

    path: Path
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """A link whose entities are given inside, with options of their own."""

    name: str
    options: Options


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one set of entities. `select` None gives everything."""

    filter: Tree | None = None
    expand: tuple[Expansion, ...] = ()
    select: tuple[str, ...] | None = None
    order: tuple[Order, ...] = ()
    top: int = TOP
    skip: int = 0
    count: bool = False


NONE: Final = Options()


def read_options(kind: Kind, given: Mapping[str, str], *, depth: int = 0) -> Options:
    """Read options for a set of a kind.

    Raises BadRequestDataError for one that isn't known or can't be read, TooComplexQueryError over
    the bounds.
    """
    unknown = sorted(name for name in given if name.startswith("$") and name not in NAMES)
    if unknown:
        raise BadRequestDataError(f"{unknown[0]} isn't known; known: {', '.join(sorted(NAMES))}")
    return Options(
        filter=parse(given["$filter"]) if given.get("$filter") else None,
        expand=_expansions(kind, given.get("$expand", ""), depth),
        select=_select(kind, given.get("$select", "")),
        order=tuple(_order(part) for part in _split(given.get("$orderby", ""), ",")),
        top=min(_count(given, "$top", TOP), TOP_MAX),
        skip=_count(given, "$skip", 0),
        count=_flag(given.get("$count", "false")),
    )


def _expansions(kind: Kind, text: str, depth: int) -> tuple[Expansion, ...]:
    if text and depth >= EXPAND_DEPTH_MAX:
        raise TooComplexQueryError(f"$expand is nested deeper than {EXPAND_DEPTH_MAX} levels")
    merged: dict[str, Expansion] = {}
    for part in _split(text, ","):
        one = _expansion(kind, part, depth)
        before = merged.get(one.name)
        if before is not None:
            joined = (*before.options.expand, *one.options.expand)
            options = Options(
                **{
                    name: getattr(before.options, name)
                    for name in ("filter", "select", "order", "top", "skip", "count")
                },
                expand=joined,
            )
            one = Expansion(one.name, options)
        merged[one.name] = one
    return tuple(merged.values())


def _expansion(kind: Kind, text: str, depth: int) -> Expansion:
    path, _, inner = text.partition("(")
    if inner and not inner.endswith(")"):
        raise BadRequestDataError(f"$expand: {text!r:.200} lacks a ')'")
    name, _, further = path.strip().partition("/")
    navigation = kind.navigations.get(name)
    if navigation is None:
        raise BadRequestDataError(
            f"$expand: {kind.plural} have no {name!r:.100}; links: {', '.join(kind.navigations)}"
        )
    target = get_kind(navigation.kind)
    if further:
        rest = further + (f"({inner}" if inner else "")
        return Expansion(name, Options(expand=_expansions(target, rest, depth + 1)))
    given: dict[str, str] = {}
    for part in _split(inner[:-1] if inner else "", ";"):
        key, equals, value = part.partition("=")
        if not equals:
            raise BadRequestDataError(f"$expand: {part!r:.200} is not NAME=VALUE")
        given[key.strip()] = value
    return Expansion(name, read_options(target, given, depth=depth + 1))


def _select(kind: Kind, text: str) -> tuple[str, ...] | None:
    names = tuple(part for part in _split(text, ",") if part)
    for name in names:
        known = (*kind.properties, *kind.navigations, "id", "@iot.id", "@iot.selfLink")
        if name.split("/")[0] not in known:
            raise BadRequestDataError(f"$select: {kind.plural} have no {name!r:.100}")
    return names or None


def _order(text: str) -> Order:
    words = text.split()
    if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise BadRequestDataError(f"$orderby: {text!r:.200} is not PATH, PATH asc or PATH desc")
    return Order(Path(tuple(words[0].split("/"))), descending=words[-1] == "desc")


def _count(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequestDataError(f"{name}: {text!r:.100} is not a whole number")
    number = int(text)
    if name == "$skip" and number > SKIP_MAX:
        raise TooComplexQueryError(f"$skip: {number} is over {SKIP_MAX}")
    return number


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadRequestDataError(f"$count: {text!r:.100} is neither true nor false")
    return text == "true"


def _split(text: str, separator: str) -> list[str]:
    """Split outside of parentheses and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return [part for part in (*parts, last) if part]
