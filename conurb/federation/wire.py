"""One request to a context source over HTTP, and its answer (clauses 4.3.6.4 to 4.3.6.6, 6.3.19).

What every request has in common is here: connections that are kept, the headers that a
registration asks for, the way the request has come (Via), the tenant there, the @context, the time
it may take, how large an answer may be, and the circuit breaker of the source.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import httpx
import orjson

from conurb import __version__
from conurb.access.caller import Caller
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConflictError,
    ConurbError,
    LoopDetectedError,
    NotFoundError,
    OperationNotSupportedError,
    SourceError,
    SourceTimeoutError,
)
from conurb.federation.breaker import Breaker, Breakers
from conurb.federation.cache import Answers, Given
from conurb.federation.deadlines import HEADER as DEADLINE_HEADER
from conurb.federation.deadlines import bounded, written
from conurb.model.context import core_terms
from conurb.model.endpoint import HEADER_NAME, HEADER_VALUE, OWN_HEADERS
from conurb.model.time import US_PER_S

if TYPE_CHECKING:
    from conurb.access.outbound import Outbound
    from conurb.model.context import Terms
    from conurb.model.registration import Registration
    from conurb.node.contexts import Contexts

API: Final = "/ngsi-ld/v1"
JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"
CONTEXT_REL: Final = "http://www.w3.org/ns/json-ld#context"
REQUEST: Final = "urn:ngsi-ld:request"
"""The value that stands for that of the triggering request (clause 4.3.6.5)."""

TIMEOUT_S: Final = 10.0
"""How long an answer is waited for, unless the registration says otherwise."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest answer that is read; a larger one is refused as one that can't be read."""
CONNECTIONS_MAX: Final = 1024
"""Connections of a process to all of its sources."""
KEPT_CONNECTIONS: Final = 256
KEPT_CONNECTION_S: Final = 30.0
PATIENCE_S: Final = 1.0
"""A request that is given up sooner than this says nothing of its source."""
KIN_HEADER: Final = "conurb-node"
"""Said by nodes of this program to other nodes that ask them."""
KIN_MAX: Final = 10_000
READING_PATHS: Final = frozenset({"/entityOperations/query", "/temporal/entityOperations/query"})
"""Where a POST changes nothing."""
SAFE: Final = ":,;/@!$'()*~"
"""Characters of a query string that are sent as they are."""

_INTERPRETED: Final = frozenset({"accept", "contenttype", "jsonldcontext", "ngsildconformance"})
_NEVER: Final = OWN_HEADERS | {
    "accept-encoding",
    "content-type",
    "link",
    "ngsild-entitymap",
    "ngsild-tenant",
    "via",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A source's answer: its status, its body read as JSON (None: no body), its headers."""

    status: int
    document: Any
    headers: Mapping[str, str]

    def error(self, what: str) -> ConurbError:
        """Give the error that an answer of 400 and more is, `what` naming the source."""
        document = self.document if isinstance(self.document, dict) else {}
        said = document.get("detail") or document.get("title") or "no reason given"
        detail = f"{what}: {self.status}: {said!s:.500}"
        kind = str(document.get("type", ""))
        if self.status == 409:
            already = kind.endswith("AlreadyExists")
            return AlreadyExistsError(detail) if already else ConflictError(detail)
        known: dict[int, type[ConurbError]] = {
            400: BadRequestDataError,
            404: NotFoundError,
            422: OperationNotSupportedError,
            508: LoopDetectedError,
        }
        if self.status == 504 and not kind.endswith("LdContextNotAvailable"):
            return SourceTimeoutError(detail)
        return known.get(self.status, SourceError)(detail)


@dataclass(frozen=True, slots=True)
class Wording:
    """The @context in which a source is spoken to: its terms, and how it is named to the source.

    `url` goes into a Link header; without one, `embedded` stands in a body, and names in a URL are
    written in full.
    """

    terms: Terms
    url: str | None = None
    embedded: Any = None

    @property
    def of_url(self) -> Terms:
        """Give the terms for names in a URL."""
        return core_terms() if self.embedded is not None else self.terms


class Wire:
    """Speaks to the context sources of a process."""

    def __init__(
        self,
        outbound: Outbound,
        contexts: Contexts,
        *,
        breakers: Breakers | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.breakers = breakers or Breakers()
        self._outbound = outbound
        self._contexts = contexts
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._kin: dict[str, None] = {}
        self._answers = Answers()

    async def close(self) -> None:
        """Let go of every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def is_kin(self, registration: Registration) -> bool:
        """Whether a source has said of itself that it is a node of this program."""
        return registration.endpoint in self._kin

    async def wording(self, registration: Registration, caller: Caller) -> Wording:
        """Give the @context for a source: the one that it asks for, else that of the request."""
        wanted = registration.told("jsonldContext")
        if wanted is not None:
            return Wording(await self._contexts.terms(wanted), wanted)
        terms = None if caller.trigger is None else caller.trigger.terms
        if terms is None or terms.source is None:
            return Wording(core_terms())
        if isinstance(terms.source, str):
            return Wording(terms, terms.source)
        return Wording(terms, None, terms.source)

    async def terms_of(self, document: Any, wording: Wording) -> Terms:
        """Give the terms of what a source gave: those of its own @context, if it brings one."""
        if isinstance(document, dict) and "@context" in document:
            return await self._contexts.terms(document["@context"])
        return wording.of_url

    async def send(
        self,
        registration: Registration,
        method: str,
        path: str,
        *,
        caller: Caller,
        wording: Wording,
        params: Mapping[str, str] | None = None,
        document: Any = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send one request and read the answer, whatever its status below 500.

        What was answered lately is given again if the registration says so.

        Raises SourceTimeoutError without an answer in time, or when the breaker is open;
        SourceError for an answer of 500 and more, or one that isn't JSON.
        """
        base = registration.endpoint.rstrip("/").removesuffix(API)
        url = f"{base}{API}{path}"
        asked = {**(params or {}), **({"local": "true"} if registration.local_only else {})}
        if asked:
            url += "?" + urlencode(asked, safe=SAFE, quote_via=quote)
        headers, content = _body(registration, wording, document)
        headers += _headers(registration, caller, wording)
        reads = method == "GET" or path in READING_PATHS
        question = (method, url, tuple(headers), content)
        lasting_s = (registration.cache_us or 0) / US_PER_S
        if lasting_s and reads and (given := self._answers.find(question, lasting_s=lasting_s)):
            return Reply(given.status, orjson.loads(given.body), given.headers)
        try:
            self._outbound.check(url)
        except ConurbError as error:
            raise SourceError(error.detail, code=199) from error
        breaker = self.breakers.of(registration)
        if not breaker.admits():
            raise SourceTimeoutError(
                f"isn't asked for {breaker.wait_s():.1f} s more after failures: "
                f"{breaker.figures.last_reason}"
            )
        within_s = registration.timeout_s or TIMEOUT_S
        within_s = within_s if timeout_s is None else min(within_s, timeout_s)
        if reads:
            within_s = bounded(within_s, caller)
            headers.append((DEADLINE_HEADER, written(within_s)))
        request = httpx.Request(method, url, headers=headers, content=content)
        if not lasting_s:
            return (await self._exchange(request, breaker, registration, within_s))[0]
        try:
            reply, body = await self._exchange(request, breaker, registration, within_s)
        finally:
            if not reads:
                self._answers.forget(registration.id)
        if reads and reply.status == 200 and body.strip():
            given = Given(200, reply.headers, body)
            self._answers.keep(question, given, registration_id=registration.id)
        return reply

    async def _exchange(
        self,
        request: httpx.Request,
        breaker: Breaker,
        registration: Registration,
        within_s: float,
    ) -> tuple[Reply, bytes]:
        """Exchange a request for its answer, read and as it came."""
        started = perf_counter()
        cooldown_s = registration.cooldown_s
        # Who is in a hurry doesn't learn whether a source is there.
        patience_s = max(within_s, min(registration.timeout_s or TIMEOUT_S, PATIENCE_S))

        def unanswered(reason: str) -> None:
            if perf_counter() - started >= patience_s * 0.95:
                breaker.silent(reason, cooldown_s=cooldown_s)
            else:
                breaker.abandoned()

        try:
            async with asyncio.timeout(within_s):
                status, headers, body = await self._read(request)
        except asyncio.CancelledError:
            unanswered(f"no answer in {within_s:.3g} s")
            raise
        except TimeoutError as error:
            reason = f"no answer in {within_s:.3g} s"
            unanswered(reason)
            raise SourceTimeoutError(reason) from error
        except _TooLargeError as error:
            reason = f"the answer is over {ANSWER_BYTES_MAX} bytes"
            breaker.erred(perf_counter() - started, reason, cooldown_s=cooldown_s)
            raise SourceError(reason, code=111) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = f"{type(error).__name__}: {error}"
            breaker.silent(reason, cooldown_s=cooldown_s)
            raise SourceTimeoutError(reason) from error
        took_s = perf_counter() - started
        if KIN_HEADER in headers and len(self._kin) < KIN_MAX:
            self._kin[registration.endpoint] = None
        if status >= 500 and status != 508:
            reason = f"answered {status}"
            breaker.erred(took_s, reason, cooldown_s=cooldown_s)
            raise SourceError(reason)
        try:
            document = orjson.loads(body) if body.strip() else None
        except orjson.JSONDecodeError as error:
            if status >= 400:
                return self._answered(breaker, took_s, Reply(status, None, headers)), body
            reason = f"the answer isn't JSON: {error}"
            breaker.erred(took_s, reason, cooldown_s=cooldown_s)
            raise SourceError(reason, code=111) from error
        return self._answered(breaker, took_s, Reply(status, document, headers)), body

    @staticmethod
    def _answered(breaker: Breaker, took_s: float, reply: Reply) -> Reply:
        breaker.answered(took_s)
        return reply

    async def _read(self, request: httpx.Request) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._connected().send(request, stream=True)
        try:
            chunks, size = [], 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    raise _TooLargeError
                chunks.append(chunk)
        finally:
            await response.aclose()
        return response.status_code, response.headers, b"".join(chunks)

    def _connected(self) -> httpx.AsyncClient:
        """Give the client, made when it is first needed: its certificates take a while to read."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._transport,
                # The system's authorities, as cities may have one of their own.
                verify=ssl.create_default_context(),
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_MAX,
                    max_keepalive_connections=KEPT_CONNECTIONS,
                    keepalive_expiry=KEPT_CONNECTION_S,
                ),
                timeout=None,  # noqa: S113 - `_exchange` bounds the whole of it
                trust_env=False,
                follow_redirects=False,
            )
        return self._client


class _TooLargeError(Exception):
    """An answer is over the bound."""


def _body(
    registration: Registration, wording: Wording, document: Any
) -> tuple[list[tuple[str, str]], bytes | None]:
    """Write the body with its @context, and the headers that go with the two."""
    headers = [] if wording.url is None else [_link(wording.url)]
    if document is None:
        return headers, None
    in_body = wording.embedded is not None
    if (registration.told("contentType") or "").lower() == JSON_LD and not in_body:
        wording = Wording(wording.terms, None, wording.url or [])
        in_body = True
    if not in_body:
        return [*headers, ("Content-Type", JSON)], orjson.dumps(document)
    items = document if isinstance(document, list) else [document]
    if not all(isinstance(item, dict) for item in items):
        return [("Content-Type", JSON)], orjson.dumps(document)
    source = wording.embedded
    context = list(source) if isinstance(source, tuple) else source
    written = [{**item, "@context": context} for item in items]
    body = written if isinstance(document, list) else written[0]
    return [("Content-Type", JSON_LD)], orjson.dumps(body)


def _link(url: str) -> tuple[str, str]:
    return "Link", f'<{url}>; rel="{CONTEXT_REL}"; type="{JSON_LD}"'


def _headers(registration: Registration, caller: Caller, wording: Wording) -> list[tuple[str, str]]:
    accept = registration.told("accept")
    headers = [
        ("Accept", accept if accept in (JSON, JSON_LD) else JSON),
        ("User-Agent", f"conurb/{__version__}"),
        ("Via", ", ".join(f"1.1 {name}" for name in caller.via)),
    ]
    if registration.tenant is not None:
        headers.append(("NGSILD-Tenant", registration.tenant))
    given = {} if caller.trigger is None else caller.trigger.headers
    for key, value in registration.source_info:
        name = key.lower()
        if name in _NEVER or name in _INTERPRETED:
            continue
        if value == REQUEST:
            copied = given.get(name.encode("latin-1", "replace"))
            if copied is None:
                continue
            value = copied.decode("latin-1")  # noqa: PLW2901
        if HEADER_NAME.fullmatch(key) and HEADER_VALUE.fullmatch(value):
            headers.append((key, value))
    return headers
