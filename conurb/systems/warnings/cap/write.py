"""Write a CAP 1.2 message: `Alert` to bytes, refused where the standard would refuse it."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.alert import (
    NAMESPACE,
    Alert,
    Area,
    Info,
    Named,
    Resource,
    write_time,
)
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.text import write_circle, write_number, write_polygon, write_words
from conurb.systems.warnings.cap.xml import Element


def write(alert: Alert) -> bytes:
    """Write a message in UTF-8.

    Raises BadRequestDataError when it breaks a rule of the standard, or has text that XML can't
    carry.
    """
    data = bytes(etree.tostring(element_of(alert), xml_declaration=True, encoding="UTF-8"))
    read(data)
    return data


def element_of(alert: Alert) -> Element:
    """Build the XML of a message, unchecked; raise BadRequestDataError for control characters."""
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})
    try:
        _write_head(root, alert)
        for info in alert.infos:
            _write_info(_under(root, "info"), info)
    except ValueError as error:
        raise BadRequestDataError(f"alert {alert.identifier}: {error}") from error
    etree.indent(root)
    return root


def _write_head(root: Element, alert: Alert) -> None:
    _text(root, "identifier", alert.identifier)
    _text(root, "sender", alert.sender)
    _time(root, "sent", alert.sent)
    _text(root, "status", alert.status)
    _text(root, "msgType", alert.msg_type)
    _text(root, "source", alert.source)
    _text(root, "scope", alert.scope)
    _text(root, "restriction", alert.restriction)
    _text(root, "addresses", write_words(alert.addresses) or None)
    for code in alert.codes:
        _text(root, "code", code)
    _text(root, "note", alert.note)
    _text(root, "references", " ".join(map(str, alert.references)) or None)
    _text(root, "incidents", write_words(alert.incidents) or None)


def _write_info(at: Element, info: Info) -> None:
    _text(at, "language", info.language)
    for category in info.categories:
        _text(at, "category", category)
    _text(at, "event", info.event)
    for response in info.responses:
        _text(at, "responseType", response)
    _text(at, "urgency", info.urgency)
    _text(at, "severity", info.severity)
    _text(at, "certainty", info.certainty)
    _text(at, "audience", info.audience)
    _named(at, "eventCode", info.event_codes)
    _time(at, "effective", info.effective)
    _time(at, "onset", info.onset)
    _time(at, "expires", info.expires)
    _text(at, "senderName", info.sender_name)
    _text(at, "headline", info.headline)
    _text(at, "description", info.description)
    _text(at, "instruction", info.instruction)
    _text(at, "web", info.web)
    _text(at, "contact", info.contact)
    _named(at, "parameter", info.parameters)
    for resource in info.resources:
        _write_resource(_under(at, "resource"), resource)
    for area in info.areas:
        _write_area(_under(at, "area"), area)


def _write_resource(at: Element, resource: Resource) -> None:
    _text(at, "resourceDesc", resource.description)
    _text(at, "mimeType", resource.mime_type)
    _text(at, "size", None if resource.size_b is None else str(resource.size_b))
    _text(at, "uri", resource.uri)
    _text(at, "derefUri", resource.deref_uri)
    _text(at, "digest", resource.digest)


def _write_area(at: Element, area: Area) -> None:
    _text(at, "areaDesc", area.description)
    for ring in area.polygons:
        _text(at, "polygon", write_polygon(ring))
    for circle in area.circles:
        _text(at, "circle", write_circle(circle))
    _named(at, "geocode", area.geocodes)
    _text(at, "altitude", None if area.altitude_ft is None else write_number(area.altitude_ft))
    _text(at, "ceiling", None if area.ceiling_ft is None else write_number(area.ceiling_ft))


def _under(parent: Element, name: str) -> Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")


def _text(parent: Element, name: str, text: str | None) -> None:
    if text is not None:
        _under(parent, name).text = str(text)


def _time(parent: Element, name: str, moment: datetime | None) -> None:
    _text(parent, name, None if moment is None else write_time(moment))


def _named(parent: Element, name: str, values: tuple[Named, ...]) -> None:
    for value in values:
        at = _under(parent, name)
        _text(at, "valueName", value.name)
        _text(at, "value", value.value)
