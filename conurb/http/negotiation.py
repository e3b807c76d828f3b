"""What the headers of a request ask for: media types, @context, preferences (6.3.4 to 6.3.6).

Everything here is a pure function of one header's text and is remembered by it, because clients
send the same few headers again and again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from conurb.errors import (
    BadRequestDataError,
    InvalidRequestError,
    NotAcceptableError,
    UnsupportedMediaTypeError,
)
from conurb.http.routing import JSON, JSON_LD, MERGE_PATCH
from conurb.model.context import CORE_CONTEXT_URL

CONTEXT_REL: Final = "http://www.w3.org/ns/json-ld#context"
VERSION: Final = "1.9"
"""The version of the API that this node speaks (6.3.6, Preference-Applied)."""

VERSIONS: Final = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9")
_LINK: Final = re.compile(
    r'\s*<([^>]*)>((?:\s*;\s*[\w!#$%&\'*+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]*))?)*)'
)
_LINK_PARAM: Final = re.compile(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^",;\s]*))')
HEADER_MAX: Final = 8192
ACCEPT_RANGES_MAX: Final = 32


@lru_cache(maxsize=1024)
def choose_media(accept: bytes, offered: tuple[str, ...]) -> str:
    """Choose the media type of the answer, by weight, then by the order offered (6.3.4).

    Raises NotAcceptableError, listing what there is, when nothing offered is acceptable.
    """
    ranges = _media_ranges(accept.decode("latin-1"))
    best, best_weight = None, 0.0
    for media in offered:
        weight = _weight(media, ranges)
        if weight > best_weight:
            best, best_weight = media, weight
    if best is None:
        raise NotAcceptableError(
            f"Accept: {accept.decode('latin-1')!r} takes none of the representations of this "
            f"resource: {', '.join(offered)}"
        )
    return best


def _media_ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.split(",")[:ACCEPT_RANGES_MAX]:
        name, *params = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for param in params:
            key, _, value = param.partition("=")
            if key.strip().lower() == "q":
                try:
                    weight = min(1.0, max(0.0, float(value)))
                except ValueError:
                    weight = 1.0
        if name:
            ranges[name.lower()] = weight
    return ranges


def _weight(media: str, ranges: dict[str, float]) -> float:
    """Take the weight of the most specific range that has the media type."""
    family = media.partition("/")[0] + "/*"
    for name in (media, family, "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0


@lru_cache(maxsize=256)
def content_media(content_type: bytes | None, method: str) -> str:
    """Read Content-Type as `application/json` or `application/ld+json`.

    A merge patch is JSON, on PATCH (6.3.4). Raises UnsupportedMediaTypeError for anything else.
    """
    text = (content_type or b"").decode("latin-1")
    media = text.partition(";")[0].strip().lower()
    if media == JSON or (media == MERGE_PATCH and method == "PATCH"):
        return JSON
    if media == JSON_LD:
        return JSON_LD
    raise UnsupportedMediaTypeError(f"Content-Type: {text!r} is neither {JSON} nor {JSON_LD}")


@lru_cache(maxsize=1024)
def link_context(link: bytes) -> str | None:
    """Take the URL of the @context out of a Link header (6.3.5); None when it links none.

    Raises BadRequestDataError for two of them, InvalidRequestError for a header that can't be
    read.
    """
    text = link.decode("latin-1")
    if len(text) > HEADER_MAX:
        raise InvalidRequestError(f"the Link header has {len(text)} characters, over {HEADER_MAX}")
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _LINK.match(text, position)
        if match is None:
            raise InvalidRequestError(f"the Link header can't be read: {text!r}")
        params = {
            name.lower(): quoted or bare for name, quoted, bare in _LINK_PARAM.findall(match[2])
        }
        if CONTEXT_REL in params.get("rel", "").split():
            found.append(match[1].strip())
        position = match.end()
        while position < len(text) and text[position] in ", \t":
            position += 1
    if len(found) > 1:
        raise BadRequestDataError(f"the Link header names {len(found)} @contexts; one is allowed")
    if found and not found[0]:
        raise BadRequestDataError("the Link header names an empty @context")
    return found[0] if found else None


@lru_cache(maxsize=1024)
def context_link(url: str) -> bytes:
    """Write the Link header that says which @context an answer has (6.3.6)."""
    return f'<{url}>; rel="{CONTEXT_REL}"; type="{JSON_LD}"'.encode("latin-1", "replace")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a Prefer header asks for: a version of the API, and where GeoJSON has its @context.

    `context_in_body` goes with GeoJSON alone (`body=ld+json`, the default; `body=json`).
    """

    version: str | None = None
    context_in_body: bool = True


NO_PREFERENCES: Final = Preferences()


@lru_cache(maxsize=256)
def preferences(prefer: bytes) -> Preferences:
    """Read a Prefer header (RFC 7240; 6.3.6); what isn't known is ignored, as the RFC says."""
    version, in_body = None, True
    for part in prefer.decode("latin-1").replace(";", ",").split(","):
        name, _, value = part.partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "ngsi-ld" and value in VERSIONS:
            version = value
        elif name.strip().lower() == "body":
            in_body = value != "json"
    return Preferences(version, in_body)


def body_context(source: Any) -> Any:
    """Write the @context of a JSON-LD answer as the caller gave it: the core is implied (5.5.5).

    Without one of the caller's, the core @context stands for itself.
    """
    if source is None:
        return CORE_CONTEXT_URL
    return list(source) if isinstance(source, tuple) else source
