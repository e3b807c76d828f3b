"""XML from outside, read without letting it do anything: no entities, no network, bounded.

A document type declaration is refused altogether: CAP needs none, and it is where entities,
defaults and outside files come in. libxml2's own limits on depth and text stay on.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from lxml import etree

from conurb.errors import InvalidRequestError, TooLargeError

DOCUMENT_BYTES_MAX: Final = 4_000_000
"""One message; an embedded resource (derefUri) of a few megabytes fits."""

ELEMENTS_MAX: Final = 50_000
"""Elements of one document; the largest public feed at hand has some 5,000."""

Element: TypeAlias = Any
"""An element of lxml, which says nothing of its types."""


def read_xml(document: bytes, *, bytes_max: int = DOCUMENT_BYTES_MAX) -> Element:
    """Read a document and give its root.

    Raises TooLargeError over the bounds, InvalidRequestError for what isn't well-formed XML or
    declares a document type.
    """
    if len(document) > bytes_max:
        raise TooLargeError(f"XML of {len(document)} bytes; {bytes_max} at most are taken")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=False,
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidRequestError(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise InvalidRequestError("XML with a document type declaration isn't taken")
    count = sum(1 for _ in root.iter())
    if count > ELEMENTS_MAX:
        raise TooLargeError(f"XML of {count} nodes; {ELEMENTS_MAX} at most are taken")
    return root


def as_utf8(document: bytes) -> str:
    """Give a document as text: as it is in UTF-8, written anew when it has another encoding.

    The content, and so a signature over its canonical form, stays the same.
    """
    tree = read_xml(document).getroottree()
    encoding = str(tree.docinfo.encoding or "UTF-8").upper()
    if encoding in ("UTF-8", "UTF8", "ASCII", "US-ASCII"):
        return document.decode("utf-8-sig")
    return bytes(etree.tostring(tree, xml_declaration=True, encoding="UTF-8")).decode()


def local_name(element: Element) -> str:
    """Give an element's name without its namespace; empty for comments and instructions."""
    tag = element.tag
    return str(etree.QName(tag).localname) if isinstance(tag, str) else ""


def namespace(element: Element) -> str:
    """Give an element's namespace; empty for none."""
    tag = element.tag
    return str(etree.QName(tag).namespace or "") if isinstance(tag, str) else ""


def children(element: Element) -> list[Element]:
    """List the elements directly below, without comments and instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def text_of(element: Element) -> str:
    """Give an element's own text, also where comments stand in it."""
    return "".join(str(part) for part in element.xpath("text()"))
