"""One request and its answer, as the handlers see them.

An `Exchange` reads a request in the order in which the standard wants it judged (6.3.4): length,
media types, parameters, caller, tenant, body, @context. It reads lazily, so that a handler pays for
what it uses. An `Answer` is bytes and headers, ready to send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from conurb.access.caller import Caller, Trigger
from conurb.errors import (
    BadRequestDataError,
    InvalidRequestError,
    LengthRequiredError,
    TooLargeError,
)
from conurb.federation.deadlines import HEADER, deadline_of
from conurb.http.negotiation import (
    NO_PREFERENCES,
    Preferences,
    body_context,
    choose_media,
    content_media,
    context_link,
    link_context,
    preferences,
)
from conurb.http.params import NONE, Params, read_params
from conurb.http.reading import Limits, check_no_context, read_json
from conurb.http.routing import GEO_JSON, JSON, JSON_LD, Route

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.federation.completeness import Completeness
    from conurb.http.apart import ApartReader
    from conurb.model.context import Terms
    from conurb.node.contexts import Contexts
    from conurb.node.host import Host
    from conurb.node.node import Node

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Header = tuple[bytes, bytes]

BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
JSON_HEADER: Final[Header] = (b"content-type", JSON.encode())
MEDIA_HEADERS: Final[dict[str, Header]] = {
    media: (b"content-type", media.encode()) for media in (JSON, JSON_LD, GEO_JSON)
}
VIA_MAX: Final = 64
DEADLINE: Final = HEADER.lower().encode()


@dataclass(slots=True)
class Answer:
    """What is sent back: status, body and headers (without content-length, which is added).

    `stream` gives the body piece by piece instead, for as long as the other side takes it.
    """

    status: int
    body: bytes = b""
    headers: list[Header] = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None


class Exchange:
    """One request on its way through a handler."""

    __slots__ = (
        "_node",
        "_receive",
        "_terms",
        "args",
        "caller",
        "completeness",
        "headers",
        "host",
        "media",
        "method",
        "params",
        "reader",
        "route",
        "scope",
        "settings",
        "tenant",
    )

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        *,
        host: Host,
        settings: Settings,
        headers: dict[bytes, bytes],
        reader: ApartReader,
    ) -> None:
        self.scope = scope
        self.host = host
        self.reader = reader
        self.completeness: Completeness | None = None
        self.settings = settings
        self.headers = headers
        self.method: str = scope["method"]
        self.args: dict[str, str] = {}
        self.params: Params = NONE
        self.media = JSON
        self._receive = receive
        self._node: Node | None = None
        self._terms: Terms | None = None
        self.route: Route
        self.caller: Caller
        tenant = headers.get(b"ngsild-tenant")
        self.tenant: str | None = tenant.decode("latin-1").strip() or None if tenant else None

    def enter(self, route: Route, args: dict[str, str]) -> None:
        """Check the preconditions of an operation (6.3.4) and read its parameters."""
        self.route, self.args = route, args
        if route.path.startswith("/tenants/{tenant}/"):
            self.tenant = args.pop("tenant")
        if self.method in BODY_METHODS:
            self._check_length()
            if route.body is not None:
                content_media(self.headers.get(b"content-type"), self.method)
        accept = self.headers.get(b"accept")
        if accept is not None and route.accepts and accept != b"*/*":
            self.media = choose_media(accept, route.accepts)
        elif route.accepts:
            self.media = route.accepts[0]
        query = self.scope["query_string"]
        if query and not route.any_params:
            self.params = read_params(query, route.params, text_max=self.settings.query_text_max)

    def identify(self, caller: Caller) -> None:
        """Take the caller that was made out of the request, with the nodes it has passed."""
        via = self.headers.get(b"via")
        if via is not None:
            passed = tuple(_via_names(via.decode("latin-1")))
            if len(passed) > VIA_MAX:
                raise InvalidRequestError(f"Via names {len(passed)} nodes, over {VIA_MAX}")
            caller = replace(caller, via=passed)
        within = self.headers.get(DEADLINE)
        if within is not None:
            caller = replace(caller, deadline_s=deadline_of(within.decode("latin-1")))
        self.caller = caller

    def _check_length(self) -> None:
        length = self.headers.get(b"content-length")
        if length is None:
            raise LengthRequiredError("Content-Length is missing")
        bound = self.settings.body_bytes_max
        if not length.isdigit() or len(length) > len(str(bound)) or int(length) > bound:
            raise TooLargeError(
                f"the body has {length.decode('latin-1')} bytes; this node takes {bound}"
            )

    # ── what the handler asks for ─────────────────────────────────────────────────────────────

    @property
    def contexts(self) -> Contexts:
        """Give the @contexts that the process knows."""
        return self.host.contexts

    async def node(self) -> Node:
        """Give the node of the request's tenant, or of the snapshot that it names (6.3.22).

        Raises NonexistentTenantError unless the operation creates tenants (5.5.10), NotFoundError
        when there is no such snapshot.
        """
        if self._node is None:
            snapshot = self.headers.get(b"ngsild-snapshot")
            if snapshot is not None:
                snapshot_id = snapshot.decode("latin-1").strip()
                self._node = await self.host.snapshot(self.caller, self.tenant, snapshot_id)
            else:
                self._node = await self.host.node(self.tenant, create=self.route.makes_tenant)
            self.caller = self.caller.asking(Trigger(self.headers, self._terms))
        return self._node

    async def body(self) -> bytes:
        """Read the whole body, within the bound."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return body
        chunks, size = [body], len(body)
        while message.get("more_body", False):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequestError("the connection closed before the body was complete")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.settings.body_bytes_max:
                raise TooLargeError(
                    f"the body has over {self.settings.body_bytes_max} bytes, the bound here"
                )
            chunks.append(chunk)
        return b"".join(chunks)

    async def json(self) -> Any:
        """Read the body as JSON; raise InvalidRequestError when it isn't, or is nested too deep."""
        return read_json(await self.body(), depth_max=self.settings.body_depth_max)

    @property
    def limits(self) -> Limits:
        """Give the bounds of a body that is read as a batch."""
        return Limits(self.settings.body_depth_max, self.settings.batch_max)

    @property
    def is_ld(self) -> bool:
        """Whether the body brings its own @context (6.3.5)."""
        return content_media(self.headers.get(b"content-type"), self.method) is JSON_LD

    async def link_terms(self) -> Terms:
        """Give the terms of the @context that the Link header names, or of the core @context."""
        link = self.headers.get(b"link")
        self._terms = await self.contexts.terms(None if link is None else link_context(link))
        return self._terms

    def check_context_source(self) -> None:
        """Raise BadRequestDataError when body and Link header both bring a @context (6.3.5)."""
        link = self.headers.get(b"link")
        if self.is_ld and link is not None and link_context(link) is not None:
            raise BadRequestDataError(
                f"with Content-Type {JSON_LD} the @context is in the body; "
                "the Link header may not name one too"
            )

    async def document_terms(self, document: Any) -> Terms:
        """Give the terms for one document of the body, by the rules of 6.3.5.

        Raises BadRequestDataError when body and Link header mix, or a JSON-LD body has none.
        """
        if not self.is_ld:
            check_no_context(document)
            return await self.link_terms()
        self.check_context_source()
        if not (isinstance(document, dict) and "@context" in document):
            raise BadRequestDataError(f"@context: it is missing from a body of {JSON_LD}")
        self._terms = await self.contexts.terms(document["@context"])
        return self._terms

    @property
    def preferences(self) -> Preferences:
        """Give what the Prefer header asks for."""
        prefer = self.headers.get(b"prefer")
        return NO_PREFERENCES if prefer is None else preferences(prefer)

    @property
    def base_url(self) -> str:
        """Give where others reach this process, without a path."""
        if self.settings.public_url is not None:
            return self.settings.public_url.rstrip("/")
        authority = self.headers.get(b"host")
        if authority is None:
            return f"http://{self.settings.host}:{self.settings.port}"
        return f"{self.scope.get('scheme', 'http')}://{authority.decode('latin-1')}"

    # ── answers ───────────────────────────────────────────────────────────────────────────────

    async def give(
        self, document: Any, terms: Terms, *, status: int = 200, headers: list[Header] | None = None
    ) -> Answer:
        """Answer with a document in the media type that was negotiated, with its @context.

        The @context is a Link header for JSON, and a member of the body for JSON-LD and GeoJSON
        (6.3.6).
        """
        sent = [MEDIA_HEADERS[self.media], *(headers or ())]
        if self._context_in_body():
            context = body_context(terms.source)
            items = document if isinstance(document, list) else (document,)
            for item in items:
                if isinstance(item, dict):
                    item["@context"] = context
        else:
            sent.append((b"link", context_link(await self._context_url(terms))))
        wanted = self.preferences.version
        if wanted is not None:
            sent.append((b"preference-applied", b"ngsi-ld=" + wanted.encode()))
        return Answer(status, orjson.dumps(document), sent)

    def _context_in_body(self) -> bool:
        if self.media == GEO_JSON:
            return self.preferences.context_in_body
        return self.media == JSON_LD

    async def _context_url(self, terms: Terms) -> str:
        if isinstance(terms.source, str):
            return terms.source
        if terms.source is None:
            return self.contexts.core_url
        return await self.contexts.implicit_url(
            terms.source, base_url=self.base_url, tenant=self.tenant
        )


def created(path: str, *segments: str, headers: list[Header] | None = None) -> Answer:
    """Answer 201 with the location of what was created."""
    location = "/".join((path, *(quote(segment, safe=":@!$&'()*+,;=~-._") for segment in segments)))
    return Answer(201, b"", [(b"location", location.encode("ascii")), *(headers or ())])


def no_content() -> Answer:
    """Answer 204."""
    return Answer(204)


def give_json(document: Any, *, status: int = 200, headers: list[Header] | None = None) -> Answer:
    """Answer with plain JSON that has no @context (a 207, a list of URLs ...)."""
    return Answer(status, orjson.dumps(document), [JSON_HEADER, *(headers or ())])


def _via_names(text: str) -> list[str]:
    """Take the names out of a Via header: `1.1 alias, 1.1 other (comment)` (RFC 7230, 5.7.1)."""
    names = []
    for part in text.split(","):
        words = part.split()
        if words:
            names.append(words[1] if len(words) > 1 else words[0])
    return names
