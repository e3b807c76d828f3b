"""What stands in a predicate of CQL2: properties as paths, literals as values of the tree."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from conurb.errors import BadRequestDataError
from conurb.model.crs import CRS84
from conurb.model.query.tree import AttributePath, Moment, Scalar
from conurb.model.time import US_PER_S, parse_us

if TYPE_CHECKING:
    from conurb.model.context import Terms

OF_ENTITY: Final = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"})
OF_INSTANCE: Final = frozenset({"observedAt", "createdAt", "modifiedAt", "unitCode", "datasetId"})
TIMES: Final = frozenset({"observedAt", "createdAt", "modifiedAt", "expiresAt"})
GEOMETRY_NAMES: Final = frozenset({"geometry", "geom"})
"""What the geometry that is shown may be called in a filter, whatever its attribute is."""

DAY_US: Final = 86_400 * US_PER_S
TEXT_MAX: Final = 10_000
"""Characters of one text of a filter."""

_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "div": operator.floordiv,
    "^": operator.pow,
}


def refuse(what: str) -> NoReturn:
    """Raise BadRequestDataError for a part of a filter."""
    raise BadRequestDataError(f"filter: {what}")


@dataclass(frozen=True, slots=True)
class Named:
    """How names become paths, and geometries WGS84.

    By the terms; `geometry` is the IRI of the attribute that is shown, `crs` that of geometries.
    """

    terms: Terms
    geometry: str
    crs: str = CRS84

    def path(self, name: str) -> AttributePath:
        """Give the path of a property.

        What stands after a dot and is no member of an instance is given as a member of the value;
        `compile` also asks for the sub-attribute of that name.
        """
        if "@" in name:
            refuse(f"{name!r} is one source's figure; a filter asks of all, by the name before '@'")
        head, *rest = name.split(".")
        if not rest and head in OF_ENTITY:
            return AttributePath((head,))
        attribute = self.terms.expand(head)
        if len(rest) == 1 and rest[0] in OF_INSTANCE:
            return AttributePath((attribute, rest[0]))
        if "" in rest:
            refuse(f"{name!r} is not the name of a property")
        return AttributePath((attribute,), tuple(rest))

    def geo_attribute(self, name: str) -> str:
        """Give the attribute that a spatial predicate asks of."""
        return self.geometry if name in GEOMETRY_NAMES else self.terms.expand(name)


def is_property(node: Any) -> bool:
    """Whether a node names a property."""
    return isinstance(node, Mapping) and isinstance(node.get("property"), str)


def property_name(node: Any, where: str) -> str:
    """Give the name of a property; refuse anything else."""
    if not is_property(node):
        refuse(f"{where} asks of a property, not of {shown(node)}")
    return str(node["property"])


def shown(node: Any) -> str:
    """Write a node for an error."""
    if isinstance(node, Mapping) and "op" in node:
        return f"the result of {node['op']!r:.60}"
    return f"{node!r:.80}"


def scalar(node: Any, where: str) -> Scalar:
    """Give a literal; refuse what isn't one."""
    value = fold(node)
    if isinstance(value, bool | int | float):
        if isinstance(value, float) and not math.isfinite(value):
            refuse(f"{where}: a number is out of range")
        return value
    if isinstance(value, str):
        if len(value) > TEXT_MAX or "\0" in value:
            refuse(f"{where}: a text has up to {TEXT_MAX} characters, and no NUL")
        return value
    if isinstance(value, Mapping) and value.keys() & {"date", "timestamp"}:
        return moment(value, where)
    return refuse(f"{where} compares with a literal, not with {shown(node)}")


def moment(node: Any, where: str) -> Moment:
    """Give an instant: a date, a timestamp, or in JSON the text of one."""
    text = node
    if isinstance(node, Mapping):
        text = node.get("timestamp", node.get("date"))
    if not isinstance(text, str):
        refuse(f"{where}: {shown(node)} is not an instant")
    if "T" in text:
        return Moment(text, parse_us(text, name="filter"))
    parse_us(f"{text}T00:00:00Z", name="filter")
    return Moment(text, None)


def timed(value: Scalar, path: AttributePath, *, end: bool = False) -> Scalar:
    """Give a date as the moment when it begins (or ends) where the path is a time of the node."""
    if isinstance(value, Moment) and value.us is None and path.steps[-1] in TIMES:
        begin = parse_us(f"{value.text}T00:00:00Z", name="filter")
        return Moment(value.text, begin + DAY_US - 1 if end else begin)
    return value


def fold(node: Any) -> Any:
    """Work out arithmetic over numbers alone; anything else is given back."""
    if not isinstance(node, Mapping) or node.get("op") not in _ARITHMETIC:
        return node
    arguments = node.get("args")
    if not isinstance(arguments, list) or len(arguments) != 2:
        refuse(f"{node['op']!r} takes two numbers")
    numbers = [fold(one) for one in arguments]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
        refuse(f"{node['op']!r} is worked out over numbers alone, not over properties")
    try:
        found = _ARITHMETIC[str(node["op"])](float(numbers[0]), float(numbers[1]))
    except (ArithmeticError, ValueError) as error:
        raise BadRequestDataError(f"filter: {node['op']!r}: {error}") from error
    if isinstance(found, complex) or not math.isfinite(found):
        refuse(f"{node['op']!r} gives no number")
    return int(found) if found.is_integer() and abs(found) < 2**53 else found
