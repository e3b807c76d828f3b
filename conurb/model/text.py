"""An object that came as text and stays text for as long as nobody asks for its attributes.

Whoever reads a big batch in a process of its own has the objects in hand there, and what a store
needs of a new object is mostly its JSON. So that process writes it out once, with `PLACE` where the
time of the write will go, and hands over a `TextEntity`: an entity like any other, whose attributes
are made from the text when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from conurb.model.entity import Attributes, Entity, Instance, sub_attributes
from conurb.model.stamping import stamped
from conurb.model.time import BEGINNING, fixed, fixed_us

PLACE: Final = "0000-00-00T00:00:00.000000Z"
"""Stands where a time of the write will: as wide as one, and none that there is."""

_FIELDS: Final = tuple(one.name for one in fields(Entity))

InstanceText = tuple[int, str | None, int, Any, int, int]
"""One instance in a text: what a store keeps beside its JSON.

(position of the attribute in `EntityText.attributes`, datasetId, `observedAt` in microseconds or
`BEGINNING`, what it is compared by, where its JSON begins in the document and where it ends).
"""

Comparable = Callable[[Instance], Any]
"""Gives what a store compares an instance by."""


class EntityText(NamedTuple):
    """The attributes of an object as JSON, in internal form, `PLACE` for the time of the write.

    `plain` says that every attribute has its default instance alone. `first_us` is the earliest
    `observedAt`, `due_us` the earliest `expiresAt` of an instance. `places` are (attribute, GeoJSON
    geometry) of its geometries, in order.
    """

    document: str
    attributes: tuple[str, ...]
    instances: tuple[InstanceText, ...]
    plain: bool
    first_us: int | None
    due_us: int | None
    places: tuple[tuple[str, Any], ...]


class TextEntity(Entity):
    """An entity whose attributes are made from its text when they are asked for.

    It has no `text` once it has been given other attributes (`dataclasses.replace`).
    """

    __slots__ = ("_attrs", "text")

    def __init__(
        self,
        id: str,
        types: tuple[str, ...],
        attrs: Attributes | None = None,
        scope: tuple[str, ...] = (),
        created_at: int = 0,
        modified_at: int = 0,
        expires_at: int | None = None,
        *,
        text: EntityText | None = None,
    ) -> None:
        self.id = id
        self.types = types
        self.scope = scope
        self.created_at = created_at
        self.modified_at = modified_at
        self.expires_at = expires_at
        self.text = text
        self._attrs = attrs

    @property
    def attrs(self) -> Attributes:  # type: ignore[override]
        """Give the attributes: with their times once the object is stored, without before."""
        if self._attrs is None:
            self._attrs = {} if self.text is None else self._read(self.text.document)
        return self._attrs

    def _read(self, document: str) -> Attributes:
        attrs: Attributes
        if self.created_at:
            attrs = orjson.loads(document.replace(PLACE, fixed(self.created_at)))
        else:
            attrs = orjson.loads(document)
            for instances in attrs.values():
                _forget_times(instances)
        return attrs

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entity):
            return NotImplemented
        return all(getattr(self, one) == getattr(other, one) for one in _FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def born(self, stamp: int) -> TextEntity:
        """Give the entity as it is stored when it comes into being at a time (microseconds)."""
        return TextEntity(
            self.id, self.types, None, self.scope, stamp, stamp, self.expires_at, text=self.text
        )


def text_of(entity: Entity) -> EntityText | None:
    """Give the text of an entity that has one."""
    return entity.text if isinstance(entity, TextEntity) else None


def write_out(attrs: Attributes, comparable: Comparable) -> EntityText | None:
    """Write attributes out; None when `PLACE` stands in one of them, so that it means nothing.

    >>> text = write_out({"urn:a": [{"type": "Property", "value": 1}]}, lambda one: one["value"])
    >>> text.attributes, text.instances[0][3], text.plain
    (('urn:a',), 1, True)
    """
    pieces = ["{"]
    instances: list[InstanceText] = []
    places: list[tuple[str, Any]] = []
    first = due = None
    plain, end = True, 1
    for number, (attribute, given) in enumerate(attrs.items()):
        mark = _key(attribute)
        plain = plain and len(given) == 1 and "datasetId" not in given[0]
        for instance in given:
            start = end + len(mark)
            body = orjson.dumps(stamped(instance, PLACE, None)).decode()
            end = start + len(body)
            pieces += mark, body
            mark = ","
            at = BEGINNING
            if "observedAt" in instance:
                at = fixed_us(instance["observedAt"])
                first = at if first is None else min(first, at)
            if "expiresAt" in instance:
                ends = fixed_us(instance["expiresAt"])
                due = ends if due is None else min(due, ends)
            if instance["type"] == "GeoProperty" and instance.get("value") is not None:
                places.append((attribute, instance["value"]))
            value = comparable(instance)
            instances.append((number, instance.get("datasetId"), at, value, start, end))
        pieces.append("],")
        end += 2
    pieces[-1] = "]}" if attrs else "{}"
    document = "".join(pieces)
    found = document.count(PLACE)
    # Two an instance, unless something is said of one: counting them takes a walk.
    if found != 2 * len(instances) and found != _times(attrs):
        return None
    return EntityText(document, tuple(attrs), tuple(instances), plain, first, due, tuple(places))


@lru_cache(maxsize=4096)
def _key(attribute: str) -> str:
    return f"{orjson.dumps(attribute).decode()}:["


def _times(attrs: Attributes) -> int:
    """Count the times that a write sets in attributes and in what is said of them."""
    return sum(
        2 + _times(dict(sub_attributes(instance)))
        for instances in attrs.values()
        for instance in instances
    )


def _forget_times(instances: list[Instance]) -> None:
    for instance in instances:
        del instance["createdAt"], instance["modifiedAt"]
        for _, subs in sub_attributes(instance):
            _forget_times(subs)
