"""An object that came as text and stays text for as long as nobody asks for its attributes.

Whoever reads a big batch in a process of its own has the objects in hand there, and what a store
needs of a new object is mostly its JSON. So that process writes it out once, with `PLACE` where the
time of the write will go, and hands over a `TextEntity`: an entity like any other, whose attributes
are made from the text when they are asked for.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from conurb.model.entity import VALUE_MEMBER, Attributes, Entity, Instance, sub_attributes
from conurb.model.stamping import stamped
from conurb.model.time import fixed, fixed_us

PLACE: Final = "0000-00-00T00:00:00.000000Z"
"""Stands where a time of the write will: as wide as one, and none that there is."""


_SCALARS: Final = (str, int, float)
_FIELDS: Final = tuple(one.name for one in fields(Entity))


InstanceText = tuple[int, str | None, int | None, str, Any, int, int]
"""One instance in a text: what a store keeps beside its JSON.

(position of the attribute in `EntityText.attributes`, datasetId, `observedAt` in microseconds,
kind, its value when that is a text, a number or a boolean, or the object of a relationship with
one; where its JSON begins in the document and where it ends).
"""


class EntityText(NamedTuple):
    """The attributes of an object as JSON, in internal form, `PLACE` for the time of the write.

    `first_us` is the earliest `observedAt`, `due_us` the earliest `expiresAt` of an instance.
    `places` are (attribute, GeoJSON geometry) of its geometries, in order.
    """

    document: str
    attributes: tuple[str, ...]
    instances: tuple[InstanceText, ...]
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


def write_out(attrs: Attributes) -> EntityText | None:
    """Write attributes out; None when `PLACE` stands in one of them, so that it means nothing.

    >>> text = write_out({"urn:a": [{"type": "Property", "value": 1}]})
    >>> text.attributes, text.instances[0][:5]
    (('urn:a',), (0, None, None, 'Property', 1))
    """
    pieces = ["{"]
    instances: list[InstanceText] = []
    places: list[tuple[str, Any]] = []
    first = due = None
    end = 1
    for number, (attribute, given) in enumerate(attrs.items()):
        mark = _key(attribute)
        for instance in given:
            start = end + len(mark)
            body = orjson.dumps(stamped(instance, PLACE, None)).decode()
            end = start + len(body)
            pieces += mark, body
            mark = ","
            kind = instance["type"]
            value = instance.get(VALUE_MEMBER[kind])
            observed = instance.get("observedAt")
            if observed is not None:
                observed = fixed_us(observed)
                if first is None or observed < first:
                    first = observed
            if "expiresAt" in instance:
                ends = fixed_us(instance["expiresAt"])
                due = ends if due is None else min(due, ends)
            if kind == "GeoProperty" and value is not None:
                places.append((attribute, value))
            scalar = value if isinstance(value, _SCALARS) else None
            instances.append(
                (number, instance.get("datasetId"), observed, kind, scalar, start, end)
            )
        pieces.append("],")
        end += 2
    pieces[-1] = "]}" if attrs else "{}"
    document = "".join(pieces)
    if document.count(PLACE) != 2 * len(instances) and document.count(PLACE) != _times(attrs):
        return None
    return EntityText(document, tuple(attrs), tuple(instances), first, due, tuple(places))


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
