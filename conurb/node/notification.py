"""What a notification tells: a document by ETSI GS CIM 009 v1.9.1, clause 5.3.1, made as in 5.8.6.

Pure: from records of the journal (or entities, for a periodic subscription) to a JSON document.
What was deleted is told by the NGSI-LD Null. In the normalized representation it stands in the
attribute's own form (clause 4.5.1), elsewhere it stands alone unless there is more to tell.
Linked entities are put into relationships by `conurb.node.join` before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.compatibility import amended, version_of
from conurb.model.context import CORE_CONTEXT_URL, Terms
from conurb.model.entity import VALUE_MEMBER, Attributes, Entity, Instance
from conurb.model.nulls import null_value
from conurb.model.render import (
    View,
    render_entity,
    render_flat,
    render_geojson_feature,
)
from conurb.model.subscription import Subscription
from conurb.model.time import fixed, shown_us
from conurb.node.notify import Touches, touches

if TYPE_CHECKING:
    from conurb.store.contract import Record

JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"
GEO_JSON: Final = "application/geo+json"

_PREVIOUS: Final = {
    member: f"previous{member[0].upper()}{member[1:]}" for member in VALUE_MEMBER.values()
}


@dataclass(frozen=True, slots=True)
class Told:
    """One entity as it is told: what of it, and when it was deleted, if it was."""

    entity: Entity
    deleted_us: int | None = None


def view_of(subscription: Subscription) -> View:
    """Give how a subscription wants its entities written."""
    wanted = subscription.notification
    return View(
        representation=wanted.representation,
        sys_attrs=wanted.sys_attrs,
        lang=subscription.lang,
        pick=wanted.pick,
        omit=wanted.omit,
        attrs=frozenset(wanted.attributes) or None,
        datasets=subscription.datasets,
    )


def tell(subscription: Subscription, record: Record) -> Told:
    """Say what a subscription is told of a record: values, what they were, what was deleted."""
    touched = touches(record)
    if record.after is not None:
        return Told(_with_changes(subscription, record, record.after, touched))
    attrs = {
        attribute: _markers(subscription, instances, record.at_us)
        for attribute, instances in _told_of_deletion(subscription, record).items()
    }
    gone = Entity(
        record.entity_id,
        record.types,
        attrs,
        created_at=record.created_us,
        modified_at=record.modified_us,
    )
    return Told(gone, deleted_us=record.at_us)


def _told_of_deletion(subscription: Subscription, record: Record) -> Attributes:
    """Give the attributes of a deleted entity that are told with it.

    A deletion tells its time alone (5.8.6); but with showChanges also what there was, and to a
    subscription that waits for attributes to be deleted, that they were.
    """
    if "entityDeleted" in subscription.triggers:
        return record.before if subscription.notification.show_changes else {}
    watched = subscription.watched
    return {what: one for what, one in record.before.items() if not watched or what in watched}


def _with_changes(
    subscription: Subscription, record: Record, after: Entity, touched: Touches
) -> Entity:
    show = subscription.notification.show_changes
    attrs: Attributes = dict(after.attrs)
    for attribute, datasets in touched.items():
        before = {one.get("datasetId"): one for one in record.before.get(attribute, ())}
        gone = [
            before[key] for key, kind in datasets.items() if kind == "deleted" and key in before
        ]
        kept = [
            _with_previous(one, before[key])
            if show and (key := one.get("datasetId")) in before and key in datasets
            else one
            for one in attrs.get(attribute, ())
        ]
        if not kept:
            kept = _markers(subscription, gone, record.at_us)
        else:
            kept += [_marker(subscription, one, record.at_us) for one in gone]
        if kept:
            attrs[attribute] = kept
    return after.with_attrs(attrs)


def _markers(subscription: Subscription, before: list[Instance], at_us: int) -> list[Instance]:
    """Say that an attribute is gone with all of its instances.

    Which instances there were needn't be told (5.8.6), unless there is more to tell of each.
    """
    wanted = subscription.notification
    if before and not (wanted.sys_attrs or wanted.show_changes or subscription.datasets):
        first = {key: value for key, value in before[0].items() if key != "datasetId"}
        return [_marker(subscription, first, at_us)]
    return [_marker(subscription, one, at_us) for one in before]


def _with_previous(instance: Instance, before: Instance) -> Instance:
    member = VALUE_MEMBER[before["type"]]
    return {**instance, _PREVIOUS[member]: before[member]}


def _marker(subscription: Subscription, before: Instance, at_us: int) -> Instance:
    """Make the instance that says that another one was deleted."""
    wanted = subscription.notification
    more: Instance = {}
    if "datasetId" in before:
        more["datasetId"] = before["datasetId"]
    if wanted.sys_attrs:
        more |= {key: before[key] for key in ("createdAt", "modifiedAt") if key in before}
        more["deletedAt"] = fixed(at_us)
    kind = before["type"]
    if wanted.representation == "simplified" or (
        wanted.representation == "concise" and not more and not wanted.show_changes
    ):
        kind = "Property"  # whose null is written bare: the attribute's name and the null, no more
    marker = {"type": kind, VALUE_MEMBER[kind]: null_value(kind), **more}
    return _with_previous(marker, before) if wanted.show_changes else marker


def write_notification(
    subscription: Subscription,
    told: Sequence[Told],
    terms: Terms,
    view: View,
    *,
    notification_id: str,
    at_us: int,
    context: Any = None,
) -> dict[str, Any]:
    """Write a notification (clause 5.3.1).

    `context` is the @context that the body carries, None when it carries none.
    """
    accept = subscription.notification.endpoint.accept
    if subscription.conformance is not None:
        version = version_of(subscription.conformance)
        told = [Told(amended(one.entity, version, terms), one.deleted_us) for one in told]
    deletions = {one.entity.id: one.deleted_us for one in told if one.deleted_us is not None}
    entities = [one.entity for one in told]
    data: Any
    if accept == GEO_JSON:
        features = [
            _with_deletion(render_geojson_feature(one, terms, view), deletions.get(one.id))
            for one in entities
        ]
        data = {"type": "FeatureCollection", "features": features}
        if context is not None:
            data["@context"] = context
    else:
        if subscription.notification.join == "flat":
            documents = render_flat(entities, terms, view)
        else:
            documents = [render_entity(one, terms, view) for one in entities]
        # Documents come in the order of the entities, linked ones after them.
        for document, entity in zip(documents, entities, strict=False):
            _with_deletion(document, deletions.get(entity.id))
        if context is not None:
            for document in documents:
                document["@context"] = context
        data = documents
    notification: dict[str, Any] = {
        "id": notification_id,
        "type": "Notification",
        "subscriptionId": subscription.id,
        "notifiedAt": shown_us(at_us),
        "data": data,
    }
    if context is not None and accept == JSON_LD:
        notification["@context"] = CORE_CONTEXT_URL
    return notification


def _with_deletion(document: dict[str, Any], deleted_us: int | None) -> dict[str, Any]:
    if deleted_us is not None:
        place = document.get("properties", document)
        place["deletedAt"] = shown_us(deleted_us)
    return document


def context_in_body(subscription: Subscription, headers: Mapping[str, str]) -> bool:
    """Whether a notification carries its @context in the body, not as a link (6.3.6)."""
    accept = subscription.notification.endpoint.accept
    if accept == GEO_JSON:
        prefer = next((v for k, v in headers.items() if k.lower() == "prefer"), "")
        return "body=json" not in prefer.replace(" ", "").split(",")
    return accept == JSON_LD


def carried_context(source: Any) -> Any:
    """Write the @context that a body carries: the subscriber's own, the core is implied (5.5.5).

    >>> carried_context(None) == CORE_CONTEXT_URL
    True
    """
    return CORE_CONTEXT_URL if source is None else source
