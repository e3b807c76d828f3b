"""Make regional events at a region: hear what the cities say, keep it as statements, merge them.

Two reactions, so that each writes in one line: `hear` reads the journals of all members and keeps,
for each alert, an `AlertStatement` of the region's own; `merge_statements` reads the region's
journal alone and makes `RegionalEvent`s of all statements (`conurb.systems.warnings.events`).
What was merged or split is told in the events, and their history keeps what was said when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from conurb.model.changes import Operation
from conurb.model.entity import Attributes, Entity
from conurb.model.geometry import to_shapely
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.regions.objects import city_id
from conurb.systems.contract import Provenance, Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.events import (
    US_PER_S,
    RegionalEvent,
    State,
    Statement,
    lineage,
    merge,
    successor,
)
from conurb.systems.warnings.kinds import find_kind, slack_of
from conurb.systems.warnings.objects import DIGITS, Held, city_of, said_at
from conurb.systems.warnings.querying import after, own_objects, query_of
from conurb.systems.warnings.receiving import cities_at
from conurb.systems.warnings.replay import TIME_LAPSE

if TYPE_CHECKING:
    from conurb.store.contract import Record

STATEMENT: Final = "AlertStatement"
EVENT: Final = "RegionalEvent"
_KEPT: Final = "statements"
WINDOW_S: Final = 30 * 86_400
"""Statements that ended longer ago aren't merged any more."""

GONE: Final = frozenset({"merged", "withdrawn"})
"""States of an event that is no more: it went into another, or all that was said is withdrawn."""

STATUSES: Final = frozenset({"Actual", "Exercise"})
"""Messages of other statuses (System, Test, Draft) speak of no happening."""

_STATES: Final[Mapping[str, State]] = {
    "active": "active",
    "superseded": "superseded",
    "cleared": "over",
    "expired": "over",
    "cancelled": "withdrawn",
}


async def hear(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to alerts of the region: keep what each one says."""
    latest: dict[str, Record] = {record.entity_id: record for record in records}
    operations: list[Operation] = []
    for record in latest.values():
        entity = record.after
        if entity is None:
            gone = await site.node.store.find(statement_id(site, record.entity_id))
            if gone is not None:
                operations.append(
                    UpsertEntity(_restated(gone, "withdrawn", record.at_us), mode="update")
                )
            continue
        held = Held(entity)
        if held.text("messageStatus") in STATUSES and held.text("alertState") in _STATES:
            operations.append(UpsertEntity(statement_object(held, site, record.at_us)))
    return operations


def _slack(kind: str, simulated: bool) -> float:
    """Give the slack of a kind in seconds of the clock; a simulated episode runs faster."""
    return slack_of(kind) / TIME_LAPSE if simulated else slack_of(kind)


def statement_id(site: Site, alert_id: str) -> str:
    """Give the id of the statement that a region keeps of an alert."""
    return site.urn(STATEMENT, hashlib.sha256(alert_id.encode()).hexdigest()[:DIGITS])


def statement_object(held: Held, site: Site, at_us: int) -> Entity:
    """Build the statement of an alert."""
    owner = held.id.split(":")[3] if held.id.count(":") >= 4 else site.owner
    document: dict[str, Any] = {
        "id": statement_id(site, held.id),
        "type": STATEMENT,
        "refAlert": {"type": "Relationship", "object": held.id},
        "owner": owner,
        "alertState": _STATES[held.text("alertState")],
    }
    for term in ("subCategory", "severity", "sender", "dateIssued", "validFrom", "validTo"):
        document[term] = held.text(term)
    headline = held.texts("headline") or held.texts("name")
    if headline:
        document["headline"] = {"type": "LanguageProperty", "languageMap": headline}
    if held.links("affects"):
        document["affects"] = {
            "type": "ListRelationship",
            "objectList": list(held.links("affects")),
        }
    place = held.find("location")
    if isinstance(place, dict):
        # The alert keeps the whole area; a statement needs to say only whereabouts.
        point = to_shapely(place).representative_point()
        document["location"] = {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [point.x, point.y]},
        }
    return _built(document, held.provenance, at_us)


def statement_of(held: Held, cities: Cities) -> Statement:
    """Read a statement."""
    named = tuple(city_of(one) for one in held.links("affects"))
    owner = held.text("owner")
    known = tuple(one for one in named if one in cities.by_id)
    own = (owner,) if owner in cities.by_id else ()
    begin = held.time_us("validFrom") or 0
    state: Any = held.text("alertState")
    return Statement(
        id=held.text("refAlert"),
        owner=owner,
        sender=held.text("sender"),
        kind=held.text("subCategory"),
        begin_us=begin,
        end_us=max(begin, held.time_us("validTo") or begin),
        cities=known or own,
        severity=held.text("severity"),
        state=state,
        issued_us=held.time_us("dateIssued") or begin,
        headline=held.texts("headline"),
        simulated=held.provenance == "simulated",
        replayed=held.provenance == "replayed",
    )


async def merge_statements(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to statements: write the regional events that became others."""
    cities = cities_at(site)
    at_us = max(record.at_us for record in records)
    begin_us = at_us - WINDOW_S * US_PER_S
    kept = await _statements(records, site, cities)
    places = {said.id: place for said, place, _ in kept.values()}
    statements = [said for said, _, _ in kept.values()]
    events = merge(
        [one for one in statements if one.end_us >= begin_us or one.state == "active"],
        cities.neighbours,
        slack=_slack,
    )
    stored = {
        one.id: one for one in await own_objects(site, query_of(EVENT, after("validTo", begin_us)))
    }
    previous = {local_of(one): members_of(Held(one)) for one in stored.values()}
    previous = {local: members for local, members in previous.items() if members}
    current = {one.local: frozenset(said.id for said in one.statements) for one in events}
    operations: list[Operation] = []
    for event in events:
        built = event_object(event, site, cities, at_us)
        built = _with_lineage(built, event, site, previous, current, at_us)
        before = stored.get(built.id)
        if before is None or said_by(before) != said_by(built):
            # One that comes back out of another must not go on saying that it went into it.
            back = before is not None and Held(before).text("alertState") in GONE
            placed = _with_place(built, event, places, cities, at_us)
            operations.append(UpsertEntity(placed, mode="replace" if back else "update"))
    for local, members in previous.items():
        if local not in current:
            into = successor(members, current)
            operations.append(_ended(site.urn(EVENT, local), into, site, stored, at_us))
    return operations


async def _statements(
    records: Sequence[Record], site: Site, cities: Cities
) -> Mapping[str, tuple[Statement, Any, int]]:
    """Give all statements with whereabouts and time of change: read once, then kept up to date."""
    kept: dict[str, tuple[Statement, Any, int]] | None = site.memory.get(_KEPT)
    if kept is None:
        kept = {}
        for entity in await own_objects(site, query_of(STATEMENT)):
            held = Held(entity)
            kept[entity.id] = (
                statement_of(held, cities),
                held.find("location"),
                entity.modified_at,
            )
        site.memory[_KEPT] = kept
    for record in records:
        if record.after is None:
            kept.pop(record.entity_id, None)
            continue
        before = kept.get(record.entity_id)
        # What was read from the store may be newer than what the journal tells now.
        if before is None or before[2] <= record.after.modified_at:
            held = Held(record.after)
            kept[held.id] = (
                statement_of(held, cities),
                held.find("location"),
                record.after.modified_at,
            )
    return kept


def event_object(event: RegionalEvent, site: Site, cities: Cities, at_us: int) -> Entity:
    """Build the object of a regional event as of a time, without its area."""
    known = find_kind(event.kind)
    document: dict[str, Any] = {
        "id": site.urn(EVENT, event.local),
        "type": EVENT,
        "name": {
            "type": "LanguageProperty",
            "languageMap": {
                "zh": known.zh if known else event.kind,
                "en": known.en if known else event.kind,
            },
        },
        "category": known.category if known else "security",
        "subCategory": event.kind,
        "severity": event.severity,
        "alertState": "active" if event.active else "over",
        "validFrom": shown_us(event.begin_us),
        "validTo": shown_us(event.end_us),
        "statementCount": len(event.statements),
        "statements": {
            "type": "JsonProperty",
            "json": [_told(one) for one in event.statements],
        },
    }
    if event.cities:
        ids = [city_id(one) for one in event.cities]
        document["affects"] = {"type": "ListRelationship", "objectList": ids}
        near = [city_id(one) for one in cities.around(event.cities)]
        if near:
            document["mayAffect"] = {"type": "ListRelationship", "objectList": near}
    return _built(document, provenance_of(event), at_us)


def provenance_of(event: RegionalEvent) -> Provenance:
    """Give where an event comes from: simulated and replayed ones say so."""
    if any(one.simulated for one in event.statements):
        return "simulated"
    return "replayed" if all(one.replayed for one in event.statements) else "live"


def local_of(entity: Entity) -> str:
    """Give the local part of an object's id."""
    return entity.id.rpartition(":")[2]


def members_of(held: Held) -> frozenset[str]:
    """Give the alerts of an event; none for one that is gone."""
    if held.text("alertState") in GONE:
        return frozenset()
    told = held.find("statements")
    return frozenset(one["alert"] for one in told) if isinstance(told, list) else frozenset()


def said_by(entity: Entity) -> Mapping[str, Any]:
    """Give what an event's object says, to tell whether it says something else."""
    held = Held(entity)
    terms = ("severity", "alertState", "validFrom", "validTo", "statements", "affects")
    return {term: held.find(term) for term in terms}


def _told(one: Statement) -> dict[str, Any]:
    return {
        "alert": one.id,
        "city": one.owner,
        "sender": one.sender,
        "severity": one.severity,
        "state": one.state,
        "issued": shown_us(one.issued_us),
        "from": shown_us(one.begin_us),
        "to": shown_us(one.end_us),
        "cities": list(one.cities),
        "headline": dict(one.headline),
    }


def _with_place(
    built: Entity,
    event: RegionalEvent,
    places: Mapping[str, Any],
    cities: Cities,
    at_us: int,
) -> Entity:
    """Add the area: that of the cities concerned, or whereabouts an event outside of them is.

    Checking such an area would take longer than all the rest; it is made of checked ones.
    """
    area = cities.outline(event.cities) or places.get(event.statements[0].id)
    if area is None:
        return built
    attribute = platform_terms().expand("location")
    place = {attribute: [{"type": "GeoProperty", "value": area}]}
    return built.with_attrs(built.attrs | said_at(place, provenance_of(event), at_us))


def _with_lineage(
    built: Entity,
    event: RegionalEvent,
    site: Site,
    previous: Mapping[str, frozenset[str]],
    current: Mapping[str, frozenset[str]],
    at_us: int,
) -> Entity:
    told = lineage(event, previous, current)
    attrs: Attributes = {}
    if told.merged_from:
        ids = [site.urn(EVENT, one) for one in told.merged_from]
        attrs[site.expand("mergedFrom")] = [{"type": "ListRelationship", "objectList": ids}]
    if told.split_from is not None:
        source = site.urn(EVENT, told.split_from)
        attrs[site.expand("splitFrom")] = [{"type": "Relationship", "object": source}]
    return built.with_attrs(built.attrs | said_at(attrs, provenance_of(event), at_us))


def _ended(
    event_id: str, into: str | None, site: Site, stored: Mapping[str, Entity], at_us: int
) -> UpsertEntity:
    """End an event whose statements are all elsewhere, or withdrawn."""
    document: dict[str, Any] = {"id": event_id, "type": EVENT, "alertState": "withdrawn"}
    if into is not None:
        document["alertState"] = "merged"
        target = site.urn(EVENT, into)
        document["mergedInto"] = {"type": "Relationship", "object": target}
    provenance = Held(stored[event_id]).provenance
    return UpsertEntity(_built(document, provenance, at_us), mode="update")


def _restated(entity: Entity, state: State, at_us: int) -> Entity:
    held = Held(entity)
    document = {"id": entity.id, "type": STATEMENT, "alertState": state}
    return _built(document, held.provenance, at_us)


def _built(document: dict[str, Any], provenance: Provenance, at_us: int) -> Entity:
    entity = parse_entity(document, platform_terms())
    return entity.with_attrs(said_at(entity.attrs, provenance, at_us))
