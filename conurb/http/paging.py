"""Paging headers: links to the pages before and after, and the count of all (6.3.10, 6.3.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode

from conurb.http.exchange import Exchange, Header

if TYPE_CHECKING:
    from conurb.model.query.tree import Query

COUNT_HEADER: Final = b"ngsild-results-count"
SAFE: Final = ":/*()!~@"
"""What is left as it is in the parameters of a link, so that people can read it."""


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
    given = parse_qsl(exchange.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    params = {**dict(given), "limit": str(limit), "offset": str(offset)}
    text = urlencode(sorted(params.items()), safe=SAFE, quote_via=quote)
    path = quote(exchange.scope["path"].rstrip("/"), safe="/:")
    value = f'<{path}?{text}>; rel="{rel}"; type="{exchange.media}"'
    return b"link", value.encode("ascii")
