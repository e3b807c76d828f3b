"""Paging headers: links to the pages before and after, and the count of all (6.3.10, 6.3.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from conurb.http.exchange import Exchange, Header

if TYPE_CHECKING:
    from conurb.model.query.tree import Query

COUNT_HEADER = b"ngsild-results-count"


def page_headers(
    exchange: Exchange, query: Query, *, more: bool, total: int | None
) -> list[Header]:
    """Write the headers of one page: prev and next with everything needed to follow them."""
    return paging(exchange, limit=query.limit, offset=query.offset, more=more, total=total)


def paging(
    exchange: Exchange, *, limit: int, offset: int, more: bool, total: int | None
) -> list[Header]:
    """Write paging headers for a page of anything that has a limit and an offset."""
    headers: list[Header] = []
    if total is not None:
        headers.append((COUNT_HEADER, str(total).encode()))
    if limit == 0:
        return headers
    if offset > 0:
        headers.append(_link(exchange, "prev", limit, max(0, offset - limit)))
    if more:
        headers.append(_link(exchange, "next", limit, offset + limit))
    return headers


def _link(exchange: Exchange, rel: str, limit: int, offset: int) -> Header:
    kept = [
        piece
        for piece in exchange.scope["query_string"].decode("latin-1").split("&")
        if piece and piece.partition("=")[0] not in {"limit", "offset"}
    ]
    pieces = "&".join([*kept, urlencode({"limit": limit, "offset": offset})])
    path = exchange.scope["path"]
    value = f'<{path}?{pieces}>; rel="{rel}"; type="{exchange.media}"'
    return b"link", value.encode("latin-1", "replace")
