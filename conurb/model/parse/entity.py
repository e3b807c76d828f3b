"""Reading an entity, a fragment of one, or one attribute, as a caller writes it.

`parse_entity` is on the hot path of every write: it looks at each member once, expands names by a
dictionary, and copies nothing but the members that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.context import Terms
from conurb.model.entity import ENTITY_MEMBERS, NULL, Attributes, Entity, Instance
from conurb.model.names import check_uri
from conurb.model.parse.attribute import (
    is_bare,
    read_attributes,
    read_instances,
    read_members,
)
from conurb.model.parse.rules import TYPES_MAX, Rules
from conurb.model.parse.values import refuse, removal
from conurb.model.scope import check_scopes
from conurb.model.time import parse_us

_HEAD: Final = ENTITY_MEMBERS


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part of an entity, as an update, an append or a merge gives it (clause 5.4).

    `types` is () and `id` None when not given. `scope` is None when not given, and () when it is to
    be removed. `expires_at` is microseconds, None when not given; `drops_expiry` says that it is
    to be removed. `bare` names the attributes given by their value alone, whose kind is a guess:
    a merge keeps the kind of an existing attribute (clause 5.6.17) and reads the value anew, by
    the same `terms`.
    """

    attrs: Attributes = field(default_factory=dict)
    types: tuple[str, ...] = ()
    scope: tuple[str, ...] | None = None
    expires_at: int | None = None
    drops_expiry: bool = False
    id: str | None = None
    bare: frozenset[str] = frozenset()
    terms: Terms | None = None


def parse_entity(document: Any, terms: Terms) -> Entity:
    """Read an entity in normalized, concise or simplified form (clauses 4.5.1 to 4.5.4).

    Times that a node sets are ignored. Raises InvalidRequestError when the document isn't an
    object, else BadRequestDataError naming the attribute and the reason.
    """
    document = plain_document(document, terms)
    if "id" not in document:
        raise BadRequestDataError("id: an entity needs one")
    if "type" not in document:
        raise BadRequestDataError("type: an entity needs one")
    entity_id = check_uri(document["id"], name="id")
    if entity_id == NULL:
        raise BadRequestDataError(f"id: {NULL} can't be the id of an entity")
    rules = Rules(terms)
    names = [key for key in document if key not in _HEAD]
    attrs = read_attributes(rules, document, names)
    entity = Entity(entity_id, read_types(rules, document["type"]), attrs)
    if "scope" in document:
        scope = document["scope"]
        if scope == NULL or scope is None:
            removal(rules, "scope", "the scope", scope)
        entity.scope = check_scopes(scope)
    if "expiresAt" in document:
        entity.expires_at = parse_us(document["expiresAt"], name="expiresAt")
    return entity


def parse_fragment(document: Any, terms: Terms, *, nulls: bool, partial: bool = False) -> Fragment:
    """Read a fragment of an entity, in any of the three forms.

    `nulls` lets the NGSI-LD Null say what is to be removed; an attribute so marked
    satisfies `conurb.model.nulls.is_null`. `partial` lets an attribute leave out its value and
    type, as in a merge. Raises as `parse_entity` does.
    """
    document = plain_document(document, terms)
    rules = Rules(terms, nulls, partial, deep_nulls=nulls and partial)
    names = [key for key in document if key not in _HEAD]
    attrs = read_attributes(rules, document, names)
    scope: tuple[str, ...] | None = None
    if "scope" in document:
        given = document["scope"]
        if given is None or given in (NULL, [NULL]):
            removal(rules, "scope", "the scope", given)
            scope = ()
        else:
            scope = check_scopes(given)
    expires_at, drops_expiry = None, False
    if "expiresAt" in document:
        if document["expiresAt"] in (None, NULL):
            removal(rules, "expiresAt", "the time", document["expiresAt"])
            drops_expiry = True
        else:
            expires_at = parse_us(document["expiresAt"], name="expiresAt")
    return Fragment(
        attrs,
        types=read_types(rules, document["type"]) if "type" in document else (),
        scope=scope,
        expires_at=expires_at,
        drops_expiry=drops_expiry,
        id=check_uri(document["id"], name="id") if "id" in document else None,
        bare=frozenset(terms.expand(name) for name in names if is_bare(document[name])),
    )


def parse_attribute(
    document: Any, terms: Terms, *, name: str = "attribute", nulls: bool, partial: bool = False
) -> list[Instance]:
    """Read the body that stands for one attribute of an entity.

    `name` is used in errors. With `partial` an object that leaves out `type` and value is a
    fragment of the attribute, and the instance has no `type`; without, it is a compound value.
    Raises BadRequestDataError.
    """
    rules = Rules(terms, nulls, partial)
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key != "@context"}
        if partial and is_bare(document) and "type" not in document:
            return [read_members(rules, name, None, document)]
    return read_instances(rules, name, document)


def read_types(rules: Rules, value: Any) -> tuple[str, ...]:
    """Read the type or types of an entity, expanded, each once."""
    if value.__class__ is str:
        return (rules.terms.expand(value),)
    if value.__class__ is not list or not 1 <= len(value) <= TYPES_MAX:
        refuse("type", f"{value!r:.100} is neither a name nor an array of 1 to {TYPES_MAX} names")
    return tuple(dict.fromkeys(map(rules.terms.expand, value)))


def plain_document(document: Any, terms: Terms) -> dict[str, Any]:
    """Give the document with `id` and `type` under these names."""
    if document.__class__ is not dict:
        raise InvalidRequestError("the body is not a JSON object")
    plain: dict[str, Any] = document
    if "@id" in plain or "@type" in plain or terms.renames:
        names = {"@id": "id", "@type": "type", **terms.aliases}
        plain = {names.get(key, key): value for key, value in plain.items()}
        if len(plain) < len(document):
            raise BadRequestDataError("id and type: given twice, under two names")
    return plain
