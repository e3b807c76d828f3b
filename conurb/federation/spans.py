"""Where the ids lie that an answer has counted, as nodes of one program tell it each other.

`Conurb-Ids: "first" "last", ...` goes with a count to a node that asks for others (clause 6.3.17
leaves headers of one's own to implementations). Counts of sources whose spans don't meet add up;
without it, every id is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from conurb.federation.completeness import FederatedAnswer
from conurb.federation.extents import types_of
from conurb.store.together import Run, find_runs

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.query.tree import Query
    from conurb.node.consume import Answer
    from conurb.node.node import Node

HEADER: Final = "Conurb-Ids"
SPANS_MAX: Final = 16
"""Spans of one answer; where there are more, nothing is said."""
_SPAN: Final = re.compile(r'"([!#-~]{1,512})" "([!#-~]{1,512})"')


def written(runs: Sequence[Run]) -> str | None:
    """Write spans; None when they can't be.

    >>> written([("urn:a:1", "urn:a:9")])
    '"urn:a:1" "urn:a:9"'
    """
    spans = [f'"{first}" "{last}"' for first, last in runs]
    if not spans or len(spans) > SPANS_MAX or not all(map(_SPAN.fullmatch, spans)):
        return None
    return ", ".join(spans)


def read(text: str) -> tuple[Run, ...] | None:
    """Read spans; None when there are none, or they can't be read.

    >>> read('"urn:a:1" "urn:a:9", "urn:b:1" "urn:b:1"')
    (('urn:a:1', 'urn:a:9'), ('urn:b:1', 'urn:b:1'))
    """
    parts = text.split(", ") if text else []
    found = [_SPAN.fullmatch(part) for part in parts[: SPANS_MAX + 1]]
    if not found or len(found) > SPANS_MAX:
        return None
    spans = tuple((match[1], match[2]) for match in found if match is not None)
    return spans if len(spans) == len(found) else None


async def spans_of(
    node: Node, caller: Caller, query: Query, answer: Answer
) -> Sequence[Run] | None:
    """Give where the ids lie that an answer has counted, if the caller may know; else None."""
    restriction = caller.restriction
    types = types_of(query)
    may_know = restriction.scopes is None and (
        restriction.types is None or (types is not None and types <= set(restriction.types))
    )
    if not answer.total or not may_know:
        return None
    if isinstance(answer, FederatedAnswer):
        return answer.runs
    return await find_runs(node.store, query)
