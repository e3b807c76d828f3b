"""The operators and functions of $filter (18-088, tables 20 to 22), on plain values.

A text that is a time compares as a time; an interval (`begin/end`) by its ends. A function that
doesn't fit its operands raises, which the caller takes for null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conurb.errors import ConurbError
from conurb.model.time import US_PER_S, parse_us, shown_us

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT.*")
_DURATION: Final = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def _moment(value: Any) -> datetime:
    at = datetime.fromtimestamp(0, UTC)
    return at + timedelta(microseconds=parse_us(str(value).split("/")[0]))


def _ends(value: Any) -> tuple[float, float] | None:
    """Give the begin and end of a time in microseconds; None for what is no time."""
    if not isinstance(value, str) or not _TIME.match(value):
        return None
    try:
        ends = [parse_us(part) for part in value.split("/")]
    except ConurbError:
        return None
    return ends[0], ends[-1]


def _compared(decide: Callable[[Any, Any], bool], *, late: int) -> Callable[[Any, Any], Any]:
    """Make a comparison that knows times: of an interval, the end that decides is taken."""

    def compare(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        one, other = _ends(left), _ends(right)
        if one is not None and other is not None:
            return decide(one[late], other[1 - late])
        if isinstance(left, bool) is not isinstance(right, bool):
            return None
        return decide(left, right)

    return compare


def _equal(left: Any, right: Any) -> bool:
    one, other = _ends(left), _ends(right)
    if one is not None and other is not None:
        return one == other
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _plus(left: Any, right: Any) -> Any:
    if isinstance(right, str) and (span := _DURATION.fullmatch(right)):
        return _shifted(left, span, 1)
    return left + right


def _minus(left: Any, right: Any) -> Any:
    if isinstance(right, str) and (span := _DURATION.fullmatch(right)):
        return _shifted(left, span, -1)
    return left - right


def _shifted(value: Any, span: re.Match[str], sign: int) -> str:
    parts = {name: float(text) for name, text in span.groupdict().items() if text}
    moved = _moment(value) + sign * timedelta(**parts)
    return shown_us(int(moved.timestamp() * US_PER_S))


def _divided(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        return int(left / right)
    return left / right


def _shape(value: Any) -> Any:
    """Read a geometry: GeoJSON (also a Feature), or WKT."""
    from shapely import from_wkt
    from shapely.geometry import shape

    if isinstance(value, dict):
        return shape(value.get("geometry", value))
    return from_wkt(str(value))


def _spatial(name: str) -> Callable[[Any, Any], Any]:
    def relation(left: Any, right: Any) -> Any:
        return bool(getattr(_shape(left), name)(_shape(right)))

    return relation


def _now() -> str:
    return shown_us(int(datetime.now(UTC).timestamp() * US_PER_S))


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "gt": _compared(lambda a, b: a > b, late=0),
    "ge": _compared(lambda a, b: a >= b, late=0),
    "lt": _compared(lambda a, b: a < b, late=1),
    "le": _compared(lambda a, b: a <= b, late=1),
    "add": _plus,
    "sub": _minus,
    "mul": lambda a, b: a * b,
    "div": _divided,
    "mod": math.fmod,
    "substringof": lambda part, text: part in text,
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "length": len,
    "indexof": lambda text, part: text.find(part),
    "substring": lambda text, start, size=None: (
        text[start:] if size is None else text[start : start + size]
    ),
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "concat": lambda left, right: str(left) + str(right),
    "year": lambda at: _moment(at).year,
    "month": lambda at: _moment(at).month,
    "day": lambda at: _moment(at).day,
    "hour": lambda at: _moment(at).hour,
    "minute": lambda at: _moment(at).minute,
    "second": lambda at: _moment(at).second,
    "fractionalseconds": lambda at: _moment(at).microsecond / US_PER_S,
    "date": lambda at: _moment(at).date().isoformat(),
    "time": lambda at: _moment(at).time().isoformat(),
    "totaloffsetminutes": lambda at: int(_moment(at).strftime("%z")) // 100 * 60,
    "now": _now,
    "mindatetime": lambda: "0001-01-01T00:00:00Z",
    "maxdatetime": lambda: "9999-12-31T23:59:59Z",
    "round": lambda number: math.floor(number + 0.5),
    "floor": math.floor,
    "ceiling": math.ceil,
    "geo.distance": lambda left, right: _shape(left).distance(_shape(right)),
    "geo.length": lambda line: _shape(line).length,
    "geo.intersects": _spatial("intersects"),
    "st_equals": _spatial("equals"),
    "st_disjoint": _spatial("disjoint"),
    "st_touches": _spatial("touches"),
    "st_within": _spatial("within"),
    "st_overlaps": _spatial("overlaps"),
    "st_crosses": _spatial("crosses"),
    "st_intersects": _spatial("intersects"),
    "st_contains": _spatial("contains"),
    "st_relate": lambda left, right, pattern: _shape(left).relate_pattern(_shape(right), pattern),
}
"""Name of an operator or function to what it does."""
