"""What nodes say to each other outside of NGSI-LD: joining, leaving, reading changes.

One bounded request and its JSON answer; what the other node refuses is raised as what it is. Where
a node may send to is decided by its outbound allow-list, as for everything that it sends.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from conurb import __version__
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConflictError,
    ConurbError,
    ForbiddenError,
    NotFoundError,
    SourceError,
    SourceTimeoutError,
)

if TYPE_CHECKING:
    from conurb.access.outbound import Outbound

TIMEOUT_S: Final = 15.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
_REFUSALS: Final[dict[int, type[ConurbError]]] = {
    400: BadRequestDataError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
}


class Envoy:
    """Speaks for a node to one other node, at `url` (without a path), as its tenant."""

    def __init__(
        self,
        outbound: Outbound,
        url: str,
        *,
        tenant: str | None = None,
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._outbound = outbound
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": f"conurb/{__version__}"}
        if tenant is not None:
            self._headers["NGSILD-Tenant"] = tenant
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._transport = transport

    async def ask(
        self,
        method: str,
        path: str,
        *,
        document: Any = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Any:
        """Ask and give the answer's JSON, None when it has no body.

        Raises ForbiddenError when this node may not send there, SourceTimeoutError without an
        answer, SourceError for one that can't be read, or what the other node refuses.
        """
        self._outbound.check(self.url)
        headers = dict(self._headers)
        content = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(document)
        try:
            async with asyncio.timeout(timeout_s), self._client(headers) as client:
                request = client.build_request(
                    method, self.url + path, params=params, content=content
                )
                status, body = await _read(await client.send(request, stream=True))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            said = str(error) or f"no answer in {timeout_s:g} s"
            raise SourceTimeoutError(f"{self.url}: {said}") from error
        try:
            answer = orjson.loads(body) if body.strip() else None
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{self.url}: the answer isn't JSON", code=111) from error
        if status >= 400:
            raise self._refusal(status, answer)
        return answer

    async def fetch(
        self, path: str, *, params: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
    ) -> tuple[Mapping[str, str], bytes]:
        """Get headers and body of something that isn't JSON; raise as `ask` does."""
        self._outbound.check(self.url)
        try:
            async with asyncio.timeout(timeout_s), self._client(self._headers) as client:
                request = client.build_request(
                    "GET", self.url + path, params=params, headers={"Accept": "*/*"}
                )
                response = await client.send(request, stream=True)
                status, body = await _read(response)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            said = str(error) or f"no answer in {timeout_s:g} s"
            raise SourceTimeoutError(f"{self.url}: {said}") from error
        if status >= 400:
            raise self._refusal(status, _document(body))
        return response.headers, body

    def _client(self, headers: Mapping[str, str]) -> httpx.AsyncClient:
        # The system's authorities, as cities may have one of their own.
        secure = self.url.startswith("https:")
        return httpx.AsyncClient(
            headers=headers,
            transport=self._transport,
            verify=ssl.create_default_context() if secure else False,
            timeout=None,  # noqa: S113 - `ask` bounds the whole of it
            trust_env=False,
            follow_redirects=False,
        )

    def _refusal(self, status: int, answer: Any) -> ConurbError:
        document = answer if isinstance(answer, dict) else {}
        said = document.get("detail") or document.get("title") or "no reason given"
        detail = f"{self.url} answered {status}: {said!s:.500}"
        if status == 409 and str(document.get("type", "")).endswith("AlreadyExists"):
            return AlreadyExistsError(detail)
        kind = _REFUSALS.get(status)
        return SourceError(detail) if kind is None else kind(detail)


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


async def _read(response: httpx.Response) -> tuple[int, bytes]:
    try:
        chunks, size = [], 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > ANSWER_BYTES_MAX:
                raise httpx.StreamError(f"the answer is over {ANSWER_BYTES_MAX} bytes")
            chunks.append(chunk)
    finally:
        await response.aclose()
    return response.status_code, b"".join(chunks)
