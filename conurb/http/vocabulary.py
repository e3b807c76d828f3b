"""The platform's own vocabulary: its @context, and the names of its terms for people.

Both are open to all: a @context that can't be read without a token is no @context, and pages label
things before anybody logs in. They change with the version of the program alone.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from conurb.http.exchange import Answer, Exchange
from conurb.http.routing import JSON, JSON_LD, Reply, Route
from conurb.model.vocabulary import CONTEXT_PATH, LABELS_PATH, labels, platform_context

_CACHED: Final = (b"cache-control", b"public, max-age=86400")


async def context(exchange: Exchange) -> Answer:
    """Give the platform's @context."""
    return _give(platform_context(), JSON_LD)


async def names(exchange: Exchange) -> Answer:
    """Give the names of the platform's terms in Chinese and English."""
    return _give(labels(), JSON)


def _give(document: Any, media: str) -> Answer:
    return Answer(200, orjson.dumps(document), [(b"content-type", media.encode()), _CACHED])


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    shared: dict[str, Any] = {
        "tag": "Vocabulary",
        "accepts": (),
        "errors": (),
        "any_tenant": True,
        "open_to_all": True,
    }
    return (
        Route(
            "GET",
            CONTEXT_PATH,
            "platformContext",
            "The platform's own @context",
            context,
            replies={200: Reply("The @context.", "Context")},
            **shared,
        ),
        Route(
            "GET",
            LABELS_PATH,
            "platformLabels",
            "The names of the platform's terms in Chinese and English",
            names,
            replies={200: Reply("Term to language to name.", "Labels")},
            **shared,
        ),
    )
