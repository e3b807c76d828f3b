"""Writing entities: as NGSI-LD documents, and as GeoJSON features (clauses 4.5.1, 4.5.4, 4.5.16).

`render_entity` is on the hot path of every read. A document never has an `@context`: where it goes
is the protocol's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from conurb.model.context import Terms
from conurb.model.entity import Attributes, Entity, Instance
from conurb.model.render.attribute import AttributeWriter
from conurb.model.render.view import DEFAULT_DATASET, View
from conurb.model.time import shown_us


def render_entity(entity: Entity, terms: Terms, view: View) -> dict[str, Any]:
    """Write an entity as a caller sees it.

    `id` and `type` come first. The document shares values with the entity: don't change it in
    place. Linked entities (`entity`, `entityList` of a relationship, put there by a join) are
    written inside, in the view that `View.linked` gives.
    """
    writer = AttributeWriter(terms, view, render_entity)
    compact = terms.compact
    types = entity.types
    document: dict[str, Any] = {
        "id": entity.id,
        "type": compact(types[0]) if len(types) == 1 else [compact(t) for t in types],
    }
    if entity.scope:
        document["scope"] = entity.scope[0] if len(entity.scope) == 1 else list(entity.scope)
    if view.sys_attrs:
        _add_times(document, entity)
    attrs = entity.attrs
    if not view.takes_all:
        document = {key: value for key, value in document.items() if view.takes(key)}
        attrs = project(attrs, view)
    if view.representation == "normalized":
        write = writer.normalized
    elif view.representation == "concise":
        write = writer.concise
    else:
        write = writer.simplified
    for attribute, instances in attrs.items():
        document[compact(attribute)] = write(attribute, instances)
    return document


def project(attrs: Attributes, view: View) -> Attributes:
    """Keep the attributes and instances that a view takes."""
    kept: Attributes = {}
    for attribute, instances in attrs.items():
        if view.attrs is not None and attribute not in view.attrs:
            continue
        if not view.takes(attribute):
            continue
        if view.datasets:
            wanted = view.datasets
            instances = [  # noqa: PLW2901
                one for one in instances if one.get("datasetId", DEFAULT_DATASET) in wanted
            ]
        if instances:
            kept[attribute] = instances
    return kept


def render_flat(entities: Iterable[Entity], terms: Terms, view: View) -> list[dict[str, Any]]:
    """Write entities, then those that they are linked to, each entity once (clause 4.5.23.3).

    Takes entities with their linked ones inside, as an inline join gives them; nearer ones come
    first.
    """
    return [render_entity(entity, terms, seen_as) for entity, seen_as in flatten(entities, view)]


def flatten(entities: Iterable[Entity], view: View) -> Iterator[tuple[Entity, View]]:
    """Stream entities and those inside of their relationships, each with the view it is seen in."""
    front = [(entity, view) for entity in entities]
    seen = {entity.id for entity, _ in front}
    while front:
        following: list[tuple[Entity, View]] = []
        for entity, seen_as in front:
            attrs: Attributes = {}
            shown_attrs = entity.attrs if seen_as.takes_all else project(entity.attrs, seen_as)
            for attribute, instances in shown_attrs.items():
                attrs[attribute] = [_unlinked(instance) for instance in instances]
                for instance in instances:
                    for linked in _linked_entities(instance):
                        if linked.id not in seen:
                            seen.add(linked.id)
                            following.append((linked, seen_as.linked(attribute)))
            yield entity.with_attrs(attrs), seen_as
        front = following


def render_geojson_feature(entity: Entity, terms: Terms, view: View) -> dict[str, Any]:
    """Write an entity as a GeoJSON Feature (clauses 4.5.16.2, 4.5.17.1).

    Its geometry is the value of `view.geometry_property`, of the instance `view.geometry_dataset`
    or the default one; null when there is none.
    """
    properties = render_entity(entity, terms, view)
    feature: dict[str, Any] = {}
    if "id" in properties:
        feature["id"] = properties.pop("id")
    instance = entity.instance(view.geometry_property, _dataset(view))
    is_geo = instance is not None and instance.get("type") == "GeoProperty"
    geometry = instance.get("value") if instance is not None and is_geo else None
    return {
        **feature,
        "type": "Feature",
        "geometry": geometry if isinstance(geometry, dict) else None,
        "properties": properties,
    }


def render_geojson_collection(
    entities: Iterable[Entity], terms: Terms, view: View
) -> dict[str, Any]:
    """Write entities as a GeoJSON FeatureCollection (clauses 4.5.16.3, 4.5.17.2)."""
    features = [render_geojson_feature(entity, terms, view) for entity in entities]
    return {"type": "FeatureCollection", "features": features}


def _add_times(document: dict[str, Any], entity: Entity) -> None:
    document["createdAt"] = shown_us(entity.created_at)
    document["modifiedAt"] = shown_us(entity.modified_at)
    if entity.expires_at is not None:
        document["expiresAt"] = shown_us(entity.expires_at)


def _dataset(view: View) -> str | None:
    return None if view.geometry_dataset == DEFAULT_DATASET else view.geometry_dataset


def _unlinked(instance: Instance) -> Instance:
    if "entity" not in instance and "entityList" not in instance:
        return instance
    return {k: v for k, v in instance.items() if k not in {"entity", "entityList"}}


def _linked_entities(instance: Instance) -> list[Entity]:
    linked = instance.get("entity") or instance.get("entityList") or []
    return [linked] if isinstance(linked, Entity) else linked
