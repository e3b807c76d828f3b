"""An object as one flat row: attribute to simple value, as tables, tiles and GIS want it.

A key is the term of an attribute; an instance with a datasetId has its own key, the term, `@` and
the datasetId without `urn:ngsi-ld:dataset:`, so that two sources of one figure never mix. Of what
an instance says besides its value (`unitCode`, `observedAt`, a sub-attribute), what is asked for
stands under the key, a dot and the member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.entity import Entity, Instance, instance_value
from conurb.model.render.language import choose_language, parse_lang
from conurb.model.time import shown, shown_us

if TYPE_CHECKING:
    from conurb.model.context import Terms

DATASET_PREFIX: Final = "urn:ngsi-ld:dataset:"
ANY_LANGUAGE: Final = "*"
OF_ENTITY: Final = frozenset({"type", "scope", "createdAt", "modifiedAt", "expiresAt"})
"""What a row says of the object besides its attributes and its id, where asked for by name."""

TIMES: Final = frozenset({"observedAt", "createdAt", "modifiedAt", "expiresAt"})
"""Members whose fixed width isn't for readers."""


@dataclass(frozen=True, slots=True)
class FlatView:
    """Which keys of an object are given: `names` (None: all), each with `members` besides.

    A name takes every instance of its attribute, or with `@` the one of that datasetId. `lang` is
    a language filter (clause 4.15), `geometry` the IRI of the attribute that is drawn and so isn't
    given again.
    """

    names: frozenset[str] | None = None
    members: tuple[str, ...] = ()
    lang: str = ANY_LANGUAGE
    geometry: str | None = None

    def takes(self, term: str, key: str) -> bool:
        """Whether an instance is given."""
        return self.names is None or term in self.names or key in self.names


def flat_key(term: str, dataset: str | None) -> str:
    """Give the key of an attribute's instance.

    >>> flat_key("co2", "urn:ngsi-ld:dataset:edgar-v8:prefecture")
    'co2@edgar-v8:prefecture'
    """
    return term if dataset is None else f"{term}@{dataset.removeprefix(DATASET_PREFIX)}"


def flat_attribute(key: str, terms: Terms) -> tuple[str, str | None]:
    """Read a key back: the attribute's IRI and the datasetId.

    >>> from conurb.model.context import core_terms
    >>> flat_attribute("co2@edgar-v8", core_terms())[1]
    'urn:ngsi-ld:dataset:edgar-v8'
    """
    term, found, dataset = key.partition("@")
    if not found:
        return terms.expand(term), None
    # A datasetId of another kind is given whole, with a scheme that isn't a source's name.
    whole = dataset.startswith("urn:") or "://" in dataset
    return terms.expand(term), dataset if whole else DATASET_PREFIX + dataset


def flat_row(entity: Entity, terms: Terms, view: FlatView) -> dict[str, Any]:
    """Give an object's attributes as keys and simple values; lists and objects stay JSON."""
    row: dict[str, Any] = {}
    for attribute, instances in entity.attrs.items():
        term = terms.compact(attribute)
        for instance in instances:
            if attribute == view.geometry and instance["type"] == "GeoProperty":
                continue
            key = flat_key(term, instance.get("datasetId"))
            if view.takes(term, key):
                row[key] = flat_value(instance, terms, view.lang)
                for member, value in _members(instance, terms, view):
                    row[f"{key}.{member}"] = value
    _add_head(row, entity, terms, view.names or frozenset())
    return row


def flat_value(instance: Instance, terms: Terms, lang: str = ANY_LANGUAGE) -> Any:
    """Give the value of an instance as tables have it."""
    value = instance_value(instance)
    kind = instance["type"]
    if kind == "LanguageProperty":
        # Sorted, so that every engine falls back to the same text.
        tags = sorted(value, key=lambda tag: (len(tag), tag)) if value else ()
        return value[choose_language(tags, parse_lang(lang))] if tags else None
    if kind == "VocabProperty":
        if isinstance(value, list):
            return [terms.compact_value(one) for one in value]
        return terms.compact_value(value) if isinstance(value, str) else value
    if isinstance(value, dict) and "@value" in value:
        return value["@value"]
    return value


def _members(instance: Instance, terms: Terms, view: FlatView) -> Iterator[tuple[str, Any]]:
    for member in view.members:
        given = instance.get(member)
        if given is None and member not in instance:
            subs = instance.get(terms.expand(member))
            given = flat_value(subs[0], terms, view.lang) if subs else None
        if given is not None:
            yield member, shown(given) if member in TIMES else given


def _add_head(row: dict[str, Any], entity: Entity, terms: Terms, names: frozenset[str]) -> None:
    """Add what every object has, where it was asked for by name."""
    if "type" in names:
        types = [terms.compact(one) for one in entity.types]
        row["type"] = types[0] if len(types) == 1 else types
    if "scope" in names:
        row["scope"] = entity.scope[0] if len(entity.scope) == 1 else list(entity.scope)
    times = (("createdAt", entity.created_at), ("modifiedAt", entity.modified_at))
    for name, us in (*times, ("expiresAt", entity.expires_at)):
        if name in names and us is not None:
            row[name] = shown_us(us)
