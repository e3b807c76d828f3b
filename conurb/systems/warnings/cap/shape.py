"""The shape of a CAP 1.2 document: which elements, how often, in which order, of which form.

Written from the standard's data dictionary (clause 3.2), so that what is wrong is said by name and
place; that it judges as the OASIS schema does is held by tests against that schema. CAP 1.1 has
the same shape with fewer values and looser times, so it is read by the same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from conurb.systems.warnings.cap.alert import (
    NAMESPACE,
    Category,
    Certainty,
    MsgType,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from conurb.systems.warnings.cap.xml import Element, children, local_name, namespace, text_of

NAMESPACE_1_1: Final = "urn:oasis:names:tc:emergency:cap:1.1"
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
_INSTANCE: Final = "{http://www.w3.org/2001/XMLSchema-instance}"

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", re.ASCII)
_LOOSE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([-+]\d\d:\d\d|Z)", re.ASCII
)
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*", re.ASCII)
_INTEGER: Final = re.compile(r"[-+]?\d+", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*", re.ASCII)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})", re.ASCII)
_OFFSET_MAX: Final = timedelta(hours=14)

Level = Literal["error", "advice"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a message: where, what, and whether it makes the message invalid."""

    path: str
    detail: str
    level: Level = "error"

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.path}: {self.detail}"


Form = Callable[[str], str | None]
"""Gives why a text isn't of a form; None when it is."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One element in a sequence: its name, how often, and its form or what stands in it."""

    name: str
    least: int
    most: int | None
    form: Form | tuple[Slot, ...]


def find_time(text: str, *, loose: bool = False) -> datetime | None:
    """Read a CAP date-time (clause 3.3.2); None when it isn't one.

    `loose` takes the forms of CAP 1.1 too: fractions and Z.
    """
    plain = text.strip()
    if not (_LOOSE_TIME if loose else _TIME).fullmatch(plain):
        return None
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return None
    offset = moment.utcoffset()
    return moment if offset is not None and abs(offset) <= _OFFSET_MAX else None


def _any_text(_text: str) -> str | None:
    return None


def _time(text: str) -> str | None:
    if find_time(text) is not None:
        return None
    return f"{text!r:.40} is not a date-time such as 2026-01-31T08:00:00+08:00"


def _loose_time(text: str) -> str | None:
    if find_time(text, loose=True) is not None:
        return None
    return f"{text!r:.40} is not a date-time with a time zone"


def _uri(text: str) -> str | None:
    """Give why a text can't be a URI or a relative one (RFC 3986; other characters are escaped)."""
    first = re.split(r"[/?#]", text.strip(), maxsplit=1)[0]
    scheme, colon, _ = first.partition(":")
    if (colon and not _SCHEME.fullmatch(scheme)) or _BAD_ESCAPE.search(text):
        return f"{text!r:.60} is not a URI"
    return None


def _pattern(pattern: re.Pattern[str], what: str) -> Form:
    def check(text: str) -> str | None:
        return None if pattern.fullmatch(text.strip()) else f"{text!r:.40} is not {what}"

    return check


def _one_of(values: type[StrEnum]) -> Form:
    allowed = frozenset(str(value) for value in values)

    def check(text: str) -> str | None:
        return None if text in allowed else f"{text!r:.40} is none of {', '.join(sorted(allowed))}"

    return check


def _one(name: str, form: Form | tuple[Slot, ...] = _any_text) -> Slot:
    return Slot(name, 1, 1, form)


def _maybe(name: str, form: Form | tuple[Slot, ...] = _any_text) -> Slot:
    return Slot(name, 0, 1, form)


def _many(name: str, form: Form | tuple[Slot, ...] = _any_text, *, least: int = 0) -> Slot:
    return Slot(name, least, None, form)


_NAMED: Final = (_one("valueName"), _one("value"))
_WHOLE: Final = _pattern(_INTEGER, "a whole number")
_NUMBER: Final = _pattern(_DECIMAL, "a decimal number")

_RESOURCE: Final = (
    _one("resourceDesc"),
    _one("mimeType"),
    _maybe("size", _WHOLE),
    _maybe("uri", _uri),
    _maybe("derefUri"),
    _maybe("digest"),
)
_AREA: Final = (
    _one("areaDesc"),
    _many("polygon"),
    _many("circle"),
    _many("geocode", _NAMED),
    _maybe("altitude", _NUMBER),
    _maybe("ceiling", _NUMBER),
)


def _info(time: Form) -> tuple[Slot, ...]:
    return (
        _maybe("language", _pattern(_LANGUAGE, "a language tag such as zh-CN")),
        _many("category", _one_of(Category), least=1),
        _one("event"),
        _many("responseType", _one_of(ResponseType)),
        _one("urgency", _one_of(Urgency)),
        _one("severity", _one_of(Severity)),
        _one("certainty", _one_of(Certainty)),
        _maybe("audience"),
        _many("eventCode", _NAMED),
        _maybe("effective", time),
        _maybe("onset", time),
        _maybe("expires", time),
        *map(_maybe, ("senderName", "headline", "description", "instruction")),
        _maybe("web", _uri),
        _maybe("contact"),
        _many("parameter", _NAMED),
        _many("resource", _RESOURCE),
        _many("area", _AREA),
    )


def _alert(time: Form) -> tuple[Slot, ...]:
    return (
        _one("identifier"),
        _one("sender"),
        _one("sent", time),
        _one("status", _one_of(Status)),
        _one("msgType", _one_of(MsgType)),
        _maybe("source"),
        _one("scope", _one_of(Scope)),
        _maybe("restriction"),
        _maybe("addresses"),
        _many("code"),
        *map(_maybe, ("note", "references", "incidents")),
        _many("info", _info(time)),
    )


SHAPES: Final = {NAMESPACE: _alert(_time), NAMESPACE_1_1: _alert(_loose_time)}
"""Namespace to what stands in `alert`."""


def iter_shape_findings(root: Element) -> Iterator[Finding]:
    """Stream what in a document isn't as the schema has it."""
    space = namespace(root)
    if local_name(root) != "alert" or space not in SHAPES:
        yield Finding("/", f"{root.tag!r:.80} is not alert of CAP 1.2 ({NAMESPACE}) or CAP 1.1")
        return
    yield from _iter_attributes(root, "alert")
    yield from _iter_mixed(root, "alert")
    own = children(root)
    last = len(own)
    while last and namespace(own[last - 1]) == SIGNATURE_NAMESPACE:
        last -= 1
    yield from _iter_sequence(own[:last], SHAPES[space], "alert", space)


def _iter_sequence(
    elements: Sequence[Element], slots: Sequence[Slot], path: str, space: str
) -> Iterator[Finding]:
    """Match elements with slots in order; say once where the order is left."""
    at = 0
    for slot in slots:
        seen = 0
        while at < len(elements) and _is(elements[at], slot.name, space):
            if slot.most is not None and seen == slot.most:
                yield Finding(f"{path}/{slot.name}", f"there may be {slot.most} only")
                return
            yield from _iter_element(elements[at], slot, f"{path}/{slot.name}", space)
            seen += 1
            at += 1
        if seen < slot.least:
            found = f"; {local_name(elements[at])} stands there" if at < len(elements) else ""
            yield Finding(f"{path}/{slot.name}", f"is missing{found}")
    if at < len(elements):
        yield Finding(
            f"{path}/{local_name(elements[at])}",
            "isn't known here, or not in this place (the standard fixes the order)",
        )


def _is(element: Element, name: str, space: str) -> bool:
    return local_name(element) == name and namespace(element) == space


def _iter_element(element: Element, slot: Slot, path: str, space: str) -> Iterator[Finding]:
    yield from _iter_attributes(element, path)
    if isinstance(slot.form, tuple):
        yield from _iter_mixed(element, path)
        yield from _iter_sequence(children(element), slot.form, path, space)
        return
    if children(element):
        yield Finding(path, "holds text, not elements")
        return
    wrong = slot.form(text_of(element))
    if wrong is not None:
        yield Finding(path, wrong)


def _iter_attributes(element: Element, path: str) -> Iterator[Finding]:
    for name in element.attrib:
        if not str(name).startswith(_INSTANCE):
            yield Finding(path, f"attribute {name!r:.60} isn't known here")


def _iter_mixed(element: Element, path: str) -> Iterator[Finding]:
    if text_of(element).strip():
        yield Finding(path, f"holds elements, not text ({text_of(element).strip()!r:.40})")
