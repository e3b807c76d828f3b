"""How the columns of a table become the attributes of objects.

A mapping is written as a small TOML file, or given as flags of `conurb load`:

    type = "AirQualityObserved"
    id = "urn:ngsi-ld:AirQualityObserved:wuxi:{station}"
    time = "hour"
    timezone = "Asia/Shanghai"
    longitude = "lon"
    latitude = "lat"

    [attributes.pm25]
    column = "PM2.5"
    unit = "GQ"

Without any attributes every column that isn't used otherwise becomes a Property of its own name.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conurb.errors import InvalidRequestError
from conurb.model.time import parse_us, shown_us

KINDS: Final = ("Property", "Relationship", "LanguageProperty", "VocabProperty")
VALUE_TYPES: Final = ("auto", "text", "number")
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_NOT_IN_A_NAME: Final = re.compile(r"[^0-9A-Za-z_]+")
_ATTRIBUTE_KEYS: Final = frozenset({"column", "kind", "unit", "dataset", "value"})
_MAPPING_KEYS: Final = frozenset(
    {"type", "id", "owner", "scope", "time", "timezone", "longitude", "latitude", "attributes"}
)

Row = Mapping[str, Any]
"""One line of a table: column to value; text in CSV, typed elsewhere."""


@dataclass(frozen=True, slots=True)
class Column:
    """Which column an attribute is read from, and as what.

    `unit` is a UN/CEFACT code; `language` the language of a LanguageProperty's text; `value` says
    how text is read: `auto` (a number where it is one), `text`, or `number`.
    """

    attribute: str
    column: str
    kind: str = "Property"
    unit: str | None = None
    dataset: str | None = None
    language: str | None = None
    value: str = "auto"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How a row becomes an object; see the module for its form as a file."""

    type: str | None = None
    id: str | None = None
    owner: str = "local"
    scope: str | None = None
    time: str | None = None
    timezone: str | None = None
    longitude: str | None = None
    latitude: str | None = None
    attributes: tuple[Column, ...] = field(default=())

    def updated(self, **given: Any) -> ColumnMapping:
        """Build the mapping with flags laid over it; None leaves what was there."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def read_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file; raise InvalidRequestError naming what is wrong in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequestError(f"mapping {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequestError(f"mapping {path} is not TOML: {error}") from error
    _only(document, _MAPPING_KEYS, f"mapping {path}")
    attributes = document.pop("attributes", {})
    columns = tuple(_read_column(name, given, path) for name, given in attributes.items())
    return check_mapping(ColumnMapping(attributes=columns, **document))


def _read_column(name: str, given: Any, path: Path) -> Column:
    if isinstance(given, str):
        given = {"column": given}
    where = f"mapping {path}, attribute {name!r}"
    _only(given, _ATTRIBUTE_KEYS | {"language"}, where)
    return Column(attribute=name, **{"column": name, **given})


def _only(document: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    if unknown := set(document) - allowed:
        names, known = ", ".join(sorted(unknown)), ", ".join(sorted(allowed))
        raise InvalidRequestError(f"{where}: {names} not known; allowed: {known}")


def check_mapping(mapping: ColumnMapping) -> ColumnMapping:
    """Give a mapping back; raise InvalidRequestError when its parts don't fit each other."""
    for column in mapping.attributes:
        where = f"attribute {column.attribute!r}"
        if column.kind not in KINDS:
            raise InvalidRequestError(f"{where}: kind {column.kind!r}; allowed: {', '.join(KINDS)}")
        if column.value not in VALUE_TYPES:
            raise InvalidRequestError(
                f"{where}: value {column.value!r}; allowed: {', '.join(VALUE_TYPES)}"
            )
        if column.kind == "LanguageProperty" and not column.language:
            raise InvalidRequestError(f"{where}: a LanguageProperty needs its language, such as zh")
    if (mapping.longitude is None) != (mapping.latitude is None):
        raise InvalidRequestError("longitude and latitude go together; one of them is missing")
    if mapping.timezone is not None:
        _zone(mapping.timezone)
    return mapping


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidRequestError(
            f"timezone {name!r} is not known; one such as Asia/Shanghai is expected"
        ) from error


class RowMapper:
    """Turns rows of one table into entity documents (normalized NGSI-LD)."""

    __slots__ = ("_columns", "_mapping", "_type", "_zone")

    def __init__(self, mapping: ColumnMapping, header: Sequence[str]) -> None:
        """Check the mapping against the table's columns.

        Raises InvalidRequestError when a column that the mapping names isn't there, or no type was
        given.
        """
        if not mapping.type:
            raise InvalidRequestError("which type do the objects have? give it as --type TYPE")
        self._mapping = mapping
        self._type = mapping.type
        self._zone = _zone(mapping.timezone) if mapping.timezone else None
        used = {mapping.time, mapping.longitude, mapping.latitude}
        used |= set(_PLACE.findall(mapping.id or ""))
        self._columns = mapping.attributes or tuple(
            Column(attribute=attribute_name(name), column=name)
            for name in header
            if name not in used and name not in ("id", "type")
        )
        self._check(header)

    def _check(self, header: Sequence[str]) -> None:
        mapping = self._mapping
        if mapping.id is None and "id" not in header:
            raise InvalidRequestError(
                "which column identifies an object? give --id 'urn:ngsi-ld:Type:owner:{column}'; "
                f"columns: {', '.join(header)}"
            )
        named = [mapping.time, mapping.longitude, mapping.latitude]
        named += _PLACE.findall(mapping.id or "") + _PLACE.findall(mapping.scope or "")
        named += [column.column for column in self._columns]
        if missing := sorted({name for name in named if name and name not in header}):
            raise InvalidRequestError(
                f"no column {', '.join(map(repr, missing))}; columns: {', '.join(header)}"
            )

    @property
    def timed(self) -> bool:
        """Whether rows speak of times, so that they go to history."""
        return self._mapping.time is not None

    def entity(self, row: Row, geometry: Any = None) -> dict[str, Any]:
        """Turn one row into an entity document.

        Raises InputError, naming the column and its value, when it can't be one.
        """
        mapping = self._mapping
        document: dict[str, Any] = {"id": self._identity(row), "type": self._type}
        if mapping.scope:
            document["scope"] = _fill(mapping.scope, row)
        observed = self._observed(row)
        for column in self._columns:
            instance = _instance(column, row.get(column.column))
            if instance is None:
                continue
            if observed is not None:
                instance["observedAt"] = observed
            document.setdefault(column.attribute, []).append(instance)
        for name, instances in document.items():
            if isinstance(instances, list) and len(instances) == 1:
                document[name] = instances[0]
        geometry = self._point(row) or geometry
        if geometry is not None:
            document["location"] = {"type": "GeoProperty", "value": geometry}
        return document

    def _identity(self, row: Row) -> str:
        if self._mapping.id is not None:
            return _fill(self._mapping.id, row)
        local = str(row.get("id") or "").strip()
        if not local:
            raise InvalidRequestError("column 'id' is empty")
        if local.startswith(("urn:", "http://", "https://")):
            return local
        return f"urn:ngsi-ld:{self._type}:{self._mapping.owner}:{quote(local, safe='')}"

    def _observed(self, row: Row) -> str | None:
        name = self._mapping.time
        return None if name is None else read_time(row.get(name), self._zone, column=name)

    def _point(self, row: Row) -> dict[str, Any] | None:
        mapping = self._mapping
        if mapping.longitude is None or mapping.latitude is None:
            return None
        longitude, latitude = row.get(mapping.longitude), row.get(mapping.latitude)
        if longitude in (None, "") and latitude in (None, ""):
            return None
        return {
            "type": "Point",
            "coordinates": [
                _number(longitude, mapping.longitude),
                _number(latitude, mapping.latitude),
            ],
        }


def attribute_name(column: str) -> str:
    """Make an attribute's name of a column's header: what isn't a letter or digit becomes `_`.

    >>> attribute_name("PM2.5 (ug/m3)")
    'PM2_5_ug_m3'
    """
    name = _NOT_IN_A_NAME.sub("_", column).strip("_")
    if not name:
        raise InvalidRequestError(
            f"column {column!r} can't name an attribute; map it: --map attribute=column"
        )
    return name if name[0].isalpha() else f"c{name}"


def _fill(template: str, row: Row) -> str:
    def value(match: re.Match[str]) -> str:
        text = str(row.get(match[1], "") if row.get(match[1]) is not None else "").strip()
        if not text:
            raise InvalidRequestError(f"column {match[1]!r} is empty, and the id needs it")
        return quote(text, safe="")

    return _PLACE.sub(value, template)


def read_time(value: Any, zone: ZoneInfo | None, *, column: str) -> str:
    """Read a cell as a date-time of the API.

    A year, a date or a time without offset is taken in `zone`; without one it is an error.
    """
    if isinstance(value, datetime):
        value = value.isoformat()
    text = str(value if value is not None else "").strip()
    if re.fullmatch(r"\d{4}", text):
        text += "-01-01"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return shown_us(parse_us(text, name=f"column {column!r}"))
    if moment.tzinfo is None:
        if zone is None:
            raise InvalidRequestError(
                f"column {column!r}: {text!r} has no offset; give --timezone, such as Asia/Shanghai"
            )
        moment = moment.replace(tzinfo=zone)
    return shown_us(parse_us(moment.isoformat(), name=f"column {column!r}"))


def _number(value: Any, column: str) -> float | int:
    number: float | int | None = None
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            number = int(text) if text.lstrip("+-").isdigit() else float(text)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = value
    if number is None or not math.isfinite(number):
        raise InvalidRequestError(f"column {column!r}: {value!r} is not a number")
    return number


def _is_empty(value: Any) -> bool:
    """Whether a cell says nothing: none, blank text, or the not-a-number of a table."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _instance(column: Column, value: Any) -> dict[str, Any] | None:
    """Turn a cell into an attribute instance; None for an empty cell."""
    if _is_empty(value.strip() if isinstance(value, str) else value):
        return None
    if isinstance(value, date):
        value = value.isoformat()
    member, read = _read_value(column, value)
    instance: dict[str, Any] = {"type": column.kind, member: read}
    if column.unit:
        instance["unitCode"] = column.unit
    if column.dataset:
        instance["datasetId"] = column.dataset
    return instance


def _read_value(column: Column, value: Any) -> tuple[str, Any]:
    if column.kind == "Relationship":
        return "object", str(value).strip()
    if column.kind == "VocabProperty":
        return "vocab", str(value).strip()
    if column.kind == "LanguageProperty":
        return "languageMap", {column.language: str(value)}
    if column.value == "number":
        return "value", _number(value, column.column)
    if not isinstance(value, str) or column.value == "text":
        return "value", value
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return "value", _number(text, column.column)
    return "value", {"true": True, "false": False}.get(text.lower(), value)
