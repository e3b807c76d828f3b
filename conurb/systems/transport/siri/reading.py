"""Read SIRI: what a document is, and what its deliveries tell as live values.

Stop monitoring, vehicle monitoring, estimated timetables and situation exchange become live values.
Every other message (requests, subscriptions, capabilities, connections, facilities ...) is
recognised and named, so that an endpoint can answer it or say that it doesn't do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.systems.transport.live import Batch, Call, Notice, Position, Severity
from conurb.systems.transport.siri import xml

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

SERVICES: Final = {
    "StopMonitoring": "SM",
    "VehicleMonitoring": "VM",
    "EstimatedTimetable": "ET",
    "SituationExchange": "SX",
    "ProductionTimetable": "PT",
    "StopTimetable": "ST",
    "ConnectionMonitoring": "CM",
    "ConnectionTimetable": "CT",
    "GeneralMessage": "GM",
    "FacilityMonitoring": "FM",
}
"""Functional services of SIRI, by the word that their elements begin with."""

SITUATIONS: Final = ("PtSituationElement", "RoadSituationElement")

_SEVERITY: Final[dict[str, Severity]] = {
    "noImpact": "informational",
    "undefined": "informational",
    "verySlight": "low",
    "slight": "low",
    "normal": "medium",
    "severe": "high",
    "verySevere": "critical",
}
_CAUSES: Final = (
    ("accident", "ACCIDENT"),
    ("collision", "ACCIDENT"),
    ("maintenance", "MAINTENANCE"),
    ("repair", "MAINTENANCE"),
    ("construction", "CONSTRUCTION"),
    ("roadwork", "CONSTRUCTION"),
    ("strike", "STRIKE"),
    ("industrial", "STRIKE"),
    ("demonstration", "DEMONSTRATION"),
    ("police", "POLICE_ACTIVITY"),
    ("bomb", "POLICE_ACTIVITY"),
    ("medical", "MEDICAL_EMERGENCY"),
    ("weather", "WEATHER"),
    ("snow", "WEATHER"),
    ("fog", "WEATHER"),
    ("flood", "WEATHER"),
    ("failure", "TECHNICAL_PROBLEM"),
    ("defect", "TECHNICAL_PROBLEM"),
    ("technical", "TECHNICAL_PROBLEM"),
    ("holiday", "HOLIDAY"),
)
"""A part of a SIRI cause to the cause of GTFS-Realtime; the rest is OTHER_CAUSE."""

_EFFECTS: Final = {
    "cancelled": "NO_SERVICE",
    "noService": "NO_SERVICE",
    "disrupted": "REDUCED_SERVICE",
    "disruption": "REDUCED_SERVICE",
    "partiallyCancelled": "REDUCED_SERVICE",
    "delay": "SIGNIFICANT_DELAYS",
    "delayed": "SIGNIFICANT_DELAYS",
    "diverted": "DETOUR",
    "additionalService": "ADDITIONAL_SERVICE",
    "extendedService": "ADDITIONAL_SERVICE",
    "altered": "MODIFIED_SERVICE",
    "changeOfPlatform": "STOP_MOVED",
    "stopMoved": "STOP_MOVED",
}
_OCCUPANCY: Final = {
    "full": "FULL",
    "seatsAvailable": "FEW_SEATS_AVAILABLE",
    "standingAvailable": "STANDING_ROOM_ONLY",
    "empty": "EMPTY",
    "manySeatsAvailable": "MANY_SEATS_AVAILABLE",
    "fewSeatsAvailable": "FEW_SEATS_AVAILABLE",
}
_AT_STOP: Final = {"true": "STOPPED_AT", "false": "IN_TRANSIT_TO"}
_AFFECTED: Final = (
    ("OperatorRef", "agency"),
    ("LineRef", "route"),
    ("StopPointRef", "stop"),
    ("StopPlaceRef", "stop"),
    ("DatedVehicleJourneyRef", "trip"),
    ("VehicleJourneyRef", "trip"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A document of SIRI: its kind (the element's name), the services it speaks of, what it tells.

    `services` are the two letters of SERVICES.
    """

    kind: str
    services: frozenset[str]
    batch: Batch
    root: Element


def read(body: bytes, *, at_us: int) -> Message:
    """Read a document of SIRI; `at_us` is the time of what says none.

    Raises InvalidRequestError when it isn't one, BadRequestDataError for a value that can't be.
    """
    root = xml.parse(body)
    name = xml.local(root)
    if name in SITUATIONS:
        return Message(name, frozenset({"SX"}), Batch(notices=(_notice(root, at_us),)), root)
    if root.tag == f"{{{xml.NAMESPACE}}}{name}" and name != "Siri":
        # A part of a message on its own, as the standard's examples give some.
        return Message(name, frozenset(_services(root)), _batch(root, at_us), root)
    if name != "Siri":
        raise InvalidRequestError(f"a document <{name}> is not SIRI: <Siri> is expected")
    inner = next((child for child in root if xml.local(child)), None)
    if inner is None:
        raise InvalidRequestError("an empty <Siri> says nothing")
    told_us = xml.moment(inner, "ResponseTimestamp") or at_us
    return Message(xml.local(inner), frozenset(_services(inner)), _batch(inner, told_us), root)


def _services(inner: Element) -> Iterator[str]:
    for child in (inner, *inner):
        name = xml.local(child)
        for word, letters in SERVICES.items():
            if name.startswith(word):
                yield letters


def _batch(inner: Element, at_us: int) -> Batch:
    positions: list[Position] = []
    calls: list[Call] = []
    for activity in xml.descendants(inner, "VehicleActivity"):
        recorded_us = xml.moment(activity, "RecordedAtTime") or at_us
        journey = xml.find(activity, "MonitoredVehicleJourney")
        if journey is not None:
            position = _position(journey, recorded_us)
            positions += [] if position is None else [position]
            calls += _calls(journey, recorded_us)
    for visit in xml.descendants(inner, "MonitoredStopVisit"):
        recorded_us = xml.moment(visit, "RecordedAtTime") or at_us
        journey = xml.find(visit, "MonitoredVehicleJourney")
        if journey is not None:
            position = _position(journey, recorded_us)
            positions += [] if position is None else [position]
            stop = xml.ref(visit, "MonitoringRef")
            calls += _calls(journey, recorded_us, stop=stop, named=_visit(visit))
    for journey in xml.descendants(inner, "EstimatedVehicleJourney"):
        calls += _calls(journey, xml.moment(journey, "RecordedAtTime") or at_us)
    notices = [_notice(one, at_us) for name in SITUATIONS for one in xml.descendants(inner, name)]
    return Batch(tuple(positions), tuple(calls), tuple(notices))


def _trip(journey: Element) -> tuple[str, str]:
    """Give the id of a journey and its day (YYYYMMDD) where it is told."""
    framed = xml.find(journey, "FramedVehicleJourneyRef")
    day = xml.text(framed, "DataFrameRef").replace("-", "")
    trip = (
        xml.ref(framed, "DatedVehicleJourneyRef")
        or xml.ref(journey, "DatedVehicleJourneyRef")
        or xml.ref(journey, "VehicleJourneyRef")
    )
    return trip, day if day.isdigit() and len(day) == 8 else ""


def _position(journey: Element, at_us: int) -> Position | None:
    place = xml.find(journey, "VehicleLocation")
    lon, lat = xml.number(place, "Longitude"), xml.number(place, "Latitude")
    vehicle = xml.ref(journey, "VehicleRef")
    if not vehicle or lon is None or lat is None:
        return None
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise BadRequestDataError(f"VehicleLocation of {vehicle}: {lon}, {lat} is no place")
    call = xml.find(journey, "MonitoredCall")
    velocity, bearing = xml.number(journey, "Velocity"), xml.number(journey, "Bearing")
    return Position(
        vehicle=vehicle,
        at_us=at_us,
        lon=lon,
        lat=lat,
        bearing=None if bearing is None else bearing % 360,
        # SIRI gives a velocity in metres per second.
        speed_kmh=None if velocity is None else round(velocity * 3.6, 1),
        trip=_trip(journey)[0],
        route=xml.ref(journey, "LineRef"),
        stop=xml.ref(call, "StopPointRef"),
        sequence=_order(call),
        status=_AT_STOP.get(xml.text(call, "VehicleAtStop"), ""),
        occupancy=_OCCUPANCY.get(xml.text(journey, "Occupancy"), ""),
        label=xml.text(journey, "PublishedLineName"),
    )


def _visit(visit: Element) -> str:
    """Name the journey of a visit that doesn't: by the visit, else by line and planned time."""
    item = xml.ref(visit, "ItemIdentifier")
    journey = xml.find(visit, "MonitoredVehicleJourney")
    line = xml.ref(journey, "LineRef") or xml.text(journey, "PublishedLineName")
    call = xml.find(journey, "MonitoredCall")
    aimed = xml.text(call, "AimedDepartureTime") or xml.text(call, "AimedArrivalTime")
    return item or f"{line}@{aimed}"


def _calls(journey: Element, at_us: int, *, stop: str = "", named: str = "") -> Iterator[Call]:
    """Give the calls of a journey that are still to come.

    `stop` is the one that is monitored; `named` stands for a journey that has no id.
    """
    trip, day = _trip(journey)
    trip = trip or named
    if not trip:
        return
    if xml.text(journey, "Cancellation") == "true":
        yield Call(trip, "", at_us, day=day, route=xml.ref(journey, "LineRef"), cancelled=True)
        return
    monitored = xml.find(journey, "MonitoredCall")
    if monitored is not None:
        delay_s = xml.seconds(journey, "Delay")
        yield _call(journey, monitored, trip, day, at_us, stop=stop, delay_s=delay_s)
    for group, name in (("OnwardCalls", "OnwardCall"), ("EstimatedCalls", "EstimatedCall")):
        for call in xml.children(xml.find(journey, group), name):
            yield _call(journey, call, trip, day, at_us)


def _call(
    journey: Element,
    call: Element,
    trip: str,
    day: str,
    at_us: int,
    *,
    stop: str = "",
    delay_s: int | None = None,
) -> Call:
    aimed_arrival = xml.moment(call, "AimedArrivalTime")
    aimed_departure = xml.moment(call, "AimedDepartureTime")
    arrival = xml.moment(call, "ActualArrivalTime") or xml.moment(call, "ExpectedArrivalTime")
    departure = xml.moment(call, "ActualDepartureTime") or xml.moment(call, "ExpectedDepartureTime")
    status = {xml.text(call, name) for name in ("ArrivalStatus", "DepartureStatus")}
    return Call(
        trip=trip,
        stop=xml.ref(call, "StopPointRef") or stop,
        at_us=at_us,
        sequence=_order(call),
        route=xml.ref(journey, "LineRef"),
        day=day,
        arrival_us=arrival or aimed_arrival,
        departure_us=departure or aimed_departure,
        arrival_delay_s=_late(arrival, aimed_arrival),
        departure_delay_s=_late(departure, aimed_departure, or_else=delay_s),
        head_sign=xml.text(journey, "DestinationName"),
        skipped="cancelled" in status or xml.text(call, "Cancellation") == "true",
    )


def _order(call: Element | None) -> int | None:
    order = xml.text(call, "Order")
    return int(order) if order.isdigit() else None


def _late(
    expected_us: int | None, aimed_us: int | None, *, or_else: int | None = None
) -> int | None:
    if expected_us is None or aimed_us is None:
        return or_else
    return (expected_us - aimed_us) // 1_000_000


def _notice(situation: Element, at_us: int) -> Notice:
    periods = xml.children(situation, "ValidityPeriod")
    starts = [one for one in (xml.moment(period, "StartTime") for period in periods) if one]
    ends = [one for one in (xml.moment(period, "EndTime") for period in periods) if one]
    participant = xml.ref(situation, "ParticipantRef")
    number = xml.ref(situation, "SituationNumber")
    lon, lat = _place(situation)
    created = xml.moment(situation, "VersionedAtTime") or xml.moment(situation, "CreationTime")
    return Notice(
        id=f"{participant}/{number}" if participant else number,
        at_us=created or at_us,
        from_us=min(starts) if starts else None,
        to_us=max(ends) if ends and len(ends) == len(periods) else None,
        cause=_cause(situation),
        effect=_effect(situation),
        severity=_SEVERITY.get(xml.text(situation, "Severity")),
        headline=xml.languages(situation, "Summary"),
        text=xml.languages(situation, "Description"),
        url=xml.text(situation, "InfoLinks", "InfoLink", "Uri"),
        affected=tuple(dict.fromkeys(_affected(situation))),
        lon=lon,
        lat=lat,
        ended=xml.text(situation, "Progress") in ("closed", "closing"),
    )


def _cause(situation: Element) -> str:
    said = next(
        (
            (child.text or "").lower()
            for child in situation
            if xml.local(child) == "AlertCause" or xml.local(child).endswith("Reason")
        ),
        "",
    )
    if not said or said == "unknown":
        return "UNKNOWN_CAUSE"
    return next((cause for part, cause in _CAUSES if part in said), "OTHER_CAUSE")


def _effect(situation: Element) -> str:
    for consequence in xml.descendants(situation, "Consequence"):
        for condition in xml.children(consequence, "Condition"):
            effect = _EFFECTS.get((condition.text or "").strip())
            if effect is not None:
                return effect
    return "UNKNOWN_EFFECT"


def _affected(situation: Element) -> Iterator[tuple[str, str]]:
    for affects in xml.descendants(situation, "Affects"):
        for name, kind in _AFFECTED:
            for one in xml.descendants(affects, name):
                if one.text and one.text.strip():
                    yield kind, xml.untoken(one.text.strip())


def _place(situation: Element) -> tuple[float | None, float | None]:
    for name in ("Location", "AffectedLocation", "Geometry"):
        for one in xml.descendants(situation, name):
            lon, lat = xml.number(one, "Longitude"), xml.number(one, "Latitude")
            if lon is not None and lat is not None:
                return lon, lat
    return None, None
