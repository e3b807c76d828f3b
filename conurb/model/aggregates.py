"""What a value counts as when it is aggregated (ETSI GS CIM 009 v1.9.1, clause 4.5.19.1).

Tables 1 to 3 of the clause sort values by data type; point 12 of `conurb.model.query.match` says
the rules. Here is what isn't plain JSON: dates, times of day and date-times (clause 4.6.3), which
are a JSON-LD typed value, `{"@type": "Time", "@value": "08:15:00Z"}`, or a text with `valueType`.

A moment is aggregated by its *key*: the text without its `Z`, a point in the fraction and no zeros
at its end, so that the order of keys is the order of moments.
"""

from __future__ import annotations

import re
from typing import Any, Final

from conurb.model.context import CORE_PREFIX, DEFAULT_VOCABULARY
from conurb.model.entity import Instance, instance_value
from conurb.model.time import US_PER_S

_XSD: Final = ("http://www.w3.org/2001/XMLSchema#", "xsd:")
_DATE: Final = "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.,][0-9]{1,6})?Z?"


def _names(name: str) -> tuple[str, ...]:
    xsd = name[:1].lower() + name[1:]
    return (name, CORE_PREFIX + name, *(prefix + xsd for prefix in _XSD))


MOMENT_FORMS: Final[dict[str, str]] = {
    "DateTime": f"{_DATE}T{_TIME}",
    "Date": _DATE,
    "Time": _TIME,
}
"""Data type to the form of its texts; the expressions mean the same to PostgreSQL."""

MOMENT_NAMES: Final[dict[str, tuple[str, ...]]] = {name: _names(name) for name in MOMENT_FORMS}
"""Data type to the names that say it."""

URI_NAMES: Final = ("URI", DEFAULT_VOCABULARY + "URI", "@id", *(p + "anyURI" for p in _XSD))
"""Names of the data type whose texts have no order."""

UNORDERED_NAMES: Final = frozenset({*URI_NAMES, *(n for ns in MOMENT_NAMES.values() for n in ns)})
"""Values of `valueType` with which a text isn't compared as a text."""

_KINDS: Final = {name: kind for kind, names in MOMENT_NAMES.items() for name in names}
_FORMS: Final = {kind: re.compile(form) for kind, form in MOMENT_FORMS.items()}
_TEXTUAL: Final = frozenset({"Property", "JsonProperty"})


def find_number(instance: Instance) -> float | None:
    """Find what an instance counts as: a number, 0 or 1 for a boolean, the length of an array."""
    if instance["type"] in ("Relationship", "ListRelationship"):
        return None
    value = instance_value(instance)
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, bool | int | float) else None


def find_moment(instance: Instance) -> str | None:
    """Find the key of a Property that is a date, a time of day or a date-time.

    >>> find_moment({"type": "Property", "value": {"@type": "Time", "@value": "08:15:00.50Z"}})
    '08:15:00.5'
    """
    if instance["type"] != "Property":
        return None
    stated: Any = instance.get("value")
    is_typed = isinstance(stated, dict)
    value = stated.get("@value") if is_typed else stated
    name = stated.get("@type") if is_typed else instance.get("valueType")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(value, str) or _FORMS[kind].fullmatch(value) is None:
        return None
    key = value.rstrip("Z").replace(",", ".")
    return key.rstrip("0").rstrip(".") if "." in key else key


def find_text(instance: Instance) -> str | None:
    """Find the text of an instance that is compared as one."""
    if instance["type"] not in _TEXTUAL:
        return None
    kind = instance.get("valueType")
    if isinstance(kind, str) and kind in UNORDERED_NAMES:
        return None
    value = instance_value(instance)
    return value if isinstance(value, str) else None


def shown_moment(key: str) -> dict[str, Any]:
    """Write the moment of a key as a typed value.

    >>> shown_moment("2026-01-31")
    {'@type': 'Date', '@value': '2026-01-31'}
    """
    if ":" not in key:
        return {"@type": "Date", "@value": key}
    return {"@type": "DateTime" if "T" in key else "Time", "@value": f"{key}Z"}


def time_of_day_us(key: str) -> int | None:
    """Find the microseconds since midnight of a key; None for a date and a date-time.

    >>> time_of_day_us("00:00:01.5")
    1500000
    """
    if len(key) < 8 or key[2] != ":":
        return None
    second = int(key[:2]) * 3600 + int(key[3:5]) * 60 + int(key[6:8])
    return second * US_PER_S + int(f"{key[9:]:0<6}")


def shown_time_of_day(us: int) -> dict[str, Any]:
    """Write microseconds since midnight as a typed value.

    >>> shown_time_of_day(1_500_000)
    {'@type': 'Time', '@value': '00:00:01.5Z'}
    """
    second, micro = divmod(us, US_PER_S)
    minute, hour = second // 60 % 60, second // 3600
    key = f"{hour:02d}:{minute:02d}:{second % 60:02d}.{micro:06d}"
    return shown_moment(key.rstrip("0").rstrip("."))
