"""A connection to a node for synchronous callers: notebooks and the command line.

`connect` takes the URL of a running node, or the path (or database URL) of a store that no node
serves now, which it opens in this process. Both speak NGSI-LD over the same client: the second
through ASGI, without a socket.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx
import orjson
from anyio.from_thread import start_blocking_portal

from conurb.client.transport import open_transport
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConflictError,
    ConurbError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    TooComplexQueryError,
    UnauthenticatedError,
    UnavailableError,
)
from conurb.model.vocabulary import CONTEXT_URL

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

API: Final = "/ngsi-ld/v1"
DEFAULT_URL: Final = "http://127.0.0.1:8080"
PAGE_SIZE: Final = 1000
TIMEOUT_S: Final = 60.0
BEGINNING: Final = "0001-01-01T00:00:00Z"
"""Before everything that is said to have been observed."""
_ERRORS: Final[dict[int, type[ConurbError]]] = {
    400: BadRequestDataError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: AlreadyExistsError,
    422: ConflictError,
    503: UnavailableError,
    504: UnavailableError,
}

Document = dict[str, Any]
"""A raw JSON document of the API."""


class IncompleteAnswerWarning(UserWarning):
    """A node of the region didn't answer: what it has is missing."""


def _warn(said: str) -> None:
    warnings.warn(said, IncompleteAnswerWarning, stacklevel=2)


class Connection:
    """A node, asked synchronously. Use it as a context manager, or `close` it.

    Names in answers and questions are terms of `context`, the URL of a JSON-LD @context that the
    node knows (default: the platform's own). `warn` is told which nodes of a region didn't answer
    (`NGSILD-Warning`); without it, Python warns of an IncompleteAnswerWarning.
    """

    def __init__(
        self,
        target: str,
        *,
        tenant: str | None = None,
        token: str | None = None,
        context: str = CONTEXT_URL,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        headers = {
            "Link": f'<{context}>; rel="http://www.w3.org/ns/json-ld#context"; '
            'type="application/ld+json"',
            "Accept": "application/json",
        }
        if tenant:
            headers["NGSILD-Tenant"] = tenant
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.target = target
        self._warn = warn or _warn
        self.context = context
        # What was begun is undone when the way to the node can't be opened: the portal's thread
        # would outlive the program.
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            base_url, transport = stack.enter_context(
                self._portal.wrap_async_context_manager(open_transport(target))
            )
            self._http = httpx.AsyncClient(
                base_url=base_url, transport=transport, headers=headers, timeout=TIMEOUT_S
            )
            stack.callback(self._portal.call, self._http.aclose)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the node."""
        self._stack.close()

    # ── the protocol ──────────────────────────────────────────────────────────────────────────

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask the node; raise what it answers as an error of `conurb.errors`.

        A body of bytes goes as it is, any other as JSON.
        """
        response: httpx.Response = self._portal.call(
            self._request, method, path, params, body, headers
        )
        return response

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        sent = dict(headers or {})
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            response = await self._http.request(
                method, path, params=params, content=content, headers=sent
            )
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"no node answers at {self.target}: {str(error) or type(error).__name__}. "
                "Is it running? 'conurb up yrd' starts the region"
            ) from error
        for said in response.headers.get_list("NGSILD-Warning"):
            self._warn(said)
        if response.is_error:
            raise _error(response)
        return response

    def version(self) -> Document:
        """Say which node answers, and with which version."""
        return _document(self.request("GET", "/version"))

    # ── objects ───────────────────────────────────────────────────────────────────────────────

    def get(self, object_id: str, **params: str) -> Document:
        """Get one object; raise NotFoundError when there is none."""
        path = f"{API}/entities/{quote(object_id, safe='')}"
        return _document(self.request("GET", path, params=params))

    def iter_objects(
        self, type: str | None = None, *, limit: int | None = None, **params: str
    ) -> Iterator[Document]:
        """Stream the objects that a query finds, page by page.

        `params` are the parameters of NGSI-LD (`q`, `georel`, `scopeQ`, `pick`, `options` ...);
        `limit` bounds how many objects come, None gives all.
        """
        asked = {**({"type": type} if type else {}), **params}
        if not asked:
            asked["local"] = "true"
        given = 0
        while limit is None or given < limit:
            size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - given)
            paging = {"limit": str(size), "offset": str(given)}
            page = _json(self.request("GET", f"{API}/entities", params={**asked, **paging}))
            yield from page
            given += len(page)
            if len(page) < size:
                return

    def query(
        self, type: str | None = None, *, limit: int | None = None, **params: str
    ) -> list[Document]:
        """Give the objects that a query finds, as documents; see `iter_objects`."""
        return list(self.iter_objects(type, limit=limit, **params))

    def count(self, type: str | None = None, **params: str) -> int:
        """Count the objects that a query finds."""
        asked = {**({"type": type} if type else {}), **params, "limit": "0", "count": "true"}
        response = self.request("GET", f"{API}/entities", params=asked)
        return int(response.headers["NGSILD-Results-Count"])

    def put(self, objects: Iterable[Document]) -> list[Document]:
        """Create or replace objects; give the batch operation's errors, none when all went well."""
        response = self.request("POST", f"{API}/entityOperations/upsert", body=list(objects))
        return batch_errors(response)

    def delete(self, *object_ids: str) -> list[Document]:
        """Delete objects; give the batch operation's errors, none when all went well."""
        response = self.request("POST", f"{API}/entityOperations/delete", body=list(object_ids))
        return batch_errors(response)

    def history(self, object_id: str, attributes: Sequence[str] = (), **params: str) -> Document:
        """Get the temporal evolution of one object, optionally of some attributes only."""
        if attributes:
            params["attrs"] = ",".join(attributes)
        path = f"{API}/temporal/entities/{quote(object_id, safe='')}"
        return _document(self.request("GET", path, params=params))

    def iter_histories(
        self, type: str, attributes: Sequence[str] = (), **params: str
    ) -> Iterator[Document]:
        """Stream the temporal evolutions of the objects of a type, in normalized form.

        `params` are the parameters of a query over history (`q`, `scopeQ`, `timerel` ...; all of
        history, when no time is asked for). A node bounds how many instances one answer holds:
        where an answer is cut (206), fewer objects are asked for at once. Raises
        TooComplexQueryError when the history of one object alone is over that bound.
        """
        asked = {"type": type, "timerel": "after", "timeAt": BEGINNING, **params}
        if attributes:
            asked["attrs"] = ",".join(attributes)
        given, size = 0, PAGE_SIZE
        while True:
            paging = {"limit": str(size), "offset": str(given)}
            path = f"{API}/temporal/entities"
            response = self.request("GET", path, params={**asked, **paging})
            if response.status_code == httpx.codes.PARTIAL_CONTENT:
                if size == 1:
                    raise TooComplexQueryError(
                        f"the history of object {given + 1} of type {type!r} is longer than the "
                        "node gives in one answer: ask for fewer attributes, or a shorter time"
                    )
                size = max(1, size // 4)
                continue
            page = _json(response)
            yield from page
            given += len(page)
            if len(page) < size:
                return

    # ── frames ────────────────────────────────────────────────────────────────────────────────

    def objects(
        self, type: str | None = None, *, limit: int | None = None, **params: str
    ) -> gpd.GeoDataFrame:
        """Give the objects that a query finds as a GeoDataFrame: one row each, by id.

        Columns are attributes in simplified form; `geometry` is `location`, in WGS84.
        """
        from conurb.client.frames import objects_frame

        params["options"] = "keyValues"
        return objects_frame(self.iter_objects(type, limit=limit, **params))

    def history_frame(
        self,
        object_id: str | Sequence[str],
        attributes: Sequence[str] = (),
        **params: str,
    ) -> pd.DataFrame:
        """Give the history of one or more objects as a long DataFrame.

        One row per instance: id, attribute, dataset, time (`observedAt`, UTC), period, value, unit.
        """
        from conurb.client.frames import history_frame

        ids = [object_id] if isinstance(object_id, str) else list(object_id)
        return history_frame(self.history(one, attributes, **params) for one in ids)


def connect(
    target: str | None = None,
    *,
    tenant: str | None = None,
    token: str | None = None,
    context: str = CONTEXT_URL,
    warn: Callable[[str], None] | None = None,
) -> Connection:
    """Connect to a node by its URL, or open a store by its path or database URL.

    Without a target it is `CONURB_URL`, else the local node; without a token, `CONURB_TOKEN`.
    `warn` is told which nodes of a region didn't answer. Raises UnavailableError when nothing
    answers there, at the first question.
    """
    return Connection(
        target or os.environ.get("CONURB_URL") or DEFAULT_URL,
        tenant=tenant,
        token=token or os.environ.get("CONURB_TOKEN"),
        context=context,
        warn=warn,
    )


def batch_errors(response: httpx.Response) -> list[Document]:
    """Take the errors out of a batch operation's answer (207), none from another."""
    if response.status_code != httpx.codes.MULTI_STATUS:
        return []
    errors: list[Document] = _json(response).get("errors", [])
    return errors


def _json(response: httpx.Response) -> Any:
    return orjson.loads(response.content)


def _document(response: httpx.Response) -> Document:
    document: Document = orjson.loads(response.content)
    return document


def _error(response: httpx.Response) -> ConurbError:
    try:
        problem = orjson.loads(response.content)
        detail = problem.get("detail") or problem.get("title") or response.text
    except (orjson.JSONDecodeError, AttributeError):
        detail = response.text[:200]
    kind: Callable[[str], ConurbError] = _ERRORS.get(response.status_code, InvalidRequestError)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        kind = UnavailableError
    return kind(f"{detail} (HTTP {response.status_code})")
