"""From the bytes of a body to JSON, and to the entities of a batch: pure, within bounds.

It knows nothing of a request, so that big batches can be read in a process of their own
(`conurb.http.apart`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from conurb.errors import (
    BadRequestDataError,
    ConurbError,
    InvalidRequestError,
    TooLargeError,
)
from conurb.model.context import Terms
from conurb.model.entity import Entity
from conurb.model.parse import parse_entity

EntityFailure = tuple[str, ConurbError]
"""The id of an entity of a batch, and why it couldn't be read or written."""

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


@dataclass(frozen=True, slots=True)
class Limits:
    """How deep a body may nest, and how many entities a batch may have."""

    depth_max: int
    batch_max: int


@dataclass(slots=True)
class BatchRead:
    """The entities of a batch, and of those that couldn't be read why."""

    entities: list[Entity]
    failures: list[EntityFailure]


def read_json(body: bytes, *, depth_max: int) -> Any:
    """Read JSON strictly: no NaN, no NUL characters, nested no deeper than `depth_max`.

    Raises InvalidRequestError saying where it breaks.
    """
    if not body:
        raise InvalidRequestError("the body is empty; JSON was expected")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error}") from error
    if b"\\u0000" in body and _NUL.search(body):
        raise InvalidRequestError("the body has a NUL character, which no value may have")
    if body.count(b"{") + body.count(b"[") > depth_max and _is_deep(body, document, depth_max):
        raise InvalidRequestError(f"the body is nested deeper than {depth_max} levels")
    return document


def _is_deep(body: bytes, document: Any, depth_max: int) -> bool:
    """Whether a document is nested deeper than the bound.

    Brackets alone, innermost pairs removed again and again, vanish after removing at most two
    levels a round; that costs microseconds where a walk costs milliseconds. Brackets inside of
    texts may spoil it, then the walk decides.
    """
    brackets = body.translate(None, _NOT_BRACKETS)
    for _ in range(depth_max // 2):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return False
    return _walk_is_deep(document, depth_max)


def _walk_is_deep(document: Any, depth_max: int) -> bool:
    level = [document]
    for _ in range(depth_max):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def check_batch(documents: Any, batch_max: int) -> list[Any]:
    """Check that a body is a list of documents, none null, within the bound of a batch."""
    if not isinstance(documents, list):
        raise InvalidRequestError(
            f"the body must be a list of entities, not {type(documents).__name__}"
        )
    if not documents:
        raise BadRequestDataError("the batch is empty; at least one entity is needed")
    if None in documents:
        raise BadRequestDataError("the batch has an item that is null")
    if len(documents) > batch_max:
        raise TooLargeError(f"the batch has {len(documents)} entities; this node takes {batch_max}")
    return documents


def check_no_context(document: Any) -> None:
    """Raise BadRequestDataError for a @context in a body of application/json (6.3.5)."""
    if isinstance(document, dict) and "@context" in document:
        raise BadRequestDataError(
            "@context: with Content-Type application/json it comes by the Link header, "
            "not in the body"
        )


def read_batch(body: bytes, terms: Terms, limits: Limits) -> BatchRead:
    """Read the entities of a batch of application/json.

    One that can't be read fails alone. Raises InvalidRequestError, BadRequestDataError or
    TooLargeError when the body as a whole isn't a batch.
    """
    documents = check_batch(read_json(body, depth_max=limits.depth_max), limits.batch_max)
    read = BatchRead([], [])
    for position, document in enumerate(documents):
        try:
            check_no_context(document)
            read.entities.append(parse_entity(document, terms))
        except ConurbError as error:
            read.failures.append((batch_id(document, position), error))
    return read


def batch_id(document: Any, position: int) -> str:
    """Give the id by which a failure names an entity of a batch."""
    entity_id = document.get("id") if isinstance(document, dict) else None
    return entity_id if isinstance(entity_id, str) else f"urn:ngsi-ld:batch:{position}"
