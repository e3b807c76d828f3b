"""An alarm as an object: the Smart Data Models' `Alert`, with the reason and the figures behind it.

Its id derives from the rule and from when the anomaly began, so that it is raised once however
often the same samples are judged. Whoever reacts to alerts (warnings, a subscription, the map)
needs to know nothing of detection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conurb.model.entity import Entity
from conurb.model.operations.entity import AppendAttributes, CreateEntity
from conurb.model.parse import parse_entity, parse_fragment
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Query,
    Selector,
    TypeIs,
    Uri,
)
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Site
from conurb.systems.monitoring.rules import Rule
from conurb.systems.monitoring.sensorthings.mapping import find_value, linked_ids

TYPE: Final = "Alert"
ACTIVE: Final = "active"
CLEARED: Final = "cleared"


async def open_alarm(site: Site, rule: Rule) -> Entity | None:
    """Find the alarm of a rule that goes on; None when there is none."""
    condition = And(
        (
            Compare(AttributePath((site.expand("refDetectionRule"),)), "==", Uri(rule.id)),
            Compare(AttributePath((site.expand("alertState"),)), "==", ACTIVE),
        )
    )
    query = Query((Selector(types=TypeIs(site.expand(TYPE))),), condition=condition, limit=1)
    page = await site.node.store.query(query)
    return page.entities[0] if page.entities else None


def raise_alarm(
    site: Site,
    rule: Rule,
    stream: Entity | None,
    *,
    begin_us: int,
    known_us: int,
    end_us: int | None,
    reason: Mapping[str, str],
    evidence: Mapping[str, Any],
) -> CreateEntity:
    """Build the alarm of an anomaly that began at a time, and was sure at another.

    `stream` is the first measurement that it is about, which says where and what is called how.
    """
    document: dict[str, Any] = {
        "id": site.urn(TYPE, f"{rule.local}:{begin_us}"),
        "type": TYPE,
        "category": rule.category,
        "subCategory": rule.sub_category,
        "severity": rule.severity,
        "alertState": ACTIVE if end_us is None else CLEARED,
        "alertSource": rule.measurements[0],
        "dateIssued": _time(known_us),
        "validFrom": _time(begin_us),
        "headline": _words({"en": rule.name, "zh": rule.name}),
        "description": _words(reason),
        "evidence": {"type": "JsonProperty", "json": dict(evidence)},
        "refDetectionRule": {"type": "Relationship", "object": rule.id},
        "refDeviceMeasurement": {"type": "Relationship", "object": list(rule.measurements)},
    }
    if end_us is not None:
        document["validTo"] = _time(end_us)
    if stream is not None:
        document |= _of_stream(stream)
    return CreateEntity(parse_entity(document, platform_terms()))


def clear_alarm(alarm: Entity, end_us: int) -> AppendAttributes:
    """Say that an alarm is over, and since when."""
    document = {"alertState": CLEARED, "validTo": _time(end_us)}
    return AppendAttributes(alarm.id, parse_fragment(document, platform_terms(), nulls=False))


def _of_stream(stream: Entity) -> dict[str, Any]:
    """Take over from a measurement what it is called, where it is, and its device."""
    found: dict[str, Any] = {}
    name = find_value(stream, "name")
    if isinstance(name, dict):
        found["name"] = _words(name)
    elif name:
        found["name"] = {"type": "Property", "value": name}
    place = find_value(stream, "location")
    if place is not None:
        found["location"] = {"type": "GeoProperty", "value": place}
    devices = linked_ids(stream, "refDevice")
    if devices:
        found["refDevice"] = {"type": "Relationship", "object": devices[0]}
    return found


def _time(us: int) -> dict[str, Any]:
    return {"type": "Property", "value": {"@type": "DateTime", "@value": shown_us(us)}}


def _words(texts: Mapping[str, str]) -> dict[str, Any]:
    return {"type": "LanguageProperty", "languageMap": dict(texts)}
