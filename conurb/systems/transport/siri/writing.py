"""Write SIRI: deliveries of live values, and the few answers that a producer owes.

Every delivery validates against the schema of SIRI 2.0. A call that lies before now is left out of
a monitored journey; what SIRI asks for and isn't known is left away or said to be unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from conurb.systems.transport.live import Call, Notice, Position
from conurb.systems.transport.siri import xml

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

US: Final = 1_000_000
SERVICE_DAY: Final = "%Y-%m-%d"

_CAUSES: Final = {
    "ACCIDENT": "accident",
    "MAINTENANCE": "maintenanceWork",
    "CONSTRUCTION": "constructionWork",
    "STRIKE": "industrialAction",
    "DEMONSTRATION": "demonstration",
    "POLICE_ACTIVITY": "policeActivity",
    "MEDICAL_EMERGENCY": "emergencyMedicalServices",
    "WEATHER": "poorWeather",
    "TECHNICAL_PROBLEM": "technicalProblem",
    "HOLIDAY": "holiday",
    "OTHER_CAUSE": "undefinedAlertCause",
}
_CONDITIONS: Final = {
    "NO_SERVICE": "cancelled",
    "REDUCED_SERVICE": "disrupted",
    "SIGNIFICANT_DELAYS": "delayed",
    "DETOUR": "diverted",
    "ADDITIONAL_SERVICE": "additionalService",
    "MODIFIED_SERVICE": "altered",
}
_SEVERITY: Final = {
    "informational": "noImpact",
    "low": "slight",
    "medium": "normal",
    "high": "severe",
    "critical": "verySevere",
}
_OCCUPANCY: Final = {
    "FULL": "full",
    "NOT_ACCEPTING_PASSENGERS": "full",
    "STANDING_ROOM_ONLY": "standingAvailable",
    "CRUSHED_STANDING_ROOM_ONLY": "standingAvailable",
    "EMPTY": "seatsAvailable",
    "MANY_SEATS_AVAILABLE": "seatsAvailable",
    "FEW_SEATS_AVAILABLE": "seatsAvailable",
}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who answers, and when."""

    producer: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Visit:
    """A vehicle's visit to a stop that is monitored; `aimed_us` is when it was planned to leave."""

    call: Call
    line: str = ""
    aimed_us: int | None = None


def stop_monitoring(sender: Sender, stop: str, visits: Sequence[Visit]) -> bytes:
    """Write the visits to one stop (SIRI-SM)."""
    root, delivery = _delivery(sender, "StopMonitoring")
    xml.refer(delivery, "MonitoringRef", stop)
    for visit in visits:
        told = xml.add(delivery, "MonitoredStopVisit")
        xml.say_time(told, "RecordedAtTime", visit.call.at_us)
        xml.refer(told, "MonitoringRef", stop)
        journey = xml.add(told, "MonitoredVehicleJourney")
        call = visit.call
        xml.refer(journey, "LineRef", call.route)
        _journey_ref(journey, call.trip, call.day, visit.aimed_us or call.at_us)
        xml.say(journey, "PublishedLineName", visit.line)
        xml.say(journey, "DestinationName", call.head_sign)
        xml.add(journey, "Monitored", "true" if _is_told(call) else "false")
        _monitored_call(journey, call, visit.aimed_us)
    return xml.serialize(root)


def _is_told(call: Call) -> bool:
    return call.delay_s is not None or call.cancelled or call.skipped


def _monitored_call(journey: Element, call: Call, aimed_us: int | None) -> None:
    told = xml.add(journey, "MonitoredCall")
    xml.refer(told, "StopPointRef", call.stop)
    xml.say(told, "Order", call.sequence or None)
    _times(told, call, aimed_us)


def _times(told: Element, call: Call, aimed_us: int | None) -> None:
    """Say when a call was planned and is expected, in the order that the schema has."""
    off = "cancelled" if call.skipped or call.cancelled else ""
    xml.say_time(told, "AimedArrivalTime", _aimed(call.arrival_us, call.arrival_delay_s))
    if not off:
        xml.say_time(told, "ExpectedArrivalTime", call.arrival_us)
    xml.say(told, "ArrivalStatus", off if call.arrival_us is not None else "")
    aimed = aimed_us or _aimed(call.departure_us, call.departure_delay_s)
    xml.say_time(told, "AimedDepartureTime", aimed)
    if not off:
        xml.say_time(told, "ExpectedDepartureTime", call.departure_us)
    xml.say(told, "DepartureStatus", off)


def _aimed(expected_us: int | None, delay_s: int | None) -> int | None:
    return None if expected_us is None else expected_us - (delay_s or 0) * US


def vehicle_monitoring(sender: Sender, positions: Iterable[Position], *, valid_s: int) -> bytes:
    """Write where vehicles are (SIRI-VM); each activity is valid for so many seconds."""
    root, delivery = _delivery(sender, "VehicleMonitoring")
    for position in positions:
        told = xml.add(delivery, "VehicleActivity")
        xml.say_time(told, "RecordedAtTime", position.at_us)
        xml.refer(told, "ItemIdentifier", position.vehicle)
        xml.say_time(told, "ValidUntilTime", position.at_us + valid_s * US)
        journey = xml.add(told, "MonitoredVehicleJourney")
        xml.refer(journey, "LineRef", position.route)
        if position.trip:
            _journey_ref(journey, position.trip, "", position.at_us)
        xml.say(journey, "PublishedLineName", position.label)
        place = xml.add(journey, "VehicleLocation")
        xml.add(place, "Longitude", f"{position.lon:.6f}")
        xml.add(place, "Latitude", f"{position.lat:.6f}")
        xml.say(journey, "Bearing", position.bearing)
        if position.speed_kmh is not None:
            # SIRI's velocity is a whole number of metres per second.
            xml.add(journey, "Velocity", round(position.speed_kmh / 3.6))
        xml.say(journey, "Occupancy", _OCCUPANCY.get(position.occupancy))
        xml.refer(journey, "VehicleRef", position.vehicle)
        if position.stop:
            call = xml.add(journey, "MonitoredCall")
            xml.refer(call, "StopPointRef", position.stop)
            xml.say(call, "Order", position.sequence or None)
            at_stop = "true" if position.status == "STOPPED_AT" else "false"
            xml.add(call, "VehicleAtStop", at_stop)
    return xml.serialize(root)


def estimated_timetable(sender: Sender, calls: Iterable[Call]) -> bytes:
    """Write when trips are expected at their stops (SIRI-ET).

    The schema knows no estimated timetable without a journey: of no calls it says that there is no
    information.
    """
    calls = list(calls)
    if not calls:
        return refusal(sender, "no journey is told of", condition="NoInfoForTopicError")
    root, delivery = _delivery(sender, "EstimatedTimetable")
    frame = xml.add(delivery, "EstimatedJourneyVersionFrame")
    xml.say_time(frame, "RecordedAtTime", sender.at_us)
    trips: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        trips[call.trip, call.day].append(call)
    for (trip, day), members in trips.items():
        journey = xml.add(frame, "EstimatedVehicleJourney")
        xml.refer(journey, "LineRef", members[0].route or "unknown")
        xml.add(journey, "DirectionRef", "unknown")
        _journey_ref(journey, trip, day, members[0].at_us)
        cancelled = any(call.cancelled for call in members)
        if cancelled:
            xml.add(journey, "Cancellation", "true")
            continue
        xml.say(journey, "DestinationName", members[0].head_sign)
        estimated = xml.add(journey, "EstimatedCalls")
        for call in sorted(members, key=_in_order):
            told = xml.add(estimated, "EstimatedCall")
            xml.refer(told, "StopPointRef", call.stop or "unknown")
            xml.say(told, "Order", call.sequence or None)
            xml.say(told, "Cancellation", "true" if call.skipped else "")
            _times(told, call, None)
    return xml.serialize(root)


def _in_order(call: Call) -> tuple[int, int]:
    return call.sequence or 0, call.departure_us or call.arrival_us or 0


def _journey_ref(journey: Element, trip: str, day: str, at_us: int) -> None:
    framed = xml.add(journey, "FramedVehicleJourneyRef")
    written = datetime.fromtimestamp(at_us / US, UTC).strftime(SERVICE_DAY)
    if day:
        written = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    xml.add(framed, "DataFrameRef", written)
    xml.refer(framed, "DatedVehicleJourneyRef", trip)


def situation_exchange(sender: Sender, notices: Iterable[Notice]) -> bytes:
    """Write what riders should know (SIRI-SX)."""
    root, delivery = _delivery(sender, "SituationExchange")
    situations = xml.add(delivery, "Situations")
    for notice in notices:
        _situation(situations, sender, notice)
    return xml.serialize(root)


def _situation(situations: Element, sender: Sender, notice: Notice) -> None:
    told = xml.add(situations, "PtSituationElement")
    xml.say_time(told, "CreationTime", notice.at_us)
    participant, _, number = notice.id.rpartition("/")
    xml.refer(told, "ParticipantRef", participant or sender.producer)
    # The schema takes this one for a URI: a colon could end a scheme.
    situation = xml.token(number or notice.id).replace(":", xml.COLON)
    xml.add(told, "SituationNumber", situation)
    source = xml.add(told, "Source")
    xml.add(source, "SourceType", "feed")
    xml.add(told, "Progress", "closed" if notice.ended else "open")
    period = xml.add(told, "ValidityPeriod")
    xml.say_time(period, "StartTime", notice.from_us or notice.at_us)
    xml.say_time(period, "EndTime", notice.to_us)
    xml.add(told, "AlertCause", _CAUSES.get(notice.cause, "unknown"))
    xml.say(told, "Severity", _SEVERITY.get(notice.severity or ""))
    xml.say_in(told, "Summary", notice.headline)
    xml.say_in(told, "Description", notice.text)
    if notice.url:
        xml.add(xml.add(xml.add(told, "InfoLinks"), "InfoLink"), "Uri", notice.url)
    _affects(told, notice)
    condition = _CONDITIONS.get(notice.effect)
    if condition is not None:
        consequence = xml.add(xml.add(told, "Consequences"), "Consequence")
        xml.add(consequence, "Condition", condition)


def _affects(told: Element, notice: Notice) -> None:
    named: defaultdict[str, list[str]] = defaultdict(list)
    for kind, name in notice.affected:
        named[kind].append(name)
    if not named:
        return
    affects = xml.add(told, "Affects")
    if named["agency"]:
        operators = xml.add(affects, "Operators")
        for name in named["agency"]:
            xml.refer(xml.add(operators, "AffectedOperator"), "OperatorRef", name)
    if named["route"]:
        network = xml.add(xml.add(affects, "Networks"), "AffectedNetwork")
        for name in named["route"]:
            xml.refer(xml.add(network, "AffectedLine"), "LineRef", name)
    if named["stop"]:
        stops = xml.add(affects, "StopPoints")
        for name in named["stop"]:
            xml.refer(xml.add(stops, "AffectedStopPoint"), "StopPointRef", name)
    if named["trip"]:
        journeys = xml.add(affects, "VehicleJourneys")
        for name in named["trip"]:
            xml.refer(xml.add(journeys, "AffectedVehicleJourney"), "VehicleJourneyRef", name)


def check_status(sender: Sender, *, started_us: int) -> bytes:
    """Answer whether this producer works, and since when."""
    root = xml.element("Siri", version=xml.VERSION)
    answer = xml.add(root, "CheckStatusResponse")
    xml.say_time(answer, "ResponseTimestamp", sender.at_us)
    xml.refer(answer, "ProducerRef", sender.producer)
    xml.add(answer, "Status", "true")
    xml.say_time(answer, "ServiceStartedTime", started_us)
    return xml.serialize(root)


def refusal(sender: Sender, why: str, *, condition: str = "OtherError") -> bytes:
    """Answer what can't be answered, and why: in a delivery of stop visits that has none.

    A service delivery has to hold a functional one, and not every one of them may be empty.
    """
    root, delivery = _delivery(sender, "StopMonitoring", ok=False)
    xml.add(xml.add(xml.add(delivery, "ErrorCondition"), condition), "ErrorText", why)
    return xml.serialize(root)


def _delivery(sender: Sender, service: str, *, ok: bool = True) -> tuple[Element, Element]:
    root = xml.element("Siri", version=xml.VERSION)
    outer = xml.add(root, "ServiceDelivery")
    xml.say_time(outer, "ResponseTimestamp", sender.at_us)
    xml.refer(outer, "ProducerRef", sender.producer)
    xml.add(outer, "Status", "true" if ok else "false")
    delivery = xml.add(outer, f"{service}Delivery")
    delivery.set("version", xml.VERSION)
    xml.say_time(delivery, "ResponseTimestamp", sender.at_us)
    xml.add(delivery, "Status", "true" if ok else "false")
    return root, delivery
