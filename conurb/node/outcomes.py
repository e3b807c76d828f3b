"""What a batch of writes to a node tells its caller."""

from __future__ import annotations

from dataclasses import dataclass, field

from conurb.errors import ConurbError


@dataclass(slots=True)
class BatchResult:
    """What became of the entities of a batch (BatchOperationResult, clause 5.2.16).

    `success` are the ids in the order of the batch, each once; `created` those among them that
    didn't exist before. `errors` are (id, why).
    """

    success: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    errors: list[tuple[str, ConurbError]] = field(default_factory=list)
