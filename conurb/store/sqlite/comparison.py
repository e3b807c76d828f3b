r"""Comparisons as SQL: of a regular value at once, and of any target in general.

`conurb.model.query.match` says what they mean (points 2 to 4). The first form compares the
expression of a regular value (`values.py`), so that an index serves it; whatever isn't regular
carries a mark, and for that alone the general form unfolds the instance's document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from conurb.errors import InvariantError
from conurb.model.query.targets import moment_key
from conurb.model.query.tree import Compare, Moment, OneOf, Operator, Range, Scalar
from conurb.model.time import US_PER_S
from conurb.store.sqlite.sources import Parameters
from conurb.store.sqlite.values import FALSE, IRREGULAR, LINK, TEXT_FIRST, TRUE

ORDERED: Final = frozenset({"==", "<", "<=", ">", ">="})
"""Operators that an index on a regular value serves."""

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_DATE_TIME: Final = f"{_DAY}T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*Z"


def text_of(literal: Scalar) -> str | None:
    """Give the text that a literal compares with as text; None when it doesn't."""
    if isinstance(literal, str):
        return literal
    if isinstance(literal, bool | int | float):
        return None
    return None if isinstance(literal, Moment) and literal.us is not None else literal.text


def date_time_key(value: str) -> str:
    """Write the key of a date-time text; NULL when it isn't one."""
    fraction = f"substr({value}, 21, length({value}) - 21)"
    return (
        f"CASE WHEN {value} GLOB '{_DATE_TIME}' THEN CASE "
        f"WHEN length({value}) = 20 THEN substr({value}, 1, 19) || '.000' "
        f"WHEN length({value}) BETWEEN 22 AND 30 AND substr({value}, 20, 1) IN ('.', ',') "
        f"AND {fraction} NOT GLOB '*[^0-9]*' "
        f"THEN substr({value}, 1, 19) || '.' || substr({fraction} || '00', 1, 3) END END"
    )


# ── regular values ────────────────────────────────────────────────────────────────────────────


def regular_predicate(value: str, compare: Compare, parameters: Parameters) -> str:
    """Compare a regular value; false when it is absent or irregular."""
    operator, operand = compare.operator, compare.operand
    if operator == "!=":
        marker = parameters.add(IRREGULAR)
        equal = _regular_equal(value, operand, parameters)
        return f"({value} <> {marker} AND NOT {equal})"
    if operator == "==":
        return _regular_equal(value, operand, parameters)
    if isinstance(operand, Range | OneOf):
        return "0"
    if operator in ("~=", "!~="):
        if not isinstance(operand, str):
            return "0"
        found = f"conurb_matches({parameters.add(operand)}, {value})"
        least = parameters.add(TEXT_FIRST)
        return f"({value} >= {least} AND {found if operator == '~=' else f'NOT {found}'})"
    return _regular_ordered(value, operator, operand, parameters)


def _regular_equal(value: str, operand: Scalar | Range | OneOf, parameters: Parameters) -> str:
    if isinstance(operand, OneOf):
        items = [_regular_equal(value, item, parameters) for item in operand.items]
        return f"({' OR '.join(items)})"
    if isinstance(operand, Range):
        low = _regular_ordered(value, ">=", operand.low, parameters)
        high = _regular_ordered(value, "<=", operand.high, parameters)
        low_text, high_text = text_of(operand.low), text_of(operand.high)
        if low_text is None or high_text is None:
            return f"({low} AND {high})"
        first, last = parameters.add(LINK + low_text), parameters.add(LINK + high_text)
        return f"(({low} AND {high}) OR ({value} >= {first} AND {value} <= {last}))"
    if isinstance(operand, bool):
        return f"({value} = {parameters.add(TRUE if operand else FALSE)})"
    if isinstance(operand, int | float):
        return f"({value} = {parameters.add(operand)})"
    text = text_of(operand)
    if text is None:
        return _regular_moment(value, "==", operand, parameters)
    texts = [LINK + text] if text < TEXT_FIRST else [text, LINK + text]
    return f"({value} IN ({', '.join(parameters.add(item) for item in texts)}))"


def _regular_ordered(
    value: str, operator: Operator, literal: Scalar, parameters: Parameters
) -> str:
    """Compare by order, staying inside of the type: numbers lie below all texts."""
    if isinstance(literal, bool):
        return "0"
    if isinstance(literal, int | float):
        name = parameters.add(literal)
        if operator in ("<", "<="):
            return f"({value} {operator} {name})"
        return f"({value} {operator} {name} AND {value} < '')"
    text = text_of(literal)
    if text is None:
        return _regular_moment(value, operator, literal, parameters)
    name, least = parameters.add(text), parameters.add(TEXT_FIRST)
    return f"({value} {operator} {name} AND {value} >= {least})"


def _regular_moment(value: str, operator: Operator, literal: Scalar, parameters: Parameters) -> str:
    """Compare date-time texts by their key; the first 19 characters bound the index."""
    if not isinstance(literal, Moment) or literal.us is None:
        raise InvariantError(f"{literal!r} is not a date-time")
    key = moment_key(literal.us)
    bounds = []
    if operator in ("==", ">", ">="):
        bounds.append(f"{value} >= {parameters.add(key[:19])}")
    if operator in ("==", "<", "<="):
        bounds.append(f"{value} >= '0' AND {value} < {parameters.add(key[:19] + '~')}")
    sign = "=" if operator == "==" else operator
    compared = f"{date_time_key(value)} {sign} {parameters.add(key)}"
    return f"({' AND '.join(bounds)} AND coalesce({compared}, 0))"


# ── targets in general ────────────────────────────────────────────────────────────────────────


def general_predicate(
    alternatives: str, kind: str, compare: Compare, parameters: Parameters
) -> str:
    """Compare a target: `alternatives` is a JSON array, `kind` its class, both expressions."""
    operator, operand = compare.operator, compare.operand
    name = parameters.alias("x")
    rows = f"SELECT 1 FROM json_each({alternatives}) {name} WHERE"
    if operator in ("==", "!="):
        equal = f"EXISTS ({rows} {_equal(name, operand, parameters)})"
        return equal if operator == "==" else f"NOT {equal}"
    if isinstance(operand, Range | OneOf):
        return "0"
    if operator in ("~=", "!~="):
        if not isinstance(operand, str):
            return "0"
        found = f"conurb_matches({parameters.add(operand)}, {name}.atom)"
        matched = f"EXISTS ({rows} {name}.type = 'text' AND {found})"
        texts = f"EXISTS ({rows} {name}.type = 'text')"
        allowed = f"{kind} NOT IN ('list', 'links')"
        if operator == "~=":
            return f"({allowed} AND {matched})"
        return f"({allowed} AND {texts} AND NOT {matched})"
    holds = f"EXISTS ({rows} {_ordered(name, operator, operand, parameters)})"
    return f"({kind} NOT IN ('list', 'links') AND {holds})"


def _equal(name: str, operand: Scalar | Range | OneOf, parameters: Parameters) -> str:
    if isinstance(operand, OneOf):
        items = [_equal(name, item, parameters) for item in operand.items]
        return f"({' OR '.join(items)})"
    if isinstance(operand, Range):
        low = _ordered(name, ">=", operand.low, parameters)
        high = _ordered(name, "<=", operand.high, parameters)
        return f"({low} AND {high})"
    if isinstance(operand, bool):
        return f"({name}.type = '{'true' if operand else 'false'}')"
    return _ordered(name, "==", operand, parameters)


def _ordered(name: str, operator: Operator, literal: Scalar, parameters: Parameters) -> str:
    sign = "=" if operator == "==" else operator
    if isinstance(literal, bool):
        return "0"
    if isinstance(literal, int | float):
        number = parameters.add(literal)
        return f"({name}.type IN ('integer', 'real') AND {name}.atom {sign} {number})"
    text = text_of(literal)
    if text is not None:
        return f"({name}.type = 'text' AND {name}.atom {sign} {parameters.add(text)})"
    if not isinstance(literal, Moment) or literal.us is None:
        raise InvariantError(f"{literal!r} is not a date-time")
    key = parameters.add(moment_key(literal.us))
    compared = f"{date_time_key(f'{name}.atom')} {sign} {key}"
    return f"({name}.type = 'text' AND coalesce({compared}, 0))"


# ── times that the node keeps ─────────────────────────────────────────────────────────────────


def time_predicate(text: str, compare: Compare, parameters: Parameters) -> str:
    """Compare a fixed-width time text, as a target of class time."""

    def one(sign: str, us: int) -> str:
        name = parameters.add(moment_key(us))
        return f"(substr({text}, 1, 23) {'=' if sign == '==' else sign} {name})"

    return _time(text, compare, one)


def moment_predicate(us: str, compare: Compare, parameters: Parameters) -> str:
    """Compare an integer of microseconds, as a target of class time."""
    millisecond = US_PER_S // 1000

    def one(sign: str, literal_us: int) -> str:
        low = literal_us // millisecond * millisecond
        first, after = parameters.add(low), parameters.add(low + millisecond)
        forms = {
            "==": f"({us} >= {first} AND {us} < {after})",
            "<": f"({us} < {first})",
            "<=": f"({us} < {after})",
            ">": f"({us} >= {after})",
            ">=": f"({us} >= {first})",
        }
        return forms[sign]

    return _time(us, compare, one)


def _time(value: str, compare: Compare, one: Callable[[str, int], str]) -> str:
    """Compare a time with date-times by `one`; anything else isn't equal, nor in any order."""
    operator, operand = compare.operator, compare.operand

    def scalar(sign: str, literal: Scalar) -> str:
        is_moment = isinstance(literal, Moment) and literal.us is not None
        return one(sign, literal.us) if is_moment else "0"  # type: ignore[union-attr,arg-type]

    if operator in ("~=", "!~="):
        return "0"
    if operator in ("<", "<=", ">", ">="):
        return "0" if isinstance(operand, Range | OneOf) else scalar(operator, operand)
    parts = [
        f"({scalar('>=', item.low)} AND {scalar('<=', item.high)})"
        if isinstance(item, Range)
        else scalar("==", item)
        for item in (operand.items if isinstance(operand, OneOf) else (operand,))
    ]
    equal = f"({' OR '.join(parts)})"
    return equal if operator == "==" else f"({value} IS NOT NULL AND NOT {equal})"
