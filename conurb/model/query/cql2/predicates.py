"""The predicates of CQL2 as conditions, each in its plain form: negation comes afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from conurb.errors import BadRequestDataError
from conurb.model.crs import restored, restored_box
from conurb.model.geometry import check_geometry, to_wkt
from conurb.model.query.cql2.values import (
    Named,
    fold,
    is_property,
    moment,
    property_name,
    refuse,
    scalar,
    shown,
    timed,
)
from conurb.model.query.pattern import portable
from conurb.model.query.tree import (
    Absent,
    And,
    AttributePath,
    Compare,
    Condition,
    GeoCondition,
    GeoRelation,
    Moment,
    OneOf,
    Operator,
    Or,
    Range,
    Scalar,
)

LIST_MAX: Final = 1_000
"""Items of one list."""

_OPERATORS: Final[Mapping[str, Operator]] = {
    "=": "==",
    "<>": "!=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
}
_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_RELATIONS: Final[Mapping[str, GeoRelation]] = {
    "s_intersects": "intersects",
    "s_within": "within",
    "s_contains": "contains",
    "s_disjoint": "disjoint",
    "s_equals": "equals",
    "s_overlaps": "overlaps",
    "s_touches": "touches",
    "s_crosses": "crosses",
}
_RELATION_TURNED: Final[Mapping[str, GeoRelation]] = {"within": "contains", "contains": "within"}
_SPECIAL: Final = frozenset(r"\.[](){}*+?|^$")


# ── comparison ────────────────────────────────────────────────────────────────────────────────


def comparison(op: str, arguments: Sequence[Any], named: Named) -> Condition:
    """Compile `a = 1` and its kin, whichever side the property stands on."""
    left, right = _two(op, arguments)
    if not _holder(left) and _holder(right):
        left, right, op = right, left, _TURNED.get(op, op)
    if not _holder(left) and not _is_call(left, "casei") and not _is_op(left):
        return _of_literals(op, scalar(left, repr(op)), scalar(right, repr(op)))
    if _holder(right):
        refuse(f"{op!r} compares a property with a literal, not with another property")
    if _is_call(left, "casei"):
        return _case_insensitive(op, left, right, named)
    path = named.path(property_name(left, repr(op)))
    value = scalar(right, repr(op))
    if isinstance(value, bool) and op not in ("=", "<>"):
        refuse(f"{op!r} doesn't order true and false")
    if isinstance(value, Moment) and value.us is None and timed(value, path) != value:
        return _day(op, path, value)
    return Compare(path, _OPERATORS[op], value)


def _of_literals(op: str, left: Scalar, right: Scalar) -> Condition:
    """Work out what compares two literals, such as the `1 = 1` of many a program."""
    equal = left == right and type(left) is type(right)
    if op in ("=", "<>"):
        return And(()) if equal == (op == "=") else Or(())
    return refuse(f"{op!r} compares a property with a literal")


def _is_op(node: Any) -> bool:
    return isinstance(node, Mapping) and "op" in node and fold(node) is node


def _day(op: str, path: AttributePath, date: Moment) -> Condition:
    """Compare a time of the node with a whole day."""
    begin, end = timed(date, path), timed(date, path, end=True)
    if op in ("=", "<>"):
        return Compare(path, _OPERATORS[op], Range(begin, end))
    return Compare(path, _OPERATORS[op], end if op in (">", "<=") else begin)


def _holder(node: Any) -> bool:
    return is_property(node) or (_is_call(node, "casei") and is_property(_argument(node)))


def _is_call(node: Any, name: str) -> bool:
    return isinstance(node, Mapping) and node.get("op") == name


def _argument(node: Mapping[str, Any]) -> Any:
    arguments = node.get("args")
    if not isinstance(arguments, list) or len(arguments) != 1:
        refuse(f"{node.get('op')!r} takes one text")
    return arguments[0]


def _case_insensitive(op: str, left: Any, right: Any, named: Named) -> Condition:
    if op not in ("=", "<>"):
        refuse(f"casei goes with =, <> and LIKE, not with {op!r}")
    text = scalar(_argument(right) if _is_call(right, "casei") else right, "casei")
    if not isinstance(text, str):
        refuse("casei takes a text")
    path = named.path(property_name(_argument(left), "casei"))
    pattern = "^" + "".join(_any_case(char) for char in text) + "$"
    return Compare(path, "~=" if op == "=" else "!~=", portable(pattern))


def like(arguments: Sequence[Any], named: Named) -> Condition:
    """Compile LIKE: `%` is any text, `_` one character, a backslash takes the next one as it is."""
    left, right = _two("like", arguments)
    insensitive = _is_call(left, "casei")
    if insensitive:
        left = _argument(left)
        right = _argument(right) if _is_call(right, "casei") else right
    path = named.path(property_name(left, "like"))
    text = scalar(right, "like")
    if not isinstance(text, str):
        refuse(f"like takes a pattern, not {shown(right)}")
    return Compare(path, "~=", portable("^" + _pattern(text, insensitive=insensitive) + "$"))


def _pattern(text: str, *, insensitive: bool) -> str:
    parts: list[str] = []
    escaped = False
    for char in text:
        if char == "\\" and not escaped:
            escaped = True
            continue
        if char == "%" and not escaped:
            parts.append(".*")
        elif char == "_" and not escaped:
            parts.append(".")
        else:
            parts.append(_any_case(char) if insensitive else _literal(char))
        escaped = False
    return "".join(parts)


def _literal(char: str) -> str:
    return "\\" + char if char in _SPECIAL else char


def _any_case(char: str) -> str:
    forms = sorted({char, *(one for one in (char.lower(), char.upper()) if len(one) == 1)})
    return _literal(char) if len(forms) == 1 else f"[{''.join(forms)}]"


def membership(op: str, arguments: Sequence[Any], named: Named) -> Condition:
    """Compile BETWEEN and IN."""
    if op == "between":
        if len(arguments) == 2 and isinstance(arguments[1], list):  # a form of earlier drafts
            arguments = [arguments[0], *arguments[1]]
        if len(arguments) != 3:
            refuse("between takes a property and two ends")
        path = named.path(property_name(arguments[0], op))
        low, high = scalar(arguments[1], op), scalar(arguments[2], op)
        if isinstance(low, bool) or isinstance(high, bool):
            refuse("between doesn't order true and false")
        return Compare(path, "==", Range(timed(low, path), timed(high, path, end=True)))
    left, right = _two(op, arguments)
    if not isinstance(right, list) or len(right) > LIST_MAX:
        refuse(f"in takes a list of up to {LIST_MAX} literals")
    path = named.path(property_name(left, op))
    if not right:
        return Or(())
    return Compare(path, "==", OneOf(tuple(scalar(one, op) for one in right)))


def existence(arguments: Sequence[Any], named: Named) -> Condition:
    """Compile IS NULL."""
    if len(arguments) != 1:
        refuse("isNull takes one property")
    return Absent(named.path(property_name(arguments[0], "isNull")))


# ── space ─────────────────────────────────────────────────────────────────────────────────────


def spatial(op: str, arguments: Sequence[Any], named: Named) -> Condition:
    """Compile the relation of a property's geometry to a literal one."""
    relation = _RELATIONS.get(op)
    if relation is None:
        refuse(f"{op} isn't among the relations known here: {', '.join(_RELATIONS)}")
    left, right = _two(op, arguments)
    if not is_property(left) and is_property(right):
        left, right = right, left
        relation = _RELATION_TURNED.get(relation, relation)
    attribute = named.geo_attribute(property_name(left, op))
    return GeoCondition(attribute, relation, _wkt(right, op, named.crs))


def _wkt(node: Any, where: str, crs: str) -> str:
    if isinstance(node, Mapping) and "bbox" in node:
        node = _box(node["bbox"], crs)
    elif isinstance(node, Mapping) and "coordinates" in node:
        node = _restored(node, crs, where)
    if not isinstance(node, Mapping) or "type" not in node:
        refuse(f"{where} relates a property to a geometry, not to {shown(node)}")
    geometry = dict(node)
    check_geometry(geometry, name="filter")
    return to_wkt(geometry)


def _restored(node: Mapping[str, Any], crs: str, where: str) -> Any:
    try:
        return restored(node, crs)
    except (TypeError, IndexError, KeyError, ValueError) as error:
        raise BadRequestDataError(f"filter: {where}: {node!r:.100} is no geometry") from error


def _box(numbers: Any, crs: str) -> dict[str, Any]:
    if not isinstance(numbers, list) or len(numbers) not in (4, 6):
        refuse("bbox has four numbers, or six")
    found = [scalar(one, "bbox") for one in numbers]
    if not all(isinstance(one, int | float) for one in found):
        refuse("bbox has numbers")
    ends = cast("list[float]", found if len(found) == 4 else [*found[:2], *found[3:5]])
    west, south, east, north = restored_box((ends[0], ends[1], ends[2], ends[3]), crs)
    if west > east:
        parts = [[_ring(west, south, 180.0, north)], [_ring(-180.0, south, east, north)]]
        return {"type": "MultiPolygon", "coordinates": parts}
    return {"type": "Polygon", "coordinates": [_ring(west, south, east, north)]}


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


# ── time ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Span:
    """The ends of what a temporal predicate asks about: paths, or values; None where it is open."""

    begin: AttributePath | Scalar | None
    end: AttributePath | Scalar | None


def temporal(op: str, arguments: Sequence[Any], named: Named) -> Condition:
    """Compile the relation of a property's instant, or of two that bound an interval, to a time."""
    left, right = _two(op, arguments)
    if not _has_property(left) and _has_property(right):
        if op not in _TURNED_TIMES:
            refuse(f"{op}: write the property first")
        left, right, op = right, left, _TURNED_TIMES[op]
    held, build = _span(left, op, named), _TIMES.get(op)
    if build is None:
        refuse(f"{op} isn't among the relations known here: {', '.join(_TIMES)}")
    return build(held, _span(right, op, named, of=held))


def _has_property(node: Any) -> bool:
    ends = node.get("interval") if isinstance(node, Mapping) else None
    return is_property(node) or (isinstance(ends, list) and any(map(is_property, ends)))


def _span(node: Any, where: str, named: Named, *, of: _Span | None = None) -> _Span:
    """Read an instant or an interval: of properties, or (with `of`) of literals."""
    ends = node["interval"] if isinstance(node, Mapping) and "interval" in node else [node, node]
    if not isinstance(ends, list) or len(ends) != 2:
        refuse(f"{where}: an interval has two ends")
    if of is None:
        paths = [None if one == ".." else named.path(property_name(one, where)) for one in ends]
        return _Span(paths[0], paths[1])
    if any(map(is_property, ends)):
        refuse(f"{where} relates properties to a literal, not to another property")
    low, high = (None if one == ".." else moment(one, where) for one in ends)
    path = next((one for one in (of.begin, of.end) if isinstance(one, AttributePath)), None)
    if path is None:
        refuse(f"{where} asks of a property")
    return _Span(
        None if low is None else timed(low, path),
        None if high is None else timed(high, path, end=True),
    )


def _ends(held: Any, operator: Operator, value: Any) -> Condition:
    """Compare one end with one; what is open on either side holds for ever."""
    if held is None or value is None:
        return Or(()) if operator in ("<", ">") and value is None else And(())
    return Compare(held, operator, value)


def _t_after(held: _Span, asked: _Span) -> Condition:
    return _ends(held.begin, ">", asked.end)


def _t_before(held: _Span, asked: _Span) -> Condition:
    return _ends(held.end, "<", asked.begin)


def _t_during(held: _Span, asked: _Span) -> Condition:
    parts = []
    if asked.begin is not None:
        parts.append(_ends(held.begin, ">", asked.begin))
    if asked.end is not None:
        parts.append(_ends(held.end, "<", asked.end))
    return And(tuple(parts))


def _t_contains(held: _Span, asked: _Span) -> Condition:
    return And((_ends(held.begin, "<", asked.begin), _ends(held.end, ">", asked.end)))


def _t_intersects(held: _Span, asked: _Span) -> Condition:
    begin, end = asked.begin, asked.end
    instant = isinstance(held.begin, AttributePath) and held.begin == held.end
    if instant and isinstance(begin, Moment) and isinstance(end, Moment):
        # One instance has to lie in it, not one before its end and another after its beginning.
        return Compare(_path(held.begin), "==", begin if begin == end else Range(begin, end))
    return And((_ends(held.begin, "<=", end), _ends(held.end, ">=", begin)))


def _t_equals(held: _Span, asked: _Span) -> Condition:
    if held.begin == held.end:
        return _t_intersects(held, asked)
    return And((_ends(held.begin, "==", asked.begin), _ends(held.end, "==", asked.end)))


def _t_disjoint(held: _Span, asked: _Span) -> Condition:
    return Or((_t_before(held, asked), _t_after(held, asked)))


def _path(one: Any) -> AttributePath:
    return cast("AttributePath", one)


_TIMES: Final[Mapping[str, Callable[[_Span, _Span], Condition]]] = {
    "t_after": _t_after,
    "t_before": _t_before,
    "t_during": _t_during,
    "t_contains": _t_contains,
    "t_intersects": _t_intersects,
    "t_equals": _t_equals,
    "t_disjoint": _t_disjoint,
}
_TURNED_TIMES: Final = {
    "t_after": "t_before",
    "t_before": "t_after",
    "t_during": "t_contains",
    "t_contains": "t_during",
    "t_intersects": "t_intersects",
    "t_equals": "t_equals",
    "t_disjoint": "t_disjoint",
}


# ── lists ─────────────────────────────────────────────────────────────────────────────────────


def array(op: str, arguments: Sequence[Any], named: Named) -> Condition:
    """Compile the relation of a property's list to a literal one."""
    left, right = _two(op, arguments)
    if not isinstance(right, list) or len(right) > LIST_MAX:
        refuse(f"{op} takes a property and a list of up to {LIST_MAX} literals")
    path = named.path(property_name(left, op))
    items = tuple(scalar(one, op) for one in right)
    if op == "a_overlaps":
        return Compare(path, "==", OneOf(items)) if items else Or(())
    if op == "a_contains":
        return And(tuple(Compare(path, "==", one) for one in items))
    return refuse(f"{op} can't be asked here; a_contains and a_overlaps can")


def _two(op: str, arguments: Sequence[Any]) -> tuple[Any, Any]:
    if len(arguments) != 2:
        raise BadRequestDataError(f"filter: {op!r} takes two arguments, not {len(arguments)}")
    return arguments[0], arguments[1]
