"""Reading the temporal evolution of an entity: every attribute an array of instances over time.

ETSI GS CIM 009 v1.9.1, clauses 4.5.6 to 4.5.8 and 5.2.20. Unlike in an entity, several instances
may have one datasetId: they differ in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.changes import TimedScope
from conurb.model.context import Terms
from conurb.model.entity import ENTITY_MEMBERS, NULL, VALUE_MEMBER, Attributes, Instance
from conurb.model.names import check_uri
from conurb.model.parse.attribute import RESERVED_NAMES, is_instance, read_bare, read_instance
from conurb.model.parse.entity import plain_document, read_types
from conurb.model.parse.rules import ATTRIBUTES_MAX, Rules
from conurb.model.parse.values import refuse
from conurb.model.scope import check_scopes
from conurb.model.time import parse_us

TEMPORAL_INSTANCES_MAX: Final = 100_000
"""Instances in one temporal document."""


@dataclass(frozen=True, slots=True)
class TemporalFragment:
    """The evolution of an entity, or part of it, as a caller writes it.

    `attrs` maps an attribute to its instances in the order given; an instance whose value is the
    NGSI-LD Null (`conurb.model.nulls.is_null`) says that the attribute was deleted then. `id` is
    None and `types` () when not given. `scopes` are those given, with the times from which they
    hold. `expires_at` is microseconds.
    """

    attrs: Attributes = field(default_factory=dict)
    id: str | None = None
    types: tuple[str, ...] = ()
    scopes: tuple[TimedScope, ...] = ()
    expires_at: int | None = None


def parse_temporal_entity(document: Any, terms: Terms) -> TemporalFragment:
    """Read the evolution of an entity, with its id and type (clause 5.6.11).

    Raises InvalidRequestError when the document isn't an object, else BadRequestDataError naming
    the attribute and the reason.
    """
    document = plain_document(document, terms)
    for member in ("id", "type"):
        if member not in document:
            raise BadRequestDataError(f"{member}: an entity needs one")
    return parse_temporal_fragment(document, terms)


def parse_temporal_fragment(document: Any, terms: Terms) -> TemporalFragment:
    """Read attributes to be added to an evolution (clause 5.6.12); id and type are optional."""
    document = plain_document(document, terms)
    rules = Rules(terms)
    entity_id = check_uri(document["id"], name="id") if "id" in document else None
    if entity_id == NULL:
        raise BadRequestDataError(f"id: {NULL} can't be the id of an entity")
    return TemporalFragment(
        _read_evolutions(terms, document),
        id=entity_id,
        types=read_types(rules, document["type"]) if "type" in document else (),
        scopes=_read_scopes(document["scope"]) if "scope" in document else (),
        expires_at=(
            parse_us(document["expiresAt"], name="expiresAt") if "expiresAt" in document else None
        ),
    )


def _read_evolutions(terms: Terms, document: dict[str, Any]) -> Attributes:
    names = [key for key in document if key not in ENTITY_MEMBERS]
    if len(names) > ATTRIBUTES_MAX:
        refuse("attributes", f"{len(names)} given; at most {ATTRIBUTES_MAX} are allowed")
    attrs: Attributes = {}
    count = 0
    for name in names:
        if name in RESERVED_NAMES:
            refuse(name, "can't be the name of an attribute")
        iri = terms.expand(name)
        if iri in attrs:
            refuse(name, f"two attributes {iri}")
        value = document[name]
        if value == NULL or value is None or value == []:
            refuse(name, "needs one instance at least")
        attrs[iri] = _read_evolution(terms, name, value)
        count += len(attrs[iri])
        if count > TEMPORAL_INSTANCES_MAX:
            refuse(name, f"more than {TEMPORAL_INSTANCES_MAX} instances in one document")
    return attrs


def _read_evolution(terms: Terms, name: str, value: Any) -> list[Instance]:
    """Read the instances of one attribute over time."""
    rules = Rules(terms, nulls=True)
    items = value if isinstance(value, list) and all(map(is_instance, value)) else [value]
    instances = []
    for item in items:
        if item.__class__ is dict:
            instance = read_instance(rules, name, item)
        else:
            instance = read_bare(rules, name, item)
        for key, given in instance.items():
            if given == NULL and key != VALUE_MEMBER[instance["type"]]:
                refuse(name, f"{key} can't be null here")
        instances.append(instance)
    return instances


def _read_scopes(value: Any) -> tuple[TimedScope, ...]:
    """Read a scope: as in an entity, or as a Property over time (clause 4.5.6).

    A scope that is empty or the NGSI-LD Null says that there was none from then on.
    """
    items = value if isinstance(value, list) else [value]
    if not any(isinstance(item, dict) for item in items):
        return (TimedScope(None, check_scopes(value)),)
    scopes = []
    for item in items:
        if not isinstance(item, dict) or "value" not in item:
            refuse("scope", "an instance of the scope is an object with a value")
        at = parse_us(item["observedAt"], name="scope") if "observedAt" in item else None
        scope = item["value"]
        none = scope in ([], NULL, [NULL])
        scopes.append(TimedScope(at, () if none else check_scopes(scope)))
    return tuple(scopes)
