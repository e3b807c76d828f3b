"""What may be a name and what may be an identifier (ETSI GS CIM 009 v1.9.1, clauses 4.6.2, 4.6.3).

Every name of a type or attribute and every id passes here once, so the checks are kept cheap: a
name is looked at when a @context expands it for the first time, a URI by one regular expression.
"""

from __future__ import annotations

import re
from typing import Any, Final

from conurb.errors import BadRequestDataError

ENTITY_ID: Final = "urn:ngsi-ld:City:shanghai"
"""A URI to tell people what one looks like."""

NAME_LENGTH_MAX: Final = 1024
"""Characters of a type's or attribute's name, and of its IRI."""

URI_LENGTH_MAX: Final = 2048
"""Characters of an identifier."""

INVISIBLE: Final = (
    r"\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\uffff\U000e0000-\U000e0fff"
    + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
)
"""Characters that can't be seen, of Unicode's white space, default ignorables and noncharacters.

Two ids that differ by one of them look alike in every log and on every page.
"""

URI: Final = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*:[^{INVISIBLE}<>\"{{}}|\\^`]+")
"""An absolute URI, or IRI (RFC 3987): JSON-LD identifies by IRIs, so `urn:x:上海` is one."""

_ASCII_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20\x7f<>\"{}|\\^`]+")
"""The same for ASCII alone, ten times as fast: almost every identifier is ASCII."""


def is_uri(value: Any) -> bool:
    """Whether a value is an absolute URI of at most `URI_LENGTH_MAX` characters.

    >>> is_uri("urn:ngsi-ld:City:shanghai"), is_uri("Shanghai"), is_uri(None)
    (True, False, False)
    """
    if not isinstance(value, str) or len(value) > URI_LENGTH_MAX:
        return False
    return (_ASCII_URI if value.isascii() else URI).fullmatch(value) is not None


def check_uri(value: Any, *, name: str, such_as: str = ENTITY_ID) -> str:
    """Give the URI back.

    Raises BadRequestDataError, naming `name`, the value and an example, when it is anything else.
    """
    if is_uri(value):
        return str(value)
    raise BadRequestDataError(f"{name}: {value!r:.200} is not a URI such as {such_as}")


def is_simple_name(name: str) -> bool:
    """Whether a text is a name without prefix: a letter, then letters, numbers, underscores.

    >>> [is_simple_name(name) for name in ("PM2_5", "人口", "2nd", "a-b")]
    [True, True, False, False]
    """
    if not name or len(name) > NAME_LENGTH_MAX or not name[0].isalpha():
        return False
    return name.isalnum() or name.replace("_", "a").isalnum()


def check_name(name: Any) -> str:
    """Give the name of a type or attribute back: a simple name, `prefix:name`, or an IRI.

    Raises BadRequestDataError, naming it, when it is none of them.
    """
    if isinstance(name, str) and len(name) <= NAME_LENGTH_MAX:
        if is_simple_name(name):
            return name
        if ":" in name and is_uri(name):
            return name
    raise BadRequestDataError(
        f"{name!r:.200} is not a name: a letter, then letters, numbers or underscores; "
        "or prefix:name; or a URI"
    )
