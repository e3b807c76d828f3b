"""Read a CAP message: bytes to `Alert`, with everything that is wrong in it said by place.

`judge` gives all findings; `read` raises on the first error. What a sender leaves empty
(`<note/>`) counts as left out, as most public sources write it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.alert import (
    DEFAULT_LANGUAGE,
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MsgType,
    Named,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from conurb.systems.warnings.cap.rules import iter_rule_findings
from conurb.systems.warnings.cap.shape import (
    NAMESPACE_1_1,
    Finding,
    find_time,
    iter_shape_findings,
)
from conurb.systems.warnings.cap.text import (
    find_circle,
    find_polygon,
    find_references,
    quoted_words,
)
from conurb.systems.warnings.cap.xml import (
    Element,
    children,
    local_name,
    namespace,
    read_xml,
    text_of,
)

FINDINGS_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Judgement:
    """What reading found: the message, unless it is invalid, and everything to be said of it."""

    alert: Alert | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Give the findings that make the message invalid."""
        return tuple(one for one in self.findings if one.level == "error")


def judge(document: bytes | Element) -> Judgement:
    """Judge a document against the schema's shape, then the standard's text.

    Raises InvalidRequestError or TooLargeError for what can't be read as XML.
    """
    root = read_xml(document) if isinstance(document, bytes) else document
    shape = tuple(iter_shape_findings(root))
    if shape:
        return Judgement(None, shape)
    forms = tuple(_iter_form_findings(root))
    if forms:
        return Judgement(None, forms)
    alert = _alert(root)
    findings = tuple(iter_rule_findings(alert))
    invalid = any(one.level == "error" for one in findings)
    return Judgement(None if invalid else alert, findings)


def read(document: bytes | Element) -> Alert:
    """Read a valid message; raise BadRequestDataError saying what is wrong."""
    judgement = judge(document)
    if judgement.alert is None:
        errors = judgement.errors
        more = len(errors) - FINDINGS_SHOWN_MAX
        said = "; ".join(str(one) for one in errors[:FINDINGS_SHOWN_MAX])
        raise BadRequestDataError(
            f"not a CAP 1.2 message: {said}{f'; and {more} more' * (more > 0)}"
        )
    return judgement.alert


def _iter_form_findings(root: Element) -> Iterator[Finding]:
    """Stream texts that are no list of references, polygon or circle (clauses 3.2.1, 3.2.4)."""
    loose = namespace(root) == NAMESPACE_1_1
    for element in root.iter():
        name = local_name(element)
        text = text_of(element).strip() if name in ("references", "polygon", "circle") else ""
        if not text:
            continue
        if name == "references" and find_references(text, loose=loose) is None:
            detail = f"{text!r:.80} is not a list of sender,identifier,sent"
            yield Finding("alert/references", detail)
        elif name == "polygon" and find_polygon(text) is None:
            detail = (
                f"{text!r:.80} is not four or more pairs latitude,longitude, "
                "the last one like the first"
            )
            yield Finding("alert/info/area/polygon", detail)
        elif name == "circle" and find_circle(text) is None:
            detail = f"{text!r:.80} is not latitude,longitude radius (in km)"
            yield Finding("alert/info/area/circle", detail)


class _Reader:
    """The texts of one element's children by name; empty ones are left out."""

    def __init__(self, element: Element) -> None:
        self._by_name: dict[str, list[Element]] = {}
        for child in children(element):
            self._by_name.setdefault(local_name(child), []).append(child)

    def elements(self, name: str) -> list[Element]:
        return self._by_name.get(name, [])

    def texts(self, name: str) -> list[str]:
        return [text for one in self.elements(name) if (text := text_of(one).strip())]

    def find(self, name: str) -> str | None:
        texts = self.texts(name)
        return texts[0] if texts else None

    def get(self, name: str) -> str:
        return self.find(name) or ""

    def time(self, name: str) -> datetime | None:
        text = self.find(name)
        return None if text is None else find_time(text, loose=True)

    def named(self, name: str) -> tuple[Named, ...]:
        found = (_Reader(one) for one in self.elements(name))
        return tuple(Named(one.get("valueName"), one.get("value")) for one in found)


def _alert(root: Element) -> Alert:
    at = _Reader(root)
    sent = at.time("sent")
    assert sent is not None  # noqa: S101 - the shape was checked
    loose = namespace(root) == NAMESPACE_1_1
    # Not stripped: spaces in either are for the rules to find.
    identifier, sender = (text_of(at.elements(name)[0]) for name in ("identifier", "sender"))
    return Alert(
        identifier=identifier,
        sender=sender,
        sent=sent,
        status=Status(at.get("status")),
        msg_type=MsgType(at.get("msgType")),
        scope=Scope(at.get("scope")),
        source=at.find("source"),
        restriction=at.find("restriction"),
        addresses=quoted_words(at.get("addresses")),
        codes=tuple(at.texts("code")),
        note=at.find("note"),
        references=_references(at.get("references"), loose=loose),
        incidents=quoted_words(at.get("incidents")),
        infos=tuple(_info(one) for one in at.elements("info")),
    )


def _references(text: str, *, loose: bool) -> tuple[Reference, ...]:
    return find_references(text, loose=loose) or ()


def _info(element: Element) -> Info:
    at = _Reader(element)
    return Info(
        event=at.get("event"),
        categories=tuple(Category(text) for text in at.texts("category")),
        urgency=Urgency(at.get("urgency")),
        severity=Severity(at.get("severity")),
        certainty=Certainty(at.get("certainty")),
        language=at.find("language") or DEFAULT_LANGUAGE,
        responses=tuple(ResponseType(text) for text in at.texts("responseType")),
        audience=at.find("audience"),
        event_codes=at.named("eventCode"),
        effective=at.time("effective"),
        onset=at.time("onset"),
        expires=at.time("expires"),
        sender_name=at.find("senderName"),
        headline=at.find("headline"),
        description=at.find("description"),
        instruction=at.find("instruction"),
        web=at.find("web"),
        contact=at.find("contact"),
        parameters=at.named("parameter"),
        resources=tuple(_resource(one) for one in at.elements("resource")),
        areas=tuple(_area(one) for one in at.elements("area")),
    )


def _resource(element: Element) -> Resource:
    at = _Reader(element)
    size = at.find("size")
    return Resource(
        description=at.get("resourceDesc"),
        mime_type=at.get("mimeType"),
        size_b=None if size is None else int(size),
        uri=at.find("uri"),
        deref_uri=at.find("derefUri"),
        digest=at.find("digest"),
    )


def _area(element: Element) -> Area:
    at = _Reader(element)
    polygons = (find_polygon(text) for text in at.texts("polygon"))
    circles: list[Circle | None] = [find_circle(text) for text in at.texts("circle")]
    altitude, ceiling = at.find("altitude"), at.find("ceiling")
    return Area(
        description=at.get("areaDesc"),
        polygons=tuple(one for one in polygons if one is not None),
        circles=tuple(one for one in circles if one is not None),
        geocodes=at.named("geocode"),
        altitude_ft=None if altitude is None else float(altitude),
        ceiling_ft=None if ceiling is None else float(ceiling),
    )
