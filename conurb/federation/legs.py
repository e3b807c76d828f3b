"""What one registered source is asked, and told: a request as far as its registration goes.

A registration may offer some entities, some attributes of theirs, some operations. A `Leg` is one
source's part in a request: it narrows a query to what is registered, says which attributes of an
entity are the source's, and keeps of its answers only what it was registered for (clause 4.3.6.1).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from conurb.model.entity import Entity
from conurb.model.evolution import HEAD, Evolution
from conurb.model.query.automaton import search
from conurb.model.query.tree import (
    AttributePath,
    Exists,
    Or,
    Query,
    Selector,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
    conjunction,
)
from conurb.model.registration import PROXIED, EntityInfo, Information, Mode, Registration
from conurb.store.together import Run

LAST: Final = "\U0010ffff"
"""What comes after every id that begins alike."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A source, and the part of its registration that a request concerns."""

    registration: Registration
    information: tuple[Information, ...]

    @property
    def name(self) -> str:
        """Give what answers call the source."""
        return self.registration.name

    @property
    def mode(self) -> Mode:
        """Give the mode of the registration."""
        return self.registration.mode

    @property
    def is_proxied(self) -> bool:
        """Whether what is registered isn't held here (clause 4.3.6.3)."""
        return self.registration.mode in PROXIED

    @property
    def attributes(self) -> frozenset[str] | None:
        """Give the attributes that are registered; None for any."""
        if not all(one.attributes for one in self.information):
            return None
        return frozenset(name for one in self.information for name in one.attributes)

    @property
    def is_anything(self) -> bool:
        """Whether any entity with any attribute is registered."""
        return any(not one.entities and not one.attributes for one in self.information)

    @property
    def runs(self) -> tuple[Run, ...] | None:
        """Give where the ids lie that are registered; None when that may be anywhere."""
        found: list[Run] = []
        for one in self.information:
            for info in one.entities or (None,):
                run = None if info is None else _run(info)
                if run is None:
                    return None
                found.append(run)
        return tuple(found)

    def supports(self, operation: str) -> bool:
        """Whether the source offers an operation."""
        return operation in self.registration.operations

    def names(self, entity_id: str) -> bool:
        """Whether the registration names this very entity, so that the source should have it."""
        return any(info.id == entity_id for one in self.information for info in one.entities)

    def covers(self, entity_id: str, types: Collection[str]) -> bool:
        """Whether an entity is registered; types that aren't known are doubt, which counts."""
        return any(_has(one, entity_id, types) for one in self.information)

    def is_whole(self, entity_id: str, types: Collection[str]) -> bool:
        """Whether an entity is registered with whatever attributes it has."""
        return any(not one.attributes for one in self.information if _has(one, entity_id, types))

    def covered(
        self, entity_id: str, types: Collection[str], attributes: Iterable[str]
    ) -> frozenset[str]:
        """Give those of an entity's attributes that are registered."""
        names = frozenset(attributes)
        found: frozenset[str] = frozenset()
        for one in self.information:
            if _has(one, entity_id, types):
                found |= names.intersection(one.attributes) if one.attributes else names
        return found

    def within(self, entity: Entity) -> Entity | None:
        """Keep of what the source gave what it was registered for; None when nothing is."""
        if not self.covers(entity.id, entity.types):
            return None
        if self.is_whole(entity.id, entity.types):
            return entity
        kept = self.covered(entity.id, entity.types, entity.attrs)
        if len(kept) == len(entity.attrs):
            return entity
        return entity.with_attrs(
            {name: entity.attrs[name] for name in entity.attrs if name in kept}
        )

    def within_evolution(self, evolution: Evolution) -> Evolution | None:
        """Keep of a history what the source was registered for; None when nothing is."""
        if not self.covers(evolution.id, evolution.types):
            return None
        if self.is_whole(evolution.id, evolution.types):
            return evolution
        names = {*evolution.instances, *(name for name, _ in evolution.aggregates)} - {HEAD}
        kept = self.covered(evolution.id, evolution.types, names) | {HEAD}
        return replace(
            evolution,
            instances={k: v for k, v in evolution.instances.items() if k in kept},
            aggregates={k: v for k, v in evolution.aggregates.items() if k[0] in kept},
        )

    def narrowed(self, query: Query) -> Query | None:
        """Narrow a query to what is registered; None when nothing is left of it."""
        attributes = query.attributes
        registered = self.attributes
        if registered is not None:
            attributes = tuple(one for one in attributes if one in registered) or (
                () if attributes else tuple(sorted(registered))
            )
            if not attributes:
                return None
        selectors = tuple(dict.fromkeys(self._selectors(query.selectors)))
        if not selectors:
            return None
        kept = () if selectors == (Selector(),) else _joined(selectors)
        return replace(query, selectors=kept, attributes=attributes)

    def unprojected(self, query: Query) -> Query:
        """Ask for entities with all that is registered, not only the attributes asked for.

        What entities are ordered or filtered by here has to be on them; which of them are meant
        stays the same.
        """
        registered = tuple(sorted(self.attributes or ()))
        if not query.attributes or query.attributes == registered:
            return query
        known = tuple(Exists(AttributePath((one,))) for one in query.attributes)
        has = known[0] if len(known) == 1 else Or(known)
        return replace(query, attributes=registered, condition=conjunction(has, query.condition))

    def _selectors(self, asked: Sequence[Selector]) -> Iterable[Selector]:
        for selector in asked or (Selector(),):
            for one in self.information:
                for info in one.entities or (None,):
                    met = selector if info is None else _met(selector, info)
                    if met is not None:
                        yield met


def _run(info: EntityInfo) -> Run | None:
    """Give where ids lie that are registered by id, or by a pattern with a fixed beginning."""
    if info.id is not None:
        return info.id, info.id
    beginning = re.match(r"\^([\w:/-]+)", info.id_pattern or "", re.ASCII)
    if beginning is None or "|" in (info.id_pattern or ""):
        return None
    # The last character may be optional, or repeated.
    fixed = beginning[1][:-1]
    return (fixed, fixed + LAST) if fixed else None


def _has(information: Information, entity_id: str, types: Collection[str]) -> bool:
    if not information.entities:
        return True
    return any(
        (info.id is None or info.id == entity_id)
        and (info.id_pattern is None or search(info.id_pattern, entity_id))
        and (not types or set(info.types) <= set(types))
        for info in information.entities
    )


def _met(selector: Selector, info: EntityInfo) -> Selector | None:
    """Narrow a selector to the entities of `info`; None when it takes none of them."""
    ids, pattern = selector.ids, selector.id_pattern
    if info.id is not None:
        if (ids and info.id not in ids) or (pattern is not None and not search(pattern, info.id)):
            return None
        ids, pattern = (info.id,), None
    elif info.id_pattern is not None:
        if ids:
            ids = tuple(one for one in ids if search(info.id_pattern, one))
            if not ids:
                return None
        elif pattern is None:
            pattern = info.id_pattern
    types = selector.types
    if info.types:
        own: TypeSelection = _all(info.types)
        types = own if types is None else _narrowed(types, info.types)
        if types is None:
            return None
    return Selector(ids, pattern, types)


def _all(types: Sequence[str]) -> TypeSelection:
    items = tuple(TypeIs(one) for one in types)
    return items[0] if len(items) == 1 else TypeAll(items)


def _narrowed(selection: TypeSelection, registered: Sequence[str]) -> TypeSelection | None:
    """Keep of a selection what entities of the registered types may satisfy."""
    match selection:
        case TypeIs(iri):
            return selection if iri in registered else None
        case TypeAny(items):
            kept = tuple(one for item in items if (one := _narrowed(item, registered)) is not None)
            return TypeAny(kept) if len(kept) > 1 else kept[0] if kept else None
        case TypeAll(items):
            meets = any(_narrowed(item, registered) is not None for item in items)
            return selection if meets else None


def _joined(selectors: Sequence[Selector]) -> tuple[Selector, ...]:
    """Join selectors that differ in their ids alone."""
    ids: dict[tuple[str | None, TypeSelection | None], dict[str, None]] = {}
    plain: list[Selector] = []
    for one in selectors:
        if one.ids:
            ids.setdefault((one.id_pattern, one.types), {}).update(dict.fromkeys(one.ids))
        else:
            plain.append(one)
    joined = [Selector(tuple(found), *key) for key, found in ids.items()]
    return (*joined, *plain)
