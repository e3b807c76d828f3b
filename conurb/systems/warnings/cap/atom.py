"""Feeds of alerts: Atom (RFC 4287) with the CAP message inside of each entry, out and in.

A reader that knows Atom alone sees title, times, summary and a link; one that knows CAP finds the
message in `content`, or behind the link when a publisher gives an index only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.alert import MEDIA_TYPE, Alert, Info
from conurb.systems.warnings.cap.xml import Element, children, local_name, namespace, read_xml

ATOM: Final = "http://www.w3.org/2005/Atom"
FEED_MEDIA_TYPE: Final = "application/atom+xml"

FEED_BYTES_MAX: Final = 16_000_000
ENTRIES_MAX: Final = 5_000


@dataclass(frozen=True, slots=True)
class Published:
    """An alert as a feed shows it: the message, its XML, where it is found, who says it."""

    alert: Alert
    document: bytes
    url: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as read: its id, the message inside (None: an index only), and its link."""

    id: str
    document: bytes | None
    link: str | None


def write_feed(
    entries: Sequence[Published], *, url: str, title: str, author: str, updated: datetime
) -> bytes:
    """Write a feed, newest first; `updated` is used when it is empty."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    ordered = sorted(entries, key=lambda one: (one.alert.sent, one.url), reverse=True)
    _text(feed, "id", url)
    _text(feed, "title", title)
    _text(feed, "updated", _time(ordered[0].alert.sent if ordered else updated))
    _text(_under(feed, "author"), "name", author)
    _link(feed, "self", url, FEED_MEDIA_TYPE)
    for entry in ordered:
        _write_entry(_under(feed, "entry"), entry)
    return bytes(etree.tostring(feed, xml_declaration=True, encoding="UTF-8"))


def _write_entry(at: Element, published: Published) -> None:
    alert = published.alert
    info = alert.infos[0] if alert.infos else None
    _text(at, "id", published.url)
    _text(at, "title", _title(alert, info))
    _text(at, "updated", _time(alert.sent))
    _text(at, "published", _time(alert.sent))
    name = info.sender_name if info is not None and info.sender_name else alert.sender
    _text(_under(at, "author"), "name", name)
    for category in _categories(alert.infos):
        _under(at, "category").set("term", category)
    _link(at, "alternate", published.url, MEDIA_TYPE)
    words = (published.note, info.description if info is not None else alert.note)
    _text(at, "summary", " ".join(word for word in words if word) or alert.identifier)
    content = _under(at, "content")
    content.set("type", "text/xml")
    content.append(read_xml(published.document))


def _title(alert: Alert, info: Info | None) -> str:
    said = (info.headline or info.event) if info is not None else alert.identifier
    return said if alert.msg_type == "Alert" else f"{alert.msg_type}: {said}"


def _categories(infos: Iterable[Info]) -> list[str]:
    return sorted({str(category) for info in infos for category in info.categories})


def read_feed(document: bytes) -> tuple[Entry, ...]:
    """Read the entries of a feed.

    Raises BadRequestDataError when it is no Atom feed, or has more than `ENTRIES_MAX` entries.
    """
    root = read_xml(document, bytes_max=FEED_BYTES_MAX)
    if local_name(root) != "feed" or namespace(root) != ATOM:
        raise BadRequestDataError(f"{root.tag!r:.80} is not an Atom feed ({ATOM})")
    entries = [one for one in children(root) if local_name(one) == "entry"]
    if len(entries) > ENTRIES_MAX:
        raise BadRequestDataError(f"a feed of {len(entries)} entries; {ENTRIES_MAX} are taken")
    return tuple(_entry(one) for one in entries)


def _entry(element: Element) -> Entry:
    found: dict[str, Element] = {local_name(one): one for one in children(element)}
    links = [one for one in children(element) if local_name(one) == "link"]
    chosen = next((one for one in links if one.get("type") == MEDIA_TYPE), None)
    if chosen is None:
        chosen = next((one for one in links if one.get("rel", "alternate") == "alternate"), None)
    alerts = children(found["content"]) if "content" in found else []
    inside = next((one for one in alerts if local_name(one) == "alert"), None)
    identity = found["id"].text if "id" in found else None
    return Entry(
        id=(identity or "").strip(),
        document=None if inside is None else bytes(etree.tostring(inside, with_tail=False)),
        link=None if chosen is None else chosen.get("href"),
    )


def _time(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()


def _under(parent: Element, name: str) -> Element:
    return etree.SubElement(parent, f"{{{ATOM}}}{name}")


def _text(parent: Element, name: str, text: str) -> None:
    _under(parent, name).text = text


def _link(parent: Element, rel: str, href: str, media: str) -> None:
    link = _under(parent, "link")
    link.set("rel", rel)
    link.set("href", href)
    link.set("type", media)
