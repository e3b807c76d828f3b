"""What a snapshot is: a value, and the document that a store keeps of it (clause 5.2.41).

`conurb.node.snapshots` makes, fills and deletes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from conurb.errors import BadRequestDataError
from conurb.model.context import CORE_PREFIX
from conurb.model.entity import Entity, Instance
from conurb.model.query.match import matches
from conurb.model.query.tree import (
    Absent,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Query,
    Restriction,
    TemporalQuery,
)
from conurb.model.time import shown_us

Status = Literal["preparing", "success", "partial", "empty", "failure"]
Outcome = Literal["success", "empty", "failure"]

PRIORITY: Final = 5
PRIORITIES: Final = range(1, 11)
"""From the first to go to the last to go when a node is short of room (clause 5.5.15)."""

KIND: Final = "snapshot"


@dataclass(slots=True)
class Detail:
    """What became of one query of a snapshot (ExecutionResultDetails, clause 5.2.42).

    `error` is the name of the error's class in `conurb.errors`, and `detail` what it said.
    """

    status: Outcome
    error: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Snapshot:
    """A frozen copy of what some queries gave. Times are microseconds.

    `place` is where its own store stands. `queries` and `temporal_queries` are the documents as
    they were given. `seen_by` is the restriction of its maker: what it holds is bounded by it.
    """

    id: str
    place: str
    created_us: int
    modified_us: int
    used_us: int
    expires_us: int
    priority: int = PRIORITY
    status: Status = "preparing"
    queries: list[Any] = field(default_factory=list)
    temporal_queries: list[Any] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    temporal_details: list[Detail] = field(default_factory=list)
    endpoint: str | None = None
    receiver_info: list[Any] = field(default_factory=list)
    seen_by: Restriction = field(default_factory=Restriction)

    def body(self) -> dict[str, Any]:
        """Give the document that a store keeps."""
        return asdict(self)

    @staticmethod
    def of(body: Mapping[str, Any]) -> Snapshot:
        """Read the document back."""
        seen = body["seen_by"]
        read = {
            **body,
            "details": [Detail(**one) for one in body["details"]],
            "temporal_details": [Detail(**one) for one in body["temporal_details"]],
            "seen_by": Restriction(*(None if v is None else tuple(v) for v in seen.values())),
        }
        return Snapshot(**read)


@dataclass(frozen=True, slots=True)
class SnapshotOrder:
    """What a caller asks for: the queries to freeze, as trees and as documents, and the rest.

    None in `id` lets the node choose one; in `lifetime_us`, it takes its default.
    """

    id: str | None = None
    queries: tuple[Query, ...] = ()
    temporal_queries: tuple[TemporalQuery, ...] = ()
    documents: tuple[Any, ...] = ()
    temporal_documents: tuple[Any, ...] = ()
    lifetime_us: int | None = None
    priority: int | None = None
    endpoint: str | None = None
    receiver_info: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotPatch:
    """What may become otherwise in a snapshot; None leaves it (clause 5.16.4)."""

    lifetime_us: int | None = None
    priority: int | None = None
    endpoint: str | None = None
    receiver_info: tuple[Any, ...] | None = None


def overall(details: list[Detail]) -> Status:
    """Sum up what became of the queries (clause 5.16.1.4).

    >>> overall([Detail("success"), Detail("empty")]), overall([Detail("failure")])
    ('partial', 'failure')
    """
    outcomes = {detail.status for detail in details}
    if "success" in outcomes:
        return "success" if len(outcomes) == 1 else "partial"
    return "failure" if "failure" in outcomes else "empty"


_MEMBERS: Final = frozenset({"snapshotPriority", "snapshotStatus", "lastUsedAt", "endpoint"})
_SYSTEM: Final = frozenset({"id", "type", "createdAt", "modifiedAt", "expiresAt"})


def check_condition(condition: Condition) -> None:
    """Check that a condition asks of members of a snapshot alone (clause 5.16.7).

    Raises BadRequestDataError naming the other one.
    """
    for path in _paths(condition):
        name = path.steps[0]
        if len(path.steps) > 1 or not isinstance(name, str):
            raise BadRequestDataError("q: members of a snapshot have no parts to ask of")
        if name not in _SYSTEM and name.removeprefix(CORE_PREFIX) not in _MEMBERS:
            allowed = ", ".join(sorted(_MEMBERS | _SYSTEM))
            raise BadRequestDataError(f"q: {name!r} is none of a snapshot's {allowed}")


def satisfies(snapshot: Snapshot, condition: Condition) -> bool:
    """Whether a snapshot satisfies a condition on its members."""
    values = {
        "snapshotPriority": snapshot.priority,
        "snapshotStatus": snapshot.status,
        "lastUsedAt": shown_us(snapshot.used_us),
        "endpoint": snapshot.endpoint,
    }
    attrs: dict[str, list[Instance]] = {
        CORE_PREFIX + name: [{"type": "Property", "value": value}]
        for name, value in values.items()
        if value is not None
    }
    entity = Entity(
        snapshot.id,
        (CORE_PREFIX + "Snapshot",),
        attrs,
        created_at=snapshot.created_us,
        modified_at=snapshot.modified_us,
        expires_at=snapshot.expires_us,
    )
    return matches(entity, Query(condition=condition))


def _paths(condition: Condition) -> list[AttributePath]:
    if isinstance(condition, Compare | Exists | Absent):
        return [condition.path]
    if isinstance(condition, GeoCondition):
        return []
    return [path for item in condition.items for path in _paths(item)]
