"""Fetching a @context from elsewhere: only when the node is configured to, within an allow-list.

An air-gapped node is the normal case, so that nothing here runs unless `fetch_contexts` is set.
Redirects are followed by hand, so that every hop passes the allow-list; size, hops and time are
bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import orjson

from conurb.access.outbound import Outbound
from conurb.errors import AccessError, BadRequestDataError, ContextUnavailableError

HOPS_MAX: Final = 5
_MAX_AGE: Final = re.compile(r"max-age\s*=\s*(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document from elsewhere and for how long it may be kept; None when nothing says so."""

    document: Any
    lifetime_s: int | None


class Fetch(Protocol):
    """Gets the document at a URL; raises ContextUnavailableError when it can't."""

    def __call__(self, url: str) -> Fetched:
        """Get the document at a URL."""
        ...


class HttpFetch:
    """Gets @contexts over HTTP, in a worker thread."""

    def __init__(self, outbound: Outbound, *, timeout_s: float, bytes_max: int) -> None:
        self._outbound = outbound
        self._timeout_s = timeout_s
        self._bytes_max = bytes_max

    def __call__(self, url: str) -> Fetched:
        """Get the document at a URL.

        Raises ContextUnavailableError, naming the URL, when it may not be fetched, doesn't answer
        or is too large; BadRequestDataError when what is there isn't JSON (clause 5.5.6).
        """
        try:
            with httpx.Client(timeout=self._timeout_s) as client:
                body, headers = self._get(client, url)
            document = orjson.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unavailable(url, f"it doesn't answer: {error}") from error
        except orjson.JSONDecodeError as error:
            raise BadRequestDataError(f"@context {url!r}: not JSON: {error}") from error
        return Fetched(document, _lifetime_s(headers.get("cache-control", "")))

    def _check(self, url: str, target: str) -> None:
        try:
            self._outbound.check(target)
        except (AccessError, BadRequestDataError) as error:
            raise unavailable(url, error.detail) from error

    def _get(self, client: httpx.Client, url: str) -> tuple[bytes, httpx.Headers]:
        target = url
        for _ in range(HOPS_MAX):
            self._check(url, target)
            with client.stream(
                "GET", target, headers={"accept": "application/ld+json, application/json"}
            ) as response:
                if response.is_redirect:
                    target = str(response.next_request.url) if response.next_request else target
                    continue
                if response.status_code != httpx.codes.OK:
                    raise unavailable(url, f"it answers {response.status_code}")
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > self._bytes_max:
                        raise unavailable(url, f"it has over {self._bytes_max} bytes")
                return bytes(body), response.headers
        raise unavailable(url, f"it redirects more than {HOPS_MAX} times")


def unavailable(url: str, why: str) -> ContextUnavailableError:
    """Say that a @context can't be had, and why."""
    return ContextUnavailableError(f"@context {url!r} is not available: {why}")


def _lifetime_s(cache_control: str) -> int | None:
    match = _MAX_AGE.search(cache_control)
    return int(match[1]) if match else None
