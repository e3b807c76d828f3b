"""The envelope EDXL-DE 1.0 (OASIS): messages with whom they are for, out and in.

What CAP doesn't say, the envelope does: to which cities a message was released. Cities are named by
their codes (GB/T 2260) as explicit addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.alert import MsgType, Status
from conurb.systems.warnings.cap.shape import find_time
from conurb.systems.warnings.cap.xml import Element, children, local_name, namespace, read_xml

NAMESPACE: Final = "urn:oasis:names:tc:emergency:EDXL:DE:1.0"
CITY_SCHEME: Final = "GB/T 2260"
CONTENTS_MAX: Final = 100

_STATUS: Final = frozenset({Status.ACTUAL, Status.EXERCISE, Status.SYSTEM, Status.TEST})
_TYPES: Final = {
    MsgType.ALERT: "Report",
    MsgType.UPDATE: "Update",
    MsgType.CANCEL: "Cancel",
    MsgType.ACK: "Ack",
    MsgType.ERROR: "Error",
}
_TYPE_VALUES: Final = frozenset(
    {*_TYPES.values(), "Request", "Response", "Dispatch", "SensorConfiguration"}
    | {"SensorControl", "SensorStatus", "SensorDetection"}
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A distribution: who sends it, what kind it is, to which cities, and what is inside."""

    id: str
    sender: str
    sent: datetime
    status: str
    type: str
    confidentiality: str
    city_codes: tuple[str, ...]
    documents: tuple[bytes, ...]


def distribution_type(msg_type: MsgType) -> str:
    """Give the kind of distribution that carries a kind of message."""
    return _TYPES[msg_type]


def write_envelope(envelope: Envelope) -> bytes:
    """Write an envelope; raise BadRequestDataError for a status that the standard hasn't."""
    if envelope.status not in _STATUS:
        raise BadRequestDataError(
            f"EDXL-DE can't carry a message whose status is {envelope.status!r}; "
            f"{', '.join(sorted(_STATUS))} are allowed"
        )
    root = etree.Element(f"{{{NAMESPACE}}}EDXLDistribution", nsmap={None: NAMESPACE})
    _text(root, "distributionID", envelope.id)
    _text(root, "senderID", envelope.sender)
    _text(root, "dateTimeSent", envelope.sent.replace(microsecond=0).isoformat())
    _text(root, "distributionStatus", envelope.status)
    _text(root, "distributionType", envelope.type)
    _text(root, "combinedConfidentiality", envelope.confidentiality)
    if envelope.city_codes:
        address = _under(root, "explicitAddress")
        _text(address, "explicitAddressScheme", CITY_SCHEME)
        for code in envelope.city_codes:
            _text(address, "explicitAddressValue", code)
    for document in envelope.documents:
        content = _under(_under(root, "contentObject"), "xmlContent")
        _under(content, "embeddedXMLContent").append(read_xml(document))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def is_envelope(root: Element) -> bool:
    """Whether a document is an envelope."""
    return local_name(root) == "EDXLDistribution" and namespace(root) == NAMESPACE


def read_envelope(document: bytes) -> Envelope:
    """Read an envelope; raise BadRequestDataError saying what is missing or wrong."""
    root = read_xml(document)
    if not is_envelope(root):
        raise BadRequestDataError(f"{root.tag!r:.80} is not an EDXL-DE 1.0 envelope")
    sent = find_time(_get(root, "dateTimeSent"), loose=True)
    status, kind = _get(root, "distributionStatus"), _get(root, "distributionType")
    if sent is None:
        raise BadRequestDataError(f"dateTimeSent: {_get(root, 'dateTimeSent')!r} is not a time")
    for name, value, allowed in (
        ("distributionStatus", status, frozenset(map(str, _STATUS))),
        ("distributionType", kind, _TYPE_VALUES),
    ):
        if value not in allowed:
            known = ", ".join(sorted(allowed))
            raise BadRequestDataError(f"{name}: {value!r:.60} is none of {known}")
    return Envelope(
        id=_get(root, "distributionID"),
        sender=_get(root, "senderID"),
        sent=sent,
        status=status,
        type=kind,
        confidentiality=_get(root, "combinedConfidentiality"),
        city_codes=_city_codes(root),
        documents=_documents(root),
    )


def _city_codes(root: Element) -> tuple[str, ...]:
    codes: list[str] = []
    for address in _named(root, "explicitAddress"):
        if _get(address, "explicitAddressScheme") == CITY_SCHEME:
            values = _named(address, "explicitAddressValue")
            codes += [(one.text or "").strip() for one in values]
    return tuple(codes)


def _documents(root: Element) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for content in _named(root, "contentObject"):
        for holder in content.iter(
            f"{{{NAMESPACE}}}embeddedXMLContent", f"{{{NAMESPACE}}}keyXMLContent"
        ):
            inside = [one for one in children(holder) if local_name(one) == "alert"]
            found += [bytes(etree.tostring(one, with_tail=False)) for one in inside]
    if len(found) > CONTENTS_MAX:
        raise BadRequestDataError(
            f"{len(found)} messages in one envelope; {CONTENTS_MAX} are taken"
        )
    return tuple(found)


def _named(element: Element, name: str) -> list[Element]:
    return [
        one for one in children(element) if local_name(one) == name and namespace(one) == NAMESPACE
    ]


def _get(element: Element, name: str) -> str:
    found = _named(element, name)
    text = (found[0].text or "").strip() if found else ""
    if not text:
        raise BadRequestDataError(f"EDXL-DE: {name} is missing")
    return text


def _under(parent: Element, name: str) -> Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")


def _text(parent: Element, name: str, text: str) -> None:
    _under(parent, name).text = text
