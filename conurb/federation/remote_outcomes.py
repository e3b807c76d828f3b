"""What a node elsewhere answers to a write, read as what `conurb.node.provide` would give.

A source that did only some of what was asked says so by 207, with a BatchOperationResult (clause
5.2.16) or an UpdateResult (clause 5.2.18).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from conurb.errors import ConurbError, SourceError
from conurb.federation.wire import Reply, Wording
from conurb.model.operations.entity import Report
from conurb.node.outcomes import BatchResult

MULTI_STATUS: Final = 207


def read_parts(reply: Reply) -> BatchResult | None:
    """Read what became of the parts of a write that was done in part; None for any other."""
    if reply.status != MULTI_STATUS:
        return None
    return read_batch(reply, ())


def read_batch(reply: Reply, ids: Sequence[str], *, created: bool = False) -> BatchResult:
    """Read what became of a batch: a BatchOperationResult, the ids created, or nothing at all."""
    document = reply.document
    if reply.status != MULTI_STATUS:
        new = [one for one in document or () if isinstance(one, str)]
        return BatchResult(list(ids), list(ids) if created else new, [])
    if not isinstance(document, dict):
        raise SourceError("the answer isn't a BatchOperationResult", code=111)
    success = [one for one in document.get("success") or () if isinstance(one, str)]
    errors: list[tuple[str, ConurbError]] = []
    for item in document.get("errors") or ():
        if isinstance(item, dict):
            errors.append((str(item.get("entityId")), _error(item.get("error"))))
    failed = {entity_id for entity_id, _ in errors}
    success += [one for one in ids if one not in failed and one not in success]
    return BatchResult(success, list(success) if created else [], errors)


def _error(problem: Any) -> ConurbError:
    document = problem if isinstance(problem, dict) else {}
    status = document.get("status")
    return Reply(status if isinstance(status, int) else 500, document, {}).error("context source")


def read_report(reply: Reply, attributes: Sequence[str] | Any, wording: Wording) -> Report:
    """Read an UpdateResult (clause 5.2.18); any other success wrote every attribute."""
    if reply.status != MULTI_STATUS:
        return Report(list(attributes), [])
    if not isinstance(reply.document, dict):
        reason = "the source did some of it, and doesn't say what"
        return Report([], [(name, reason) for name in attributes])
    expand = wording.terms.expand
    left = [
        (expand(str(one.get("attributeName"))), str(one.get("reason", "no reason given")))
        for one in reply.document.get("notUpdated") or ()
        if isinstance(one, dict)
    ]
    names = reply.document.get("updated") or ()
    return Report([expand(one) for one in names if isinstance(one, str)], left)
