"""Answers for callers that speak an earlier version of the standard (clause 4.3.6.8; 6.3.6).

`Prefer: ngsi-ld=1.5` asks that nothing younger than version 1.5 is in the answer. What is younger
takes its fallback of tables 4.3.6.8-1 to 4.3.6.8-3: it is left out, or given as a Property or a
Relationship. An answer that was changed so has the status 203.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.model.entity import VALUE_MEMBER, Attributes, Entity, Instance

if TYPE_CHECKING:
    from conurb.model.context import Terms

Version = tuple[int, int]

KIND_SINCE: Final[dict[str, Version]] = {
    "LanguageProperty": (1, 4),
    "JsonProperty": (1, 8),
    "VocabProperty": (1, 8),
    "ListProperty": (1, 8),
    "ListRelationship": (1, 8),
}
"""Kind of attribute to the version that brought it."""

MEMBER_SINCE: Final[dict[str, Version]] = {
    "datasetId": (1, 3),
    "observedAt": (1, 3),
    "unitCode": (1, 3),
    "objectType": (1, 8),
    "expiresAt": (1, 9),
    "valueType": (1, 9),
}
"""Member of an instance to the version that brought it."""

SCOPE_SINCE: Final[Version] = (1, 4)
MANY_SINCE: Final[Version] = (1, 3)
"""Since when an entity may have several types, and an attribute several instances."""

EXPIRY_SINCE: Final[Version] = (1, 9)


def version_of(text: str) -> Version:
    """Read a version.

    >>> version_of("1.5")
    (1, 5)
    """
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def amended(entity: Entity, version: Version, terms: Terms) -> Entity:
    """Give an entity as a version of the standard can say it; the same one when it can anyway."""
    changed = _amended_attributes(entity.attrs, version, terms)
    types = entity.types[:1] if version < MANY_SINCE else entity.types
    scope = () if version < SCOPE_SINCE else entity.scope
    expires_at = None if version < EXPIRY_SINCE else entity.expires_at
    if (changed, types, scope, expires_at) == (
        entity.attrs,
        entity.types,
        entity.scope,
        entity.expires_at,
    ):
        return entity
    return replace(entity, attrs=changed, types=types, scope=scope, expires_at=expires_at)


def _amended_attributes(attrs: Attributes, version: Version, terms: Terms) -> Attributes:
    count = 1 if version < MANY_SINCE else None
    return {
        name: [_amended_instance(one, version, terms) for one in instances[:count]]
        for name, instances in attrs.items()
    }


def _amended_instance(instance: Instance, version: Version, terms: Terms) -> Instance:
    kind = instance["type"]
    since = KIND_SINCE.get(kind)
    falls_back = since is not None and version < since
    written: Instance = {}
    for member, value in instance.items():
        if ":" in member:
            written.update(_amended_attributes({member: value}, version, terms))
        elif version < MEMBER_SINCE.get(member, version):
            continue
        elif isinstance(value, Entity):
            written[member] = amended(value, version, terms)
        elif falls_back and member == "type":
            written["type"] = "Relationship" if kind == "ListRelationship" else "Property"
        elif falls_back and member == VALUE_MEMBER[kind]:
            target = "object" if kind == "ListRelationship" else "value"
            written[target] = _words(value, terms) if kind == "VocabProperty" else value
        else:
            written[member] = value
    return written


def _words(value: Any, terms: Terms) -> Any:
    """Write a vocabulary's words as the caller knows them: a Property's value isn't compacted."""
    if isinstance(value, list):
        return [terms.compact_value(word) for word in value]
    return terms.compact_value(value)
