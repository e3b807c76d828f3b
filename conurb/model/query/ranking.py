"""The order of answers: what an entity is sorted by (ETSI GS CIM 009 v1.9.1, clause 4.23).

The rules are point 9 of `conurb.model.query.match`; engines write them as SQL, this is the
reference. `collation_key` stands for the root collation of ICU: base letters first. It is made of
what PostgreSQL has too: `lower(regexp_replace(normalize(t, NFD), '[\\u0300-\\u036F]', '', 'g'))`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import total_ordering
from typing import Any, Final

from conurb.model import geometry
from conurb.model.entity import VALUE_MEMBER, Entity, Instance
from conurb.model.query.match import reference
from conurb.model.query.targets import ENTITY_TIMES, INSTANCE_TEXTS, INSTANCE_TIMES
from conurb.model.query.tree import AttributePath, OrderBy
from conurb.model.time import fixed

NUMBER: Final = 0
TEXT: Final = 1
OBJECT: Final = 2
LIST: Final = 3
BOOLEAN: Final = 4
TIME: Final = 5
NOTHING: Final = 9
"""Rank of an entity that has nothing to be ordered by."""

_MARKS: Final = re.compile("[\u0300-\u036f]")

Ranked = tuple[int, Any]
"""Rank of the type, and the value within it (0 where all are equal)."""


@total_ordering
class _Descending:
    """A value whose order is turned round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]


def collation_key(text: str) -> str:
    """Give the base letters of a text in lower case.

    >>> collation_key("Ähre") < collation_key("Zebra")
    True
    """
    return _MARKS.sub("", unicodedata.normalize("NFD", text)).lower()


def order_key(entity: Entity, order: tuple[OrderBy, ...]) -> tuple[Any, ...]:
    """Give what an entity is sorted by: ascending by this key is the order asked for."""
    return (*(_part(entity, item) for item in order), entity.id)


def _part(entity: Entity, item: OrderBy) -> tuple[int, Any]:
    if item.distance_from_wkt is not None:
        rank, value = _distance(entity, item.path, item.distance_from_wkt)
    else:
        rank, value = ranked(entity, item.path)
    if item.collated and rank == TEXT:
        value = (collation_key(value), value)
    return rank, _Descending(value) if item.descending else value


def ranked(entity: Entity, path: AttributePath) -> Ranked:
    """Give the rank and value of the first target of a path."""
    *before, last = path.steps
    holder: Entity | Instance | None = entity
    for step in before:
        holder = _first(holder, step) if isinstance(step, str) else None
    if holder is None or not isinstance(last, str):
        return NOTHING, 0
    if ":" not in last:
        return (NOTHING, 0) if path.members else _ranked_system(holder, last)
    instance = _first(holder, last)
    return (NOTHING, 0) if instance is None else _ranked_value(instance, path.members)


def _first(holder: Entity | Instance | None, name: str) -> Instance | None:
    if holder is None or ":" not in name:
        return None
    found = holder.attrs.get(name) if isinstance(holder, Entity) else holder.get(name)
    return found[0] if found else None


def _ranked_system(holder: Entity | Instance, name: str) -> Ranked:
    if isinstance(holder, Entity):
        if name == "id":
            return TEXT, holder.id
        if name in ("type", "scope"):
            return (LIST, 0) if name == "type" or holder.scope else (NOTHING, 0)
        us = getattr(holder, ENTITY_TIMES[name]) if name in ENTITY_TIMES else None
        return (NOTHING, 0) if us is None else (TIME, fixed(us))
    if name in INSTANCE_TIMES and name in holder:
        return TIME, holder[name]
    return _ranked_json(holder.get(name)) if name in INSTANCE_TEXTS else (NOTHING, 0)


def _ranked_value(instance: Instance, members: tuple[str, ...]) -> Ranked:
    kind = instance["type"]
    value = instance.get(VALUE_MEMBER[kind])
    if kind in ("Relationship", "ListRelationship") and members:
        return NOTHING, 0
    for member in members:
        value = value.get(member) if isinstance(value, dict) else None
    return _ranked_json(value)


def _ranked_json(value: Any) -> Ranked:
    if value is None:
        return NOTHING, 0
    if isinstance(value, bool):
        return BOOLEAN, value
    if isinstance(value, int | float):
        return NUMBER, value
    if isinstance(value, str):
        return TEXT, value
    if isinstance(value, list):
        return LIST, 0
    typed = value.get("@value")
    return (TIME, typed) if isinstance(typed, str) else (OBJECT, 0)


def _distance(entity: Entity, path: AttributePath, wkt: str) -> Ranked:
    first = path.steps[0]
    instance = _first(entity, first) if isinstance(first, str) and len(path.steps) == 1 else None
    if instance is None or instance["type"] != "GeoProperty":
        return NOTHING, 0
    return NUMBER, geometry.distance_m(instance["value"], reference(wkt)[0])
