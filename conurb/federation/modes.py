"""One entity of many parts: whose statements count, by the modes of the sources (4.3.6.2, 4.3.6.3).

- What is registered in mode exclusive or redirect is the source's alone: whatever this node or
  others say of it doesn't count, also when the source says nothing.
- This node and inclusive sources are equals: of two statements the later counts (clause 4.5.5).
- An auxiliary source adds what nobody else says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conurb.federation.legs import Leg
from conurb.federation.merge import merge_entities
from conurb.model.entity import Attributes, Entity


@dataclass(frozen=True, slots=True)
class Part:
    """What one source, or this node (no leg), says of an entity."""

    leg: Leg | None
    entity: Entity

    @property
    def id(self) -> str:
        """Give the id of the entity."""
        return self.entity.id


def merge_parts(parts: Sequence[Part], proxied: Sequence[Leg]) -> Entity:
    """Merge the parts of one entity; `proxied` are the legs in mode exclusive or redirect asked."""
    if len(parts) == 1 and not proxied:
        return parts[0].entity
    types = frozenset(one for part in parts for one in part.entity.types)
    owners = [leg for leg in proxied if leg.covers(parts[0].id, types)]
    equal: list[Entity] = []
    auxiliary: list[Entity] = []
    for part in parts:
        mode = "inclusive" if part.leg is None else part.leg.mode
        if mode == "auxiliary":
            auxiliary.append(part.entity)
        elif mode in ("exclusive", "redirect"):
            equal.append(part.entity)
        else:
            equal.append(_without_proxied(part.entity, owners, types))
    merged = merge_entities(equal) if equal else None
    for entity in auxiliary:
        merged = entity if merged is None else _supplemented(merged, entity)
    if merged is None:
        return parts[0].entity
    return merged


def _without_proxied(entity: Entity, owners: Sequence[Leg], types: frozenset[str]) -> Entity:
    """Leave out of an entity what is held elsewhere alone."""
    if not owners:
        return entity
    taken: frozenset[str] = frozenset()
    for leg in owners:
        taken |= leg.covered(entity.id, types, entity.attrs)
    if not taken:
        return entity
    return entity.with_attrs({k: v for k, v in entity.attrs.items() if k not in taken})


def _supplemented(entity: Entity, other: Entity) -> Entity:
    """Add to an entity the instances that it doesn't have."""
    attrs: Attributes = dict(entity.attrs)
    for name, instances in other.attrs.items():
        known = {one.get("datasetId") for one in attrs.get(name, ())}
        new = [one for one in instances if one.get("datasetId") not in known]
        if new:
            attrs[name] = [*attrs.get(name, ()), *new]
    return entity.with_attrs(attrs)
