"""Objects of transport, built and taken apart: short words for what every part here says.

Ids are `urn:ngsi-ld:{Type}:{owner}:{local}`; a local part that came from outside is
percent-encoded, so that any id of any feed makes a URN and can be had back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from conurb.model.entity import Entity, Instance, instance_value
from conurb.model.time import fixed, fixed_us
from conurb.model.vocabulary import platform_terms

SAFE_IN_ID: Final = "-._~!$&()*+,;=@"

Attrs = Mapping[str, Instance | None]
"""Terms of attributes to their one instance; None says nothing."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes objects that one owner holds, out of one source.

    `source` is said on every object. `feed` stands before local ids, so that two feeds of one owner
    don't meet.
    """

    owner: str
    source: str
    feed: str = ""

    def urn(self, type_term: str, local: str) -> str:
        """Make an id of a local name as it came."""
        encoded = quote(local, safe=SAFE_IN_ID)
        return (
            f"urn:ngsi-ld:{type_term}:{self.owner}:{self.feed}{':' if self.feed else ''}{encoded}"
        )

    def make(
        self, type_term: str, local: str, attrs: Attrs, *, expires_us: int | None = None
    ) -> Entity:
        """Make an object: what is None isn't said; its source is."""
        expand = platform_terms().expand
        said = {expand(name): [one] for name, one in attrs.items() if one is not None}
        said[expand("source")] = [text(self.source)]
        return Entity(
            self.urn(type_term, local),
            (expand(type_term),),
            said,
            expires_at=expires_us,
        )


def text(value: str) -> Instance:
    """Say a text."""
    return {"type": "Property", "value": value}


def some(value: Any, *, unit: str | None = None, at_us: int | None = None) -> Instance | None:
    """Say a value unless there is none (None or ""); with its unit (UN/CEFACT) and its time."""
    if value is None or value == "":
        return None
    said: Instance = {"type": "Property", "value": value}
    if unit is not None:
        said["unitCode"] = unit
    return said if at_us is None else timed(said, at_us)


def names(**by_language: str) -> Instance | None:
    """Say a name in each language that has one."""
    given = {language: name for language, name in by_language.items() if name}
    return {"type": "LanguageProperty", "languageMap": given} if given else None


def link(target: str | None) -> Instance | None:
    """Say a relationship to an object by its id, unless there is none."""
    return None if target is None else {"type": "Relationship", "object": target}


def links(targets: list[str]) -> Instance | None:
    """Say a relationship to several objects."""
    return {"type": "ListRelationship", "objectList": targets} if targets else None


def point(lon: float, lat: float, *, at_us: int | None = None) -> Instance:
    """Say a place, and when the thing was there."""
    said: Instance = {
        "type": "GeoProperty",
        "value": {"type": "Point", "coordinates": [lon, lat]},
    }
    return said if at_us is None else timed(said, at_us)


def geometry(value: Mapping[str, Any] | None) -> Instance | None:
    """Say a geometry (GeoJSON) unless there is none."""
    return None if value is None else {"type": "GeoProperty", "value": dict(value)}


def timed(instance: Instance, at_us: int) -> Instance:
    """Give the instance with the time that it speaks of."""
    instance["observedAt"] = fixed(at_us)
    return instance


def marked(instance: Instance | None, mark: str) -> Instance | None:
    """Mark an instance as `simulated` or `replayed`, where it is one."""
    if instance is not None:
        instance[platform_terms().expand(mark)] = [{"type": "Property", "value": True}]
    return instance


def value_of(entity: Entity, term: str) -> Any:
    """Give the value of an attribute's default instance; None when there is none."""
    instance = entity.instance(platform_terms().expand(term))
    return None if instance is None else instance_value(instance)


def text_of(entity: Entity, term: str, *, language: str = "zh") -> str:
    """Give an attribute as text: of several languages the one asked for, or any; "" for none."""
    value = value_of(entity, term)
    if isinstance(value, Mapping):
        value = value.get(language) or next(iter(value.values()), "")
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else str(value)


def target_of(entity: Entity, term: str) -> str | None:
    """Give the id that a relationship points to; the first of several; None when there is none."""
    value = value_of(entity, term)
    if isinstance(value, list):
        return value[0] if value else None
    return value if isinstance(value, str) else None


def observed_us(entity: Entity, term: str) -> int | None:
    """Give the time that an attribute speaks of, in microseconds; None when it says none."""
    instance = entity.instance(platform_terms().expand(term))
    observed = None if instance is None else instance.get("observedAt")
    return None if observed is None else fixed_us(observed)


def position_of(entity: Entity) -> tuple[float, float] | None:
    """Give longitude and latitude of an object whose `location` is a point; else None."""
    value = value_of(entity, "location")
    if not isinstance(value, Mapping) or value.get("type") != "Point":
        return None
    lon, lat = value["coordinates"][:2]
    return lon, lat


def is_marked(entity: Entity, term: str, mark: str) -> bool:
    """Whether an attribute's default instance is marked as simulated or replayed."""
    expand = platform_terms().expand
    instance = entity.instance(expand(term))
    return instance is not None and any(
        sub.get("value") is True for sub in instance.get(expand(mark), ())
    )


def local_of(entity_id: str) -> str:
    """Give the last part of an id as it came from outside.

    >>> local_of("urn:ngsi-ld:GtfsStop:shanghai:metro:%E8%8E%98%E5%BA%84")
    '莘庄'
    """
    return unquote(entity_id.rsplit(":", 1)[-1])
