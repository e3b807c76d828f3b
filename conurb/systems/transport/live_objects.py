"""Live values as objects, and objects as live values: what every live standard shares.

| value | object | tied to |
|---|---|---|
| Position | Vehicle | GtfsTrip, GtfsRoute, GtfsStop |
| Call | ArrivalEstimation | GtfsStop, GtfsTrip; it expires once the call is over |
| Notice | Alert of category "traffic" | whatever it names |
| Flow | TrafficFlowObserved | RoadSegment |

Names of feeds become ids of objects by the same rule as the timetable's (`objects.Maker`), so that
nothing has to be looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.entity import Entity, Instance
from conurb.model.time import parse_us, shown_us
from conurb.systems.transport.live import (
    SEVERITIES,
    STATES,
    Batch,
    Call,
    Flow,
    Notice,
    Position,
)
from conurb.systems.transport.objects import (
    Maker,
    geometry,
    link,
    links,
    names,
    observed_us,
    point,
    position_of,
    some,
    target_of,
    text,
    text_of,
    value_of,
)

US: Final = 1_000_000
OVER_S: Final = 600
"""Seconds after which a call that was expected is over."""

NOTICE_LIFE_S: Final = 86_400
"""How long an alert stays after it was last told: one without an end, and any of a source that
tells each time all that it has."""

TOLD_S: Final = 3_600
"""Times of telling count by the hour, so that telling an alert again rarely changes its object."""

WHOLE_MAX: Final = 2**31 - 1
"""What the formats hold of a sequence or a delay."""

KINDS: Final[Mapping[str, str]] = {
    "agency": "GtfsAgency",
    "route": "GtfsRoute",
    "stop": "GtfsStop",
    "trip": "GtfsTrip",
}
INDEX_FROM: Final[tuple[tuple[float, str], ...]] = ((70, "blocked"), (50, "crowded"), (30, "slow"))
"""Shanghai's classes of its traffic index: 畅通 below 30, 较畅通, 拥挤, 堵塞."""

Shorten = Callable[[str], str]


def state_of(index: float) -> str:
    """Give how traffic runs at a traffic index from 0 to 100.

    >>> state_of(12.0), state_of(50.0), state_of(99.0)
    ('smooth', 'crowded', 'blocked')
    """
    return next((state for low, state in INDEX_FROM if index >= low), STATES[0])


# ── to objects ────────────────────────────────────────────────────────────────────────────────


def entities_of(batch: Batch, maker: Maker, *, told_us: int = 0) -> list[Entity]:
    """Make the objects that a message tells of; `told_us` is when it came, if that is known."""
    return [
        *(vehicle(one, maker) for one in batch.positions),
        *(estimation(one, maker) for one in batch.calls if one.trip),
        *(alert(one, maker, told_us=told_us, whole=batch.whole) for one in batch.notices),
        *(flow(one, maker) for one in batch.flows),
    ]


def _tie(maker: Maker, term: str, local: str) -> Instance | None:
    return link(maker.urn(term, local)) if local else None


def vehicle(told: Position, maker: Maker) -> Entity:
    """Make the object of a vehicle as it was told."""
    at = told.at_us
    return maker.make(
        "Vehicle",
        told.vehicle,
        {
            "location": point(told.lon, told.lat, at_us=at),
            "bearing": some(told.bearing, unit="DD", at_us=at),
            "speed": some(told.speed_kmh, unit="KMH", at_us=at),
            "hasTrip": _tie(maker, "GtfsTrip", told.trip),
            "hasRoute": _tie(maker, "GtfsRoute", told.route),
            "hasStop": _tie(maker, "GtfsStop", told.stop),
            "stopSequence": some(told.sequence, at_us=at),
            "serviceStatus": some(told.status, at_us=at),
            "occupancy": some(told.occupancy, at_us=at),
            "name": some(told.label),
        },
    )


def estimation(told: Call, maker: Maker) -> Entity:
    """Make the object that says when a trip is expected at a stop."""
    at = told.at_us
    place = told.stop or str(told.sequence if told.sequence is not None else "")
    local = "@".join(part for part in (told.trip, told.day, place) if part)
    latest = told.departure_us or told.arrival_us or at
    status = "cancelled" if told.cancelled else "skipped" if told.skipped else "expected"
    return maker.make(
        "ArrivalEstimation",
        local,
        {
            "hasTrip": _tie(maker, "GtfsTrip", told.trip),
            "hasStop": _tie(maker, "GtfsStop", told.stop),
            "hasRoute": _tie(maker, "GtfsRoute", told.route),
            "stopSequence": some(told.sequence),
            "startDate": some(told.day),
            "arrivalTime": _moment(told.arrival_us, at),
            "departureTime": _moment(told.departure_us, at),
            "delay": some(told.delay_s, unit="SEC", at_us=at),
            "headSign": some(told.head_sign),
            "serviceStatus": some(status, at_us=at),
        },
        expires_us=latest + OVER_S * US,
    )


def _moment(moment_us: int | None, at_us: int) -> Instance | None:
    return None if moment_us is None else some(shown_us(moment_us), at_us=at_us)


def alert(told: Notice, maker: Maker, *, told_us: int = 0, whole: bool = False) -> Entity:
    """Make the alert that tells of a disruption; one that ended expires at once.

    `told_us` is when it was told last, which may be long after it was issued; `whole` says that
    its source tells all that it has each time.
    """
    last_us = max(told.at_us, told_us - told_us % (TOLD_S * US) if told_us else 0)
    until = last_us + NOTICE_LIFE_S * US
    if told.to_us is not None:
        until = min(until, told.to_us) if whole else told.to_us
    place = None if told.lon is None or told.lat is None else point(told.lon, told.lat)
    return maker.make(
        "Alert",
        told.id,
        {
            "category": text("traffic"),
            "subCategory": text(told.effect.lower()),
            "cause": text(told.cause.lower()),
            "severity": some(told.severity),
            "headline": names(**told.headline),
            "description": names(**told.text),
            "dateIssued": text(shown_us(told.at_us)),
            "validFrom": None if told.from_us is None else text(shown_us(told.from_us)),
            "validTo": None if told.to_us is None else text(shown_us(told.to_us)),
            "page": some(told.url),
            "alertSource": text(maker.source),
            "affects": links([maker.urn(KINDS[kind], name) for kind, name in told.affected]),
            "location": place,
        },
        expires_us=told.at_us if told.ended else until,
    )


def flow(told: Flow, maker: Maker) -> Entity:
    """Make the object that says how traffic runs."""
    at = told.at_us
    state = told.state or ("" if told.index is None else state_of(told.index))
    return maker.make(
        "TrafficFlowObserved",
        told.site,
        {
            "name": some(told.name),
            "location": _where(told),
            "dateObserved": some(shown_us(at), at_us=at) if _is_measured(told) else None,
            "averageVehicleSpeed": some(told.speed_kmh, unit="KMH", at_us=at),
            "intensity": some(told.intensity_vph, at_us=at),
            "occupancy": some(told.occupancy, at_us=at),
            "trafficIndex": some(told.index, at_us=at),
            "trafficState": some(state, at_us=at),
            "congested": some(state in STATES[2:], at_us=at) if state else None,
            "refRoadSegment": _tie(maker, "RoadSegment", told.road),
            "note": some(told.note),
        },
    )


def _is_measured(told: Flow) -> bool:
    """Whether a flow says more than where it is measured."""
    measures = (told.speed_kmh, told.intensity_vph, told.occupancy, told.index)
    return bool(told.state) or any(one is not None for one in measures)


def _where(told: Flow) -> Instance | None:
    if len(told.path) > 1:
        return geometry({"type": "LineString", "coordinates": [list(one) for one in told.path]})
    return None if told.lon is None or told.lat is None else point(told.lon, told.lat)


def segment(told: Flow, maker: Maker) -> Entity:
    """Make the object of the road section that a flow is of."""
    return maker.make(
        "RoadSegment",
        told.road,
        {"name": some(told.name), "location": _where(told), "note": some(told.note)},
    )


# ── and back ──────────────────────────────────────────────────────────────────────────────────


def batch_of(entities: Iterable[Entity], compact: Callable[[str], str], shorten: Shorten) -> Batch:
    """Read the live values that objects hold; what is of another type is passed over."""
    readers: Mapping[str, Callable[[Entity, Shorten], Any]] = {
        "Vehicle": position,
        "ArrivalEstimation": call,
        "Alert": notice,
    }
    found: dict[str, list[Any]] = {name: [] for name in readers}
    for entity in entities:
        for name in {compact(iri) for iri in entity.types} & readers.keys():
            value = readers[name](entity, shorten)
            if value is not None:
                found[name].append(value)
    return Batch(tuple(found["Vehicle"]), tuple(found["ArrivalEstimation"]), tuple(found["Alert"]))


def position(entity: Entity, shorten: Shorten) -> Position | None:
    """Read where a vehicle is; None when nobody said when."""
    place = position_of(entity)
    at_us = observed_us(entity, "location")
    if place is None or at_us is None:
        return None
    return Position(
        vehicle=shorten(entity.id),
        at_us=at_us,
        lon=place[0],
        lat=place[1],
        bearing=_number(entity, "bearing"),
        speed_kmh=_number(entity, "speed"),
        trip=_short(entity, "hasTrip", shorten),
        route=_short(entity, "hasRoute", shorten),
        stop=_short(entity, "hasStop", shorten),
        sequence=_whole(entity, "stopSequence"),
        status=text_of(entity, "serviceStatus"),
        occupancy=text_of(entity, "occupancy"),
        label=text_of(entity, "name"),
    )


def _short(entity: Entity, term: str, shorten: Shorten) -> str:
    target = target_of(entity, term)
    return "" if target is None else shorten(target)


def call(entity: Entity, shorten: Shorten) -> Call | None:
    """Read when a trip is expected at a stop; None for one that names no trip."""
    trip = _short(entity, "hasTrip", shorten)
    status = text_of(entity, "serviceStatus")
    if not trip:
        return None
    arrival, departure = _told(entity, "arrivalTime"), _told(entity, "departureTime")
    delay = _whole(entity, "delay")
    return Call(
        trip=trip,
        stop=_short(entity, "hasStop", shorten),
        at_us=observed_us(entity, "serviceStatus") or entity.modified_at,
        sequence=_whole(entity, "stopSequence"),
        route=_short(entity, "hasRoute", shorten),
        day=text_of(entity, "startDate"),
        arrival_us=arrival,
        departure_us=departure,
        arrival_delay_s=delay if departure is None else None,
        departure_delay_s=delay if departure is not None else None,
        head_sign=text_of(entity, "headSign"),
        skipped=status == "skipped",
        cancelled=status == "cancelled",
    )


def notice(entity: Entity, shorten: Shorten) -> Notice | None:
    """Read an alert about traffic; None for one about anything else."""
    if text_of(entity, "category") != "traffic":
        return None
    headline, description = value_of(entity, "headline"), value_of(entity, "description")
    place = position_of(entity)
    said = text_of(entity, "severity")
    severity = next((one for one in SEVERITIES if one == said), None)
    return Notice(
        id=shorten(entity.id),
        at_us=_told(entity, "dateIssued") or entity.modified_at,
        from_us=_told(entity, "validFrom"),
        to_us=_told(entity, "validTo"),
        cause=text_of(entity, "cause").upper() or "UNKNOWN_CAUSE",
        effect=text_of(entity, "subCategory").upper() or "UNKNOWN_EFFECT",
        severity=severity,
        headline=_languages(headline),
        text=_languages(description),
        url=text_of(entity, "page"),
        affected=tuple(_affected(value_of(entity, "affects"), shorten)),
        lon=None if place is None else place[0],
        lat=None if place is None else place[1],
    )


def _told(entity: Entity, term: str) -> int | None:
    """Read a time that an object says; None for what is no time, as others may write."""
    told = value_of(entity, term)
    try:
        return parse_us(told, name=term) if isinstance(told, str) else None
    except BadRequestDataError:
        return None


def _number(entity: Entity, term: str) -> float | None:
    told = value_of(entity, term)
    return told if isinstance(told, int | float) and not isinstance(told, bool) else None


def _whole(entity: Entity, term: str) -> int | None:
    told = _number(entity, term)
    return None if told is None or abs(told) > WHOLE_MAX else round(told)


def _languages(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(language): str(said) for language, said in value.items()}
    return {"und": str(value)} if value else {}


def _affected(targets: Any, shorten: Shorten) -> Iterable[tuple[str, str]]:
    kinds = {term: kind for kind, term in KINDS.items()}
    for target in targets if isinstance(targets, list) else [targets] if targets else []:
        term = target.split(":", 3)[2] if target.count(":") >= 3 else ""
        if term in kinds:
            yield kinds[term], shorten(target)
