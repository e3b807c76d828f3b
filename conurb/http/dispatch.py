"""From an ASGI request to a handler and back: one pass, no middleware between.

Every request goes the same way: find the route, judge its preconditions, name the caller, run the
handler, turn whatever went wrong into its problem document, send, count. A request that fails
anywhere has changed nothing, because a handler's write is one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import (
    ForbiddenError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UnauthenticatedError,
)
from conurb.federation.completeness import IncompleteError, NotFoundHereError
from conurb.federation.replication import holds_copies
from conurb.federation.wire import KIN_HEADER
from conurb.http.apart import ApartReader
from conurb.http.auth import TokenBook, caller_of
from conurb.http.completeness import headers_of, is_strict, with_completeness
from conurb.http.exchange import JSON_HEADER, Answer, Exchange, Header, Receive
from conurb.http.metrics import UNROUTED, Metrics
from conurb.http.problems import as_exception, problem_bytes
from conurb.http.routing import Route, Router, raw_path
from conurb.http.streaming import send_stream

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.node.host import Host

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ECHOED: Final = (b"ngsild-tenant", b"ngsild-snapshot")
"""Headers that an answer repeats, so that a client sees whose data it got (6.3.14, 6.3.22)."""

KIN: Final = KIN_HEADER.encode()

READING_POSTS: Final = frozenset(
    {
        "queryBatch",
        "queryTemporalBatch",
        "createEntityMapQueryEntityByPost",
        "createEntityMapQueryTemporalByPost",
    }
)
"""Operations by POST that change no object."""

OGC: Final = "/ogc"
BODYLESS: Final = frozenset({204, 304})
NO_BODY: Final = b""

log = logging.getLogger(__name__)


class Dispatcher:
    """The ASGI application beneath Starlette's shell: routes in, answers out."""

    def __init__(
        self,
        router: Router,
        *,
        host: Host,
        settings: Settings,
        tokens: TokenBook | None,
        metrics: Metrics,
    ) -> None:
        self._router = router
        self._host = host
        self._settings = settings
        self._tokens = tokens
        self._metrics = metrics
        self.reader = ApartReader()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = perf_counter()
        headers = _headers(scope["headers"])
        exchange = Exchange(
            scope,
            receive,
            host=self._host,
            settings=self._settings,
            headers=headers,
            reader=self.reader,
        )
        operation = UNROUTED
        try:
            method = "GET" if exchange.method == "HEAD" else exchange.method
            found = self._router.find(method, raw_path(scope))
            route = found.route
            if route is None:
                answer = _unrouted(exchange, found.allowed)
            else:
                operation = route.operation
                exchange.enter(route, found.args)
                exchange.identify(
                    caller_of(
                        headers.get(b"authorization"),
                        self._tokens,
                        tenant=exchange.tenant,
                        open_to_all=route.open_to_all,
                    )
                )
                _check_copies(exchange, route)
                answer = with_completeness(exchange, await route.handler(exchange))
        except NotFoundHereError as error:
            missing = not error.completeness.whole and is_strict(exchange)
            answer = answer_to(IncompleteError(error.completeness) if missing else error)
        except Exception as error:
            answer = answer_to(error)
        if answer.status >= 400 and answer.body and scope["path"].startswith(OGC):
            answer.body = as_exception(answer.body)
        for name in ECHOED:
            given = headers.get(name)
            if given is not None:
                answer.headers.append((name, given))
        if b"via" in headers:
            answer.headers.append((KIN, self._host.id.encode("ascii", "replace")))
        if answer.stream is not None:
            await send_stream(receive, send, answer, bodyless=exchange.method == "HEAD")
        else:
            await _send(send, answer, bodyless=exchange.method == "HEAD")
        self._metrics.count(operation, answer.status, perf_counter() - started)


def _check_copies(exchange: Exchange, route: Route) -> None:
    """Raise ForbiddenError for what would change a tenant that holds copies, whoever asks.

    Only what the member itself has changed may change them, or they wouldn't be copies.
    """
    tenant = exchange.tenant
    if tenant is None or route.method == "GET" or not holds_copies(tenant):
        return
    if route.operation not in READING_POSTS:
        raise ForbiddenError(f"tenant {tenant!r} holds copies of a member: it is read only")


def answer_to(error: Exception) -> Answer:
    """Answer with an error's problem document (6.3.3)."""
    if isinstance(error, RecursionError):
        error = InvalidRequestError("the request is nested too deep")
    status, body = problem_bytes(error)
    headers: list[Header] = [JSON_HEADER] if body else []
    if isinstance(error, NotFoundHereError | IncompleteError):
        headers += headers_of(error.completeness)
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(status, body, headers)


def _unrouted(exchange: Exchange, allowed: tuple[str, ...]) -> Answer:
    path = exchange.scope["path"]
    if not allowed:
        return answer_to(NotFoundError(f"there is nothing at {path}"))
    methods = ", ".join(sorted(allowed))
    answer = answer_to(
        MethodNotAllowedError(f"{exchange.method} isn't possible on {path}; possible: {methods}")
    )
    answer.headers.append((b"allow", methods.encode()))
    return answer


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Index the headers by name; several of one name are joined, as RFC 9110 (5.3) allows."""
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    joined: dict[bytes, bytes] = {}
    for name, value in pairs:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


async def _send(send: Send, answer: Answer, *, bodyless: bool) -> None:
    headers = answer.headers
    if answer.status not in BODYLESS:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": NO_BODY if bodyless else answer.body})
