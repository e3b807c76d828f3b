"""Linked entity retrieval: from an entity along its relationships to others (clause 4.5.23).

`walk` reads what is linked, level by level; `inline` puts it into the relationships. Which ids
were met before (`contained_by`, and those of the walk itself) is remembered, so that a circle of
relationships ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from conurb.errors import TooComplexQueryError
from conurb.model.entity import Attributes, Entity, Instance

Lookup = Callable[[Sequence[str]], Awaitable[list[Entity]]]
"""Gives those entities that there are, of the ids asked."""


@dataclass(frozen=True, slots=True)
class Join:
    """How linked entities are given: in which form, to which level (1 is the next entity).

    `contained_by` are ids that the caller has met already: they aren't given again.
    """

    form: Literal["flat", "inline"]
    level: int = 1
    contained_by: tuple[str, ...] = ()


async def walk(
    entities: Sequence[Entity], join: Join, lookup: Lookup, *, entities_max: int
) -> dict[str, Entity]:
    """Read what `entities` are linked to, down to `join.level`; id to entity, nearest first.

    Leaves out `entities` themselves for a flat join, for they are given anyway. Raises
    TooComplexQueryError over `entities_max`.
    """
    roots = {entity.id: entity for entity in entities}
    seen = {*join.contained_by, *roots}
    found: dict[str, Entity] = {}
    front: Sequence[Entity] = entities
    for _ in range(join.level):
        wanted = dict.fromkeys(
            target for entity in front for target in _targets(entity) if target not in seen
        )
        if not wanted:
            break
        if len(found) + len(wanted) > entities_max:
            raise TooComplexQueryError(
                f"join: more than {entities_max} linked entities; ask for fewer levels or entities"
            )
        seen.update(wanted)
        front = await lookup(list(wanted))
        found.update((entity.id, entity) for entity in front)
    return found if join.form == "flat" else {**roots, **found}


def inline(entities: Sequence[Entity], linked: Mapping[str, Entity], join: Join) -> list[Entity]:
    """Put linked entities into the relationships of `entities`, as `entity` or `entityList`.

    An id that stands above in the same branch, or in `join.contained_by`, isn't put in again.
    """
    return [
        _inlined(entity, linked, join.level, frozenset(join.contained_by)) for entity in entities
    ]


def _inlined(
    entity: Entity, linked: Mapping[str, Entity], level: int, above: frozenset[str]
) -> Entity:
    if level == 0:
        return entity
    above = above | {entity.id}

    def grow(target: Any) -> Entity | None:
        if not isinstance(target, str) or target in above or target not in linked:
            return None
        return _inlined(linked[target], linked, level - 1, above)

    attrs: Attributes = {}
    for attribute, instances in entity.attrs.items():
        attrs[attribute] = [
            _linked_instance(instance, grow)
            if instance["type"] in {"Relationship", "ListRelationship"}
            else instance
            for instance in instances
        ]
    return entity.with_attrs(attrs)


def _linked_instance(instance: Instance, grow: Callable[[Any], Entity | None]) -> Instance:
    many = instance["type"] == "ListRelationship"
    targets = instance.get("objectList" if many else "object")
    if isinstance(targets, str):
        one = grow(targets)
        return instance if one is None else {**instance, "entity": one}
    grown = [one for target in targets or () if (one := grow(target)) is not None]
    if not grown:
        return instance
    return {**instance, "entityList" if many else "entity": grown}


def _targets(entity: Entity) -> Iterator[str]:
    for _, instance in entity.iter_instances():
        kind = instance["type"]
        if kind not in {"Relationship", "ListRelationship"}:
            continue
        value = instance.get("object" if kind == "Relationship" else "objectList")
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))
