"""GTFS-Realtime 2.0: read a feed message into live values, and write one.

Needs `gtfs-realtime-bindings` (extra: transport), which is imported when it is used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from conurb.errors import InvalidRequestError, TooLargeError, UnavailableError
from conurb.systems.transport.live import Batch, Call, Notice, Position, Severity

ENTITIES_MAX: Final = 200_000
US: Final = 1_000_000
KMH_PER_MPS: Final = 3.6
VERSION: Final = "2.0"
DECIMALS: Final = 5
"""Of degrees: what a float of 32 bits, as the format has it, holds for certain."""

_SEVERITY: Final[Mapping[str, Severity]] = {
    "INFO": "informational",
    "WARNING": "medium",
    "SEVERE": "high",
}
_SEVERITY_BACK: Final[Mapping[str, str]] = {
    "informational": "INFO",
    "low": "INFO",
    "medium": "WARNING",
    "high": "SEVERE",
    "critical": "SEVERE",
}


def _bindings() -> Any:
    try:
        from google.transit import gtfs_realtime_pb2
    except ImportError as error:
        raise UnavailableError(
            "GTFS-Realtime needs the package gtfs-realtime-bindings: install conurb[transport]"
        ) from error
    return gtfs_realtime_pb2


def read_message(body: bytes, *, at_us: int) -> Batch:
    """Read a feed message; `at_us` is the time of what says none, and of a header without one.

    Raises InvalidRequestError when it isn't one, TooLargeError over `ENTITIES_MAX` entities.
    """
    pb = _bindings()
    message = pb.FeedMessage()
    try:
        message.ParseFromString(body)
    except Exception as error:
        raise InvalidRequestError(f"not a GTFS-Realtime message: {error}") from error
    if not message.IsInitialized():
        raise InvalidRequestError("not a GTFS-Realtime message: it has no header")
    if len(message.entity) > ENTITIES_MAX:
        raise TooLargeError(f"{len(message.entity)} entities; at most {ENTITIES_MAX} are taken")
    header_us = message.header.timestamp * US or at_us
    positions: list[Position] = []
    calls: list[Call] = []
    notices: list[Notice] = []
    for entity in message.entity:
        if entity.HasField("vehicle"):
            position = _position(pb, entity, header_us)
            if position is not None:
                positions.append(position)
        if entity.HasField("trip_update"):
            calls += _calls(pb, entity.trip_update, header_us)
        if entity.HasField("alert"):
            notices.append(_notice(pb, entity, header_us))
        elif entity.is_deleted:
            notices.append(Notice(entity.id, header_us, ended=True))
    whole = message.header.incrementality == pb.FeedHeader.FULL_DATASET
    return Batch(tuple(positions), tuple(calls), tuple(notices), whole=whole)


def _position(pb: Any, entity: Any, header_us: int) -> Position | None:
    """Read a vehicle's position; None for one that tells no place."""
    told = entity.vehicle
    if not told.HasField("position"):
        return None
    place = told.position
    if not (abs(place.latitude) <= 90 and abs(place.longitude) <= 180):
        return None
    return Position(
        vehicle=told.vehicle.id or entity.id,
        at_us=told.timestamp * US or header_us,
        lon=round(place.longitude, DECIMALS),
        lat=round(place.latitude, DECIMALS),
        bearing=None if (turn := _finite(place, "bearing")) is None else round(turn % 360, 1),
        speed_kmh=None if (speed := _finite(place, "speed")) is None else _kmh(speed),
        trip=told.trip.trip_id,
        route=told.trip.route_id,
        stop=told.stop_id,
        sequence=told.current_stop_sequence if told.HasField("current_stop_sequence") else None,
        status=_word(pb.VehiclePosition.VehicleStopStatus, told, "current_status"),
        occupancy=_word(pb.VehiclePosition.OccupancyStatus, told, "occupancy_status"),
        label=told.vehicle.label,
    )


def _finite(told: Any, name: str) -> float | None:
    """Give a number that is told; None for none, or for what is no number (NaN)."""
    value = getattr(told, name)
    return float(value) if told.HasField(name) and math.isfinite(value) else None


def _kmh(speed_mps: float) -> float | None:
    """Give a speed in km/h; None for one below 0, by which some say that they don't know."""
    return round(speed_mps * KMH_PER_MPS, 1) if speed_mps >= 0 else None


def _word(enum: Any, told: Any, name: str) -> str:
    return str(enum.Name(getattr(told, name))) if told.HasField(name) else ""


def _calls(pb: Any, told: Any, header_us: int) -> Iterable[Call]:
    trip = told.trip
    at_us = told.timestamp * US or header_us
    known = {"trip": trip.trip_id, "route": trip.route_id, "day": trip.start_date, "at_us": at_us}
    if trip.schedule_relationship == pb.TripDescriptor.CANCELED:
        yield Call(stop="", cancelled=True, **known)
        return
    update = pb.TripUpdate.StopTimeUpdate
    for call in told.stop_time_update:
        yield Call(
            stop=call.stop_id,
            sequence=call.stop_sequence if call.HasField("stop_sequence") else None,
            arrival_us=call.arrival.time * US or None,
            departure_us=call.departure.time * US or None,
            arrival_delay_s=call.arrival.delay if call.arrival.HasField("delay") else None,
            departure_delay_s=call.departure.delay if call.departure.HasField("delay") else None,
            skipped=call.schedule_relationship == update.SKIPPED,
            **known,
        )


def _notice(pb: Any, entity: Any, header_us: int) -> Notice:
    told = entity.alert
    starts = [one.start for one in told.active_period if one.start]
    ends = [one.end for one in told.active_period]
    affected = []
    for one in told.informed_entity:
        pairs = (
            ("agency", one.agency_id),
            ("route", one.route_id or one.trip.route_id),
            ("stop", one.stop_id),
            ("trip", one.trip.trip_id),
        )
        affected += [(kind, name) for kind, name in pairs if name]
    level = pb.Alert.SeverityLevel.Name(told.severity_level)
    return Notice(
        id=entity.id,
        at_us=header_us,
        from_us=min(starts) * US if starts else None,
        to_us=max(ends) * US if ends and all(ends) else None,
        cause=pb.Alert.Cause.Name(told.cause),
        effect=pb.Alert.Effect.Name(told.effect),
        severity=_SEVERITY.get(level),
        headline=_languages(told.header_text),
        text=_languages(told.description_text),
        url=next((one.text for one in told.url.translation), ""),
        affected=tuple(dict.fromkeys(affected)),
        ended=entity.is_deleted,
    )


def _languages(told: Any) -> dict[str, str]:
    return {one.language or "und": one.text for one in told.translation}


def write_message(batch: Batch, *, at_us: int) -> bytes:
    """Write a full data set: positions, trip updates, alerts. Ids of entities are unique."""
    pb = _bindings()
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = VERSION
    message.header.incrementality = pb.FeedHeader.FULL_DATASET
    message.header.timestamp = at_us // US
    for position in batch.positions:
        _write_position(pb, message.entity.add(), position)
    trips: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in batch.calls:
        trips[call.trip, call.day].append(call)
    for (trip, day), calls in trips.items():
        _write_trip(pb, message.entity.add(), trip, day, calls)
    for notice in batch.notices:
        _write_notice(pb, message.entity.add(), notice)
    body: bytes = message.SerializeToString()
    return body


def _write_position(pb: Any, entity: Any, position: Position) -> None:
    entity.id = f"vehicle:{position.vehicle}"
    told = entity.vehicle
    told.vehicle.id = position.vehicle
    told.vehicle.label = position.label
    told.timestamp = position.at_us // US
    told.position.longitude = position.lon
    told.position.latitude = position.lat
    if position.bearing is not None:
        told.position.bearing = position.bearing
    if position.speed_kmh is not None:
        told.position.speed = position.speed_kmh / KMH_PER_MPS
    if position.trip:
        told.trip.trip_id = position.trip
    if position.route:
        told.trip.route_id = position.route
    if position.stop:
        told.stop_id = position.stop
    if position.sequence is not None:
        told.current_stop_sequence = position.sequence
    vehicle = pb.VehiclePosition
    _say_word(vehicle.VehicleStopStatus, told, "current_status", position.status)
    _say_word(vehicle.OccupancyStatus, told, "occupancy_status", position.occupancy)


def _say_word(enum: Any, told: Any, name: str, word: str) -> None:
    """Say a word of an enumeration; one that isn't of it (an object's of another source) not."""
    if word in enum.keys():  # noqa: SIM118 -- an enumeration of protobuf is no mapping
        setattr(told, name, enum.Value(word))


def _write_trip(pb: Any, entity: Any, trip: str, day: str, calls: Sequence[Call]) -> None:
    entity.id = f"trip:{trip}:{day}" if day else f"trip:{trip}"
    told = entity.trip_update
    told.trip.trip_id = trip
    if day:
        told.trip.start_date = day
    if calls[0].route:
        told.trip.route_id = calls[0].route
    told.timestamp = max(call.at_us for call in calls) // US
    if any(call.cancelled for call in calls):
        told.trip.schedule_relationship = pb.TripDescriptor.CANCELED
        return
    for call in sorted(calls, key=_in_order):
        update = told.stop_time_update.add()
        update.stop_id = call.stop
        if call.sequence is not None:
            update.stop_sequence = call.sequence
        if call.skipped:
            update.schedule_relationship = pb.TripUpdate.StopTimeUpdate.SKIPPED
            continue
        _write_event(update, "arrival", call.arrival_us, call.arrival_delay_s)
        _write_event(update, "departure", call.departure_us, call.departure_delay_s)
        if not (update.HasField("arrival") or update.HasField("departure")):
            update.schedule_relationship = pb.TripUpdate.StopTimeUpdate.NO_DATA


def _in_order(call: Call) -> tuple[bool, int, int]:
    """Order calls by sequence, those without one by time, after the others."""
    at = call.departure_us or call.arrival_us or 0
    return call.sequence is None, call.sequence or 0, at


def _write_event(update: Any, name: str, at_us: int | None, delay_s: int | None) -> None:
    if at_us is not None:
        getattr(update, name).time = at_us // US
    if delay_s is not None:
        getattr(update, name).delay = delay_s


def _write_notice(pb: Any, entity: Any, notice: Notice) -> None:
    entity.id = f"alert:{notice.id}"
    told = entity.alert
    if notice.from_us is not None or notice.to_us is not None:
        period = told.active_period.add()
        if notice.from_us is not None:
            period.start = notice.from_us // US
        if notice.to_us is not None:
            period.end = notice.to_us // US
    _say_word(pb.Alert.Cause, told, "cause", notice.cause)
    _say_word(pb.Alert.Effect, told, "effect", notice.effect)
    if notice.severity is not None:
        level = _SEVERITY_BACK[notice.severity]
        told.severity_level = pb.Alert.SeverityLevel.Value(level)
    for kind, name in notice.affected:
        chosen = told.informed_entity.add()
        if kind == "trip":
            chosen.trip.trip_id = name
        else:
            setattr(chosen, f"{kind}_id", name)
    _write_languages(told.header_text, notice.headline)
    _write_languages(told.description_text, notice.text)
    if notice.url:
        told.url.translation.add().text = notice.url


def _write_languages(told: Any, texts: Mapping[str, str]) -> None:
    for language, text in texts.items():
        one = told.translation.add()
        one.text = text
        if language != "und":
            one.language = language
