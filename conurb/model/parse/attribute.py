"""Reading one attribute: normalized, concise or simplified, told apart by the document itself.

ETSI GS CIM 009 v1.9.1, clauses 4.5.2 to 4.5.5, 4.5.18 to 4.5.24 and 4.7.3. An object that says
its `type` is normalized; one that has a member such as `value` or `object` is concise; a geometry
is a GeoProperty; anything else is the value itself.
"""

from __future__ import annotations

from typing import Any, Final

from conurb.model.context import CORE_PREFIX
from conurb.model.entity import (
    ENTITY_MEMBERS,
    MEMBERS,
    NULL,
    SEALED_MEMBERS,
    VALUE_MEMBER,
    Attributes,
    Instance,
)
from conurb.model.geometry import looks_like_geometry
from conurb.model.parse.rules import (
    ATTRIBUTES_MAX,
    INSTANCES_MAX,
    SUB_ATTRIBUTE_DEPTH_MAX,
    Rules,
)
from conurb.model.parse.values import (
    CHECKS,
    DEFAULT_DATASET,
    PROOF_CHECKS,
    check_dataset,
    refuse,
    removal,
)

PROOF: Final = CORE_PREFIX + "ngsildproof"
"""The attribute that seals an entity; the only one with `SEALED_MEMBERS`."""

GEO_NAMES: Final = frozenset(
    CORE_PREFIX + name for name in ("location", "observationSpace", "operationSpace")
)
"""Attributes that the standard defines as geometries (clause 4.7.1)."""

RESERVED: Final = MEMBERS | ENTITY_MEMBERS | {"@id", "@type", "@value"}
"""Words that can't name a sub-attribute: they have a meaning beside it."""

RESERVED_NAMES: Final = RESERVED - set(VALUE_MEMBER.values())
"""Words that can't name an attribute of an entity: the non-reified ones (clause 4.5.1)."""

_PROOF_NAMES: Final = ("ngsildproof", PROOF)
_KIND_OF: Final = {member: kind for kind, member in VALUE_MEMBER.items() if kind != "GeoProperty"}
_FRAGMENT_MEMBERS: Final = frozenset(
    {"observedAt", "expiresAt", "unitCode", "datasetId", "objectType", "valueType"}
)


def is_kind(value: Any) -> bool:
    """Whether a `type` names one of the kinds of attribute."""
    return value.__class__ is str and value in VALUE_MEMBER


def read_instances(rules: Rules, name: str, value: Any, depth: int = 0) -> list[Instance]:
    """Read an attribute's value: one instance, an array of instances, or a bare value.

    The default instance comes first, the others by datasetId. Raises BadRequestDataError.
    """
    if value.__class__ is dict:
        if value.keys() == {"dataset"} and _is_datasets(value["dataset"]):
            return _read_datasets(rules, name, value["dataset"], depth)
        return [read_instance(rules, name, value, depth)]
    if value.__class__ is list and value and all(map(is_instance, value)):
        if len(value) > INSTANCES_MAX:
            refuse(name, f"{len(value)} instances; at most {INSTANCES_MAX} are allowed")
        return sort_instances(name, [read_instance(rules, name, v, depth) for v in value])
    return [read_bare(rules, name, value)]


def sort_instances(name: str, instances: list[Instance]) -> list[Instance]:
    """Put the default instance first, the others by datasetId; refuse two of one datasetId."""
    if len(instances) == 1:
        return instances
    ordered = sorted(instances, key=lambda instance: instance.get("datasetId", ""))
    for i in range(1, len(ordered)):
        dataset = ordered[i].get("datasetId")
        if ordered[i - 1].get("datasetId") == dataset:
            refuse(name, f"two instances with {f'datasetId {dataset}' if dataset else 'none'}")
    return ordered


def read_bare(rules: Rules, name: str, value: Any) -> Instance:
    """Read a value that stands alone: a geometry is a GeoProperty's, any other a Property's."""
    if value is None or value == NULL:
        return {"type": "Property", "value": removal(rules, name, "the attribute", value)}
    kind = "GeoProperty" if looks_like_geometry(value) else "Property"
    return {"type": kind, "value": CHECKS[kind]["value"](rules, name, value)}


def read_instance(rules: Rules, name: str, document: dict[str, Any], depth: int = 0) -> Instance:
    """Read one attribute instance, or a compound value that stands alone."""
    kind: Any = document.get("type")
    if not is_kind(kind):
        inferred = _infer(rules, name, document)
        if inferred is None:
            return read_bare(rules, name, document)
        kind, document = inferred
    return read_members(rules, name, kind, document, depth)


def read_members(
    rules: Rules, name: str, kind: str | None, document: dict[str, Any], depth: int = 0
) -> Instance:
    """Read the members and sub-attributes of an instance whose kind is known (or isn't said)."""
    checks = CHECKS[kind]
    instance: Instance = {} if kind is None else {"type": kind}
    others: list[str] | None = None
    for key, value in document.items():
        check = checks.get(key)
        if check is not None:
            checked = check(rules, name, value)
            if checked is not None:
                instance[key] = checked
        elif key != "type":
            if others is None:
                others = []
            others.append(key)
    if others is not None:
        _read_others(rules, name, document, others, instance, depth)
    if kind is not None and not rules.partial:
        member = VALUE_MEMBER[kind]
        if member not in instance:
            refuse(name, f"a {kind} needs its member {member!r}")
    return instance


def _read_others(
    rules: Rules,
    name: str,
    document: dict[str, Any],
    keys: list[str],
    instance: Instance,
    depth: int,
) -> None:
    """Read sub-attributes into an instance."""
    if depth >= SUB_ATTRIBUTE_DEPTH_MAX:
        refuse(name, f"sub-attributes deeper than {SUB_ATTRIBUTE_DEPTH_MAX} levels")
    if len(keys) > ATTRIBUTES_MAX:
        refuse(name, f"{len(keys)} sub-attributes; at most {ATTRIBUTES_MAX} are allowed")
    expand = rules.terms.expand
    for key in keys:
        if key in RESERVED:
            if key in SEALED_MEMBERS and name.endswith(_PROOF_NAMES):
                instance[key] = PROOF_CHECKS[key](rules, name, document[key])
                continue
            kind = instance.get("type", "attribute")
            refuse(name, f"a {kind} can't have the member {key!r}")
        iri = expand(key)
        if iri in instance:
            refuse(name, f"two sub-attributes {iri}")
        instance[iri] = read_instances(rules, f"{name}.{key}", document[key], depth + 1)
        if iri == PROOF:
            _check_proof(f"{name}.{key}", instance[iri])


def _check_proof(name: str, instances: list[Instance]) -> None:
    """Check that a proof holds the proof structure, an object (clause 4.5.2.2)."""
    for instance in instances:
        value = instance.get("value", NULL)
        if instance.get("type", "Property") != "Property" or (
            value != NULL and not isinstance(value, dict)
        ):
            refuse(name, "a proof is a Property whose value is an object")


def _infer(
    rules: Rules, name: str, document: dict[str, Any]
) -> tuple[str | None, dict[str, Any]] | None:
    """Infer the kind of an instance that doesn't say a known one; None for a bare value."""
    if "type" in document:
        if looks_like_geometry(document):
            return None
        refuse(name, f"type {document['type']!r:.100} is none of {', '.join(VALUE_MEMBER)}")
    if "@value" in document:
        return None
    if is_kind(document.get("@type")):
        rest = {key: value for key, value in document.items() if key != "@type"}
        return document["@type"], rest
    kind = infers(document)
    if kind is not None:
        return kind, document
    if rules.partial and not _FRAGMENT_MEMBERS.isdisjoint(document):
        return None, document
    return None


def infers(document: dict[str, Any]) -> str | None:
    """Give the kind that an instance's members tell without `type`; None when they don't."""
    for member, kind in _KIND_OF.items():
        if member in document:
            is_geo = kind == "Property" and looks_like_geometry(document["value"])
            return "GeoProperty" if is_geo else kind
    return None


def stands_alone(kind: str, value: Any) -> bool:
    """Whether a bare value is read back as an attribute of this kind (clause 4.5.2.3)."""
    if kind == "GeoProperty":
        return looks_like_geometry(value)
    if value.__class__ is dict:
        return (
            "type" not in value
            and _KIND_OF.keys().isdisjoint(value)
            and not (is_kind(value.get("@type")) or value.keys() == {"dataset"})
        )
    return value.__class__ is not list or not (value and all(map(is_instance, value)))


def is_instance(value: Any) -> bool:
    """Whether an item of an array is an attribute instance and no plain value."""
    return value.__class__ is dict and (
        is_kind(value.get("type"))
        or "datasetId" in value
        or any(member in value for member in _KIND_OF)
    )


def _is_datasets(value: Any) -> bool:
    return (
        value.__class__ is dict
        and bool(value)
        and all(key == DEFAULT_DATASET or ":" in key for key in value)
    )


def _read_datasets(rules: Rules, name: str, datasets: dict[str, Any], depth: int) -> list[Instance]:
    """Read the simplified form of several instances: datasetId to value (clause 4.5.4)."""
    if len(datasets) > INSTANCES_MAX:
        refuse(name, f"{len(datasets)} instances; at most {INSTANCES_MAX} are allowed")
    instances = []
    for key, value in datasets.items():
        dataset = check_dataset(rules, name, key)
        one = read_instances(rules, name, value, depth)
        if len(one) != 1:
            refuse(name, f"dataset {key}: more than one instance")
        if dataset is not None:
            one[0]["datasetId"] = dataset
        instances.append(one[0])
    return sort_instances(name, instances)


def read_attributes(rules: Rules, document: dict[str, Any], names: list[str]) -> Attributes:
    """Read the named members of an entity as attributes."""
    if len(names) > ATTRIBUTES_MAX:
        refuse("attributes", f"{len(names)} given; at most {ATTRIBUTES_MAX} are allowed")
    expand = rules.terms.expand
    attrs: Attributes = {}
    for name in names:
        if name in RESERVED_NAMES:
            refuse(name, "can't be the name of an attribute")
        iri = expand(name)
        if iri in attrs:
            refuse(name, f"two attributes {iri}")
        value = document[name]
        if value.__class__ is dict and is_kind(value.get("type")):
            attrs[iri] = [read_members(rules, name, value["type"], value)]
        else:
            attrs[iri] = read_instances(rules, name, value)
        if iri in GEO_NAMES:
            check_geo_kind(name, attrs[iri])
    if PROOF in attrs:
        _check_proof("ngsildproof", attrs[PROOF])
    return attrs


def is_bare(value: Any) -> bool:
    """Whether a member of an entity is an attribute's value alone, without any member's name."""
    return value.__class__ is not dict or not (
        is_kind(value.get("type"))
        or is_kind(value.get("@type"))
        or any(member in value for member in _KIND_OF)
    )


def check_geo_kind(name: str, instances: list[Instance]) -> None:
    """Check that one of `GEO_NAMES` is a GeoProperty, or removed; raise BadRequestDataError."""
    for instance in instances:
        kind = instance.get("type", "GeoProperty")
        if kind != "GeoProperty" and instance.get(VALUE_MEMBER[kind]) != NULL:
            refuse(name, f"it is a GeoProperty, not a {kind} (clause 4.7.1)")
