"""What the standard's text asks of a message beyond its schema (clauses 3.2.1 to 3.2.4).

Errors are what the text forbids or requires; advice is what it recommends, or what can't be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from conurb.systems.warnings.cap.alert import Alert, Area, Info, MsgType, Resource, Scope, Status
from conurb.systems.warnings.cap.shape import Finding

_RESTRICTED: Final = re.compile(r"[\s,<&]")
"""Characters that an identifier and a sender must not have."""

_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)
_REFERRING: Final = frozenset({MsgType.UPDATE, MsgType.CANCEL, MsgType.ACK, MsgType.ERROR})


def iter_rule_findings(alert: Alert) -> Iterator[Finding]:
    """Stream what the text of the standard has against a message."""
    yield from _iter_identity(alert)
    if alert.scope is Scope.RESTRICTED and not alert.restriction:
        yield Finding("alert/restriction", "is needed where scope is Restricted")
    if alert.scope is Scope.PRIVATE and not alert.addresses:
        yield Finding("alert/addresses", "are needed where scope is Private")
    if alert.msg_type in _REFERRING and not alert.references:
        yield Finding("alert/references", f"are needed where msgType is {alert.msg_type}")
    if alert.reference in alert.references:
        yield Finding("alert/references", "the message refers to itself")
    if alert.note is None and (alert.status is Status.EXERCISE or alert.msg_type is MsgType.ERROR):
        yield Finding("alert/note", "should say which exercise, or what was wrong", "advice")
    if alert.msg_type is MsgType.ALERT and not alert.infos:
        yield Finding("alert/info", "an alert without info says nothing", "advice")
    for info in alert.infos:
        yield from _iter_info(alert, info)


def _iter_identity(alert: Alert) -> Iterator[Finding]:
    for name, text in (("identifier", alert.identifier), ("sender", alert.sender)):
        if not text:
            yield Finding(f"alert/{name}", "is empty")
        elif match := _RESTRICTED.search(text):
            yield Finding(f"alert/{name}", f"{text!r:.60} has the character {match[0]!r}")


def _iter_info(alert: Alert, info: Info) -> Iterator[Finding]:
    if not info.event:
        yield Finding("alert/info/event", "is empty")
    begin = info.effective or alert.sent
    if info.expires is not None and info.expires < begin:
        yield Finding("alert/info/expires", "the info is over before it begins", "advice")
    if not info.areas and alert.msg_type is MsgType.ALERT:
        yield Finding("alert/info/area", "should say where", "advice")
    for resource in info.resources:
        yield from _iter_resource(resource)
    for area in info.areas:
        yield from _iter_area(area)


def _iter_resource(resource: Resource) -> Iterator[Finding]:
    if resource.size_b is not None and resource.size_b < 0:
        yield Finding("alert/info/resource/size", f"{resource.size_b} bytes")
    if resource.digest is not None and not _SHA1.fullmatch(resource.digest):
        yield Finding("alert/info/resource/digest", "is not a SHA-1 in hexadecimal", "advice")


def _iter_area(area: Area) -> Iterator[Finding]:
    if area.ceiling_ft is not None and area.altitude_ft is None:
        yield Finding("alert/info/area/ceiling", "must not stand without altitude")
    if not (area.polygons or area.circles or area.geocodes):
        yield Finding("alert/info/area", "has a description only: no map can show it", "advice")
