"""Links between the resources of the OGC APIs: absolute, for clients keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from conurb.http.paging import SAFE
from conurb.http.params import Param

if TYPE_CHECKING:
    from conurb.http.exchange import Exchange

ROOT: Final = "/ogc"
COLLECTIONS: Final = ROOT + "/collections"
AS_JSON: Final = Param("f", "The form of the answer: JSON, as without it.", choices=("json",))
"""Taken by every resource, because many clients add it to every address."""

IN_SEGMENT: Final = ":@!$&'()*+,;=~-._"


def link(
    exchange: Exchange, path: str, rel: str, media: str, title: str | None = None
) -> dict[str, Any]:
    """Write one link to a path of this process."""
    written = {"href": exchange.base_url + path, "rel": rel, "type": media}
    return written if title is None else {**written, "title": title}


def collection_path(name: str) -> str:
    """Give the path of a collection.

    >>> collection_path("https://example.org/Thing")
    '/ogc/collections/https:%2F%2Fexample.org%2FThing'
    """
    return f"{COLLECTIONS}/{quote(name, safe=IN_SEGMENT)}"


def with_query(exchange: Exchange, path: str, changes: Mapping[str, str | None]) -> str:
    """Give a path with the request's own parameters, some of them changed or (None) left out."""
    given = dict(parse_qsl(exchange.scope["query_string"].decode("latin-1")))
    params = {**given, **changes}
    kept = sorted((name, value) for name, value in params.items() if value is not None)
    return f"{path}?{urlencode(kept, safe=SAFE, quote_via=quote)}" if kept else path
