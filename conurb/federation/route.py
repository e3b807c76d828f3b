"""Which registrations a request concerns (clauses 4.3.6.1, 5.9.1 and 5.12), decided by an index.

A registration's information is taken apart into slots, one per entity that it names, and a number
stands for a set of slots: bit n is slot n. What is asked for picks such numbers by type, id,
attribute, operation, mode, scope and area, and `&` leaves the slots that may hold it. So a decision
costs a few dozen operations on numbers, and then as much as it finds.

Doubt counts as yes, unless a question is `strict`, as those of discovery are (clause 5.10.2): a
source that is asked in vain costs a call, one that isn't asked costs data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from conurb.federation.identifiers import Identifiers
from conurb.federation.places import Areas, Scopes, bits_of
from conurb.model.context import core_terms
from conurb.model.geometry import Geometry
from conurb.model.query.automaton import search
from conurb.model.query.tree import (
    GeoCondition,
    Query,
    Selector,
    TimeWindow,
    TypeAll,
    TypeIs,
    TypeSelection,
)
from conurb.model.registration import EntityInfo, Information, Mode, Registration, TimeInterval

_Key = tuple[str, str | None]
_SPACES: Final = ("location", "observationSpace", "operationSpace")


@dataclass(frozen=True, slots=True)
class Match:
    """A registration that a request concerns, and which of its information does."""

    registration: Registration
    information: tuple[Information, ...]

    @property
    def attributes(self) -> frozenset[str] | None:
        """Give the attributes that this information names; None when it takes any."""
        if not all(one.attributes for one in self.information):
            return None
        return frozenset(name for one in self.information for name in one.attributes)


@dataclass(frozen=True, slots=True)
class _Slot:
    registration: Registration
    information: int
    entity: EntityInfo | None


class Index:
    """Registrations, findable by what they may know. Answers come in order of registration."""

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}
        self._free: list[int] = []
        self._numbers: dict[str, list[int]] = {}
        self._ranks: dict[str, int] = {}
        self._all = 0
        self._masks: dict[_Key, int] = {}
        self._identifiers = Identifiers()
        self._scopes = Scopes()
        terms = core_terms()
        self._areas = {terms.expand(name): Areas() for name in _SPACES}

    def __len__(self) -> int:
        return len(self._numbers)

    # ── keeping ───────────────────────────────────────────────────────────────────────────────

    def put(self, registration: Registration) -> None:
        """Add a registration, or put it in the place of the one of its id."""
        rank = self._ranks.get(registration.id)
        if rank is None:
            rank = next(reversed(self._ranks.values()), 0) + 1
        else:
            self._clear(registration.id)
        self._ranks[registration.id] = rank
        numbers = self._numbers[registration.id] = []
        for at, information in enumerate(registration.information):
            for entity in information.entities or (None,):
                slot = _Slot(registration, at, entity)
                number = self._free.pop() if self._free else len(self._slots)
                self._slots[number] = slot
                numbers.append(number)
                self._enter(number, slot)

    def drop(self, registration_id: str) -> None:
        """Take a registration out, if it is there."""
        if registration_id in self._numbers:
            self._clear(registration_id)
            del self._ranks[registration_id]

    def _enter(self, number: int, slot: _Slot) -> None:
        bit = 1 << number
        self._all |= bit
        for key in _keys(slot):
            self._masks[key] = self._masks.get(key, 0) | bit
        self._identifiers.put(slot.entity, bit)
        for scope in slot.registration.scopes:
            self._scopes.put(scope, bit)
        for areas, area in zip(self._areas.values(), _areas(slot.registration), strict=True):
            if area is not None:
                areas.put(number, area)

    def _clear(self, registration_id: str) -> None:
        for number in self._numbers.pop(registration_id):
            slot = self._slots.pop(number)
            bit = 1 << number
            self._all &= ~bit
            for key in _keys(slot):
                self._masks[key] &= ~bit
                if not self._masks[key]:
                    del self._masks[key]
            self._identifiers.drop(slot.entity, bit)
            self._scopes.drop(slot.registration.scopes, bit)
            for areas in self._areas.values():
                areas.drop(number)
            self._free.append(number)

    # ── finding ───────────────────────────────────────────────────────────────────────────────

    def find(
        self,
        query: Query,
        *,
        now_us: int,
        operation: str | None = None,
        modes: Collection[Mode] | None = None,
        window: TimeWindow | None = None,
        passed: Collection[str] = (),
        strict: bool = False,
    ) -> list[Match]:
        """Give the registrations that may hold what a query selects.

        `operation` and `modes` are what the source has to offer (None: whatever). Without
        `window` the question is for what is now, with it for history; a source with an interval
        gives only history of that time, one without gives history when it is asked for an
        `operation` that it offers, but not in discovery. `passed` are the aliases of sources that
        the request has come by already.
        """
        mask = self._all
        if operation is not None:
            mask &= self._of("operation", operation)
        if modes is not None:
            mask &= reduce(or_, (self._of("mode", mode) for mode in modes), 0)
        if query.attributes:
            mask &= self._any_of("attribute", query.attributes)
        if query.datasets:
            mask &= self._any_of("dataset", query.datasets)
        if query.selectors:
            mask &= reduce(or_, (self._selected(one, mask, strict) for one in query.selectors))
        if query.scope is not None:
            unknown = 0 if strict else self._of("scope", None)
            mask &= self._scopes.find(query.scope) | unknown
        if query.geo is not None:
            mask = self._near(query.geo, mask, strict=strict)
        mask &= self._timely(window, strict=strict)
        return [
            match
            for match in self._matches(mask)
            if not match.registration.is_expired(now_us)
            and match.registration.alias not in passed
            and (window is None or covers(match.registration, window))
        ]

    def _of(self, what: str, value: str | None) -> int:
        return self._masks.get((what, value), 0)

    def _any_of(self, what: str, values: Sequence[str]) -> int:
        """Give the slots that name one of the values, or none at all."""
        return reduce(or_, (self._of(what, value) for value in values), self._of(what, None))

    def _selected(self, selector: Selector, within: int, strict: bool) -> int:
        mask = within
        if selector.types is not None:
            mask &= self._typed(selector.types, strict) | self._of("type", None)
        ids = selector.ids
        if ids and selector.id_pattern is not None:
            ids = tuple(one for one in ids if search(selector.id_pattern, one))
            if not ids:
                return 0
        if ids:
            return self._identifiers.find(ids, mask)
        if selector.id_pattern is not None:
            return self._identifiers.alike(selector.id_pattern, mask, every=strict)
        return mask

    def _typed(self, selection: TypeSelection, strict: bool) -> int:
        """Give the slots of types that satisfy a selection.

        An entity may have more types than those that a registration names, so unless `strict`
        every type that a selection mentions leads there.
        """
        if isinstance(selection, TypeIs):
            return self._of("type", selection.iri)
        masks = [self._typed(item, strict) for item in selection.items]
        if strict and isinstance(selection, TypeAll):
            return reduce(lambda one, other: one & other, masks)
        return reduce(or_, masks)

    def _near(self, geo: GeoCondition, within: int, *, strict: bool) -> int:
        areas = self._areas.get(geo.attribute)
        if areas is None:
            return 0 if strict else within
        return areas.find(geo, within) | (0 if strict else within & ~areas.mask)

    def _timely(self, window: TimeWindow | None, *, strict: bool) -> int:
        latest = self._of("interval", None)
        if window is None:
            return latest
        return self._of("interval", _interval_name(window)) | (0 if strict else latest)

    def _matches(self, mask: int) -> Iterator[Match]:
        found: dict[str, tuple[Registration, dict[int, None]]] = {}
        for number in bits_of(mask):
            slot = self._slots[number]
            registration = slot.registration
            found.setdefault(registration.id, (registration, {}))[1][slot.information] = None
        for one in sorted(found, key=self._ranks.__getitem__):
            registration, numbers = found[one]
            yield Match(registration, tuple(registration.information[at] for at in sorted(numbers)))


def covers(registration: Registration, window: TimeWindow) -> bool:
    """Whether a source's interval has a time in common with a window (clause 5.10.2.4).

    A source without intervals covers any.
    """
    if not registration.is_temporal:
        return True
    interval = _interval(registration, _interval_name(window))
    if interval is None:
        return False
    at_us, end_us = window.at_us, interval.end_us
    if window.relation is None or at_us is None:
        return True
    if window.relation == "before":
        return interval.start_us <= at_us
    if end_us is not None and end_us < at_us:
        return False
    return window.end_us is None or interval.start_us <= window.end_us


def _interval_name(window: TimeWindow) -> str:
    return "observation" if window.timeproperty == "observedAt" else "management"


def _interval(registration: Registration, name: str) -> TimeInterval | None:
    if name == "observation":
        return registration.observation_interval
    return registration.management_interval


def _areas(registration: Registration) -> tuple[Geometry | None, ...]:
    return (registration.location, registration.observation_space, registration.operation_space)


def _keys(slot: _Slot) -> Iterator[_Key]:
    """Stream what a slot is found by; a value of None is any."""
    registration = slot.registration
    for type_ in (slot.entity.types if slot.entity is not None else ()) or (None,):
        yield "type", type_
    for name in registration.information[slot.information].attributes or (None,):
        yield "attribute", name
    for name in registration.operations:
        yield "operation", name
    yield "mode", registration.mode
    for dataset in registration.datasets or (None,):
        yield "dataset", dataset
    if not registration.scopes:
        yield "scope", None
    for name in ("observation", "management"):
        if _interval(registration, name) is not None:
            yield "interval", name
    if not registration.is_temporal:
        yield "interval", None


def retrieval(
    entity_id: str, *, types: TypeSelection | None = None, attributes: Sequence[str] = ()
) -> Query:
    """Say the retrieval of one entity as a query, for routing."""
    return Query(selectors=(Selector(ids=(entity_id,), types=types),), attributes=tuple(attributes))
