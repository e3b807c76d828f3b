"""Writing attribute instances: normalized, concise, simplified (clauses 4.5.2 to 4.5.5, 4.5.18 on).

On the hot path of every read. What is written shares its values with the entity: nobody may change
a rendered document in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from conurb.model.context import Terms
from conurb.model.entity import NULL, VALUE_MEMBER, Entity, Instance
from conurb.model.nulls import NULL_LANGUAGE_MAP, is_null
from conurb.model.parse.attribute import infers, stands_alone
from conurb.model.render.language import translate
from conurb.model.render.view import DEFAULT_DATASET, View
from conurb.model.time import shown

RenderEntity = Callable[[Entity, Terms, View], dict[str, Any]]
"""Writes a linked entity; handed down, for entities and attributes hold each other."""

_RAW: Final = 0
_TIME: Final = 1
_SYSTEM_TIME: Final = 2
_WORDS: Final = 3
_OBJECTS: Final = 4
_LINKED: Final = 5

_MEMBERS: Final[dict[str, int]] = {
    "type": _RAW,
    "value": _RAW,
    "object": _RAW,
    "languageMap": _RAW,
    "json": _RAW,
    "valueList": _RAW,
    "unitCode": _RAW,
    "datasetId": _RAW,
    "instanceId": _RAW,
    "entityIdSealed": _RAW,
    "previousValue": _RAW,
    "previousObject": _RAW,
    "previousLanguageMap": _RAW,
    "previousJson": _RAW,
    "previousValueList": _RAW,
    "observedAt": _TIME,
    "deletedAt": _TIME,
    "createdAt": _SYSTEM_TIME,
    "modifiedAt": _SYSTEM_TIME,
    "expiresAt": _SYSTEM_TIME,
    "vocab": _WORDS,
    "previousVocab": _WORDS,
    "objectType": _WORDS,
    "valueType": _WORDS,
    "entityTypeSealed": _WORDS,
    "objectList": _OBJECTS,
    "previousObjectList": _OBJECTS,
    "entity": _LINKED,
    "entityList": _LINKED,
}

_PLAIN: Final = frozenset(
    {key for key, action in _MEMBERS.items() if action == _RAW}
    | {"observedAt", "createdAt", "modifiedAt"}
)
"""What nearly all instances consist of: members that are written as they are, but for times."""


class AttributeWriter:
    """Writes the attributes of entities for one @context and view."""

    __slots__ = ("_concise", "_lang", "_render_entity", "_sys_attrs", "_terms", "_view")

    def __init__(self, terms: Terms, view: View, render_entity: RenderEntity) -> None:
        self._terms = terms
        self._view = view
        self._sys_attrs = view.sys_attrs
        self._lang = view.lang
        self._concise = view.representation == "concise"
        self._render_entity = render_entity

    def normalized(self, attribute: str, instances: list[Instance]) -> Any:
        """Write the instances of an attribute: an object, or an array of several."""
        if len(instances) == 1:
            return self.instance(attribute, instances[0])
        return [self.instance(attribute, instance) for instance in instances]

    def concise(self, attribute: str, instances: list[Instance]) -> Any:
        """Write the instances of an attribute as tersely as can be read back."""
        if len(instances) == 1:
            return self.concise_instance(attribute, instances[0])
        return [self._keyed(self.instance(attribute, one)) for one in instances]

    def simplified(self, attribute: str, instances: list[Instance]) -> Any:
        """Write the values of an attribute's instances (clause 4.5.4)."""
        first = instances[0]
        if len(instances) == 1 and (self._view.datasets or "datasetId" not in first):
            return self.value(attribute, first)
        return {
            "dataset": {
                one.get("datasetId", DEFAULT_DATASET): self.value(attribute, one)
                for one in instances
            }
        }

    def instance(self, attribute: str, instance: Instance) -> dict[str, Any]:
        """Write one instance with its members and sub-attributes."""
        if not self._sys_attrs and self._lang is None and instance.keys() <= _PLAIN:
            return _plain(instance)
        written: dict[str, Any] = {}
        find = _MEMBERS.get
        for key, value in instance.items():
            action = find(key)
            if action == _RAW:
                written[key] = value
            elif action == _TIME:
                written[key] = shown(value)
            elif action == _SYSTEM_TIME:
                if self._sys_attrs:
                    written[key] = shown(value)
            elif action is None:
                write = self.concise if self._concise else self.normalized
                written[self._terms.compact(key)] = write(key, value)
            elif action == _WORDS:
                written[key] = self._words(value)
            elif action == _OBJECTS:
                written[key] = self._objects(value)
            else:
                written[key] = self._linked(attribute, value)
        if self._lang is not None and instance.get("type") == "LanguageProperty":
            self._translate(written)
        return written

    def concise_instance(self, attribute: str, instance: Instance) -> Any:
        """Write one instance without a `type` that can be told, or its value alone."""
        written = self._keyed(self.instance(attribute, instance))
        if len(written) == 1 and "value" in written:
            value = written["value"]
            if value == NULL or stands_alone(instance["type"], value):
                return value
        return written

    def _keyed(self, written: dict[str, Any]) -> dict[str, Any]:
        """Leave out a `type` that the members tell anyway."""
        if infers(written) == written.get("type"):
            del written["type"]
        return written

    def value(self, attribute: str, instance: Instance) -> Any:
        """Write the value of one instance in simplified form."""
        kind = instance["type"]
        value = instance.get(VALUE_MEMBER[kind])
        if kind in {"Property", "GeoProperty"}:
            return value
        if kind == "Relationship":
            linked = instance.get("entity")
            return value if linked is None else self._linked(attribute, linked)
        if kind == "ListRelationship":
            linked = instance.get("entityList")
            return value if linked is None else self._linked(attribute, linked)
        if kind == "LanguageProperty":
            if self._lang is not None and value != NULL_LANGUAGE_MAP:
                return translate(value, self._lang)[1]
            return {"languageMap": value}
        if kind == "VocabProperty":
            return {"vocab": self._words(value)}
        if kind == "JsonProperty":
            return {"json": value}
        return value

    def _words(self, value: Any) -> Any:
        compact = self._terms.compact_value
        if isinstance(value, list):
            return [compact(item) for item in value]
        return value if value == NULL else compact(value)

    def _objects(self, value: Any) -> Any:
        if self._concise or value == [NULL]:
            return value
        return [{"object": uri} for uri in value]

    def _linked(self, attribute: str, linked: Any) -> Any:
        view = self._view.linked(attribute)
        if isinstance(linked, list):
            return [self._render_entity(one, self._terms, view) for one in linked]
        return self._render_entity(linked, self._terms, view)

    def _translate(self, written: dict[str, Any]) -> None:
        """Make a Property of a LanguageProperty, in the language asked for."""
        language_map = written.get("languageMap")
        if not language_map or self._lang is None or is_null(written):
            return
        language, text = translate(language_map, self._lang)
        del written["languageMap"]
        written["type"] = "Property"
        written["value"] = text
        written["lang"] = language


def _plain(instance: Instance) -> dict[str, Any]:
    """Write an instance that has only members of `_PLAIN`, without its system times."""
    written = instance.copy()
    observed = written.get("observedAt")
    if observed is not None:
        written["observedAt"] = shown(observed)
    written.pop("createdAt", None)
    written.pop("modifiedAt", None)
    return written
