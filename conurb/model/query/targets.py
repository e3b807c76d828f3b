"""What a path of a query selects on an entity: targets with their class and alternatives.

The rules are points 1 and 2 of `conurb.model.query.match`, whose text is the specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from conurb.model.entity import VALUE_MEMBER, Entity, Instance
from conurb.model.query.tree import AttributePath, Linked
from conurb.model.time import fixed

Find = Callable[[str], Entity | None]
"""Finds another entity of the node by its id, as the caller may see it."""

ENTITY_TIMES: Final = {
    "createdAt": "created_at",
    "modifiedAt": "modified_at",
    "expiresAt": "expires_at",
}
INSTANCE_TIMES: Final = frozenset({"observedAt", "createdAt", "modifiedAt"})
INSTANCE_TEXTS: Final = frozenset({"unitCode", "datasetId", "type", "objectType"})
_DATE_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,9}))?Z"
)

TargetClass = Literal["plain", "list", "texts", "links", "time"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a path selects: its class and the alternatives that are compared."""

    kind: TargetClass
    alternatives: tuple[Any, ...]


def moment_key(us: int) -> str:
    """Write a moment as the text that date-times are compared by: cut to the millisecond.

    >>> moment_key(1_500)
    '1970-01-01T00:00:00.001'
    """
    return fixed(us)[:23]


def text_key(text: str) -> str | None:
    """Give the key of a date-time text; None when it isn't one.

    >>> text_key("2026-01-31T08:00:00.25Z")
    '2026-01-31T08:00:00.250'
    """
    match = _DATE_TIME.fullmatch(text)
    return f"{match[1]}.{(match[2] or '')[:3]:0<3}" if match else None


def iter_targets(
    path: AttributePath, entity: Entity, linked: Find | None = None
) -> Iterator[Target]:
    """Stream the targets of a path on an entity; `linked` finds the entities that it links to."""
    *before, last = path.steps
    if isinstance(last, Linked):
        return
    for holder in _iter_holders(before, entity, linked):
        if ":" not in last:
            target = None if path.members else _system_target(holder, last)
            if target is not None:
                yield target
            continue
        for instance in _instances(holder, last):
            target = _value_target(instance, path.members)
            if target is not None:
                yield target


def has_target(path: AttributePath, entity: Entity, linked: Find | None = None) -> bool:
    """Whether a path has anything at its end; an attribute counts whatever its value is."""
    *before, last = path.steps
    if path.members or isinstance(last, Linked) or ":" not in last:
        return any(True for _ in iter_targets(path, entity, linked))
    return any(_instances(holder, last) for holder in _iter_holders(before, entity, linked))


Holder = Entity | Instance


def _iter_holders(
    steps: list[str | Linked], entity: Entity, linked: Find | None
) -> Iterator[Holder]:
    """Stream what the last step is asked of: the entity, linked entities or instances."""
    holders: Iterable[Holder] = (entity,)
    for step in steps:
        if isinstance(step, Linked):
            holders = [e for h in holders for e in _linked_entities(h, step, linked)]
        else:
            holders = [i for h in holders for i in _instances(h, step)]
    yield from holders


def _instances(holder: Holder, name: str) -> list[Instance]:
    if ":" not in name:
        return []
    found = holder.attrs.get(name) if isinstance(holder, Entity) else holder.get(name)
    return found or []


def _linked_entities(holder: Holder, step: Linked, linked: Find | None) -> Iterator[Entity]:
    if linked is None or isinstance(holder, Entity):
        return
    for target in _links(holder):
        entity = linked(target)
        if entity is not None and (not step.types or set(step.types) & set(entity.types)):
            yield entity


def _links(instance: Instance) -> tuple[str, ...]:
    """Give the URIs that a relationship points to; none for another kind."""
    if instance["type"] == "Relationship":
        value = instance.get("object")
    elif instance["type"] == "ListRelationship":
        value = instance.get("objectList")
    else:
        return ()
    items = value if isinstance(value, list) else [value]
    uris = (item.get("object") if isinstance(item, dict) else item for item in items)
    return tuple(uri for uri in uris if isinstance(uri, str))


def _system_target(holder: Holder, name: str) -> Target | None:
    if isinstance(holder, Entity):
        return _entity_target(holder, name)
    value = holder.get(name)
    if value is None:
        return None
    if name in INSTANCE_TIMES:
        return Target("time", (value[:23],))
    if name in INSTANCE_TEXTS:
        return _plain(value)
    return None


def _entity_target(entity: Entity, name: str) -> Target | None:
    if name == "id":
        return Target("plain", (entity.id,))
    if name in ("type", "scope"):
        texts = entity.types if name == "type" else entity.scope
        return Target("texts", texts) if texts else None
    if name in ENTITY_TIMES:
        us = getattr(entity, ENTITY_TIMES[name])
        return None if us is None else Target("time", (moment_key(us),))
    return None


def _value_target(instance: Instance, members: tuple[str, ...]) -> Target | None:
    kind = instance["type"]
    if kind in ("Relationship", "ListRelationship"):
        return None if members else Target("links", _links(instance))
    value = instance.get(VALUE_MEMBER[kind])
    if kind == "LanguageProperty":
        texts = _texts(value, members)
        return Target("texts", texts) if texts else None
    for member in members:
        value = value.get(member) if isinstance(value, dict) else None
    return _plain(value)


def _plain(value: Any) -> Target | None:
    if isinstance(value, dict) and "@value" in value:
        value = value["@value"]
    if value is None:
        return None
    if isinstance(value, list):
        return Target("list", tuple(value))
    return Target("plain", (value,))


def _texts(language_map: Any, members: tuple[str, ...]) -> tuple[str, ...]:
    """Give the texts of a language map in one language, or in all of them."""
    if not isinstance(language_map, dict) or len(members) > 1:
        return ()
    if members and members != ("*",):
        chosen = [language_map.get(members[0])]
    else:
        chosen = list(language_map.values())
    items = (item for value in chosen for item in (value if isinstance(value, list) else [value]))
    return tuple(item for item in items if isinstance(item, str))
