"""What the members of a region share: types, and what objects of them must hold.

A region states its shared types once, so that a city's objects mean the same to whoever asks the
region. A city checks its own objects against them before it joins; the region never needs to see
what doesn't fit. Pure, but for the store that `check_objects` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from conurb.errors import BadRequestDataError
from conurb.model.entity import VALUE_MEMBER, Entity, Instance
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.store.contract import Document as StoredDocument

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.store.contract import Store

KIND: Final = "shared-type"
SHARED_TYPES_MAX: Final = 1000
ATTRIBUTES_MAX: Final = 1000
FAULTS_MAX: Final = 200
"""Faults that a report names; beyond that it says that there are more."""
PAGE: Final = 500
"""Objects that are checked at a time."""
UNIT_LENGTH_MAX: Final = 16

Holds = Literal["number", "text", "boolean"]
HOLDS: Final[tuple[Holds, ...]] = get_args(Holds)
_ATTRIBUTE_MEMBERS: Final = frozenset({"kind", "required", "value", "unitCode"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttribute:
    """What an attribute of a shared type must be; None leaves it open."""

    kind: str | None = None
    required: bool = False
    holds: Holds | None = None
    unit: str | None = None

    def document(self) -> dict[str, Any]:
        """Write it as a JSON document."""
        given = {"kind": self.kind, "value": self.holds, "unitCode": self.unit}
        written: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
        return written | ({"required": True} if self.required else {})


SharedTypes = Mapping[str, Mapping[str, SharedAttribute]]
"""IRI of a type to the IRIs of its attributes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An object that doesn't fit, by its id, the attribute that is at fault, and why."""

    entity_id: str
    attribute: str
    reason: str

    def document(self) -> dict[str, str]:
        """Write it as a JSON document."""
        return {"id": self.entity_id, "attribute": self.attribute, "reason": self.reason}


@dataclass(slots=True)
class Report:
    """What a check found: objects checked by type, and what doesn't fit."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0

    @property
    def fits(self) -> bool:
        """Whether everything fits."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """Write it as a JSON document."""
        return {
            "checked": self.checked,
            "faults": [one.document() for one in self.faults],
            "moreFaults": self.more_faults,
        }


def read_shared(raw: Any, terms: Terms) -> SharedTypes:
    """Read shared types: `{TYPE: {ATTRIBUTE: {kind, required, value, unitCode}}}`.

    Raises BadRequestDataError saying what isn't allowed, and where.
    """
    shared: dict[str, dict[str, SharedAttribute]] = {}
    for name, attributes in _object(raw, "types", SHARED_TYPES_MAX).items():
        shared[terms.expand(name)] = {
            terms.expand(attribute): _attribute(f"types.{name}.{attribute}", rule)
            for attribute, rule in _object(attributes, f"types.{name}", ATTRIBUTES_MAX).items()
        }
    return shared


def _object(raw: Any, name: str, size_max: int) -> Mapping[str, Any]:
    if not isinstance(raw, dict) or len(raw) > size_max:
        raise BadRequestDataError(f"{name}: a JSON object of at most {size_max} members is needed")
    return raw


def _attribute(name: str, raw: Any) -> SharedAttribute:
    rule = _object(raw, name, len(_ATTRIBUTE_MEMBERS))
    if unknown := set(rule) - _ATTRIBUTE_MEMBERS:
        known = ", ".join(sorted(_ATTRIBUTE_MEMBERS))
        raise BadRequestDataError(f"{name}: {sorted(unknown)} isn't known; there are: {known}")
    kind, holds = rule.get("kind"), rule.get("value")
    required, unit = rule.get("required", False), rule.get("unitCode")
    if kind is not None and kind not in VALUE_MEMBER:
        raise BadRequestDataError(f"{name}.kind: {kind!r:.80} is not of {', '.join(VALUE_MEMBER)}")
    if holds is not None and holds not in HOLDS:
        raise BadRequestDataError(f"{name}.value: {holds!r:.80} is not of {', '.join(HOLDS)}")
    if not isinstance(required, bool):
        raise BadRequestDataError(f"{name}.required: {required!r:.80} is not true or false")
    if unit is not None and not (isinstance(unit, str) and 0 < len(unit) <= UNIT_LENGTH_MAX):
        raise BadRequestDataError(f"{name}.unitCode: {unit!r:.80} is not a code such as GQ")
    return SharedAttribute(kind=kind, required=required, holds=holds, unit=unit)


def shared_document(shared: SharedTypes, terms: Terms | None = None) -> dict[str, Any]:
    """Write shared types as a JSON document, with the names that `terms` have, or in full."""

    def name(iri: str) -> str:
        return iri if terms is None else terms.compact(iri)

    return {
        name(iri): {name(attribute): rule.document() for attribute, rule in attributes.items()}
        for iri, attributes in shared.items()
    }


async def put_shared(store: Store, shared: SharedTypes) -> None:
    """Store the shared types of a region in the place of those that it had."""
    for old in await store.list_documents(KIND):
        if old.id not in shared:
            await store.delete_document(KIND, old.id)
    for iri, attributes in shared.items():
        body = {one: rule.document() for one, rule in attributes.items()}
        await store.put_document(StoredDocument(KIND, iri, body))


async def list_shared(store: Store) -> SharedTypes:
    """Give the shared types of a region, by IRI; none: it shares whatever members have."""
    return {
        one.id: {iri: _attribute(iri, rule) for iri, rule in one.body.items()}
        for one in await store.list_documents(KIND)
    }


async def check_objects(store: Store, shared: SharedTypes, types: Sequence[str]) -> Report:
    """Check every object that a store has of `types`, page by page."""
    report = Report()
    for iri in types:
        query = Query(selectors=(Selector(types=TypeIs(iri)),), limit=PAGE)
        offset, more = 0, True
        while more:
            page = await store.query(replace(query, offset=offset))
            for entity in page.entities:
                for fault in iter_faults(entity, shared.get(iri, {})):
                    if len(report.faults) < FAULTS_MAX:
                        report.faults.append(fault)
                    else:
                        report.more_faults += 1
            offset, more = offset + len(page.entities), page.more
        report.checked[iri] = offset
    return report


def iter_faults(entity: Entity, rules: Mapping[str, SharedAttribute]) -> Iterator[Fault]:
    """Stream what of an object doesn't fit a shared type; other attributes are its own."""
    for attribute, rule in rules.items():
        instances = entity.attrs.get(attribute)
        if not instances:
            if rule.required:
                yield Fault(entity.id, attribute, "is missing")
            continue
        for instance in instances:
            reason = _misfit(instance, rule)
            if reason is not None:
                yield Fault(entity.id, attribute, reason)


def _misfit(instance: Instance, rule: SharedAttribute) -> str | None:
    kind = instance["type"]
    if rule.kind is not None and kind != rule.kind:
        return f"is a {kind}, not a {rule.kind}"
    value = instance.get(VALUE_MEMBER[kind])
    if rule.holds is not None and not _holds(value, rule.holds):
        return f"holds {value!r:.80}, not a {rule.holds}"
    unit = instance.get("unitCode")
    if rule.unit is not None and unit != rule.unit:
        return f"has the unit {unit!r}, not {rule.unit!r}"
    return None


def _holds(value: Any, wanted: Holds) -> bool:
    match wanted:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
