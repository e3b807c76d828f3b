"""Query parameters: declared once beside each route, read typed, refused clearly.

A route lists its parameters as `Param`s. The same list reads the request (`read_params`), refuses
what the operation doesn't know (InvalidRequest, ETSI GS CIM 009 v1.9.1, 6.3.20), and describes the
operation in the OpenAPI document. The shared parameters of the standard are constants below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from conurb.errors import BadRequestDataError, InvalidRequestError

Kind = Literal["text", "list", "flag", "count"]

FLAGS: Final = {"true": True, "false": False}
PARAMS_MAX: Final = 64
"""More parameters than any operation knows, so that a hostile query string ends early."""


@dataclass(frozen=True, slots=True)
class Param:
    """One query parameter: its name, how it is read, what is allowed, and what it means.

    `choices` bounds a text or each item of a list. `low` bounds a count. A list is separated by
    commas outside of quotes and parentheses.
    """

    name: str
    meaning: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    low: int = 0
    pattern: str | None = None

    def schema(self) -> dict[str, Any]:
        """Write the parameter's JSON Schema for OpenAPI."""
        if self.kind == "flag":
            return {"type": "boolean"}
        if self.kind == "count":
            return {"type": "integer", "minimum": self.low}
        text: dict[str, Any] = {"type": "string"}
        if self.choices:
            text["enum"] = list(self.choices)
        else:
            text["minLength"] = 1
        if self.pattern:
            text["pattern"] = self.pattern
        return {"type": "array", "items": text} if self.kind == "list" else text


@dataclass(frozen=True, slots=True)
class Params:
    """The query parameters of one request, checked against what its operation knows."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str | None:
        """Give a text; None when it wasn't given."""
        value = self.values.get(name)
        return None if value is None else str(value)

    def items(self, name: str) -> tuple[str, ...]:
        """Give the items of a list; empty when it wasn't given."""
        value: tuple[str, ...] = self.values.get(name, ())
        return value

    def flag(self, name: str) -> bool:
        """Give a boolean; False when it wasn't given."""
        return bool(self.values.get(name, False))

    def count(self, name: str) -> int | None:
        """Give a whole number; None when it wasn't given."""
        value: int | None = self.values.get(name)
        return value

    def option(self, keyword: str) -> bool:
        """Whether `options` has a keyword."""
        return keyword in self.values.get("options", ())


NONE: Final = Params()


@lru_cache(maxsize=1024)
def known(params: tuple[Param, ...]) -> Mapping[str, Param]:
    """Index the parameters of an operation by name."""
    return {param.name: param for param in params}


def read_params(query: bytes, params: tuple[Param, ...], *, text_max: int) -> Params:
    """Read a query string.

    Raises InvalidRequestError for what the operation doesn't know, a parameter that is given
    twice, or a value of `options` it doesn't know; BadRequestDataError for a value that isn't of
    the parameter's type.
    """
    if not query:
        return NONE
    if len(query) > text_max:
        raise InvalidRequestError(
            f"the query string has {len(query)} bytes; this node reads {text_max}"
        )
    allowed = known(params)
    values: dict[str, Any] = {}
    pieces = query.split(b"&")
    if len(pieces) > PARAMS_MAX:
        raise InvalidRequestError(f"{len(pieces)} parameters; this node reads {PARAMS_MAX}")
    for piece in pieces:
        if not piece:
            continue
        raw_name, _, raw_value = piece.partition(b"=")
        name, value = _decoded(raw_name), _decoded(raw_value)
        param = allowed.get(name)
        if param is None:
            names = ", ".join(sorted(allowed)) or "none"
            raise InvalidRequestError(
                f"this operation has no parameter {name!r}; parameters: {names}"
            )
        if name in values:
            raise InvalidRequestError(f"parameter {name!r} is given twice")
        values[name] = _read(param, value)
    return Params(values)


def _decoded(raw: bytes) -> str:
    try:
        return unquote_plus(raw.decode("ascii"), encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"the query string isn't percent-encoded UTF-8: {raw!r}"
        ) from error


def _read(param: Param, value: str) -> Any:
    if "\x00" in value:
        raise BadRequestDataError(f"{param.name}: a value has no NUL character")
    if param.kind == "flag":
        flag = FLAGS.get(value)
        if flag is None:
            raise BadRequestDataError(f"{param.name}: {value!r} is neither true nor false")
        return flag
    if param.kind == "count":
        return _count(param, value)
    if value == "":
        raise BadRequestDataError(f"{param.name}: a value is missing")
    if param.kind == "list":
        items = split_list(value, name=param.name)
        if param.choices:
            for item in items:
                _check_choice(param, item)
        return items
    _check_choice(param, value)
    return value


def _count(param: Param, value: str) -> int:
    if not (value.isascii() and value.lstrip("-").isdigit()) or len(value) > 18:
        raise BadRequestDataError(f"{param.name}: {value!r} is not a whole number")
    number = int(value)
    if number < param.low:
        raise BadRequestDataError(f"{param.name}: {number} is below {param.low}")
    return number


def _check_choice(param: Param, value: str) -> None:
    if param.choices and value not in param.choices:
        # The standard singles `options` (and `format`, its successor) out: 6.3.20.
        error = InvalidRequestError if param.name in ("options", "format") else BadRequestDataError
        raise error(f"{param.name}: {value!r} is none of {', '.join(param.choices)}")


def split_list(text: str, *, name: str) -> tuple[str, ...]:
    """Split a comma-separated list; commas inside of parentheses and braces don't count.

    >>> split_list("a,b(c,d)", name="pick")
    ('a', 'b(c,d)')
    """
    if not any(mark in text for mark in "({["):
        items = tuple(item.strip() for item in text.split(","))
    else:
        items = _split_nested(text)
    if "" in items:
        raise BadRequestDataError(f"{name}: {text!r} has an empty item")
    return items


def _split_nested(text: str) -> tuple[str, ...]:
    items, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "({[":
            depth += 1
        elif character in ")}]":
            depth -= 1
        elif character == "," and depth <= 0:
            items.append(text[start:position].strip())
            start = position + 1
    return (*items, text[start:].strip())


# ── parameters that several operations share ──────────────────────────────────────────────────

REPRESENTATIONS: Final = ("normalized", "concise", "simplified", "keyValues")

TYPE: Final = Param("type", "Selection of entity types (4.17).")
ID: Final = Param("id", "Comma-separated list of entity ids.", "list")
ID_PATTERN: Final = Param("idPattern", "Regular expression that entity ids match.")
ATTRS: Final = Param("attrs", "Attributes that entities have one of; only these are given.", "list")
PICK: Final = Param("pick", "Members of an entity to give, all others left out.", "list")
OMIT: Final = Param("omit", "Members of an entity to leave out.", "list")
Q: Final = Param("q", "Query over attribute values (4.9).")
CSF: Final = Param("csf", "Context source filter (4.9).")
SCOPE_Q: Final = Param("scopeQ", "Scope query (4.19).")
GEOREL: Final = Param("georel", "Geo-relationship (4.10).")
GEOMETRY: Final = Param("geometry", "Kind of the reference geometry (4.10).")
COORDINATES: Final = Param("coordinates", "Coordinates of the reference geometry, as JSON (4.10).")
GEOPROPERTY: Final = Param("geoproperty", "GeoProperty that the geoquery asks of (4.7).")
GEOMETRY_PROPERTY: Final = Param(
    "geometryProperty", "GeoProperty that becomes the geometry in GeoJSON."
)
LANG: Final = Param("lang", "Preferred natural language of language maps.")
DATASET_IDS: Final = Param(
    "datasetId", "Attribute instances to give; @none is the default.", "list"
)
EXPAND_VALUES: Final = Param("expandValues", "Attributes whose values in q are expanded.", "list")
JSON_KEYS: Final = Param("jsonKeys", "Attributes whose values are plain JSON.", "list")
LOCAL: Final = Param("local", "Ask this node alone, no context sources (5.5.13).", "flag")
STRICT: Final = Param(
    "strict", "Fail with 503 rather than answer without a node (an option of Conurb's).", "flag"
)
LIMIT: Final = Param("limit", "Size of a page.", "count", low=0)
OFFSET: Final = Param("offset", "Entities to skip.", "count", low=0)
COUNT: Final = Param("count", "Give the number of all results as a header.", "flag")
JOIN: Final = Param(
    "join", "How linked entities are given (4.5.23).", choices=("flat", "inline", "@none")
)
JOIN_LEVEL: Final = Param("joinLevel", "How many relationships deep.", "count", low=1)
CONTAINED_BY: Final = Param("containedBy", "Ids met before in the entity graph.", "list")
ORDER_BY: Final = Param("orderBy", "Members to order by, with ;asc, ;desc ... (4.23).", "list")
COLLATION: Final = Param("collation", "Collation to order text by.")
ORDER_FROM: Final = Param("orderFrom", "Coordinates to measure distance from.")
ORDER_GEOMETRY: Final = Param("orderGeometry", "Kind of the geometry of orderFrom.")
ENTITY_MAP: Final = Param("entityMap", "Give the location of the entity map used.", "flag")
ENTITY_MAP_LIFETIME: Final = Param("entityMapLifetime", "ISO 8601 duration the map is wanted.")
SPLIT_ENTITIES: Final = Param("splitEntities", "Entities may be spread over sources.", "flag")
DETAILS: Final = Param("details", "Give details instead of names.", "flag")
DATASET_ID: Final = Param("datasetId", "Attribute instance that is meant.")
DELETE_ALL: Final = Param("deleteAll", "Delete every instance of the attribute.", "flag")
OBSERVED_AT: Final = Param("observedAt", "Time for attributes that had observedAt (ISO 8601).")

GEO: Final = (GEOREL, GEOMETRY, COORDINATES, GEOPROPERTY)
PAGE: Final = (LIMIT, OFFSET, COUNT)
ORDER: Final = (ORDER_BY, COLLATION, ORDER_FROM, ORDER_GEOMETRY)
JOINING: Final = (JOIN, JOIN_LEVEL, CONTAINED_BY)

SYS_ATTRS: Final = Param("sysAttrs", "Give the times that the system keeps.", "flag")


def options(*keywords: str) -> Param:
    """Declare the `options` parameter of an operation with the keywords it knows."""
    return Param("options", "Keywords that change the answer.", "list", choices=keywords)


def format_of(*formats: str) -> Param:
    """Declare the `format` parameter of an operation."""
    return Param("format", "Representation; goes before options.", choices=formats)


def without(params: Iterable[Param], *names: str) -> tuple[Param, ...]:
    """Leave some parameters out of a list."""
    return tuple(param for param in params if param.name not in names)


def described(param: Param, meaning: str) -> Param:
    """Give a shared parameter another meaning for one operation."""
    return replace(param, meaning=meaning)
