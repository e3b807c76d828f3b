"""Merge patch: what a fragment changes in an object, to any depth (clauses 5.5.12, 5.6.17).

RFC 7396 with the null of NGSI-LD (`urn:ngsi-ld:null`) in the place of JSON's. Attributes and
sub-attributes are merged instance by instance, by datasetId.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.context import core_terms
from conurb.model.entity import NULL, VALUE_MEMBER, Instance
from conurb.model.nulls import is_null
from conurb.model.operations.state import Draft
from conurb.model.parse.rules import Rules
from conurb.model.parse.values import CHECKS

if TYPE_CHECKING:
    from conurb.model.context import Terms
    from conurb.model.parse import Fragment

_DEEP: Final = frozenset({"Property", "JsonProperty", "LanguageProperty"})
"""Kinds whose value is merged member by member; that of every other kind is replaced."""


def merge_attributes(
    draft: Draft, fragment: Fragment, *, observed_at: str | None = None, lang: str | None = None
) -> None:
    """Merge the attributes of a fragment into a draft.

    A null takes the instance of its datasetId away; an instance that isn't there is appended
    without the nulls in it. `observed_at` and `lang` are those of `MergeEntity`. Raises
    BadRequestDataError when an instance that isn't there comes without a value.
    """
    for attribute, instances in fragment.attrs.items():
        for instance in instances:
            dataset = instance.get("datasetId")
            old = draft.find(attribute, dataset)
            if is_null(instance):
                draft.remove(attribute, dataset)
            elif old is None:
                draft.put(attribute, _appendable(attribute, instance))
            else:
                patch = instance
                kind = old["type"]
                if attribute in fragment.bare and instance.get("type", kind) != kind:
                    patch = reread(attribute, instance, kind, fragment.terms, lang=lang)
                if observed_at and "observedAt" in old and "observedAt" not in patch:
                    patch = {**patch, "observedAt": observed_at}
                draft.put(attribute, merge_instance(old, patch))


def merge_instance(old: Instance, patch: Instance) -> Instance:
    """Merge one instance into another; what the patch leaves out stays, the type too."""
    kind: str = patch.get("type") or old["type"]
    member = VALUE_MEMBER[kind]
    merged = dict(old)
    if kind != old["type"]:
        merged.pop(VALUE_MEMBER[old["type"]], None)
        merged["type"] = kind
    for key, value in patch.items():
        if key == member:
            merged[key] = (
                merge_json(merged.get(key), value) if kind in _DEEP else _json_without_nulls(value)
            )
        elif ":" in key:
            instances = _merge_instances(key, merged.get(key, ()), value)
            if instances:
                merged[key] = instances
            else:
                merged.pop(key, None)
        elif value == NULL:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def merge_json(old: Any, patch: Any) -> Any:
    """Merge one JSON value into another (RFC 7396), NGSI-LD's null taking members away.

    >>> merge_json({"a": 1, "b": {"c": 2}}, {"a": "urn:ngsi-ld:null", "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value == NULL:
            merged.pop(key, None)
        else:
            merged[key] = merge_json(merged.get(key), value)
    return merged


def reread(
    attribute: str, bare: Instance, kind: str, terms: Terms | None, *, lang: str | None = None
) -> Instance:
    """Read a bare value as one of `kind`, the kind that is there.

    A text for a LanguageProperty is the text of `lang`, or of no language (`@none`). Raises
    BadRequestDataError when it can't be a value of that kind.
    """
    value = bare[VALUE_MEMBER[bare["type"]]]
    if kind == "LanguageProperty" and not isinstance(value, dict):
        value = {lang or "@none": value}
    member = VALUE_MEMBER[kind]
    rules = Rules(terms or core_terms(), nulls=True, partial=True)
    return {"type": kind, member: CHECKS[kind][member](rules, attribute, value)}


def _merge_instances(
    attribute: str, old: Sequence[Instance], patch: Sequence[Instance]
) -> list[Instance]:
    """Merge the instances of a sub-attribute."""
    merged = {one.get("datasetId"): one for one in old}
    for instance in patch:
        dataset = instance.get("datasetId")
        present = merged.get(dataset)
        if is_null(instance):
            merged.pop(dataset, None)
        elif present is None:
            merged[dataset] = _appendable(attribute, instance)
        else:
            merged[dataset] = merge_instance(present, instance)
    return sorted(merged.values(), key=lambda one: one.get("datasetId") or "")


def _appendable(attribute: str, instance: Instance) -> Instance:
    kind = instance.get("type")
    if kind is None or VALUE_MEMBER[kind] not in instance:
        raise BadRequestDataError(
            f"{attribute}: it isn't there yet, so it can't be merged without its value"
        )
    return _without_nulls(instance)


def _without_nulls(instance: Instance) -> Instance:
    """Take the nulls out of an instance that is appended: there is nothing to delete."""
    member = VALUE_MEMBER[instance["type"]]
    kept: Instance = {}
    for key, value in instance.items():
        if key == member:
            kept[key] = _json_without_nulls(value)
        elif ":" in key:
            instances = [_without_nulls(one) for one in value if not is_null(one)]
            if instances:
                kept[key] = instances
        elif value != NULL:
            kept[key] = value
    return kept


def _json_without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _json_without_nulls(one) for key, one in value.items() if one != NULL}
