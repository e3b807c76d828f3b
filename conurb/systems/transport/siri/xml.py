"""XML of SIRI: read without entities and without a network, by local names; written by small words.

SIRI is one namespace, but its examples use others for parts, and prefixes as they like; so elements
are asked for by local name.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, InvalidRequestError, TooLargeError
from conurb.model.time import parse_us, shown_us

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

NAMESPACE: Final = "http://www.siri.org.uk/siri"
LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
BYTES_MAX: Final = 64 * 1024 * 1024
GZIP: Final = b"\x1f\x8b"
"""How a gzip file begins: large feeds are published as one."""
VERSION: Final = "2.0"
COLON: Final = "_x003A_"

_DURATION: Final = re.compile(
    r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?", re.ASCII
)
_NOT_IN_TOKEN: Final = re.compile(r"[^A-Za-z0-9_.:\-\u4e00-\u9fa5]")
_ESCAPED: Final = re.compile(r"_x([0-9A-F]{4,6})_")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_NOT_IN_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?", re.ASCII)


def parse(body: bytes) -> Element:
    """Read a document, also one that is a gzip file; no entity is resolved, nothing is fetched.

    Raises InvalidRequestError when it isn't XML or declares entities, TooLargeError over the bound.
    """
    from lxml import etree

    if body.startswith(GZIP):
        body = _unpacked(body)
    if len(body) > BYTES_MAX:
        raise TooLargeError(f"over {BYTES_MAX} bytes of XML")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidRequestError(f"not XML: {error}") from error
    document = root.getroottree().docinfo
    if document.internalDTD is not None and any(document.internalDTD.iterentities()):
        raise InvalidRequestError("XML that declares entities isn't taken")
    return root


def _unpacked(body: bytes) -> bytes:
    """Unpack a gzip file, no further than just over the bound."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, BYTES_MAX + 1)
    except zlib.error as error:
        raise InvalidRequestError(f"not gzip: {error}") from error


def local(element: Element) -> str:
    """Give an element's name without its namespace; "" for a comment."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def token(name: str) -> str:
    """Write an id as SIRI takes it, an NMTOKEN: what isn't allowed in one becomes `_xHHHH_`.

    >>> token("c 1"), token("沪:2"), untoken(token("a_x0020_/b"))
    ('c_x0020_1', '沪:2', 'a_x0020_/b')
    """
    escaped = name.replace("_x", "_x005F_x")
    return _NOT_IN_TOKEN.sub(lambda match: f"_x{ord(match[0]):04X}_", escaped)


def untoken(name: str) -> str:
    """Read an id that `token` wrote; any other stays as it is."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)


def find(element: Element | None, *path: str) -> Element | None:
    """Find the first descendant along a path of local names; None when there is none."""
    for name in path:
        if element is None:
            return None
        element = next((child for child in element if local(child) == name), None)
    return element


def children(element: Element | None, name: str) -> list[Element]:
    """Give the children of a local name."""
    return [] if element is None else [child for child in element if local(child) == name]


def descendants(element: Element, name: str) -> Iterator[Element]:
    """Stream the descendants of a local name, the element itself included."""
    return (one for one in element.iter() if local(one) == name)


def text(element: Element | None, *path: str) -> str:
    """Give the text at a path; "" when there is none."""
    found = find(element, *path)
    return "" if found is None or found.text is None else found.text.strip()


def ref(element: Element | None, *path: str) -> str:
    """Give the id at a path; "" when there is none."""
    return untoken(text(element, *path))


def number(element: Element | None, *path: str) -> float | None:
    """Give the number at a path; None when there is none. Raises BadRequestDataError."""
    said = text(element, *path)
    if not said:
        return None
    try:
        value = float(said)
    except ValueError as error:
        raise BadRequestDataError(f"{path[-1]}: {said!r:.60} is not a number") from error
    if not math.isfinite(value):
        raise BadRequestDataError(f"{path[-1]}: {said!r:.60} is not a finite number")
    return value


def moment(element: Element | None, *path: str) -> int | None:
    """Give the time at a path in microseconds; None when there is none.

    A time without an offset is taken for UTC: SIRI leaves it to the parties. Raises
    BadRequestDataError.
    """
    said = text(element, *path)
    if not said:
        return None
    return parse_us(f"{said}Z" if _NO_OFFSET.fullmatch(said) else said, name=path[-1])


def seconds(element: Element | None, *path: str) -> int | None:
    """Give the duration at a path in seconds; None when there is none.

    >>> from lxml import etree
    >>> seconds(etree.fromstring("<a><Delay>-PT2M5S</Delay></a>"), "Delay")
    -125
    """
    said = text(element, *path)
    if not said:
        return None
    match = _DURATION.fullmatch(said)
    if match is None:
        raise BadRequestDataError(f"{path[-1]}: {said!r:.60} is not a duration such as PT2M")
    sign, days, hours, minutes, rest = match.groups()
    whole = int(days or 0) * 86_400 + int(hours or 0) * 3600 + int(minutes or 0) * 60
    return (whole + int(rest or 0)) * (-1 if sign else 1)


def languages(element: Element | None, name: str) -> dict[str, str]:
    """Give a text that is said in several languages: `xml:lang` to text."""
    return {
        (child.get(LANG) or "und").lower(): (child.text or "").strip()
        for child in children(element, name)
        if (child.text or "").strip()
    }


def duration(total_s: int) -> str:
    """Write seconds as a duration.

    >>> duration(-125), duration(0)
    ('-PT125S', 'PT0S')
    """
    return f"{'-' if total_s < 0 else ''}PT{abs(total_s)}S"


def element(name: str, **attributes: str) -> Element:
    """Make a root element of SIRI."""
    from lxml import etree

    return etree.Element(f"{{{NAMESPACE}}}{name}", attributes, nsmap={None: NAMESPACE})


def say_in(parent: Element, name: str, texts: Mapping[str, str]) -> None:
    """Add a text in each of its languages; one without anything in it isn't said."""
    for lang, said in texts.items():
        if _NOT_IN_XML.sub("", said).strip():
            add(parent, name, said, lang=lang)


def add(parent: Element, name: str, value: Any = None, *, lang: str = "") -> Element:
    """Add an element; a value of None adds it empty."""
    from lxml import etree

    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    if value is not None:
        child.text = _NOT_IN_XML.sub("", str(value))
    if _LANGUAGE.fullmatch(lang) and lang != "und":
        child.set(LANG, lang)
    return child


def say(parent: Element, name: str, value: Any) -> None:
    """Add an element unless there is nothing to say: None, or text without anything in it."""
    if value is not None and _NOT_IN_XML.sub("", str(value)).strip():
        add(parent, name, value)


def refer(parent: Element, name: str, value: str) -> None:
    """Add an id unless there is none."""
    if value:
        add(parent, name, token(value))


def say_time(parent: Element, name: str, at_us: int | None) -> None:
    """Add a time unless there is none."""
    if at_us is not None:
        add(parent, name, shown_us(at_us))


def serialize(root: Element) -> bytes:
    """Write a document as UTF-8."""
    from lxml import etree

    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return body
