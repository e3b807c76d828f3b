"""Pick up alarms of other systems: an `Alert` object without a CAP message gets one.

Systems meet in the object store alone. Another system (monitoring, a city's own) writes an `Alert`
with the Smart Data Models' attributes; from `ALARMS_FROM` on (option `alarms_from`) a CAP alert of
the same event is made of it, which refers to the alarm (`refAlarm`) and then takes part in
everything: merging, feeds, the duty desk. An alarm that goes on is told again each day, before the
alert expires; when it ends (its `validTo` is past, or it was deleted) the all-clear follows. Alerts
about traffic (works, detours, delays) come by the hundred and are no warnings to the public, unless
the option `traffic_from` says from when on they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.changes import Operation
from conurb.systems.contract import Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.cap.alert import Alert, Area, MsgType, Named, Severity
from conurb.systems.warnings.compose import (
    Grade,
    News,
    Wording,
    city_area,
    compose,
    follow,
    from_us,
    point_area,
)
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.kinds import SEVERITIES, kind_of_words
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.querying import compare, own_objects, query_of
from conurb.systems.warnings.raising import sender_of
from conurb.systems.warnings.receiving import cities_at, receive, written

if TYPE_CHECKING:
    from conurb.store.contract import Record
    from conurb.systems.warnings.lifecycle import Known

ALARMS_FROM: Final = "medium"
TRAFFIC: Final = "traffic"
"""The category of alerts about traffic, in the Smart Data Model."""

RADIUS_KM: Final = 1.0
LIFE_S: Final = 24 * 3600
RENEW_AHEAD_S: Final = 600
"""How long before its alert expires an alarm that goes on is told again."""

_SEVERITY: Final = {
    "informational": Severity.UNKNOWN,
    "low": Severity.MINOR,
    "medium": Severity.MODERATE,
    "high": Severity.SEVERE,
    "critical": Severity.EXTREME,
}
_OVER: Final = frozenset({"closed", "resolved", "cleared", "over", "expired", "inactive"})
ALARM: Final = "conurb:alarm"
"""The parameter of our message that names the alarm."""


async def pick_up_alarms(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to alerts that keep no CAP message."""
    latest: dict[str, Held | None] = {}
    for record in records:
        held = None if record.after is None else Held(record.after)
        if held is None or not held.text("capDocument"):
            latest[record.entity_id] = held
    if not latest:
        return ()
    raised = await _raised(site)
    lowest = _severity(site, "alarms_from", ALARMS_FROM)
    traffic = _severity(site, "traffic_from", None)
    cities = cities_at(site)
    among: dict[str, Known] = {}
    operations: list[Operation] = []
    for alarm_id, held in latest.items():
        before = raised.get(alarm_id)
        if held is None or _is_over(held, site.now_us()):
            if before is not None:
                operations += await _clear(before, site, among)
        elif before is None and _counts(held, traffic if _is_traffic(held) else lowest):
            operations += await _raise(held, cities, site, among)
    return operations


async def _raised(site: Site) -> Mapping[str, Held]:
    """Look up what was raised for alarms and is in force: alarm to our alert."""
    query = query_of(
        "Alert",
        compare("alertState", "==", "active"),
        compare("sender", "==", sender_of(site)),
    )
    found = [Held(entity) for entity in await own_objects(site, query)]
    return {held.text("refAlarm"): held for held in found if held.find("refAlarm") is not None}


def _severity(site: Site, option: str, otherwise: str | None) -> str | None:
    """Give the severity that an option names; None for none. Raises BadRequestDataError."""
    told = site.options.get(option, otherwise)
    if told is None:
        return None
    if told not in SEVERITIES:
        raise BadRequestDataError(f"{option}: {told!r} is none of {', '.join(SEVERITIES)}")
    return str(told)


def _is_traffic(held: Held) -> bool:
    return held.text("category") == TRAFFIC


def _counts(held: Held, lowest: str | None) -> bool:
    """Whether an alarm is as severe as is asked for; never when nothing is (None)."""
    severity = held.text("severity")
    return (
        lowest is not None
        and severity in SEVERITIES
        and SEVERITIES.index(severity) >= SEVERITIES.index(lowest)
    )


def _is_over(held: Held, now_us: int) -> bool:
    end = held.time_us("validTo")
    state = held.text("alertState") or held.text("status")
    return state.lower() in _OVER or (end is not None and end <= now_us)


async def _raise(
    held: Held, cities: Cities, site: Site, among: dict[str, Known]
) -> Sequence[Operation]:
    begin = _begin_us(held)
    simulated = held.provenance == "simulated"
    kind = held.text("subCategory") or kind_of_words([held.text("category")])
    texts = held.texts("headline") or held.texts("description") or held.texts("name")
    plain = held.text("description") or held.text("name") or kind
    words = texts if {"zh", "en"} & set(texts) else {"zh": plain, "en": plain}
    told = held.texts("description") or {"zh": plain, "en": plain}
    news = News(
        sender=sender_of(site),
        kind=kind,
        grade=Grade(_SEVERITY[held.text("severity")]),
        wording=Wording(headline=words, description=told, instruction={}),
        areas=(_area(held, cities, site),),
        onset=from_us(begin),
        expires=from_us(held.time_us("validTo") or _life_end_us(begin, site.now_us())),
        simulated=simulated,
        parameters=(Named(ALARM, held.id),),
        source=held.text("alertSource") or None,
    )
    message = compose(news, sent=from_us(begin))
    receipt = await receive(
        written(message, site), site, provenance=held.provenance, ref_alarm=held.id, among=among
    )
    return receipt.operations


def _life_end_us(begin_us: int, now_us: int) -> int:
    """Give until when an alarm without an end is told: whole days from its begin, in the future."""
    life_us = LIFE_S * US_PER_S
    return begin_us + life_us * (1 + max(0, now_us - begin_us) // life_us)


async def renew(
    before: Held, site: Site, due_us: int, among: dict[str, Known]
) -> Sequence[Operation]:
    """Tell an alarm again whose alert is about to expire; nothing when the alarm is over."""
    entity = await site.node.store.find(before.text("refAlarm"))
    alarm = None if entity is None else Held(entity)
    if alarm is None or _is_over(alarm, due_us) or alarm.time_us("validTo") is not None:
        return ()
    earlier = before.message()
    end = from_us(_life_end_us(_begin_us(alarm), due_us + RENEW_AHEAD_S * US_PER_S))
    infos = [replace(info, expires=end) for info in earlier.infos]
    message = follow(earlier, MsgType.UPDATE, sent=from_us(due_us), infos=infos)
    return await _follow_up(before, message, site, among)


async def _follow_up(
    before: Held, message: Alert, site: Site, among: dict[str, Known]
) -> Sequence[Operation]:
    """Receive what follows an alert of an alarm, as one of the same alarm."""
    receipt = await receive(
        written(message, site),
        site,
        provenance=before.provenance,
        ref_alarm=before.text("refAlarm"),
        among=among,
    )
    return receipt.operations


async def _clear(before: Held, site: Site, among: dict[str, Known]) -> Sequence[Operation]:
    message = follow(before.message(), MsgType.UPDATE, sent=from_us(site.now_us()), all_clear=True)
    return await _follow_up(before, message, site, among)


def _begin_us(held: Held) -> int:
    """Give when an alarm began: as it says, else when its object came into being."""
    said = held.time_us("validFrom") or held.time_us("dateIssued")
    return said if said is not None else held.entity.created_at


def _area(held: Held, cities: Cities, site: Site) -> Area:
    name = held.texts("name").get("zh") or held.text("name") or held.id
    place: Any = held.find("location")
    if isinstance(place, dict) and place.get("coordinates"):
        from conurb.model.geometry import to_shapely

        point = to_shapely(place).representative_point()
        return point_area(
            cities, name=name, longitude=point.x, latitude=point.y, radius_km=RADIUS_KM
        )
    if site.owner in cities.by_id:
        return city_area(cities, site.owner)
    return Area(name)
