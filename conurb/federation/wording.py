"""From internal form back to the words of NGSI-LD: what another node is asked, and told.

The inverse of `conurb.model.query`'s parsers and of `conurb.model.parse`: for every tree that can
be written, reading what was written gives the tree again. Names are compacted by the terms of the
@context that goes along. What the languages can't say raises `UnwritableError`; then the other node
is asked for more, and the rest is done here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

from conurb.errors import ConurbError
from conurb.model.entity import Attributes, Instance, instance_value
from conurb.model.geometry import from_wkt
from conurb.model.query.q import SYSTEM_NAMES, is_term
from conurb.model.query.tree import (
    Absent,
    And,
    AskedRelation,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Linked,
    Moment,
    OneOf,
    Or,
    OrderBy,
    Range,
    Scalar,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    TimeWindow,
    TypeAll,
    TypeIs,
    TypeSelection,
    Uri,
)
from conurb.model.render import View, render_entity
from conurb.model.render.attribute import AttributeWriter
from conurb.model.time import shown_us

if TYPE_CHECKING:
    from conurb.model.context import Terms

ALTERNATIVES_MAX = 64
"""Alternatives of one selection of types or scopes, when it is written without nesting."""

_FORWARD = View(sys_attrs=True)
_NOT_BARE = re.compile(r'[;|,()"<>{}\\^`\s\x00-\x1f\x7f]')


class UnwritableError(ConurbError):
    """Something that can't be said in the languages of NGSI-LD."""


# ── queries ───────────────────────────────────────────────────────────────────────────────────


def write_types(selection: TypeSelection, terms: Terms) -> str:
    """Write a selection of types (clause 4.17)."""
    choices = [[terms.compact(iri) for iri in choice] for choice in _alternatives(selection)]
    return ",".join(
        choice[0] if len(choice) == 1 else f"({';'.join(choice)})" for choice in choices
    )


def write_scope(condition: ScopeCondition) -> str:
    """Write a scope query (clause 4.19)."""
    choices = _alternatives(condition)
    return ",".join(
        choice[0] if len(choice) == 1 else f"({';'.join(choice)})" for choice in choices
    )


def _alternatives(node: TypeSelection | ScopeCondition) -> list[tuple[str, ...]]:
    """Give a selection as alternatives of conjunctions, for the languages don't nest further."""
    if isinstance(node, TypeIs):
        return [(node.iri,)]
    if isinstance(node, ScopeIs):
        return [(node.pattern,)]
    parts = [_alternatives(item) for item in node.items]
    if not isinstance(node, TypeAll | ScopeAll):
        found = [choice for part in parts for choice in part]
    else:
        count = 1
        for part in parts:
            count *= len(part)
        if count > ALTERNATIVES_MAX:
            raise UnwritableError(f"a selection of {count} alternatives")
        found = [
            tuple(dict.fromkeys(name for choice in choices for name in choice))
            for choices in product(*parts)
        ]
    return list(dict.fromkeys(found))


def write_q(condition: Condition, terms: Terms) -> str:
    """Write a condition (clause 4.9)."""
    if isinstance(condition, Or):
        return "|".join(_inner(item, terms, Or) for item in condition.items)
    if isinstance(condition, And):
        return ";".join(_inner(item, terms, And) for item in condition.items)
    if isinstance(condition, GeoCondition):
        raise UnwritableError("a geoquery among other conditions")
    path = write_path(condition.path, terms)
    if isinstance(condition, Exists):
        return path
    if isinstance(condition, Absent):
        return "!" + path
    return f"{path}{condition.operator}{_operand(condition)}"


def _inner(item: Condition, terms: Terms, within: type[And | Or]) -> str:
    text = write_q(item, terms)
    nested = isinstance(item, And | Or) and (within is And or isinstance(item, Or))
    return f"({text})" if nested else text


def write_path(path: AttributePath, terms: Terms) -> str:
    """Write an attribute path."""
    text, closing = "", ""
    for number, step in enumerate(path.steps):
        if isinstance(step, Linked):
            types = [_term(one, terms, inside=True) for one in step.types]
            text += "{" + (",".join(types) + ":" if types else "")
            closing += "}"
            continue
        if number and not isinstance(path.steps[number - 1], Linked):
            text += "."
        text += step if step in SYSTEM_NAMES else _term(step, terms, inside=bool(closing))
    return text + (f"[{'.'.join(path.members)}]" if path.members else "") + closing


def _term(iri: str, terms: Terms, *, inside: bool) -> str:
    name = terms.compact(iri)
    if not is_term(name) or (inside and ":" in name) or terms.expand(name) != iri:
        raise UnwritableError(f"{iri} has no name in the @context")
    return name


def _operand(compare: Compare) -> str:
    operand = compare.operand
    if compare.operator in ("~=", "!~="):
        if not isinstance(operand, str):
            raise UnwritableError(f"{operand!r} is not a pattern")
        return '"' + operand.replace('"', '\\"') + '"'
    if isinstance(operand, OneOf):
        return ",".join(map(_item, operand.items))
    return _item(operand)


def _item(item: Scalar | Range) -> str:
    if isinstance(item, Range):
        if isinstance(item.low, Uri) or isinstance(item.high, Uri):
            raise UnwritableError("a range of URIs can't stand in a q: its dots are theirs")
        return f"{_scalar(item.low)}..{_scalar(item.high)}"
    return _scalar(item)


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Moment):
        return value.text
    if isinstance(value, Uri):
        if ":" not in value.text or ".." in value.text or _NOT_BARE.search(value.text):
            raise UnwritableError(f"{value.text} can't stand in a q")
        return value.text
    return json.dumps(value, ensure_ascii=False)


def geo_params(geo: GeoCondition, terms: Terms) -> dict[str, str]:
    """Write a geoquery as its parameters (clause 4.10)."""
    if geo.negated or geo.relation not in get_args(AskedRelation):
        raise UnwritableError(f"the relation {'not ' * geo.negated}{geo.relation}")
    geometry = from_wkt(geo.geometry_wkt)
    relation: str = geo.relation
    if geo.distance_m_max is not None:
        relation += f";maxDistance=={_number(geo.distance_m_max)}"
    if geo.distance_m_min is not None:
        relation += f";minDistance=={_number(geo.distance_m_min)}"
    return {
        "georel": relation,
        "geometry": geometry["type"],
        "coordinates": json.dumps(geometry["coordinates"], separators=(",", ":")),
        "geoproperty": terms.compact(geo.attribute),
    }


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def order_params(order: Sequence[OrderBy], terms: Terms) -> dict[str, str]:
    """Write an order as its parameters (clause 4.23)."""
    members = []
    params: dict[str, str] = {}
    for one in order:
        direction = "desc" if one.descending else "asc"
        if one.distance_from_wkt is not None:
            direction = "dist-" + direction
            reference = from_wkt(one.distance_from_wkt)
            params["orderFrom"] = json.dumps(reference["coordinates"], separators=(",", ":"))
            params["orderGeometry"] = reference["type"]
        members.append(f"{write_path(one.path, terms)};{direction}")
    params["orderBy"] = ",".join(members)
    if any(one.collated for one in order):
        params["collation"] = "und"
    return params


def window_params(window: TimeWindow) -> dict[str, str]:
    """Write a window of time as its parameters (clause 4.11)."""
    params: dict[str, str] = {}
    if window.timeproperty != "observedAt":
        params["timeproperty"] = window.timeproperty
    if window.relation is not None and window.at_us is not None:
        params["timerel"] = window.relation
        params["timeAt"] = shown_us(window.at_us)
        if window.end_us is not None:
            params["endTimeAt"] = shown_us(window.end_us)
    return params


# ── entities ──────────────────────────────────────────────────────────────────────────────────


def write_attributes(
    attrs: Attributes, terms: Terms, *, bare: frozenset[str] = frozenset(), many: bool = False
) -> dict[str, Any]:
    """Write attributes as they are sent on: normalized, those of `bare` by their value alone.

    `many` writes every attribute as an array, as histories have it.
    """
    writer = AttributeWriter(terms, _FORWARD, render_entity)
    document: dict[str, Any] = {}
    for attribute, instances in attrs.items():
        name = terms.compact(attribute)
        if attribute in bare and len(instances) == 1 and "datasetId" not in instances[0]:
            document[name] = instance_value(instances[0])
        elif many:
            document[name] = [writer.instance(attribute, one) for one in instances]
        else:
            document[name] = writer.normalized(attribute, instances)
    return document


def write_instances(attribute: str, instances: Sequence[Instance], terms: Terms) -> Any:
    """Write the instances of one attribute: an object, or an array of several."""
    return AttributeWriter(terms, _FORWARD, render_entity).normalized(attribute, list(instances))


def write_head(
    terms: Terms,
    *,
    entity_id: str | None = None,
    types: Sequence[str] = (),
    scope: Sequence[str] | None = None,
    expires_us: int | None = None,
) -> dict[str, Any]:
    """Write the members of an entity that aren't attributes, those that are given."""
    head: dict[str, Any] = {} if entity_id is None else {"id": entity_id}
    if types:
        names = [terms.compact(one) for one in types]
        head["type"] = names[0] if len(names) == 1 else names
    if scope:
        head["scope"] = scope[0] if len(scope) == 1 else list(scope)
    if expires_us is not None:
        head["expiresAt"] = shown_us(expires_us)
    return head
