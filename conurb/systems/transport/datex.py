"""DATEX II, versions 2 and 3, read: situations, measured traffic, and where it is measured.

Elements are asked for by local name, so that both versions, and their many namespaces, read alike.
Several values of one site (lanes, classes of vehicles) become one: flows add up, speeds and
occupancies are averaged. What stands along a line (a GML list of positions) is shown at its middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Final

from conurb.errors import InvalidRequestError
from conurb.systems.transport.live import Batch, Flow, Notice, Severity
from conurb.systems.transport.siri import xml

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

ROOTS: Final = frozenset(
    {"d2LogicalModel", "messageContainer", "payload", "payloadPublication"}
    | {"situationPublication", "measuredDataPublication", "measurementSiteTablePublication"}
)
ENVELOPE: Final = "Envelope"
"""SOAP, in which the profile for pulling hands a model over."""
TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
LANG: Final = "lang"

SITES: Final = ("measurementSiteRecord", "measurementSite")
"""What a table of sites calls one: in version 2, and in version 3."""

_CAUSES: Final = {
    "Accident": ("ACCIDENT", "SIGNIFICANT_DELAYS"),
    "MaintenanceWorks": ("MAINTENANCE", "OTHER_EFFECT"),
    "ConstructionWorks": ("CONSTRUCTION", "OTHER_EFFECT"),
    "AbnormalTraffic": ("OTHER_CAUSE", "SIGNIFICANT_DELAYS"),
    "PoorEnvironmentConditions": ("WEATHER", "OTHER_EFFECT"),
    "WeatherRelatedRoadConditions": ("WEATHER", "OTHER_EFFECT"),
    "NonWeatherRelatedRoadConditions": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "VehicleObstruction": ("TECHNICAL_PROBLEM", "OTHER_EFFECT"),
    "EquipmentOrSystemFault": ("TECHNICAL_PROBLEM", "OTHER_EFFECT"),
    "GeneralObstruction": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "AnimalPresenceObstruction": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "EnvironmentalObstruction": ("WEATHER", "OTHER_EFFECT"),
    "InfrastructureDamageObstruction": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "AuthorityOperation": ("POLICE_ACTIVITY", "OTHER_EFFECT"),
    "DisturbanceActivity": ("DEMONSTRATION", "OTHER_EFFECT"),
    "PublicEvent": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "RoadOrCarriagewayOrLaneManagement": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "SpeedManagement": ("OTHER_CAUSE", "SIGNIFICANT_DELAYS"),
    "WinterDrivingManagement": ("WEATHER", "OTHER_EFFECT"),
    "GeneralNetworkManagement": ("OTHER_CAUSE", "OTHER_EFFECT"),
    "ReroutingManagement": ("OTHER_CAUSE", "DETOUR"),
}
"""Type of a situation record to cause and effect in the words of GTFS-Realtime."""

_SEVERITY: Final[dict[str, Severity]] = {
    "none": "informational",
    "lowest": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "highest": "critical",
}


def read(body: bytes, *, at_us: int) -> Batch:
    """Read a publication; `at_us` is the time of what says none.

    Raises InvalidRequestError when it isn't DATEX II, BadRequestDataError for a value that is
    none.
    """
    root = _model(xml.parse(body))
    published = next(xml.descendants(root, "publicationTime"), None)
    told_us = at_us
    if published is not None:
        told_us = xml.moment(published.getparent(), "publicationTime") or at_us
    notices = [
        _notice(situation, record, told_us)
        for situation in xml.descendants(root, "situation")
        for record in xml.children(situation, "situationRecord")
    ]
    flows = [
        *(_site(one, told_us) for name in SITES for one in xml.descendants(root, name)),
        *(_flow(one, told_us) for one in xml.descendants(root, "siteMeasurements")),
    ]
    return Batch(notices=tuple(notices), flows=tuple(one for one in flows if one is not None))


def _model(root: Element) -> Element:
    """Find the model or publication that a document is, or that its envelope holds."""
    name = xml.local(root)
    held = root
    if name == ENVELOPE:
        held = next((one for one in root.iter() if xml.local(one) in ROOTS), root)
    if xml.local(held) not in ROOTS:
        raise InvalidRequestError(
            f"a document <{name}> is not DATEX II: {', '.join(sorted(ROOTS))} are expected"
        )
    return held


# ── situations ────────────────────────────────────────────────────────────────────────────────


def _notice(situation: Element, record: Element, at_us: int) -> Notice:
    kind = (record.get(TYPE) or "").rpartition(":")[2]
    cause, effect = _CAUSES.get(kind, ("UNKNOWN_CAUSE", "UNKNOWN_EFFECT"))
    validity = xml.find(record, "validity")
    period = xml.find(validity, "validityTimeSpecification")
    status = xml.text(validity, "validityStatus")
    life = xml.find(record, "management", "lifeCycleManagement")
    lon, lat = _place(record)
    severity = xml.text(record, "severity") or xml.text(situation, "overallSeverity")
    version_us = xml.moment(record, "situationRecordVersionTime")
    return Notice(
        id=record.get("id") or situation.get("id") or "",
        at_us=version_us or xml.moment(record, "situationRecordCreationTime") or at_us,
        from_us=xml.moment(period, "overallStartTime"),
        to_us=xml.moment(period, "overallEndTime"),
        cause=cause,
        effect=effect,
        severity=_SEVERITY.get(severity),
        headline={"en": _words(kind)} if kind else {},
        text=_comments(record),
        lon=lon,
        lat=lat,
        ended=status == "suspended" or "true" in (xml.text(life, "end"), xml.text(life, "cancel")),
    )


def _words(kind: str) -> str:
    """Write the name of a record's type as words.

    >>> _words("MaintenanceWorks")
    'Maintenance works'
    """
    spaced = "".join(f" {one.lower()}" if one.isupper() else one for one in kind).strip()
    return spaced[:1].upper() + spaced[1:]


def _comments(record: Element) -> dict[str, str]:
    texts: dict[str, str] = {}
    for comment in xml.children(record, "generalPublicComment"):
        for value in xml.descendants(comment, "value"):
            said = (value.text or "").strip()
            if said:
                language = value.get(LANG) or value.get(xml.LANG) or "und"
                texts[language] = f"{texts[language]} {said}" if language in texts else said
    return texts


def _place(element: Element) -> tuple[float | None, float | None]:
    for name in ("locationForDisplay", "pointCoordinates", "coordinatesForDisplay"):
        for one in xml.descendants(element, name):
            lon, lat = xml.number(one, "longitude"), xml.number(one, "latitude")
            if lon is not None and lat is not None and _on_earth(lon, lat):
                return lon, lat
    for line in xml.descendants(element, "posList"):
        positions = _positions(line.text or "")
        if positions:
            return positions[len(positions) // 2]
    return None, None


def _positions(text: str) -> list[tuple[float, float]]:
    """Read a GML list of positions, latitude first as DATEX II has them; [] when it is none.

    >>> _positions("31.2 121.4 31.3 121.5")
    [(121.4, 31.2), (121.5, 31.3)]
    """
    try:
        numbers = [float(one) for one in text.split()]
    except ValueError:
        return []
    found = list(zip(numbers[1::2], numbers[::2], strict=False))
    return found if all(_on_earth(lon, lat) for lon, lat in found) else []


def _on_earth(lon: float, lat: float) -> bool:
    return abs(lon) <= 180 and abs(lat) <= 90


# ── measured data ─────────────────────────────────────────────────────────────────────────────


def _site(record: Element, at_us: int) -> Flow | None:
    """Read where traffic is measured; None for a site without a place."""
    site = record.get("id") or ""
    lon, lat = _place(record)
    named = xml.find(record, "measurementSiteName")
    values = [] if named is None else list(xml.descendants(named, "value"))
    name = (values[0].text or "").strip() if values else ""
    return None if not site or lon is None else Flow(site, at_us, name=name, lon=lon, lat=lat)


def _flow(measured: Element, at_us: int) -> Flow | None:
    reference = xml.find(measured, "measurementSiteReference")
    site = "" if reference is None else reference.get("id") or ""
    when = xml.find(measured, "measurementTimeDefault")
    when_us = xml.moment(when, "timeValue") or xml.moment(measured, "measurementTimeDefault")
    speeds = list(_numbers(measured, "averageVehicleSpeed", "speed"))
    flows = list(_numbers(measured, "vehicleFlow", "vehicleFlowRate"))
    shares = list(_numbers(measured, "occupancy", "percentage"))
    if not site or not (speeds or flows or shares):
        return None
    return Flow(
        site=site,
        at_us=when_us or at_us,
        speed_kmh=round(fmean(speeds), 1) if speeds else None,
        intensity_vph=sum(flows) if flows else None,
        occupancy=round(fmean(shares) / 100, 4) if shares else None,
    )


def _numbers(measured: Element, name: str, inner: str) -> Iterator[float]:
    """Stream the numbers of one measure that are no error; a speed below 0 says "none passed"."""
    for one in xml.descendants(measured, name):
        if xml.text(one, "dataError") != "true":
            value = xml.number(one, inner)
            if value is not None and value >= 0:
                yield value
