"""Routes as data: one table beside the handlers, read by the router and by the OpenAPI document.

A module of handlers gives its routes with `routes()`. `Router` finds the route for a request by
walking the path's segments through nested dictionaries, which costs the same for the first and
the last of a hundred routes; segments are split before they are decoded, so that an id may hold
an encoded slash. A trailing slash is the same resource (the standard writes both).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, unquote

from conurb.errors import InvalidRequestError, InvariantError
from conurb.http.params import Param

if TYPE_CHECKING:
    from conurb.http.exchange import Answer, Exchange

Handler = Callable[["Exchange"], Awaitable["Answer"]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

API: Final = "/ngsi-ld/v1"
JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"
GEO_JSON: Final = "application/geo+json"
MERGE_PATCH: Final = "application/merge-patch+json"
TEXT: Final = "text/plain"
HTML: Final = "text/html"
MVT: Final = "application/vnd.mapbox-vector-tile"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"
EVENTS: Final = "text/event-stream"
BINARY: Final = frozenset({MVT, PARQUET})
"""Media types of answers that aren't text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One success that an operation may answer with: what it means and the body's schema.

    `schema` names a component of the OpenAPI document; None is an answer without a body. `media`
    are its media types when they aren't those that the route negotiates.
    """

    meaning: str
    schema: str | None = None
    many: bool = False
    headers: tuple[str, ...] = ()
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: method and path, its handler, and everything a client needs to know.

    `path` has variables in braces; `{name*}` at its end takes the rest, still encoded. A variable
    `tenant` at its beginning names the tenant. `consumes` are the media types of a body that isn't
    one of the node's own schemas. `body` names the schema of the request's body (`body_many`: a
    list of them). `accepts` are the media types it can answer with, in order of precedence
    (6.3.4); empty for an operation that doesn't look at Accept. `makes_tenant` says that a tenant
    that doesn't exist is created (5.5.10); `any_tenant` that it doesn't have to exist; `any_params`
    that parameters are not the node's to judge, as those of a page. `errors` are the statuses of
    problems beyond those that any operation has.
    """

    method: Method
    path: str
    operation: str
    summary: str
    handler: Handler
    tag: str
    params: tuple[Param, ...] = ()
    body: str | None = None
    body_many: bool = False
    accepts: tuple[str, ...] = (JSON, JSON_LD)
    replies: Mapping[int, Reply] = field(default_factory=dict)
    errors: tuple[int, ...] = (400,)
    makes_tenant: bool = False
    any_tenant: bool = False
    any_params: bool = False
    open_to_all: bool = False
    consumes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Branch:
    """A place in the tree of paths."""

    named: dict[str, _Branch] = field(default_factory=dict)
    variable: _Branch | None = None
    rest: _Branch | None = None
    methods: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What the router found: the route and its path variables; or only the methods there are."""

    route: Route | None
    args: dict[str, str]
    allowed: tuple[str, ...] = ()


NOT_FOUND: Final = Found(None, {})


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)
        self._root = _Branch()
        for route in self.routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        branch, names = self._root, []
        for segment in route.path.strip("/").split("/"):
            if segment.endswith("*}"):
                names.append(segment[1:-2])
                branch.rest = branch.rest or _Branch()
                branch = branch.rest
            elif segment.startswith("{"):
                names.append(segment[1:-1])
                branch.variable = branch.variable or _Branch()
                branch = branch.variable
            else:
                branch = branch.named.setdefault(segment, _Branch())
        if route.method in branch.methods:
            raise InvariantError(f"two routes for {route.method} {route.path}")
        branch.methods[route.method] = (route, tuple(names))

    def find(self, method: str, path: str) -> Found:
        """Find the route for a method and a raw (still encoded) path."""
        branch = self._root
        values: list[str] = []
        if path.endswith("/"):
            path = path[:-1]
        segments = path[1:].split("/")
        rest: tuple[_Branch, list[str]] | None = None
        for number, segment in enumerate(segments):
            if branch.rest is not None:
                rest = branch.rest, [*values, "/".join(segments[number:])]
            following = branch.named.get(segment)
            if following is None:
                following = branch.variable
                if following is None:
                    return _of_rest(rest, method)
                values.append(_decoded(segment))
            branch = following
        entry = branch.methods.get(method)
        if entry is not None:
            return Found(entry[0], dict(zip(entry[1], values, strict=True)))
        if branch.methods:
            return Found(None, {}, tuple(branch.methods))
        return _of_rest(rest, method)


def _of_rest(rest: tuple[_Branch, list[str]] | None, method: str) -> Found:
    """Give the route that takes the rest of a path, where there is one."""
    if rest is None:
        return NOT_FOUND
    branch, values = rest
    entry = branch.methods.get(method)
    if entry is None:
        return Found(None, {}, tuple(branch.methods))
    return Found(entry[0], dict(zip(entry[1], values, strict=True)))


def _decoded(segment: str) -> str:
    if "%" not in segment:
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{segment!r} in the path is not encoded UTF-8") from error


def raw_path(scope: Mapping[str, Any]) -> str:
    """Give the path of an ASGI scope as it was sent, encoded."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return quote(scope["path"])
    return raw.partition(b"?")[0].decode("latin-1")
