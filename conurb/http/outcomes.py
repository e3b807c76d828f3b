"""What writes answer when they did only part of it: UpdateResult and BatchOperationResult.

Names in them are IRIs, because a 207 has no @context (6.3.6).
"""

from __future__ import annotations

from typing import Any

from conurb.errors import ConurbError
from conurb.http.problems import problem_document
from conurb.http.reading import EntityFailure
from conurb.model.operations.entity import Report
from conurb.node.outcomes import BatchResult


def update_result(result: Report) -> dict[str, Any]:
    """Write an UpdateResult (clause 5.2.18)."""
    return {
        "updated": result.updated,
        "notUpdated": [
            {"attributeName": name, "reason": reason} for name, reason in result.not_updated
        ],
    }


def batch_result(
    result: BatchResult, failures: list[EntityFailure] | None = None
) -> dict[str, Any]:
    """Write a BatchOperationResult (clauses 5.2.16, 5.2.17).

    `failures` are entities that never came to the store, because they couldn't be read.
    """
    errors = [*(failures or ()), *result.errors]
    return {
        "success": result.success,
        "errors": [_entity_error(entity_id, error) for entity_id, error in errors],
    }


def _entity_error(entity_id: str, error: ConurbError) -> dict[str, Any]:
    written: dict[str, Any] = {"entityId": entity_id, "error": problem_document(error)}
    if error.registration_id is not None:
        written["registrationId"] = error.registration_id
    return written
