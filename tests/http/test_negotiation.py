"""Headers: which media type, which @context, which preferences."""

from __future__ import annotations

import pytest

from conurb.errors import (
    BadRequestDataError,
    InvalidRequestError,
    NotAcceptableError,
    UnsupportedMediaTypeError,
)
from conurb.http.negotiation import (
    body_context,
    choose_media,
    content_media,
    context_link,
    link_context,
    preferences,
)
from conurb.http.routing import GEO_JSON, JSON, JSON_LD
from conurb.model.context import CORE_CONTEXT_URL

OFFERED = (JSON, JSON_LD, GEO_JSON)
URL = "https://example.org/context.jsonld"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (b"*/*", JSON),
        (b"application/*", JSON),
        (b"application/ld+json", JSON_LD),
        (b"application/geo+json, application/ld+json", JSON_LD),
        (b"application/ld+json;q=0.5, application/geo+json;q=0.9", GEO_JSON),
        (b"application/json;q=0, */*", JSON_LD),
        (b"text/html, application/*;q=0.2", JSON),
        (b"APPLICATION/LD+JSON", JSON_LD),
        (b"application/json;q=nonsense, application/ld+json;q=0.9", JSON),
    ],
)
def test_media_type_goes_by_weight_then_by_order_of_the_standard(accept: bytes, media: str) -> None:
    assert choose_media(accept, OFFERED) == media


def test_nothing_acceptable_names_what_there_is() -> None:
    with pytest.raises(NotAcceptableError, match="application/geo\\+json"):
        choose_media(b"text/html", OFFERED)


@pytest.mark.parametrize("header", [None, b"", b"text/plain", b"application/xml", b"*/*"])
def test_body_of_another_media_type_is_refused(header: bytes | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        content_media(header, "POST")


def test_merge_patch_is_json_for_patch_alone() -> None:
    header = b"application/merge-patch+json; charset=utf-8"
    assert content_media(header, "PATCH") == JSON
    with pytest.raises(UnsupportedMediaTypeError):
        content_media(header, "POST")


def test_written_context_link_reads_back() -> None:
    assert link_context(context_link(URL)) == URL


@pytest.mark.parametrize(
    ("header", "url"),
    [
        (f'<{URL}>; rel="http://www.w3.org/ns/json-ld#context"'.encode(), URL),
        (
            f'<{URL}>;type="application/ld+json";rel=http://www.w3.org/ns/json-ld#context'.encode(),
            URL,
        ),
        (b'<https://example.org/a>; rel="next", ' + context_link(URL), URL),
        (b'<https://example.org/a>; rel="next"', None),
    ],
)
def test_link_header_gives_the_context(header: bytes, url: str | None) -> None:
    assert link_context(header) == url


def test_two_contexts_in_link_headers_are_refused() -> None:
    with pytest.raises(BadRequestDataError, match="2 @contexts"):
        link_context(context_link(URL) + b", " + context_link(URL + "?2"))


@pytest.mark.parametrize("header", [b"nonsense", b"<unclosed", b"<a>; rel=x, trailing"])
def test_link_header_that_cannot_be_read_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="Link"):
        link_context(header)


def test_preferences_ignore_what_is_unknown() -> None:
    assert preferences(b"respond-async, wait=5").version is None
    assert preferences(b"ngsi-ld=1.6").version == "1.6"
    assert preferences(b"ngsi-ld=9.9").version is None
    assert preferences(b"body=json").context_in_body is False
    assert preferences(b"body=ld+json").context_in_body is True


def test_body_context_is_the_callers_or_the_core_context() -> None:
    assert body_context(None) == CORE_CONTEXT_URL
    assert body_context(URL) == URL
    assert body_context([URL, {"a": "urn:a"}]) == [URL, {"a": "urn:a"}]
