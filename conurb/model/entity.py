"""The multi-granularity spatio-temporal object, as an NGSI-LD entity in internal form.

Internal form is normalized NGSI-LD (ETSI GS CIM 009 v1.9.1, clause 4.5) with names expanded once:

- Types and attribute names are full IRIs; `conurb.model.context` maps them from and to terms.
- `Entity.attrs` maps an attribute's IRI to its **list** of instances, at least one, the default
  instance (no `datasetId`) first, the others ordered by `datasetId`. Always a list, so that
  nothing branches on it.
- An instance is a raw JSON document, `Instance`. Its members are the short names of `MEMBERS`
  (`type`, `value`, `object`, `observedAt` ...); every other key is the IRI of a sub-attribute
  with its list of instances. An IRI has a colon, a member never does.
- Times inside an instance (`observedAt`, `createdAt`, `modifiedAt`, `expiresAt`) are fixed-width
  UTC strings, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, so that text order is time order
  (`conurb.model.time`).
- `createdAt` and `modifiedAt` of an attribute are set by the write that stores it.
- A VocabProperty's `vocab`, a relationship's `objectType` and a `valueType` hold expanded IRIs.
- The value in `VALUE_MEMBER` is stored as given, with two exceptions: a GeoProperty's value is a
  GeoJSON geometry also when it came as text, and an `objectList` holds plain URIs.

Beyond a node's API an entity is always rendered by `conurb.model.render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

Instance = dict[str, Any]
"""One attribute instance in internal form: a raw JSON document, see the module."""

Attributes = dict[str, list[Instance]]
"""IRI of the attribute to its instances."""

VALUE_MEMBER: Final[dict[str, str]] = {
    "Property": "value",
    "Relationship": "object",
    "GeoProperty": "value",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "JsonProperty": "json",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
}
"""Kind of attribute to the member that holds its value (clauses 4.5.2 to 4.5.23)."""

SYSTEM_MEMBERS: Final = frozenset({"createdAt", "modifiedAt", "deletedAt", "instanceId"})
"""Members that the node sets; ignored on input (clause 4.8)."""

PREVIOUS_MEMBER: Final[dict[str, str]] = {
    kind: f"previous{member[0].upper()}{member[1:]}" for kind, member in VALUE_MEMBER.items()
}
"""Kind of attribute to the member that shows the value before a change, in notifications."""

SEALED_MEMBERS: Final = frozenset({"entityIdSealed", "entityTypeSealed"})
"""Members of `ngsildproof` alone (clause 4.5.2.2)."""

MEMBERS: Final = (
    frozenset({"type", "observedAt", "unitCode", "datasetId", "objectType", "valueType"})
    | frozenset({"expiresAt", "entity", "entityList"})
    | SYSTEM_MEMBERS
    | SEALED_MEMBERS
    | frozenset(VALUE_MEMBER.values())
    | frozenset(PREVIOUS_MEMBER.values())
)
"""Keys of an instance that aren't sub-attributes."""

ENTITY_MEMBERS: Final = frozenset(
    {"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "@context"}
)
"""Keys of an entity that aren't attributes."""

NULL: Final = "urn:ngsi-ld:null"
"""The value that stands for 'remove this' in a merge, and for 'was removed' in a notification."""


@dataclass(slots=True)
class Entity:
    """One object as the node holds it.

    `types` and `scope` are non-empty/possibly empty tuples of IRIs and of paths. Times are
    microseconds since the epoch, UTC. Treated as immutable once it has left the function that
    built it: a changed entity is another entity.
    """

    id: str
    types: tuple[str, ...]
    attrs: Attributes = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    created_at: int = 0
    modified_at: int = 0
    expires_at: int | None = None

    def instance(self, attribute: str, dataset: str | None = None) -> Instance | None:
        """Find one instance of an attribute; None when there is none."""
        for instance in self.attrs.get(attribute, ()):
            if instance.get("datasetId") == dataset:
                return instance
        return None

    def iter_instances(self) -> Iterator[tuple[str, Instance]]:
        """Stream every (attribute, instance) of the entity."""
        for attribute, instances in self.attrs.items():
            for instance in instances:
                yield attribute, instance

    def with_attrs(self, attrs: Attributes) -> Entity:
        """Build the same entity with other attributes."""
        return replace(self, attrs=attrs)


def sub_attributes(instance: Instance) -> Iterator[tuple[str, list[Instance]]]:
    """Stream the sub-attributes (IRI, instances) of an attribute instance."""
    for key, value in instance.items():
        if ":" in key:
            yield key, value


def instance_value(instance: Instance) -> Any:
    """Take the value out of an instance, whatever its kind."""
    return instance.get(VALUE_MEMBER[instance["type"]])
